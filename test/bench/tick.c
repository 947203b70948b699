/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tick.c - what a tick costs with everything on, by number of domains
 *
 * usage: tick [TURNS]     ticks of each number of domains; 24 by default
 *
 * For each number there is an agent with everything on, on a fabricated host (fullhost.h). Hosts
 * are tight, critical and calm in turn, guests idle or short in turn, so that there is something to
 * decide and to carry out in each tick. libvirt does what it is asked for between ticks. Ten
 * seconds pass between two turns.
 *
 * The numbers take turns, so that whatever else the machine does disturbs all alike, and what is
 * printed is the middle of each number's ticks: a full tick in CPU time and in time of the loop,
 * which waits for the disk where something is put on record; an event's tick, which moves KSM
 * alone; and policy alone. Files are plain files: what the kernel needs to make them up is not in
 * it.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "test/bench/fullhost.h"
#include "test/support/fakehost.h"
#include "test/support/skipclock.h"

#define TURN_US   INT64_C(10000000)
#define TURNS     24
#define TURNS_MAX 1000
#define HOSTS     G_N_ELEMENTS(numbers)

static const int numbers[] = { 1, 10, 100, 1000 };

/* One number of domains. */
typedef struct {
    int n;
    FullHost full;     /* owned */
    double *cpu_us;    /* owned; of each full tick */
    double *loop_us;   /* owned; the same */
    double *event_us;  /* owned; of an event's tick */
    double *policy_us; /* owned; of policy alone */
} Host;

/* --- hosts -------------------------------------------------------------------------------- */

static void
open_host(Host *host, int n, guint turns)
{
    fullhost_open(&host->full);
    host->n = n;
    host->cpu_us = g_new0(double, turns);
    host->loop_us = g_new0(double, turns);
    host->event_us = g_new0(double, turns);
    host->policy_us = g_new0(double, turns);
    for (int i = 0; i < n; i++) {
        g_autofree char *uuid = fakehost_uuid(i);
        g_autofree char *name = g_strdup_printf("domain%d", i);

        fullhost_write(&host->full, i);
        fullhost_know(domain_table_add(&host->full.agent->domains, uuid, name, i + 1, 1));
    }
}

static void
close_host(Host *host)
{
    g_free(host->cpu_us);
    g_free(host->loop_us);
    g_free(host->event_us);
    g_free(host->policy_us);
    fullhost_close(&host->full);
}

/* --- measurements --------------------------------------------------------------------------- */

static double
clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Nothing else is to happen while another host has its turn. */
static void
stop_ticking(Agent *agent)
{
    g_clear_handle_id(&agent->tick.timer, g_source_remove);
}

static void
full_tick(Host *host, double *ret_cpu_us, double *ret_loop_us)
{
    uint64_t before = host->full.agent->tick.count;
    double cpu_us;
    double loop_us;

    while (g_main_context_iteration(NULL, FALSE)) /* threads have brought something */
        continue;
    cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
    loop_us = clock_us(CLOCK_MONOTONIC);
    tick_want(host->full.agent, 0);
    while (host->full.agent->tick.count == before)
        g_main_context_iteration(NULL, TRUE);
    *ret_cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu_us;
    *ret_loop_us = clock_us(CLOCK_MONOTONIC) - loop_us;
    stop_ticking(host->full.agent);
}

static double
event_tick_us(Host *host)
{
    double begin_us = clock_us(CLOCK_THREAD_CPUTIME_ID);

    host->full.agent->tick.triggers++;
    tick_decide(host->full.agent);
    return clock_us(CLOCK_THREAD_CPUTIME_ID) - begin_us;
}

/* The last decision once more, on a copy of what policy remembers. */
static double
policy_tick_us(const Host *host)
{
    const Agent *agent = host->full.agent;
    const Tick *tick = &agent->tick;
    Sample sample = { agent->host, (const DomainSample *)(gpointer)tick->samples->data,
                      tick->samples->len };
    g_autofree DomainTrack *tracks =
        g_memdup2(tick->tracks->data, tick->tracks->len * sizeof(DomainTrack));
    g_autofree DomainPlan *plans = g_new(DomainPlan, tick->plans->len);
    PolicyState state = agent->policy;
    Plan plan = { .domains = plans };
    double begin_us;

    state.domains = tracks;
    sample.host.is_quick = false;
    sample.host.now_us += G_USEC_PER_SEC;
    begin_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
    policy_decide(&agent->conf->policy, &sample, &state, &plan);
    return clock_us(CLOCK_THREAD_CPUTIME_ID) - begin_us;
}

static void
turn_host(Host *host, guint turn)
{
    static const unsigned available_percent[] = { 8, 3, 8, 40 };

    fullhost_obey(&host->full);
    fullhost_tell(&host->full, turn);
    fullhost_set_available(&host->full, host->n,
                           available_percent[turn % G_N_ELEMENTS(available_percent)]);
}

static void
take_turn(Host *host, guint turn)
{
    turn_host(host, turn);
    full_tick(host, &host->cpu_us[turn], &host->loop_us[turn]);
    host->policy_us[turn] = policy_tick_us(host);
    host->event_us[turn] = event_tick_us(host);
    stop_ticking(host->full.agent);
}

static int
compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

static double
middle_ms(double *us, guint turns)
{
    qsort(us, turns, sizeof(*us), compare);
    return us[turns / 2] / 1000;
}

static void
print_row(Host *host, guint turns, double *last_ms)
{
    double cpu_ms = middle_ms(host->cpu_us, turns);

    printf("%7d %10.3f %10.3f %10.3f %10.3f %10.1f", host->n, cpu_ms,
           middle_ms(host->loop_us, turns), middle_ms(host->event_us, turns),
           middle_ms(host->policy_us, turns), cpu_ms * 1000 / host->n);
    if (*last_ms > 0)
        printf(" %8.1f", cpu_ms / *last_ms);
    else
        printf(" %8s", "");
    printf(" %10.1f\n", (double)host->full.orders / turns);
    *last_ms = cpu_ms;
}

int
main(int argc, char **argv)
{
    guint turns = argc > 1 ? (guint)g_ascii_strtoull(argv[1], NULL, 10) : TURNS;
    Host hosts[HOSTS] = { 0 };
    double last_ms = 0;

    if (turns == 0 || turns > TURNS_MAX || argc > 2) {
        fprintf(stderr, "usage: %s [TURNS]\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; i < HOSTS; i++)
        open_host(&hosts[i], numbers[i], turns);
    for (guint turn = 0; turn < turns; turn++) {
        for (size_t i = 0; i < HOSTS; i++)
            take_turn(&hosts[i], turn);
        skipclock_pass(TURN_US);
    }
    printf("%7s %10s %10s %10s %10s %10s %8s %10s\n", "domains", "CPU ms", "loop ms", "event ms",
           "policy ms", "us/domain", "growth", "orders");
    for (size_t i = 0; i < HOSTS; i++) {
        print_row(&hosts[i], turns, &last_ms);
        close_host(&hosts[i]);
    }
    return 0;
}
