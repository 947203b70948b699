/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pass.c - single passes out of a thread that only knows batches and pauses
 *
 * With run at 1 and a pause of an hour ksmd stands still. Writing another pause wakes it at once,
 * for one batch, and without waiting for anything, which a write to run would. A batch never
 * crosses the end of a pass. So a pass is made of two parts:
 *
 *   cruise   batches without a pause, while the end is far: nothing to do but to look at times
 *   step     near the end one larger batch at a time, each begun by another pause: the last one
 *            ends with the pass, and leaves ksmd at the very beginning of the next. Where that is
 *            to begin at once it is not worth the looks
 *
 * How far the end is, is a guess (reach.c). That matters, because only a pass that began after
 * memory came has certainly seen it, and a guest that starts is put behind ksmd's place. Should
 * ksmd run over the end while cruising, the pass that it is in counts as begun at that moment.
 * Batches stay short, because a write to run waits for the end of one.
 *
 * smart_scan skips pages that have stayed unique, which saves time while a guest still fills its
 * memory, but also keeps new pages from finding their equals among the old ones. So the pass that
 * is to merge what waits has it switched off, if they may be there (match.c).
 *
 * Source: mm/ksm.c, ksm_scan_thread(), ksm_do_scan() and should_skip_rmap_item(); the wake-up by
 * sleep_millisecs was measured on Linux 6.18.
 */
#include "policy/pass.h"
#include "policy/match.h"
#include "policy/reach.h"

/* A pause that nobody waits for. */
#define PARK_MS UINT64_C(3600000)
/* Longest pause of a stretched pass, so that a changed budget acts soon. */
#define SLEEP_MAX_MS UINT64_C(1000)
/* Where ksmd was to scan with at least this share of a CPU, and has used less than that in so long,
 * there is nothing to scan. */
#define STALL_DUTY_BP (BP_ONE / 20)
#define STALL_US      (3 * US_PER_S)
#define STALL_CPU_US  (20 * US_PER_MS)
/* A kernel that does not tell the end of a pass: a multiple of the expected time is one. */
#define BLIND_FACTOR 3
/* Closer to the expected end than this, ksmd is led step by step. */
#define STEP_BELOW_US (100 * US_PER_MS)
/* A step is so many batches long: fewer steps, and still over soon. */
#define STEP_BATCHES 4
/* A part of the pages so small may be skipped where none should. */
#define SKIPPED_DIVISOR 256
/* Looks at a pass: at least and at most so far apart. */
#define LOOK_MIN_US (10 * US_PER_MS)
#define LOOK_MAX_US (250 * US_PER_MS)
/* The first look comes soon: what a page costs is known only then. */
#define LOOK_FIRST_US (30 * US_PER_MS)
/* A pass that may run on into the next, as it should be over or need not be led, is looked at so
 * often near its end. */
#define LOOK_OVER_US (50 * US_PER_MS)
/* A pass that cannot go on. */
#define LOOK_STOPPED_US (1 * US_PER_S)
/* Less CPU time than this does not say how fast ksmd gets on. */
#define USED_MIN_US (5 * US_PER_MS)

void
pass_expect(Pass *pass, uint64_t pages, bool chained)
{
    pass->chained = chained;
    pass->told_pages = pages;
    pass->pages = max_u64(pass->pages, pages);
}

bool
pass_is_running(const Pass *pass)
{
    return pass->stage != PASS_PARKED;
}

void
pass_lose(Pass *pass)
{
    pass->aligned = false;
    pass->early = false;
}

void
pass_stop(Pass *pass)
{
    if (pass_is_running(pass))
        pass_lose(pass);
    pass->stage = PASS_PARKED;
}

/* Whether smart_scan has passed over what matters since the last pass began. */
static bool
has_skipped(const HostSample *host, const Pass *pass)
{
    return is_known(host->ksm.pages_skipped) && is_known(pass->skipped) &&
           sat_sub(host->ksm.pages_skipped, pass->skipped) > pass->pages / SKIPPED_DIVISOR;
}

