/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_visit.c - what ksmd makes of the pages that it comes to
 *
 *   merged, or the kernel's zero page        nothing to do
 *   old enough, and smart_scan               passed over 1, 2, 4 or 8 times, then looked at
 *   no checksum, or not that of the content  takes it: that is all in this pass
 *   zero, and use_zero_pages                 replaced
 *   equal to a KSM page                      merged with it
 *   equal to a page seen in this pass        both become a KSM page
 *   else                                     goes to the tree of unique pages
 *
 * That tree is forgotten at the end of a pass, while the counter of what is in it goes down only
 * when ksmd comes to the page again. A page whose age is below 3 is never passed over; its age is
 * the number of looks at it while smart_scan was on, and merging it does not make it young.
 *
 * Source: mm/ksm.c of Linux 6.18: scan_get_next_rmap_item(), should_skip_rmap_item(), skip_age(),
 * cmp_and_merge_page(), unstable_tree_search_insert(), stable_tree_append().
 */
#include "test/sim/ksm_internal.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_US UINT64_C(1000)

static bool
is_fixed(const Run *run)
{
    return run->place == PLACE_STABLE || run->place == PLACE_ZERO;
}

/* Whether smart_scan passes over a page; if not, or if so, what its record says from now on. */
static bool
skip(const KsmModel *model, Run *run)
{
    uint8_t age = run->age;

    if (model->knobs.smart_scan != 1 || is_fixed(run))
        return false;
    if (run->age < AGE_MAX)
        run->age++;
    if (age < 3)
        return false;
    if (run->skips == 0) {
        run->skips = age <= 3 ? 1 : age <= 5 ? 2 : age <= 8 ? 4 : 8;
        return false;
    }
    run->skips--;
    return true;
}

/* --- the tree of unique pages ------------------------------------------------------------- */

