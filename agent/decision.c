/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* decision.c - a ring of the last decisions that differ */
#include "agent/decision.h"

#include "policy/arith.h"

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
