/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rotation.c - the working sets of all domains, measured in turn, within a budget
 *
 * The loop keeps for each domain when its next step is due and what was last found out; the meter
 * itself, and what all meters share, belong to the thread that measures: a meter goes into a job
 * and comes back with its result. There is one step under way at a time, and the budget says whose
 * is next. Steps of a domain that is gone, and setting its meter's doings back, are jobs as well,
 * so that nothing that may block is done on the loop.
 */
#define _GNU_SOURCE
#include "agent/rotation.h"
#include "agent/facts/process.h"

#include <fcntl.h>
#include <unistd.h>

#include "agent/virt/worker.h"
#include "policy/arith.h"

/* CPU time of a step that neither thread's clock has in it, as each is woken for it: 70 to 90 us in
 * test/bench/measuring.c, on a host whose CPUs others want too. */
#define WAKE_US 100
/* A step that takes so long hangs. */
#define PATIENCE_US UINT64_C(30000000)
/* Longest wait for measurements to end. */
#define END_US (2 * G_USEC_PER_SEC)

/* A domain. */
typedef struct {
    uint64_t key;           /* of its start */
    pid_t pid;              /* of its QEMU */
    int dir_fd;             /* owned; directory of that process in /proc */
    char *cgroup;           /* owned; NULL: none */
    bool is_v2;             /* cgroup is of version 2 */
    WorkingSetGuest guest;  /* its own word; counts if has_guest */
    bool has_guest;         /* it has said something */
    WorkingSetMeter *meter; /* owned; NULL: not made yet, or in a job */
    WorkingSetTurn turn;    /* its next step */
    bool has_none;          /* there were no means to measure it at the last step */
} Entry;

struct Rotation {
    WorkingSetHost *host;    /* counted (g_atomic_rc_box); the thread's */
    Worker *worker;          /* owned */
    WorkingSetBudget budget; /* what may be spent */
    GPtrArray *entries;      /* owned; Entry */
    GHashTable *by_key;      /* owned; the same, by key */
    RotationTold told;       /* is called when a report is new; NULL: nobody */
    gpointer user;           /* for it; borrowed */
    uint64_t loop_us;        /* CPU time of the loop for it that is not charged yet */
    bool is_busy;            /* a step is under way */
    uint64_t busy_key;       /* of whom */
    uint64_t begun_us;       /* CLOCK_MONOTONIC when it was begun */
    guint timer;             /* GSource that looks whose turn it is; 0: none */
};

/* A step, or the end of a meter. Goes into the thread and comes back. */
typedef struct {
    WorkingSetHost *host;    /* counted */
    uint64_t key;            /* whose it is */
    pid_t pid;               /* for a meter that is not made yet */
    int dir_fd;              /* likewise; owned */
    char *cgroup;            /* likewise; owned */
    bool is_v2;              /* likewise */
    WorkingSetMeter *meter;  /* owned; NULL: not made yet */
    WorkingSetGuest guest;   /* counts if has_guest */
    bool has_guest;          /* the guest has said something */
    WorkingSetTurn turn;     /* out: the next step */
    WorkingSetReport report; /* out */
    uint64_t cpu_us;         /* out: what it took */
} Step;

static void look(Rotation *rotation);

static void
step_free(gpointer data)
{
    Step *step = data;

    if (!step)
        return;
    working_set_meter_free(step->meter);
    g_atomic_rc_box_release(step->host);
    if (step->dir_fd >= 0)
        close(step->dir_fd);
    g_free(step->cgroup);
    g_free(step);
}

static void
entry_free(gpointer data)
{
    Entry *entry = data;

    close(entry->dir_fd);
    g_free(entry->cgroup);
    g_free(entry);
}

/* --- in the thread ------------------------------------------------------------------------ */

/* The input is the output: it is moved over, so that it is freed once. */
static gpointer
take_step(gpointer input, GError **error)
{
    uint64_t start_us = process_thread_cpu_us();
    uint64_t prepared_us;
    Step *given = input;
    Step *step = g_new(Step, 1);

    (void)error;
    *step = *given;
    g_atomic_rc_box_acquire(step->host);
    given->meter = NULL;
    given->dir_fd = -1;
    given->cgroup = NULL;
    if (!step->meter)
        step->meter =
            working_set_meter_new(step->host, step->pid, step->dir_fd, step->cgroup, step->is_v2);
    if (step->has_guest)
        working_set_meter_set_guest(step->meter, &step->guest);
    prepared_us = process_thread_cpu_us() - start_us;
    step->cpu_us =
        sat_add(prepared_us, working_set_meter_step(step->meter, (uint64_t)g_get_monotonic_time()));
    step->turn = working_set_meter_turn(step->meter);
    step->report = *working_set_meter_report(step->meter);
    return step;
}

