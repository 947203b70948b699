/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_damon.c - DAMON, the kernel's data access monitor, on the address space of QEMU
 *
 * DAMON cuts an address space into regions, asks a page of each whether it was used (KVM's tables
 * too), and keeps for each region the rate of use and the time for which that has been about the
 * same. Schemes with the action "stat" do nothing but count the bytes of the regions that fit a
 * pattern: one for all that is in use, and one for each bin of what is not, by how long.
 *
 *     used in the last aggregation    ages from 0 to one aggregation interval
 *     not used for n aggregations     ages from n to n + 1 of them
 *
 * Everything is set through files of sysfs, and there is but one set of monitors for all programs:
 * the number of monitors can be changed only while none runs, and doing so clears the settings of
 * all. So if there are monitors, they are somebody else's, and DAMON is left alone
 * (working_set_damon_user.c). Each domain takes one; a domain for which there is none left is
 * measured otherwise.
 *
 * The monitors are threads of the kernel, whose time is counted as ours. They check each region
 * once in a sampling interval, which is chosen so that all of them keep to the budget. When there
 * are more of them, or one has taken more than its share of the budget after all, those that sample
 * too often by then begin anew, and lose the ages they knew.
 *
 * A monitor tells its counts at the end of an aggregation, and who asks is kept waiting until then.
 * Domains are asked one after the other, so there are no more of them here than can be asked before
 * policy finds the first too old; with the default settings 40. The others are measured otherwise.
 *
 * Only monitoring of virtual addresses tells domains apart. By physical addresses, schemes can
 * count the pages of one memory cgroup (Linux 6.14 on), and that is about as right; but for each
 * domain and each look the kernel then walks over all memory of the host, which was tried on
 * Linux 7.3 and took 200 ms for each GiB where lru_gen took 300 ms for each GiB of the domain
 * alone. The budget is not for that, so kernels with physical addresses alone are of no use here.
 *
 * Source: Documentation/admin-guide/mm/damon/usage.rst, "sysfs Interface"; total_bytes since 6.6
 */
/* needs: write /sys/kernel/mm/damon/admin */
#include "agent/facts/working_set_damon.h"

#include <string.h>

#include "agent/facts/procfile.h"
#include "policy/arith.h"

#define ADMIN      WORKING_SET_DAMON_ADMIN
#define COUNT_FILE WORKING_SET_DAMON_COUNT_FILE
#define PATH_BYTES 256
#define WORD_BYTES 256
#define SLOTS      WORKING_SET_DAMON_SLOTS
/* Regions of each: so many are checked in a sampling interval. */
#define REGIONS_MIN 10
#define REGIONS_MAX 100
/* CPU time of one check, rounded up from 0.5 to 1.5 us as DAMON's documents tell. On a host where
 * it is more, the monitors find out. */
#define CHECK_US 2
/* Shorter times tell more of how a monitor begins than of what it takes. */
#define JUDGE_US UINT64_C(30000000)
/* Bounds of the sampling interval, which doubles in between, and how many are one aggregation. */
#define SAMPLE_LEAST_US UINT64_C(100000)
#define SAMPLE_MOST_US  (SAMPLE_LEAST_US << 6)
#define SAMPLES         5
/* Largest numbers that the files take. */
#define NO_LIMIT_32 UINT64_C(4294967295)
#define NO_LIMIT_64 UINT64_MAX

typedef struct {
    unsigned slot;       /* number of the monitor */
    uint64_t sample_us;  /* sampling interval */
    uint64_t least_us;   /* it took too much at half of this interval; 0: at none */
    uint64_t aggr_us;    /* aggregation interval */
    uint64_t started_us; /* CLOCK_MONOTONIC; 0: not at the first step yet */
    uint64_t lived_us;   /* for how long it has run */
    uint64_t thread_us;  /* CPU time of its thread at the last step */
    uint64_t judged_us;  /* CLOCK_MONOTONIC at which what it took was last held against its share */
    uint64_t spent_us;   /* CPU time of its thread since */
    int32_t node;        /* of all memory of the host; or WORKING_SET_NODE_UNKNOWN */
} Monitor;

