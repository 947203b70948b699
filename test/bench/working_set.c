/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set.c - how near each backend comes to the truth, and what it costs
 *
 * usage: working_set [SECONDS [MIB]]     for each backend and page size; 20 and 256 by default
 *
 * A process has five parts of memory of the same size. It reads one byte of every page of the first
 * part twice a second, of the second every two seconds, then every six, twenty, and of the last one
 * never again, a slice of 2 MiB after the other, evenly over the period, and writes down when. So
 * the age of every slice is known at any moment. Each backend measures it, and what it says is
 * compared with that, bin by bin; the error is a share of all memory of the process. How long the
 * reader needs for a slice meanwhile shows whether it is disturbed. The same with small pages and
 * with huge ones.
 *
 * The process gets a memory cgroup of its own where there is version 2. Backends that this kernel
 * does not have say so; where none has a reading, that is a failure. Needs root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/facts/procfile.h"
#include "agent/facts/working_set_backend.h"
#include "policy/arith.h"

#define MIB         (UINT64_C(1) << 20)
#define SLICE_BYTES (2 * MIB)
#define US_PER_S    UINT64_C(1000000)
#define GROUP       "/vktest-working-set"
#define GROUP_DIR   "/sys/fs/cgroup" GROUP
/* Time for which the reader is watched alone. */
#define REST_US (5 * US_PER_S)
/* Slices of all parts, at most. */
#define SLICES_MAX 4096

/* Parts, and how often they are read. The last one is not. */
static const uint64_t periods_us[] = { 500000, 2000000, 6000000, 20000000, 0 };
#define PARTS (sizeof(periods_us) / sizeof(periods_us[0]))

static const WorkingSetBackend *const backends[] = {
    &working_set_page_age, &working_set_lru_gen,    &working_set_damon,
    &working_set_idle,     &working_set_referenced,
};
#define BACKENDS (sizeof(backends) / sizeof(backends[0]))

/* Shared with the process that is measured. */
typedef struct {
    uint64_t slices;              /* of each part */
    uint64_t read_us[SLICES_MAX]; /* CLOCK_MONOTONIC of the last time; of all parts */
    uint64_t loops;               /* rounds of the reader so far */
    uint64_t reads;               /* slices read so far */
    uint64_t busy_us;             /* and the time that took */
} Board;

/* What came out of one backend. */
typedef struct {
    uint64_t readings;                     /* that reach to the last bound */
    double measured[WORKING_SET_BINS_MAX]; /* MiB, sum over readings */
    double truth[WORKING_SET_BINS_MAX];    /* likewise */
    double error[WORKING_SET_BINS_MAX];    /* MiB, sum of the absolute differences */
    uint64_t cpu_us;                       /* of all steps */
    uint64_t steps;                        /* how many there were */
    double slice_us;                       /* time of the reader for a slice meanwhile */
} Score;

static uint64_t
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t
cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / 1000;
}

static void
sleep_us(uint64_t us)
{
    struct timespec wait = { (time_t)(us / US_PER_S), (long)(us % US_PER_S * 1000) };

    nanosleep(&wait, NULL);
}

static void *
map(size_t bytes, int flags)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

/* --- the process that is measured --------------------------------------------------------- */

static void
read_slice(const volatile char *memory, Board *board, uint64_t slice)
{
    uint64_t start_us = now_us();

    for (uint64_t at = 0; at < SLICE_BYTES; at += 4096)
        (void)memory[slice * SLICE_BYTES + at];
    board->read_us[slice] = now_us();
    board->busy_us += board->read_us[slice] - start_us;
    board->reads++;
}

/* Reads the slices of a part whose time has come since @before_us. */
static void
read_part(const char *memory, Board *board, size_t part, uint64_t before_us, uint64_t until_us)
{
    uint64_t each_us = periods_us[part] / board->slices;

    for (uint64_t i = before_us / each_us + 1; i <= until_us / each_us; i++)
        read_slice(memory, board, part * board->slices + i % board->slices);
}

