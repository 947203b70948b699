/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_server.h - serve gRPC methods on UNIX sockets
 *
 *     static void
 *     kick(GrpcCall *call, const ProtobufCMessage *request)
 *     {
 *         Google__Protobuf__Empty done = GOOGLE__PROTOBUF__EMPTY__INIT;
 *
 *         agent_kick(grpc_server_data(grpc_call_server(call)));
 *         grpc_call_reply(call, &done.base);
 *     }
 *     static const GrpcHandler kick_handler = { .message = kick };
 *     static const GrpcMethod methods[] = {
 *         { "/ksm.KSMThrottler/Kick", GRPC_UNARY, false, &google__protobuf__empty__descriptor,
 *           &google__protobuf__empty__descriptor, &kick_handler },
 *     };
 *
 * Life of a call. After the request headers were checked and access was granted, `start` is called
 * (if there is one), then `message` for each request message: exactly once and not before the
 * client has finished its half for the two kinds with a single request. The handler answers at
 * once or later, from any main loop callback, with grpc_call_reply(), or grpc_call_send() and
 * grpc_call_finish(), or grpc_call_fail(). Every call that was started is told `closed` exactly
 * once: after its status went out, or when the client cancelled or vanished, or at the deadline.
 * A GrpcCall is valid until its `closed` returns, longer with grpc_call_ref(); what is done to a
 * call after it was closed has no effect, so a late answer needs no check.
 */
#ifndef PROTO_GRPC_SERVER_H
#define PROTO_GRPC_SERVER_H

#include "proto/grpc.h"

#include <sys/types.h>

typedef struct GrpcServer GrpcServer;
typedef struct GrpcCall GrpcCall;

/* Why a call is over. */
typedef enum {
    GRPC_CLOSE_DONE,        /* the status that the handler gave went out */
    GRPC_CLOSE_CANCELLED,   /* the client reset the stream */
    GRPC_CLOSE_DEADLINE,    /* the client's deadline passed; it was told DEADLINE_EXCEEDED */
    GRPC_CLOSE_LOST,        /* the connection broke */
    GRPC_CLOSE_BAD_REQUEST, /* the client sent what cannot be read; it was told so */
    GRPC_CLOSE_SHUTDOWN,    /* the server is going away; the client was told UNAVAILABLE */
    GRPC_CLOSE_COUNT,
} GrpcClose;

/* What a method does; callbacks that are not needed stay NULL, except `message`. */
typedef struct {
    /* Access was granted; the first request message has not been read yet. */
    void (*start)(GrpcCall *call);
    /* A request message of the method's request type; @message is borrowed for this callback. */
    void (*message)(GrpcCall *call, const ProtobufCMessage *message);
    /* Client- and bidirectional streams: no more request messages will come. */
    void (*half_closed)(GrpcCall *call);
    /* Everything sent so far has left the queue of this call. */
    void (*drained)(GrpcCall *call);
    /* The call is over; nothing follows. */
    void (*closed)(GrpcCall *call, GrpcClose why);
} GrpcHandler;

/* A row of a method table. */
typedef struct {
    const char *path;                           /* "/package.Service/Method" */
    GrpcKind kind;                              /* which sides stream */
    bool read_only;                             /* changes nothing: allowed on read-only sockets */
    const ProtobufCMessageDescriptor *request;  /* type of request messages */
    const ProtobufCMessageDescriptor *response; /* type of response messages */
    const GrpcHandler *handler;                 /* what it does; several rows may share one */
} GrpcMethod;

/* Who is at the other end of a connection, from the kernel, as of the moment it connected. */
typedef struct {
    pid_t pid;            /* 0 if not visible in our pid namespace */
    uid_t uid;            /* effective user */
    gid_t gid;            /* effective group */
    gid_t *groups;        /* owned; supplementary groups, NULL if unknown or none */
    size_t n_groups;      /* of @groups */
    const char *listener; /* path of the listening socket; "" for grpc_server_adopt() */
    bool read_only;       /* came through a read-only socket */
} GrpcPeer;

/**
 * grpc_peer_has_group() - whether a peer is a member of a group
 * @peer: as given to the access hook
 * @gid:  group to look for among its effective and supplementary groups
 *
 * Source: unix(7), SO_PEERCRED and SO_PEERGROUPS: credentials as of connect(2)
 * Return: true if it is, as far as the kernel told us
 */
