/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_lru_gen.c - generations of the multi-gen LRU, made so that they mean times
 *
 * debugfs lists for each memory cgroup and node the generations that there are, oldest first:
 *
 *     memcg    29 /machine.slice/machine-qemu\x2d3\x2dm3.scope/libvirt
 *      node     0
 *               2      19812      21857           0
 *               3      19812          1           0
 *
 * number, age of its birth in milliseconds, pages without and with a file; more columns are passed
 * over. "+ memcg node 3 1 1" ages: what was used since generation 3 was born goes into it, and
 * generation 4 is born for what comes. So a page in generation 3 was used after its birth.
 *
 * The kernel keeps four generations, and the two oldest become one when a fifth is born, so they
 * cannot hold seven ages at once. They are made to hold one after the other: age, wait for as long
 * as a bin is, age again; what is in the generations born since is what was used in that window.
 * The windows are those of working_set_windows.h. Whoever else ages meanwhile (reclaim does) makes
 * more generations, of which the sum is the same, until the first of the window has been merged
 * with older ones: then the window is lost.
 *
 * From Linux 6.12 on, aging asks KVM for the pages that its guests have used. Before, it looked at
 * the tables of the process alone, where a guest under KVM leaves no marks; there, such guests are
 * not measured in this way. (Some vendors have brought the change to older kernels. Their numbers
 * do not tell.)
 *
 * Source: Documentation/admin-guide/mm/multigen_lru.rst, "Working set estimation"; commit
 * 1d4832becdc2 ("mm: multi-gen LRU: use {ptep,pmdp}_clear_young_notify()", v6.12-rc6). The form of
 * the file is that of Linux 6.1.
 */
/* needs: write /sys/kernel/debug/lru_gen */
#define _GNU_SOURCE

#include "agent/facts/working_set_backend.h"

#include <string.h>
#include <unistd.h>

#include "agent/facts/procfile.h"
#include "agent/facts/working_set_windows.h"
#include "policy/arith.h"

#define LRU_GEN_FILE "sys/kernel/debug/lru_gen"
/* Of a line of a generation. */
#define COLUMNS      4
#define ENABLED_FILE "sys/kernel/mm/lru_gen/enabled"
/* 300 bytes for each cgroup and node. */
#define LRU_GEN_BYTES ((size_t)64 << 20)
#define WORD_BYTES    64
#define RELEASE_FILE  "proc/sys/kernel/osrelease"
#define RELEASE_BYTES 128
/* Lists of one domain: cgroups times nodes. */
#define LISTS_MAX 64

/* The generations of one cgroup on one node. */
typedef struct {
    uint64_t memcg;           /* as the commands name it */
    uint64_t node;            /* of the host */
    uint64_t first;           /* number of the oldest generation */
    uint64_t last;            /* number of the youngest */
    uint64_t since;           /* number of the first generation of the window */
    WorkingSetBytes resident; /* of all generations */
    WorkingSetBytes used;     /* of those from @since on */
    bool is_strange;          /* a line of it has another form */
} List;

/* Bytes of one node, over windows. */
typedef struct {
    uint64_t node;         /* of the host */
    WorkingSetCurve curve; /* what was seen */
} NodeCurve;

typedef struct {
    WorkingSetWindows windows; /* which window is next */
    uint64_t begun_us;         /* CLOCK_MONOTONIC of the last aging; 0: none yet */
    uint64_t aged_us;          /* and of the end of the last window of the age; 0: none */
    bool is_resting;           /* the next step begins a measurement */
    GArray *lists;             /* owned; List: as they were after the last aging */
    GArray *curves;            /* owned; NodeCurve */
} Generations;

