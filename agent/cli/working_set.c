/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set.c - "virtksm working-set": how much memory each domain has used lately
 *
 * Bars are drawn in ASCII, which any terminal and any log can show.
 */
#include "agent/cli/working_set.h"

#include "agent/cli/call.h"
#include "agent/cli/command.h"
#include "agent/cli/csv.h"
#include "agent/cli/result.h"
#include "agent/cli/table.h"
#include "agent/cli/text.h"

#include <inttypes.h>

typedef Virtksm__V1__WorkingSet WorkingSet;

/* Columns of a bar: among others, and in the view of one domain. */
#define SMALL_BAR 20
#define LARGE_BAR 40

static const CallMethod working_set_method = { "/virtksm.v1.Agent/WorkingSet",
                                               &virtksm__v1__working_set_response__descriptor,
                                               true };

/* Of a bar of @width columns the share of @part in @whole; the caller frees it. What there is
 * shows, however little it is. */
static char *
bar_text(uint64_t part, uint64_t whole, size_t width)
{
    double share = whole > 0 ? MIN((double)part / (double)whole, 1) : 0;
    size_t filled = (size_t)(share * (double)width + 0.5);
    GString *text = g_string_sized_new(width);

    if (filled == 0 && part > 0)
        filled = 1;
    for (size_t i = 0; i < filled; i++)
        g_string_append_c(text, '#');
    for (size_t i = filled; i < width; i++)
        g_string_append_c(text, '.');
    return g_string_free(text, FALSE);
}

static char *
percent_of(const WorkingSet *set)
{
    return set->has_confidence_bp
               ? g_strdup_printf("%s%" PRIu64 " %%", set->confidence_is_estimate ? "~ " : "",
                                 set->confidence_bp / 100)
               : NULL;
}

char *
working_set_size_text(const WorkingSet *set)
{
    g_autofree char *size = set->has_working_set_bytes ? text_bytes(set->working_set_bytes) : NULL;

    return size ? g_strconcat(set->is_short ? ">= " : "", size, NULL) : NULL;
}

char *
working_set_bar_text(const WorkingSet *set)
{
    if (!set->has_working_set_bytes || !set->has_resident_bytes)
        return NULL;
    return bar_text(set->working_set_bytes, set->resident_bytes, SMALL_BAR);
}

