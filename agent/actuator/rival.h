/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rival.h - who else on this host writes the settings of KSM
 */
#ifndef AGENT_ACTUATOR_RIVAL_H
#define AGENT_ACTUATOR_RIVAL_H

/**
 * rival_find() - name the program that has probably written KSM's settings
 * @root_fd: directory that proc/ is found in (borrowed)
 *
 * Goes by the names of running processes: a likely culprit, not a proof. Costs a few microseconds
 * for each process of the host, so it is called only once a foreign value has been seen.
 *
 * Return: e.g. "ksmtuned (process 812)" (the caller frees it), or NULL if no known program runs.
 */
char *rival_find(int root_fd);

#endif