static void
be_measured(Board *board, int advice)
{
    size_t bytes = PARTS * board->slices * SLICE_BYTES;
    char *memory = map(bytes + SLICE_BYTES, MAP_PRIVATE);
    uint64_t before_us;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    memory += SLICE_BYTES - (uintptr_t)memory % SLICE_BYTES;
    madvise(memory, bytes, advice);
    memset(memory, 1, bytes);
    before_us = now_us();
    for (uint64_t i = 0; i < PARTS * board->slices; i++)
        board->read_us[i] = before_us;
    for (;;) {
        uint64_t until_us = now_us();

        for (size_t part = 0; part < PARTS; part++)
            if (periods_us[part] > 0)
                read_part(memory, board, part, before_us, until_us);
        before_us = until_us;
        __atomic_store_n(&board->loops, board->loops + 1, __ATOMIC_RELEASE);
        sleep_us(5000);
    }
}

/* --- its memory cgroup -------------------------------------------------------------------- */

static bool
put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return done;
}

/* Whether this process is in a cgroup of its own from now on. */
static bool
enter_group(void)
{
    put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
    return (mkdir(GROUP_DIR, 0755) == 0 || errno == EEXIST) &&
           access(GROUP_DIR "/memory.current", F_OK) == 0 && put(GROUP_DIR "/cgroup.procs", "0");
}

/* --- comparison --------------------------------------------------------------------------- */

static void
find_truth(const Board *board, const WorkingSetEdges *edges, uint64_t moment_us, double *truth)
{
    for (uint64_t i = 0; i < PARTS * board->slices; i++) {
        uint64_t age_us = sat_sub(moment_us, board->read_us[i]);
        uint32_t bin = 0;

        /* What is never read is as old as the process, which began long before the first bound. */
        while (bin < edges->n && age_us >= edges->age_us[bin])
            bin++;
        truth[i / board->slices + 1 == PARTS ? edges->n : bin] += (double)SLICE_BYTES / (double)MIB;
    }
}

static void
compare(const Board *board, const WorkingSetEdges *edges, const WorkingSetReading *reading,
        Score *score)
{
    double truth[WORKING_SET_BINS_MAX] = { 0 };

    find_truth(board, edges, now_us(), truth);
    for (uint32_t b = 0; b <= edges->n; b++) {
        double measured = 0;

        for (uint32_t i = 0; i < reading->n_nodes; i++)
            measured += (double)reading->nodes[i].bins[b].bytes[WORKING_SET_ANON] / (double)MIB;
        score->measured[b] += measured;
        score->truth[b] += truth[b];
        score->error[b] += measured > truth[b] ? measured - truth[b] : truth[b] - measured;
    }
    score->readings++;
}

static bool
run_backend(const WorkingSetBackend *backend, const WorkingSetTarget *target, const Board *board,
            uint64_t duration_us, Score *score)
{
    const WorkingSetEdges *edges = &target->host->edges;
    g_autoptr(GError) error = NULL;
    gpointer state = NULL;
    uint64_t end_us = now_us() + duration_us;
    bool works = backend->open(target, &state, &error);

    if (!works) {
        printf("%-10s not here: %s\n", backend->name, error->message);
        return false;
    }
    while (works && now_us() < end_us) {
        g_autofree WorkingSetReading *reading = g_new0(WorkingSetReading, 1);
        uint64_t start_us = cpu_us();
        uint64_t begun_us = now_us();

        works = backend->step(state, target, begun_us, reading, &error);
        if (!works) {
            printf("%-10s failed: %s\n", backend->name, error->message);
            break;
        }
        score->cpu_us += cpu_us() - start_us + reading->other_cpu_us;
        score->steps++;
        if (reading->has_bins && reading->horizon_us >= edges->age_us[edges->n - 1])
            compare(board, edges, reading, score);
        sleep_us(
            sat_sub(reading->next_us > 0 ? reading->next_us : begun_us + target->host->interval_us,
                    now_us()));
    }
    backend->close(state, target);
    return works;
}

/* Time of the reader for a slice since @before. */
static double
slice_us(const Board *board, const Board *before)
{
    uint64_t reads = board->reads - before->reads;

    return reads > 0 ? (double)(board->busy_us - before->busy_us) / (double)reads : 0;
}