static bool
set_text(const WorkingSetTarget *target, unsigned slot, const char *file, const char *text,
         GError **error)
{
    char path[PATH_BYTES];

    g_snprintf(path, sizeof(path), ADMIN "%u/%s", slot, file);
    return working_set_write(target->host->root_fd, path, text, error);
}

static bool
set_number(const WorkingSetTarget *target, unsigned slot, const char *file, uint64_t value,
           GError **error)
{
    char text[WORD_BYTES];

    g_snprintf(text, sizeof(text), "%" G_GUINT64_FORMAT, (guint64)value);
    return set_text(target, slot, file, text, error);
}

static bool
get_text(const WorkingSetTarget *target, unsigned slot, const char *file, char *ret_text)
{
    char path[PATH_BYTES];

    g_snprintf(path, sizeof(path), ADMIN "%u/%s", slot, file);
    if (procfile_read_text(target->host->root_fd, path, ret_text, WORD_BYTES) != PROCFILE_READ)
        return false;
    g_strchomp(ret_text);
    return true;
}

/* Whether there are monitors that are ours, made now or by an agent before. */
static bool
have_monitors(const WorkingSetTarget *target, GError **error)
{
    uint64_t n = working_set_damon_count(target->host->root_fd);
    const char *user = working_set_damon_user(target->host->root_fd);

    if (!is_known(n))
        return working_set_fail(error, "this kernel has no DAMON with files in sysfs");
    if (user)
        return working_set_fail(error, "%s uses DAMON", user);
    if (working_set_damon_is_ours(target->host->root_fd))
        return true;
    return working_set_write(target->host->root_fd, COUNT_FILE, G_STRINGIFY(SLOTS), error);
}

/* Takes a monitor that no domain has; what runs in it is of an agent that was killed. */
static bool
take_slot(const WorkingSetTarget *target, unsigned *ret_slot, GError **error)
{
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        char state[WORD_BYTES];

        if (target->host->damon_slots & (UINT64_C(1) << slot))
            continue;
        if (!get_text(target, slot, "state", state))
            return working_set_fail(error, "the state of a monitor cannot be read");
        if (g_str_equal(state, "on") && !set_text(target, slot, "state", "off", error))
            return false;
        target->host->damon_slots |= UINT64_C(1) << slot;
        *ret_slot = slot;
        return true;
    }
    return working_set_fail(error, "all monitors are in use for other domains");
}

/* A pattern that a scheme counts. */
typedef struct {
    uint64_t accesses_min; /* samples of an aggregation in which it was used, at least */
    uint64_t accesses_max; /* and at most */
    uint64_t age_min;      /* aggregations for which that has been so, at least */
    uint64_t age_max;      /* and at most */
} Pattern;

/* The scheme of a bin: 0: in use; i: not used for so long that it is in bin i - 1. */
static Pattern
pattern_of(const WorkingSetEdges *edges, uint32_t scheme, uint64_t aggr_us)
{
    Pattern pattern = { 1, NO_LIMIT_32, 0, NO_LIMIT_32 };

    if (scheme == 0)
        return pattern;
    pattern.accesses_min = pattern.accesses_max = 0;
    pattern.age_min = scheme > 1 ? edges->age_us[scheme - 2] / aggr_us : 0;
    pattern.age_max = sat_sub(edges->age_us[scheme - 1] / aggr_us, 1);
    return pattern;
}

/* Bins that are shorter than an aggregation have no regions of their own. */
static bool
is_empty(const Pattern *pattern, const WorkingSetEdges *edges, uint32_t scheme, uint64_t aggr_us)
{
    return scheme > 0 &&
           (edges->age_us[scheme - 1] < aggr_us || pattern->age_min > pattern->age_max);
}

