/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.c - a thread and a queue; results come back on the main loop
 *
 * The worker is counted by its owner, by its thread and by every job under way, because the thread
 * may be stuck in a call for as long as libvirtd likes, and must find something to return to.
 *
 * The thread is the worker's own and not that of a GThreadPool, so that it can be waited for, and
 * what libraries keep for each thread is freed before the process ends. OpenSSL, which libvirt
 * brings, loses that of a thread that ends while the process does. A pool does not join a thread
 * either that it has for itself alone ("exclusive"): g_thread_pool_free() waits until the last job
 * is done, not until the thread has ended.
 */
#include "agent/virt/worker.h"

struct Worker {
    GAsyncQueue *queue; /* counted; Task to be done, the Worker itself for the end */
    GThread *thread;    /* owned; NULL before there was work */
    guint pending;      /* jobs not delivered; the loop's */
    gint64 since_us;    /* CLOCK_MONOTONIC of the last result, or when waiting began; the loop's */
    gint closed;        /* atomic; the owner is gone */
    gint refs;          /* atomic */
};

typedef struct {
    Worker *worker;       /* counted */
    const WorkerJob *job; /* static */
    gpointer input;       /* owned */
    gpointer user;        /* borrowed; owned where the job has free_user */
    gpointer output;      /* owned until delivered */
    GError *error;        /* owned */
    bool delivered;       /* user has been handed over, or freed */
} Task;

static void
worker_unref(Worker *worker)
{
    if (!g_atomic_int_dec_and_test(&worker->refs))
        return;
    g_async_queue_unref(worker->queue);
    g_free(worker);
}

static Worker *
worker_ref(Worker *worker)
{
    g_atomic_int_inc(&worker->refs);
    return worker;
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

/* The input of what has not begun when the owner goes is freed here: that may be a call to
 * libvirtd, too. Users are the loop's, and so is their end. */
static gpointer
run(gpointer data)
{
    Worker *worker = data;
    gpointer next;

    while ((next = g_async_queue_pop(worker->queue)) != worker) {
        Task *task = next;

        if (g_atomic_int_get(&worker->closed))
            g_clear_pointer(&task->input, task->job->free_input);
        else
            task->output = task->job->work(task->input, &task->error);
        g_idle_add_full(G_PRIORITY_DEFAULT, deliver, task, NULL);
    }
    worker_unref(worker);
    return NULL;
}

Worker *
worker_new(void)
{
    Worker *worker = g_new0(Worker, 1);

    worker->refs = 1;
    worker->queue = g_async_queue_new();
    return worker;
}

/* One that cannot be had is asked for again with the next job. */
static void
want_thread(Worker *worker)
{
    if (worker->thread)
        return;
    worker->thread = g_thread_try_new("worker", run, worker_ref(worker), NULL);
    if (!worker->thread)
        worker_unref(worker);
}

void
worker_push(Worker *worker, const WorkerJob *job, gpointer input, gpointer user)
{
    Task *task = g_new0(Task, 1);

    *task = (Task){ .worker = worker_ref(worker), .job = job, .input = input, .user = user };
    if (worker->pending++ == 0)
        worker->since_us = g_get_monotonic_time();
    g_async_queue_push(worker->queue, task);
    want_thread(worker);
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
worker_wait(bool (*is_waiting)(gpointer user), gpointer user, gint64 limit_us)
{
    bool is_over = false;
    guint limit = g_timeout_add((guint)(limit_us / 1000), end_wait, &is_over);
    bool goes_on;

    while ((goes_on = is_waiting(user)) && !is_over)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(limit);
    return !goes_on;
}

static bool
has_pending(gpointer user)
{
    return ((const Worker *)user)->pending > 0;
}

bool
worker_drain(Worker *worker, gint64 limit_us)
{
    return worker_wait(has_pending, worker, limit_us);
}

/* Of what has not begun; the tasks themselves are left for the thread to free. */
static void
free_users(Worker *worker)
{
    g_autoptr(GPtrArray) tasks = g_ptr_array_new();
    gpointer next;

    while ((next = g_async_queue_try_pop(worker->queue)) != NULL) {
        Task *task = next;

        if (task->job->free_user)
            task->job->free_user(task->user);
        task->delivered = true;
        g_ptr_array_add(tasks, task);
    }
    for (guint i = 0; i < tasks->len; i++)
        g_async_queue_push(worker->queue, tasks->pdata[i]);
}

void
worker_free(Worker *worker)
{
    GThread *thread;

    if (!worker)
        return;
    g_atomic_int_set(&worker->closed, 1);
    free_users(worker);
    g_async_queue_push(worker->queue, worker);
    thread = g_steal_pointer(&worker->thread);
    if (!thread)
        run(worker_ref(worker));
    else if (worker->pending == 0)
        g_thread_join(thread); /* it waits for work, or is about to */
    else
        g_thread_unref(thread); /* nobody can end a call of libvirt's */
    worker_unref(worker);
}
