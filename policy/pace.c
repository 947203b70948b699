/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pace.c - how fast a guest takes memory, and what it takes until its balloon has answered
 *
 * Memory that is given is there only when the guest has told, somebody has looked and the balloon
 * has moved, which takes a slow one many times as long. A guest that takes memory so fast that
 * nothing would be left by then is about to be short.
 *
 *     used  |                   ______ wants
 *           |                 /
 *           |           ____/  |<- tells, a tick, its balloon ->|
 *           |__________/
 *
 * A guest with swap of its own is slow meanwhile. One without has its programs killed, and when it
 * begins to grow it is too late for all but the memory that it has. So what it was seen to take,
 * twice in a row, is remembered, and so much as it would take at that pace, or at the one it has
 * now, is left to it in a crisis beyond what it uses; what it was seen to do it may do again, the
 * less likely the longer ago that was. Once it grows it is taken to go on at that pace: what it
 * tells first is of a second in which it had only begun.
 *
 * What an agent has learnt ends with it. Whoever is met by one that follows an agent that was
 * killed is taken to be fast, and found out not to be as what was seen is forgotten.
 *
 * No guest says whether it has swap. It is known of those that have used it.
 */
#include "policy/pace.h"
#include "policy/motion.h"
#include "policy/need.h"

/* From what a guest tells to memory that it can use: a tick of up to two seconds. */
#define ANSWER_US (2 * US_PER_S)
/* Who has been silent for longer, or tells so seldom, is not followed that far. */
#define LONGEST_US (MOTION_ANSWER_S * US_PER_S)
/* How fast the pace is forgotten. */
#define FORGET_US (600 * US_PER_S)
/* Part of its memory that a guest is taken to take in a second after an agent that may have known
 * how much that is; and the most that is taken for granted. */
#define PRESUMED_DIVISOR 12
#define PRESUMED_MOST    (UINT64_C(128) << 20)
/* Who grows at this part of its pace has begun to grow. */
#define BEGUN_DIVISOR 2

bool
pace_can_swap(const DomainSample *domain)
{
    return known_or(domain->guest_swap_out_bytes, 0) > 0 ||
           known_or(domain->guest_swap_in_bytes, 0) > 0;
}

void
pace_presume(const HostSample *host, const DomainSample *domain, DomainTrack *track)
{
    uint64_t bytes_s = known_or(domain->maximum_bytes, 0) / PRESUMED_DIVISOR;

    if (host->is_resumed)
        track->need.pace_bytes_s = min_u64(bytes_s, PRESUMED_MOST);
}

/* The lesser of two in a row: what was there before it was told of may all have come at once. */
static void
learn(uint64_t rate_bytes_s, uint64_t elapsed_us, NeedTrack *need)
{
    uint64_t seen_bytes_s = min_u64(rate_bytes_s, need->rate_bytes_s);

    if (seen_bytes_s < need->pace_bytes_s)
        seen_bytes_s = need->pace_bytes_s - mul_div(need->pace_bytes_s - seen_bytes_s,
                                                    min_u64(elapsed_us, FORGET_US), FORGET_US);
    need->pace_bytes_s = seen_bytes_s;
    need->rate_bytes_s = rate_bytes_s;
}

/* From what it told last, which is of a while ago, to the next time, and to memory that it has. */
static uint64_t
taken_bytes(const DomainSample *domain, const BalloonTrack *balloon, uint64_t rate_bytes_s,
            uint64_t period_us)
{
    uint64_t age_us = min_u64(domain->guest_age_us, LONGEST_US);
    uint64_t answer_us = motion_slowness(domain, balloon) * ANSWER_US;

    return mul_div(rate_bytes_s, sat_add(sat_add(age_us, period_us), answer_us), US_PER_S);
}

void
pace_follow(const DomainSample *domain, uint64_t used_before, uint64_t used_bytes,
            uint64_t elapsed_us, DomainTrack *track)
{
    NeedTrack *need = &track->need;
    uint64_t rate_bytes_s;

    need->soon_bytes = 0;
    if (!is_known(used_before) || !is_known(used_bytes)) {
        need->rate_bytes_s = 0;
        return;
    }
    rate_bytes_s = mul_div(sat_sub(used_bytes, used_before), US_PER_S, elapsed_us);
    learn(rate_bytes_s, elapsed_us, need);
    if (!pace_can_swap(domain) && rate_bytes_s >= need->pace_bytes_s / BEGUN_DIVISOR)
        rate_bytes_s = max_u64(rate_bytes_s, need->pace_bytes_s);
    need->soon_bytes = taken_bytes(domain, &track->balloon, rate_bytes_s, elapsed_us);
    if (need->soon_bytes <= need_usable_bytes(domain))
        need->soon_bytes = 0;
}

uint64_t
pace_reserve_bytes(const DomainSample *domain, const DomainTrack *track)
{
    uint64_t period_us = min_u64(domain->guest_period_us, LONGEST_US);

    if (pace_can_swap(domain))
        return 0;
    return taken_bytes(domain, &track->balloon,
                       max_u64(track->need.pace_bytes_s, track->need.rate_bytes_s), period_us);
}
