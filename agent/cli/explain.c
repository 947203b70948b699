/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * explain.c - "virtksm explain": why KSM has the settings it has, and domains the memory they have
 *
 * Pages become bytes with this program's own page size: client and daemon share a kernel, since
 * they talk over a UNIX socket.
 */
#define _GNU_SOURCE
#include "agent/cli/call.h"
#include "agent/cli/command.h"
#include "agent/cli/csv.h"
#include "agent/cli/memory.h"
#include "agent/cli/result.h"
#include "agent/cli/settings.h"
#include "agent/cli/table.h"
#include "agent/cli/tenancy.h"
#include "agent/cli/text.h"
#include "proto/virtksm.pb-c.h"

#include <inttypes.h>
#include <unistd.h>

static const CallMethod explain_method = { "/virtksm.v1.Agent/Explain",
                                           &virtksm__v1__explain_response__descriptor, true };

static uint64_t
bytes_of(uint64_t pages)
{
    return text_pages_to_bytes(pages, (uint64_t)sysconf(_SC_PAGESIZE));
}

static void
append_decision(GString *out, const Virtksm__V1__ExplainResponse *explain)
{
    g_autofree char *age =
        explain->has_decided_ms ? text_duration(explain->decided_ms) : g_strdup(TEXT_UNKNOWN);
    g_autofree char *decided = g_strdup_printf("%s ago", age);
    g_autofree char *wanted = settings_text(explain->wanted);
    g_autofree char *in_force = settings_text(explain->in_force);
    g_autofree char *applied = g_strjoin(
        ": ", text_or_unknown(explain->applied),
        explain->applied_detail && *explain->applied_detail ? explain->applied_detail : NULL, NULL);

    text_append_line(out, "mode", explain->mode);
    text_append_line(out, "phase", explain->phase);
    text_append_line(out, "why", explain->reason);
    if (explain->bound)
        text_append_line(out, "bound", explain->bound);
    if (explain->change)
        text_append_line(out, "changed by", explain->change);
    text_append_line(out, "decided", decided);
    text_append_line(out, "wanted", wanted ? wanted : "everything left as it is");
    text_append_line(out, "in force", in_force);
    text_append_line(out, "applied", applied);
    memory_append_host(out, explain->memory);
    tenancy_append_host(out, explain->tenancy);
}

/* The figures that went into the decision, a sentence for each. */
static void
append_inputs(GString *out, const Virtksm__V1__ExplainResponse *explain)
{
    g_autofree char *debt = text_bytes(bytes_of(explain->debt_pages));
    g_autofree char *gained = text_bytes(bytes_of(explain->gained_pages));
    g_autofree char *budget = text_percent(explain->budget_bp, 10000);
    g_autoptr(GString) inputs = g_string_new(NULL);

    if (explain->has_debt_pages)
        g_string_append_printf(inputs, "%s of the memory that may merge is yet to be scanned.\n",
                               debt);
    if (explain->has_budget_bp)
        g_string_append_printf(inputs, "ksmd may use %s of one CPU for it.\n", budget);
    if (explain->has_cost_ns)
        g_string_append_printf(inputs, "To scan a page costs %" PRIu64 " ns, as measured.\n",
                               explain->cost_ns);
    if (explain->has_gained_pages)
        g_string_append_printf(inputs, "%s was merged since the last burst began.\n", gained);
    if (inputs->len > 0)
        g_string_append_printf(out, "\n%s", inputs->str);
}

static const char *
latency_word(const Virtksm__V1__DomainExplanation *domain)
{
    if (!domain->has_latency_critical)
        return NULL;
    return domain->latency_critical ? "critical" : "normal";
}

