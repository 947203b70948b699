/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rival.h - who else on this host writes the settings of KSM
 */
#ifndef AGENT_FACTS_RIVAL_H
#define AGENT_FACTS_RIVAL_H

#include <stdbool.h>
#include <sys/types.h>

/* A program that is known to write KSM's settings, and runs. */
typedef struct {
    const char *comm; /* static; as in /proc/PID/comm */
    const char *name; /* static; for people */
    pid_t pid;        /* of its process */
    bool may_not;     /* it writes them in some of its configurations only */
} Rival;

/**
 * rival_look() - the likeliest program that runs and writes KSM's settings
 * @root_fd:   directory that proc/ is found in (borrowed)
 * @ret_rival: written only if there is one
 *
 * Goes by the names of running processes: a likely culprit, not a proof. Costs a few microseconds
 * for each process of the host: not for the event path.
 *
 * Return: whether one runs.
 */
bool rival_look(int root_fd, Rival *ret_rival);

/**
 * rival_find() - name the program that has probably written KSM's settings
 * @root_fd: directory that proc/ is found in (borrowed)
 *
 * As rival_look(), so it is called only once a foreign value has been seen.
 *
 * Return: e.g. "ksmtuned (process 812)" (the caller frees it), or NULL if no known program runs.
 */
char *rival_find(int root_fd);

#endif