bool grpc_peer_has_group(const GrpcPeer *peer, gid_t gid);

/**
 * GrpcAccess - decides whether a peer may make a call, before its request is read
 * @method:    row of the method
 * @peer:      who asks, and through which socket
 * @user_data: as given to grpc_server_set_access()
 * @ret_text:  for a refusal, may be set to a static text for the client
 *
 * Methods that are not read_only are refused on a read-only socket before this is asked.
 *
 * Return: GRPC_STATUS_OK to go on, else the status that the client gets.
 */
typedef GrpcStatus (*GrpcAccess)(const GrpcMethod *method, const GrpcPeer *peer, gpointer user_data,
                                 const char **ret_text);

/* A socket to listen on. */
typedef struct {
    const char *path; /* absolute; its directory exists */
    mode_t mode;      /* permissions of the socket file */
    gid_t gid;        /* its group; (gid_t)-1 leaves it */
    bool read_only;   /* only read_only methods can be called through it */
} GrpcListen;

/* Counts for status and metrics. */
typedef struct {
    uint64_t connections_accepted; /* since start */
    uint64_t connections_refused;  /* since start; over a limit */
    uint64_t calls_started;        /* since start; access granted */
    uint64_t calls_refused;        /* since start; bad headers, unknown method or access denied */
    size_t connections;            /* now */
    size_t held_bytes;             /* now; messages in memory, both directions */
} GrpcServerStats;

/**
 * grpc_server_new() - make a server that listens nowhere yet
 * @limits: copied; NULL takes grpc_server_limits
 *
 * Its sources run in the thread-default main context of the caller, a step below the default
 * priority, so that a storm of calls does not hold up other sources.
 *
 * Return: owned by the caller; end with grpc_server_free(). Never NULL.
 */
GrpcServer *grpc_server_new(const GrpcLimits *limits);

/**
 * grpc_server_free() - close everything at once and let go of the server
 * @server: consumed; may be NULL
 *
 * Calls that are still open are told closed (GRPC_CLOSE_LOST) before this returns, unless it is
 * called from a callback of this library: then that happens as soon as the callback returns.
 * Socket files that are still ours are removed.
 */
void grpc_server_free(GrpcServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GrpcServer, grpc_server_free)

/**
 * grpc_server_set_data() - attach the owner's data, for handlers
 * @server:  the server
 * @data:    returned by grpc_server_data(); NULL before this is called
 * @destroy: called for @data when the server and its last call are gone; may be NULL
 */
void grpc_server_set_data(GrpcServer *server, gpointer data, GDestroyNotify destroy);

/**
 * grpc_server_data() - the owner's data
 */
gpointer grpc_server_data(const GrpcServer *server);

/**
 * grpc_server_set_access() - install the access decision; without one every call is allowed
 * @server:    the server
 * @access:    asked once per call
 * @user_data: handed to @access; borrowed, must outlive the server
 */
void grpc_server_set_access(GrpcServer *server, GrpcAccess access, gpointer user_data);

/**
 * grpc_server_add_methods() - serve the methods of a table
 * @server:    the server
 * @methods:   rows; borrowed, must outlive the server (a static table). Paths are unique.
 * @n_methods: number of rows
 */
void grpc_server_add_methods(GrpcServer *server, const GrpcMethod *methods, size_t n_methods);

/**
 * grpc_server_listen() - listen on a UNIX socket path
 * @server: the server
 * @where:  copied
 * @error:  G_IO_ERROR. ADDRESS_IN_USE: a live process answers at the path. EXISTS: what is there
 *          is no socket and was left alone. Others: as errno says.
 *
 * A socket file left over by a dead process is replaced.
 *
 * Return: true if the server now accepts connections there
 */
bool grpc_server_listen(GrpcServer *server, const GrpcListen *where, GError **error);

/**
 * grpc_server_adopt() - serve a connected socket
 * @server:    the server
 * @fd:        a connected UNIX stream socket; consumed, also on failure
 * @read_only: as in GrpcListen
 * @error:     G_IO_ERROR if its peer cannot be told or a connection limit is reached
 */
bool grpc_server_adopt(GrpcServer *server, int fd, bool read_only, GError **error);

