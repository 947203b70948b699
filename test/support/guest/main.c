/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - a guest whose memory is known to the page
 *
 * Tests need domains that start in about a second, even under software emulation, and whose
 * content is exactly what the test ordered. This one is loaded by QEMU as a multiboot kernel. Its
 * command line has words NAME=NUMBER:
 *
 *   common=MIB    content that every guest has alike
 *   unique=MIB    content that depends on seed=, so guests of the same seed have it alike
 *   zero=MIB      zeros, written
 *   volatile=MIB  rewritten for ever, rate=PAGES per second (default 1000), in 18 portions a second
 *   churn=MIB     rewritten for ever, too, churnrate=PAGES per second (default 1000), but with what
 *                 every guest writes there in the same round
 *   loads=MIB     loaded from at random, without a pause (loads.h)
 *   free=MIB      written once and then free, as after a program that ended; the balloon gets it
 *   seed=N        1 to 2047, default 1
 *   delay=SECONDS before anything is written
 *   late=SECONDS  after READY: unique becomes content that every guest has alike
 *   split=SECONDS after READY: common becomes content of this seed alone
 *   probe=SECONDS so often: how long it takes to write to a page of common, and of unique
 *   balloon=0     leave the balloon device alone, as a guest without driver does
 *   work=MIB      what a program needs that is busy for busy=SECONDS (default 10) of each
 *                 period=SECONDS (default 30), having begun shift=SECONDS before the guest
 *   calm=MIB      what it needs otherwise
 *   growrate=     PAGES per second that the program takes, any free ones (default 4096)
 *   workrate=     PAGES per second of its own that it writes to (default 20000)
 *   moods=N       not 0: what it needs, and how fast, changes at random, by these dice (mood.h);
 *                 calm= is the least that it needs, work= the most
 *
 * The regions follow each other in this order from 4 MiB on, free= at the end of memory, and what
 * is left between them is never touched. READY on the first serial port says that all is written,
 * LATE and SPLIT that the change is done, WORK how far the program is (work.h), LOADS how long the
 * loads take, PROBE what was found out (probe.h). Seconds are counted by a timer of the guest: a
 * busy host may stretch them.
 *
 * Source: Multiboot Specification 0.6.96, 3.3
 */
#include "test/support/guest/balloon.h"
#include "test/support/guest/content.h"
#include "test/support/guest/loads.h"
#include "test/support/guest/machine.h"
#include "test/support/guest/pace.h"
#include "test/support/guest/parameter.h"
#include "test/support/guest/probe.h"
#include "test/support/guest/work.h"

#include <stddef.h>

void guest_main(uint32_t magic, const uint32_t *info);

enum {
    MULTIBOOT_LOADED = 0x2BADB002,
    INFO_FLAGS = 0, /* indices into the loader's information */
    INFO_UPPER_KIB = 2,
    INFO_COMMAND_LINE = 4,
    INFO_HAS_MEMORY = 1 << 0,
    INFO_HAS_COMMAND_LINE = 1 << 2,

    FIRST_PAGE = 4 * PAGES_PER_MIB,
    REGION_PAGES_MAX = 1 << 19,     /* half of a seed's stream of pages */
    INDEX_LATER = REGION_PAGES_MAX, /* the other half is for later content */
    RATE_DEFAULT = 1000,
};

/* Something that happens once, some time after READY. */
struct Change {
    uint32_t due_ticks;    /* 0: never, or done */
    struct Region *region; /* what is rewritten */
    uint32_t seed;         /* with which content */
    const char *message;   /* for the console */
};

struct Guest {
    const char *line;     /* command line */
    uint32_t end_page;    /* of memory */
    struct Region common; /* and so on: as the parameters of that name */
    struct Region unique;
    struct Region zero;
    struct Region vola; /* "volatile" is a word of C */
    struct Region churn;
    struct Region chain;
    struct Region free;
    uint32_t used_end; /* page behind the regions that stay in use */
    uint32_t seed;
    struct Pace stir;   /* of the volatile pages */
    struct Pace turn;   /* of the churn */
    struct Stock stock; /* pages that the regions do not use */
    struct Work work;
    struct Loads loads; /* from the chain */
    struct Change late;
    struct Change split;
    struct Probe probe;
    bool has_balloon;
};

static struct Guest guest;

static uint32_t
ticks_from_seconds(uint32_t seconds)
{
    return seconds * TICKS_PER_10_SECONDS / 10;
}

