/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_model.c - the files of KSM: what is written to them, and what they show
 *
 * ksmd.c says what is modelled and what is not.
 *
 * Source: mm/ksm.c of Linux 6.18: run_store(), sleep_millisecs_store(), advisor_mode_store(),
 * __ksm_enter(), __ksm_exit().
 */
#include "test/sim/ksm_internal.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_US UINT64_C(1000)

/* The kernel's defaults. */
#define DEFAULT_PAGES    100
#define DEFAULT_SLEEP_MS 20
/* pages_to_scan when the advisor goes on. */
#define ADVISOR_FIRST_PAGES 500

const KsmCosts ksm_costs = {
    .checksum_ns = 1050,
    .alone_ns = 5200,
    .merge_ns = 4700,
    .level_ns = 880,
    .level_pages = 262144,
    .zero_ns = 1650,
    .merged_ns = 170,
    .skipped_ns = 110,
    .placed_zero_ns = 5,
    .drop_ns = 150,
    .process_ns = 1000,
    .pass_ns = 20000,
};

KsmModel *
ksm_model_new(const KsmCosts *costs, uint64_t begin_us)
{
    KsmModel *model = calloc(1, sizeof(*model));

    if (!model)
        abort();
    model->costs = costs ? *costs : ksm_costs;
    model->now_costs = model->costs;
    model->now_ns = begin_us * NS_PER_US;
    model->ksmd_ns = model->now_ns;
    model->pending_run = VALUE_UNKNOWN;
    model->head.next = &model->head;
    model->head.previous = &model->head;
    model->cursor = &model->head;
    model->knobs = (KsmKnobs){
        .run = KSM_RUN_STOP,
        .pages_to_scan = DEFAULT_PAGES,
        .sleep_ms = DEFAULT_SLEEP_MS,
        .advisor = 0,
        .smart_scan = 1,
        .use_zero_pages = 0,
    };
    return model;
}

void
ksm_model_free(KsmModel *model)
{
    for (size_t i = 0; i < model->process_count; i++)
        if (model->processes[i])
            memory_free(model->processes[i]);
    for (size_t i = 0; i < model->group_count; i++) {
        spans_done(&model->groups[i].stable);
        free(model->groups[i].guesses);
    }
    free(model->processes);
    free(model->groups);
    free(model);
}

/* --- the list of processes ---------------------------------------------------------------- */

static void
list_insert(Process *process, Process *before)
{
    process->next = before;
    process->previous = before->previous;
    before->previous->next = process;
    before->previous = process;
    process->listed = true;
}

static void
list_remove(Process *process)
{
    process->previous->next = process->next;
    process->next->previous = process->previous;
    process->listed = false;
}

bool
ksmd_should_run(const KsmModel *model)
{
    return model->knobs.run == KSM_RUN_MERGE && model->head.next != &model->head;
}

void
ksmd_wake_waiting(KsmModel *model)
{
    if (model->state != KSMD_WAITS || !ksmd_should_run(model))
        return;
    model->state = KSMD_READY;
    model->ksmd_ns = max_u64(model->ksmd_ns, model->now_ns);
}

uint32_t
ksm_model_start(KsmModel *model, const KsmRegion *regions, size_t n)
{
    Process *process = memory_start(model, regions, n);

    for (size_t i = 0; i < n; i++)
        memory_group(model, regions[i].group);
    list_insert(process, model->cursor); /* behind the cursor: right before it, in its direction */
    ksmd_wake_waiting(model);
    return process->number;
}

/* Its address space is gone: what the kernel's zero page was in it is nothing any more. */
static void
lose_zero_pages(KsmModel *model, Process *process)
{
    for (size_t r = 0; r < process->n; r++) {
        Region *region = &process->regions[r];

        for (size_t i = region->n; i-- > 0;) {
            Run run = region->runs[i];

            run.place = PLACE_NONE;
            if (region->runs[i].place == PLACE_ZERO)
                memory_change(model, process, region, i, run.pages, &run);
        }
    }
}

void
ksmd_forget(KsmModel *model, Process *process)
{
    model->processes[process->number] = NULL;
    visit_forget(model, process);
    list_remove(process);
    memory_free(process);
}

void
ksm_model_exit(KsmModel *model, uint32_t number)
{
    Process *process = model->processes[number];

    process->exited = true;
    lose_zero_pages(model, process);
    if (model->cursor == process)
        return;
    if (process->items == 0) {
        memory_drop(model, process);
        ksmd_forget(model, process);
        return;
    }
    list_remove(process);
    list_insert(process, model->cursor->next);
}

/* --- the files ---------------------------------------------------------------------------- */

