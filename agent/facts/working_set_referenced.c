/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_referenced.c - referenced bits of the QEMU process, as any kernel has them
 *
 * Writing 1 to clear_refs takes the marks off all pages of a process, and smaps tells for each
 * mapping how much of it has been marked again since. Not which pages: so the marks are taken off
 * once, and smaps is read when the window is one second old, ten seconds, a minute, and so on
 * (working_set_windows.h). What is marked after a window is what was used within it.
 *
 * Both walk over all page tables: 11 to 14 ms for each GiB of small pages, 0.2 ms for huge ones and
 * about half a millisecond for the mappings, measured with Linux 6.18. There is no way to do it in
 * parts: clear_refs knows but the whole process, and PAGEMAP_SCAN has no category for use.
 * clear_refs also locks the address space against changes meanwhile, which stops the threads of
 * QEMU that map memory. So a domain for which reading smaps takes longer than WALK_MOST_US (about
 * 8 GiB of small pages) is not measured in this way at all.
 *
 * Guests under KVM are not either: the processor marks their pages in tables of KVM's, to which
 * clear_refs and smaps do not look (they call no MMU notifier), and all of the guest would seem
 * unused. What remains are guests that QEMU emulates.
 *
 * A huge page is one page: if any of it was used, all was.
 *
 * Source: Documentation/filesystems/proc.rst, "clear_refs" and "smaps"; clear_refs_write() and
 * smaps_account() in fs/proc/task_mmu.c
 */
#include "agent/facts/process.h"
#include "agent/facts/working_set_backend.h"

#include <string.h>

#include "agent/facts/procfile.h"
#include "agent/facts/working_set_windows.h"
#include "policy/arith.h"

/* CPU time that reading smaps may take. */
#define WALK_MOST_US UINT64_C(100000)

typedef struct {
    WorkingSetWindows windows; /* when to look next */
    WorkingSetCurve curve;     /* what was seen */
    uint64_t cleared_us;       /* CLOCK_MONOTONIC at which the marks were taken off */
    uint64_t aged_us;          /* and of the last look at the age of the working set; 0: none */
    int32_t node;              /* of all memory of the host; or WORKING_SET_NODE_UNKNOWN */
    bool is_resting;           /* the next step takes the marks off */
} Marks;

/* What smaps says. */
typedef struct {
    WorkingSetBytes resident; /* all that is in memory */
    WorkingSetBytes used;     /* of it, what is marked */
} Sum;

/* Whether this is the first line of a mapping; those that follow begin with a word and a colon. */
static bool
is_mapping(const char *line)
{
    size_t digits = strspn(line, "0123456789abcdef");

    return digits > 0 && line[digits] == '-';
}

/* Memory without a file, or of a file that is none: shared memory, also with huge pages. */
static WorkingSetKind
kind_of(const char *line)
{
    const char *name = strchr(line, '/');

    if (!name || g_str_has_prefix(name, "/memfd:") || g_str_has_prefix(name, "/dev/shm/") ||
        g_str_has_prefix(name, "/dev/zero") || g_str_has_prefix(name, "/SYSV"))
        return WORKING_SET_ANON;
    return WORKING_SET_FILE;
}

/* Adds the quantity of a line, if it is the line of @key. */
static void
add_line(const char *line, const char *key, uint64_t *sum)
{
    if (g_str_has_prefix(line, key))
        *sum = sat_add(*sum, mul_div(known_or(procfile_field(line, 2), 0), 1024, 1));
}

static void
sum_smaps(char *text, Sum *sum)
{
    WorkingSetKind kind = WORKING_SET_ANON;
    char *next;

    for (char *line = text; line && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (is_mapping(line))
            kind = kind_of(line);
        add_line(line, "Rss:", &sum->resident.bytes[kind]);
        add_line(line, "Referenced:", &sum->used.bytes[kind]);
    }
}