static size_t
guess_index(const Group *group, uint64_t content)
{
    size_t low = 0;
    size_t high = group->n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (group->guesses[middle].to > content)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Remember who has these contents; there is no guess about them yet. */
static void
add_guess(Group *group, Guess guess)
{
    size_t i = guess_index(group, guess.from);

    if (i > 0 && group->guesses[i - 1].to == guess.from &&
        group->guesses[i - 1].owner == guess.owner &&
        group->guesses[i - 1].region == guess.region) {
        group->guesses[i - 1].to = guess.to;
        return;
    }
    if (group->n == group->room) {
        group->room = group->room * 2 + 8;
        group->guesses = realloc(group->guesses, group->room * sizeof(Guess));
        if (!group->guesses)
            abort();
    }
    memmove(&group->guesses[i + 1], &group->guesses[i], (group->n - i) * sizeof(Guess));
    group->guesses[i] = guess;
    group->n++;
}

void
visit_forget(KsmModel *model, const Process *process)
{
    for (size_t g = 0; g < model->group_count; g++) {
        Group *group = &model->groups[g];

        for (size_t i = 0; i < group->n; i++)
            if (group->guesses[i].owner == process)
                group->guesses[i].owner = NULL;
    }
}

/* --- looking ------------------------------------------------------------------------------ */

static Group *
group_of(KsmModel *model, const Region *region)
{
    bool zero = region->like.content == KSM_CONTENT_ZERO;
    Group *group = memory_group(model, zero ? ZERO_GROUP : region->like.group);

    if (group->pass != model->pass) {
        group->n = 0;
        group->pass = model->pass;
    }
    return group;
}

/* Whether the pages of a guess are still what they were, and alone. */
static bool
is_true(const Guess *guess, const Region *like)
{
    const Region *region;

    if (!guess->owner || guess->owner->exited)
        return false;
    region = &guess->owner->regions[guess->region];
    return region->like.content == like->like.content && region->like.group == like->like.group &&
           region->like.base <= guess->from;
}

/* Shared content with a good checksum: how many pages have the same luck, and which. */
static void
look_up(KsmModel *model, Step *step, uint64_t pages)
{
    const Region *region = step->region;
    bool zero = region->like.content == KSM_CONTENT_ZERO;
    uint64_t content = zero ? 0 : region->like.base + model->page;
    const Group *group = group_of(model, region);
    uint64_t to;
    size_t i;

    if (spans_find(&group->stable, content, &to) > 0) {
        step->visit = VISIT_JOIN;
        step->pages = zero ? pages : min_u64(pages, to - content);
        return;
    }
    i = guess_index(group, content);
    step->visit = VISIT_ALONE;
    if (i < group->n && group->guesses[i].from <= content) {
        to = min_u64(to, group->guesses[i].to);
        if (is_true(&group->guesses[i], region)) {
            step->visit = VISIT_PAIR;
            step->guess = &group->guesses[i];
        }
    } else if (i < group->n) {
        to = min_u64(to, group->guesses[i].from);
    }
    step->pages = zero ? 1 : min_u64(pages, to - content);
}

/* Of volatile pages, how many have been written since ksmd was there, in the whole. */
static uint64_t
written_bp(const KsmModel *model, const Region *region, const Run *run)
{
    uint64_t since_us = sat_sub(model->ksmd_ns, run->seen_ns) / NS_PER_US;

    if (since_us >= region->like.period_us)
        return BP_ONE;
    return mul_div(since_us, BP_ONE, region->like.period_us);
}

static void
look_deeper(KsmModel *model, Step *step, const Run *run)
{
    switch (step->region->like.content) {
    case KSM_CONTENT_VOLATILE:
        step->visit = VISIT_VOLATILE;
        break;
    case KSM_CONTENT_UNIQUE:
        step->visit = VISIT_ALONE;
        break;
    case KSM_CONTENT_ZERO:
        if (model->knobs.use_zero_pages == 1) {
            step->visit = VISIT_ZERO;
            break;
        }
        look_up(model, step, run->pages);
        break;
    default:
        look_up(model, step, run->pages);
        break;
    }
}

static uint64_t
cost_ns(const KsmModel *model, const Step *step, const Run *run)
{
    const KsmCosts *costs = &model->now_costs;
    bool zero = step->region->like.content == KSM_CONTENT_ZERO;
    uint64_t bp;

    switch (step->visit) {
    case VISIT_MERGED:
        return costs->merged_ns;
    case VISIT_PLACED:
        return costs->placed_zero_ns;
    case VISIT_SKIP:
        return costs->skipped_ns;
    case VISIT_CHECKSUM:
        return costs->checksum_ns;
    case VISIT_ZERO:
        return costs->zero_ns;
    case VISIT_ALONE:
        return costs->alone_ns;
    case VISIT_VOLATILE:
        bp = written_bp(model, step->region, run);
        return (costs->checksum_ns * bp + costs->alone_ns * (BP_ONE - bp)) / BP_ONE;
    default:
        return zero ? costs->zero_ns : costs->merge_ns;
    }
}

Step
visit_look(KsmModel *model, Process *process, Region *region)
{
    size_t i = memory_run_at(region, model->page);
    const Run *run = &region->runs[i];
    Run after = *run;
    Step step = { .process = process, .region = region, .run = i, .pages = run->pages };

    if (run->place == PLACE_STABLE)
        step.visit = VISIT_MERGED;
    else if (run->place == PLACE_ZERO)
        step.visit = VISIT_PLACED;
    else if (skip(model, &after))
        step.visit = VISIT_SKIP;
    else if (run->mark != MARK_GOOD)
        step.visit = VISIT_CHECKSUM;
    else
        look_deeper(model, &step, run);
    step.counted = step.visit != VISIT_SKIP && step.visit != VISIT_PLACED;
    step.cost_ns = max_u64(cost_ns(model, &step, run), 1);
    return step;
}

/* --- doing -------------------------------------------------------------------------------- */

/* The pages that were alone become merged too. */
static void
merge_owner(KsmModel *model, const Guess *guess, uint64_t content, uint64_t pages)
{
    Region *region = &guess->owner->regions[guess->region];
    bool zero = region->like.content == KSM_CONTENT_ZERO;
    uint64_t page = zero ? 0 : content - region->like.base;
    uint64_t end = zero ? region->there : min_u64(page + pages, region->there);

    while (page < end && pages > 0) {
        size_t i = memory_run_at(region, page);
        uint64_t part = min_u64(region->runs[i].pages, min_u64(end - page, pages));
        Run merged = region->runs[i];

        if (merged.place == PLACE_UNSTABLE && merged.mark == MARK_GOOD) {
            merged.place = PLACE_STABLE;
            memory_change(model, guess->owner, region, i, part, &merged);
            pages -= zero ? 1 : 0;
        }
        page += part;
    }
}

/* Of volatile pages, those that have not been written; parts of a page are kept for later. */
static uint64_t
unwritten(const KsmModel *model, const Step *step, uint64_t pages)
{
    uint64_t bp = BP_ONE - written_bp(model, step->region, &step->region->runs[step->run]);
    uint64_t sum = pages * bp + step->region->part_bp;

    step->region->part_bp = sum % BP_ONE;
    return min_u64(sum / BP_ONE, pages);
}

static Run
state_after(KsmModel *model, const Step *step, uint64_t pages)
{
    const Run *run = &step->region->runs[step->run];
    Run after = *run;

    skip(model, &after);
    after.unshared = 0;
    after.place = PLACE_NONE;
    if (step->visit == VISIT_SKIP)
        return after;
    after.mark = MARK_GOOD;
    if (step->region->like.content == KSM_CONTENT_VOLATILE) {
        after.seen_ns = model->ksmd_ns;
        after.pass = model->pass;
    }
    if (step->visit == VISIT_ZERO)
        after.place = PLACE_ZERO;
    else if (step->visit == VISIT_JOIN || step->visit == VISIT_PAIR)
        after.place = PLACE_STABLE;
    else if (step->visit == VISIT_ALONE)
        after.place = PLACE_UNSTABLE;
    else if (step->visit == VISIT_VOLATILE)
        after.unshared = unwritten(model, step, pages);
    return after;
}

/* The record of a page that has become the kernel's own is dropped at the next visit. */
static void
forget_placed(KsmModel *model, const Step *step, uint64_t pages)
{
    Run after = step->region->runs[step->run];

    if (after.mark == MARK_NONE)
        return;
    after.mark = MARK_NONE;
    after.age = 0;
    after.skips = 0;
    memory_change(model, step->process, step->region, step->run, pages, &after);
}

static void
note_guess(KsmModel *model, const Step *step, uint64_t pages)
{
    const Region *region = step->region;
    bool zero = region->like.content == KSM_CONTENT_ZERO;
    uint64_t from = zero ? 0 : region->like.base + model->page;
    uint64_t to = zero ? 1 : from + pages;
    Group *group;
    size_t i;

    if (region->like.content == KSM_CONTENT_UNIQUE)
        return;
    group = group_of(model, region);
    i = guess_index(group, from);
    if (i == group->n || group->guesses[i].from >= to)
        add_guess(group,
                  (Guess){ from, to, step->process, (size_t)(region - step->process->regions) });
}

void
visit_apply(KsmModel *model, const Step *step, uint64_t pages)
{
    uint64_t content = step->region->like.base + model->page;
    Guess guess = step->guess ? *step->guess : (Guess){ 0 };
    Run after;

    if (step->visit == VISIT_PLACED)
        forget_placed(model, step, pages);
    if (step->visit != VISIT_PLACED && step->visit != VISIT_MERGED) {
        after = state_after(model, step, pages);
        if (step->visit == VISIT_ALONE)
            note_guess(model, step, pages);
        memory_change(model, step->process, step->region, step->run, pages, &after);
        if (guess.owner)
            merge_owner(model, &guess, content, pages);
    }
    if (step->counted)
        model->scanned += pages;
    if (step->visit == VISIT_SKIP)
        model->skipped += pages;
    model->page += pages;
}
