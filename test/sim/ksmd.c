/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksmd.c - ksmd: batches, pauses, passes, and what the files do to them
 *
 *     waits --run=1, memory to merge--> ready -> works --batch or pass ends--> sleeps
 *       ^                                 ^                                      |
 *       +------ run=0 (seen here) --------+--- time, or another sleep_millisecs -+
 *
 * Modelled as the kernel does it: the order of processes round the cursor, where a new one goes in
 * behind it and a dead one right before it; two looks at a page before it is merged, smart_scan,
 * zero pages, volatile pages; batches that count the pages looked at and never go over the end of a
 * pass; pauses in jiffies at HZ=250; the files that wake ksmd and the one that waits for it; the
 * scan-time advisor; counters that show what ksmd saw when it was last there.
 *
 * Not modelled: other work on the same CPUs, pages that cannot be merged now and then, KSM pages
 * that move between NUMA nodes, swap. Pages of a region come and are written in the order of their
 * addresses, in a few steps. What ksmd is told while it looks at many equal pages at once counts
 * from the next time on that ksm_model_run() is called.
 *
 * The work is in proportion to the runs of pages that ksmd comes to, not to pages or batches: many
 * batches over pages that are alike are one multiplication.
 *
 * Source: mm/ksm.c of Linux 6.18: ksm_scan_thread(), ksm_do_scan(), scan_get_next_rmap_item(),
 * __ksm_enter(), __ksm_exit(), run_store(), sleep_millisecs_store(), scan_time_advisor().
 */
#include "test/sim/ksm_internal.h"

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)
#define JIFFY_NS  (4 * NS_PER_MS)
#define JIFFY_MS  4
/* A batch of nothing takes some time, too. */
#define EMPTY_BATCH_NS 1000

/* Settings of the advisor that this project does not move: the kernel's defaults. */
#define ADVISOR_TARGET_S    200
#define ADVISOR_MIN_CPU     10
#define ADVISOR_MAX_CPU     70
#define ADVISOR_MAX_PAGES   30000
#define ADVISOR_NEW_PERCENT 30

static void
spend(KsmModel *model, uint64_t ns)
{
    model->cpu_ns += ns;
    model->ksmd_ns += ns;
}

static void
enter_process(KsmModel *model, Process *process)
{
    model->cursor = process;
    model->region = 0;
    model->page = 0;
}

/* Comparing pages takes longer in higher trees. */
static void
price(KsmModel *model)
{
    uint64_t more_ns = 0;

    model->now_costs = model->costs;
    for (uint64_t pages = model->costs.level_pages; pages < model->items; pages *= 2)
        more_ns += mul_div(model->costs.level_ns, min_u64(model->items - pages, pages), pages);
    model->now_costs.alone_ns += (uint32_t)more_ns;
    model->now_costs.merge_ns += (uint32_t)more_ns;
}

static void
begin_pass(KsmModel *model)
{
    if (model->knobs.advisor == 1)
        model->advisor.began_ns = model->ksmd_ns;
    model->pass++;
    price(model);
    spend(model, model->costs.pass_ns);
    enter_process(model, model->head.next);
}

/* How the kernel's advisor finds pages_to_scan at the end of a pass. */
static void
advise(KsmModel *model)
{
    Advisor *advisor = &model->advisor;
    uint64_t pages = model->knobs.pages_to_scan;
    uint64_t time_s = max_u64((model->ksmd_ns - advisor->began_ns) / NS_PER_S, 1);
    uint64_t cpu_ms = (model->cpu_ns - advisor->cpu_ns) / NS_PER_MS;
    uint64_t cpu_percent = max_u64(cpu_ms * 100 / (time_s * 1000), 1);
    uint64_t last_s = advisor->time_s > 0 ? advisor->time_s : time_s;
    uint64_t factor = max_u64(ADVISOR_TARGET_S * 100 / time_s, 1);
    uint64_t change = max_u64(time_s * 100 / last_s, 1);
    uint64_t per_percent = max_u64(pages / cpu_percent, 1);

    change = ((100 - ADVISOR_NEW_PERCENT) * advisor->change + ADVISOR_NEW_PERCENT * change) / 100;
    pages = pages * 100 / factor * change / 100;
    pages = min_u64(pages, per_percent * ADVISOR_MAX_CPU);
    pages = max_u64(pages, per_percent * ADVISOR_MIN_CPU);
    model->knobs.pages_to_scan = min_u64(pages, ADVISOR_MAX_PAGES);
    advisor->change = change;
    advisor->time_s = time_s;
    advisor->cpu_ns = model->cpu_ns;
}

static void
end_pass(KsmModel *model)
{
    if (model->knobs.advisor == 1)
        advise(model);
    enter_process(model, &model->head);
    model->scans++;
}

