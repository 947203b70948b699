/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trace_hub.c - who records decisions: a list */
#include "agent/trace/trace_hub.h"

void
trace_hub_init(TraceHub *hub)
{
    *hub = (TraceHub){ .taps = g_ptr_array_new() };
    hub->tracks = g_array_new(FALSE, FALSE, sizeof(DomainTrack));
}

void
trace_hub_done(TraceHub *hub)
{
    g_clear_pointer(&hub->taps, g_ptr_array_unref);
    g_clear_pointer(&hub->tracks, g_array_unref);
}

void
trace_hub_add(TraceHub *hub, const TraceTap *tap)
{
    g_ptr_array_add(hub->taps, (gpointer)(gsize)tap);
}

void
trace_hub_remove(TraceHub *hub, const TraceTap *tap)
{
    g_ptr_array_remove(hub->taps, (gpointer)(gsize)tap);
}

void
trace_hub_before(TraceHub *hub, const Sample *sample, const PolicyState *state)
{
    hub->has_state = false;
    for (guint i = 0; i < hub->taps->len && !hub->has_state; i++) {
        const TraceTap *tap = g_ptr_array_index(hub->taps, i);

        hub->has_state = tap->wants_state(tap->user);
    }
    if (!hub->has_state)
        return;
    g_array_set_size(hub->tracks, 0);
    g_array_append_vals(hub->tracks, state->domains, (guint)sample->n);
    hub->before = *state;
    hub->before.domains = (DomainTrack *)(gpointer)hub->tracks->data;
}

void
trace_hub_after(TraceHub *hub, const PolicyConf *conf, const Sample *sample, const Plan *plan)
{
    TraceMoment moment = { 0, conf, sample, hub->has_state ? &hub->before : NULL, plan };

    for (guint i = 0; i < hub->taps->len; i++) {
        const TraceTap *tap = g_ptr_array_index(hub->taps, i);

        tap->decided(&moment, tap->user);
    }
}
