/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.c - reclaim in words: what is wanted, or would be in mode observe, and why
 */
#include "agent/cli/memory.h"
#include "agent/cli/table.h"
#include "agent/cli/text.h"

#include <inttypes.h>

typedef Virtksm__V1__DomainExplanation Domain;

static bool
is_observed(const char *mode)
{
    return g_strcmp0(mode, "observe") == 0;
}

static bool
is_off(const char *mode)
{
    return !mode || g_strcmp0(mode, "off") == 0;
}

static void
append_bound(GString *out, const Virtksm__V1__MemoryStatus *memory)
{
    g_autofree char *limit = text_bytes(memory->limit_bytes);
    g_autofree char *available =
        memory->has_available_bytes ? text_bytes(memory->available_bytes) : g_strdup(TEXT_UNKNOWN);
    g_autofree char *text = NULL;

    if (!memory->bounded_by)
        return;
    text = g_strdup_printf("%s by cgroup %s, available %s", limit, memory->bounded_by, available);
    text_append_line(out, "limited to", text);
}

void
memory_append_host(GString *out, const Virtksm__V1__MemoryStatus *memory)
{
    g_autofree char *level = NULL;
    g_autofree char *enabled = NULL;

    if (!memory)
        return;
    level = memory->level
                ? g_strdup_printf("%s: %s", memory->level, text_or_unknown(memory->reason))
                : NULL;
    enabled = g_strdup_printf("balloon %s, memory.high %s", text_or_unknown(memory->balloon),
                              text_or_unknown(memory->memory_high));
    text_append_line(out, "memory", level);
    append_bound(out, memory);
    if (memory->wanted_bytes > 0) {
        g_autofree char *wanted = text_bytes(memory->wanted_bytes);
        g_autofree char *cold = text_bytes(memory->reclaim_bytes);
        g_autofree char *balloons = text_bytes(memory->balloon_bytes);
        g_autofree char *all =
            g_strdup_printf("%s: cold memory %s, balloons %s", wanted, cold, balloons);

        text_append_line(out, "wanted back", all);
    }
    text_append_line(out, "reclaim", enabled);
}

/* "on, to be 512.0 MiB: why". */
static char *
balloon_text(const Domain *domain)
{
    g_autofree char *bytes = text_bytes(domain->balloon_target_bytes);
    g_autoptr(GString) text = g_string_new(text_or_unknown(domain->balloon_mode));

    if (domain->has_balloon_target_bytes)
        g_string_append_printf(text, ", %s %s",
                               is_observed(domain->balloon_mode) ? "would be" : "to be", bytes);
    if (domain->balloon_reason)
        g_string_append_printf(text, ": %s", domain->balloon_reason);
    return g_strdup(text->str);
}

/* "observe, would reclaim 4.0 MiB: why". */
static char *
high_text(const Domain *domain)
{
    g_autofree char *limit = text_bytes(domain->limit_bytes);
    g_autofree char *now = text_bytes(domain->reclaim_bytes);
    const char *would = is_observed(domain->high_mode) ? "would " : "";
    g_autoptr(GString) text = g_string_new(text_or_unknown(domain->high_mode));

    if (domain->has_limit_bytes)
        g_string_append_printf(text, ", %slimit to %s", would, limit);
    if (domain->reclaim_bytes > 0)
        g_string_append_printf(text, ", %sreclaim %s", would, now);
    if (domain->high_reason)
        g_string_append_printf(text, ": %s", domain->high_reason);
    return g_strdup(text->str);
}

static void
append_bounds(GString *out, const Domain *domain)
{
    g_autofree char *floor =
        domain->has_floor_bytes ? text_bytes(domain->floor_bytes) : g_strdup("as configured");
    g_autofree char *ceiling =
        domain->has_ceiling_bytes ? text_bytes(domain->ceiling_bytes) : g_strdup("its maximum");
    g_autofree char *shares =
        domain->has_shares ? g_strdup_printf("%" PRIu64, domain->shares) : g_strdup(TEXT_UNKNOWN);
    g_autofree char *text =
        g_strdup_printf("floor %s, ceiling %s, shares %s", floor, ceiling, shares);

    text_append_line(out, "bounds", text);
}

