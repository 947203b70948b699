/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * server.c - two sockets and one rule of access
 *
 * virtksmd.sock takes every call from root and from members of the configured group; the kernel
 * already keeps others out by the mode of the file, and the credentials of the peer are checked
 * again for every call, since a socket can be handed on. virtksmd-ro.sock takes the calls that
 * change nothing.
 */
#define _GNU_SOURCE
#include "agent/rpc/server.h"
#include "agent/agent.h"
#include "agent/error.h"
#include "agent/log.h"
#include "agent/rpc/method.h"
#include "proto/grpc_server.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#define GROUP_NONE ((gid_t)-1)

struct Server {
    Agent *agent;     /* borrowed */
    GrpcServer *grpc; /* owned */
    gid_t group;      /* of the full socket; GROUP_NONE: root alone */
};

static GrpcStatus
check_access(const GrpcMethod *method, const GrpcPeer *peer, gpointer user, const char **ret_text)
{
    const Server *server = user;

    if (method->read_only && peer->read_only)
        return GRPC_STATUS_OK;
    if (peer->uid == 0 || peer->uid == geteuid())
        return GRPC_STATUS_OK;
    if (server->group != GROUP_NONE && grpc_peer_has_group(peer, server->group))
        return GRPC_STATUS_OK;
    *ret_text = "only root and the members of the group in [rpc] group may do this";
    return GRPC_STATUS_PERMISSION_DENIED;
}

static gid_t
find_group(const char *name)
{
    const struct group *entry;

    errno = 0;
    entry = getgrnam(name);
    if (!entry)
        log_info("no group %s: the control socket is for root alone", name);
    return entry ? entry->gr_gid : GROUP_NONE;
}

static bool
listen_at(Server *server, const char *name, mode_t mode, GError **error)
{
    g_autofree char *path = g_build_filename(server->agent->options.runtime_dir, name, NULL);
    GrpcListen where = { .path = path, .mode = mode, .gid = server->group };

    where.read_only = g_str_equal(name, SERVER_SOCKET_RO);
    return grpc_server_listen(server->grpc, &where, error);
}

Server *
server_new(Agent *agent, GError **error)
{
    Server *server = g_new0(Server, 1);
    const GrpcMethod *methods;
    size_t n;

    server->agent = agent;
    server->group = find_group(agent->conf->rpc_group);
    server->grpc = grpc_server_new(NULL);
    grpc_server_set_data(server->grpc, agent, NULL);
    grpc_server_set_access(server->grpc, check_access, server);
    methods = method_list(&n);
    grpc_server_add_methods(server->grpc, methods, n);
    if (!listen_at(server, SERVER_SOCKET, 0660, error) ||
        !listen_at(server, SERVER_SOCKET_RO, 0660, error)) {
        server_free(server);
        return NULL;
    }
    return server;
}

void
server_free(Server *server)
{
    if (!server)
        return;
    grpc_server_free(server->grpc);
    g_free(server);
}
