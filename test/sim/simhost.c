/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * simhost.c - events and ticks, as the agent has them
 *
 *     event --> decide on old facts --> write knobs --> facts 100 ms later
 *     tick  --> facts, decide, write knobs --> the next when policy wants it
 *
 * ksmd's run time is noted second by second, for the sum of any minute.
 */
#include "test/sim/simhost.h"
#include "policy/arith.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN_US       (1000 * SIM_S)
#define FACTS_DELAY_US (SIM_S / 10)
#define MINUTE         60
/* What QEMU has beside the memory of its guest. */
#define OVERHEAD_BYTES (UINT64_C(30) << 20)
#define LINES_MAX      200

typedef struct {
    uint64_t at_us;
    KsmPhase phase;
    Reason reason;
    uint64_t cpu_us;
    uint64_t saved; /* pages */
} Line;

struct SimHost {
    KsmModel *model; /* owned */
    PolicyConf conf;
    PolicyState state;
    Plan plan;
    uint64_t pages;
    uint64_t due_us; /* of the next tick */
    uint32_t triggers;
    uint32_t departures;
    uint64_t next_key;
    /* Of the domains that run, in the order of their start; each with room for @room. */
    uint32_t *numbers;     /* owned; in the model, which are theirs here as well */
    DomainSample *samples; /* owned; as of the last tick */
    DomainTrack *tracks;   /* owned */
    DomainPlan *plans;     /* owned */
    size_t n;              /* how many run */
    size_t room;           /* allocated */
    SimStory story;
    SimStory before;            /* counters when it began */
    uint64_t minute_us[MINUTE]; /* ksmd's run time at the last sixty full seconds */
    uint64_t seconds;           /* that have been noted */
    Line lines[LINES_MAX];
    size_t line_count;
    const SimTap *tap; /* borrowed; NULL: nobody listens */
};

static void *
grow(void *old, size_t n, size_t size)
{
    void *memory = realloc(old, n * size);

    if (!memory)
        abort();
    return memory;
}

SimHost *
simhost_new(const PolicyConf *conf, uint64_t pages)
{
    SimHost *host = calloc(1, sizeof(*host));

    if (!host)
        abort();
    host->model = ksm_model_new(NULL, BEGIN_US);
    host->conf = *conf;
    policy_init(&host->state);
    host->pages = pages;
    host->due_us = BEGIN_US;
    host->next_key = 1;
    simhost_run(host, SIM_S);
    simhost_watch(host);
    return host;
}

void
simhost_free(SimHost *host)
{
    ksm_model_free(host->model);
    free(host->numbers);
    free(host->samples);
    free(host->tracks);
    free(host->plans);
    free(host);
}

/* --- decisions ---------------------------------------------------------------------------- */

static void
read_processes(SimHost *host)
{
    for (size_t i = 0; i < host->n; i++) {
        KsmProcess process = ksm_model_process(host->model, host->numbers[i]);
        DomainSample *facts = &host->samples[i];

        facts->resident_bytes = process.resident_pages * KSM_MODEL_PAGE_BYTES + OVERHEAD_BYTES;
        facts->merging_pages = process.merging_pages;
        facts->rmap_items = process.rmap_items;
    }
}

static HostSample
read_host(SimHost *host)
{
    uint64_t total = host->pages * KSM_MODEL_PAGE_BYTES;
    uint64_t used = 0;

    for (size_t i = 0; i < host->n; i++)
        used += known_or(host->samples[i].resident_bytes, 0);
    used = sat_sub(used, ksm_model_saved_pages(host->model) * KSM_MODEL_PAGE_BYTES);
    return (HostSample){
        .now_us = ksm_model_now_us(host->model),
        .cpus = 8,
        .page_bytes = KSM_MODEL_PAGE_BYTES,
        .mem_total_bytes = total,
        .mem_available_bytes = sat_sub(total, used),
        .anon_bytes = used,
        .swap_total_bytes = VALUE_UNKNOWN,
        .swap_free_bytes = VALUE_UNKNOWN,
        .swap_in_pages = VALUE_UNKNOWN,
        .swap_out_pages = VALUE_UNKNOWN,
        .ksmd_cpu_us = ksm_model_cpu_us(host->model),
        .cpu_stall_us = VALUE_UNKNOWN,
        .memory_stall_us = VALUE_UNKNOWN,
        .steal_us = VALUE_UNKNOWN,
        .has_ksm = true,
        .knobs = ksm_model_knobs(host->model),
        .initial = { KSM_RUN_STOP, 100, 20, 0, 1, 0 },
        .ksm = ksm_model_counters(host->model),
        .triggers = host->triggers,
        .departures = host->departures,
    };
}

