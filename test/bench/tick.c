/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tick.c - what a tick costs with everything on, by number of domains
 *
 * usage: tick [TURNS]     ticks of each number of domains; 24 by default
 *
 * For each number there is an agent on a fabricated host of its own: domains have a process, a
 * cgroup of version 2 and a guest that tells; balloons, memory.high, statistics periods and the
 * measuring of working sets are on. Hosts are tight, critical and calm in turn, guests idle or
 * short in turn, so that there is something to decide and to carry out in each tick. libvirt is
 * played: it does at once what it is asked for, between ticks. Ten seconds pass between two turns.
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

#include "agent/reclaim.h"
#include "test/support/fakeagent.h"
#include "test/support/skipclock.h"

#define MIB       (UINT64_C(1) << 20)
#define GIB       (UINT64_C(1) << 30)
#define TURN_US   INT64_C(10000000)
#define TURNS     24
#define TURNS_MAX 1000
#define SCOPE     "machine.slice/machine-qemu\\x2d%d\\x2ddomain%d.scope"
#define GROUP     "sys/fs/cgroup/" SCOPE "/libvirt/"
#define HOSTS     G_N_ELEMENTS(numbers)

static const int numbers[] = { 1, 10, 100, 1000 };

/* A change that libvirt was asked for. */
typedef struct {
    Change change;
    ChangeDone done;
    gpointer user; /* for done */
} Asked;

/* One number of domains. */
typedef struct {
    int n;
    void *state;       /* of fakeagent.h */
    Agent *agent;      /* borrowed from it */
    GArray *asked;     /* owned; Asked */
    uint64_t orders;   /* changes that were asked for */
    double *cpu_us;    /* owned; of each full tick */
    double *loop_us;   /* owned; the same */
    double *event_us;  /* owned; of an event's tick */
    double *policy_us; /* owned; of policy alone */
} Host;

/* --- hosts -------------------------------------------------------------------------------- */

static void
write_process(FakeRoot *root, int i, const char *uuid)
{
    const int pid = 1000 + i;
    g_autofree char *dir = g_strdup_printf("proc/%d/", pid);
    g_autofree char *cmdline = g_strconcat(dir, "cmdline", NULL);
    g_autofree char *stat = g_strconcat(dir, "stat", NULL);
    g_autofree char *statm = g_strconcat(dir, "statm", NULL);
    g_autofree char *ksm = g_strconcat(dir, "ksm_stat", NULL);
    g_autofree char *cgroup = g_strconcat(dir, "cgroup", NULL);
    g_autofree char *pid_file = g_strdup_printf("run/libvirt/qemu/domain%d.pid", i);
    g_autofree char *arguments = g_strdup_printf("qemu -uuid %s", uuid);
    size_t length = strlen(arguments) + 1;

    g_strdelimit(arguments, " ", '\0');
    fakeroot_write_bytes(root, cmdline, arguments, length);
    fakeroot_write(root, stat, "%d (qemu) S 1 1 1 0 -1 4 0 0 0 0 1 2 0 0 20 0 3 0 %d 0 0\n", pid,
                   pid);
    fakeroot_write(root, statm, "300000 250000 1000 10 0 700 0\n");
    fakeroot_write(root, ksm,
                   "ksm_rmap_items 4000\nksm_zero_pages 10\nksm_merging_pages 2000\n"
                   "ksm_process_profit 8000000\n");
    fakeroot_write(root, cgroup, "0::/" SCOPE "/libvirt/emulator\n", i + 1, i);
    fakeroot_write(root, pid_file, "%d", pid);
}

