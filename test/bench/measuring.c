/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measuring.c - what measuring working sets costs, and whether those that are measured feel it
 *
 * usage: measuring [SECONDS [MIB [PAIRS]]]     20, 8 and 10 by default
 *
 * Plain processes stand in for QEMU: memory of the given size in small pages, and a few hundred
 * small mappings beside it, as QEMU has them. All is measured by the rotation as the agent uses it,
 * with the default budget and in a hurry, so that there is always more to do than it allows.
 *
 * First 1, 10 and 100 of them for some seconds each: CPU time of this whole process, as a share of
 * one CPU, is to stay at the budget, and what gives way is how often each is measured. Counted is
 * from the second half on: what a measurement costs has to be known before it can be paid for in
 * advance.
 *
 * Then one that has 16 times the memory and does nothing but load from it, each address from the
 * load before, in a random order: turns with and without measuring, in pairs whose order changes.
 * What a load takes with measuring, as a share of what it takes without, is told for the pairs.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/facts/procfile.h"
#include "agent/rotation.h"

#define MIB        ((size_t)1 << 20)
#define PAGE_BYTES ((size_t)4096)
#define MAPPINGS   300
#define SEED       7
#define MANY       100
#define PAIRS_MAX  100
/* Basis points of one CPU. */
#define BUDGET_BP 50
/* The latency loop has so many times the memory of a stand-in. */
#define LARGE 16
/* Loads that are timed together. */
#define BLOCK 4096
/* Length of a turn of the latency loop; a measurement takes one second, and one of pause. */
#define TURN_MS 4000

/* Shared with the latency loop. */
typedef struct {
    uint64_t turn;                      /* which is under way */
    uint64_t blocks[2 * PAIRS_MAX + 1]; /* done in each turn */
    uint64_t took_ns[2 * PAIRS_MAX + 1];
    uint64_t worst_ns[2 * PAIRS_MAX + 1]; /* longest of its blocks */
} Board;

typedef struct {
    Rotation *rotation;
    GHashTable *seen;      /* owned; key of a process -> moment of its last measurement */
    uint64_t measurements; /* since this was set to 0 */
} Watch;

static uint64_t
clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Of all threads of this process, user and system. */
static double
process_cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* --- what is measured --------------------------------------------------------------------- */