KsmKnobs
ksm_model_knobs(const KsmModel *model)
{
    return model->knobs;
}

/* run = 2: every page gets its own copy again, and everything begins anew. */
static void
unmerge(KsmModel *model)
{
    Process *next;

    for (Process *process = model->head.next; process != &model->head; process = next) {
        next = process->next;
        memory_drop(model, process);
        if (process->exited)
            ksmd_forget(model, process);
    }
    model->cursor = &model->head;
    model->region = 0;
    model->page = 0;
    model->pass++;
    model->scans = 0;
}

void
ksmd_take_run(KsmModel *model, uint64_t run)
{
    if (model->knobs.run == run)
        return;
    model->knobs.run = run;
    if (run == KSM_RUN_UNMERGE)
        unmerge(model);
    ksmd_wake_waiting(model);
}

static void
write_run(KsmModel *model, uint64_t run)
{
    if (model->state != KSMD_WORKS) {
        ksmd_take_run(model, run);
    } else if (model->knobs.run != run || is_known(model->pending_run)) {
        model->pending_run = run;
        model->pending_ns = model->now_ns;
    }
}

static void
write_sleep(KsmModel *model, uint64_t sleep_ms)
{
    model->knobs.sleep_ms = sleep_ms;
    if (model->state == KSMD_SLEEPS && sleep_ms != model->slept_ms) {
        model->state = KSMD_READY;
        model->ksmd_ns = max_u64(model->ksmd_ns, model->now_ns);
    }
}

static void
write_advisor(KsmModel *model, uint64_t advisor)
{
    if (model->knobs.advisor == advisor)
        return;
    model->knobs.advisor = advisor;
    model->knobs.pages_to_scan = advisor == 1 ? ADVISOR_FIRST_PAGES : DEFAULT_PAGES;
    if (advisor == 1)
        model->advisor = (Advisor){ 0 };
}

void
ksm_model_write(KsmModel *model, const KsmKnobs *wanted)
{
    if (wanted->advisor == 0)
        write_advisor(model, 0);
    if (is_known(wanted->smart_scan))
        model->knobs.smart_scan = wanted->smart_scan;
    if (is_known(wanted->use_zero_pages))
        model->knobs.use_zero_pages = wanted->use_zero_pages;
    if (is_known(wanted->pages_to_scan) && model->knobs.advisor != 1)
        model->knobs.pages_to_scan = wanted->pages_to_scan;
    if (is_known(wanted->sleep_ms) && wanted->sleep_ms != model->knobs.sleep_ms)
        write_sleep(model, wanted->sleep_ms);
    if (is_known(wanted->run))
        write_run(model, wanted->run);
    if (wanted->advisor == 1)
        write_advisor(model, 1);
}

/* --- what the files show ------------------------------------------------------------------ */

uint64_t
ksm_model_now_us(const KsmModel *model)
{
    return model->now_ns / NS_PER_US;
}

uint64_t
ksm_model_run_wait_us(const KsmModel *model)
{
    return model->waited_ns / NS_PER_US;
}

uint64_t
ksm_model_cpu_us(const KsmModel *model)
{
    return model->cpu_ns / NS_PER_US;
}

uint64_t
ksm_model_saved_pages(const KsmModel *model)
{
    return model->copies - model->nodes + model->zeros;
}

KsmCounters
ksm_model_counters(const KsmModel *model)
{
    uint64_t saved_bytes = ksm_model_saved_pages(model) * KSM_MODEL_PAGE_BYTES;

    return (KsmCounters){
        .full_scans = model->scans,
        .pages_shared = model->nodes,
        .pages_sharing = model->copies - model->nodes,
        .pages_unshared = model->unshared,
        .pages_volatile = sat_sub(model->items, model->copies + model->unshared),
        .ksm_zero_pages = model->zeros,
        .pages_scanned = model->scanned,
        .pages_skipped = model->skipped,
        .general_profit = saved_bytes - model->items * 64, /* sizeof(struct ksm_rmap_item) */
        .merge_across_nodes = 1,
    };
}

KsmProcess
ksm_model_process(const KsmModel *model, uint32_t number)
{
    const Process *process = model->processes[number];
    uint64_t age_us = (model->now_ns - process->began_ns) / NS_PER_US;
    bool is_whole = age_us >= process->whole_us;
    uint64_t pages = is_whole ? process->pages : 0;

    for (size_t r = 0; !is_whole && r < process->n; r++)
        pages += memory_present(&process->regions[r].like, age_us);
    return (KsmProcess){
        .resident_pages = pages - process->zeros,
        .merging_pages = process->merging,
        .rmap_items = process->items,
        .zero_pages = process->zeros,
    };
}
