/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set.c - the list of backends, and the meter that uses the best one that works
 *
 * Which backend works is found out by using it: open() looks for its files, and a step may still
 * find them taken, refused or gone. Whatever the failure, the answer is the same: close it, keep
 * the reason, leave it alone for some minutes, and go down the list. When the minutes are over, it
 * is tried again before the next measurement begins: a file system may be mounted by then, another
 * program gone. Only when its first step has worked is the one in use closed, since what that has
 * learnt of long ages is lost with it.
 */
#define _GNU_SOURCE

#include "agent/facts/process.h"
#include "agent/facts/working_set_nodes.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#include "agent/facts/procfile.h"
#include "policy/arith.h"

/* A backend that failed is left alone for so long. */
#define RETRY_US UINT64_C(600000000)
/* Memory does not move between nodes so soon. */
#define SHARES_US UINT64_C(600000000)
/* A list of nodes such as "0-1,4". */
#define NODES_BYTES 1024
/* Status of a process. */
#define STATUS_BYTES 8192
/* What a virtual processor of KVM is called in maps. */
#define KVM_MAPPING "anon_inode:kvm-vcpu"

/* Best first; the guest's own view is the last. */
static const WorkingSetBackend *const backends[] = {
    &working_set_page_age, &working_set_lru_gen,    &working_set_damon,
    &working_set_idle,     &working_set_referenced, &working_set_guest,
};

static const char *const state_names[] = {
    [WORKING_SET_NONE] = "none",
    [WORKING_SET_WARMING] = "warming",
    [WORKING_SET_MEASURED] = "measured",
    [WORKING_SET_GUEST] = "guest",
};
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == WORKING_SET_STATE_COUNT);

/* A backend, as one meter knows it. */
typedef struct {
    uint64_t not_before_us; /* CLOCK_MONOTONIC; 0: at once */
    char *reason;           /* owned; why it was left; NULL: it was not */
    bool has_failed;        /* it could be opened, and a step has failed */
} Slot;

struct WorkingSetMeter {
    WorkingSetTarget target;
    Slot slots[G_N_ELEMENTS(backends)]; /* one for each, in the order of the list */
    size_t current;                     /* backend in use; G_N_ELEMENTS(backends): none */
    gpointer state;                     /* owned by that backend */
    WorkingSetGuest guest_before;       /* the guest's word at the last fusion */
    WorkingSetTurn turn;                /* the next step */
    uint64_t measuring_us;              /* CPU time of the measurement under way */
    WorkingSetShares shares;            /* memory by node, where the backend does not tell */
    uint64_t shares_us;                 /* CLOCK_MONOTONIC at which that was read; 0: never */
    WorkingSetReport report;
};

const char *
working_set_state_name(WorkingSetState state)
{
    return (unsigned)state < WORKING_SET_STATE_COUNT ? state_names[state] : "unknown";
}

bool
working_set_fail(GError **error, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, text);
    return false;
}

/* Its index; one behind the last: it is not there. */
static uint32_t
find_node(const WorkingSetReading *reading, int64_t node)
{
    uint32_t i = 0;

    while (i < reading->n_nodes && reading->nodes[i].node != node)
        i++;
    return i;
}

WorkingSetBytes *
working_set_node(WorkingSetReading *reading, int64_t node)
{
    uint32_t i = find_node(reading, node);

    if (i == reading->n_nodes && i + 1 >= WORKING_SET_NODES_MAX) { /* the last place is for all */
        node = WORKING_SET_NODE_UNKNOWN;
        i = find_node(reading, node);
    }
    if (i == reading->n_nodes)
        reading->nodes[reading->n_nodes++].node = (int32_t)node;
    return reading->nodes[i].bins;
}

int32_t
working_set_only_node(int root_fd)
{
    char text[NODES_BYTES];

    if (procfile_read_text(root_fd, "sys/devices/system/node/online", text, sizeof(text)) !=
        PROCFILE_READ)
        return 0; /* a kernel without NUMA */
    if (procfile_count_list(text) != 1)
        return WORKING_SET_NODE_UNKNOWN;
    return (int32_t)g_ascii_strtoll(text, NULL, 10);
}

bool
working_set_find_kvm(const WorkingSetTarget *target, bool *ret_has_kvm, GError **error)
{
    g_autofree char *text = NULL;

    if (procfile_read_long(target->dir_fd, "maps", PROCFILE_MAPS_BYTES, &text) != PROCFILE_READ)
        return working_set_fail(error, "its maps cannot be read");
    *ret_has_kvm = strstr(text, KVM_MAPPING) != NULL;
    return true;
}

uint64_t
working_set_memory_bytes(int dir_fd)
{
    char status[STATUS_BYTES];

    if (procfile_read_text(dir_fd, "status", status, sizeof(status)) != PROCFILE_READ)
        return VALUE_UNKNOWN;
    return sat_add(procfile_key_bytes(status, "RssAnon"),
                   known_or(procfile_key_bytes(status, "RssShmem"), 0));
}

