/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace_reader.h - a trace becomes decisions again
 *
 * Takes any bytes: what it hands out is what policy_decide() may be called with.
 */
#ifndef AGENT_TRACE_TRACE_READER_H
#define AGENT_TRACE_TRACE_READER_H

#include "agent/trace/trace.h"

#include <glib.h>

typedef struct TraceReader TraceReader;

typedef enum {
    TRACE_MOMENT, /* there is one more */
    TRACE_END,    /* there is none */
    TRACE_CUT,    /* the trace ends in the middle of a message; those before it are good */
    TRACE_BAD,    /* not understood from here on */
} TraceResult;

/**
 * trace_reader_new() - at the beginning of a trace
 * @data:  the whole of it; borrowed until trace_reader_free()
 * @bytes: length of @data
 * @error: AGENT_ERROR_TRACE: it is no trace
 *
 * Return: owned by the caller; NULL with @error.
 */
TraceReader *trace_reader_new(const uint8_t *data, size_t bytes, GError **error);

/** trace_reader_free() - accepts NULL */
void trace_reader_free(TraceReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TraceReader, trace_reader_free)

/**
 * trace_reader_next() - the next decision
 * @ret_moment: written for TRACE_MOMENT; all it points to is the reader's, until the next call
 * @error:      for TRACE_CUT and TRACE_BAD, AGENT_ERROR_TRACE naming message, offset, the value
 *              and what was expected
 *
 * After anything but TRACE_MOMENT the reader is at its end.
 */
TraceResult trace_reader_next(TraceReader *reader, TraceMoment *ret_moment, GError **error);

/**
 * trace_reader_version() - the daemon that recorded what was read last
 *
 * Return: the reader's; NULL before the first decision.
 */
const char *trace_reader_version(const TraceReader *reader);

/**
 * trace_reader_missing() - a value of policy that was not recorded, though this program knows it
 *
 * Return: static name, as "host.steal_us"; NULL: all were.
 */
const char *trace_reader_missing(const TraceReader *reader);

#endif
