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
 * @error: the sockets cannot be had: AGENT_ERROR_RUNTIME, AGENT_ERROR_CONF (a group that cannot be
 * given), or G_IO_ERROR_ADDRESS_IN_USE when another agent answers there
 *
 * The full socket has mode 0660 and the configured group; so has the read-only socket, unless it is
 * for every local user, and the one for clients of the Kata KSM throttler, if there is one.
 *
 * Return: owned by the caller; NULL with @error set.
 */
Server *server_new(Agent *agent, GError **error);

/**
 * server_shutdown() - let the clients go
 * @server: takes no new connections any more; still to be freed
 *
 * They get GOAWAY; what has a single answer gets it, streams end with UNAVAILABLE after what was
 * queued. Runs the main loop until the last connection is closed: at once without clients, half a
 * second at most with clients that do not read.
 */
void server_shutdown(Server *server);

/** server_free() - close the sockets and remove them; accepts NULL */
void server_free(Server *server);

#endif