WorkingSetMeter *
working_set_meter_new(WorkingSetHost *host, pid_t pid, int dir_fd, const char *cgroup, bool is_v2)
{
    WorkingSetMeter *meter = g_new0(WorkingSetMeter, 1);

    meter->target = (WorkingSetTarget){
        .host = host,
        .pid = pid,
        .dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0),
        .cgroup = g_strdup(cgroup),
        .is_v2 = is_v2,
        .guest = { VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN,
                   VALUE_UNKNOWN, 0 },
    };
    meter->current = G_N_ELEMENTS(backends);
    meter->guest_before = meter->target.guest;
    meter->report = (WorkingSetReport){ .backend = "none",
                                        .edges = host->edges,
                                        .guest = meter->target.guest,
                                        .resident_bytes = VALUE_UNKNOWN,
                                        .working_set_bytes = VALUE_UNKNOWN,
                                        .cold_bytes = VALUE_UNKNOWN };
    return meter;
}

/* Closes the backend in use, if there is one. */
static void
leave(WorkingSetMeter *meter)
{
    if (meter->current < G_N_ELEMENTS(backends))
        backends[meter->current]->close(meter->state, &meter->target);
    meter->state = NULL;
    meter->current = G_N_ELEMENTS(backends);
}

void
working_set_meter_free(WorkingSetMeter *meter)
{
    if (!meter)
        return;
    leave(meter);
    for (size_t i = 0; i < G_N_ELEMENTS(backends); i++)
        g_free(meter->slots[i].reason);
    if (meter->target.dir_fd >= 0)
        close(meter->target.dir_fd);
    g_free(meter->target.cgroup);
    g_free(meter);
}

void
working_set_meter_set_guest(WorkingSetMeter *meter, const WorkingSetGuest *guest)
{
    /* It tells something new, so there is no need to leave it alone any longer. */
    if (guest->told_us != meter->target.guest.told_us)
        meter->slots[G_N_ELEMENTS(backends) - 1].not_before_us = 0;
    meter->target.guest = *guest;
}

/* Leaves a backend alone for a while, and keeps why. */
static void
give_up(WorkingSetMeter *meter, size_t i, bool has_failed, uint64_t now_us, const GError *error)
{
    Slot *slot = &meter->slots[i];

    slot->not_before_us = now_us + RETRY_US;
    slot->has_failed = has_failed;
    g_free(slot->reason);
    slot->reason = g_strdup(error->message);
}

/* What another backend has found out does not become this one's. */
static void
adopt(WorkingSetMeter *meter, size_t i, gpointer state)
{
    leave(meter);
    meter->current = i;
    meter->state = state;
    meter->turn = (WorkingSetTurn){ 0 };
    meter->measuring_us = 0;
    meter->report.n_nodes = 0;
    meter->report.horizon_us = 0;
    meter->report.moment_us = 0;
    meter->report.cpu_us = 0;
}

/* Whether the first step of a backend has worked: then it is the one in use. */
static bool
begin(WorkingSetMeter *meter, size_t i, uint64_t now_us, WorkingSetReading *reading)
{
    g_autoptr(GError) error = NULL;
    gpointer state = NULL;

    if (!backends[i]->open(&meter->target, &state, &error)) {
        give_up(meter, i, false, now_us, error);
        return false;
    }
    if (!backends[i]->step(state, &meter->target, now_us, reading, &error)) {
        backends[i]->close(state, &meter->target);
        give_up(meter, i, true, now_us, error);
        *reading = (WorkingSetReading){ .other_cpu_us = reading->other_cpu_us };
        return false;
    }
    adopt(meter, i, state); /* owns the state from here */
    return true;
}

/* The first that works of those in front of @end. */
static bool
begin_best(WorkingSetMeter *meter, size_t end, uint64_t now_us, WorkingSetReading *reading)
{
    for (size_t i = 0; i < end; i++)
        if (meter->slots[i].not_before_us <= now_us && begin(meter, i, now_us, reading))
            return true;
    return false;
}

/* Whether a step of the backend in use has worked. */
static bool
go_on(WorkingSetMeter *meter, uint64_t now_us, WorkingSetReading *reading)
{
    g_autoptr(GError) error = NULL;
    size_t i = meter->current;

    if (i == G_N_ELEMENTS(backends))
        return false;
    if (backends[i]->step(meter->state, &meter->target, now_us, reading, &error))
        return true;
    leave(meter);
    give_up(meter, i, true, now_us, error);
    *reading = (WorkingSetReading){ .other_cpu_us = reading->other_cpu_us };
    return false;
}

