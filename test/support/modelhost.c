/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * modelhost.c - a host small enough for a unit test
 *
 * Pages of a domain move through four heaps: come during this pass, there when it began, seen
 * once, seen twice. The end of a pass moves each heap on by one; what has been seen twice is
 * merged if it is equal to something. The price of a page is that of the mix, taken anew at the
 * beginning of each pass.
 */
#include "test/support/modelhost.h"

#include <stdlib.h>
#include <string.h>

/* Prices of a page, nanoseconds: measured on Linux 6.18. */
#define COST_FIRST_NS  1000u /* checksum only */
#define COST_SECOND_NS 5000u /* looked up in both trees */
#define COST_MERGED_NS 150u
#define COST_UNIQUE_NS 5200u
/* Equal pages come in groups of this many. */
#define GROUP_PAGES 6
/* Grain of the history of CPU time, and how many grains there are: five hours. */
#define GRAIN_US  (MODEL_US_PER_S / 10)
#define GRAINS    180000
#define BEGIN_US  (1000 * MODEL_US_PER_S)
#define NS_PER_US 1000

typedef struct {
    uint64_t key;
    ModelDomain like;
    uint64_t resident; /* pages now */
    uint64_t fill_ns;  /* page parts not filled yet, pages * US_PER_S */
    uint64_t come;     /* mergeable pages that came during this pass */
    uint64_t there;    /* that were there when it began */
    uint64_t seen_once;
    uint64_t seen_twice;
} Guest;

struct ModelHost {
    PolicyConf conf;
    PolicyState state;
    ModelGaps gaps;
    HostSample host;
    Plan plan;
    Guest guests[MODEL_DOMAINS_MAX];
    DomainTrack tracks[MODEL_DOMAINS_MAX];
    DomainPlan plans[MODEL_DOMAINS_MAX];
    size_t n;
    uint64_t next_key;
    uint64_t due_us;     /* next decision */
    uint64_t cpu_ns;     /* of ksmd */
    uint64_t scanned;    /* pages */
    uint64_t scans;      /* whole passes */
    uint64_t pass_left;  /* pages until the end of this pass */
    uint64_t page_ns;    /* price in this pass */
    uint64_t batch_left; /* pages of the batch under way */
    uint64_t pause_us;   /* left of the pause under way */
    uint64_t owed_ns;    /* part of a page that has been worked on */
    uint64_t *history;   /* owned; CPU time at each grain, us */
    size_t grains;
    ModelPhase phases[MODEL_PHASES_MAX];
    size_t phase_count;
};

ModelHost *
modelhost_new(const PolicyConf *conf)
{
    ModelHost *host = calloc(1, sizeof(*host));

    policy_conf_default(&host->conf);
    if (conf)
        host->conf = *conf;
    policy_init(&host->state);
    host->history = calloc(GRAINS, sizeof(*host->history));
    host->next_key = 1;
    host->due_us = BEGIN_US;
    host->host = (HostSample){
        .now_us = BEGIN_US,
        .cpus = 2,
        .page_bytes = MODEL_PAGE_BYTES,
        .mem_total_bytes = UINT64_C(64) << 30,
        .mem_available_bytes = UINT64_C(32) << 30,
        .anon_bytes = UINT64_C(8) << 30,
        .has_ksm = true,
        .knobs = { KSM_RUN_STOP, 100, 20, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN },
        .initial = { KSM_RUN_STOP, 100, 20, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN },
    };
    return host;
}

void
modelhost_free(ModelHost *host)
{
    free(host->history);
    free(host);
}

PolicyConf *
modelhost_conf(ModelHost *host)
{
    return &host->conf;
}

ModelGaps *
modelhost_gaps(ModelHost *host)
{
    return &host->gaps;
}

KsmKnobs *
modelhost_initial(ModelHost *host)
{
    return &host->host.initial;
}

/* --- ksmd ------------------------------------------------------------------------------- */

static uint64_t
listed_pages(const ModelHost *host)
{
    uint64_t pages = 0;

    for (size_t i = 0; i < host->n; i++)
        pages += host->guests[i].come + host->guests[i].there + host->guests[i].seen_once +
                 host->guests[i].seen_twice;
    return pages;
}

static uint64_t
equal_pages(const Guest *guest)
{
    return guest->seen_twice * guest->like.equal_bp / BP_ONE;
}

static void
begin_pass(ModelHost *host)
{
    uint64_t pages = listed_pages(host);
    uint64_t cost_ns = 0;

    for (size_t i = 0; i < host->n; i++) {
        Guest *guest = &host->guests[i];
        uint64_t equal = equal_pages(guest);

        guest->there += guest->come;
        guest->come = 0;
        cost_ns += guest->there * COST_FIRST_NS + guest->seen_once * COST_SECOND_NS +
                   equal * COST_MERGED_NS + (guest->seen_twice - equal) * COST_UNIQUE_NS;
    }
    host->pass_left = pages;
    host->page_ns = pages > 0 ? max_u64(cost_ns / pages, 1) : 1;
}

