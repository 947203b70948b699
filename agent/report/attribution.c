/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attribution.c - shares of what KSM saves: division by largest remainder, exact in whole pages
 *
 * The quota of a row is merging_pages * pages_sharing / (pages_shared + pages_sharing). Everybody
 * gets the whole part; the pages that are left over go, one each, to the largest fractions, ties
 * to the earlier row, so that the same figures give the same shares. The others take part as a
 * row of their own, which is what makes the sum exact.
 */
#include "agent/report/attribution.h"
#include "policy/arith.h"

#include <glib.h>

typedef struct {
    size_t row;        /* index; the number of rows for the others */
    uint64_t fraction; /* remainder of the division, below the host's merged pages */
} Remainder;

/* Give each row what it claims until nothing is left; the rest is the others'. */
static bool
cut_to_host(const AttributedHost *host, Attributed *rows, size_t n, Attributed *others)
{
    uint64_t merged = sat_add(host->pages_shared, host->pages_sharing);
    uint64_t zero = host->zero_pages;
    bool fits = true;

    for (size_t i = 0; i < n; i++) {
        fits = fits && rows[i].merging_pages <= merged && rows[i].zero_pages <= zero;
        rows[i].merging_pages = min_u64(rows[i].merging_pages, merged);
        rows[i].zero_pages = min_u64(rows[i].zero_pages, zero);
        merged -= rows[i].merging_pages;
        zero -= rows[i].zero_pages;
    }
    *others = (Attributed){ .merging_pages = merged, .zero_pages = zero };
    return fits;
}

static gint
compare_remainders(gconstpointer a, gconstpointer b)
{
    const Remainder *left = a;
    const Remainder *right = b;

    if (left->fraction != right->fraction)
        return left->fraction > right->fraction ? -1 : 1;
    return left->row < right->row ? -1 : left->row > right->row;
}

bool
attribute_savings(const AttributedHost *host, Attributed *rows, size_t n, Attributed *others)
{
    uint64_t merged = sat_add(host->pages_shared, host->pages_sharing);
    g_autoptr(GArray) order = g_array_new(FALSE, FALSE, sizeof(Remainder));
    bool fits = cut_to_host(host, rows, n, others);
    uint64_t left = host->pages_sharing;

    for (size_t i = 0; i <= n; i++) {
        Attributed *row = i < n ? &rows[i] : others;
        Remainder remainder = { i, 0 };

        if (merged > 0)
            row->share_pages =
                mul_div_rest(row->merging_pages, host->pages_sharing, merged, &remainder.fraction);
        left -= row->share_pages;
        g_array_append_val(order, remainder);
    }
    g_array_sort(order, compare_remainders);
    for (guint i = 0; i < order->len; i++) {
        size_t row = g_array_index(order, Remainder, i).row;
        Attributed *one = row < n ? &rows[row] : others;

        if (left > 0) {
            one->share_pages++;
            left--;
        }
        one->saved_pages = one->share_pages + one->zero_pages;
    }
    return fits;
}
