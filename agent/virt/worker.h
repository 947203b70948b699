/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.h - calls that may block, out of the main loop's way
 *
 * A job's input goes in by value and belongs to the job; its output comes back on the loop and
 * belongs to the receiver. Jobs share nothing else.
 */
#ifndef AGENT_VIRT_WORKER_H
#define AGENT_VIRT_WORKER_H

#include <glib.h>
#include <stdbool.h>

typedef struct Worker Worker;

/* One kind of job. */
typedef struct {
    /* In a worker thread. Return: output, owned by the receiver; NULL with @error set. */
    gpointer (*work)(gpointer input, GError **error);
    GDestroyNotify free_input;
    /* Frees an output that nobody takes any more. */
    GDestroyNotify free_output;
    /* Frees @user of a job that is never delivered, on the loop; NULL: it is somebody else's. */
    GDestroyNotify free_user;
    /* On the loop. @output: ownership passes, NULL on failure; @error: borrowed, NULL on success.
     */
    void (*done)(gpointer output, const GError *error, gpointer user);
} WorkerJob;

/**
 * worker_new() - a thread for one job at a time, there from the first one on
 *
 * Return: for worker_free().
 */
Worker *worker_new(void);

/**
 * worker_push() - do something in a thread
 * @job:   static
 * @input: ownership passes
 * @user:  for @job->done; must live until then, or until worker_free()
 */
void worker_push(Worker *worker, const WorkerJob *job, gpointer input, gpointer user);

/**
 * worker_silence_us() - how long nothing has come back although something should
 *
 * Return: microseconds since the last result, or since there was a job to wait for; 0: none is.
 */
gint64 worker_silence_us(const Worker *worker);

/**
 * worker_wait() - have the default main context run while something is waited for
 * @is_waiting: asked before each turn of the loop
 * @user:       for @is_waiting
 * @limit_us:   longest wait
 *
 * Return: whether @is_waiting said no in time.
 */
bool worker_wait(bool (*is_waiting)(gpointer user), gpointer user, gint64 limit_us);

/**
 * worker_drain() - wait for the jobs under way, delivering what comes back
 * @limit_us: longest wait
 *
 * Runs the default main context meanwhile. Return: whether all have come back.
 */
bool worker_drain(Worker *worker, gint64 limit_us);

/**
 * worker_free() - deliver nothing any more
 * @worker: accepts NULL. Jobs not begun are dropped; a job under way is left to end by itself, and
 *          its output and its user are freed in a later turn of the loop. With none under way, the
 *          thread has ended on return.
 */
void worker_free(Worker *worker);

#endif
