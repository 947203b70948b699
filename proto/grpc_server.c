/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_server.c - listeners, connections and methods of a server, and its end
 *
 * A connection over a limit is accepted and closed at once: its client sees an end instead of
 * waiting for an answer. When no descriptor can be had for a new connection, the listener rests for
 * a moment, because poll would report it ready again at once.
 *
 * Read-only sockets may be open to every local user, the others are for root and its friends. So
 * the two have connections, memory and priority of their own: what strangers do costs the others
 * nothing. On either, a user has a part of that, and root has connections and memory apart, so that
 * nobody can lock another one out.
 *
 * Calls hold sessions and sessions hold the server, so that a call which a handler kept is safe to
 * touch after grpc_server_free().
 */
#define _GNU_SOURCE
#include "proto/grpc_server.h"

#include "proto/grpc_call.h"
#include "proto/grpc_server_state.h"
#include "proto/grpc_socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections taken in one loop turn before others get theirs. */
#define ACCEPTS_PER_TURN 16
/* Rest of a listener that could not accept. */
#define REST_US (G_USEC_PER_SEC / 5)

typedef struct {
    GrpcServer *server; /* borrowed */
    GrpcSocket socket;  /* owned */
    const char *name;   /* interned path: calls that are kept may outlive the listener */
    GSource *source;    /* owned */
    gpointer tag;       /* of the descriptor in @source */
    bool read_only;     /* see GrpcListen */
} Listener;

typedef struct {
    GSource source;     /* base */
    Listener *listener; /* borrowed; destroys the source before it goes */
} ListenerSource;

static void
listener_free(gpointer data)
{
    Listener *listener = data;

    g_source_destroy(listener->source);
    g_source_unref(listener->source);
    grpc_socket_close(&listener->socket);
    g_free(listener);
}

GrpcServer *
grpc_server_new(const GrpcLimits *limits)
{
    GrpcServer *server = g_new0(GrpcServer, 1);

    server->refs = 1;
    server->context = g_main_context_ref_thread_default();
    server->limits = limits ? *limits : grpc_server_limits;
    server->methods = g_hash_table_new(g_str_hash, g_str_equal);
    server->listeners = g_ptr_array_new_with_free_func(listener_free);
    for (size_t i = 0; i < G_N_ELEMENTS(server->budgets); i++)
        grpc_user_budgets_init(&server->budgets[i], &server->limits);
    return server;
}

static void
server_unref(GrpcServer *server)
{
    if (--server->refs > 0)
        return;
    if (server->destroy)
        server->destroy(server->data);
    g_ptr_array_unref(server->listeners);
    for (size_t i = 0; i < G_N_ELEMENTS(server->budgets); i++)
        grpc_user_budgets_clear(&server->budgets[i]);
    g_hash_table_unref(server->methods);
    g_main_context_unref(server->context);
    g_free(server);
}

void
grpc_server_release(GrpcSession *session)
{
    GrpcServer *server = session->owner;

    grpc_user_budgets_leave(&server->budgets[session->peer.read_only], session->peer.uid);
    server_unref(server);
}

/* Closing may run callbacks that close others, hence from the head each time. */
static void
close_sessions(GrpcServer *server, const char *why)
{
    for (GList *link = server->sessions.head; link;) {
        GrpcSession *session = link->data;

        if (session->is_closed) {
            link = link->next;
            continue;
        }
        grpc_session_close(session, why);
        link = server->sessions.head;
    }
}

void
grpc_server_free(GrpcServer *server)
{
    if (!server)
        return;
    server->done = NULL;
    grpc_source_stop(&server->ending);
    g_ptr_array_set_size(server->listeners, 0);
    close_sessions(server, "the server is gone");
    server_unref(server);
}

void
grpc_server_set_data(GrpcServer *server, gpointer data, GDestroyNotify destroy)
{
    assert(!server->destroy);
    server->data = data;
    server->destroy = destroy;
}

gpointer
grpc_server_data(const GrpcServer *server)
{
    return server->data;
}

void
grpc_server_set_access(GrpcServer *server, GrpcAccess access, gpointer user_data)
{
    server->access = access;
    server->access_data = user_data;
}

void
grpc_server_add_methods(GrpcServer *server, const GrpcMethod *methods, size_t n_methods)
{
    for (size_t i = 0; i < n_methods; i++) {
        bool is_new = g_hash_table_insert(server->methods, (gpointer)(uintptr_t)methods[i].path,
                                          (gpointer)(uintptr_t)&methods[i]);

        assert(is_new && methods[i].handler && methods[i].handler->message);
    }
}

static bool
has_room_for(const GrpcServer *server, const GrpcPeer *peer)
{
    unsigned n_all = 0, n_own = 0;

    for (const GList *link = server->sessions.head; link; link = link->next) {
        const GrpcPeer *other = &((const GrpcSession *)link->data)->peer;

        n_all += other->read_only == peer->read_only && (other->uid == 0) == (peer->uid == 0);
        n_own += other->read_only == peer->read_only && other->uid == peer->uid;
    }
    return n_all < server->limits.connections && n_own < server->limits.connections_per_uid;
}

/* Takes over the descriptor and the groups of the peer, also on failure. */
static bool
add_session(GrpcServer *server, int fd, GrpcPeer *peer)
{
    GrpcSessionSetup setup = {
        .fd = fd,
        .is_server = true,
        .context = server->context,
        .limits = &server->limits,
        .ops = &grpc_call_ops,
        .owner = server,
        .budget = grpc_user_budgets_join(&server->budgets[peer->read_only], peer->uid),
        .priority = GRPC_SOURCE_PRIORITY + peer->read_only,
        .peer = *peer,
    };
    GrpcSession *session;

    server->refs++; /* given back by grpc_server_release() */
    session = grpc_session_new(&setup);
    if (!session)
        return false;
    server->stats.connections_accepted++;
    g_queue_push_tail_link(&server->sessions, &session->link);
    return true;
}

