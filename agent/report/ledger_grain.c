/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ledger_grain.c - figures of single domains, no finer than readers are to know them */
#include "agent/report/ledger_grain.h"

/* Return: what is cut off. */
static uint64_t
cut(uint64_t *value, uint64_t grain)
{
    uint64_t rest = is_known(*value) ? *value % grain : 0;

    *value -= rest;
    return rest;
}

static void
coarsen_row(Ledger *ledger, LedgerRow *row, uint64_t grain_bytes)
{
    uint64_t grain_pages = grain_bytes / ledger->page_bytes;
    uint64_t merging_rest = cut(&row->merging_pages, grain_pages);
    uint64_t saved_rest = cut(&row->saved_pages, grain_pages);

    if (is_known(ledger->others_merging_pages))
        ledger->others_merging_pages += merging_rest;
    if (is_known(ledger->others_saved_pages))
        ledger->others_saved_pages += saved_rest;
    cut(&row->zero_pages, grain_pages);
    cut(&row->broken_pages, grain_pages);
    cut(&row->metadata_bytes, grain_bytes);
    cut(&row->unshare_bytes, grain_bytes);
    cut(&row->untouched_bytes, grain_bytes); /* the zero pages are what the others leave of it */
    cut(&row->guest_free_bytes, grain_bytes);
    row->profit_bytes = VALUE_UNKNOWN;
}

void
ledger_coarsen(Ledger *ledger, uint64_t grain_bytes)
{
    if (ledger->page_bytes == 0 || grain_bytes / ledger->page_bytes < 2)
        return;
    for (guint i = 0; i < ledger->rows->len; i++)
        coarsen_row(ledger, &g_array_index(ledger->rows, LedgerRow, i), grain_bytes);
}

uint64_t
ledger_coarse_need(uint64_t bytes, uint64_t grain_bytes)
{
    uint64_t rest = grain_bytes > 0 ? bytes % grain_bytes : 0;

    return rest > 0 ? sat_add(bytes - rest, grain_bytes) : bytes;
}
