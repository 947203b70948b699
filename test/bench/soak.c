/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * soak.c - days of an agent's life in minutes: nothing grows
 *
 * usage: soak [ROUNDS]     100 events and 10 full ticks each; 10000 rounds by default
 *
 * An agent with everything on (fullhost.h) and a history. Domains start, stop, change and are told
 * of twice, by dice; a second passes from event to event, so the default is eleven days. Ten times
 * on the way all domains stop, and it is told what is left: memory, descriptors, the database.
 * From the second look on, when all tables and caches have their size, memory may grow by ROOM_KIB
 * and no more. Descriptors are to be those that there were before the first domain, and the
 * database is never to be larger than it may be. This one judges: it ends with 1 if anything grows.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "agent/event.h"
#include "agent/recorder.h"
#include "test/bench/fullhost.h"
#include "test/support/dice.h"
#include "test/support/fakehost.h"
#include "test/support/skipclock.h"

#define ROUNDS          10000
#define SEED            1 /* the same life each time */
#define EVENTS          100
#define TICKS           10
#define DOMAINS         20
#define LOOKS           10
#define EVENT_US        INT64_C(1000000)
#define SAMPLE_MS       10000 /* of the recorder */
#define ROOM_KIB        4096
#define SETTLE_US       (20 * G_USEC_PER_SEC) /* at most, for what threads are still about */
#define HISTORY_MIB_MAX 16                    /* [history] size_limit, and as much for its log */

/* Of one process that lives for days. */
typedef struct {
    FullHost full;
    Dice dice;
    int id[DOMAINS];  /* libvirt's number of the start; 0: does not run */
    int last_id;      /* of any start */
    uint64_t events;  /* posted */
    uint64_t ticks;   /* full ones */
    unsigned born;    /* descriptors before the first domain */
    GString *trouble; /* owned; what has grown */
} Soak;

/* What is left when no domain runs. */
typedef struct {
    uint64_t memory_kib;
    unsigned descriptors;
    uint64_t history_kib;
} Look;

static GSourceFunc sample;
static gpointer sample_data;

guint __real_g_timeout_add(guint interval, GSourceFunc function, gpointer data);
guint __wrap_g_timeout_add(guint interval, GSourceFunc function, gpointer data);

/* The recorder is called by hand, since the loop's clock is the real one. */
guint
__wrap_g_timeout_add(guint interval, GSourceFunc function, gpointer data)
{
    if (interval == SAMPLE_MS && !sample) {
        sample = function;
        sample_data = data;
        interval = G_MAXINT;
    }
    return __real_g_timeout_add(interval, function, data);
}

/* --- a life --------------------------------------------------------------------------------- */

static void
run_loop(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

static void
post(Soak *soak, EventKind kind, int number)
{
    g_autofree char *uuid = fakehost_uuid(number);
    g_autofree char *name = g_strdup_printf("domain%d", number);
    const Event event = { .kind = kind,
                          .source = "libvirt",
                          .uuid = kind == EVENT_KICK ? NULL : uuid,
                          .name = kind == EVENT_KICK ? NULL : name,
                          .id = soak->id[number],
                          .scan = kind == EVENT_KICK };
    Domain *domain;

    event_post(soak->full.agent, &event);
    soak->events++;
    domain = domain_table_get(&soak->full.agent->domains, uuid);
    if (domain && kind == EVENT_CREATED)
        fullhost_know(domain);
}

/* Something happens; half of it is a start or an end. */
static void
live(Soak *soak)
{
    int number = (int)dice_below(&soak->dice, DOMAINS);

    skipclock_pass(EVENT_US);
    switch (dice_below(&soak->dice, 8)) {
    case 0:
        post(soak, EVENT_KICK, number);
        break;
    case 1:
        post(soak, EVENT_CHANGED, number);
        break;
    case 2: /* again, or of an end that nobody has seen the start of */
        post(soak, soak->id[number] ? EVENT_CREATED : EVENT_DESTROYED, number);
        break;
    case 3:
        post(soak, EVENT_DESTROYING, number);
        break;
    default:
        if (soak->id[number] == 0) {
            soak->id[number] = ++soak->last_id;
            post(soak, EVENT_CREATED, number);
        } else {
            post(soak, EVENT_DESTROYED, number);
            soak->id[number] = 0;
        }
    }
}

static void
tick(Soak *soak)
{
    static const unsigned available_percent[] = { 8, 3, 8, 40 };
    Agent *agent = soak->full.agent;
    uint64_t before = agent->tick.count;

    fullhost_obey(&soak->full);
    fullhost_tell(&soak->full, (guint)soak->ticks);
    fullhost_set_available(&soak->full, DOMAINS,
                           available_percent[soak->ticks % G_N_ELEMENTS(available_percent)]);
    /* The timer of the last event has the loop's clock, which is far behind. */
    g_clear_handle_id(&agent->tick.timer, g_source_remove);
    tick_want(agent, 0);
    while (agent->tick.count == before || agent->host.is_quick)
        g_main_context_iteration(NULL, TRUE);
    soak->ticks++;
    if (sample)
        sample(sample_data);
    run_loop();
}

static void
live_a_round(Soak *soak)
{
    for (unsigned i = 0; i < EVENTS; i++) {
        live(soak);
        if (i % (EVENTS / TICKS) == 0)
            tick(soak);
        run_loop();
    }
}

/* --- what is left --------------------------------------------------------------------------- */

static void
stop_all(Soak *soak)
{
    for (int number = 0; number < DOMAINS; number++) {
        if (soak->id[number] == 0)
            continue;
        post(soak, EVENT_DESTROYED, number);
        soak->id[number] = 0;
    }
    tick(soak);
}

static uint64_t
own_memory_kib(void)
{
    g_autofree char *text = NULL;
    const char *line;

    if (!g_file_get_contents("/proc/self/status", &text, NULL, NULL))
        abort();
    line = strstr(text, "RssAnon:");
    return line ? g_ascii_strtoull(line + strlen("RssAnon:"), NULL, 10) : 0;
}

static unsigned
count_descriptors(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    unsigned n = 0;

    while (dir && g_dir_read_name(dir))
        n++;
    return n;
}

/* Threads close what they have open. Return: descriptors that are left. */
static unsigned
settle(unsigned enough)
{
    gint64 end_us = g_get_monotonic_time() + SETTLE_US;
    unsigned n;

    while ((n = count_descriptors()) > enough && g_get_monotonic_time() < end_us) {
        run_loop();
        g_usleep(1000);
    }
    return n;
}

static uint64_t
history_kib(const Agent *agent)
{
    g_autoptr(GDir) dir = g_dir_open(agent->options.state_dir, 0, NULL);
    uint64_t bytes = 0;
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(agent->options.state_dir, name, NULL);
        GStatBuf st;

        if (g_stat(path, &st) == 0)
            bytes += (uint64_t)st.st_size;
    }
    return bytes / 1024;
}