static void
write_cgroup(FakeRoot *root, int i)
{
    static const FakeFile files[] = {
        { "memory.current", "1006632960\n" },
        { "memory.high", "max\n" },
        { "memory.reclaim", "" },
        { "memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\n"
                             "full avg10=0.00 avg60=0.00 avg300=0.00 total=9\n" },
        { "memory.stat", "anon 900000000\nfile 40000000\nkernel 9000000\nkernel_stack 500000\n"
                         "pagetables 4000000\npercpu 0\nsock 0\nvmalloc 0\nshmem 0\nzswap 0\n"
                         "zswapped 0\nfile_mapped 9000000\nfile_dirty 0\nfile_writeback 0\n"
                         "swapcached 0\nanon_thp 800000000\nfile_thp 0\nshmem_thp 0\n"
                         "inactive_anon 500000000\nactive_anon 400000000\n"
                         "inactive_file 30000000\nactive_file 10000000\nunevictable 0\n"
                         "slab_reclaimable 100000\nslab_unreclaimable 300000\nslab 400000\n"
                         "workingset_refault_anon 3\nworkingset_refault_file 4\n"
                         "workingset_activate_anon 0\nworkingset_activate_file 0\n"
                         "workingset_restore_anon 0\nworkingset_restore_file 0\n"
                         "workingset_nodereclaim 0\npgfault 900000\npgmajfault 12\n" },
    };

    for (size_t k = 0; k < G_N_ELEMENTS(files); k++) {
        g_autofree char *path = g_strdup_printf(GROUP "%s", i + 1, i, files[k].path);

        fakeroot_write(root, path, "%s", files[k].content);
    }
}

static void
add_domain(Host *host, int i)
{
    static const char definition[] =
        "<domain type='kvm'><name>one</name><memory unit='GiB'>1</memory>"
        "<devices><memballoon model='virtio'/></devices></domain>";
    g_autofree char *uuid = g_strdup_printf("11111111-2222-3333-4444-%012d", i);
    g_autofree char *name = g_strdup_printf("domain%d", i);
    Domain *domain = domain_table_add(&host->agent->domains, uuid, name, i + 1, 1);

    write_process(fakeagent_root(host->agent), i, uuid);
    write_cgroup(fakeagent_root(host->agent), i);
    domain->is_libvirts = true;
    domain->has_xml = domain_xml_parse(definition, strlen(definition), &domain->xml, NULL);
    domain->maximum_bytes = GIB;
    domain_set_balloon(domain, GIB);
    domain->balloon_us = 1; /* it has stood for long */
}

static bool
ask(gpointer user, const Change *change, ChangeDone done, gpointer done_user)
{
    Host *host = user;
    const Asked asked = { *change, done, done_user };

    g_array_append_val(host->asked, asked);
    host->orders++;
    return true;
}

static void
open_host(Host *host, int n, guint turns)
{
    static const char *const settings[][3] = {
        { "balloon", "enable", "yes" }, { "memory_high", "enable", "yes" },
        { "balloon", "dwell_s", "1" },  { "memory_high", "dwell_s", "1" },
        { "agent", "calm_s", "1" },
    };
    Agent *agent;

    fakeagent_setup(&host->state);
    agent = host->agent = host->state;
    host->n = n;
    host->asked = g_array_new(FALSE, TRUE, sizeof(Asked));
    host->cpu_us = g_new0(double, turns);
    host->loop_us = g_new0(double, turns);
    host->event_us = g_new0(double, turns);
    host->policy_us = g_new0(double, turns);
    for (size_t i = 0; i < G_N_ELEMENTS(settings); i++)
        if (!conf_set(agent->conf, settings[i][0], settings[i][1], settings[i][2], NULL))
            abort();
    reclaim_adopt(agent);
    agent->balloon.holds.changer = (Changer){ ask, host };
    agent->memory_high.holds.changer = (Changer){ ask, host };
    agent->stats_period.holds.changer = (Changer){ ask, host };
    fakeroot_write(fakeagent_root(agent), "sys/fs/cgroup/cgroup.controllers", "memory\n");
    for (int i = 0; i < n; i++)
        add_domain(host, i);
    measure_open(agent);
}

