/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* notify.h - tell the service manager how the agent is; nothing where there is none */
#ifndef AGENT_NOTIFY_H
#define AGENT_NOTIFY_H

#include <glib.h>

/** notify_ready() - start-up is complete */
void notify_ready(void);

/** notify_reloading() - SIGHUP is being worked on; end with notify_ready() */
void notify_reloading(void);

/** notify_stopping() - the agent is on its way out */
void notify_stopping(void);

/**
 * notify_status() - one line that `systemctl status` shows
 * @text: borrowed
 */
void notify_status(const char *text);

/**
 * notify_watchdog_start() - pat the watchdog from the main loop, if the manager asked for it
 *
 * A loop that hangs stops patting: that is the point.
 * Return: id of the GSource, 0 where no watchdog is wanted.
 */
guint notify_watchdog_start(void);

#endif
