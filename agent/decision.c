/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* decision.c - rings of the last decisions that differ */
#include "agent/decision.h"

#include "policy/arith.h"

#include <assert.h>

static bool
is_alike(const Decision *a, const Decision *b)
{
    return a->mode == b->mode && a->plan.phase == b->plan.phase &&
           a->plan.reason == b->plan.reason && a->plan.knobs.run == b->plan.knobs.run &&
           a->applied == b->applied;
}

/* "Unchanged" after "done" is the same decision, carried out already. */
static bool
is_kept_up(const Decision *newest, const Decision *decision)
{
    Decision done = *decision;

    if (decision->applied == APPLY_UNCHANGED)
        done.applied = APPLY_DONE;
    return is_alike(newest, decision) || is_alike(newest, &done);
}

void
decision_note(DecisionRing *ring, const Decision *decision)
{
    Decision *newest = &ring->kept[(ring->count + DECISIONS_KEPT - 1) % DECISIONS_KEPT];

    if (ring->count == 0 || !is_kept_up(newest, decision)) {
        newest = &ring->kept[ring->count % DECISIONS_KEPT];
        *newest = *decision;
        newest->count = 0;
        ring->count++;
    }
    newest->last_us = decision->first_us;
    newest->count++;
}

const Decision *
decision_at(const DecisionRing *ring, size_t index)
{
    if (index >= min_u64(ring->count, DECISIONS_KEPT))
        return NULL;
    return &ring->kept[(ring->count - 1 - index) % DECISIONS_KEPT];
}

static const char *const reclaim_names[] = {
    [RECLAIM_BALLOON] = "balloon",
    [RECLAIM_HIGH] = "memory.high",
};
static_assert(sizeof(reclaim_names) / sizeof(reclaim_names[0]) == RECLAIM_COUNT,
              "reclaim_names[] and ReclaimKind differ");

const char *
decision_reclaim_name(ReclaimKind kind)
{
    return reclaim_names[kind];
}

static void
note_reclaim(ReclaimRing *ring, ReclaimKind kind, const ReclaimDecision *decision)
{
    size_t *count = &ring->count[kind];
    ReclaimDecision *newest =
        &ring->kept[kind][(*count + RECLAIM_DECISIONS_KEPT - 1) % RECLAIM_DECISIONS_KEPT];

    if (decision->reason == REASON_NONE)
        return;
    if (*count == 0 || newest->reason != decision->reason || newest->apply != decision->apply) {
        newest = &ring->kept[kind][*count % RECLAIM_DECISIONS_KEPT];
        *newest = *decision;
        newest->reclaim_bytes = 0;
        (*count)++;
    }
    if (!is_known(newest->before_bytes))
        newest->before_bytes = decision->before_bytes;
    newest->last_us = decision->first_us;
    newest->count++;
    newest->wanted_bytes = decision->wanted_bytes;
    newest->reclaim_bytes = sat_add(newest->reclaim_bytes, decision->reclaim_bytes);
}

void
decision_note_reclaim(ReclaimRing *ring, const DomainSample *before, const DomainPlan *plan,
                      uint64_t now_us)
{
    const ReclaimDecision balloon = { .first_us = now_us,
                                      .reason = plan->balloon_reason,
                                      .apply = plan->balloon_apply,
                                      .before_bytes = before->balloon_bytes,
                                      .wanted_bytes = plan->balloon_bytes };
    const ReclaimDecision high = { .first_us = now_us,
                                   .reason = plan->high_reason,
                                   .apply = plan->high_apply,
                                   .before_bytes = before->limit_bytes,
                                   .wanted_bytes = plan->limit_bytes,
                                   .reclaim_bytes = plan->reclaim_bytes };

    note_reclaim(ring, RECLAIM_BALLOON, &balloon);
    note_reclaim(ring, RECLAIM_HIGH, &high);
}

const ReclaimDecision *
decision_reclaim_at(const ReclaimRing *ring, ReclaimKind kind, size_t index)
{
    size_t count = ring->count[kind];

    if (index >= min_u64(count, RECLAIM_DECISIONS_KEPT))
        return NULL;
    return &ring->kept[kind][(count - 1 - index) % RECLAIM_DECISIONS_KEPT];
}