static bool
is_in_cgroup(const char *path, const char *cgroup)
{
    size_t length = strlen(cgroup);

    return strncmp(path, cgroup, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* The generation that the list had when the window began; 0: it is new, all of it belongs. */
static uint64_t
first_of_window(const GArray *before, const List *list)
{
    for (guint i = 0; before && i < before->len; i++) {
        const List *old = &g_array_index(before, List, i);

        if (old->memcg == list->memcg && old->node == list->node)
            return old->last;
    }
    return 0;
}

/* Number, age, anonymous and file pages; columns behind them are of a later kernel. */
static bool
is_generation(const char *line)
{
    for (unsigned i = 0; i < COLUMNS; i++) {
        size_t digits;

        line += strspn(line, " \t");
        digits = strspn(line, "0123456789");
        if (digits == 0)
            return false;
        line += digits;
    }
    return *line == '\0' || g_ascii_isspace(*line);
}

static void
take_generation(List *list, const char *line, uint64_t page_bytes)
{
    uint64_t number = procfile_field(line, 1);
    WorkingSetBytes pages = { { known_or(procfile_field(line, 3), 0),
                                known_or(procfile_field(line, 4), 0) } };

    if (!is_known(number))
        return;
    list->is_strange |= !is_generation(line);
    if (!is_known(list->first))
        list->first = number;
    list->last = number;
    for (size_t k = 0; k < WORKING_SET_KIND_COUNT; k++) {
        uint64_t bytes = mul_div(pages.bytes[k], page_bytes, 1);

        list->resident.bytes[k] = sat_add(list->resident.bytes[k], bytes);
        if (number >= list->since)
            list->used.bytes[k] = sat_add(list->used.bytes[k], bytes);
    }
}

/* Begins a list at a line "node N" of a cgroup that is the domain's. */
static List *
begin_list(GArray *lists, uint64_t memcg, const char *line, const GArray *before)
{
    List list = { .memcg = memcg, .node = procfile_field(line, 2), .first = VALUE_UNKNOWN };

    if (lists->len == LISTS_MAX || !is_known(memcg) || !is_known(list.node))
        return NULL;
    list.since = first_of_window(before, &list);
    g_array_append_val(lists, list);
    return &g_array_index(lists, List, lists->len - 1);
}

/* The lists of a cgroup and those below it. @before: as they were when the window began, or NULL */
static GArray *
parse_lists(char *text, const char *cgroup, const GArray *before)
{
    GArray *lists = g_array_new(FALSE, FALSE, sizeof(List));
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t memcg = VALUE_UNKNOWN;
    List *list = NULL;
    char *next;

    for (char *line = text; line && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        line += strspn(line, " \t");
        if (g_str_has_prefix(line, "memcg")) {
            const char *path = strchr(line, '/');

            memcg = path && is_in_cgroup(path, cgroup) ? procfile_field(line, 2) : VALUE_UNKNOWN;
            list = NULL;
        } else if (g_str_has_prefix(line, "node")) {
            list = begin_list(lists, memcg, line, before);
        } else if (list) {
            take_generation(list, line, page_bytes);
        }
    }
    return lists;
}

static GArray *
read_lists(const WorkingSetTarget *target, const GArray *before, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GArray) lists = NULL;

    if (procfile_read_long(target->host->root_fd, LRU_GEN_FILE, LRU_GEN_BYTES, &text) !=
        PROCFILE_READ) {
        working_set_fail(error, "%s cannot be read", LRU_GEN_FILE);
        return NULL;
    }
    lists = parse_lists(text, target->cgroup, before);
    if (lists->len == 0) {
        working_set_fail(error, "its memory cgroup is not in %s", LRU_GEN_FILE);
        return NULL;
    }
    for (guint i = 0; i < lists->len; i++) {
        if (g_array_index(lists, List, i).is_strange) {
            working_set_fail(error, "%s has another form than expected", LRU_GEN_FILE);
            return NULL;
        }
    }
    return g_steal_pointer(&lists);
}

/* Whether the kernel took at least one of the commands; @ret_error: why not the last one. */
static bool
age_all(const WorkingSetTarget *target, const GArray *lists, GError **ret_error)
{
    bool aged = false;

    for (guint i = 0; i < lists->len; i++) {
        const List *list = &g_array_index(lists, List, i);
        g_autofree char *command =
            g_strdup_printf("+ %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                            " 1 1\n",
                            (guint64)list->memcg, (guint64)list->node, (guint64)list->last);

        if (!is_known(list->first))
            continue;
        g_clear_error(ret_error);
        aged |= working_set_write(target->host->root_fd, LRU_GEN_FILE, command, ret_error);
    }
    if (!aged && !*ret_error)
        working_set_fail(ret_error, "its memory cgroup has no generations");
    return aged;
}

/* Whether some list has a generation more. */
static bool
has_advanced(const GArray *before, const GArray *after)
{
    for (guint i = 0; i < after->len; i++) {
        const List *list = &g_array_index(after, List, i);

        if (is_known(list->first) && list->last > first_of_window(before, list))
            return true;
    }
    return false;
}

static WorkingSetCurve *
curve_of(Generations *state, uint64_t node)
{
    for (guint i = 0; i < state->curves->len; i++)
        if (g_array_index(state->curves, NodeCurve, i).node == node)
            return &g_array_index(state->curves, NodeCurve, i).curve;
    g_array_append_val(state->curves, ((NodeCurve){ .node = node }));
    return &g_array_index(state->curves, NodeCurve, state->curves->len - 1).curve;
}

/* Whether every generation of the window is still one of its own: the oldest there is holds what
 * was in those before it, which were merged into it. */
static bool
is_whole(const GArray *lists)
{
    for (guint i = 0; i < lists->len; i++) {
        const List *list = &g_array_index(lists, List, i);

        if (is_known(list->first) && list->first >= list->since && list->since > 0)
            return false;
    }
    return true;
}

/* The lists of one node as one. */
static void
sum_node(const GArray *lists, uint64_t node, WorkingSetBytes *ret_used, WorkingSetBytes *ret_all)
{
    *ret_used = *ret_all = (WorkingSetBytes){ 0 };
    for (guint i = 0; i < lists->len; i++) {
        const List *list = &g_array_index(lists, List, i);

        for (size_t k = 0; k < WORKING_SET_KIND_COUNT && list->node == node; k++) {
            ret_used->bytes[k] = sat_add(ret_used->bytes[k], list->used.bytes[k]);
            ret_all->bytes[k] = sat_add(ret_all->bytes[k], list->resident.bytes[k]);
        }
    }
}

static void
fill_bins(Generations *state, const WorkingSetEdges *edges, uint64_t window_us,
          WorkingSetReading *reading)
{
    reading->horizon_us = WORKING_SET_OLDEST;
    for (guint i = 0; i < state->lists->len; i++) {
        uint64_t node = g_array_index(state->lists, List, i).node;
        WorkingSetCurve *curve = curve_of(state, node);
        WorkingSetBytes used, all;
        uint64_t horizon_us;

        sum_node(state->lists, node, &used, &all);
        if (window_us > 0)
            working_set_curve_put(curve, edges, window_us, used);
        horizon_us =
            working_set_curve_bins(curve, edges, all, working_set_node(reading, (int64_t)node));
        reading->horizon_us = min_u64(reading->horizon_us, horizon_us);
    }
    reading->has_bins = reading->horizon_us > 0;
}

/* "6.12.95-cloud-amd64" */
static bool
asks_kvm(int root_fd)
{
    char release[RELEASE_BYTES];
    char *end = release;
    guint64 major, minor;

    if (procfile_read_text(root_fd, RELEASE_FILE, release, sizeof(release)) != PROCFILE_READ)
        return false;
    major = g_ascii_strtoull(release, &end, 10);
    minor = *end == '.' ? g_ascii_strtoull(end + 1, NULL, 10) : 0;
    return major > 6 || (major == 6 && minor >= 12);
}

/* Whether what the guest uses is seen. A guest may have come under KVM since it was last asked: its
 * QEMU had just been started then. */
static bool
check_kvm(const WorkingSetTarget *target, GError **error)
{
    bool has_kvm;

    if (asks_kvm(target->host->root_fd))
        return true;
    if (!working_set_find_kvm(target, &has_kvm, error))
        return false;
    return !has_kvm ||
           working_set_fail(error, "before Linux 6.12 it does not see what guests under KVM use");
}

static bool
open_lru_gen(const WorkingSetTarget *target, gpointer *ret_state, GError **error)
{
    char word[WORD_BYTES];
    Generations *state;

    if (!target->cgroup)
        return working_set_fail(error, "it has no memory cgroup");
    if (procfile_read_text(target->host->root_fd, ENABLED_FILE, word, sizeof(word)) !=
        PROCFILE_READ)
        return working_set_fail(error, "this kernel has no multi-gen LRU");
    if ((g_ascii_strtoull(word, NULL, 16) & 1) == 0)
        return working_set_fail(error, "the multi-gen LRU is switched off");
    if (!procfile_may(target->host->root_fd, LRU_GEN_FILE, R_OK | W_OK))
        return working_set_fail(error,
                                "%s may not be used: is debugfs mounted there, and is the "
                                "kernel not locked down?",
                                LRU_GEN_FILE);
    if (!check_kvm(target, error))
        return false;
    state = g_new0(Generations, 1);
    state->curves = g_array_new(FALSE, FALSE, sizeof(NodeCurve));
    working_set_windows_init(&state->windows, &target->host->edges, target->host->age_us);
    state->is_resting = true;
    *ret_state = state;
    return true;
}

/* The next window begins now; behind the last one of a measurement comes a pause. */
static void
plan_next(Generations *state, uint64_t now_us, WorkingSetReading *reading)
{
    uint64_t length_us = working_set_windows_next(&state->windows, 0);

    if (length_us == 0 && state->is_resting) {
        working_set_windows_begin(&state->windows);
        length_us = working_set_windows_next(&state->windows, 0);
    }
    state->is_resting = length_us == 0;
    state->begun_us = now_us;
    reading->goes_on = !state->is_resting;
    reading->next_us = state->is_resting ? 0 : now_us + length_us;
}

static bool
step_lru_gen(gpointer data, const WorkingSetTarget *target, uint64_t now_us,
             WorkingSetReading *reading, GError **error)
{
    Generations *state = data;
    g_autoptr(GError) failure = NULL;
    g_autoptr(GArray) lists = read_lists(target, state->lists, error);
    g_autoptr(GArray) aged = NULL;
    bool is_aged;
    uint64_t window_us = state->begun_us > 0 ? sat_sub(now_us, state->begun_us) : 0;

    if (!lists || (state->is_resting && !check_kvm(target, error)))
        return false;
    is_aged = age_all(target, lists, &failure);
    aged = read_lists(target, state->lists, error);
    if (!aged)
        return false;
    /* A number that is old by now is refused: reclaim has aged it at this very moment. */
    if (!is_aged && !has_advanced(lists, aged)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    g_clear_pointer(&state->lists, g_array_unref);
    state->lists = g_steal_pointer(&aged);
    window_us = is_whole(state->lists) ? window_us : 0;
    fill_bins(state, &target->host->edges, window_us, reading);
    if (window_us > 0 && !state->is_resting && working_set_windows_is_base(&state->windows))
        state->aged_us = now_us;
    reading->moment_us = state->aged_us;
    plan_next(state, now_us, reading);
    return true;
}

static void
close_lru_gen(gpointer data, const WorkingSetTarget *target)
{
    Generations *state = data;

    (void)target;
    g_clear_pointer(&state->lists, g_array_unref);
    g_array_unref(state->curves);
    g_free(state);
}

const WorkingSetBackend working_set_lru_gen = {
    .name = "lru_gen",
    /* 97 to 99 % in the bench on Linux 6.1, 6.12 and 7.3, for steady use and without reclaim, which
     * ages in between; 81 to 97 % where others kept the CPUs from it all the time. */
    .confidence_bp = 9000,
    .open = open_lru_gen,
    .step = step_lru_gen,
    .close = close_lru_gen,
};
