/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state_dir.h - the directory of what must survive, and which process may use it */
#ifndef AGENT_ACTUATOR_STATE_DIR_H
#define AGENT_ACTUATOR_STATE_DIR_H

#include <glib.h>
#include <stdbool.h>

/**
 * state_dir_open() - make sure that there is a state directory, and have it for oneself
 * @dir:   e.g. "/var/lib/virtksm"; made if it is not there, for its owner alone
 * @error: G_FILE_ERROR_AGAIN: another process has it, with its pid if that can be seen; others: it
 *         cannot be made, opened or written in
 *
 * The lock belongs to the descriptor, so it ends with the process however that ends.
 *
 * Source: flock(2)
 * Return: descriptor (owned by the caller), or -1.
 */
int state_dir_open(const char *dir, GError **error);

/**
 * state_dir_lock() - have a directory for oneself
 * @dir_fd: open directory (borrowed); the lock ends when nobody has this descriptor open
 * @dir:    its name, for people
 * @advice: what to do if another agent has it: "stop it"
 * @error:  G_FILE_ERROR_AGAIN: another process has it; others: it cannot be locked
 *
 * Return: whether it is ours.
 */
bool state_dir_lock(int dir_fd, const char *dir, const char *advice, GError **error);

/**
 * state_dir_fail() - what errno says, as an error
 * @what:  could not be done: "open"
 * @path:  to what
 * @error: G_FILE_ERROR: "cannot open PATH: ..."
 *
 * Return: false.
 */
bool state_dir_fail(const char *what, const char *path, GError **error);

#endif