static bool
look(const WorkingSetTarget *target, Sum *ret_sum, GError **error)
{
    uint64_t start_us = process_thread_cpu_us();
    g_autofree char *text = NULL;
    Sum sum = { 0 };

    switch (procfile_read_long(target->dir_fd, "smaps", PROCFILE_SMAPS_BYTES, &text)) {
    case PROCFILE_READ:
        break;
    case PROCFILE_REFUSED:
        return working_set_fail(error, "its smaps may not be read");
    default:
        return working_set_fail(error, "its smaps cannot be read");
    }
    sum_smaps(text, &sum);
    if (sum.resident.bytes[WORKING_SET_ANON] + sum.resident.bytes[WORKING_SET_FILE] == 0)
        return working_set_fail(error, "it has no memory any more");
    if (process_thread_cpu_us() - start_us > WALK_MOST_US)
        return working_set_fail(error, "a walk over its pages takes more than 100 ms");
    *ret_sum = sum;
    return true;
}

/* Whether what the guest uses is marked. It may have come under KVM since it was last asked: its
 * QEMU had just been started then. */
static bool
check_kvm(const WorkingSetTarget *target, GError **error)
{
    bool has_kvm;

    if (!working_set_find_kvm(target, &has_kvm, error))
        return false;
    return !has_kvm ||
           working_set_fail(error, "its guest runs under KVM, whose use of pages is not in smaps");
}

static bool
open_referenced(const WorkingSetTarget *target, gpointer *ret_state, GError **error)
{
    Marks *state;
    Sum sum;

    if (!check_kvm(target, error) || !look(target, &sum, error))
        return false;
    state = g_new0(Marks, 1);
    state->node = working_set_only_node(target->host->root_fd);
    state->is_resting = true;
    working_set_windows_init(&state->windows, &target->host->edges, target->host->age_us);
    *ret_state = state;
    return true;
}

static void
plan_next(Marks *state, uint64_t now_us, WorkingSetReading *reading)
{
    uint64_t window_us = working_set_windows_next(&state->windows, now_us - state->cleared_us);

    state->is_resting = window_us == 0;
    reading->goes_on = !state->is_resting;
    reading->next_us = state->is_resting ? 0 : state->cleared_us + window_us;
}

static bool
take_marks_off(Marks *state, const WorkingSetTarget *target, uint64_t now_us,
               WorkingSetReading *reading, GError **error)
{
    if (!check_kvm(target, error) || !working_set_write(target->dir_fd, "clear_refs", "1", error))
        return false;
    state->cleared_us = now_us;
    working_set_windows_begin(&state->windows);
    plan_next(state, now_us, reading);
    return true;
}

static bool
step_referenced(gpointer data, const WorkingSetTarget *target, uint64_t now_us,
                WorkingSetReading *reading, GError **error)
{
    Marks *state = data;
    const WorkingSetEdges *edges = &target->host->edges;
    Sum sum;

    if (state->is_resting || now_us <= state->cleared_us)
        return take_marks_off(state, target, now_us, reading, error);
    if (!look(target, &sum, error))
        return false;
    working_set_curve_put(&state->curve, edges, now_us - state->cleared_us, sum.used);
    if (working_set_windows_is_base(&state->windows))
        state->aged_us = now_us;
    reading->moment_us = state->aged_us;
    reading->horizon_us = working_set_curve_bins(&state->curve, edges, sum.resident,
                                                 working_set_node(reading, state->node));
    reading->has_bins = true;
    plan_next(state, now_us, reading);
    return true;
}

static void
close_referenced(gpointer state, const WorkingSetTarget *target)
{
    (void)target;
    g_free(state);
}

const WorkingSetBackend working_set_referenced = {
    .name = "referenced",
    /* 99.7 % in the bench, for steady use and with huge pages too; programs change their ways. */
    .confidence_bp = 9500,
    .open = open_referenced,
    .step = step_referenced,
    .close = close_referenced,
};
