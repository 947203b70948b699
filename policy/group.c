/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * group.c - which group is the one that is merged, by rule same-group
 *
 * The one that brings most: what its domains saved when they were merged last, and for those that
 * never were, a part of their memory. It stays for dwell_s at least, and until another one brings
 * a quarter more, since a change costs what has been merged. Whoever cannot be switched off decides
 * the choice; a single attempt that failed is no sign of that, so it has to last.
 *
 * All groups are summed up in one walk over the domains. There is no memory for a table of groups
 * but one slot for each domain, which is a bucket of the table and, for the first domain of a
 * group, its sum:
 *
 *     bucket of "b" -> slot of the first domain of "b" -> ... of another group of that bucket
 */
#include "policy/group.h"
#include "policy/tenancy.h"

/* Part of its memory that a domain of a group, or one that is alone, is expected to save, until it
 * was measured. */
#define EXPECTED_BP (BP_ONE * 3 / 10)
#define ALONE_BP    (BP_ONE / 20)
/* Another group has to bring so much more. */
#define BETTER_BP (BP_ONE * 5 / 4)
/* Between two looks at whether another group is better. */
#define LOOK_US (10 * US_PER_S)
/* How long the first choice waits for the figures of a domain that was just seen. */
#define FACTS_US (5 * US_PER_S)
/* Time in which whoever switches it repeats an attempt that failed a few times. */
#define STUCK_US (10 * US_PER_S)

/* --- what a group is worth -------------------------------------------------------------- */

/* Once it is switched on. */
static uint64_t
mergeable_pages(const HostSample *host, const DomainSample *domain)
{
    return sample_mergeable_pages(host, domain, sample_guest_bytes(domain, 0));
}

/* While it is on and ksmd has seen most of it, what it saves is what it would save again. */
static void
learn(const HostSample *host, const DomainSample *domain, DomainTrack *track)
{
    uint64_t pages = mergeable_pages(host, domain);

    if (domain->merge_state != MERGE_AS_FOUND || !is_known(domain->merging_pages) || pages == 0 ||
        ksm_merging_pages(&host->ksm) == 0 || track->twice_bytes / host->page_bytes < pages / 2)
        return;
    track->tenancy.share_bp =
        min_u64(mul_div(sample_saved_pages(host, domain), BP_ONE, pages), BP_ONE);
    track->tenancy.is_measured = true;
}

void
group_follow(const HostSample *host, const DomainSample *domain, DomainTrack *track)
{
    TenancyTrack *tenancy = &track->tenancy;

    if (!tenancy_is_concerned(domain) || domain->merge_state != MERGE_STUCK)
        tenancy->stuck_us = 0;
    else if (tenancy->stuck_us == 0)
        tenancy->stuck_us = max_u64(host->now_us, 1);
    learn(host, domain, track);
}

/* Numbers of groups are given out one after the other; the high bits of the product mix them. */
static GroupSum *
bucket_of(const Sample *sample, PolicyState *state, uint64_t group)
{
    uint64_t mixed = group * UINT64_C(0x9E3779B97F4A7C15) >> 32;

    return &state->domains[mixed % sample->n].sum;
}

/* NULL: the group has no domain. */
static GroupSum *
find_sum(const Sample *sample, PolicyState *state, uint64_t group)
{
    uint32_t slot = bucket_of(sample, state, group)->first;

    while (slot > 0 && state->domains[slot - 1].sum.group != group)
        slot = state->domains[slot - 1].sum.next;
    return slot > 0 ? &state->domains[slot - 1].sum : NULL;
}

/* Domain @i is the first of its group. */
static GroupSum *
begin_sum(const Sample *sample, PolicyState *state, size_t i)
{
    uint64_t group = tenancy_group_of(&sample->domains[i]);
    GroupSum *bucket = bucket_of(sample, state, group);
    GroupSum *sum = &state->domains[i].sum;

    sum->group = group;
    sum->next = bucket->first;
    bucket->first = (uint32_t)i + 1;
    return sum;
}

static void
add_domain(const Sample *sample, PolicyState *state, size_t i)
{
    const DomainSample *domain = &sample->domains[i];
    const TenancyTrack *track = &state->domains[i].tenancy;
    uint64_t pages = mergeable_pages(&sample->host, domain);
    GroupSum *sum = find_sum(sample, state, tenancy_group_of(domain));

    if (!sum)
        sum = begin_sum(sample, state, i);
    sum->members++;
    sum->may_merge |= domain->is_defined && domain->merge_wish != MERGE_WISH_NO;
    if (track->is_measured)
        sum->saved_pages = sat_add(sum->saved_pages, mul_div(pages, track->share_bp, BP_ONE));
    else
        sum->new_pages = sat_add(sum->new_pages, pages);
}

