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
/* How long all together, but for the last one. */
#define ALL_US UINT64_C(500000)
/* Attempts to read the others without the one that holds them up. */
#define ROUNDS_MAX 3
/* How long a search is waited for. */
#define FIND_US UINT64_C(100000)
/* Searches under way; and how long the result of one is kept that nobody asks for again. */
#define SEARCHES_MAX 16
#define KEEP_US      UINT64_C(600000000)
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
    size_t reading;       /* which one it is for */
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

static size_t
count_done(const Batch *batch, size_t from)
{
    while (from < batch->n && g_atomic_int_get(&batch->items[from].stage) != STAGE_WAITING)
        from++;
    return from;
}

/* Waits as long as it goes on, up to a moment. Return: the first that was not read; batch->n: all
 * were. */
static size_t
await(PatienceCall *call, Batch *batch, uint64_t end_us)
{
    size_t done = 0;
    size_t before;

    /* A host without a CPU to spare is nobody's fault. */
    for (uint64_t us = 0; us < BEGIN_US && !g_atomic_int_get(&batch->is_begun); us += READ_US)
        patience_wait(call, READ_US);
    do {
        if (patience_wait(call, READ_US))
            return batch->n;
        before = done;
        done = count_done(batch, done);
    } while (done > before && (uint64_t)g_get_monotonic_time() < end_us);
    return done;
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

/* Return: whether it was read. */
static bool
take_if_read(ProcessReading *reading, Item *item, uint64_t now_us)
{
    Stage stage = (Stage)g_atomic_int_get(&item->stage);

    if (stage == STAGE_WAITING)
        return false;
    take(reading, item, stage, now_us);
    return true;
}

/* Those that may be waited for, and that there is a descriptor for. */
static Batch *
batch_new(ProcessReading *readings, size_t n, uint64_t now_us)
{
    Batch *batch = g_atomic_rc_box_new0(Batch);

    batch->items = g_new0(Item, n);
    for (size_t i = 0; i < n; i++) {
        Process *process = readings[i].process;
        int dir_fd;

        if (readings[i].is_read || !may_wait_for(process, now_us))
            continue;
        dir_fd = fcntl(process->dir_fd, F_DUPFD_CLOEXEC, 0);
        if (dir_fd < 0)
            continue;
        batch->items[batch->n++] =
            (Item){ .reading = i, .process = { .pid = process->pid, .dir_fd = dir_fd } };
    }
    return batch;
}

/* Return: whether others can be read without the one that holds them up. */
static bool
read_round(ProcessReading *readings, size_t n, uint64_t now_us, uint64_t end_us)
{
    g_autoptr(Batch) batch = batch_new(readings, n, now_us);
    PatienceCall *call = batch->n > 0 ? patience_begin(read_items, batch, batch_clear) : NULL;
    bool is_begun; /* without a thread nobody is to blame */
    size_t stood;

    if (!call)
        return false;
    stood = await(call, batch, end_us);
    g_atomic_int_set(&batch->is_left, stood < batch->n);
    is_begun = g_atomic_int_get(&batch->is_begun);
    for (size_t i = 0; i < batch->n; i++) {
        ProcessReading *reading = &readings[batch->items[i].reading];

        if (take_if_read(reading, &batch->items[i], now_us) || i != stood || !is_begun)
            continue;
        reading->process->late = g_steal_pointer(&call); /* keeps it until it is over */
        reading->process->again_us = now_us + AGAIN_US;
    }
    patience_leave(call);
    return stood < batch->n;
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
    uint64_t end_us = now_us + ALL_US;
    bool goes_on = n > 0;
    bool is_whole = true;

    for (unsigned i = 0; goes_on && i < ROUNDS_MAX; i++)
        goes_on =
            read_round(readings, n, now_us, end_us) && (uint64_t)g_get_monotonic_time() < end_us;
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

/* One that took too long to wait for it: its result is for who asks next. */
typedef struct {
    Search *search;     /* counted */
    PatienceCall *call; /* owned */
    char *uuid;         /* owned; of the domain */
    uint64_t begun_us;  /* CLOCK_MONOTONIC */
} LateSearch;

static GPtrArray *late_searches; /* owned; of LateSearch; the loop's; NULL: there are none */

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
late_search_free(gpointer data)
{
    LateSearch *late = data;

    patience_leave(late->call);
    g_atomic_rc_box_release_full(late->search, search_clear);
    g_free(late->uuid);
    g_free(late);
}

static void
search_work(gpointer data)
{
    Search *search = data;
    ProcessWanted whose = { search->name, search->uuid, search->is_systems };

    process_find(search->root_fd, &whose, &search->process, &search->error);
}

/* NULL: there are too many already. */
static LateSearch *
begin_search(int root_fd, const ProcessWanted *whose)
{
    LateSearch *late;
    Search *search;

    if (late_searches && late_searches->len >= SEARCHES_MAX)
        return NULL;
    search = g_atomic_rc_box_new0(Search);
    search->root_fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
    search->name = g_strdup(whose->name);
    search->uuid = g_strdup(whose->uuid);
    search->is_systems = whose->is_systems;
    late = g_new(LateSearch, 1);
    *late = (LateSearch){ search, patience_begin(search_work, search, search_clear),
                          g_strdup(whose->uuid), (uint64_t)g_get_monotonic_time() };
    if (late->call)
        return late;
    late_search_free(late);
    return NULL;
}

/* The one for a uuid is taken out; those that are over and of no use any more go. */
static LateSearch *
take_late_search(const char *uuid)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    LateSearch *found = NULL;

    for (guint i = late_searches ? late_searches->len : 0; i > 0; i--) {
        LateSearch *late = g_ptr_array_index(late_searches, i - 1);
        bool is_wanted = g_str_equal(late->uuid, uuid);

        if (is_wanted)
            found = late;
        else if (now_us - late->begun_us < KEEP_US || !patience_wait(late->call, 0))
            continue;
        g_ptr_array_remove_index_fast(late_searches, i - 1);
        if (!is_wanted)
            late_search_free(late);
    }
    if (late_searches && late_searches->len == 0)
        g_clear_pointer(&late_searches, g_ptr_array_unref);
    return found;
}

static void
keep_late_search(LateSearch *late)
{
    if (!late_searches)
        late_searches = g_ptr_array_new();
    g_ptr_array_add(late_searches, late);
}

bool
process_find_in_time(int root_fd, const ProcessWanted *whose, Process *ret_process, GError **error)
{
    LateSearch *late = take_late_search(whose->uuid);
    uint64_t limit_us = late ? 0 : FIND_US; /* it was waited for already */
    bool is_found;

    if (!late)
        late = begin_search(root_fd, whose);
    if (!late || !patience_wait(late->call, limit_us)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                    late ? "the search has not come to an end yet"
                         : "too many searches have not come to an end");
        if (late)
            keep_late_search(late);
        return false;
    }
    is_found = !late->search->error;
    if (is_found) {
        *ret_process = late->search->process;
        late->search->process = (Process){ 0 };
    } else {
        g_propagate_error(error, g_steal_pointer(&late->search->error));
    }
    late_search_free(late);
    return is_found;
}