static bool
is_sound(const SimHost *host)
{
    const KsmKnobs *knobs = &host->plan.ksm.knobs;
    uint64_t pages = known_or(knobs->pages_to_scan, 1);

    return pages >= 1 && pages <= max_u64(4 * host->conf.batch_pages, 100) &&
           known_or(knobs->run, 0) <= KSM_RUN_MERGE && known_or(knobs->sleep_ms, 0) <= 3600001;
}

static void
note_plan(SimHost *host, KsmPhase before)
{
    const KsmPlan *plan = &host->plan.ksm;
    uint64_t parts[] = { plan->phase,
                         plan->reason,
                         plan->knobs.run,
                         plan->knobs.pages_to_scan,
                         plan->knobs.sleep_ms,
                         plan->knobs.smart_scan,
                         host->plan.next_tick_us };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        host->story.fingerprint = (host->story.fingerprint ^ parts[i]) * UINT64_C(0x100000001b3);
    host->story.decisions++;
    host->story.unsound += !is_sound(host);
    if (plan->phase == before && host->line_count > 0)
        return;
    host->story.phases++;
    host->lines[host->line_count++ % LINES_MAX] =
        (Line){ ksm_model_now_us(host->model), plan->phase, plan->reason,
                ksm_model_cpu_us(host->model), ksm_model_saved_pages(host->model) };
}

static void
decide(SimHost *host)
{
    Sample sample = { .host = read_host(host), .domains = host->samples, .n = host->n };
    KsmPhase before = host->plan.ksm.phase;

    host->state.domains = host->tracks;
    host->plan.domains = host->plans;
    if (host->tap)
        host->tap->before(&sample, &host->state, host->tap->user);
    policy_decide(&host->conf, &sample, &host->state, &host->plan);
    if (host->tap)
        host->tap->after(&host->conf, &sample, &host->plan, host->tap->user);
    host->triggers = 0;
    host->departures = 0;
    ksm_model_write(host->model, &host->plan.ksm.knobs);
    note_plan(host, before);
}

static void
event(SimHost *host)
{
    decide(host);
    host->due_us = min_u64(host->due_us, ksm_model_now_us(host->model) + FACTS_DELAY_US);
}

/* --- domains ------------------------------------------------------------------------------ */

static void
make_room(SimHost *host)
{
    if (host->n < host->room)
        return;
    host->room = host->room * 2 + 8;
    host->numbers = grow(host->numbers, host->room, sizeof(uint32_t));
    host->samples = grow(host->samples, host->room, sizeof(DomainSample));
    host->tracks = grow(host->tracks, host->room, sizeof(DomainTrack));
    host->plans = grow(host->plans, host->room, sizeof(DomainPlan));
}

size_t
simhost_start(SimHost *host, const KsmRegion *regions, size_t n)
{
    DomainSample facts = domain_sample_unknown();
    uint32_t number = ksm_model_start(host->model, regions, n);

    make_room(host);
    facts.key = host->next_key++;
    facts.started_us = ksm_model_now_us(host->model);
    facts.mergeable_bp = BP_ONE;
    host->numbers[host->n] = number;
    host->samples[host->n] = facts;
    host->tracks[host->n++] = (DomainTrack){ 0 };
    host->triggers++;
    event(host);
    return number;
}

void
simhost_stop(SimHost *host, size_t domain)
{
    size_t at = 0;
    size_t behind;

    while (host->numbers[at] != domain)
        at++;
    ksm_model_exit(host->model, host->numbers[at]);
    behind = --host->n - at;
    memmove(&host->numbers[at], &host->numbers[at + 1], behind * sizeof(uint32_t));
    memmove(&host->samples[at], &host->samples[at + 1], behind * sizeof(DomainSample));
    memmove(&host->tracks[at], &host->tracks[at + 1], behind * sizeof(DomainTrack));
    host->departures++;
    event(host);
}

