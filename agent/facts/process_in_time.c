/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process_in_time.c - reading and finding processes without waiting for any of them
 *
 * All readings of a tick are one call: they take some microseconds each, and so does waking a
 * thread. The first one that is not read in time is the one to blame: what comes after it is read
 * by a call of its own.
 *
 * Measured with Linux 6.18: while 1 GiB that KSM has merged is unmerged at the request of its
 * process, as merging that is switched off does it, ksm_stat cannot be read for 0.59 s; statm and
 * ksm_merging_pages can be at any time.
 */
#define _GNU_SOURCE
#include "agent/facts/process.h"

#include "policy/arith.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

/* How long one process is waited for, and how long the first one when no thread has begun. */
#define READ_US  UINT64_C(100000)
#define BEGIN_US UINT64_C(1000000)
/* Attempts to read the others without the one that holds them up. */
#define ROUNDS_MAX 3
/* How long the search is waited for. */
#define FIND_US UINT64_C(100000)
/* One that was late is not waited for again so soon. */
#define AGAIN_US UINT64_C(5000000)
/* Figures are its last ones for so long. */
#define LAST_US UINT64_C(10000000)

/* --- reading ---------------------------------------------------------------------------- */

/* How far a reading is. */
typedef enum {
    STAGE_WAITING, /* not read yet */
    STAGE_READ,    /* its sample is there */
    STAGE_GONE,    /* the process has exited */
} Stage;

typedef struct {
    Process process;      /* only its pid and its directory, which is owned */
    ProcessSample sample; /* counts if it was read */
    gint stage;           /* atomic; Stage */
} Item;

typedef struct {
    gint is_left;  /* atomic; nobody waits any more */
    gint is_begun; /* atomic; there is a thread for it, and it runs */
    size_t n;      /* how many there are */
    Item *items;   /* owned */
} Batch;

static void
batch_clear(gpointer data)
{
    Batch *batch = data;

    for (size_t i = 0; i < batch->n; i++)
        if (batch->items[i].process.dir_fd >= 0)
            close(batch->items[i].process.dir_fd);
    g_free(batch->items);
}

