/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * patience.h - calls that may wait for somebody else's process, made in a thread that can be left
 */
#ifndef AGENT_FACTS_PATIENCE_H
#define AGENT_FACTS_PATIENCE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A call under way, or over. */
typedef struct PatienceCall PatienceCall;

/* Made in a thread of its own; @data is the one of patience_begin(). */
typedef void (*PatienceWork)(gpointer data);

/**
 * patience_begin() - have a call made
 * @work:  the call; may last for ever
 * @data:  from g_atomic_rc_box_new(); the thread counts itself as one more user
 * @clear: called in one of the threads with the contents, when nobody uses them any more
 *
 * Any thread may call this. Return: for patience_leave(); NULL: 64 are under way already.
 */
PatienceCall *patience_begin(PatienceWork work, gpointer data, GDestroyNotify clear);

/**
 * patience_wait() - wait for a call
 * @limit_us: at most so long; 0: not at all
 *
 * Return: whether it is over; then what @work has written can be read.
 */
bool patience_wait(PatienceCall *call, uint64_t limit_us);

/** patience_leave() - let go of a call; one that is not over goes on by itself. NULL is fine */
void patience_leave(PatienceCall *call);

#endif
