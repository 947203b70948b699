/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * need.c - how much memory a domain needs
 *
 * The guest's balloon driver tells what the guest has and could not hand out without swapping. On
 * top of that comes what of its caches is of use to it: known where its working set was measured
 * from outside, else taken to be a quarter of them. A working set that is less than what the guest
 * holds does not make it need less: memory that it has not used lately, but cannot do without, is
 * nothing that a balloon could get. Of a guest that tells nothing the working set alone counts.
 *
 *     balloon |----------------------------------------------------------|
 *             | reserve |        available                               |
 *                       |   in use       | caches/4 |    usable          |
 *             |------------- bare need -------------|-- headroom --|
 *
 * A guest keeps a little from its own accounts (its kernel, page tables of all its memory): the
 * reserve is what is missing from its balloon's size, taken when the balloon stands still. Some
 * guests (those that may deflate when they run out of memory) go on counting the memory that was
 * taken from them as theirs and in use. They give themselves away by having more than their
 * balloon leaves them; then what was taken is subtracted.
 *
 * Need rises at once and falls slowly, so that a guest which works now and then is not taken for
 * idle in between; the slower its balloon, the more slowly, because what it lacks comes late.
 *
 * A host that is about to kill a domain has no use for the past: the less is left of its memory
 * and swap below the critical mark, the more only that counts which guests need at this moment.
 *
 * Signs that the guest itself is short: it swaps out; it swaps in, or waits for pages of its
 * programs, while little is usable; hardly anything is usable. What it needs then is not known,
 * only that it is more than it has; for an hour it is not believed to need less than that.
 *
 * A guest that may take memory faster than it can be given, see pace.c, keeps what it may take,
 * too.
 *
 * What is told is not to be trusted: a guest that claims less than it needs squeezes itself, down
 * to its floor; one that claims more keeps what it has, and is charged for it (stake.c). What
 * cannot be true is not used at all: more than the domain's maximum, more usable than available.
 * The same goes for what is older than three periods or two minutes. It is left out, not guessed.
 *
 * Source: virDomainMemoryStats in libvirt-domain.h; the tags of statistics in
 * include/uapi/linux/virtio_balloon.h; for guests that count all, adjust_managed_page_count() in
 * drivers/virtio/virtio_balloon.c, which is left out with VIRTIO_BALLOON_F_DEFLATE_ON_OOM.
 */
#include "policy/need.h"
#include "policy/memory.h"
#include "policy/motion.h"
#include "policy/pace.h"
#include "policy/rule.h"

#define KIB UINT64_C(1024)

/* What is older than this is not of now, whatever the period. */
#define AGE_MAX_US  (120 * US_PER_S)
#define AGE_PERIODS 3
/* Guests tell their news at most once a second, and its time is told in whole seconds. Reckoned by
 * another clock, the next may seem to come a little early. */
#define GRAIN_US US_PER_S
/* How fast need falls. */
#define FALL_US (600 * US_PER_S)
/* How long a guest that was short and then fell silent is still taken to be. */
#define SHORT_US (15 * US_PER_S)
/* How long one that was short is left what it has, and for how long that is known to be too little.
 */
#define SPARED_US (60 * US_PER_S)
#define LEARNT_US (3600 * US_PER_S)
/* A guest swaps from so many bytes in a second, and waits from so many major faults. */
#define SWAP_BYTES   (64 * KIB)
#define MAJOR_FAULTS 100
/* Usable memory, as a share of all that the guest has: low by itself, low for a guest that waits
 * for pages, low for one that swaps in. */
#define LOW_BP       (BP_ONE / 20)
#define LOW_FAULT_BP (BP_ONE / 10)
#define LOW_SWAP_BP  (BP_ONE / 4)
#define DIRE_BP      (BP_ONE / 50)
/* Part of the caches that counts as needed. */
#define CACHES_DIVISOR 4

bool
need_has_working_set(const DomainSample *domain)
{
    return is_known(domain->working_set_bytes) && domain->working_set_bytes > 0 &&
           domain->working_set_bytes <= domain->maximum_bytes;
}

static uint64_t
oldest_us(const DomainSample *domain)
{
    if (domain->guest_period_us == 0)
        return AGE_MAX_US;
    return min_u64(AGE_MAX_US, mul_div(domain->guest_period_us, AGE_PERIODS, 1));
}

static bool
exceeds(uint64_t part, uint64_t whole)
{
    return is_known(part) && part > whole;
}

/* Of the guest's statistics alone. */
static Reason
stats_fault(const DomainSample *domain)
{
    uint64_t available = domain->guest_available_bytes;

    if (!is_known(domain->guest_age_us) || domain->guest_age_us > oldest_us(domain))
        return REASON_STATS_STALE;
    if (!is_known(available) || available == 0 ||
        (!is_known(domain->guest_usable_bytes) && !is_known(domain->guest_unused_bytes)))
        return REASON_STATS_STALE;
    if (available > domain->maximum_bytes || exceeds(domain->guest_usable_bytes, available) ||
        exceeds(domain->guest_unused_bytes, available) ||
        exceeds(domain->guest_caches_bytes, available))
        return REASON_STATS_ABSURD;
    return REASON_NONE;
}

