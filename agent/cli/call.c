/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* call.c - from a gRPC status to an exit code and a line that says what to do */
#include "agent/cli/call.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET_READ_ONLY "virtksmd-ro.sock"

void
call_message_free(ProtobufCMessage *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

/* Source: unix(7): connecting needs write permission on the socket file */
static bool
is_refused(const char *path)
{
    return access(path, W_OK) < 0 && errno == EACCES;
}

char *
call_socket(const Cli *cli, const CallMethod *method)
{
    g_autofree char *directory = g_path_get_dirname(cli->socket);
    g_autofree char *read_only = g_build_filename(directory, SOCKET_READ_ONLY, NULL);

    if (method->read_only && is_refused(cli->socket) && access(read_only, W_OK) == 0)
        return g_steal_pointer(&read_only);
    return g_strdup(cli->socket);
}

/* Who may open a socket, as a hint; its file tells, unless its directory is closed to us too. */
static char *
who_may(const char *socket)
{
    struct stat st;
    const struct group *group = NULL;

    if (stat(socket, &st) == 0) {
        if (st.st_gid == 0)
            return g_strdup("only root may");
        group = getgrgid(st.st_gid);
    }
    return g_strdup_printf("root and members of the group %s may",
                           group ? group->gr_name : "virtksm");
}

/* What follows a prefix that ends in the socket and @end; NULL if @text begins otherwise. */
static const char *
behind(const char *text, const char *begin, const char *socket, const char *end)
{
    g_autofree char *prefix = g_strconcat(begin, socket, end, NULL);

    return g_str_has_prefix(text, prefix) ? text + strlen(prefix) : NULL;
}

/* The library names the socket too; once is enough. */
static void
set_unavailable(GError **error, const char *socket, const char *text)
{
    const char *absent = behind(text, "cannot connect to ", socket, ": ");
    const char *lost = behind(text, "connection to ", socket, " lost: ");

    if (absent)
        g_set_error(error, CLI_ERROR, CLI_FAILED, "no virtksmd answers at %s: %s; is it running?",
                    socket, absent);
    else
        g_set_error(error, CLI_ERROR, CLI_FAILED, "virtksmd at %s went away: %s", socket,
                    lost ? lost : text);
}

/* A socket that may not be opened says nothing for itself; the daemon says why it refuses. */
static void
set_denied(GError **error, const char *socket, const char *text)
{
    const char *refused = behind(text, "cannot connect to ", socket, ": ");
    g_autofree char *hint = refused ? who_may(socket) : NULL;

    if (refused)
        g_set_error(error, CLI_ERROR, CLI_FAILED, "not permitted to use %s: %s; %s", socket,
                    refused, hint);
    else
        g_set_error(error, CLI_ERROR, CLI_FAILED, "not permitted by virtksmd at %s: %s", socket,
                    text);
}

void
call_fail(GError **error, const char *socket, const GError *reason)
{
    const char *text = reason->message;

    switch (reason->code) {
    case GRPC_STATUS_NOT_FOUND:
        g_set_error_literal(error, CLI_ERROR, CLI_NO_DOMAIN, text);
        break;
    case GRPC_STATUS_INVALID_ARGUMENT:
        g_set_error_literal(error, CLI_ERROR, CLI_USAGE, text);
        break;
    case GRPC_STATUS_PERMISSION_DENIED:
        set_denied(error, socket, text);
        break;
    case GRPC_STATUS_DEADLINE_EXCEEDED:
        g_set_error(error, CLI_ERROR, CLI_FAILED, "virtksmd at %s did not answer within %d s",
                    socket, CALL_TIMEOUT_S);
        break;
    case GRPC_STATUS_UNIMPLEMENTED:
        g_set_error(error, CLI_ERROR, CLI_FAILED,
                    "virtksmd at %s does not know this call; is it older than this program?",
                    socket);
        break;
    case GRPC_STATUS_UNAVAILABLE:
        set_unavailable(error, socket, text);
        break;
    default:
        g_set_error(error, CLI_ERROR, CLI_FAILED, "virtksmd at %s failed: %s", socket, text);
        break;
    }
}

ProtobufCMessage *
call_at(const char *socket, const CallMethod *method, const ProtobufCMessage *request,
        GError **reason)
{
    const GrpcRpc rpc = { method->path, method->response, CALL_TIMEOUT_S * 1000 };
    g_autoptr(GrpcClient) client = grpc_client_new(socket, NULL);
    ProtobufCMessage *response = NULL;

    grpc_client_unary(client, &rpc, request, &response, reason);
    return response;
}

ProtobufCMessage *
call_unary(const Cli *cli, const CallMethod *method, const ProtobufCMessage *request,
           GError **error)
{
    g_autofree char *socket = call_socket(cli, method);
    g_autoptr(GError) reason = NULL;
    ProtobufCMessage *response = call_at(socket, method, request, &reason);

    if (!response)
        call_fail(error, socket, reason);
    return response;
}
