/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spans.c - a piecewise constant function, kept as the sorted list of its pieces */
#include "test/sim/spans.h"

#include <stdlib.h>
#include <string.h>

void
spans_done(Spans *spans)
{
    uint64_t most = spans->most;

    free(spans->at);
    *spans = (Spans){ .most = most };
}

/* First piece that ends behind @content. */
static size_t
index_of(const Spans *spans, uint64_t content)
{
    size_t low = 0;
    size_t high = spans->n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (spans->at[middle].to > content)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void
insert(Spans *spans, size_t i, Span span)
{
    if (spans->n == spans->room) {
        spans->room = spans->room * 2 + 8;
        spans->at = realloc(spans->at, spans->room * sizeof(Span));
        if (!spans->at)
            abort();
    }
    memmove(&spans->at[i + 1], &spans->at[i], (spans->n - i) * sizeof(Span));
    spans->at[i] = span;
    spans->n++;
}

/* Let a piece begin at @content, if it is inside of one. */
static void
cut(Spans *spans, uint64_t content)
{
    size_t i = index_of(spans, content);
    Span span;

    if (i == spans->n || spans->at[i].from >= content)
        return;
    span = (Span){ spans->at[i].from, content, spans->at[i].copies };
    spans->at[i].from = content;
    insert(spans, i, span);
}

/* Let there be a piece, if only of nothing, for all of [from, to). */
static void
fill_gaps(Spans *spans, uint64_t from, uint64_t to)
{
    for (size_t i = index_of(spans, from); from < to; i++) {
        uint64_t next = i < spans->n && spans->at[i].from < to ? spans->at[i].from : to;

        if (next > from)
            insert(spans, i, (Span){ from, next, 0 });
        from = spans->at[i].to;
    }
}

static uint64_t
nodes_of(const Spans *spans, const Span *span)
{
    uint64_t each = spans->most > 0 ? (span->copies + spans->most - 1) / spans->most
                                    : (span->copies > 0 ? 1 : 0);

    return each * (span->to - span->from);
}

static void
change(Spans *spans, Span *span, int64_t delta)
{
    uint64_t less = delta < 0 ? (uint64_t)-delta : 0;

    spans->copies -= span->copies * (span->to - span->from);
    spans->nodes -= nodes_of(spans, span);
    if (delta < 0)
        span->copies -= span->copies < less ? span->copies : less;
    else
        span->copies += (uint64_t)delta;
    spans->copies += span->copies * (span->to - span->from);
    spans->nodes += nodes_of(spans, span);
}

/* Drop what is nothing, and join neighbours that are alike. */
static void
tidy(Spans *spans)
{
    size_t kept = 0;

    for (size_t i = 0; i < spans->n; i++) {
        Span span = spans->at[i];
        Span *last = kept > 0 ? &spans->at[kept - 1] : NULL;

        if (span.copies == 0)
            continue;
        if (last && last->to == span.from && last->copies == span.copies)
            last->to = span.to;
        else
            spans->at[kept++] = span;
    }
    spans->n = kept;
}

void
spans_add(Spans *spans, uint64_t from, uint64_t to, int64_t delta)
{
    if (from >= to || delta == 0)
        return;
    cut(spans, from);
    cut(spans, to);
    fill_gaps(spans, from, to);
    for (size_t i = index_of(spans, from); i < spans->n && spans->at[i].from < to; i++)
        change(spans, &spans->at[i], delta);
    tidy(spans);
}

uint64_t
spans_find(const Spans *spans, uint64_t content, uint64_t *ret_to)
{
    size_t i = index_of(spans, content);

    if (i == spans->n) {
        *ret_to = UINT64_MAX;
        return 0;
    }
    if (spans->at[i].from > content) {
        *ret_to = spans->at[i].from;
        return 0;
    }
    *ret_to = spans->at[i].to;
    return spans->at[i].copies;
}