Reason
need_fault(const DomainSample *domain)
{
    return need_has_working_set(domain) ? REASON_NONE : stats_fault(domain);
}

bool
need_is_short(const DomainTrack *track, uint64_t now_us)
{
    return track->need.is_short && sat_sub(now_us, track->need.short_us) < SHORT_US;
}

uint64_t
need_soon_bytes(const DomainTrack *track, uint64_t now_us)
{
    return sat_sub(now_us, track->need.told_us) < SHORT_US ? track->need.soon_bytes : 0;
}

bool
need_was_short(const DomainTrack *track, uint64_t now_us)
{
    return track->need.short_us > 0 && sat_sub(now_us, track->need.short_us) < SPARED_US;
}

/* What the guest could hand out without swapping. Old drivers do not say: then all its caches. */
uint64_t
need_usable_bytes(const DomainSample *domain)
{
    uint64_t caches = known_or(domain->guest_caches_bytes, 0);

    if (is_known(domain->guest_usable_bytes))
        return domain->guest_usable_bytes;
    return min_u64(sat_add(domain->guest_unused_bytes, caches), domain->guest_available_bytes);
}

uint64_t
need_usable_bp(const DomainSample *domain)
{
    if (stats_fault(domain) != REASON_NONE)
        return BP_ONE;
    return mul_div(need_usable_bytes(domain), BP_ONE, domain->guest_available_bytes);
}

static uint64_t
per_second(uint64_t now, uint64_t before, uint64_t elapsed_us)
{
    if (!is_known(now) || !is_known(before))
        return 0;
    return mul_div(sat_sub(now, before), US_PER_S, elapsed_us);
}

static bool
shows_shortage(const DomainSample *domain, const NeedTrack *need, uint64_t elapsed_us)
{
    uint64_t usable_bp = need_usable_bp(domain);
    uint64_t out = per_second(domain->guest_swap_out_bytes, need->swap_out_bytes, elapsed_us);
    uint64_t in = per_second(domain->guest_swap_in_bytes, need->swap_in_bytes, elapsed_us);
    uint64_t faults = per_second(domain->guest_major_faults, need->major_faults, elapsed_us);

    if (usable_bp < LOW_BP || out >= SWAP_BYTES)
        return true;
    return (faults >= MAJOR_FAULTS && usable_bp < LOW_FAULT_BP) ||
           (in >= SWAP_BYTES && usable_bp < LOW_SWAP_BP);
}

/* Hardly anything is left, and nothing goes to a swap of its own: it has none, or it is full. */
static bool
is_dire(const DomainSample *domain, const NeedTrack *need, uint64_t elapsed_us)
{
    return need_usable_bp(domain) < DIRE_BP &&
           per_second(domain->guest_swap_out_bytes, need->swap_out_bytes, elapsed_us) < SWAP_BYTES;
}

/* Whether it tells of the balloon as it is. */
static bool
is_settled(const DomainSample *domain, const DomainTrack *track, uint64_t told_us)
{
    return is_known(domain->balloon_bytes) &&
           (track->balloon.moved_us == 0 || told_us >= sat_add(track->balloon.moved_us, GRAIN_US));
}

/* What the guest's accounts leave out of its balloon, or have in them too much. */
static void
follow_accounts(const DomainSample *domain, NeedTrack *need)
{
    uint64_t available = domain->guest_available_bytes;

    need->counts_all = available > domain->balloon_bytes;
    need->reserve_bytes =
        sat_sub(need->counts_all ? domain->maximum_bytes : domain->balloon_bytes, available);
}

/* What is in use in it. */
static uint64_t
told_use(const DomainSample *domain, const NeedTrack *need)
{
    uint64_t used = domain->guest_available_bytes - need_usable_bytes(domain);

    if (need->counts_all)
        used = sat_sub(used, sat_sub(domain->maximum_bytes, domain->balloon_bytes));
    return used;
}

/* What it could not hand out. */
static uint64_t
held_need(const DomainSample *domain, const NeedTrack *need)
{
    return sat_add(told_use(domain, need), need->reserve_bytes);
}

static uint64_t
told_need(const DomainSample *domain, const NeedTrack *need)
{
    uint64_t caches = min_u64(known_or(domain->guest_caches_bytes, 0), need_usable_bytes(domain));

    return sat_add(held_need(domain, need), caches / CACHES_DIVISOR);
}

static uint64_t
measured_need(const DomainSample *domain, const NeedTrack *need)
{
    if (stats_fault(domain) != REASON_NONE)
        return domain->working_set_bytes;
    return min_u64(max_u64(domain->working_set_bytes, held_need(domain, need)),
                   domain->maximum_bytes);
}

