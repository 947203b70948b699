/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.c - a GThreadPool whose results come back on the main loop
 *
 * The worker is counted by its owner and by every job under way, because a thread may be stuck in
 * a call for as long as libvirtd likes, and must find something to return to.
 */
#include "agent/virt/worker.h"

struct Worker {
    GThreadPool *pool; /* owned */
    guint pending;     /* jobs not delivered; the loop's */
    gint64 since_us;   /* CLOCK_MONOTONIC of the last result, or when waiting began; the loop's */
    gint closed;       /* atomic; the owner is gone */
    gint refs;         /* atomic */
};

typedef struct {
    Worker *worker;       /* counted */
    const WorkerJob *job; /* static */
    gpointer input;       /* owned */
    gpointer user;        /* borrowed */
    gpointer output;      /* owned until delivered */
    GError *error;        /* owned */
    bool delivered;       /* user has been handed over */
} Task;

static void
worker_unref(Worker *worker)
{
    if (g_atomic_int_dec_and_test(&worker->refs))
        g_free(worker);
}

static void
task_free(Task *task)
{
    g_clear_pointer(&task->input, task->job->free_input);
    if (task->output && task->job->free_output)
        task->job->free_output(task->output);
    if (!task->delivered && task->job->free_user)
        task->job->free_user(task->user);
    g_clear_error(&task->error);
    worker_unref(task->worker);
    g_free(task);
}

static gboolean
deliver(gpointer data)
{
    Task *task = data;

    if (!g_atomic_int_get(&task->worker->closed)) {
        task->worker->pending--;
        task->worker->since_us = g_get_monotonic_time();
        task->delivered = true;
        task->job->done(g_steal_pointer(&task->output), task->error, task->user);
    }
    task_free(task);
    return G_SOURCE_REMOVE;
}

static void
run(gpointer data, gpointer unused)
{
    Task *task = data;

    (void)unused;
    if (g_atomic_int_get(&task->worker->closed)) {
        task_free(task);
        return;
    }
    task->output = task->job->work(task->input, &task->error);
    g_idle_add_full(G_PRIORITY_DEFAULT, deliver, task, NULL);
}

Worker *
worker_new(void)
{
    Worker *worker = g_new0(Worker, 1);

    worker->refs = 1;
    worker->pool = g_thread_pool_new(run, NULL, 1, FALSE, NULL);
    return worker;
}

void
worker_push(Worker *worker, const WorkerJob *job, gpointer input, gpointer user)
{
    Task *task = g_new0(Task, 1);

    g_atomic_int_inc(&worker->refs);
    *task = (Task){ .worker = worker, .job = job, .input = input, .user = user };
    if (worker->pending++ == 0)
        worker->since_us = g_get_monotonic_time();
    /* A thread that cannot be started is an error only until one of the others is free. */
    g_thread_pool_push(worker->pool, task, NULL);
}

gint64
worker_silence_us(const Worker *worker)
{
    return worker->pending > 0 ? g_get_monotonic_time() - worker->since_us : 0;
}

static gboolean
end_wait(gpointer is_over)
{
    *(bool *)is_over = true;
    return G_SOURCE_CONTINUE;
}

/* The loop itself waits: a sleep that each signal begins anew could last for ever. */
bool
worker_drain(Worker *worker, gint64 limit_us)
{
    bool is_over = false;
    guint limit = g_timeout_add((guint)(limit_us / 1000), end_wait, &is_over);

    while (worker->pending > 0 && !is_over)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(limit);
    return worker->pending == 0;
}

void
worker_free(Worker *worker)
{
    if (!worker)
        return;
    g_atomic_int_set(&worker->closed, 1);
    /* No wait; what has not begun is freed by run(), in whichever thread gets to it. */
    g_thread_pool_free(worker->pool, FALSE, FALSE);
    worker->pool = NULL;
    worker_unref(worker);
}
