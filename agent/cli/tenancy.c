/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tenancy.c - who may share memory, in words */
#include "agent/cli/tenancy.h"
#include "agent/cli/table.h"
#include "agent/cli/text.h"

#include <inttypes.h>

void
tenancy_append_host(GString *out, const Virtksm__V1__TenancyStatus *tenancy)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *need = NULL;
    g_autofree char *headroom = NULL;

    if (!tenancy)
        return;
    g_string_append_printf(text, "rule %s, %s", text_or_unknown(tenancy->rule),
                           tenancy->enforced ? "enforced" : "not enforced");
    if (tenancy->not_enforced)
        g_string_append_printf(text, ": %s", tenancy->not_enforced);
    if (tenancy->group)
        g_string_append_printf(text, "; merged: %s", tenancy->group);
    text_append_line(out, "tenancy", text->str);
    if (!tenancy->paused)
        return;
    need = text_bytes(tenancy->need_bytes);
    headroom = text_bytes(tenancy->headroom_bytes);
    g_string_printf(text, "%" PRIu32 " domains not as wanted yet: %s (copies need %s of %s)",
                    tenancy->pending, text_or_unknown(tenancy->reason), need, headroom);
    text_append_line(out, "paused", text->str);
}

void
tenancy_append_domains(GString *out, const Virtksm__V1__ExplainResponse *explain)
{
    static const TableColumn columns[] = {
        { "DOMAIN", TABLE_LEFT, 0 },
        { "GROUP", TABLE_LEFT, 0 },
        { "MERGING", TABLE_LEFT, 0 },
        { "WHY", TABLE_LEFT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
    bool has_any = false;

    for (size_t i = 0; i < explain->n_domains; i++) {
        const Virtksm__V1__DomainExplanation *domain = explain->domains[i];

        table_text(table, domain->name);
        table_text(table, domain->group);
        table_text(table, domain->merging);
        table_text(table, domain->merge_reason);
        has_any = has_any || domain->merge_reason;
    }
    if (!has_any)
        return;
    g_string_append_c(out, '\n');
    table_append_to(table, out);
}
