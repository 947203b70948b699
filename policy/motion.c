/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * motion.c - what becomes of what balloons are asked for
 *
 * A balloon is moved by its guest, which may take its time, stop short, or not even have a driver.
 * Memory that was asked for counts as coming, so that it is not asked for twice, but only while
 * the balloon makes progress: an eighth of the way that is left, within stuck_s. One that does not
 * is stuck. It is dropped from the sums, and not asked for more, until it moves.
 *
 * Some balloons are on their way for many minutes. What one of them will bring so late is of no use
 * to a host that is short now, so its speed is measured, whenever it is seen on its way twice. And
 * what counts is what the host gets: memory that the guest has never touched frees nothing when the
 * balloon has it.
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

/* Progress is this part of the way that was left. */
#define PROGRESS_DIVISOR 8
/* A balloon that stops this part of the domain's maximum short has arrived. */
#define ARRIVED_DIVISOR 128
/* Speed is measured over at least so long; each new figure counts for this part. */
#define SPEED_US      US_PER_S
#define SPEED_DIVISOR 4
/* All memory of a domain in MOTION_ANSWER_S is fast. So many times that is the longest that is
 * reckoned with. */
#define SLOWEST 24

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

/* Of memory that its balloon takes, what the host held: of what the guest does not use it takes all
 * alike, touched or not. */
static uint64_t
gain_bytes(const DomainSample *domain, uint64_t bytes)
{
    uint64_t never_bytes = sat_sub(domain->balloon_bytes, domain->resident_bytes);
    uint64_t unused_bytes = domain->guest_unused_bytes;

    if (!is_known(domain->resident_bytes) || !is_known(unused_bytes) || unused_bytes == 0)
        return bytes;
    return bytes -
           mul_div(min_u64(bytes, unused_bytes), min_u64(never_bytes, unused_bytes), unused_bytes);
}

uint64_t
motion_coming(const DomainSample *domain, const DomainTrack *track)
{
    const BalloonTrack *balloon = &track->balloon;
    uint64_t coming_bytes = sat_sub(domain->balloon_bytes, balloon->asked_bytes);

    if (balloon->asked_bytes == 0 || balloon->stuck)
        return 0;
    if (balloon->speed_bytes_s > 0)
        coming_bytes = min_u64(coming_bytes, mul_div(balloon->speed_bytes_s, MOTION_ANSWER_S, 1));
    return gain_bytes(domain, coming_bytes);
}

uint64_t
motion_slowness(const DomainSample *domain, const BalloonTrack *balloon)
{
    uint64_t all_s;

    if (balloon->speed_bytes_s == 0 || !is_known(domain->maximum_bytes))
        return 1;
    all_s = domain->maximum_bytes / balloon->speed_bytes_s;
    return clamp_u64(all_s / MOTION_ANSWER_S, 1, SLOWEST);
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

/* Only between two looks at which it is on its way: at its end it rests. */
static void
follow_speed(uint64_t now_us, const DomainSample *domain, BalloonTrack *balloon)
{
    uint64_t elapsed_us = sat_sub(now_us, balloon->from_us);
    uint64_t speed_bytes_s;

    if (balloon->asked_bytes == 0 || balloon->waits || domain->is_still) {
        balloon->from_us = 0;
        return;
    }
    if (balloon->from_us > 0 && elapsed_us < SPEED_US)
        return;
    if (balloon->from_us > 0 && balloon->from_bytes != domain->balloon_bytes) {
        speed_bytes_s =
            mul_div(distance(balloon->from_bytes, domain->balloon_bytes), US_PER_S, elapsed_us);
        if (speed_bytes_s < balloon->speed_bytes_s)
            speed_bytes_s =
                balloon->speed_bytes_s - (balloon->speed_bytes_s - speed_bytes_s) / SPEED_DIVISOR;
        balloon->speed_bytes_s = max_u64(speed_bytes_s, 1);
    }
    balloon->from_us = max_u64(now_us, 1);
    balloon->from_bytes = domain->balloon_bytes;
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
    if (balloon->seen_bytes != 0 && balloon->seen_bytes != domain->balloon_bytes)
        balloon->moved_us = max_u64(now_us, 1);
    balloon->seen_bytes = domain->balloon_bytes;
    follow_way(conf, now_us, domain, balloon);
    follow_speed(now_us, domain, balloon);
    follow_promise(domain, balloon);
}

void
motion_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    (void)plan;

    for (size_t i = 0; i < sample->n; i++)
        follow(conf, sample->host.now_us, &sample->domains[i], &state->domains[i].balloon);
}
