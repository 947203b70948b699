/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace.h - one decision, as it is recorded and replayed
 *
 * The format of a trace is described in proto/trace.proto.
 */
#ifndef AGENT_TRACE_TRACE_H
#define AGENT_TRACE_TRACE_H

#include "policy/policy.h"

/* What a file begins with. */
#define TRACE_MAGIC "virtksm trace\n"
/* Of the format. */
#define TRACE_VERSION 1
/* A message of more bytes is refused: 100,000 domains take less. */
#define TRACE_MESSAGE_MAX ((size_t)16 * 1024 * 1024)
/* Bytes of a message's length, in front of it. */
#define TRACE_LENGTH_BYTES 4

/* One decision: what went in, and what came out. All arrays are as long as sample->n. */
typedef struct {
    uint64_t lost;            /* decisions before it that are not in the trace */
    const PolicyConf *conf;   /* settings in force */
    const Sample *sample;     /* the facts */
    const PolicyState *state; /* before the decision, with its tracks; NULL: as the last left it */
    const Plan *plan;         /* the outcome */
} TraceMoment;

#endif
