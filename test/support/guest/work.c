/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * work.c - a program that is busy now and then, and needs much memory when it is
 *
 * It takes its memory page by page at a certain pace, writes to pages of it at random at another,
 * and frees what it does not need any more at once. Where there is no free page, a kernel without
 * swap would kill it; that is counted, once for each busy time, and it goes on with what it has.
 * Instead of busy times it can have moods, see mood.h.
 *
 * Time that the guest does not get, because its pages come back from the host's swap, is time in
 * which nothing is written: work that is not done is not made up for.
 */
#include "test/support/guest/work.h"

#include "test/support/guest/machine.h"
#include "test/support/guest/parameter.h"

enum {
    WRITE_RATE = 20000,
    GROW_RATE = 4096,
    TELL_TICKS = 18,
    CONTENT_MASK = (1 << 20) - 1,
};

static uint32_t
ticks_of(const char *line, const char *name, uint32_t fallback)
{
    return parameter(line, name, fallback) * TICKS_PER_10_SECONDS / 10;
}

void
work_plan(struct Work *work, const char *line, uint32_t seed)
{
    *work = (struct Work){
        .busy_pages = parameter(line, "work", 0) * PAGES_PER_MIB,
        .calm_pages = parameter(line, "calm", 0) * PAGES_PER_MIB,
        .period_ticks = ticks_of(line, "period", 30),
        .busy_ticks = ticks_of(line, "busy", 10),
        .shift_ticks = ticks_of(line, "shift", 0),
        .seed = seed,
        .dice = seed,
        .mood.dice = parameter(line, "moods", 0),
    };
    pace_set(&work->grow, line, "growrate", GROW_RATE);
    pace_set(&work->write, line, "workrate", WRITE_RATE);
    work->mood.grow_rate = work->grow.rate;
    work->mood.write_rate = work->write.rate;
}

static void
note_failure(struct Work *work, uint32_t turn)
{
    if (work->failed_turn == turn)
        return;
    work->failed_turn = turn;
    work->failures++;
}

/* What it needs now, and, from 1 on, which time this is. */
static uint32_t
find_wanted(struct Work *work, uint32_t *ret_turn)
{
    uint32_t now = machine_ticks() + work->shift_ticks;
    uint32_t is_busy = now % work->period_ticks < work->busy_ticks;

    if (work->mood.dice == 0) {
        *ret_turn = now / work->period_ticks + 1;
        return is_busy ? work->busy_pages : work->calm_pages;
    }
    mood_step(&work->mood, work->calm_pages, work->busy_pages, &work->grow, &work->write);
    *ret_turn = work->mood.number;
    return work->mood.wanted_pages;
}

static void
fit(struct Work *work, struct Stock *stock)
{
    uint32_t turn;
    uint32_t wanted = find_wanted(work, &turn);
    uint32_t may_take = pace_due(&work->grow);

    while (stock_used(stock) > wanted)
        stock_put(stock);
    for (; stock_used(stock) < wanted && may_take > 0; may_take--) {
        struct Region page = { 0, 1 };

        if (stock->free == 0) {
            note_failure(work, turn);
            return;
        }
        page.first_page = stock_take(stock, dice_roll(&work->dice));
        content_fill(&page, work->seed, work->grow.cursor++ & CONTENT_MASK);
    }
}

static void
write_pages(struct Work *work, const struct Stock *stock)
{
    uint32_t used = stock_used(stock);
    uint32_t due = pace_due(&work->write);

    if (used == 0)
        return;
    for (uint32_t i = 0; i < due; i++) {
        struct Region page = { 0, 1 };

        page.first_page = stock_page(stock, stock->spare.pages - 1 - dice_roll(&work->dice) % used);
        content_stir(&page, 1, &work->write.cursor);
    }
    work->units += due;
}

static void
tell(struct Work *work)
{
    if (machine_ticks() - work->told_ticks < TELL_TICKS)
        return;
    work->told_ticks = machine_ticks();
    console_print("WORK ");
    console_print_number(work->units);
    console_print(" ");
    console_print_number(work->failures);
    console_print("\n");
}

void
work_step(struct Work *work, struct Stock *stock)
{
    fit(work, stock);
    write_pages(work, stock);
    tell(work);
}