static void
leave_process(KsmModel *model, Process *process)
{
    spend(model, model->costs.process_ns);
    enter_process(model, process->next);
    if (!process->exited)
        return;
    spend(model, model->costs.drop_ns * memory_drop(model, process));
    ksmd_forget(model, process);
}

/* What comes next; false: the pass has ended. */
static bool
next_step(KsmModel *model, Step *ret_step)
{
    if (model->cursor == &model->head && model->head.next != &model->head)
        begin_pass(model);
    while (model->cursor != &model->head) {
        Process *process = model->cursor;
        Region *region = &process->regions[model->region];
        uint64_t age_us = (model->ksmd_ns - process->began_ns) / NS_PER_US;

        if (process->exited || model->region == process->n) {
            leave_process(model, process);
        } else if (model->page >= memory_refresh(region, age_us)) {
            model->region++;
            model->page = 0;
        } else {
            *ret_step = visit_look(model, process, region);
            return true;
        }
    }
    end_pass(model);
    return false;
}

/* --- batches ------------------------------------------------------------------------------ */

static void
end_batch(KsmModel *model)
{
    uint64_t jiffies = (model->knobs.sleep_ms + JIFFY_MS - 1) / JIFFY_MS;

    model->state = KSMD_READY;
    if (is_known(model->pending_run)) {
        model->waited_ns = max_u64(model->waited_ns, sat_sub(model->ksmd_ns, model->pending_ns));
        ksmd_take_run(model, model->pending_run);
        model->pending_run = VALUE_UNKNOWN;
    }
    if (!ksmd_should_run(model)) {
        model->state = KSMD_WAITS;
    } else if (jiffies > 0) {
        model->state = KSMD_SLEEPS;
        model->slept_ms = model->knobs.sleep_ms;
        /* The jiffy under way does not count. */
        model->wake_ns = (model->ksmd_ns / JIFFY_NS + jiffies + 1) * JIFFY_NS;
    }
}

/* Time from one batch to the next, when each takes so long and the first begins with a jiffy. */
static uint64_t
period_ns(const KsmModel *model, uint64_t batch_ns)
{
    uint64_t jiffies = (model->knobs.sleep_ms + JIFFY_MS - 1) / JIFFY_MS;

    return jiffies == 0 ? batch_ns : (batch_ns / JIFFY_NS + jiffies + 1) * JIFFY_NS;
}

/* Whole batches over pages that are alike, with their pauses; false: there are not several. */
static bool
work_in_bulk(KsmModel *model, const Step *step, uint64_t until_ns)
{
    uint64_t pages = model->knobs.pages_to_scan;
    uint64_t batch_ns = pages * step->cost_ns;
    uint64_t period = period_ns(model, batch_ns);
    uint64_t batches;

    if (!step->counted || pages == 0 || model->batch_left != pages ||
        is_known(model->pending_run) || model->ksmd_ns % JIFFY_NS * model->knobs.sleep_ms != 0)
        return false;
    batches = min_u64(step->pages / pages, sat_sub(until_ns, model->ksmd_ns) / period);
    if (batches < 2)
        return false;
    visit_apply(model, step, batches * pages);
    model->cpu_ns += batches * batch_ns;
    model->ksmd_ns += batches * period;
    model->state = KSMD_READY;
    return true;
}

static void
work(KsmModel *model, uint64_t until_ns)
{
    uint64_t pages;
    Step step;

    if (model->batch_left == 0 || !next_step(model, &step)) {
        end_batch(model);
        return;
    }
    if (work_in_bulk(model, &step, until_ns))
        return;
    pages = min_u64(step.pages, sat_sub(until_ns, model->ksmd_ns) / step.cost_ns + 1);
    if (step.counted)
        pages = min_u64(pages, model->batch_left);
    visit_apply(model, &step, pages);
    spend(model, pages * step.cost_ns);
    if (step.counted)
        model->batch_left -= pages;
}

static void
begin_batch(KsmModel *model)
{
    if (!ksmd_should_run(model)) {
        model->state = KSMD_WAITS;
        return;
    }
    model->batch_left = model->knobs.pages_to_scan;
    model->state = KSMD_WORKS;
    if (model->batch_left == 0)
        spend(model, EMPTY_BATCH_NS);
}

void
ksm_model_run(KsmModel *model, uint64_t until_us)
{
    uint64_t until_ns = until_us * NS_PER_US;

    while (model->ksmd_ns < until_ns && model->state != KSMD_WAITS) {
        if (model->state == KSMD_WORKS) {
            work(model, until_ns);
        } else if (model->state == KSMD_READY) {
            begin_batch(model);
        } else if (model->wake_ns <= until_ns) {
            model->ksmd_ns = max_u64(model->ksmd_ns, model->wake_ns);
            model->state = KSMD_READY;
        } else {
            break;
        }
    }
    model->now_ns = max_u64(model->now_ns, until_ns);
}