static void
append_domains(GString *out, const Virtksm__V1__WorkingSetResponse *response)
{
    static const TableColumn columns[] = {
        { "DOMAIN", TABLE_LEFT, 0 },    { "STATE", TABLE_LEFT, 0 },
        { "BACKEND", TABLE_LEFT, 0 },   { "SURE", TABLE_RIGHT, 0 },
        { "AGE", TABLE_RIGHT, 0 },      { "WORKING SET", TABLE_RIGHT, 0 },
        { "COLD", TABLE_RIGHT, 0 },     { "OF WHAT IS RESIDENT", TABLE_LEFT, 0 },
        { "RESIDENT", TABLE_RIGHT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

    for (size_t i = 0; i < response->n_domains; i++) {
        const WorkingSet *set = response->domains[i];
        g_autofree char *sure = percent_of(set);
        g_autofree char *size = working_set_size_text(set);
        g_autofree char *bar = working_set_bar_text(set);

        table_text(table, set->name);
        table_text(table, set->state);
        table_text(table, set->backend);
        table_text(table, sure);
        table_duration(table, set->has_age_ms, set->age_ms);
        table_text(table, size);
        table_bytes(table, set->has_cold_bytes, set->cold_bytes);
        table_text(table, bar);
        table_bytes(table, set->has_resident_bytes, set->resident_bytes);
    }
    table_append_to(table, out);
}

static void
append_note(GString *out, const Virtksm__V1__WorkingSetResponse *response)
{
    g_autofree char *age = text_duration(response->age_s * 1000);
    g_autofree char *spent = text_duration(response->cpu_us / 1000);
    g_autofree char *budget = text_percent(response->budget_bp, 10000);

    if (response->has_enabled && !response->enabled)
        g_string_append(out, "\nNothing is measured: [working_set] enable is false, or the mode "
                             "is off.\n");
    else
        g_string_append_printf(out,
                               "\nThe working set was used within %s. Measuring has taken %s of "
                               "CPU time, and may take %s of one CPU.\n",
                               age, spent, budget);
}

static char *
bin_text(uint64_t from_s, const Virtksm__V1__WorkingSetBin *bin)
{
    g_autofree char *from = text_duration(from_s * 1000);
    g_autofree char *to = bin->has_to_s ? text_duration(bin->to_s * 1000) : NULL;

    if (!to)
        return g_strdup_printf("%s and more", from);
    return from_s == 0 ? g_strdup_printf("below %s", to) : g_strdup_printf("%s to %s", from, to);
}

static uint64_t
bin_bytes(const Virtksm__V1__WorkingSetBin *bin)
{
    return bin->anon_bytes + bin->file_bytes;
}

/* Bins that are not told apart are in the last one, which begins where they do. */
static void
append_node(Table *table, const Virtksm__V1__WorkingSetNode *node, uint64_t resident_bytes)
{
    g_autofree char *name = node->has_node ? g_strdup_printf("%" PRId32, node->node) : NULL;
    uint64_t from_s = 0;

    for (size_t i = 0; i < node->n_bins; i++) {
        const Virtksm__V1__WorkingSetBin *bin = node->bins[i];
        g_autofree char *age = bin_text(from_s, bin);
        g_autofree char *bar = bar_text(bin_bytes(bin), resident_bytes, LARGE_BAR);

        if (!bin->has_anon_bytes && bin->has_to_s)
            continue;
        from_s = bin->to_s;
        table_text(table, name);
        table_text(table, age);
        table_bytes(table, bin->has_anon_bytes, bin->anon_bytes);
        table_bytes(table, bin->has_file_bytes, bin->file_bytes);
        table_text(table, bar);
    }
}

static void
append_histogram(GString *out, const WorkingSet *set)
{
    static const TableColumn columns[] = {
        { "NODE", TABLE_LEFT, 0 },  { "LAST USED", TABLE_LEFT, 0 }, { "ANONYMOUS", TABLE_RIGHT, 0 },
        { "FILE", TABLE_RIGHT, 0 }, { "SHARE", TABLE_LEFT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

    if (set->n_nodes == 0)
        return;
    for (size_t i = 0; i < set->n_nodes; i++)
        append_node(table, set->nodes[i], set->resident_bytes);
    g_string_append_c(out, '\n');
    table_append_to(table, out);
}

static void
append_part(GString *out, const char *words, bool known, uint64_t bytes)
{
    g_autofree char *text = known ? text_bytes(bytes) : g_strdup(TEXT_UNKNOWN);

    g_string_append_printf(out, "%s %s", words, text);
}

static void
append_bytes(GString *out, const char *key, bool known, uint64_t bytes)
{
    g_autofree char *text = known ? text_bytes(bytes) : NULL;

    text_append_line(out, key, text);
}

static void
append_guest(GString *out, const WorkingSet *set)
{
    const Virtksm__V1__WorkingSetGuest *guest = set->guest;
    g_autoptr(GString) text = g_string_new(NULL);

    if (set->is_short)
        text_append_line(out, "short",
                         "its guest swaps, or reads back what it had to drop: it needs more than "
                         "it has");
    if (!guest)
        return;
    append_part(text, "has", guest->has_total_bytes, guest->total_bytes);
    append_part(text, ", usable", guest->has_usable_bytes, guest->usable_bytes);
    append_part(text, ", unused", guest->has_unused_bytes, guest->unused_bytes);
    append_part(text, ", disk caches", guest->has_disk_caches_bytes, guest->disk_caches_bytes);
    if (guest->has_age_ms) {
        g_autofree char *age = text_duration(guest->age_ms);

        g_string_append_printf(text, ", as it said %s ago", age);
    }
    text_append_line(out, "guest", text->str);
}

static void
append_domain(GString *out, const WorkingSet *set)
{
    g_autofree char *percent = percent_of(set);
    g_autofree char *sure =
        percent ? g_strconcat(percent, set->confidence_is_estimate ? ", an estimate" : ", measured",
                              NULL)
                : NULL;
    g_autofree char *size = working_set_size_text(set);
    g_autofree char *age = set->has_age_ms ? text_duration(set->age_ms) : NULL;
    g_autofree char *when = age ? g_strdup_printf("%s ago", age) : NULL;
    g_autofree char *cost =
        set->has_cpu_us ? g_strdup_printf("%.1f ms of CPU time", (double)set->cpu_us / 1000) : NULL;

    text_append_line(out, "domain", set->name);
    text_append_line(out, "state", set->state);
    text_append_line(out, "backend", set->backend);
    if (set->reason)
        text_append_line(out, "not used", set->reason);
    text_append_line(out, "sure", sure);
    text_append_line(out, "measured", when);
    text_append_line(out, "cost", cost);
    append_bytes(out, "resident", set->has_resident_bytes, set->resident_bytes);
    text_append_line(out, "working set", size);
    append_bytes(out, "cold", set->has_cold_bytes, set->cold_bytes);
    append_guest(out, set);
    append_histogram(out, set);
}

static void
append_table(const Cli *cli, const ProtobufCMessage *message, GString *out)
{
    const Virtksm__V1__WorkingSetResponse *response =
        (const Virtksm__V1__WorkingSetResponse *)message;

    if (!cli->argument)
        append_domains(out, response);
    for (size_t i = 0; cli->argument && i < response->n_domains; i++)
        append_domain(out, response->domains[i]);
    append_note(out, response);
}

/* A row for each bin of each node; one for a domain that has none. */
static void
append_csv_domain(GString *out, const WorkingSet *set)
{
    static const Virtksm__V1__WorkingSetBin no_bin = VIRTKSM__V1__WORKING_SET_BIN__INIT;
    g_autofree char *sure =
        set->has_confidence_bp ? g_strdup_printf("%" PRIu64, set->confidence_bp) : g_strdup("");
    g_autofree char *bytes = set->has_working_set_bytes
                                 ? g_strdup_printf("%" PRIu64, set->working_set_bytes)
                                 : g_strdup("");
    const char *lead[] = { set->name ? set->name : "",
                           set->uuid ? set->uuid : "",
                           set->state ? set->state : "",
                           set->backend ? set->backend : "",
                           sure,
                           bytes,
                           "",
                           NULL };

    if (set->n_nodes == 0)
        csv_append_row(out, lead, &no_bin.base);
    for (size_t i = 0; i < set->n_nodes; i++) {
        const Virtksm__V1__WorkingSetNode *node = set->nodes[i];
        g_autofree char *name =
            node->has_node ? g_strdup_printf("%" PRId32, node->node) : g_strdup("");

        lead[6] = name;
        for (size_t j = 0; j < node->n_bins; j++)
            csv_append_row(out, lead, &node->bins[j]->base);
    }
}

static void
append_csv(const ProtobufCMessage *message, GString *out)
{
    static const char *const titles[] = {
        "name", "uuid", "state", "backend", "confidence_bp", "working_set_bytes", "node", NULL
    };
    const Virtksm__V1__WorkingSetResponse *response =
        (const Virtksm__V1__WorkingSetResponse *)message;

    csv_append_header(out, titles, &virtksm__v1__working_set_bin__descriptor);
    for (size_t i = 0; i < response->n_domains; i++)
        append_csv_domain(out, response->domains[i]);
}

bool
working_set_run(const Cli *cli, GError **error)
{
    static const ResultPrinter printer = { append_table, append_csv };
    Virtksm__V1__WorkingSetRequest request = VIRTKSM__V1__WORKING_SET_REQUEST__INIT;
    g_autoptr(ProtobufCMessage) response = NULL;

    if (cli_option(cli, "follow"))
        return working_set_follow(cli, error);
    request.domain = cli->argument;
    response = call_unary(cli, &working_set_method, &request.base, error);
    return response && result_print(cli, response, &printer, error);
}
