/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arbiter.c - one sum that the host wants back, and who is asked for it
 *
 * The sum is what is missing to the relief mark, and what domains lack that are short themselves.
 * What will be missing before balloons answer, if the host goes on filling up as it does, belongs
 * to it; that much nobody writes to swap in advance. Where the host's figures show no such thing
 * but something else says that memory is short, a notification of a cgroup perhaps, it is a
 * hundredth of the domains' memory for each time that it is said; five in a crisis. What balloons
 * have been asked for and have not given yet is on its way and not asked for again. A calm host
 * wants nothing, and neither does one whose state is on its way back to calm.
 *
 * The cheapest pays first:
 *
 *   1. merging        what the passes under way are expected to gain: the debt of each domain, by
 *                     the part of its old memory that is merged. Nothing is done for it here; it
 *                     is only not asked of others. In a crisis nobody waits for it.
 *   2. idle memory    which guests do not use and balloons can take: it costs nothing but time
 *   3. cold memory    by reclaim, as much as the probes of this decision may take (high.c); it is
 *                     written to swap, and some of it will be read again
 *   4. headroom       half of what domains have beyond their need, in a crisis, by balloons
 *
 * Reclaim before balloons would be the simpler order, but free memory of a guest that was once
 * used is the coldest of all in the host's eyes: reclaim writes it to swap, and reads it again when
 * the guest uses it, where a balloon would have taken it for nothing. So cold memory is reclaimed
 * for what idle memory does not cover. Where balloons are in use, that is only for guests that are
 * short now, below half the critical mark, where the kernel would soon swap by itself, and below
 * the critical mark, until it is left behind, where balloons have nothing left to give.
 *
 * How the three keep out of each other's way: a domain that is probed is not ballooned in the same
 * decision, and one whose balloon is on its way is not probed. Memory that is still to be merged
 * is not reclaimed as cold, since swapped pages do not merge. Merged pages count little in what a
 * domain is charged for, because taking them frees little. Merged pages are also charged to one
 * cgroup alone, so unmerging makes others grow: policy never unmerges, and while somebody else
 * does, no limit is held and nothing is probed.
 */
#include "policy/balloon.h"
#include "policy/high.h"
#include "policy/memory.h"
#include "policy/motion.h"
#include "policy/rule.h"

/* Wanted for a shortage without an amount: a part of the domains' memory. */
#define STEP_TIGHT_BP    (BP_ONE / 100)
#define STEP_CRITICAL_BP (BP_ONE / 20)

static uint64_t
domains_bytes(const Sample *sample)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < sample->n; i++)
        sum = sat_add(sum, known_or(sample->domains[i].balloon_bytes, 0));
    return sum;
}

static uint64_t
missing_bytes(const PolicyConf *conf, const Sample *sample, const MemoryState *memory)
{
    MemoryMarks marks = memory_marks(conf, &sample->host);
    uint64_t missing = memory->unmet_bytes;

    if (memory->level == MEMORY_CALM)
        return 0;
    if (memory_is_known(&sample->host))
        missing = sat_add(missing, sat_sub(sat_add(marks.relief_bytes, memory->soon_bytes),
                                           sample->host.mem_available_bytes));
    if (missing > 0 || memory->better_us > 0)
        return missing;
    return mul_div(domains_bytes(sample),
                   memory->level == MEMORY_CRITICAL ? STEP_CRITICAL_BP : STEP_TIGHT_BP, BP_ONE);
}

static uint64_t
coming_bytes(const Sample *sample, const PolicyState *state)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < sample->n; i++)
        if (is_known(sample->domains[i].balloon_bytes))
            sum = sat_add(sum, motion_coming(&sample->domains[i], &state->domains[i]));
    return sum;
}

/* Of a domain whose old memory says nothing about it, nothing is expected. */
static uint64_t
merge_bytes(const PolicyConf *conf, const Sample *sample, const Plan *plan)
{
    uint64_t pages = 0;

    if (conf->mode != KSM_MODE_AUTO || plan->host.level != MEMORY_TIGHT)
        return 0;
    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        uint64_t records = known_or(domain->rmap_items, 0);
        uint64_t merging = min_u64(known_or(domain->merging_pages, 0), records);

        if (records > 0)
            pages = sat_add(pages, mul_div(plan->domains[i].debt_pages, merging, records));
    }
    return mul_div(pages, sample->host.page_bytes, 1);
}

/* What balloons can give that nobody uses: it costs nothing but time. */
static uint64_t
idle_bytes(const PolicyConf *conf, const Sample *sample, const PolicyState *state, const Plan *plan)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < sample->n; i++)
        sum = sat_add(sum, balloon_idle_bytes(conf, sample, state, plan, i));
    return sum;
}

/* Of what is missing to the relief mark, what is not worth writing to swap for. */
static uint64_t
not_for_swap(const PolicyConf *conf, const HostSample *host, bool exhausted)
{
    MemoryMarks marks = memory_marks(conf, host);
    uint64_t low_bytes = marks.tight_bytes;

    if (!memory_is_known(host))
        return 0;
    if (conf->balloon_enable == ENABLE_YES)
        low_bytes = exhausted ? marks.critical_bytes / 4 * 5 : marks.critical_bytes / 2;
    return sat_sub(marks.relief_bytes, max_u64(host->mem_available_bytes, low_bytes));
}

void
arbiter_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    uint64_t offered = high_offer(conf, sample, state, plan);
    uint64_t wanted = missing_bytes(conf, sample, &state->memory);
    uint64_t idle = idle_bytes(conf, sample, state, plan);
    bool crisis = plan->host.level == MEMORY_CRITICAL;
    uint64_t spared;

    wanted = sat_sub(wanted, coming_bytes(sample, state));
    plan->host.wanted_bytes = wanted;
    wanted = sat_sub(wanted, merge_bytes(conf, sample, plan));
    spared =
        sat_add(not_for_swap(conf, &sample->host, crisis && idle == 0), state->memory.soon_bytes);
    if (!crisis && state->memory.unmet_bytes == 0)
        spared = sat_add(spared, idle);
    plan->host.reclaim_bytes = min_u64(sat_sub(wanted, spared), offered);
    if (conf->balloon_enable != ENABLE_NO)
        plan->host.balloon_bytes = wanted - plan->host.reclaim_bytes;
}