/**
 * grpc_server_shutdown() - stop listening, let calls finish, then close
 * @server:     the server
 * @timeout_ms: what is still open after this is cut off
 * @done:       called once from the main loop when the last connection is closed; may free @server
 * @user_data:  for @done
 *
 * Clients get GOAWAY. Calls with a single response may finish; streams of responses that their
 * handler has not finished end with UNAVAILABLE after what was queued.
 */
void grpc_server_shutdown(GrpcServer *server, unsigned timeout_ms,
                          void (*done)(GrpcServer *server, gpointer user_data), gpointer user_data);

/**
 * grpc_server_stats() - read the server's counters
 */
GrpcServerStats grpc_server_stats(const GrpcServer *server);

/**
 * grpc_call_server() - the server of a call; valid as long as the call
 */
GrpcServer *grpc_call_server(const GrpcCall *call);

/**
 * grpc_call_method() - the row of a call
 */
const GrpcMethod *grpc_call_method(const GrpcCall *call);

/**
 * grpc_call_peer() - who made a call; valid as long as the call
 */
const GrpcPeer *grpc_call_peer(const GrpcCall *call);

/**
 * grpc_call_ref() - keep a call's memory beyond `closed`
 * Return: @call
 */
GrpcCall *grpc_call_ref(GrpcCall *call);

/**
 * grpc_call_unref() - give up a reference from grpc_call_ref()
 * @call: may be NULL
 */
void grpc_call_unref(GrpcCall *call);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GrpcCall, grpc_call_unref)

/**
 * grpc_call_set_data() - attach the handler's state to a call
 * @call:    the call
 * @data:    returned by grpc_call_data(); replaces (and destroys) what was attached before
 * @destroy: called for @data when the call's memory goes; may be NULL
 */
void grpc_call_set_data(GrpcCall *call, gpointer data, GDestroyNotify destroy);

/**
 * grpc_call_data() - the handler's state
 */
gpointer grpc_call_data(const GrpcCall *call);

/**
 * grpc_call_set_peer_data() - attach the handlers' state to the connection of a call
 * @call:    any call of the connection
 * @data:    returned by grpc_call_peer_data() of all its calls; replaces (and destroys) what was
 *           attached before
 * @destroy: called for @data once the connection is closed and all its calls were told so; may be
 *           NULL
 */
void grpc_call_set_peer_data(GrpcCall *call, gpointer data, GDestroyNotify destroy);

/**
 * grpc_call_peer_data() - the handlers' state of the connection; NULL: none
 */
gpointer grpc_call_peer_data(const GrpcCall *call);

/**
 * grpc_call_accept() - send the response headers now
 * @call: a streaming call
 *
 * They otherwise go with the first message. A client that waits for them learns that the call was
 * accepted, e.g. that its subscription is in place.
 */
void grpc_call_accept(GrpcCall *call);

/**
 * grpc_call_send() - queue one response message
 * @call:    the call
 * @message: of the method's response type; packed before this returns, still the caller's
 *
 * Return: false if it was not queued: the call is over, or the share of memory of the peer or of
 * its user (GrpcLimits) is used up because it does not read.
 */
bool grpc_call_send(GrpcCall *call, const ProtobufCMessage *message);

/**
 * grpc_call_queued_bytes() - what was sent on this call and has not left for the socket
 */
size_t grpc_call_queued_bytes(const GrpcCall *call);

/**
 * grpc_call_finish() - end a call successfully after what was queued
 */
void grpc_call_finish(GrpcCall *call);

/**
 * grpc_call_fail() - end a call with an error after what was queued
 * @call:   the call
 * @status: not GRPC_STATUS_OK
 * @text:   for people, UTF-8; copied, cut at 1 KiB; may be NULL
 */
void grpc_call_fail(GrpcCall *call, GrpcStatus status, const char *text);

/**
 * grpc_call_reply() - send the only response and finish
 * @call:    a call with a single response
 * @message: as in grpc_call_send(); the call fails with RESOURCE_EXHAUSTED if it does not fit
 */
void grpc_call_reply(GrpcCall *call, const ProtobufCMessage *message);

/**
 * grpc_call_hold() - stop or resume the flow of request messages
 * @call: a call with a stream of requests
 * @hold: true: no `message` until resumed, and the client is not given window to send more than
 *        is on its way (64 KiB)
 */
void grpc_call_hold(GrpcCall *call, bool hold);

/**
 * grpc_call_is_open() - whether an answer can still reach the client
 */
bool grpc_call_is_open(const GrpcCall *call);

#endif
