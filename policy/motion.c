/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * motion.c - what becomes of what balloons are asked for
 *
 * A balloon is moved by its guest, which may take its time, stop short, or not even have a driver.
 * Memory that was asked for counts as coming, so that it is not asked for twice, but only while
 * the balloon makes progress: an eighth of the way that is left, within stuck_s. One that does not
 * is stuck. It is dropped from the sums, and not asked for more, until it moves.
 *
 * A request goes through libvirt, which may be busy, or refuse. Until it has been passed on it is
 * wanted at each decision anew (balloon.c), and it is over once policy does not want it any more.
 * The guest's time begins when it hears of it. A request that was refused was never made.
 *
 * Memory that was given counts as promised until the guest has touched it, which shows as growth
 * of its resident set: until then it looks free, but the guest may take it at any moment. What is
 * free is given once.
 */
#include "policy/motion.h"
#include "policy/rule.h"

#define US_PER_S UINT64_C(1000000)

/* Progress is this part of the way that was left. */
#define PROGRESS_DIVISOR 8
/* A balloon that stops this part of the domain's maximum short has arrived. */
#define ARRIVED_DIVISOR 128

static uint64_t
distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static bool
has_arrived(const DomainSample *domain, uint64_t left_bytes)
{
    return left_bytes <= known_or(domain->maximum_bytes, 0) / ARRIVED_DIVISOR;
}

void
motion_ask(uint64_t now_us, const DomainSample *domain, uint64_t bytes, DomainTrack *track)
{
    BalloonTrack *balloon = &track->balloon;
    uint64_t end_bytes = motion_end_bytes(domain, track);

    if (bytes > end_bytes)
        balloon->promise_bytes = sat_add(balloon->promise_bytes, bytes - end_bytes);
    else
        balloon->promise_bytes = sat_sub(balloon->promise_bytes, end_bytes - bytes);
    balloon->asked_bytes = bytes;
    balloon->acted_us = max_u64(now_us, 1);
    balloon->left_bytes = distance(bytes, domain->balloon_bytes);
    balloon->progress_us = now_us;
    balloon->stuck = false;
}

void
motion_withdraw(const DomainSample *domain, BalloonTrack *balloon)
{
    balloon->promise_bytes =
        sat_sub(balloon->promise_bytes, sat_sub(balloon->asked_bytes, domain->balloon_bytes));
    balloon->asked_bytes = 0;
    balloon->stuck = false;
}

uint64_t
motion_coming(const DomainSample *domain, const DomainTrack *track)
{
    if (track->balloon.asked_bytes == 0 || track->balloon.stuck)
        return 0;
    return sat_sub(domain->balloon_bytes, track->balloon.asked_bytes);
}

uint64_t
motion_end_bytes(const DomainSample *domain, const DomainTrack *track)
{
    return max_u64(domain->balloon_bytes, track->balloon.asked_bytes);
}

void
motion_forget(BalloonTrack *balloon)
{
    *balloon = (BalloonTrack){ .resident_bytes = VALUE_UNKNOWN };
}

/* A balloon that does not shrink is stuck. What was given and is not taken is given back. */
static void
give_up(const DomainSample *domain, BalloonTrack *balloon)
{
    if (balloon->asked_bytes > domain->balloon_bytes)
        motion_withdraw(domain, balloon);
    else
        balloon->stuck = true;
}

static void
follow_way(const PolicyConf *conf, uint64_t now_us, const DomainSample *domain,
           BalloonTrack *balloon)
{
    uint64_t left_bytes = distance(balloon->asked_bytes, domain->balloon_bytes);
    bool hears_now = balloon->waits && !domain->balloon_waits;

    balloon->waits = domain->balloon_waits;
    if (balloon->asked_bytes == 0)
        return;
    if (domain->balloon_refuses) {
        motion_withdraw(domain, balloon);
        return;
    }
    if (domain->is_still || hears_now)
        balloon->progress_us = now_us; /* it cannot be blamed */
    if (hears_now)
        balloon->stuck = false;
    if (domain->is_still)
        return;
    if (has_arrived(domain, left_bytes) && !domain->balloon_waits) {
        balloon->asked_bytes = 0;
        balloon->stuck = false;
    } else if (left_bytes <= balloon->left_bytes - balloon->left_bytes / PROGRESS_DIVISOR) {
        balloon->left_bytes = left_bytes;
        balloon->progress_us = now_us;
        balloon->stuck = false;
    } else if (sat_sub(now_us, balloon->progress_us) >= conf->balloon_stuck_s * US_PER_S) {
        give_up(domain, balloon);
    }
}

static void
follow_promise(const DomainSample *domain, BalloonTrack *balloon)
{
    uint64_t resident_bytes = domain->resident_bytes;

    if (is_known(resident_bytes) && is_known(balloon->resident_bytes))
        balloon->promise_bytes =
            sat_sub(balloon->promise_bytes, sat_sub(resident_bytes, balloon->resident_bytes));
    /* What the balloon has not yet left to the guest it cannot have touched. */
    balloon->promise_bytes =
        max_u64(balloon->promise_bytes, sat_sub(balloon->asked_bytes, domain->balloon_bytes));
    balloon->resident_bytes = resident_bytes;
}

static void
follow(const PolicyConf *conf, uint64_t now_us, const DomainSample *domain, BalloonTrack *balloon)
{
    if (!is_known(domain->balloon_bytes) || domain->balloon_bytes == 0)
        return;
    if (domain->balloon_foreign)
        motion_forget(balloon);
    if (balloon->home_bytes == 0) {
        balloon->home_bytes = domain->balloon_bytes;
        balloon->seen_bytes = domain->balloon_bytes;
    }
    if (balloon->seen_bytes != domain->balloon_bytes)
        balloon->moved_us = max_u64(now_us, 1);
    balloon->seen_bytes = domain->balloon_bytes;
    follow_way(conf, now_us, domain, balloon);
    follow_promise(domain, balloon);
}

void
motion_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    (void)plan;

    for (size_t i = 0; i < sample->n; i++)
        follow(conf, sample->host.now_us, &sample->domains[i], &state->domains[i].balloon);
}
