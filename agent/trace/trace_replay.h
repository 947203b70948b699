/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace_replay.h - the policy library on recorded facts
 *
 * What is remembered from decision to decision goes with each domain, as in the daemon.
 */
#ifndef AGENT_TRACE_TRACE_REPLAY_H
#define AGENT_TRACE_TRACE_REPLAY_H

#include "agent/trace/trace.h"

#include <glib.h>

typedef struct TraceReplay TraceReplay;

/** trace_replay_new() - before the first decision; end with trace_replay_free() */
TraceReplay *trace_replay_new(void);

/** trace_replay_free() - accepts NULL */
void trace_replay_free(TraceReplay *replay);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TraceReplay, trace_replay_free)

/**
 * trace_replay_decide() - what policy makes of the recorded facts
 * @conf:   settings; NULL: those that were recorded
 * @moment: the next of a trace; its recorded state replaces what is remembered if @conf is NULL,
 *          and at the very first decision
 *
 * Return: the replay's, until the next call; its domains are in the order of the moment's.
 */
const Plan *trace_replay_decide(TraceReplay *replay, const PolicyConf *conf,
                                const TraceMoment *moment);

/**
 * trace_replay_difference() - what two plans of one moment do not have in common
 * @n: domains of both
 *
 * Return: static name of a value; NULL: nothing.
 */
const char *trace_replay_difference(const Plan *a, const Plan *b, size_t n);

#endif
