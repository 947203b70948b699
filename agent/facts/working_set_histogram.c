/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_histogram.c - bytes by the time since they were last used
 *
 * Why a window is as good as an age: bytes whose age is below T are those that were used within
 * the last T. Where a page cannot be told from its neighbour, the length of the window since the
 * marks were taken off is all that can be chosen, and a series of windows is the same histogram.
 */
#include "agent/facts/working_set_histogram.h"

#include "policy/arith.h"

#define EDGE_MAX_S UINT64_C(604800)

bool
working_set_edges_parse(const char *text, WorkingSetEdges *ret_edges)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    WorkingSetEdges edges = { 0 };

    for (size_t i = 0; words[i]; i++) {
        guint64 seconds;

        if (edges.n == WORKING_SET_EDGES_MAX ||
            !g_ascii_string_to_unsigned(g_strstrip(words[i]), 10, 1, EDGE_MAX_S, &seconds, NULL))
            return false;
        if (edges.n > 0 && seconds * US_PER_S <= edges.age_us[edges.n - 1])
            return false;
        edges.age_us[edges.n++] = seconds * US_PER_S;
    }
    if (edges.n == 0)
        return false;
    *ret_edges = edges;
    return true;
}

static void
add(WorkingSetBytes *sum, const WorkingSetBytes *more)
{
    for (size_t k = 0; k < WORKING_SET_KIND_COUNT; k++)
        sum->bytes[k] = sat_add(sum->bytes[k], more->bytes[k]);
}

WorkingSetBytes
working_set_take(WorkingSetBytes *bytes, uint64_t part, uint64_t whole)
{
    WorkingSetBytes share;

    for (size_t k = 0; k < WORKING_SET_KIND_COUNT; k++) {
        share.bytes[k] = mul_div(bytes->bytes[k], part, whole);
        bytes->bytes[k] -= share.bytes[k];
    }
    return share;
}

void
working_set_spread(const WorkingSetEdges *edges, uint64_t from_us, uint64_t to_us,
                   WorkingSetBytes bytes, WorkingSetBytes *bins)
{
    uint32_t i = 0;

    if (to_us == WORKING_SET_OLDEST)
        i = edges->n;
    while (i < edges->n && edges->age_us[i] <= from_us)
        i++;
    for (; i < edges->n && edges->age_us[i] < to_us; i++) {
        WorkingSetBytes share =
            working_set_take(&bytes, edges->age_us[i] - from_us, to_us - from_us);

        add(&bins[i], &share);
        from_us = edges->age_us[i];
    }
    add(&bins[i], &bytes);
}

/* The edge that a window is nearest to, by ratio. */
static uint32_t
nearest(const WorkingSetEdges *edges, uint64_t window_us)
{
    uint32_t i = 0;

    while (i + 1 < edges->n && window_us > edges->age_us[i] &&
           mul_div(window_us, window_us, edges->age_us[i]) >= edges->age_us[i + 1])
        i++;
    return i;
}

void
working_set_curve_put(WorkingSetCurve *curve, const WorkingSetEdges *edges, uint64_t window_us,
                      WorkingSetBytes used)
{
    curve->points[nearest(edges, window_us)] = (WorkingSetPoint){ window_us, used };
}

uint64_t
working_set_curve_bins(const WorkingSetCurve *curve, const WorkingSetEdges *edges,
                       WorkingSetBytes total, WorkingSetBytes *ret_bins)
{
    WorkingSetBytes below = { 0 };
    uint64_t reached_us = 0;

    for (uint32_t i = 0; i <= edges->n; i++)
        ret_bins[i] = (WorkingSetBytes){ 0 };
    for (uint32_t i = 0; i < edges->n; i++) {
        const WorkingSetPoint *point = &curve->points[i];
        WorkingSetBytes more;

        if (point->window_us <= reached_us)
            continue;
        for (size_t k = 0; k < WORKING_SET_KIND_COUNT; k++) {
            uint64_t used = min_u64(point->used.bytes[k], total.bytes[k]);

            more.bytes[k] = sat_sub(used, below.bytes[k]);
            below.bytes[k] += more.bytes[k];
        }
        working_set_spread(edges, reached_us, point->window_us, more, ret_bins);
        reached_us = point->window_us;
    }
    for (size_t k = 0; k < WORKING_SET_KIND_COUNT; k++)
        ret_bins[edges->n].bytes[k] += total.bytes[k] - min_u64(below.bytes[k], total.bytes[k]);
    return reached_us;
}

uint64_t
working_set_younger(const WorkingSetEdges *edges, const WorkingSetBytes *bins, uint64_t age_us)
{
    uint64_t sum = 0;
    uint64_t from_us = 0;

    for (uint32_t i = 0; i < edges->n && from_us < age_us; i++) {
        uint64_t to_us = edges->age_us[i];
        uint64_t bytes = sat_add(bins[i].bytes[WORKING_SET_ANON], bins[i].bytes[WORKING_SET_FILE]);

        if (to_us > age_us)
            bytes = mul_div(bytes, age_us - from_us, to_us - from_us);
        sum = sat_add(sum, bytes);
        from_us = to_us;
    }
    return sum;
}
