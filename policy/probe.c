/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe.c - looking again, as often as it pays
 *
 * Memory that changes after it has been covered shows nowhere but in a pass: the first sees that
 * it is different, the second merges it if it has equals. KSM counts what a pass saw change
 * (pages_volatile) while it is still under way. So a probe is one pass, cut into parts that are
 * spread over the time until it is due: a change of growth_kib is noticed by the part that comes
 * by, and then the rest of the pass follows at once, and another one, and a third for what changed
 * behind the first one's back. What changes all the time would be noticed in every probe: as many
 * pages as the last one noticed for nothing are no news, nor are some times as many as a burst saw.
 * They are not lost, since the next probe merges what this one saw change.
 *
 * A probe that brings nothing, or less than yield_floor, doubles the time to the next, up to half
 * of churn_s (what this one sees change the next one merges); one that brings something halves it.
 * What one costs, as measured, comes first: the next one waits until cpu_idle has paid for as much.
 * But for the first after a burst that has skipped pages (match.c): that is what the burst saved.
 *
 * A kernel that does not tell how far a pass is (pages_scanned) gets both passes at once.
 *
 * Source: mm/ksm.c, pages_volatile_show(), cmp_and_merge_page(): a page leaves the unstable tree
 * when it is visited, and comes back unless its checksum has changed.
 */
#include "policy/probe.h"
#include "policy/pass.h"
#include "policy/reach.h"
#include "policy/yield.h"

/* The first probe after a burst; those that follow find their own distance. */
#define INTERVAL_FIRST_US (30 * US_PER_S)
/* Closer together than this, changes are better left to gather. */
#define INTERVAL_MIN_US (10 * US_PER_S)
/* Passes where the kernel does not tell what the first saw: that, and one that merges. */
#define PASSES_BLIND 2
/* Passes that follow one that saw a change, while not all of it is merged. */
#define PASSES_MORE 2
/* What changes while a burst passes by changes more in the time of a probe: so many times as much.
 */
#define RESTLESS_FACTOR 8
/* Parts of a pass: not so many that watching them costs more than ksmd. */
#define PARTS_MAX   8
#define PART_MIN_US (100 * US_PER_MS)

/* Distance at which probes of this cost stay within the budget. */
static uint64_t
affordable_us(const PolicyConf *conf, uint64_t cost_us)
{
    return max_u64(INTERVAL_MIN_US, mul_div(cost_us, BP_ONE, conf->cpu_idle_bp));
}

/* Whether the kernel tells how far a pass is, and what it has seen change. */
static bool
is_told(const HostSample *host)
{
    return is_known(host->ksm.pages_scanned) && is_known(host->ksm.pages_volatile);
}

/* A little that changed is seen by one probe and merged by the next, if a probe is one pass. */
static uint64_t
longest_us(const PolicyConf *conf, const HostSample *host)
{
    return max_u64(conf->churn_s * US_PER_S / (is_told(host) ? 2 : 1), INTERVAL_MIN_US);
}

/* Parts are no closer to each other than the first probe is to a burst. */
static unsigned
parts_of(const HostSample *host, uint64_t pass_us, uint64_t interval_us)
{
    uint64_t most = min_u64(interval_us / INTERVAL_FIRST_US, PARTS_MAX);

    return is_told(host) ? (unsigned)clamp_u64(pass_us / PART_MIN_US, 1, max_u64(most, 1)) : 1;
}

/* At least one, also where nothing has been reckoned yet. */
static uint64_t
parts(const Probe *probe)
{
    return max_u64(probe->parts, 1);
}

static uint64_t
part_us(const Probe *probe)
{
    return max_u64(probe->interval_us / parts(probe), 1);
}

void
probe_reset(const PolicyConf *conf, const HostSample *host, uint64_t pass_us, bool is_owed,
            Probe *probe)
{
    uint64_t first_us = min_u64(INTERVAL_FIRST_US, longest_us(conf, host));
    uint64_t cost_us = mul_div(pass_us, is_told(host) ? 1 : PASSES_BLIND, 1);
    uint64_t restless = mul_div(known_or(host->ksm.pages_volatile, 0), RESTLESS_FACTOR, 1);

    *probe = (Probe){ .ended_us = host->now_us,
                      .cpu_us = VALUE_UNKNOWN,
                      .vain = max_u64(probe->vain, restless) };
    probe->interval_us = is_owed ? first_us : max_u64(first_us, affordable_us(conf, cost_us));
    probe->parts = parts_of(host, pass_us, probe->interval_us);
}

static void
begin(const HostSample *host, unsigned passes, Probe *probe)
{
    probe->left = passes;
    probe->more = PASSES_MORE;
    probe->cpu_us = host->ksmd_cpu_us;
    probe->settled = is_told(host) ? host->ksm.pages_volatile : VALUE_UNKNOWN;
    probe->changed = 0;
    probe->hurry = false;
}

