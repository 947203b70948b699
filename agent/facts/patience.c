/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * patience.c - threads for calls that may never come back
 *
 * Some files of /proc are answered only when the process that they are about lets go of a lock, and
 * who owns that process decides when: a command line, mappings, and from about Linux 6.14 on
 * ksm_stat. No flag and no signal short of SIGKILL ends such a wait, so the thread that it is made
 * in is left behind, and ends with the lock or with the process.
 *
 * The threads are GLib's, which keeps some that have finished for a while: a call that is answered
 * at once costs two changes of context.
 *
 * Source: fs/proc/base.c, proc_pid_ksm_stat() and get_mm_cmdline(): mmap_read_lock_killable()
 */
#include "agent/facts/patience.h"

/* Calls under way at a time. */
#define CALLS_MAX 64

struct PatienceCall {
    PatienceWork work;    /* the call */
    gpointer data;        /* counted (g_atomic_rc_box) */
    GDestroyNotify clear; /* of data */
    bool is_over;         /* its work has returned */
};

/* Of this process as a whole, as its threads are; all under the lock. */
static GMutex lock;
static GCond finished;    /* a call is over */
static guint under_way;   /* calls */
static GThreadPool *pool; /* owned; NULL: there was none */

static void
call_clear(gpointer data)
{
    PatienceCall *call = data;

    g_atomic_rc_box_release_full(call->data, call->clear);
}

void
patience_leave(PatienceCall *call)
{
    if (!call)
        return;
    g_mutex_lock(&lock);
    g_atomic_rc_box_release_full(call, call_clear);
    g_mutex_unlock(&lock);
}

static void
make(gpointer data, gpointer unused)
{
    PatienceCall *call = data;
    PatienceWork work;
    gpointer input;
    (void)unused;

    g_mutex_lock(&lock);
    work = call->work;
    input = call->data;
    g_mutex_unlock(&lock);
    work(input);
    g_mutex_lock(&lock);
    call->is_over = true;
    under_way--;
    g_cond_broadcast(&finished);
    g_atomic_rc_box_release_full(call, call_clear);
    g_mutex_unlock(&lock);
}

PatienceCall *
patience_begin(PatienceWork work, gpointer data, GDestroyNotify clear)
{
    PatienceCall *call = NULL;

    g_mutex_lock(&lock);
    if (!pool)
        pool = g_thread_pool_new(make, NULL, -1, FALSE, NULL);
    if (under_way < CALLS_MAX) {
        call = g_atomic_rc_box_new(PatienceCall);
        *call = (PatienceCall){ work, g_atomic_rc_box_acquire(data), clear, false };
        under_way++;
        /* Without a thread for it, the next that is free takes it. */
        g_thread_pool_push(pool, g_atomic_rc_box_acquire(call), NULL);
    }
    g_mutex_unlock(&lock);
    return call;
}

bool
patience_wait(PatienceCall *call, uint64_t limit_us)
{
    gint64 end_us = g_get_monotonic_time() + (gint64)MIN(limit_us, (uint64_t)G_MAXINT32);
    bool goes_on = limit_us > 0;
    bool is_over;

    g_mutex_lock(&lock);
    while (!call->is_over && goes_on)
        goes_on = g_cond_wait_until(&finished, &lock, end_us);
    is_over = call->is_over;
    g_mutex_unlock(&lock);
    return is_over;
}
