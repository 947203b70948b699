/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spans.h - how often each of many contents is there, where neighbours are mostly alike */
#ifndef TEST_SIM_SPANS_H
#define TEST_SIM_SPANS_H

#include <stddef.h>
#include <stdint.h>

/* Contents that all have the same number of copies. */
typedef struct {
    uint64_t from;   /* first content */
    uint64_t to;     /* behind the last */
    uint64_t copies; /* of each; never 0 */
} Span;

typedef struct {
    Span *at;        /* owned; in order, without overlap */
    size_t n;        /* of them */
    size_t room;     /* allocated */
    uint64_t most;   /* copies that one node may have; 0: any number */
    uint64_t copies; /* all of them */
    uint64_t nodes;  /* that are needed for them: of each content, as few as `most` allows */
} Spans;

/** spans_done() - forget everything; leaves @spans reusable */
void spans_done(Spans *spans);

/**
 * spans_add() - some contents get more copies, or fewer
 * @from:  first content
 * @to:    behind the last
 * @delta: copies of each; what would fall below none is none
 */
void spans_add(Spans *spans, uint64_t from, uint64_t to, int64_t delta);

/**
 * spans_find() - the contents from @content on that are alike
 * @content: where to look
 * @ret_to:  behind the last one that is like @content; UINT64_MAX: all that follow are
 *
 * Return: copies of each; 0: there are none.
 */
uint64_t spans_find(const Spans *spans, uint64_t content, uint64_t *ret_to);

#endif