static void
append_decisions(GString *out, const Domain *domain)
{
    static const TableColumn columns[] = {
        { "SINCE", TABLE_RIGHT, 0 },  { "TIMES", TABLE_RIGHT, 0 },  { "DONE BY", TABLE_LEFT, 0 },
        { "BEFORE", TABLE_RIGHT, 0 }, { "WANTED", TABLE_RIGHT, 0 }, { "RECLAIM", TABLE_RIGHT, 0 },
        { "WRITTEN", TABLE_LEFT, 0 }, { "WHY", TABLE_LEFT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

    for (size_t i = 0; i < domain->n_reclaim; i++) {
        const Virtksm__V1__ReclaimDecision *decision = domain->reclaim[i];

        table_duration(table, decision->has_first_ms, decision->first_ms);
        table_count(table, decision->has_decisions, decision->decisions);
        table_text(table, decision->mechanism);
        table_bytes(table, decision->has_before_bytes, decision->before_bytes);
        table_bytes(table, decision->has_wanted_bytes, decision->wanted_bytes);
        table_bytes(table, decision->has_reclaim_bytes, decision->reclaim_bytes);
        table_text(table, decision->observed ? "no" : "yes");
        table_text(table, decision->reason);
    }
    if (domain->n_reclaim == 0)
        return;
    g_string_append_c(out, '\n');
    table_append_to(table, out);
}

void
memory_append_domain(GString *out, const Domain *domain)
{
    g_autofree char *need = domain->has_need_bytes ? text_bytes(domain->need_bytes) : NULL;
    g_autofree char *balloon = balloon_text(domain);
    g_autofree char *high = high_text(domain);

    if (!domain->balloon_mode && !domain->high_mode)
        return;
    g_string_append_c(out, '\n');
    text_append_line(out, "domain", domain->name);
    if (domain->group)
        text_append_line(out, "group", domain->group);
    text_append_line(out, "need", need);
    append_bounds(out, domain);
    text_append_line(out, "balloon", balloon);
    if (domain->balloon_bound)
        text_append_line(out, "bound", domain->balloon_bound);
    if (domain->balloon_change)
        text_append_line(out, "changed by", domain->balloon_change);
    text_append_line(out, "memory.high", high);
    if (domain->high_bound)
        text_append_line(out, "bound", domain->high_bound);
    if (domain->high_change)
        text_append_line(out, "changed by", domain->high_change);
    if (domain->fault)
        text_append_line(out, "mistake", domain->fault);
    append_decisions(out, domain);
}

static void
append_balloons(GString *out, const Virtksm__V1__ExplainResponse *explain)
{
    static const TableColumn columns[] = {
        { "DOMAIN", TABLE_LEFT, 0 },  { "NEED", TABLE_RIGHT, 0 },   { "FLOOR", TABLE_RIGHT, 0 },
        { "BALLOON", TABLE_LEFT, 0 }, { "TARGET", TABLE_RIGHT, 0 }, { "WHY", TABLE_LEFT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
    size_t managed = 0;

    for (size_t i = 0; i < explain->n_domains; i++) {
        const Domain *domain = explain->domains[i];

        managed += !is_off(domain->balloon_mode);
        table_text(table, domain->name);
        table_bytes(table, domain->has_need_bytes, domain->need_bytes);
        table_bytes(table, domain->has_floor_bytes, domain->floor_bytes);
        table_text(table, domain->balloon_mode);
        table_bytes(table, domain->has_balloon_target_bytes, domain->balloon_target_bytes);
        table_text(table, domain->balloon_reason);
    }
    if (managed == 0)
        return;
    g_string_append_c(out, '\n');
    table_append_to(table, out);
}

static void
append_limits(GString *out, const Virtksm__V1__ExplainResponse *explain)
{
    static const TableColumn columns[] = {
        { "DOMAIN", TABLE_LEFT, 0 }, { "MEMORY.HIGH", TABLE_LEFT, 0 },
        { "LIMIT", TABLE_RIGHT, 0 }, { "RECLAIM", TABLE_RIGHT, 0 },
        { "WHY", TABLE_LEFT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
    size_t managed = 0;

    for (size_t i = 0; i < explain->n_domains; i++) {
        const Domain *domain = explain->domains[i];

        managed += !is_off(domain->high_mode);
        table_text(table, domain->name);
        table_text(table, domain->high_mode);
        table_bytes(table, domain->has_limit_bytes, domain->limit_bytes);
        table_bytes(table, domain->has_reclaim_bytes, domain->reclaim_bytes);
        table_text(table, domain->high_reason);
    }
    if (managed == 0)
        return;
    g_string_append_c(out, '\n');
    table_append_to(table, out);
}

void
memory_append_domains(GString *out, const Virtksm__V1__ExplainResponse *explain)
{
    append_balloons(out, explain);
    append_limits(out, explain);
}
