/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* server.h - the agent's sockets: who may call what */
#ifndef AGENT_RPC_SERVER_H
#define AGENT_RPC_SERVER_H

#include <glib.h>

typedef struct Agent Agent;
typedef struct Server Server;

/* Names within the runtime directory. */
#define SERVER_SOCKET    "virtksmd.sock"
#define SERVER_SOCKET_RO "virtksmd-ro.sock"

/**
 * server_new() - listen
 * @agent: what the methods act on; must outlive the server
 * @error: the sockets cannot be had: AGENT_ERROR_RUNTIME, or G_IO_ERROR_ADDRESS_IN_USE when
 *         another agent answers there
 *
 * The full socket is for root and the configured group, mode 0660; the other takes calls that
 * change nothing.
 *
 * Return: owned by the caller; NULL with @error set.
 */
Server *server_new(Agent *agent, GError **error);

/** server_free() - close the sockets and remove them; accepts NULL */
void server_free(Server *server);

#endif