static void
batch_release(Batch *batch)
{
    g_atomic_rc_box_release_full(batch, batch_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Batch, batch_release)

static void
read_items(gpointer data)
{
    Batch *batch = data;

    g_atomic_int_set(&batch->is_begun, true);
    for (size_t i = 0; i < batch->n && !g_atomic_int_get(&batch->is_left); i++) {
        Item *item = &batch->items[i];
        bool runs = process_read(&item->process, &item->sample);

        g_atomic_int_set(&item->stage, runs ? STAGE_READ : STAGE_GONE);
    }
}

/* Whether it may be waited for: it was not late, or that is over. */
static bool
may_wait_for(Process *process, uint64_t now_us)
{
    if (process->late && (now_us < process->again_us || !patience_wait(process->late, 0)))
        return false;
    g_clear_pointer(&process->late, patience_leave);
    return true;
}

static Item
item_new(const Process *process)
{
    return (Item){ .process = { .pid = process->pid,
                                .dir_fd = fcntl(process->dir_fd, F_DUPFD_CLOEXEC, 0) } };
}

static size_t
count_done(const Batch *batch, size_t from)
{
    while (from < batch->n && g_atomic_int_get(&batch->items[from].stage) != STAGE_WAITING)
        from++;
    return from;
}

/* Waits as long as it goes on. Return: whether all is done. */
static bool
await(PatienceCall *call, Batch *batch)
{
    size_t done = 0;
    size_t before;

    /* A host without a CPU to spare is nobody's fault. */
    for (uint64_t us = 0; us < BEGIN_US && !g_atomic_int_get(&batch->is_begun); us += READ_US)
        patience_wait(call, READ_US);
    do {
        if (patience_wait(call, READ_US))
            return true;
        before = done;
        done = count_done(batch, done);
    } while (done > before);
    return false;
}

static void
take(ProcessReading *reading, const Item *item, Stage stage, uint64_t now_us)
{
    Process *process = reading->process;

    reading->is_read = true;
    reading->runs = stage == STAGE_READ;
    if (!reading->runs)
        return;
    reading->sample = process->last = item->sample;
    process->last_us = now_us;
}

/* Takes what was read. Return: the first one that was not; NULL: there is none. */
static Process *
take_all(ProcessReading **asked, const Batch *batch, uint64_t now_us)
{
    for (size_t i = 0; i < batch->n; i++) {
        Item *item = &batch->items[i];
        Stage stage = (Stage)g_atomic_int_get(&item->stage);

        if (stage == STAGE_WAITING)
            return asked[i]->process;
        take(asked[i], item, stage, now_us);
    }
    return NULL;
}

/* Return: whether one has held up others, which can be read without it. */
static bool
read_round(ProcessReading *readings, size_t n, uint64_t now_us)
{
    g_autoptr(Batch) batch = g_atomic_rc_box_new0(Batch);
    g_autofree ProcessReading **asked = g_new(ProcessReading *, n);
    PatienceCall *call;
    Process *late;

    batch->items = g_new0(Item, n);
    for (size_t i = 0; i < n; i++) {
        if (readings[i].is_read || !may_wait_for(readings[i].process, now_us))
            continue;
        asked[batch->n] = &readings[i];
        batch->items[batch->n++] = item_new(readings[i].process);
    }
    call = batch->n > 0 ? patience_begin(NULL, read_items, batch, batch_clear) : NULL;
    if (!call)
        return false;
    g_atomic_int_set(&batch->is_left, !await(call, batch));
    late = take_all(asked, batch, now_us);
    if (!late) {
        patience_leave(call);
        return false;
    }
    late->late = call; /* keeps it until it is over */
    late->again_us = now_us + AGAIN_US;
    return true;
}

/* What can be had without waiting, and the last of the rest, if that is not too old. */
static void
read_rest(ProcessReading *reading, uint64_t now_us)
{
    const Process *process = reading->process;

    reading->runs = process_read_free(process, &reading->sample);
    if (!process->late)
        reading->sample.ksm_access = process->last.ksm_access;
    if (process->last_us == 0 || now_us - process->last_us > LAST_US)
        return;
    reading->sample.rmap_items = process->last.rmap_items;
    reading->sample.ksm_zero_pages = process->last.ksm_zero_pages;
    reading->sample.profit_bytes = process->last.profit_bytes;
}

bool
process_read_in_time(ProcessReading *readings, size_t n)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    bool is_whole = true;

    for (unsigned rounds = 0; rounds < ROUNDS_MAX && read_round(readings, n, now_us); rounds++)
        continue;
    for (size_t i = 0; i < n; i++) {
        if (readings[i].is_read)
            continue;
        is_whole = false;
        read_rest(&readings[i], now_us);
    }
    return is_whole;
}

/* --- finding ---------------------------------------------------------------------------- */

typedef struct {
    int root_fd;     /* owned */
    char *name;      /* owned; as in ProcessWanted */
    char *uuid;      /* owned; likewise */
    bool is_systems; /* likewise */
    Process process; /* owned; holds one if it was found */
    GError *error;   /* owned; NULL: it was found */
} Search;

static void
search_clear(gpointer data)
{
    Search *search = data;

    if (search->root_fd >= 0)
        close(search->root_fd);
    process_done(&search->process);
    g_clear_error(&search->error);
    g_free(search->name);
    g_free(search->uuid);
}

static void
search_release(Search *search)
{
    g_atomic_rc_box_release_full(search, search_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Search, search_release)

static void
search_work(gpointer data)
{
    Search *search = data;
    ProcessWanted whose = { search->name, search->uuid, search->is_systems };

    process_find(search->root_fd, &whose, &search->process, &search->error);
}

bool
process_find_in_time(int root_fd, const ProcessWanted *whose, Process *ret_process, GError **error)
{
    g_autoptr(Search) search = g_atomic_rc_box_new0(Search);
    PatienceCall *call;
    bool is_over;

    search->root_fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
    search->name = g_strdup(whose->name);
    search->uuid = g_strdup(whose->uuid);
    search->is_systems = whose->is_systems;
    call = patience_begin(whose->uuid, search_work, search, search_clear);
    is_over = call && patience_wait(call, FIND_US);
    patience_leave(call);
    if (!is_over) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                    "a process does not let its command line be read");
        return false;
    }
    if (search->error) {
        g_propagate_error(error, g_steal_pointer(&search->error));
        return false;
    }
    *ret_process = search->process;
    search->process = (Process){ 0 };
    return true;
}
