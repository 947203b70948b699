/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * server.c - the sockets that clients find, and their end
 *
 * virtksmd.sock takes every call, virtksmd-ro.sock those that change nothing, and the place of the
 * Kata KSM throttler, if it is configured, that throttler's one call. Who may call what is decided
 * in access.c.
 */
#define _GNU_SOURCE
#include "agent/rpc/server.h"
#include "agent/agent.h"
#include "agent/error.h"
#include "agent/log.h"
#include "agent/rpc/access.h"
#include "agent/rpc/method.h"
#include "proto/grpc_server.h"

#include <errno.h>
#include <gio/gio.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

/* For clients to take their last answers; the stop of a service waits for it. */
#define DRAIN_MS 500

struct Server {
    Agent *agent;           /* borrowed */
    GrpcServer *grpc;       /* owned */
    gid_t group;            /* of the full socket; ACCESS_NO_GROUP: root alone */
    char *kata_path;        /* owned; [rpc] kata_socket as it was at the start */
    bool read_only_for_all; /* likewise */
};

static GrpcStatus
check_access(const GrpcMethod *method, const GrpcPeer *peer, gpointer user, const char **ret_text)
{
    const Server *server = user;
    const Conf *conf = server->agent->conf;
    AccessRules rules = { server->kata_path, server->group, server->read_only_for_all,
                          (Who)conf->domain_figures, conf->grain_kib > 0 };

    return access_check(&rules, method, peer, ret_text);
}

static gid_t
find_group(const char *name)
{
    const struct group *entry;

    errno = 0;
    entry = getgrnam(name);
    if (!entry)
        log_info("no group %s: the control socket is for root alone", name);
    return entry ? entry->gr_gid : ACCESS_NO_GROUP;
}

/* Whoever is not root can give a socket to no other group. Another start would fail as well, so the
 * configuration is wrong. */
static bool
listen_for_group(Server *server, const GrpcListen *where, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (grpc_server_listen(server->grpc, where, &failure))
        return true;
    if (server->group != ACCESS_NO_GROUP && server->group != getegid() &&
        g_error_matches(failure, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF,
                    "%s; for [rpc] group = %s the service needs Group=%s under [Service], by "
                    "\"systemctl edit virtksmd\"",
                    failure->message, server->agent->conf->rpc_group,
                    server->agent->conf->rpc_group);
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool
listen_at(Server *server, const char *name, mode_t mode, GError **error)
{
    g_autofree char *path = g_build_filename(server->agent->options.runtime_dir, name, NULL);
    GrpcListen where = { .path = path, .mode = mode, .gid = server->group };

    where.read_only = g_str_equal(name, SERVER_SOCKET_RO);
    return listen_for_group(server, &where, error);
}

/* Its folder is usually made by the program whose place we take. */
static bool
listen_for_kata(Server *server, GError **error)
{
    const char *path = server->kata_path;
    g_autofree char *folder = g_path_get_dirname(path);
    GrpcListen where = { .path = path, .mode = 0660, .gid = server->group };

    if (*path == '\0')
        return true;
    if (g_mkdir_with_parents(folder, 0755) != 0) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_RUNTIME,
                    "cannot create %s for [rpc] kata_socket: %s; below /run the service needs "
                    "RuntimeDirectory= under [Service], by \"systemctl edit virtksmd\"",
                    folder, g_strerror(errno));
        return false;
    }
    return listen_for_group(server, &where, error);
}

static bool
listen_everywhere(Server *server, GError **error)
{
    mode_t ro_mode = server->read_only_for_all ? 0666 : 0660;

    return listen_at(server, SERVER_SOCKET, 0660, error) &&
           listen_at(server, SERVER_SOCKET_RO, ro_mode, error) && listen_for_kata(server, error);
}

Server *
server_new(Agent *agent, GError **error)
{
    Server *server = g_new0(Server, 1);
    const GrpcMethod *methods;
    size_t n;

    server->agent = agent;
    server->group = find_group(agent->conf->rpc_group);
    server->kata_path = g_strdup(agent->conf->kata_socket);
    server->read_only_for_all = agent->conf->read_only_for_all;
    server->grpc = grpc_server_new(NULL);
    grpc_server_set_data(server->grpc, agent, NULL);
    grpc_server_set_access(server->grpc, check_access, server);
    methods = method_list(&n);
    grpc_server_add_methods(server->grpc, methods, n);
    if (!listen_everywhere(server, error)) {
        server_free(server);
        return NULL;
    }
    return server;
}

static void
note_done(GrpcServer *grpc, gpointer done)
{
    (void)grpc;
    *(bool *)done = true;
}

void
server_shutdown(Server *server)
{
    bool done = false;

    grpc_server_shutdown(server->grpc, DRAIN_MS, note_done, &done);
    while (!done)
        g_main_context_iteration(NULL, TRUE);
}

void
server_free(Server *server)
{
    if (!server)
        return;
    grpc_server_free(server->grpc);
    g_free(server->kata_path);
    g_free(server);
}