/* Pages that have changed and are not merged yet, if they are more than what changes in vain. */
static bool
has_news(const PolicyConf *conf, const HostSample *host, const Probe *probe)
{
    uint64_t old = sat_add(probe->vain, conf->growth_kib * 1024 / host->page_bytes);

    return !probe->cleanup && is_known(probe->settled) && is_known(host->ksm.pages_volatile) &&
           sat_sub(host->ksm.pages_volatile, probe->settled) > old;
}

static void
look(const PolicyConf *conf, const HostSample *host, Probe *probe)
{
    uint64_t now = host->ksm.pages_volatile;

    if (!is_known(probe->settled) || !is_known(now))
        return;
    probe->settled = min_u64(probe->settled, now);
    probe->changed = max_u64(probe->changed, now - probe->settled);
    probe->hurry = probe->hurry || has_news(conf, host, probe);
}

/*
 * The pass after the one that saw a change merges it. What changed behind that one's back is late
 * by a pass: it follows too, if there was something to merge.
 */
static void
count_passes(const PolicyConf *conf, const HostSample *host, uint64_t ended, Probe *probe)
{
    bool pays = probe->more == PASSES_MORE || ksm_merged_pages(&host->ksm) > probe->merged;

    probe->left -= (unsigned)min_u64(ended, probe->left);
    if (probe->left > 0 || probe->more == 0 || !pays || !has_news(conf, host, probe))
        return;
    probe->left = 1;
    probe->more--;
}

static void
end(const PolicyConf *conf, const HostSample *host, KsmAuto *a)
{
    Probe *probe = &a->probe;
    bool measured = is_known(host->ksmd_cpu_us) && is_known(probe->cpu_us);
    uint64_t cost_us = measured ? sat_sub(host->ksmd_cpu_us, probe->cpu_us) : 0;
    uint64_t least_us = affordable_us(conf, cost_us);
    uint64_t next_us = sat_add(probe->interval_us, probe->interval_us);
    unsigned passes = PASSES_MORE - probe->more + 1;

    if (probe->cleanup) {
        probe->ended_us = host->now_us;
        probe->cleanup = false;
        probe->interval_us = max_u64(probe->interval_us, least_us);
        return;
    }
    /* One that was through before its time is over only then. */
    probe->ended_us = probe->hurry
                          ? host->now_us
                          : max_u64(host->now_us, sat_add(probe->ended_us, probe->interval_us));
    yield_end(host, &a->yield);
    probe->vain = probe->changed;
    if (ksm_merged_pages(&host->ksm) > probe->merged && !yield_is_low(conf, &a->yield)) {
        next_us = probe->interval_us / 2;
        probe->vain = 0;
        a->poor = false;
    }
    probe->interval_us = max_u64(least_us, min_u64(next_us, longest_us(conf, host)));
    probe->parts = parts_of(host, cost_us / passes, probe->interval_us);
}

/* How much of the running pass should be done by now, as time has passed. */
static uint64_t
due_bp(const HostSample *host, const Probe *probe)
{
    uint64_t passed = sat_sub(host->now_us, probe->ended_us) / part_us(probe);

    if (probe->hurry || probe->cleanup || passed >= parts(probe))
        return BP_ONE;
    return mul_div(passed, BP_ONE, parts(probe));
}

uint64_t
probe_left_us(const HostSample *host, const KsmAuto *a)
{
    uint64_t due = due_bp(host, &a->probe);

    return due < BP_ONE && pass_is_running(&a->pass) ? reach_left_us(host, a, due) : UINT64_MAX;
}

bool
probe_advance(const PolicyConf *conf, const HostSample *host, uint64_t ended, KsmAuto *a)
{
    Probe *probe = &a->probe;

    if (probe->left == 0) {
        if (probe_due_us(host, probe) > 0)
            return false;
        begin(host, is_told(host) ? 1 : PASSES_BLIND, probe);
        probe->merged = ksm_merged_pages(&host->ksm);
        yield_begin(host, &a->yield);
        return true;
    }
    look(conf, host, probe);
    count_passes(conf, host, ended, probe);
    if (probe->left == 0)
        end(conf, host, a);
    return probe->left > 0 && probe_left_us(host, a) > 0;
}

void
probe_cleanup(const HostSample *host, Probe *probe)
{
    if (probe->left > 0) {
        probe->hurry = true;
        return;
    }
    begin(host, 1, probe);
    probe->cleanup = true;
}

uint64_t
probe_due_us(const HostSample *host, const Probe *probe)
{
    uint64_t part = sat_add(sat_sub(host->now_us, probe->ended_us) / part_us(probe), 1);

    if (probe->left == 0)
        part = 1;
    part = min_u64(part, parts(probe));
    return sat_sub(sat_add(probe->ended_us, mul_div(part, part_us(probe), 1)), host->now_us);
}