static void *
map(size_t bytes, int protection, int flags)
{
    void *memory = mmap(NULL, bytes, protection, flags | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

/* Memory as QEMU has it: that of the guest, and small mappings that the kernel cannot join. */
static char *
lay_out(size_t bytes)
{
    char *memory = map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (unsigned i = 0; i < MAPPINGS; i++) {
        char *small = map(2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE);

        small[0] = 1;
        mprotect(small + PAGE_BYTES, PAGE_BYTES, PROT_NONE);
    }
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    memset(memory, 1, bytes);
    return memory;
}

/* Uses an eighth of its memory now and then. */
static void
stand_in(size_t bytes)
{
    char *memory = lay_out(bytes);

    for (;;) {
        for (size_t at = 0; at < bytes / 8; at += PAGE_BYTES)
            memory[at]++;
        usleep(500000);
    }
}

/* One word in each page leads to another page: a single cycle through all, at random. */
static void
make_cycle(char *memory, size_t pages)
{
    g_autofree uint32_t *order = g_new(uint32_t, pages);
    g_autoptr(GRand) dice = g_rand_new_with_seed(SEED);

    for (size_t i = 0; i < pages; i++)
        order[i] = (uint32_t)i;
    for (size_t i = pages - 1; i > 0; i--) {
        size_t j = (size_t)g_rand_int_range(dice, 0, (gint32)i + 1);
        uint32_t page = order[i];

        order[i] = order[j];
        order[j] = page;
    }
    for (size_t i = 0; i < pages; i++)
        *(void **)(void *)(memory + order[i] * PAGE_BYTES) =
            memory + order[(i + 1) % pages] * PAGE_BYTES;
}

static void
chase(size_t bytes, Board *board)
{
    char *memory = lay_out(bytes);
    void **at = (void **)(void *)memory;

    make_cycle(memory, bytes / PAGE_BYTES);
    for (;;) {
        uint64_t turn = __atomic_load_n(&board->turn, __ATOMIC_ACQUIRE);
        uint64_t start_ns = clock_ns();
        uint64_t took_ns;

        for (unsigned i = 0; i < BLOCK; i++)
            at = *(void **volatile *)at;
        took_ns = clock_ns() - start_ns;
        board->took_ns[turn] += took_ns;
        if (took_ns > board->worst_ns[turn])
            board->worst_ns[turn] = took_ns;
        __atomic_store_n(&board->blocks[turn], board->blocks[turn] + 1, __ATOMIC_RELEASE);
    }
}

/* @board: for the latency loop; NULL: one that stands in */
static pid_t
begin(size_t bytes, Board *board)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    if (board)
        chase(bytes, board);
    else
        stand_in(bytes);
    _exit(1);
}

static void
end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* --- measuring ---------------------------------------------------------------------------- */

/* There is a report after each step, and a measurement has several. */
static void
count_measurement(uint64_t key, const WorkingSetReport *report, gpointer data)
{
    gpointer process = GSIZE_TO_POINTER(key);
    gint64 moment_us = (gint64)report->moment_us;
    Watch *watch = data;
    const gint64 *seen_us = g_hash_table_lookup(watch->seen, process);

    if (report->state != WORKING_SET_MEASURED || (seen_us && *seen_us == moment_us))
        return;
    g_hash_table_insert(watch->seen, process, g_memdup2(&moment_us, sizeof(moment_us)));
    watch->measurements++;
}

static Watch *
watch_new(int root_fd)
{
    WorkingSetHost host = { .root_fd = root_fd,
                            .age_us = G_USEC_PER_SEC,
                            .interval_us = G_USEC_PER_SEC,
                            .share_bp = BUDGET_BP };
    Watch *watch = g_new0(Watch, 1);

    working_set_edges_parse("1", &host.edges);
    watch->rotation = rotation_new(&host);
    watch->seen = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    rotation_listen(watch->rotation, count_measurement, watch);
    return watch;
}

static void
watch_free(Watch *watch)
{
    rotation_free(watch->rotation);
    g_hash_table_unref(watch->seen);
    g_free(watch);
}

static void
add(const Watch *watch, int root_fd, pid_t pid)
{
    int dir_fd = procfile_open_pid(root_fd, pid);

    rotation_add(watch->rotation, (uint64_t)pid, pid, dir_fd, NULL, false);
    close(dir_fd);
}

static gboolean
quit(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static void
run_for(guint ms)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);

    g_timeout_add(ms, quit, loop);
    g_main_loop_run(loop);
}

/* Return: how many measurements there were. */
static uint64_t
run_many(int root_fd, unsigned n, guint seconds, size_t bytes)
{
    Watch *watch = watch_new(root_fd);
    pid_t pids[MANY];
    double cpu_us, share;
    uint64_t start_ns, measurements;

    for (unsigned i = 0; i < n; i++)
        pids[i] = begin(bytes, NULL);
    run_for(1000); /* they fill their memory */
    for (unsigned i = 0; i < n; i++)
        add(watch, root_fd, pids[i]);
    run_for(seconds * 500);
    watch->measurements = 0;
    cpu_us = process_cpu_us();
    start_ns = clock_ns();
    run_for(seconds * 500);
    share = (process_cpu_us() - cpu_us) / ((double)(clock_ns() - start_ns) / 1000);
    printf("%7u %11.2f %% %11.2f %% %14.1f\n", n, 100 * share, BUDGET_BP / 100.0,
           (double)watch->measurements / n / seconds * 120);
    (void)fflush(stdout);
    measurements = watch->measurements;
    watch_free(watch);
    for (unsigned i = 0; i < n; i++)
        end(pids[i]);
    return measurements;
}