static void
end_pass(ModelHost *host)
{
    for (size_t i = 0; i < host->n; i++) {
        Guest *guest = &host->guests[i];

        guest->seen_twice += guest->seen_once;
        guest->seen_once = guest->there;
        guest->there = 0;
    }
    host->scans++;
}

/* Work for at most @us microseconds; returns how long it worked. */
static uint64_t
work(ModelHost *host, uint64_t us)
{
    uint64_t budget_ns = us * NS_PER_US + host->owed_ns;
    uint64_t pages = min_u64(budget_ns / host->page_ns, min_u64(host->batch_left, host->pass_left));
    uint64_t used_ns = pages * host->page_ns;

    if (pages == 0) { /* the time is not enough for a page: it counts for the next time */
        host->owed_ns = budget_ns;
        return us;
    }
    host->owed_ns = 0;
    host->cpu_ns += used_ns;
    host->scanned += pages;
    host->batch_left -= pages;
    host->pass_left -= pages;
    if (host->pass_left == 0) {
        host->batch_left = 0; /* a batch never crosses the end of a pass */
        end_pass(host);
    }
    return clamp_u64(used_ns / NS_PER_US, 1, us);
}

static void
ksmd(ModelHost *host, uint64_t us)
{
    const KsmKnobs *knobs = &host->host.knobs;

    while (us > 0 && knobs->run == KSM_RUN_MERGE && listed_pages(host) > 0) {
        uint64_t spent_us;

        if (host->batch_left == 0 && host->pause_us == 0) {
            if (host->pass_left == 0)
                begin_pass(host);
            host->batch_left = knobs->pages_to_scan;
        }
        if (host->batch_left > 0) {
            spent_us = work(host, us);
            if (host->batch_left == 0)
                host->pause_us = knobs->sleep_ms * 1000;
        } else {
            spent_us = min_u64(us, host->pause_us);
            host->pause_us -= spent_us;
        }
        us -= spent_us;
    }
}

/* --- policy ----------------------------------------------------------------------------- */

static uint64_t
gap_or(bool gap, uint64_t value)
{
    return gap ? VALUE_UNKNOWN : value;
}

static void
fill_counters(ModelHost *host)
{
    KsmCounters *ksm = &host->host.ksm;
    uint64_t equal = 0;
    uint64_t unique = 0;

    memset(ksm, 0, sizeof(*ksm));
    for (size_t i = 0; i < host->n; i++) {
        equal += equal_pages(&host->guests[i]);
        unique +=
            host->guests[i].seen_once + host->guests[i].seen_twice - equal_pages(&host->guests[i]);
    }
    ksm->pages_shared = (equal + GROUP_PAGES - 1) / GROUP_PAGES;
    ksm->pages_sharing = equal - ksm->pages_shared;
    ksm->pages_unshared = unique;
    ksm->ksm_zero_pages = gap_or(host->gaps.no_zero_pages, 0);
    ksm->full_scans = gap_or(host->gaps.no_full_scans, host->scans);
    ksm->pages_scanned = gap_or(host->gaps.no_pages_scanned, host->scanned);
    ksm->pages_skipped = VALUE_UNKNOWN;
    ksm->general_profit = VALUE_UNKNOWN;
    host->host.ksmd_cpu_us = gap_or(host->gaps.no_ksmd_cpu, host->cpu_ns / NS_PER_US);
}

static void
take(uint64_t wanted, uint64_t *knob)
{
    if (is_known(wanted))
        *knob = wanted;
}

static void
note_phase(ModelHost *host)
{
    const KsmPlan *plan = &host->plan.ksm;

    if (host->phase_count == MODEL_PHASES_MAX ||
        (host->phase_count > 0 && host->phases[host->phase_count - 1].phase == plan->phase))
        return;
    host->phases[host->phase_count++] =
        (ModelPhase){ modelhost_now_us(host), plan->phase, plan->reason, host->scans };
}