static void
close_host(Host *host)
{
    g_array_unref(host->asked);
    g_free(host->cpu_us);
    g_free(host->loop_us);
    g_free(host->event_us);
    g_free(host->policy_us);
    fakeagent_teardown(&host->state);
}

/* --- what happens between ticks ------------------------------------------------------------ */

static void
obey(Host *host, const Asked *asked)
{
    const Change *change = &asked->change;
    Domain *domain = domain_table_get(&host->agent->domains, change->uuid);
    const ChangeOutcome outcome = { CHANGE_DONE, change->known.wrote_bytes, NULL };

    if (change->kind == CHANGE_BALLOON)
        domain_set_balloon(domain, change->want_bytes);
    else if (change->kind == CHANGE_STATS_PERIOD)
        domain->xml.stats_period_s = (uint32_t)change->want_bytes;
    asked->done(change, &outcome, asked->user);
}

/* libvirt's figures: most guests are idle, some are short, and each is now and then. */
static void
tell(Host *host, guint turn)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, host->agent->domains.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Domain *domain = value;
        uint64_t usable_bp = (domain->key + turn) % 10 == 0 ? 200 : 6000;

        domain->stats_us = (uint64_t)g_get_monotonic_time();
        domain->guest_stats_s = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);
        domain->guest.available_bytes = domain->balloon_bytes - domain->balloon_bytes / 32;
        domain->guest.usable_bytes = domain->guest.available_bytes / 10000 * usable_bp;
        domain->guest.unused_bytes = domain->guest.usable_bytes;
        domain->guest.caches_bytes = 0;
    }
}

static void
turn_host(Host *host, guint turn)
{
    static const unsigned available_percent[] = { 8, 3, 8, 40 };
    uint64_t total_kib = (uint64_t)host->n * GIB / 1024;
    unsigned percent = available_percent[turn % G_N_ELEMENTS(available_percent)];

    for (guint i = 0; i < host->asked->len; i++)
        obey(host, &g_array_index(host->asked, Asked, i));
    g_array_set_size(host->asked, 0);
    tell(host, turn);
    fakeroot_write(fakeagent_root(host->agent), "proc/meminfo",
                   "MemTotal: %lu kB\nMemFree: %lu kB\nMemAvailable: %lu kB\nAnonPages: %lu kB\n"
                   "SwapTotal: %lu kB\nSwapFree: %lu kB\n",
                   total_kib, total_kib / 100, total_kib / 100 * percent, total_kib / 2,
                   total_kib / 4, total_kib / 5);
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
    uint64_t before = host->agent->tick.count;
    double cpu_us;
    double loop_us;

    while (g_main_context_iteration(NULL, FALSE)) /* threads have brought something */
        continue;
    cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
    loop_us = clock_us(CLOCK_MONOTONIC);
    tick_want(host->agent, 0);
    while (host->agent->tick.count == before)
        g_main_context_iteration(NULL, TRUE);
    *ret_cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu_us;
    *ret_loop_us = clock_us(CLOCK_MONOTONIC) - loop_us;
    stop_ticking(host->agent);
}

static double
event_tick_us(Host *host)
{
    double begin_us = clock_us(CLOCK_THREAD_CPUTIME_ID);

    host->agent->tick.triggers++;
    tick_decide(host->agent);
    return clock_us(CLOCK_THREAD_CPUTIME_ID) - begin_us;
}

/* The last decision once more, on a copy of what policy remembers. */
static double
policy_tick_us(const Host *host)
{
    const Agent *agent = host->agent;
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
take_turn(Host *host, guint turn)
{
    turn_host(host, turn);
    full_tick(host, &host->cpu_us[turn], &host->loop_us[turn]);
    host->policy_us[turn] = policy_tick_us(host);
    host->event_us[turn] = event_tick_us(host);
    stop_ticking(host->agent);
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
    printf(" %10.1f\n", (double)host->orders / turns);
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