static void
sum_up(const Sample *sample, PolicyState *state)
{
    for (size_t i = 0; i < sample->n; i++)
        state->domains[i].sum = (GroupSum){ 0 };
    for (size_t i = 0; i < sample->n; i++)
        if (tenancy_is_concerned(&sample->domains[i]))
            add_domain(sample, state, i);
}

static uint64_t
worth_of(const GroupSum *sum)
{
    uint64_t usual_bp = sum->members > 1 ? EXPECTED_BP : ALONE_BP;

    return sat_add(sum->saved_pages, mul_div(sum->new_pages, usual_bp, BP_ONE));
}

/* After sum_up(). The best of all; the first of several that are as good. NULL: there is none. */
static const GroupSum *
find_best(const Sample *sample, const PolicyState *state)
{
    const GroupSum *best = NULL;

    for (size_t i = 0; i < sample->n; i++) {
        const GroupSum *sum = &state->domains[i].sum;

        if (sum->group != 0 && sum->may_merge && (!best || worth_of(sum) > worth_of(best)))
            best = sum;
    }
    return best;
}

/* --- which one it is -------------------------------------------------------------------- */

/* The group of those who cannot be switched off. 0: there are none, or they are of several.
 * @ret_waits: somebody else may turn out to be one of them. */
static uint64_t
stuck_group(const Sample *sample, const PolicyState *state, bool *ret_waits)
{
    uint64_t group = 0;
    bool is_one = true;

    *ret_waits = false;
    for (size_t i = 0; i < sample->n; i++) {
        uint64_t its = tenancy_group_of(&sample->domains[i]);
        uint64_t since_us = state->domains[i].tenancy.stuck_us;

        if (since_us == 0)
            continue;
        if (sat_sub(sample->host.now_us, since_us) < STUCK_US) {
            *ret_waits = true;
            continue;
        }
        is_one = is_one && (group == 0 || group == its);
        group = its;
    }
    return is_one ? group : 0;
}

/* Whether a choice can be made on what is known. */
static bool
has_facts(const Sample *sample)
{
    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        bool is_new = sat_sub(sample->host.now_us, domain->started_us) < FACTS_US;

        if (tenancy_is_concerned(domain) &&
            (!domain->is_defined || (is_new && !is_known(domain->resident_bytes))))
            return false;
    }
    return true;
}

static bool
has_members(const Sample *sample, uint64_t group)
{
    for (size_t i = 0; i < sample->n; i++)
        if (tenancy_is_concerned(&sample->domains[i]) &&
            tenancy_group_of(&sample->domains[i]) == group)
            return true;
    return false;
}

/* Whether there is memory for what all of a group have merged, were it switched off. */
static bool
can_be_parted(const PolicyConf *conf, const Sample *sample, uint64_t group)
{
    uint64_t need = 0;

    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];

        if (!tenancy_is_concerned(domain) || tenancy_group_of(domain) != group)
            continue;
        if (!tenancy_has_room(&sample->host, domain))
            return false;
        need = sat_add(need, tenancy_need_bytes(&sample->host, domain));
    }
    return need <= tenancy_headroom_bytes(conf, &sample->host);
}

static void
take(TenancyState *state, uint64_t group, uint64_t now_us)
{
    state->looked_us = now_us;
    if (group == state->group)
        return;
    state->group = group;
    state->since_us = now_us;
}

static void
choose_first(const Sample *sample, PolicyState *state)
{
    const GroupSum *best = NULL;
    bool waits;
    uint64_t stuck = stuck_group(sample, state, &waits);

    if (stuck == 0 && !waits && has_facts(sample)) {
        sum_up(sample, state);
        best = find_best(sample, state);
    }
    take(&state->tenancy, best ? best->group : stuck, sample->host.now_us);
}

/* The group that is merged, or another one that takes its place. */
static uint64_t
choose_again(const PolicyConf *conf, const Sample *sample, PolicyState *state)
{
    uint64_t now = state->tenancy.group;
    const GroupSum *best;
    bool waits;
    uint64_t stuck = stuck_group(sample, state, &waits);

    if (stuck != 0)
        return stuck;
    sum_up(sample, state);
    best = find_best(sample, state);
    if (best &&
        worth_of(best) > mul_div(worth_of(find_sum(sample, state, now)), BETTER_BP, BP_ONE) &&
        can_be_parted(conf, sample, now))
        return best->group;
    return now;
}

void
group_choose(const PolicyConf *conf, const Sample *sample, PolicyState *state)
{
    TenancyState *tenancy = &state->tenancy;
    uint64_t now_us = sample->host.now_us;

    if (tenancy->group == 0 || !has_members(sample, tenancy->group))
        choose_first(sample, state);
    else if (sat_sub(now_us, tenancy->since_us) >= conf->tenancy_dwell_s * US_PER_S &&
             sat_sub(now_us, tenancy->looked_us) >= LOOK_US)
        take(tenancy, choose_again(conf, sample, state), now_us);
}
