/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h - the kinds of failure that the agent tells apart, as a GError domain
 */
#ifndef AGENT_ERROR_H
#define AGENT_ERROR_H

#include <glib.h>

#define AGENT_ERROR (agent_error_quark())

typedef enum {
    AGENT_ERROR_CONF,      /* configuration or command line: names file, line, key */
    AGENT_ERROR_STATE,     /* state directory or what is in it */
    AGENT_ERROR_RUNTIME,   /* runtime directory, sockets */
    AGENT_ERROR_VIRT,      /* libvirt said no */
    AGENT_ERROR_GONE,      /* the domain went away meanwhile */
    AGENT_ERROR_NOT_FOUND, /* no domain of that name or uuid */
    AGENT_ERROR_TRACE,     /* what is read as a trace is none, or damaged */
    AGENT_ERROR_COUNT,
} AgentError;

/** agent_error_quark() - the GError domain of AgentError */
GQuark agent_error_quark(void);

#endif
