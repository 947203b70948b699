/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_memory.c - the pages of processes, as runs of pages that are in the same state
 *
 * A region is a list of runs in the order of its pages. Runs are cut where something happens to a
 * part of them, and joined again when they have become alike. All counters of the model are sums
 * over runs: a change of state takes the old one out of the sums and puts the new one in.
 */
#include "test/sim/ksm_internal.h"

#include <stdlib.h>
#include <string.h>

#define US_PER_S  UINT64_C(1000000)
#define NS_PER_US 1000
/* Pages of a region come in so many steps. */
#define FILL_STEPS 64

static void *
allocate(void *old, size_t n, size_t size)
{
    void *memory = realloc(old, n * size);

    if (!memory)
        abort();
    return memory;
}

Group *
memory_group(KsmModel *model, uint32_t number)
{
    if (number >= model->group_count) {
        size_t n = (size_t)number + 1;

        model->groups = allocate(model->groups, n, sizeof(Group));
        memset(&model->groups[model->group_count], 0, (n - model->group_count) * sizeof(Group));
        for (size_t i = model->group_count; i < n; i++)
            model->groups[i].stable.most = 256; /* max_page_sharing, the kernel's default */
        model->group_count = n;
    }
    return &model->groups[number];
}

/* --- what is there ------------------------------------------------------------------------ */

uint64_t
memory_present(const KsmRegion *like, uint64_t age_us)
{
    uint64_t step = max_u64(like->pages / FILL_STEPS, 1);
    uint64_t come;

    if (age_us < like->after_us)
        return 0;
    if (like->pages_per_s == 0)
        return like->pages;
    come = mul_div(age_us - like->after_us, like->pages_per_s, US_PER_S);
    return come >= like->pages ? like->pages : come / step * step;
}

/* Time after the start of its process from which on all of a region is there. */
static uint64_t
whole_us(const KsmRegion *like)
{
    uint64_t takes_us =
        like->pages_per_s > 0 ? mul_div(like->pages, US_PER_S, like->pages_per_s) + 1 : 0;

    return like->after_us + takes_us;
}

static void
insert_run(Region *region, size_t i, Run run)
{
    if (region->n == region->room) {
        region->room = region->room * 2 + 4;
        region->runs = allocate(region->runs, region->room, sizeof(Run));
    }
    memmove(&region->runs[i + 1], &region->runs[i], (region->n - i) * sizeof(Run));
    if (i < region->n && i <= region->last)
        region->last++;
    region->runs[i] = run;
    region->n++;
}

static bool
is_alike(const Run *a, const Run *b)
{
    return a->mark == b->mark && a->place == b->place && a->age == b->age && a->skips == b->skips &&
           a->pass == b->pass;
}

/* Join a run with the one before, if they are alike; returns where it is now. */
static size_t
join(Region *region, size_t i)
{
    const Run *run = &region->runs[i];
    Run *before;

    if (i == 0 || i >= region->n || !is_alike(run - 1, run))
        return i;
    before = &region->runs[i - 1];
    if (run->pages > before->pages)
        before->seen_ns = run->seen_ns;
    if (i == region->last)
        region->last_page -= before->pages;
    if (i <= region->last)
        region->last--;
    before->pages += run->pages;
    before->unshared += run->unshared;
    region->n--;
    memmove(&region->runs[i], &region->runs[i + 1], (region->n - i) * sizeof(Run));
    return i - 1;
}

uint64_t
memory_refresh(Region *region, uint64_t age_us)
{
    uint64_t present = memory_present(&region->like, age_us);

    if (present > region->there) {
        insert_run(region, region->n, (Run){ .pages = present - region->there });
        region->there = present;
        join(region, region->n - 1);
    }
    return region->there;
}

/* Make a cut behind so many pages of a run. */
static void
split(Region *region, size_t i, uint64_t pages)
{
    Run *run = &region->runs[i];
    Run rest = *run;

    if (pages >= run->pages)
        return;
    run->unshared = mul_div(run->unshared, pages, run->pages);
    run->pages = pages;
    rest.pages -= pages;
    rest.unshared -= run->unshared;
    insert_run(region, i + 1, rest);
}

static uint64_t
begin_of(const Region *region, size_t run)
{
    bool near = region->last <= run;
    uint64_t page = near ? region->last_page : 0;

    for (size_t i = near ? region->last : 0; i < run; i++)
        page += region->runs[i].pages;
    return page;
}

size_t
memory_run_at(Region *region, uint64_t page)
{
    bool near = region->last_page <= page;
    uint64_t begin = near ? region->last_page : 0;
    size_t i = near ? region->last : 0;

    while (i < region->n && page - begin >= region->runs[i].pages)
        begin += region->runs[i++].pages;
    region->last = i;
    region->last_page = begin;
    if (page > begin) {
        split(region, i, page - begin);
        i++;
    }
    return i;
}

/* --- counters ----------------------------------------------------------------------------- */

static void
count_merged(KsmModel *model, const KsmRegion *like, uint64_t page, uint64_t pages, bool more)
{
    bool zero = like->content == KSM_CONTENT_ZERO;
    Group *group = memory_group(model, zero ? ZERO_GROUP : like->group);
    uint64_t from = zero ? 0 : like->base + page;
    int64_t delta = zero ? (int64_t)pages : 1;

    model->copies -= group->stable.copies;
    model->nodes -= group->stable.nodes;
    spans_add(&group->stable, from, zero ? 1 : from + pages, more ? delta : -delta);
    model->copies += group->stable.copies;
    model->nodes += group->stable.nodes;
}