static void
print_score(const char *name, const char *pages, const WorkingSetEdges *edges, const Score *score,
            double gib)
{
    double n = (double)score->readings;
    double all = 0;

    if (score->readings == 0) {
        printf("%-10s %-5s no reading reached the last bound\n", name, pages);
        return;
    }
    for (uint32_t b = 0; b <= edges->n; b++) {
        char bound[32] = "older";

        if (b < edges->n)
            snprintf(bound, sizeof(bound), "< %" PRIu64 " s", edges->age_us[b] / US_PER_S);
        printf("%-10s %-5s %-8s %9.1f %9.1f %8.1f %%\n", name, pages, bound, score->truth[b] / n,
               score->measured[b] / n, 100 * score->error[b] / n / (gib * 1024));
        all += score->error[b];
    }
    /* What is in a wrong bin is missing in another: counted twice. */
    printf("%-10s %-5s in the right bin %.1f %%; %" PRIu64 " readings\n", name, pages,
           100 - 50 * all / n / (gib * 1024), score->readings);
    printf("%-10s %-5s %.2f ms for each GiB and step; the reader needs %.0f us\n", name, pages,
           (double)score->cpu_us / 1000 / (double)score->steps / gib, score->slice_us);
}

/* All of them, one after the other; before that, the reader alone. Return: whether there was a
 * reading. */
static bool
run_backends(const char *pages, const WorkingSetTarget *target, const Board *board,
             uint64_t duration_us)
{
    const uint64_t bytes = PARTS * board->slices * SLICE_BYTES;
    double gib = (double)bytes / (double)(1024 * MIB);
    static Board before;
    bool measured = false;

    before = *board;
    sleep_us(min_u64(duration_us, REST_US));
    printf("%-10s %-5s the reader needs %.0f us for a slice of 2 MiB\n", "at rest", pages,
           slice_us(board, &before));
    for (size_t i = 0; i < BACKENDS; i++) {
        Score score = { 0 };
        bool works;

        before = *board;
        works = run_backend(backends[i], target, board, duration_us, &score);
        score.slice_us = slice_us(board, &before);
        if (works)
            print_score(backends[i]->name, pages, &target->host->edges, &score, gib);
        measured |= works && score.readings > 0;
    }
    return measured;
}

static bool
run_pages(const char *pages, int advice, uint64_t duration_us, uint64_t slices)
{
    Board *board = map(sizeof(Board), MAP_SHARED);
    WorkingSetHost host = { .root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC),
                            .age_us = 9 * US_PER_S,
                            .interval_us = US_PER_S,
                            .share_bp = 50 };
    WorkingSetTarget target = { .host = &host, .guest = { .total_bytes = VALUE_UNKNOWN } };
    bool measured;
    char in_group;
    int ends[2];

    board->slices = slices;
    working_set_edges_parse("1,3,9", &host.edges);
    if (pipe2(ends, O_CLOEXEC) < 0)
        exit(1);
    (void)fflush(stdout);
    target.pid = fork();
    if (target.pid == 0) {
        in_group = (char)enter_group();
        if (write(ends[1], &in_group, 1) == 1)
            be_measured(board, advice);
        _exit(1);
    }
    if (read(ends[0], &in_group, 1) != 1)
        exit(1);
    while (__atomic_load_n(&board->loops, __ATOMIC_ACQUIRE) < 3)
        sleep_us(10000);
    target.is_v2 = in_group != 0;
    target.cgroup = in_group ? g_strdup(GROUP) : NULL;
    target.dir_fd = procfile_open_pid(host.root_fd, target.pid);
    measured = run_backends(pages, &target, board, duration_us);
    kill(target.pid, SIGKILL);
    waitpid(target.pid, NULL, 0);
    rmdir(GROUP_DIR);
    g_free(target.cgroup);
    close(target.dir_fd);
    close(host.root_fd);
    munmap(board, sizeof(Board));
    return measured;
}

int
main(int argc, char **argv)
{
    uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 20;
    uint64_t mib = argc > 2 ? strtoull(argv[2], NULL, 10) : 256;
    uint64_t slices = mib / 2 / PARTS;
    bool measured;

    if (seconds < 1 || slices < 1 || slices * PARTS > SLICES_MAX) {
        fprintf(stderr, "usage: working_set [SECONDS [MIB]]\n");
        return 2;
    }
    printf("%-10s %-5s %-8s %9s %9s %10s\n", "backend", "pages", "age", "true MiB", "said MiB",
           "error");
    measured = run_pages("small", MADV_NOHUGEPAGE, seconds * US_PER_S, slices);
    measured |= run_pages("huge", MADV_HUGEPAGE, seconds * US_PER_S, slices);
    if (!measured)
        fprintf(stderr, "nothing was measured\n");
    return measured ? 0 : 1;
}