static gpointer
end_meter(gpointer input, GError **error)
{
    (void)error;
    g_clear_pointer(&((Step *)input)->meter, working_set_meter_free);
    return NULL;
}

/* --- on the loop -------------------------------------------------------------------------- */

static Entry *
find(const Rotation *rotation, uint64_t key)
{
    return g_hash_table_lookup(rotation->by_key, &key);
}

static void
ignore(gpointer output, const GError *error, gpointer user)
{
    (void)output;
    (void)error;
    (void)user;
}

static void
push_end(Rotation *rotation, WorkingSetMeter *meter)
{
    static const WorkerJob job = { end_meter, step_free, step_free, NULL, ignore };
    Step *step;

    if (!meter)
        return;
    step = g_new0(Step, 1);
    step->host = g_atomic_rc_box_acquire(rotation->host);
    step->dir_fd = -1;
    step->meter = meter; /* the job owns it from here */
    worker_push(rotation->worker, &job, step, rotation);
}

/* The loop's own part is charged with the next step. */
static void
step_done(gpointer output, const GError *error, gpointer user)
{
    uint64_t start_us = process_thread_cpu_us();
    Rotation *rotation = user;
    Step *step = output;
    Entry *entry = find(rotation, step->key);
    WorkingSetTurn gone = { .is_under_way = true };
    WorkingSetTurn *turn = entry ? &entry->turn : &gone;

    (void)error;
    rotation->is_busy = false;
    working_set_budget_charge(&rotation->budget, turn,
                              sat_add(step->cpu_us, rotation->loop_us + WAKE_US),
                              step->turn.is_under_way);
    rotation->loop_us = 0;
    if (entry) {
        entry->turn.due_us = step->turn.due_us;
        entry->turn.expect_us = step->turn.expect_us;
        entry->turn.is_under_way = step->turn.is_under_way;
        entry->meter = g_steal_pointer(&step->meter);
        entry->has_none = step->report.state == WORKING_SET_NONE;
        if (rotation->told)
            rotation->told(entry->key, &step->report, rotation->user);
    } else {
        push_end(rotation, g_steal_pointer(&step->meter));
    }
    step_free(step);
    look(rotation);
    rotation->loop_us += process_thread_cpu_us() - start_us;
}

static void
push_step(Rotation *rotation, Entry *entry)
{
    static const WorkerJob job = { take_step, step_free, step_free, NULL, step_done };
    Step *step = g_new0(Step, 1);

    *step = (Step){ .host = g_atomic_rc_box_acquire(rotation->host),
                    .key = entry->key,
                    .pid = entry->pid,
                    .dir_fd = fcntl(entry->dir_fd, F_DUPFD_CLOEXEC, 0),
                    .cgroup = g_strdup(entry->cgroup),
                    .is_v2 = entry->is_v2,
                    .meter = g_steal_pointer(&entry->meter),
                    .guest = entry->guest,
                    .has_guest = entry->has_guest };
    rotation->is_busy = true;
    rotation->busy_key = entry->key;
    rotation->begun_us = (uint64_t)g_get_monotonic_time();
    worker_push(rotation->worker, &job, step, rotation);
}

static gboolean
wake(gpointer data)
{
    uint64_t start_us = process_thread_cpu_us();
    Rotation *rotation = data;

    rotation->timer = 0;
    look(rotation);
    rotation->loop_us += process_thread_cpu_us() - start_us;
    return G_SOURCE_REMOVE;
}

/* Begins the next step, or sets the timer for it. */
static void
look(Rotation *rotation)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    g_autofree WorkingSetTurn *turns = g_new0(WorkingSetTurn, rotation->entries->len + 1);
    uint64_t wake_us = UINT64_MAX;
    size_t next;

    g_clear_handle_id(&rotation->timer, g_source_remove);
    if (rotation->is_busy)
        return;
    for (guint i = 0; i < rotation->entries->len; i++)
        turns[i] = ((Entry *)g_ptr_array_index(rotation->entries, i))->turn;
    next =
        working_set_budget_next(&rotation->budget, turns, rotation->entries->len, now_us, &wake_us);
    if (next < rotation->entries->len)
        push_step(rotation, g_ptr_array_index(rotation->entries, next));
    else if (wake_us < UINT64_MAX)
        rotation->timer = g_timeout_add(
            (guint)min_u64(sat_sub(wake_us, now_us) / 1000 + 1, G_MAXINT), wake, rotation);
}