/* Put a run into the sums, or take it out. */
static void
count(KsmModel *model, Process *process, const Region *region, size_t i, bool more)
{
    const Run *run = &region->runs[i];
    bool stable = run->place == PLACE_STABLE || run->place == PLACE_STALE;
    uint64_t sign = more ? 1 : UINT64_MAX; /* times this is plus or minus, in unsigned numbers */
    uint64_t items = run->mark != MARK_NONE ? run->pages : 0;

    model->items += sign * items;
    process->items += sign * items;
    model->unshared += sign * (run->place == PLACE_UNSTABLE ? run->pages : run->unshared);
    if (run->place == PLACE_ZERO) {
        model->zeros += sign * run->pages;
        process->zeros += sign * run->pages;
    }
    if (stable) {
        process->merging += sign * run->pages;
        count_merged(model, run->place == PLACE_STALE ? &region->was : &region->like,
                     begin_of(region, i), run->pages, more);
    }
}

void
memory_change(KsmModel *model, Process *process, Region *region, size_t run, uint64_t pages,
              const Run *to)
{
    Run *first;

    split(region, run, pages);
    first = &region->runs[run];
    pages = first->pages;
    count(model, process, region, run, false);
    *first = *to;
    first->pages = pages;
    count(model, process, region, run, true);
    run = join(region, run);
    join(region, run + 1);
}

/* --- processes ---------------------------------------------------------------------------- */

Process *
memory_start(KsmModel *model, const KsmRegion *regions, size_t n)
{
    Process *process = calloc(1, sizeof(*process));

    if (!process)
        abort();
    process->regions = calloc(n + 1, sizeof(Region));
    if (!process->regions)
        abort();
    process->n = n;
    process->began_ns = model->now_ns;
    process->number = (uint32_t)model->process_count;
    for (size_t i = 0; i < n; i++) {
        process->regions[i].like = regions[i];
        process->pages += regions[i].pages;
        process->whole_us = max_u64(process->whole_us, whole_us(&regions[i]));
    }
    model->processes =
        allocate(model->processes, ++model->process_count, sizeof(*model->processes));
    model->processes[process->number] = process;
    return process;
}

uint64_t
memory_drop(KsmModel *model, Process *process)
{
    uint64_t items = process->items;

    for (size_t r = 0; r < process->n; r++) {
        Region *region = &process->regions[r];

        for (size_t i = 0; i < region->n; i++)
            count(model, process, region, i, false);
        region->n = 0;
        region->last = 0;
        region->last_page = 0;
        region->there = 0;
    }
    return items;
}

void
memory_free(Process *process)
{
    for (size_t r = 0; r < process->n; r++)
        free(process->regions[r].runs);
    free(process->regions);
    free(process);
}

/* What KSM knows of a page that has just been written to. */
static Run
written(const Run *run)
{
    Run now = *run;

    if (now.place == PLACE_STABLE)
        now.place = PLACE_STALE;
    else if (now.place == PLACE_ZERO)
        now = (Run){ .pages = run->pages };
    if (now.mark == MARK_GOOD)
        now.mark = MARK_OLD;
    now.pass = 0;
    return now;
}

void
ksm_model_rewrite(KsmModel *model, uint32_t number, size_t r, const KsmRegion *like)
{
    Process *process = model->processes[number];
    Region *region = &process->regions[r];

    memory_refresh(region, (model->now_ns - process->began_ns) / NS_PER_US);
    for (size_t i = 0; i < region->n; i++) {
        /* Written a second time before ksmd came by: what they were first is forgotten. */
        if (region->runs[i].place == PLACE_STALE) {
            count(model, process, region, i, false);
            region->runs[i].place = PLACE_NONE;
            count(model, process, region, i, true);
        }
    }
    region->was = region->like;
    for (size_t i = 0; i < region->n; i++) {
        count(model, process, region, i, false);
        region->runs[i] = written(&region->runs[i]);
        count(model, process, region, i, true);
    }
    region->like.content = like->content;
    region->like.group = like->group;
    region->like.base = like->base;
    region->like.period_us = like->period_us;
}

uint64_t
ksm_model_possible_pages(const KsmModel *model)
{
    Spans *best = calloc(model->group_count + 1, sizeof(Spans));
    uint64_t pages = 0;

    for (size_t p = 0; best && p < model->process_count; p++) {
        const Process *process = model->processes[p];

        for (size_t r = 0; process && !process->exited && r < process->n; r++) {
            const KsmRegion *like = &process->regions[r].like;
            uint64_t present =
                memory_present(like, (model->now_ns - process->began_ns) / NS_PER_US);

            if (like->content == KSM_CONTENT_SHARED && like->group < model->group_count)
                spans_add(&best[like->group], like->base, like->base + present, 1);
            else if (like->content == KSM_CONTENT_ZERO && model->knobs.use_zero_pages == 1)
                pages += present;
            else if (like->content == KSM_CONTENT_ZERO)
                spans_add(&best[ZERO_GROUP], 0, 1, (int64_t)present);
        }
    }
    for (size_t g = 0; best && g < model->group_count; g++) {
        for (size_t i = 0; i < best[g].n; i++)
            pages += (best[g].at[i].copies - (best[g].at[i].copies + 255) / 256) *
                     (best[g].at[i].to - best[g].at[i].from);
        spans_done(&best[g]);
    }
    free(best);
    return pages;
}
