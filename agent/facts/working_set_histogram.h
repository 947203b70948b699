/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_histogram.h - bytes by the time since they were last used
 *
 * Pure: no clock and no files. Every way of measuring ends here, in one of two forms. Either it
 * knows of some bytes that their age is between two moments, and spreads them over the bins; or it
 * has seen how many bytes were used within a window, which is a point of a curve that grows with
 * the window, and the bins are read off the curve.
 */
#ifndef AGENT_FACTS_WORKING_SET_HISTOGRAM_H
#define AGENT_FACTS_WORKING_SET_HISTOGRAM_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Bounds between bins, at most; there is one bin more: of all that is older. */
#define WORKING_SET_EDGES_MAX 15
#define WORKING_SET_BINS_MAX  (WORKING_SET_EDGES_MAX + 1)

/* An age that has no end. */
#define WORKING_SET_OLDEST UINT64_MAX

typedef enum {
    WORKING_SET_ANON, /* memory without a file, and shared memory: what guests are made of */
    WORKING_SET_FILE, /* pages of files */
    WORKING_SET_KIND_COUNT,
} WorkingSetKind;

/* Bounds between bins: bin i has the ages below edge i and not below edge i - 1. */
typedef struct {
    uint64_t age_us[WORKING_SET_EDGES_MAX]; /* ascending, above 0 */
    uint32_t n;                             /* at least 1 */
} WorkingSetEdges;

typedef struct {
    uint64_t bytes[WORKING_SET_KIND_COUNT]; /* by WorkingSetKind */
} WorkingSetBytes;

/* What was used within a window that ended at the measurement; 0 us: no such window was seen. */
typedef struct {
    uint64_t window_us;   /* length */
    WorkingSetBytes used; /* within it */
} WorkingSetPoint;

/* Use over windows. All zero: nothing was seen yet. */
typedef struct {
    WorkingSetPoint points[WORKING_SET_EDGES_MAX]; /* the last one seen near each edge */
} WorkingSetCurve;

/**
 * working_set_edges_parse() - bounds as they are written in the configuration
 * @text:      seconds, ascending, with commas between: "1,10,60"; at most WORKING_SET_EDGES_MAX
 * @ret_edges: written only on success
 *
 * Return: false if @text is anything else; each is 1 to 604800 (a week).
 */
bool working_set_edges_parse(const char *text, WorkingSetEdges *ret_edges);

/**
 * working_set_take() - take a share of some bytes away from them
 * @bytes: of each kind; what is left of them
 * @part:  the share is @part of @whole
 * @whole: above 0, and not below @part
 *
 * Who divides bytes takes the shares one after the other, and the last is all that is left: none
 * is lost by rounding.
 *
 * Return: the share.
 */
WorkingSetBytes working_set_take(WorkingSetBytes *bytes, uint64_t part, uint64_t whole);

/**
 * working_set_spread() - add bytes of which the age is known only roughly
 * @edges:   of @bins
 * @from_us: they are not younger than this
 * @to_us:   but younger than this; WORKING_SET_OLDEST: nobody knows, and the last bin has them
 * @bytes:   of each kind
 * @bins:    @edges->n + 1 of them, added to; no byte is lost by rounding
 *
 * Evenly over the ages between, as the kernel's working set reports do it.
 */
void working_set_spread(const WorkingSetEdges *edges, uint64_t from_us, uint64_t to_us,
                        WorkingSetBytes bytes, WorkingSetBytes *bins);

/**
 * working_set_curve_put() - a new point of a curve
 * @edges:     where points are kept; the point replaces the one near the same edge
 * @window_us: length of the window, above 0
 * @used:      what was used within it
 */
void working_set_curve_put(WorkingSetCurve *curve, const WorkingSetEdges *edges, uint64_t window_us,
                           WorkingSetBytes used);

/**
 * working_set_curve_bins() - bins as a curve has them
 * @curve:    points may be of different moments
 * @edges:    of @ret_bins
 * @total:    all that is resident now
 * @ret_bins: @edges->n + 1 of them
 *
 * A window that is longer uses no less: a point that says otherwise is older, and is lifted. None
 * uses more than there is. What no window has seen in use is in the last bin.
 *
 * Return: the longest window; ages beyond it are not told apart. 0: there is none.
 */
uint64_t working_set_curve_bins(const WorkingSetCurve *curve, const WorkingSetEdges *edges,
                                WorkingSetBytes total, WorkingSetBytes *ret_bins);

/**
 * working_set_younger() - bytes below an age
 * @edges:  of @bins
 * @bins:   @edges->n + 1 of them
 * @age_us: within a bin, its bytes count by share; within the last, none do
 *
 * Return: of both kinds.
 */
uint64_t working_set_younger(const WorkingSetEdges *edges, const WorkingSetBytes *bins,
                             uint64_t age_us);

#endif
