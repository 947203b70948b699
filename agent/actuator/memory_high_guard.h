/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory_high_guard.h - somebody who lifts limits when the agent no longer can
 */
#ifndef AGENT_ACTUATOR_MEMORY_HIGH_GUARD_H
#define AGENT_ACTUATOR_MEMORY_HIGH_GUARD_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The agent's end. */
typedef struct {
    /* private: */
    char **run;       /* owned; program of the guard and its arguments */
    int fd;           /* owned; our end of the socket; -1: there is no guard */
    GPid pid;         /* of the guard, if there is one */
    guint watch;      /* GSource that waits for its end; 0: none */
    uint64_t told_us; /* the lease it knows of */
} HighGuard;

/** high_guard_init() - nobody guards yet; @run: program and arguments, NULL-terminated, copied */
void high_guard_init(HighGuard *guard, const char *const *run);

/**
 * high_guard_tell() - limits are in force until then, unless this is called again
 * @lease_us: CLOCK_MONOTONIC; 0: no limit is in force any more, and nobody has to guard
 * @error:    nobody guards: no limit may be set
 *
 * Starts the guard if there is none.
 */
bool high_guard_tell(HighGuard *guard, uint64_t lease_us, GError **error);

/** high_guard_done() - as if the agent had died: what is in force then is lifted */
void high_guard_done(HighGuard *guard);

/* What the guard lifts. */
typedef struct {
    int root_fd;           /* borrowed; "/" or a test's fake root */
    const char *state_dir; /* borrowed; of the record of originals */
    const char *uri;       /* borrowed; of libvirt */
} HighGuarded;

/**
 * high_guard_serve() - the guard's end: the life of the process
 * @fd: the socket
 *
 * Ends when told so, or when the agent is gone and the limits are lifted.
 */
void high_guard_serve(int fd, const HighGuarded *guarded);

#endif