/* The reasons of those that are better than the one in use. */
static void
write_reasons(WorkingSetMeter *meter)
{
    g_autoptr(GString) text = g_string_new(NULL);

    meter->report.has_fallen_back = false;
    for (size_t i = 0; i < meter->current; i++) {
        const Slot *slot = &meter->slots[i];

        if (slot->reason)
            g_string_append_printf(text, "%s%s: %s", text->len > 0 ? "; " : "", backends[i]->name,
                                   slot->reason);
        meter->report.has_fallen_back |= slot->has_failed;
    }
    g_strlcpy(meter->report.reason, text->str, sizeof(meter->report.reason));
}

/* No backend: nothing of what was measured counts any more. */
static void
report_nothing(WorkingSetMeter *meter, uint64_t now_us)
{
    WorkingSetReport *report = &meter->report;

    *report = (WorkingSetReport){ .backend = "none",
                                  .edges = meter->target.host->edges,
                                  .guest = meter->target.guest };
    working_set_fuse(report, &meter->guest_before, meter->target.host->age_us);
    meter->guest_before = report->guest;
    meter->turn = (WorkingSetTurn){ .due_us = now_us + RETRY_US };
    meter->measuring_us = 0;
    write_reasons(meter);
}

/* What the backend could not put on a node. */
static void
place(WorkingSetMeter *meter, WorkingSetReading *reading, uint64_t now_us)
{
    if (!reading->has_bins || reading->n_nodes != 1 ||
        reading->nodes[0].node != WORKING_SET_NODE_UNKNOWN)
        return;
    if (meter->shares_us == 0 || now_us - meter->shares_us >= SHARES_US) {
        meter->shares = working_set_shares_read(meter->target.dir_fd);
        meter->shares_us = now_us;
    }
    working_set_shares_split(&meter->shares, meter->target.host->edges.n + 1, reading);
}

static void
take_bins(WorkingSetReport *report, const WorkingSetReading *reading, uint64_t now_us)
{
    report->n_nodes = reading->n_nodes;
    memcpy(report->nodes, reading->nodes, sizeof(report->nodes));
    report->horizon_us = reading->horizon_us;
    report->moment_us = reading->moment_us > 0 ? reading->moment_us : now_us;
}

static void
take_reading(WorkingSetMeter *meter, const WorkingSetReading *reading, uint64_t now_us)
{
    const WorkingSetBackend *backend = backends[meter->current];
    WorkingSetReport *report = &meter->report;

    report->backend = backend->name;
    report->guest = meter->target.guest;
    if (reading->has_bins)
        take_bins(report, reading, now_us);
    if (backend == &working_set_guest) {
        report->moment_us = report->guest.told_us;
        report->state = WORKING_SET_GUEST;
    } else {
        report->state = report->horizon_us > 0 ? WORKING_SET_MEASURED : WORKING_SET_WARMING;
    }
    report->confidence_bp = report->state == WORKING_SET_WARMING ? 0 : backend->confidence_bp;
    report->is_estimate = backend->is_estimate;
    working_set_fuse(report, &meter->guest_before, meter->target.host->age_us);
    meter->guest_before = report->guest;
    write_reasons(meter);
}

/* The cost of a measurement is that of the last one that is over, or of the first so far. */
static void
set_turn(WorkingSetMeter *meter, const WorkingSetReading *reading, uint64_t cpu_us, uint64_t now_us)
{
    const WorkingSetHost *host = meter->target.host;
    bool is_first = meter->turn.expect_us == 0;

    meter->turn.due_us = reading->next_us > 0 ? reading->next_us : now_us + host->interval_us;
    meter->turn.is_under_way = reading->goes_on;
    meter->measuring_us = sat_add(meter->measuring_us, cpu_us);
    if (is_first || !reading->goes_on)
        meter->report.cpu_us = meter->measuring_us;
    if (reading->goes_on)
        return;
    meter->turn.expect_us = meter->measuring_us;
    meter->measuring_us = 0;
}

uint64_t
working_set_meter_step(WorkingSetMeter *meter, uint64_t now_us)
{
    uint64_t start_us = process_thread_cpu_us();
    g_autofree WorkingSetReading *reading = g_new0(WorkingSetReading, 1);
    uint64_t cpu_us;
    bool works = false;

    if (!meter->turn.is_under_way)
        works = begin_best(meter, meter->current, now_us, reading);
    works = works || go_on(meter, now_us, reading) ||
            begin_best(meter, G_N_ELEMENTS(backends), now_us, reading);
    place(meter, reading, now_us);
    if (works)
        take_reading(meter, reading, now_us);
    else
        report_nothing(meter, now_us);
    cpu_us = sat_add(process_thread_cpu_us() - start_us, reading->other_cpu_us);
    if (works)
        set_turn(meter, reading, cpu_us, now_us);
    return cpu_us;
}

WorkingSetTurn
working_set_meter_turn(const WorkingSetMeter *meter)
{
    return meter->turn;
}

const WorkingSetReport *
working_set_meter_report(const WorkingSetMeter *meter)
{
    return &meter->report;
}