static void
decide(ModelHost *host)
{
    DomainSample domains[MODEL_DOMAINS_MAX];
    uint64_t sleep_ms = host->host.knobs.sleep_ms;
    KsmKnobs *knobs = &host->host.knobs;

    fill_counters(host);
    for (size_t i = 0; i < host->n; i++) {
        const Guest *guest = &host->guests[i];

        domains[i] = domain_sample_unknown();
        domains[i].key = guest->key;
        domains[i].maximum_bytes = guest->like.pages * MODEL_PAGE_BYTES;
        domains[i].resident_bytes = guest->resident * MODEL_PAGE_BYTES;
        domains[i].mergeable_bp = guest->like.mergeable_bp;
    }
    host->state.domains = host->tracks;
    host->plan.domains = host->plans;
    policy_decide(&host->conf, &(Sample){ host->host, domains, host->n }, &host->state,
                  &host->plan);
    host->host.triggers = 0;
    host->host.departures = 0;
    host->due_us = host->host.now_us + host->plan.next_tick_us;
    note_phase(host);
    take(host->plan.ksm.knobs.run, &knobs->run);
    take(host->plan.ksm.knobs.pages_to_scan, &knobs->pages_to_scan);
    take(host->plan.ksm.knobs.sleep_ms, &knobs->sleep_ms);
    if (knobs->sleep_ms != sleep_ms)
        host->pause_us = 0; /* a new pause wakes ksmd at once */
}

/* --- time ------------------------------------------------------------------------------- */

static void
fill_guest(Guest *guest, uint64_t us)
{
    uint64_t missing = sat_sub(guest->like.pages, guest->resident);
    uint64_t pages = missing;

    if (guest->like.pages_per_s > 0) {
        guest->fill_ns += guest->like.pages_per_s * us;
        pages = min_u64(missing, guest->fill_ns / MODEL_US_PER_S);
        guest->fill_ns %= MODEL_US_PER_S;
    }
    guest->resident += pages;
    guest->come += pages * guest->like.mergeable_bp / BP_ONE;
}

static void
pass_time(ModelHost *host, uint64_t us)
{
    for (size_t i = 0; i < host->n; i++)
        fill_guest(&host->guests[i], us);
    ksmd(host, us);
    host->host.now_us += us;
    if (host->host.now_us % GRAIN_US == 0 && host->grains < GRAINS)
        host->history[host->grains++] = host->cpu_ns / NS_PER_US;
}

void
modelhost_run(ModelHost *host, uint64_t duration_us)
{
    uint64_t end_us = host->host.now_us + duration_us;

    while (host->host.now_us < end_us) {
        uint64_t grain_us = GRAIN_US - host->host.now_us % GRAIN_US;
        uint64_t step_us = min_u64(grain_us, end_us - host->host.now_us);

        if (host->due_us <= host->host.now_us)
            decide(host);
        pass_time(host, min_u64(step_us, host->due_us - host->host.now_us));
    }
}

uint64_t
modelhost_start(ModelHost *host, const ModelDomain *domain)
{
    size_t i = host->n++;

    host->guests[i] = (Guest){ .key = host->next_key++, .like = *domain };
    memset(&host->tracks[i], 0, sizeof(host->tracks[i]));
    fill_guest(&host->guests[i], 0);
    host->host.triggers++;
    decide(host);
    return host->guests[i].key;
}

static size_t
index_of(const ModelHost *host, uint64_t key)
{
    size_t i = 0;

    while (host->guests[i].key != key)
        i++;
    return i;
}

void
modelhost_grow(ModelHost *host, uint64_t key, uint64_t pages)
{
    host->guests[index_of(host, key)].like.pages = pages;
}

void
modelhost_stop(ModelHost *host, uint64_t key)
{
    size_t i = index_of(host, key);

    host->n--;
    memmove(&host->guests[i], &host->guests[i + 1], (host->n - i) * sizeof(host->guests[0]));
    memmove(&host->tracks[i], &host->tracks[i + 1], (host->n - i) * sizeof(host->tracks[0]));
    host->pass_left = min_u64(host->pass_left, listed_pages(host));
    host->host.departures++;
    decide(host);
}

/* --- what came of it -------------------------------------------------------------------- */

const KsmPlan *
modelhost_plan(const ModelHost *host)
{
    return &host->plan.ksm;
}

const DomainPlan *
modelhost_domain_plan(const ModelHost *host, uint64_t key)
{
    return &host->plans[index_of(host, key)];
}

uint64_t
modelhost_now_us(const ModelHost *host)
{
    return host->host.now_us - BEGIN_US;
}

uint64_t
modelhost_cpu_us(const ModelHost *host)
{
    return host->cpu_ns / NS_PER_US;
}

uint64_t
modelhost_saved_pages(const ModelHost *host)
{
    return host->host.ksm.pages_sharing;
}

uint64_t
modelhost_full_scans(const ModelHost *host)
{
    return host->scans;
}

uint64_t
modelhost_worst_minute_us(const ModelHost *host)
{
    size_t minute = 60 * MODEL_US_PER_S / GRAIN_US;
    uint64_t worst_us = 0;

    for (size_t i = 0; i < host->grains; i++) {
        uint64_t before_us = i >= minute ? host->history[i - minute] : 0;

        worst_us = max_u64(worst_us, host->history[i] - before_us);
    }
    return worst_us;
}

const ModelPhase *
modelhost_phases(const ModelHost *host, size_t *ret_n)
{
    *ret_n = host->phase_count;
    return host->phases;
}