/* --- turns -------------------------------------------------------------------------------- */

static void
take_turn(const Watch *watch, int root_fd, Board *board, pid_t pid, bool measured)
{
    if (measured)
        add(watch, root_fd, pid);
    __atomic_store_n(&board->turn, board->turn + 1, __ATOMIC_RELEASE);
    run_for(TURN_MS);
    rotation_remove(watch->rotation, (uint64_t)pid);
    run_for(10); /* it ends */
}

static double
load_ns(const Board *board, size_t turn)
{
    return (double)board->took_ns[turn] / (double)board->blocks[turn] / BLOCK;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Return: how many measurements there were. */
static uint64_t
run_pairs(int root_fd, size_t bytes, unsigned pairs)
{
    Board *board = map(sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED);
    Watch *watch = watch_new(root_fd);
    pid_t pid = begin(bytes, board);
    double ratios[PAIRS_MAX];
    uint64_t worst_ns[2] = { 0, 0 }; /* without, with */
    uint64_t measurements;

    while (__atomic_load_n(&board->blocks[0], __ATOMIC_ACQUIRE) == 0)
        run_for(10);
    printf("\n%5s %12s %12s %8s\n", "pair", "without", "with", "ratio");
    for (unsigned i = 0; i < pairs; i++) {
        bool first = i % 2 == 0; /* which of the two is measured */
        size_t with = 2 * i + (first ? 1 : 2);
        size_t without = 2 * i + (first ? 2 : 1);

        take_turn(watch, root_fd, board, pid, first);
        take_turn(watch, root_fd, board, pid, !first);
        ratios[i] = load_ns(board, with) / load_ns(board, without);
        worst_ns[0] = MAX(worst_ns[0], board->worst_ns[without]);
        worst_ns[1] = MAX(worst_ns[1], board->worst_ns[with]);
        printf("%5u %9.2f ns %9.2f ns %8.4f\n", i + 1, load_ns(board, without),
               load_ns(board, with), ratios[i]);
        (void)fflush(stdout);
    }
    end(pid);
    qsort(ratios, pairs, sizeof(ratios[0]), by_size);
    printf("ratio %.4f in the middle, %.4f to %.4f; longest %d loads %.1f ms without, %.1f ms "
           "with; %" PRIu64 " measurements\n",
           (ratios[(pairs - 1) / 2] + ratios[pairs / 2]) / 2, ratios[0], ratios[pairs - 1], BLOCK,
           (double)worst_ns[0] / 1e6, (double)worst_ns[1] / 1e6, watch->measurements);
    measurements = watch->measurements;
    watch_free(watch);
    munmap(board, sizeof(Board));
    return measurements;
}

int
main(int argc, char **argv)
{
    static const unsigned many[] = { 1, 10, MANY };
    guint seconds = argc > 1 ? (guint)strtoul(argv[1], NULL, 10) : 20;
    size_t mib = argc > 2 ? strtoul(argv[2], NULL, 10) : 8;
    unsigned pairs = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 10;
    int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    uint64_t measurements = 0;

    if (seconds < 1 || mib < 1 || pairs < 1 || pairs > PAIRS_MAX || root_fd < 0) {
        fprintf(stderr, "usage: measuring [SECONDS [MIB [PAIRS]]]\n");
        return 2;
    }
    printf("%7s %13s %13s %14s\n", "domains", "of one CPU", "budget", "each, a minute");
    for (size_t i = 0; i < G_N_ELEMENTS(many); i++)
        measurements += run_many(root_fd, many[i], seconds, mib * MIB);
    measurements += run_pairs(root_fd, LARGE * mib * MIB, pairs);
    close(root_fd);
    if (measurements == 0)
        fprintf(stderr, "nothing was measured\n");
    return measurements > 0 ? 0 : 1;
}