void
simhost_rewrite(SimHost *host, size_t domain, size_t region, const KsmRegion *like)
{
    ksm_model_rewrite(host->model, (uint32_t)domain, region, like);
}

void
simhost_tap(SimHost *host, const SimTap *tap)
{
    host->tap = tap;
}

/* --- time --------------------------------------------------------------------------------- */

static void
note_second(SimHost *host)
{
    uint64_t now_us = ksm_model_cpu_us(host->model);
    uint64_t *oldest = &host->minute_us[host->seconds % MINUTE];

    if (host->seconds >= MINUTE)
        host->story.busiest_us = max_u64(host->story.busiest_us, now_us - *oldest);
    *oldest = now_us;
    host->seconds++;
}

/* Up to a moment, and not past the end of a second. */
static void
pass_time(SimHost *host, uint64_t until_us)
{
    uint64_t now_us = ksm_model_now_us(host->model);

    while (now_us < until_us) {
        uint64_t second_us = (now_us / SIM_S + 1) * SIM_S;

        now_us = min_u64(second_us, until_us);
        ksm_model_run(host->model, now_us);
        if (now_us == second_us)
            note_second(host);
    }
}

static void
step(SimHost *host, uint64_t end_us)
{
    if (host->due_us > end_us) {
        pass_time(host, end_us);
        return;
    }
    pass_time(host, host->due_us);
    read_processes(host);
    decide(host);
    host->due_us = ksm_model_now_us(host->model) + max_u64(host->plan.next_tick_us, 1000);
}

void
simhost_run(SimHost *host, uint64_t us)
{
    uint64_t end_us = ksm_model_now_us(host->model) + us;

    while (ksm_model_now_us(host->model) < end_us)
        step(host, end_us);
}

static bool
is_calm(const SimHost *host)
{
    return host->plan.ksm.phase == KSM_PHASE_MAINTAIN || host->plan.ksm.phase == KSM_PHASE_REST;
}

void
simhost_settle(SimHost *host, uint64_t most_us)
{
    uint64_t end_us = ksm_model_now_us(host->model) + most_us;

    do
        step(host, end_us);
    while (!is_calm(host) && ksm_model_now_us(host->model) < end_us);
}

/* --- what it was like --------------------------------------------------------------------- */

KsmModel *
simhost_model(SimHost *host)
{
    return host->model;
}

const KsmPlan *
simhost_plan(const SimHost *host)
{
    return &host->plan.ksm;
}

uint64_t
simhost_pages(const SimHost *host)
{
    uint64_t pages = 0;

    for (size_t i = 0; i < host->n; i++)
        pages += ksm_model_process(host->model, host->numbers[i]).resident_pages;
    return pages;
}

void
simhost_watch(SimHost *host)
{
    host->story = (SimStory){ 0 };
    host->before.cpu_us = ksm_model_cpu_us(host->model);
    host->before.scans = ksm_model_counters(host->model).full_scans;
    host->seconds = 0;
    host->line_count = 0;
}

SimStory
simhost_story(const SimHost *host)
{
    SimStory story = host->story;

    story.cpu_us = ksm_model_cpu_us(host->model) - host->before.cpu_us;
    story.scans = ksm_model_counters(host->model).full_scans - host->before.scans;
    return story;
}

void
simhost_print(const SimHost *host)
{
    size_t first = host->line_count > LINES_MAX ? host->line_count - LINES_MAX : 0;

    for (size_t i = first; i < host->line_count; i++) {
        const Line *line = &host->lines[i % LINES_MAX];

        printf("%10.3f s  %-9s %-18s ksmd %9.3f s  saved %" PRIu64 "\n",
               (double)(line->at_us - BEGIN_US) / 1e6, ksm_phase_name(line->phase),
               reason_name(line->reason), (double)line->cpu_us / 1e6, line->saved);
    }
}