/* As look(), but when who calls us has said all that he wants to say. */
static void
look_soon(Rotation *rotation)
{
    g_clear_handle_id(&rotation->timer, g_source_remove);
    rotation->timer = g_timeout_add(0, wake, rotation);
}

Rotation *
rotation_new(const WorkingSetHost *setup)
{
    Rotation *rotation = g_new0(Rotation, 1);

    rotation->host = g_atomic_rc_box_new0(WorkingSetHost);
    *rotation->host = (WorkingSetHost){ .root_fd = setup->root_fd,
                                        .edges = setup->edges,
                                        .age_us = setup->age_us,
                                        .interval_us = setup->interval_us,
                                        .share_bp = setup->share_bp };
    rotation->worker = worker_new();
    rotation->entries = g_ptr_array_new_with_free_func(entry_free);
    rotation->by_key = g_hash_table_new(g_int64_hash, g_int64_equal);
    working_set_budget_init(&rotation->budget, setup->share_bp);
    return rotation;
}

void
rotation_free(Rotation *rotation)
{
    if (!rotation)
        return;
    while (rotation->entries->len > 0)
        rotation_remove(rotation, ((Entry *)g_ptr_array_index(rotation->entries, 0))->key);
    worker_drain(rotation->worker, END_US);
    g_clear_handle_id(&rotation->timer, g_source_remove);
    worker_free(rotation->worker);
    g_hash_table_unref(rotation->by_key);
    g_ptr_array_unref(rotation->entries);
    g_atomic_rc_box_release(rotation->host);
    g_free(rotation);
}

void
rotation_add(Rotation *rotation, uint64_t key, pid_t pid, int dir_fd, const char *cgroup,
             bool is_v2)
{
    Entry *entry = g_new0(Entry, 1);

    *entry = (Entry){ .key = key,
                      .pid = pid,
                      .dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0),
                      .cgroup = g_strdup(cgroup),
                      .is_v2 = is_v2 };
    if (entry->dir_fd < 0) { /* no descriptors left: as good as no domain */
        entry_free(entry);
        return;
    }
    g_ptr_array_add(rotation->entries, entry);
    g_hash_table_insert(rotation->by_key, &entry->key, entry);
    look_soon(rotation);
}

void
rotation_remove(Rotation *rotation, uint64_t key)
{
    Entry *entry = find(rotation, key);

    if (!entry)
        return;
    working_set_budget_drop(&rotation->budget, &entry->turn);
    push_end(rotation, g_steal_pointer(&entry->meter));
    g_hash_table_remove(rotation->by_key, &key);
    g_ptr_array_remove(rotation->entries, entry);
}

void
rotation_listen(Rotation *rotation, RotationTold told, gpointer user)
{
    rotation->told = told;
    rotation->user = user;
}

uint64_t
rotation_held_up_by(const Rotation *rotation)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();

    return rotation->is_busy && now_us - rotation->begun_us > PATIENCE_US ? rotation->busy_key : 0;
}

bool
rotation_has(const Rotation *rotation, uint64_t key)
{
    return find(rotation, key) != NULL;
}

void
rotation_keep(Rotation *rotation, GHashTable *keys)
{
    for (guint i = rotation->entries->len; i > 0; i--) {
        const Entry *entry = g_ptr_array_index(rotation->entries, i - 1);

        if (!g_hash_table_contains(keys, &entry->key))
            rotation_remove(rotation, entry->key);
    }
}

void
rotation_set_guest(Rotation *rotation, uint64_t key, const WorkingSetGuest *guest)
{
    Entry *entry = find(rotation, key);

    if (!entry)
        return;
    /* A guest that begins to tell is means enough for a domain that there were none for. */
    if (!entry->has_guest && entry->has_none) {
        entry->turn.due_us = 0;
        look_soon(rotation);
    }
    entry->guest = *guest;
    entry->has_guest = true;
}

uint64_t
rotation_spent_us(const Rotation *rotation)
{
    return rotation->budget.spent_us;
}
