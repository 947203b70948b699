/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * confine.h - what a running agent gives up: all that it does not need itself
 */
#ifndef AGENT_CONFINE_H
#define AGENT_CONFINE_H

#include <glib.h>
#include <stdbool.h>

/**
 * confine() - give up for good what the agent does not need any more
 * @measures: it measures working sets, for which it looks at pages of other users' processes
 * @error:    set if not all of it could be given up; what could be is gone
 *
 * Call it when the sockets are there, and before there is a thread: capabilities belong to threads.
 * What the process starts later is confined as well.
 *
 * Source: capabilities(7); prctl(2), PR_SET_NO_NEW_PRIVS; seccomp(2)
 * Return: whether everything has been given up.
 */
bool confine(bool measures, GError **error);

#endif