void
pass_begin(const Sample *sample, PolicyState *state, uint64_t new_pages, bool closing)
{
    const HostSample *host = &sample->host;
    Pass *pass = &state->ksm_auto.pass;

    if (pass_is_running(pass))
        return;
    /* ksmd is in this pass already, and may have skipped what the closing one must not. */
    pass->partial = closing && pass->early && has_skipped(host, pass);
    pass->pages = max_u64(sat_add(ksm_recorded_pages(&host->ksm), new_pages), pass->told_pages);
    pass->first_pages = pass->pages;
    pass->stage = mul_div(pass->pages, reach_page_ns(&state->ksm_auto), 1000) > STEP_BELOW_US
                      ? PASS_CRUISE
                      : PASS_STEP;
    pass->closing = closing;
    pass->step_visited = VALUE_UNKNOWN;
    pass->look_visited = VALUE_UNKNOWN;
    pass->look_skipped = host->ksm.pages_skipped;
    pass->scans = host->ksm.full_scans;
    pass->begun_visited = reach_visited(host);
    pass->visited = pass->early ? pass->next_visited : pass->begun_visited;
    pass->skipped = host->ksm.pages_skipped;
    pass->began_us = host->now_us;
    pass->began_cpu_us = host->ksmd_cpu_us;
    pass->idle_us = host->now_us;
    pass->idle_cpu_us = host->ksmd_cpu_us;
    pass->driven = false;
    if (!pass->early)
        debt_pass_begins(sample, state);
    pass->early = false;
}

/* Whether ksmd scans nothing whatever is planned: nobody writes it, or merging is held. */
static bool
is_stopped(const HostSample *host)
{
    return is_known(host->knobs.run) && host->knobs.run != KSM_RUN_MERGE;
}

bool
pass_is_hindered(const HostSample *host, const Pass *pass)
{
    return pass_is_running(pass) && is_stopped(host) &&
           sat_sub(host->now_us, pass->began_us) >= STALL_US;
}

/* While ksmd is not to scan, it cannot show that there is nothing to scan. */
static void
note_idle(const HostSample *host, Pass *pass)
{
    if (pass->driven && !is_stopped(host))
        return;
    pass->idle_us = host->now_us;
    pass->idle_cpu_us = host->ksmd_cpu_us;
}

/* For a kernel that does not tell: a multiple of the expected time. */
static bool
is_long_over(const KsmAuto *a, uint64_t idle_us)
{
    uint64_t expected_us = mul_div(a->pass.pages, reach_page_ns(a), 1000);

    return idle_us >= max_u64(STALL_US, mul_div(expected_us, BLIND_FACTOR, 1));
}

/* Whether ksmd was let go, and had nothing to do. */
static bool
is_stalled(const HostSample *host, const KsmAuto *a)
{
    const Pass *pass = &a->pass;
    uint64_t idle_us = sat_sub(host->now_us, pass->idle_us);
    uint64_t visited = reach_visited(host);
    bool is_told = is_known(visited) && is_known(pass->begun_visited);

    /* One that has begun to scan may have been told to stand still. */
    if (is_told && visited > pass->begun_visited)
        return false;
    if (is_known(host->ksmd_cpu_us) && is_known(pass->idle_cpu_us))
        return idle_us >= STALL_US && sat_sub(host->ksmd_cpu_us, pass->idle_cpu_us) < STALL_CPU_US;
    return is_told ? idle_us >= STALL_US : is_long_over(a, idle_us);
}

/* Ends of a pass since this one began. */
static uint64_t
ends(const HostSample *host, const KsmAuto *a)
{
    const Pass *pass = &a->pass;

    if (is_known(host->ksm.full_scans) && is_known(pass->scans))
        return sat_sub(host->ksm.full_scans, pass->scans);
    return is_long_over(a, sat_sub(host->now_us, pass->idle_us));
}

