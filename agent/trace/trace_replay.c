/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trace_replay.c - replaying a trace: decide again */
#include "agent/trace/trace_replay.h"
#include "agent/trace/trace_field.h"

struct TraceReplay {
    bool begun;         /* there was a decision */
    PolicyState state;  /* its tracks are lined up before each decision */
    GHashTable *tracks; /* owned; key -> DomainTrack (owned) */
    GArray *lined_up;   /* owned; of DomainTrack */
    GArray *plans;      /* owned; of DomainPlan */
    Plan plan;          /* its domains are in plans */
};

TraceReplay *
trace_replay_new(void)
{
    TraceReplay *replay = g_new0(TraceReplay, 1);

    policy_init(&replay->state);
    replay->tracks = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    replay->lined_up = g_array_new(FALSE, TRUE, sizeof(DomainTrack));
    replay->plans = g_array_new(FALSE, TRUE, sizeof(DomainPlan));
    return replay;
}

void
trace_replay_free(TraceReplay *replay)
{
    if (!replay)
        return;
    g_hash_table_unref(replay->tracks);
    g_array_unref(replay->lined_up);
    g_array_unref(replay->plans);
    g_free(replay);
}

/* The tracks of this moment's domains, in its order. */
static void
line_up(TraceReplay *replay, const Sample *sample)
{
    static const DomainTrack none;

    g_array_set_size(replay->lined_up, 0);
    for (size_t i = 0; i < sample->n; i++) {
        const DomainTrack *track = g_hash_table_lookup(replay->tracks, &sample->domains[i].key);

        g_array_append_vals(replay->lined_up, track ? track : &none, 1);
    }
}

static void
put_away(TraceReplay *replay, const Sample *sample)
{
    g_hash_table_remove_all(replay->tracks);
    for (size_t i = 0; i < sample->n; i++)
        g_hash_table_insert(replay->tracks, g_memdup2(&sample->domains[i].key, sizeof(uint64_t)),
                            g_memdup2(&g_array_index(replay->lined_up, DomainTrack, i),
                                      sizeof(DomainTrack)));
}

const Plan *
trace_replay_decide(TraceReplay *replay, const PolicyConf *conf, const TraceMoment *moment)
{
    const Sample *sample = moment->sample;

    if (moment->state && (!conf || !replay->begun)) {
        replay->state = *moment->state;
        g_array_set_size(replay->lined_up, 0);
        g_array_append_vals(replay->lined_up, moment->state->domains, (guint)sample->n);
    } else {
        line_up(replay, sample);
    }
    g_array_set_size(replay->plans, (guint)sample->n);
    replay->begun = true;
    replay->state.domains = (DomainTrack *)(gpointer)replay->lined_up->data;
    replay->plan.domains = (DomainPlan *)(gpointer)replay->plans->data;
    policy_decide(conf ? conf : moment->conf, sample, &replay->state, &replay->plan);
    put_away(replay, sample);
    return &replay->plan;
}

static const char *
first_difference(TraceStruct which, const void *a, const void *b)
{
    const TraceTable *table = trace_table(which);

    for (size_t i = 0; i < table->n; i++)
        if (trace_get(&table->fields[i], a) != trace_get(&table->fields[i], b))
            return table->fields[i].name;
    return NULL;
}

const char *
trace_replay_difference(const Plan *a, const Plan *b, size_t n)
{
    const char *name = first_difference(TRACE_PLAN, a, b);

    for (size_t i = 0; i < n && !name; i++)
        name = first_difference(TRACE_DOMAIN_PLAN, &a->domains[i], &b->domains[i]);
    return name;
}