/* Up at once, down by the part of its time that has gone by. */
static void
smooth(uint64_t now_bytes, uint64_t elapsed_us, uint64_t slowness, NeedTrack *need)
{
    uint64_t fall_us = slowness * FALL_US;

    if (now_bytes >= need->told_bytes)
        need->told_bytes = now_bytes;
    else
        need->told_bytes -=
            mul_div(need->told_bytes - now_bytes, min_u64(elapsed_us, fall_us), fall_us);
}

/* What a guest had when it was short was too little, whatever it tells afterwards. */
static void
learn(const DomainSample *domain, uint64_t told_us, NeedTrack *need)
{
    if (sat_sub(told_us, need->short_us) >= LEARNT_US)
        need->short_bytes = 0;
    need->short_us = told_us;
    need->short_bytes = max_u64(need->short_bytes, known_or(domain->balloon_bytes, 0));
}

/* The guest has told something new. */
static void
take_news(const DomainSample *domain, uint64_t told_us, DomainTrack *track)
{
    NeedTrack *need = &track->need;
    bool first = need->told_us == 0;
    uint64_t elapsed_us = first ? FALL_US : told_us - need->told_us;
    bool settled = is_settled(domain, track, told_us);
    uint64_t used_before = need->used_bytes;
    uint64_t slowness = motion_slowness(domain, &track->balloon);

    if (settled)
        follow_accounts(domain, need);
    need->used_bytes = settled || !need->counts_all ? told_use(domain, need) : VALUE_UNKNOWN;
    need->is_dire = is_dire(domain, need, elapsed_us);
    need->is_short = shows_shortage(domain, need, elapsed_us);
    pace_follow(domain, used_before, need->used_bytes, elapsed_us, track);
    if (need->is_short)
        learn(domain, told_us, need);
    need->now_bytes = told_need(domain, need);
    if (!need_has_working_set(domain))
        smooth(need->now_bytes, elapsed_us, slowness, need);
    need->told_us = told_us;
    need->swap_in_bytes = domain->guest_swap_in_bytes;
    need->swap_out_bytes = domain->guest_swap_out_bytes;
    need->major_faults = domain->guest_major_faults;
}

static void
follow(const HostSample *host, const DomainSample *domain, DomainTrack *track)
{
    NeedTrack *need = &track->need;
    uint64_t told_us;

    if (need->told_us == 0) { /* new: counters of before are not known */
        need->swap_in_bytes = VALUE_UNKNOWN;
        need->swap_out_bytes = VALUE_UNKNOWN;
        need->major_faults = VALUE_UNKNOWN;
        need->used_bytes = VALUE_UNKNOWN;
        pace_presume(host, domain, track);
    }
    told_us = max_u64(sat_sub(host->now_us, domain->guest_age_us), 1);
    if (stats_fault(domain) == REASON_NONE &&
        (need->told_us == 0 || told_us >= sat_add(need->told_us, GRAIN_US / 2)))
        take_news(domain, told_us, track);
    if (need_has_working_set(domain))
        need->now_bytes = need->told_bytes = measured_need(domain, need);
    need->bare_bytes = need->told_bytes;
    if (sat_sub(host->now_us, need->short_us) < LEARNT_US)
        need->bare_bytes = max_u64(need->bare_bytes, need->short_bytes);
}

static uint64_t
with_headroom(const PolicyConf *conf, const DomainSample *domain, uint64_t bare_bytes)
{
    uint64_t headroom_bytes = mul_div(bare_bytes, conf->balloon_headroom_bp, BP_ONE);

    return min_u64(sat_add(bare_bytes, headroom_bytes), domain->maximum_bytes);
}

/* Half the headroom; and the less is left of memory and swap below the critical mark, the less of
 * it, and of what was needed before. */
static uint64_t
least_bytes(const PolicyConf *conf, const HostSample *host, const NeedTrack *need,
            uint64_t need_bytes, uint64_t reserve_bytes)
{
    uint64_t critical_bytes = memory_marks(conf, host).critical_bytes;
    uint64_t left_bytes = sat_add(host->mem_available_bytes, known_or(host->swap_free_bytes, 0));
    uint64_t kept_bytes = max_u64(need_bytes - sat_sub(need_bytes, need->bare_bytes) / 2,
                                  sat_add(need->now_bytes, reserve_bytes));
    uint64_t more_bytes = sat_sub(kept_bytes, need->now_bytes);

    if (critical_bytes == 0)
        return kept_bytes;
    return kept_bytes - more_bytes +
           mul_div(more_bytes, min_u64(left_bytes, critical_bytes), critical_bytes);
}

void
need_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        DomainTrack *track = &state->domains[i];
        uint64_t need_bytes;

        follow(&sample->host, domain, track);
        if (!is_known(domain->maximum_bytes) || need_fault(domain) != REASON_NONE)
            continue;
        need_bytes = with_headroom(conf, domain, track->need.bare_bytes);
        track->need.least_bytes = least_bytes(conf, &sample->host, &track->need, need_bytes,
                                              pace_reserve_bytes(domain, track));
        plan->domains[i].need_bytes = need_bytes;
    }
}
