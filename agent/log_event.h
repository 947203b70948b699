/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log_event.h - messages that people look for, by an id that stays when words change
 *
 * In the journal each has its id as MESSAGE_ID, and packaging/systemd/virtksm.catalog explains it:
 *
 *     journalctl --catalog MESSAGE_ID=...
 */
#ifndef AGENT_LOG_EVENT_H
#define AGENT_LOG_EVENT_H

#include "agent/log.h"

typedef enum {
    LOG_EVENT_STARTED,        /* the daemon runs */
    LOG_EVENT_LEFT_BEHIND,    /* a run that was killed has left settings behind */
    LOG_EVENT_NOT_RESTORED,   /* something could not be put back */
    LOG_EVENT_CONF_REFUSED,   /* a configuration that was read again is wrong */
    LOG_EVENT_NOT_APPLIED,    /* what was decided could not be set */
    LOG_EVENT_FOREIGN_CHANGE, /* somebody else has changed a balloon or a limit */
    LOG_EVENT_LIBVIRT_UP,     /* libvirt is connected */
    LOG_EVENT_LIBVIRT_DOWN,   /* libvirt is not connected */
    LOG_EVENT_METADATA,       /* the metadata of a domain has a mistake */
    LOG_EVENT_GUARD_LIFTS,    /* the guard lifts limits */
    LOG_EVENT_METRICS_DOWN,   /* metrics are not served */
    LOG_EVENT_HISTORY_DOWN,   /* the history is not written */
    LOG_EVENT_DOMAIN_FAILED,  /* a domain has ended, and nobody wanted it to */
    LOG_EVENT_STOOD_STILL,    /* the daemon did not run for a while */
    LOG_EVENT_COUNT,
} LogEvent;

/**
 * log_event() - a message with an id
 * @event:  which; decides on the level too
 * @format: what happened, as for the other functions of the log
 */
void log_event(LogEvent event, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