uint64_t
pass_follow(const Sample *sample, PolicyState *state)
{
    KsmAuto *a = &state->ksm_auto;
    Pass *pass = &a->pass;
    bool ran_over = pass->stage == PASS_CRUISE;
    uint64_t ended;

    if (!pass_is_running(pass))
        return 0;
    note_idle(&sample->host, pass);
    ended = ends(&sample->host, a);
    if (ended == 0 && !is_stalled(&sample->host, a))
        return 0;
    pass->next_visited = reach_next_visited(&sample->host, pass);
    if (ended == 0) {
        ended = 2; /* nothing to scan: everything has been seen, as often as one likes */
        ran_over = false;
    } else if (!pass->aligned) {
        ended--;
    } else if (ended == 1 && a->cleanup_us == 0) {
        reach_learn(&sample->host, pass);
    }
    pass->stage = PASS_PARKED;
    pass->aligned = true;
    if (ended == 1 && match_end(&sample->host, &a->match))
        pass->partial = true;
    match_drop(&a->match);
    if (ended == 1 && pass->partial)
        debt_pass_seen(state, sample->n);
    else if (ended > 0)
        debt_pass_ended(sample, state, ended);
    pass->early = ran_over;
    if (ran_over) {
        pass->skipped = pass->look_skipped;
        debt_pass_begins(sample, state);
    }
    return ended;
}

/* Pause that gives batches of @pages the share @duty_bp of a CPU. */
static uint64_t
pause_ms(const KsmAuto *a, uint64_t pages, uint64_t duty_bp)
{
    uint64_t batch_us = mul_div(pages, reach_page_ns(a), 1000);

    if (duty_bp >= BP_ONE)
        return 0;
    return clamp_u64(mul_div(batch_us, BP_ONE - duty_bp, duty_bp) / US_PER_MS, 1, SLEEP_MAX_MS);
}

/* How long ksmd will take for that much CPU time, going on as it has; others may have the CPUs. */
static uint64_t
wall_us(const HostSample *host, const Pass *pass, uint64_t cpu_us, uint64_t duty_bp)
{
    uint64_t used_us = sat_sub(known_or(host->ksmd_cpu_us, 0), known_or(pass->began_cpu_us, 0));
    uint64_t since_us = sat_sub(host->now_us, pass->began_us);

    if (used_us < USED_MIN_US || since_us < used_us)
        return mul_div(cpu_us, BP_ONE, duty_bp);
    return mul_div(cpu_us, since_us, used_us);
}

static void
plan_cruise(const PolicyConf *conf, const HostSample *host, KsmAuto *a, uint64_t duty_bp,
            uint64_t remaining_us, Plan *plan)
{
    /* Half of the way, as the pages to come may cost less than those before. */
    uint64_t far_us = wall_us(host, &a->pass, sat_sub(remaining_us, STEP_BELOW_US) / 2, duty_bp);
    uint64_t look_us = host->now_us == a->pass.began_us ? LOOK_FIRST_US : LOOK_MAX_US;
    bool is_led = remaining_us > 0 && !a->pass.chained;

    a->pass.look_visited = reach_visited(host);
    a->pass.look_skipped = host->ksm.pages_skipped;
    plan->ksm.knobs.pages_to_scan = conf->batch_pages;
    plan->ksm.knobs.sleep_ms = pause_ms(a, conf->batch_pages, duty_bp);
    plan->next_tick_us = clamp_u64(far_us, is_led ? LOOK_MIN_US : LOOK_OVER_US, look_us);
}

static uint64_t
step_pages(const PolicyConf *conf)
{
    return min_u64(conf->batch_pages * STEP_BATCHES, UINT32_MAX);
}

/* When ksmd will be through with a step, going on as it has; others may have the CPUs. */
static uint64_t
step_left_us(const HostSample *host, const Pass *pass, uint64_t pages)
{
    uint64_t since_us = sat_sub(host->now_us, pass->step_us);
    uint64_t done = sat_sub(reach_visited(host), pass->step_visited);

    return done > 0 ? mul_div(since_us, sat_sub(pages, done), done) : since_us;
}

