/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trace_writer.h - decisions become messages of a trace */
#ifndef AGENT_TRACE_TRACE_WRITER_H
#define AGENT_TRACE_TRACE_WRITER_H

#include "agent/trace/trace.h"
#include "proto/trace.pb-c.h"

#include <glib.h>

typedef struct TraceWriter TraceWriter;

/** trace_writer_new() - at the beginning of a trace; end with trace_writer_free() */
TraceWriter *trace_writer_new(void);

/** trace_writer_free() - accepts NULL */
void trace_writer_free(TraceWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TraceWriter, trace_writer_free)

/** trace_writer_wants_state() - whether the next message has to be complete */
bool trace_writer_wants_state(const TraceWriter *writer);

/** trace_writer_lose() - the last message was not taken: the next one is complete */
void trace_writer_lose(TraceWriter *writer);

/**
 * trace_writer_message() - the message of a decision
 * @moment: with its state, if trace_writer_wants_state() said so
 *
 * Return: owned by the caller, for protobuf_c_message_free_unpacked().
 */
Virtksm__V1__TraceResponse *trace_writer_message(TraceWriter *writer, const TraceMoment *moment);

#endif