static void
append_domains(GString *out, const Virtksm__V1__ExplainResponse *explain)
{
    static const TableColumn columns[] = {
        { "DOMAIN", TABLE_LEFT, 0 },         { "MERGEABLE", TABLE_RIGHT, 0 },
        { "TO BE SCANNED", TABLE_RIGHT, 0 }, { "WEIGHT", TABLE_RIGHT, 0 },
        { "LATENCY", TABLE_LEFT, 0 },        { "MERGE", TABLE_LEFT, 0 },
        { "REASON", TABLE_LEFT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

    for (size_t i = 0; i < explain->n_domains; i++) {
        const Virtksm__V1__DomainExplanation *domain = explain->domains[i];

        table_text(table, domain->name);
        table_bytes(table, domain->has_mergeable_pages, bytes_of(domain->mergeable_pages));
        table_bytes(table, domain->has_debt_pages, bytes_of(domain->debt_pages));
        table_count(table, domain->has_weight, domain->weight);
        table_text(table, latency_word(domain));
        table_text(table, domain->merge);
        table_text(table, domain->reason);
    }
    g_string_append_c(out, '\n');
    table_append_to(table, out);
}

/* What was decided before this. */
static void
append_earlier(GString *out, const Virtksm__V1__ExplainResponse *explain)
{
    static const TableColumn columns[] = {
        { "BEFORE THIS", TABLE_RIGHT, 0 }, { "TIMES", TABLE_RIGHT, 0 },
        { "PHASE", TABLE_LEFT, 0 },        { "YET TO BE SCANNED", TABLE_RIGHT, 0 },
        { "GAINED", TABLE_RIGHT, 0 },      { "APPLIED", TABLE_LEFT, 0 },
        { "WHY", TABLE_LEFT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

    for (size_t i = 1; i < explain->n_decisions; i++) {
        const Virtksm__V1__Decision *decision = explain->decisions[i];

        table_duration(table, decision->has_first_ms, decision->first_ms);
        table_count(table, decision->has_decisions, decision->decisions);
        table_text(table, decision->phase);
        table_bytes(table, decision->has_debt_pages, bytes_of(decision->debt_pages));
        table_bytes(table, decision->has_gained_pages, bytes_of(decision->gained_pages));
        table_text(table, decision->applied);
        table_text(table, decision->reason);
    }
    if (explain->n_decisions < 2)
        return;
    g_string_append_c(out, '\n');
    table_append_to(table, out);
}

static void
append_table(const Cli *cli, const ProtobufCMessage *message, GString *out)
{
    const Virtksm__V1__ExplainResponse *explain = (const Virtksm__V1__ExplainResponse *)message;

    append_decision(out, explain);
    append_inputs(out, explain);
    append_domains(out, explain);
    tenancy_append_domains(out, explain);
    if (!cli->argument)
        memory_append_domains(out, explain);
    for (size_t i = 0; cli->argument && i < explain->n_domains; i++)
        memory_append_domain(out, explain->domains[i]);
    append_earlier(out, explain);
}

static void
append_csv(const ProtobufCMessage *message, GString *out)
{
    static const char *const titles[] = { "kind", NULL };
    static const char *const host_lead[] = { "host", NULL };
    static const char *const domain_lead[] = { "domain", NULL };
    const Virtksm__V1__ExplainResponse *explain = (const Virtksm__V1__ExplainResponse *)message;
    Virtksm__V1__DomainExplanation host = VIRTKSM__V1__DOMAIN_EXPLANATION__INIT;

    host.reason = explain->reason;
    host.has_debt_pages = explain->has_debt_pages;
    host.debt_pages = explain->debt_pages;
    csv_append_header(out, titles, &virtksm__v1__domain_explanation__descriptor);
    csv_append_row(out, host_lead, &host.base);
    for (size_t i = 0; i < explain->n_domains; i++)
        csv_append_row(out, domain_lead, &explain->domains[i]->base);
}

bool
explain_run(const Cli *cli, GError **error)
{
    static const ResultPrinter printer = { append_table, append_csv };
    Virtksm__V1__ExplainRequest request = VIRTKSM__V1__EXPLAIN_REQUEST__INIT;
    g_autoptr(ProtobufCMessage) response = NULL;

    request.domain = cli->argument;
    response = call_unary(cli, &explain_method, &request.base, error);
    return response && result_print(cli, response, &printer, error);
}