static bool
refuse(GrpcServer *server, int fd, GrpcPeer *peer)
{
    server->stats.connections_refused++;
    g_free(peer->groups);
    close(fd);
    return false;
}

static bool
adopt(GrpcServer *server, int fd, const Listener *listener, GError **error)
{
    GrpcPeer peer;

    if (!grpc_socket_peer(fd, &peer, error)) {
        close(fd);
        return false;
    }
    peer.listener = listener->name;
    peer.read_only = listener->read_only;
    if (has_room_for(server, &peer) ? add_session(server, fd, &peer) : refuse(server, fd, &peer))
        return true;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES, "too many connections");
    return false;
}

bool
grpc_server_adopt(GrpcServer *server, int fd, bool read_only, GError **error)
{
    Listener none = { .name = "", .read_only = read_only };

    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        g_set_error(error, G_IO_ERROR, (int)g_io_error_from_errno(errno), "cannot set up a socket");
        close(fd);
        return false;
    }
    return adopt(server, fd, &none, error);
}

static gboolean
accept_some(GSource *source, GSourceFunc unused, gpointer unused_data)
{
    Listener *listener = ((ListenerSource *)source)->listener;

    (void)unused, (void)unused_data;
    g_source_set_ready_time(source, -1);
    g_source_modify_unix_fd(source, listener->tag, G_IO_IN);
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(listener->socket.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            adopt(listener->server, fd, listener, NULL);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            g_source_modify_unix_fd(source, listener->tag, 0);
            g_source_set_ready_time(source, g_source_get_time(source) + REST_US);
        }
        break;
    }
    return G_SOURCE_CONTINUE;
}

bool
grpc_server_listen(GrpcServer *server, const GrpcListen *where, GError **error)
{
    static GSourceFuncs functions = { .dispatch = accept_some };
    GrpcSocket socket;
    Listener *listener;

    if (!grpc_socket_listen(where, &socket, error))
        return false;
    listener = g_new0(Listener, 1);
    listener->server = server;
    listener->socket = socket; /* the listener owns it from here */
    listener->name = g_intern_string(where->path);
    listener->read_only = where->read_only;
    listener->source = g_source_new(&functions, sizeof(ListenerSource));
    ((ListenerSource *)listener->source)->listener = listener;
    g_source_set_name(listener->source, "grpc listener");
    g_source_set_priority(listener->source, GRPC_SOURCE_PRIORITY + where->read_only);
    listener->tag = g_source_add_unix_fd(listener->source, socket.fd, G_IO_IN);
    g_source_attach(listener->source, server->context);
    g_ptr_array_add(server->listeners, listener);
    return true;
}

static gboolean
end_now(gpointer user_data)
{
    GrpcServer *server = user_data;
    void (*done)(GrpcServer *, gpointer);

    server->refs++;
    grpc_source_stop(&server->ending);
    close_sessions(server, "the server shut down");
    done = server->done; /* taken late: a callback may have freed the server and reset it */
    server->done = NULL;
    if (done)
        done(server, server->done_data);
    server_unref(server);
    return G_SOURCE_REMOVE;
}

static void
end_in(GrpcServer *server, unsigned timeout_ms)
{
    grpc_source_stop(&server->ending);
    server->ending = g_timeout_source_new(timeout_ms);
    g_source_set_callback(server->ending, end_now, server, NULL);
    g_source_attach(server->ending, server->context);
}

static void
abandon_calls(GrpcSession *session)
{
    grpc_session_enter(session);
    for (GList *link = session->streams.head; link; link = link->next)
        grpc_call_abandon(grpc_call_of_stream(link->data));
    grpc_session_leave(session);
}

void
grpc_server_shutdown(GrpcServer *server, unsigned timeout_ms,
                     void (*done)(GrpcServer *server, gpointer user_data), gpointer user_data)
{
    /* A copy: handlers that are told may close sessions, or free the server. */
    g_autoptr(GPtrArray) sessions =
        g_ptr_array_new_with_free_func((GDestroyNotify)grpc_session_unref);

    server->is_draining = true;
    server->done = done;
    server->done_data = user_data;
    g_ptr_array_set_size(server->listeners, 0);
    end_in(server, server->sessions.length > 0 ? timeout_ms : 0);
    for (GList *link = server->sessions.head; link; link = link->next)
        g_ptr_array_add(sessions, grpc_session_ref(link->data));
    for (guint i = 0; i < sessions->len; i++) {
        grpc_session_go_away(sessions->pdata[i]);
        abandon_calls(sessions->pdata[i]);
    }
}

void
grpc_server_forget(GrpcSession *session)
{
    GrpcServer *server = session->owner;

    g_queue_unlink(&server->sessions, &session->link);
    if (server->is_draining && server->ending && server->sessions.length == 0)
        end_in(server, 0);
    grpc_session_unref(session);
}

GrpcServerStats
grpc_server_stats(const GrpcServer *server)
{
    GrpcServerStats stats = server->stats;

    stats.connections = server->sessions.length;
    for (size_t i = 0; i < G_N_ELEMENTS(server->budgets); i++)
        stats.held_bytes += server->budgets[i].all.used_bytes + server->budgets[i].root.used_bytes;
    return stats;
}