static Look
look(Soak *soak)
{
    Look seen;

    stop_all(soak);
    seen.descriptors = settle(soak->born);
    seen.memory_kib = own_memory_kib();
    seen.history_kib = history_kib(soak->full.agent);
    printf("%10" PRIu64 " %9" PRIu64 " %11" PRIu64 " %12u %12" PRIu64 "\n", soak->events,
           soak->ticks, seen.memory_kib, seen.descriptors, seen.history_kib);
    fflush(stdout);
    if (seen.descriptors > soak->born)
        g_string_append_printf(soak->trouble, "%u descriptors more\n",
                               seen.descriptors - soak->born);
    if (seen.history_kib > HISTORY_MIB_MAX * 1024)
        g_string_append_printf(soak->trouble, "the history takes %" PRIu64 " KiB\n",
                               seen.history_kib);
    return seen;
}

/* --- from beginning to end ------------------------------------------------------------------ */

/* The database is opened by a thread. */
static void
await_history(const Agent *agent)
{
    gint64 end_us = g_get_monotonic_time() + SETTLE_US;

    while (agent->recorder && !recorder_status(agent->recorder).is_recording &&
           g_get_monotonic_time() < end_us) {
        run_loop();
        g_usleep(1000);
    }
}

static void
open_soak(Soak *soak, const char *state_dir)
{
    static const char *const settings[][3] = {
        { "history", "size_limit", "8" },
        { "history", "keep_minutes", "1" },
        { "history", "keep_hours", "7" },
    };
    Agent *agent;

    fullhost_open(&soak->full);
    agent = soak->full.agent;
    for (size_t i = 0; i < G_N_ELEMENTS(settings); i++)
        if (!conf_set(agent->conf, settings[i][0], settings[i][1], settings[i][2], NULL))
            abort();
    for (int number = 0; number < DOMAINS; number++)
        fullhost_write(&soak->full, number);
    agent->options.state_dir = state_dir;
    agent->recorder = recorder_open(agent);
    soak->trouble = g_string_new(NULL);
    post(soak, EVENT_KICK, 0);
    tick(soak);
    await_history(agent);
    soak->born = count_descriptors();
}

static bool
close_soak(Soak *soak)
{
    bool is_fine = soak->trouble->len == 0;

    fputs(soak->trouble->str, stderr);
    recorder_close(soak->full.agent->recorder);
    fullhost_close(&soak->full);
    g_string_free(soak->trouble, TRUE);
    return is_fine;
}

int
main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)g_ascii_strtoull(argv[1], NULL, 10) : ROUNDS;
    FakeRoot *state = fakeroot_new();
    Soak soak = { .dice = { SEED, SEED } };
    Look second = { 0 };
    Look last = { 0 };
    bool is_fine;

    if (rounds < LOOKS || argc > 2) {
        fprintf(stderr, "usage: %s [ROUNDS], %d or more\n", argv[0], LOOKS);
        return 2;
    }
    open_soak(&soak, fakeroot_path(state));
    printf("%10s %9s %11s %12s %12s\n", "events", "ticks", "memory KiB", "descriptors",
           "history KiB");
    for (unsigned i = 1; i <= LOOKS; i++) {
        for (unsigned n = rounds * (i - 1) / LOOKS; n < rounds * i / LOOKS; n++)
            live_a_round(&soak);
        last = look(&soak);
        if (i == 2)
            second = last;
    }
    if (last.memory_kib > second.memory_kib + ROOM_KIB)
        g_string_append_printf(soak.trouble, "memory has grown by %" PRIu64 " KiB\n",
                               last.memory_kib - second.memory_kib);
    is_fine = close_soak(&soak);
    fakeroot_free(state);
    return is_fine ? 0 : 1;
}
