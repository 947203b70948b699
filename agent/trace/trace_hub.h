/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace_hub.h - between those who decide and those who record
 *
 * Costs nothing while nobody records. What policy remembers is copied before a decision only if a
 * reader is about to get a complete message.
 */
#ifndef AGENT_TRACE_TRACE_HUB_H
#define AGENT_TRACE_TRACE_HUB_H

#include "agent/trace/trace.h"

#include <glib.h>

/* One who records. */
typedef struct {
    bool (*wants_state)(gpointer user);                        /* for the next decision */
    void (*decided)(const TraceMoment *moment, gpointer user); /* must keep nothing of it */
    gpointer user;                                             /* borrowed */
} TraceTap;

typedef struct {
    GPtrArray *taps;    /* owned; of const TraceTap (borrowed) */
    bool has_state;     /* the two below hold what was before the decision */
    PolicyState before; /* without its tracks */
    GArray *tracks;     /* owned; of DomainTrack */
} TraceHub;

/** trace_hub_init() - nobody records yet; trace_hub_done() it */
void trace_hub_init(TraceHub *hub);

/** trace_hub_done() - lets go of all; those who recorded have gone before */
void trace_hub_done(TraceHub *hub);

/** trace_hub_add() - @tap gets every decision from now on, until trace_hub_remove() */
void trace_hub_add(TraceHub *hub, const TraceTap *tap);

/** trace_hub_remove() - @tap gets no more */
void trace_hub_remove(TraceHub *hub, const TraceTap *tap);

/** trace_hub_before() - a decision is about to be made, with what @state remembers */
void trace_hub_before(TraceHub *hub, const Sample *sample, const PolicyState *state);

/**
 * trace_hub_after() - it was made; not before trace_hub_before()
 *
 * Encodes the decision for those who record: call it when what was decided is in force.
 */
void trace_hub_after(TraceHub *hub, const PolicyConf *conf, const Sample *sample, const Plan *plan);

#endif