static void
die(const char *why)
{
    console_print("FAILED ");
    console_print(why);
    console_print("\n");
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void
sleep_seconds(uint32_t seconds)
{
    machine_run_timer(true);
    while (machine_ticks() < ticks_from_seconds(seconds))
        machine_wait();
    machine_run_timer(false);
}

static struct Region
take(uint32_t *next_page, const char *name)
{
    struct Region region = { *next_page, parameter(guest.line, name, 0) * PAGES_PER_MIB };

    if (region.pages > REGION_PAGES_MAX || *next_page + region.pages > guest.end_page)
        die("more content than memory");
    *next_page += region.pages;
    return region;
}

static void
plan_memory(void)
{
    uint32_t next_page = FIRST_PAGE;

    guest.common = take(&next_page, "common");
    guest.unique = take(&next_page, "unique");
    guest.zero = take(&next_page, "zero");
    guest.vola = take(&next_page, "volatile");
    guest.churn = take(&next_page, "churn");
    guest.chain = take(&next_page, "loads");
    guest.used_end = next_page;
    guest.free = take(&next_page, "free");
    guest.free.first_page = guest.end_page - guest.free.pages;
    guest.seed = parameter(guest.line, "seed", 1);
    if (guest.seed == SEED_COMMON || guest.seed > SEED_OWN_MAX)
        die("seed out of range");
}

static void
fill_memory(void)
{
    content_fill(&guest.common, SEED_COMMON, 0);
    content_fill(&guest.unique, guest.seed, 0);
    content_clear(&guest.zero);
    content_turn(&guest.churn, guest.churn.pages, &guest.turn.cursor);
    content_fill(&guest.vola, guest.seed + SEED_FREE, INDEX_LATER);
    content_fill(&guest.free, guest.seed + SEED_FREE, 0);
    loads_plan(&guest.loads, &guest.chain, guest.seed);
}

/* Untouched memory is free as well; the balloon takes it after the free pages that have content. */
static bool
offer_free_pages(void)
{
    struct Region spare = { guest.used_end, guest.end_page - guest.used_end };

    stock_init(&guest.stock, &spare, guest.work.busy_pages > 0);
    return parameter(guest.line, "balloon", 1) && balloon_init(&guest.stock, guest.end_page);
}

static void
plan_change(struct Change *change, const char *name)
{
    uint32_t seconds = parameter(guest.line, name, 0);

    if (seconds > 0)
        change->due_ticks = machine_ticks() + ticks_from_seconds(seconds);
}

static void
make_change(struct Change *change)
{
    if (change->due_ticks == 0 || machine_ticks() < change->due_ticks)
        return;
    change->due_ticks = 0;
    content_fill(change->region, change->seed, INDEX_LATER);
    console_print(change->message);
}

static void
plan_changes(void)
{
    pace_set(&guest.stir, guest.line, "rate", RATE_DEFAULT);
    pace_set(&guest.turn, guest.line, "churnrate", RATE_DEFAULT);
    guest.late = (struct Change){ 0, &guest.unique, SEED_COMMON, "LATE\n" };
    guest.split = (struct Change){ 0, &guest.common, guest.seed, "SPLIT\n" };
    plan_change(&guest.late, "late");
    plan_change(&guest.split, "split");
    probe_plan(&guest.probe, guest.line);
}

static void
live(void)
{
    for (;;) {
        bool needs_time = guest.vola.pages > 0 || guest.churn.pages > 0 || guest.late.due_ticks ||
                          guest.split.due_ticks || guest.work.busy_pages > 0 ||
                          guest.loads.pages > 0 || guest.probe.period_ticks > 0;

        machine_run_timer(needs_time);
        machine_wait();
        if (guest.has_balloon)
            balloon_serve();
        make_change(&guest.late);
        make_change(&guest.split);
        if (guest.vola.pages > 0)
            content_stir(&guest.vola, pace_due(&guest.stir), &guest.stir.cursor);
        if (guest.churn.pages > 0)
            content_turn(&guest.churn, pace_due(&guest.turn), &guest.turn.cursor);
        if (guest.work.busy_pages > 0)
            work_step(&guest.work, &guest.stock);
        if (guest.loads.pages > 0)
            loads_step(&guest.loads);
        probe_step(&guest.probe, &guest.common, &guest.unique);
    }
}

void
guest_main(uint32_t magic, const uint32_t *info)
{
    uint32_t needed = INFO_HAS_MEMORY | INFO_HAS_COMMAND_LINE;

    if (magic != MULTIBOOT_LOADED || (info[INFO_FLAGS] & needed) != needed)
        die("not loaded by a multiboot loader with memory size and command line");
    guest.line = (const char *)info[INFO_COMMAND_LINE];
    guest.end_page = (info[INFO_UPPER_KIB] + 1024) / 4;
    machine_init();
    if (parameter(guest.line, "delay", 0))
        sleep_seconds(parameter(guest.line, "delay", 0));
    plan_memory();
    fill_memory();
    work_plan(&guest.work, guest.line, guest.seed);
    guest.has_balloon = offer_free_pages();
    plan_changes();
    console_print("READY ");
    console_print_number(guest.end_page);
    console_print(" pages\n");
    live();
}