/*
 * Whether the next step may begin: ksmd is through with the last one, or stands still before it is,
 * because it was busy when it was woken for it and did not notice.
 */
static bool
is_step_over(const HostSample *host, const Pass *pass, uint64_t pages)
{
    uint64_t visited = reach_visited(host);

    return !is_known(visited) || !is_known(pass->step_visited) || visited == pass->look_visited ||
           sat_sub(visited, pass->step_visited) >= pages;
}

/*
 * Each step changes the pause; the first after cruising only brings ksmd to a halt. While a step
 * brings nothing, or ksmd does not tell, ksmd is looked at less and less often.
 */
static void
plan_stepping(const PolicyConf *conf, const HostSample *host, KsmAuto *a, uint64_t remaining_us,
              Plan *plan)
{
    Pass *pass = &a->pass;
    uint64_t visited = reach_visited(host);
    uint64_t pages = step_pages(conf);
    /* The pages that follow are more like those of the last step than like the average. */
    uint64_t page_ns = reach_page_ns_since(host, a, pass->step_visited, pass->step_cpu_us);
    uint64_t cpu_us = mul_div(pages, page_ns, 1000);
    uint64_t step_us = mul_div(cpu_us, BP_ONE, plan->ksm.duty_bp);
    uint64_t look_us = remaining_us > 0 ? min_u64(remaining_us, step_us) : step_us;

    if (pass->stage == PASS_HALT) {
        pass->stage = PASS_STEP;
        look_us = step_us / STEP_BATCHES;
    } else if (is_step_over(host, pass, pages)) {
        if (!is_known(visited) || visited == pass->look_visited)
            look_us = max_u64(look_us, sat_sub(host->now_us, pass->began_us) / 16);
        pass->beat ^= 1;
        pass->step_visited = visited;
        pass->step_cpu_us = host->ksmd_cpu_us;
        pass->step_us = host->now_us;
    } else {
        look_us = step_left_us(host, pass, pages);
    }
    pass->look_visited = visited;
    pass_ready(conf, pass, plan);
    plan->next_tick_us = clamp_u64(look_us, LOOK_MIN_US, LOOK_MAX_US);
}

void
pass_plan(const PolicyConf *conf, const HostSample *host, KsmAuto *a, uint64_t duty_bp, Plan *plan)
{
    uint64_t remaining_us = reach_left_us(host, a, BP_ONE);

    plan->ksm.duty_bp = duty_bp;
    a->pass.driven = duty_bp >= STALL_DUTY_BP;
    if (duty_bp == 0) {
        pass_park(&a->pass, plan);
        plan->next_tick_us = LOOK_MAX_US;
        return;
    }
    if (a->pass.stage == PASS_CRUISE && !a->pass.chained && remaining_us < STEP_BELOW_US)
        a->pass.stage = PASS_HALT;
    else if (a->pass.stage == PASS_STEP && remaining_us > 2 * STEP_BELOW_US)
        a->pass.stage = PASS_CRUISE; /* there is more than was thought */
    if (a->pass.stage == PASS_CRUISE)
        plan_cruise(conf, host, a, duty_bp, remaining_us, plan);
    else
        plan_stepping(conf, host, a, remaining_us, plan);
    plan->ksm.knobs.run = KSM_RUN_MERGE;
    if (is_known(host->knobs.smart_scan))
        plan->ksm.knobs.smart_scan = a->pass.closing ? 0 : 1;
    if (is_stopped(host) && host->now_us > a->pass.began_us)
        plan->next_tick_us = max_u64(plan->next_tick_us, LOOK_STOPPED_US);
}

void
pass_park(const Pass *pass, Plan *plan)
{
    plan->ksm.knobs.run = KSM_RUN_MERGE;
    plan->ksm.knobs.sleep_ms = PARK_MS + pass->beat;
}

void
pass_ready(const PolicyConf *conf, const Pass *pass, Plan *plan)
{
    pass_park(pass, plan);
    plan->ksm.knobs.pages_to_scan = step_pages(conf);
}