static bool
set_scheme(const WorkingSetTarget *target, unsigned slot, uint32_t scheme, const Pattern *pattern,
           GError **error)
{
    const struct {
        const char *file;
        uint64_t value;
    } rows[] = {
        { "sz/min", 0 },
        { "sz/max", NO_LIMIT_64 },
        { "nr_accesses/min", pattern->accesses_min },
        { "nr_accesses/max", pattern->accesses_max },
        { "age/min", pattern->age_min },
        { "age/max", pattern->age_max },
    };
    char file[PATH_BYTES];

    g_snprintf(file, sizeof(file), "contexts/0/schemes/%u/action", scheme);
    if (!set_text(target, slot, file, "stat", error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_snprintf(file, sizeof(file), "contexts/0/schemes/%u/access_pattern/%s", scheme,
                   rows[i].file);
        if (!set_number(target, slot, file, rows[i].value, error))
            return false;
    }
    return true;
}

static bool
set_schemes(const WorkingSetTarget *target, unsigned slot, uint64_t aggr_us, GError **error)
{
    const WorkingSetEdges *edges = &target->host->edges;

    if (!set_number(target, slot, "contexts/0/schemes/nr_schemes", edges->n + 1, error))
        return false;
    for (uint32_t i = 0; i <= edges->n; i++) {
        Pattern pattern = pattern_of(edges, i, aggr_us);

        if (is_empty(&pattern, edges, i, aggr_us)) /* never both: fits nothing */
            pattern = (Pattern){ NO_LIMIT_32, NO_LIMIT_32, NO_LIMIT_32, NO_LIMIT_32 };
        if (!set_scheme(target, slot, i, &pattern, error))
            return false;
    }
    return true;
}

static bool
set_context(const WorkingSetTarget *target, unsigned slot, uint64_t sample_us, GError **error)
{
    static const char attributes[] = "contexts/0/monitoring_attrs/";
    const struct {
        const char *file;
        uint64_t value;
    } rows[] = {
        { "intervals/sample_us", sample_us },
        { "intervals/aggr_us", sample_us * SAMPLES },
        { "intervals/update_us", sample_us * SAMPLES * 10 },
        { "nr_regions/max", REGIONS_MAX },
        { "nr_regions/min", REGIONS_MIN },
    };
    char words[WORD_BYTES];

    if (!set_number(target, slot, "contexts/nr_contexts", 1, error))
        return false;
    if (!get_text(target, slot, "contexts/0/avail_operations", words) || !strstr(words, "vaddr"))
        return working_set_fail(error, "this kernel's DAMON does not monitor virtual addresses: by "
                                       "physical ones, each domain costs a walk over the host's "
                                       "memory");
    if (!set_text(target, slot, "contexts/0/operations", "vaddr", error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        char file[PATH_BYTES];

        g_snprintf(file, sizeof(file), "%s%s", attributes, rows[i].file);
        if (!set_number(target, slot, file, rows[i].value, error))
            return false;
    }
    return set_number(target, slot, "contexts/0/targets/nr_targets", 1, error) &&
           set_number(target, slot, "contexts/0/targets/0/pid_target", (uint64_t)target->pid,
                      error) &&
           set_schemes(target, slot, sample_us * SAMPLES, error) &&
           set_text(target, slot, "state", "on", error);
}

/* Without domains there are no monitors: another program may want DAMON. */
static void
give_back_unused(const WorkingSetHost *host)
{
    if (host->damon_slots == 0 && working_set_damon_is_ours(host->root_fd))
        working_set_write(host->root_fd, COUNT_FILE, "0", NULL);
}

static void
close_damon(gpointer state, const WorkingSetTarget *target)
{
    Monitor *monitor = state;
    char word[WORD_BYTES];

    /* A monitor ends with its process; if it was the last, others may have taken DAMON since. */
    if (working_set_damon_is_ours(target->host->root_fd)) {
        set_text(target, monitor->slot, "state", "off", NULL);
        /* What it has is not taken away while it runs, in case it could not be ended. */
        if (get_text(target, monitor->slot, "state", word) && !g_str_equal(word, "on"))
            set_number(target, monitor->slot, "contexts/nr_contexts", 0, NULL);
    }
    target->host->damon_slots &= ~(UINT64_C(1) << monitor->slot);
    give_back_unused(target->host);
    g_free(monitor);
}

static uint64_t
count_monitors(const WorkingSetHost *host)
{
    return (uint64_t)__builtin_popcountll(host->damon_slots);
}

/* All monitors together take their share of the budget if each samples as seldom as this, as far as
 * is known; more than SAMPLE_MOST_US: they cannot keep to it. */
static uint64_t
sample_us_for(const Monitor *monitor, const WorkingSetHost *host)
{
    uint64_t checks_us = count_monitors(host) * REGIONS_MAX * CHECK_US;
    uint64_t least_us = max_u64(mul_div(checks_us, BP_ONE, host->share_bp), monitor->least_us);
    uint64_t sample_us = SAMPLE_LEAST_US;

    while (sample_us < least_us && sample_us <= SAMPLE_MOST_US)
        sample_us *= 2;
    return sample_us;
}

/* Whether all monitors can be asked, one after the other, before the first has told too long ago
 * for policy (measure_fresh_us()). To ask one takes two aggregations at most. */
static bool
are_fresh(const WorkingSetHost *host, uint64_t sample_us)
{
    return count_monitors(host) * 2 * SAMPLES * sample_us <= 2 * (host->age_us + host->interval_us);
}

/* Lets the monitor begin, or begin anew, at the interval that is due to it. */
static bool
start(Monitor *monitor, const WorkingSetTarget *target, GError **error)
{
    uint64_t sample_us = sample_us_for(monitor, target->host);

    if (sample_us > SAMPLE_MOST_US)
        return working_set_fail(error, "monitors cannot keep to [working_set] budget");
    if (!are_fresh(target->host, sample_us))
        return working_set_fail(error, "so many monitors, as slow as [working_set] budget makes "
                                       "them, tell too late");
    *monitor = (Monitor){ .slot = monitor->slot,
                          .sample_us = sample_us,
                          .least_us = monitor->least_us,
                          .aggr_us = sample_us * SAMPLES,
                          .node = working_set_only_node(target->host->root_fd) };
    return set_context(target, monitor->slot, sample_us, error);
}

static bool
open_damon(const WorkingSetTarget *target, gpointer *ret_state, GError **error)
{
    Monitor *monitor;
    unsigned slot = 0;

    if (!have_monitors(target, error))
        return false;
    if (!take_slot(target, &slot, error)) {
        give_back_unused(target->host);
        return false;
    }
    monitor = g_new0(Monitor, 1);
    monitor->slot = slot;
    if (!start(monitor, target, error)) {
        close_damon(monitor, target);
        return false;
    }
    *ret_state = monitor;
    return true;
}

/* CPU time of the monitor's thread since the last step. */
static uint64_t
thread_us(Monitor *monitor, const WorkingSetTarget *target)
{
    char text[WORD_BYTES];
    char path[PATH_BYTES];
    uint64_t pid, now_us, before_us = monitor->thread_us;

    if (!get_text(target, monitor->slot, "pid", text) || !procfile_parse_u64(text, &pid))
        return 0;
    g_snprintf(path, sizeof(path), "proc/%" G_GUINT64_FORMAT "/schedstat", (guint64)pid);
    if (procfile_read_text(target->host->root_fd, path, text, sizeof(text)) != PROCFILE_READ)
        return 0;
    if (!is_known(procfile_field(text, 1)))
        return 0;
    now_us = procfile_field(text, 1) / 1000;
    monitor->thread_us = now_us;
    return sat_sub(now_us, before_us);
}

/* Whether the monitor has taken more than its share of the budget. */
static bool
is_too_dear(Monitor *monitor, const WorkingSetHost *host, uint64_t cpu_us, uint64_t now_us)
{
    uint64_t for_us = sat_sub(now_us, monitor->judged_us);
    uint64_t took_us;

    if (monitor->started_us == 0)
        return false;
    monitor->spent_us = took_us = sat_add(monitor->spent_us, cpu_us);
    if (for_us < JUDGE_US)
        return false;
    monitor->judged_us = now_us;
    monitor->spent_us = 0;
    return took_us > mul_div(for_us, host->share_bp, BP_ONE * count_monitors(host));
}

static uint64_t
bytes_of_scheme(const WorkingSetTarget *target, unsigned slot, uint32_t scheme)
{
    char file[PATH_BYTES];
    char text[WORD_BYTES];
    uint64_t bytes;

    g_snprintf(file, sizeof(file), "contexts/0/schemes/%u/tried_regions/total_bytes", scheme);
    if (!get_text(target, slot, file, text) || !procfile_parse_u64(text, &bytes))
        return VALUE_UNKNOWN;
    return bytes;
}

/*
 * Regions have holes in them: what is resident bounds what they count. A region that was never used
 * is as old as the monitor, so of ages in a bin that the monitor has not lived through, nothing is
 * known but that they are no younger.
 */
static bool
read_bins(const Monitor *monitor, const WorkingSetTarget *target, WorkingSetReading *reading,
          GError **error)
{
    const WorkingSetEdges *edges = &target->host->edges;
    WorkingSetBytes *bins = working_set_node(reading, monitor->node);
    uint64_t left = working_set_memory_bytes(target->dir_fd);
    uint64_t from_us = 0;

    if (!is_known(left))
        return working_set_fail(error, "its status does not tell what is resident");
    for (uint32_t i = 0; i <= edges->n; i++) {
        uint64_t bytes = bytes_of_scheme(target, monitor->slot, i);
        uint64_t to_us = max_u64(i == 0 ? monitor->aggr_us : edges->age_us[i - 1], from_us);
        WorkingSetBytes part = { 0 };

        if (!is_known(bytes))
            return working_set_fail(error, "this kernel's DAMON does not tell total_bytes");
        if (to_us > monitor->lived_us)
            break;
        part.bytes[WORKING_SET_ANON] = min_u64(bytes, left);
        left -= part.bytes[WORKING_SET_ANON];
        working_set_spread(edges, from_us, max_u64(to_us, from_us + 1), part, bins);
        from_us = to_us;
    }
    bins[edges->n].bytes[WORKING_SET_ANON] += left;
    reading->horizon_us = from_us;
    reading->has_bins = true;
    return true;
}

static bool
step_damon(gpointer state, const WorkingSetTarget *target, uint64_t now_us,
           WorkingSetReading *reading, GError **error)
{
    Monitor *monitor = state;

    if (!working_set_damon_is_ours(target->host->root_fd))
        return working_set_fail(error, "another program uses DAMON");
    reading->other_cpu_us = thread_us(monitor, target);
    if (is_too_dear(monitor, target->host, reading->other_cpu_us, now_us))
        monitor->least_us = 2 * monitor->sample_us;
    if (sample_us_for(monitor, target->host) > monitor->sample_us &&
        (!set_text(target, monitor->slot, "state", "off", error) || !start(monitor, target, error)))
        return false;
    if (monitor->started_us == 0) {
        monitor->started_us = monitor->judged_us = now_us;
        reading->next_us = now_us + 2 * monitor->aggr_us;
        return true;
    }
    if (!set_text(target, monitor->slot, "state", "update_schemes_tried_bytes", error))
        return false;
    monitor->lived_us = sat_sub(now_us, monitor->started_us);
    return read_bins(monitor, target, reading, error);
}

const WorkingSetBackend working_set_damon = {
    .name = "damon",
    /* 67 to 68 % in the bench on Linux 6.12, 73 to 80 % on 7.3: one page speaks for its region, and
     * what is used every few seconds is found unused in between. */
    .confidence_bp = 6000,
    .open = open_damon,
    .step = step_damon,
    .close = close_damon,
};
