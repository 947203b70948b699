/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * echo_server.h - a gRPC server for tests: answers as the request asks, and remembers what happened
 */
#ifndef TEST_SUPPORT_ECHO_SERVER_H
#define TEST_SUPPORT_ECHO_SERVER_H

#include "proto/grpc_client.h"
#include "proto/grpc_server.h"
#include "test/support/echo.pb-c.h"

/* Text of a request that is not answered; the call is kept in EchoServer.kept. */
#define ECHO_HANG "hang"
/* Text of a request that is failed with its count as the status. */
#define ECHO_FAIL "fail"

/**
 * echo_request() - an empty request
 *
 * Not the generated initialiser: it casts const away, which clang warns about.
 *
 * Return: by value; owns nothing
 */
static inline Test__EchoRequest
echo_request(void)
{
    Test__EchoRequest request;

    test__echo_request__init(&request);
    return request;
}

/**
 * echo_reply() - an empty reply
 *
 * Return: by value; owns nothing
 */
static inline Test__EchoReply
echo_reply(void)
{
    Test__EchoReply reply;

    test__echo_reply__init(&reply);
    return reply;
}

typedef struct {
    GrpcServer *server;                /* owned */
    char *directory;                   /* owned; temporary */
    char *path;                        /* owned; of a socket in @directory, listening */
    char *ro_path;                     /* owned; of the read-only one */
    GrpcCall *kept;                    /* owned; latest call that asked to hang, or NULL */
    unsigned closed[GRPC_CLOSE_COUNT]; /* calls closed, by reason */
    unsigned started;                  /* Join and Chat calls that began */
    unsigned received;                 /* request messages of Join and Chat */
    size_t queue_max_bytes;            /* most that Split had queued */
    bool holds;                        /* Join and Chat take no messages after the first */
} EchoServer;

/**
 * echo_server_new() - start a server on two sockets in a temporary directory
 * @limits: NULL for the defaults
 *
 * /test.Echo/Unary: the text comes back, with padding of size_bytes.
 * /test.Echo/Split: `count` replies with indices from 0 and padding of size_bytes each, queued as
 *                   they drain; a count of 0 sends one and then nothing, without end.
 * /test.Echo/Join:  one reply with the texts in a row and their number as the index.
 * /test.Echo/Chat:  each text comes back at once.
 * /test.Echo/Write: like Unary, but not allowed on the read-only socket.
 *
 * Return: owned by the caller, end with echo_server_free()
 */
EchoServer *echo_server_new(const GrpcLimits *limits);

/**
 * echo_server_free() - close it all, remove its directory
 */
void echo_server_free(EchoServer *echo);

/** ECHO_TEST() - a test of cmocka with an echo server of its own as its state */
#define ECHO_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, echo_server_setup, echo_server_teardown)

/** echo_server_setup() - *state is echo_server_new() with the default limits; see ECHO_TEST() */
int echo_server_setup(void **state);

/** echo_server_teardown() - the counterpart; what the loop has left to do about it is done */
int echo_server_teardown(void **state);

/**
 * echo_server_status() - make a call, with an empty request
 * @method:     "/test.Echo/Unary"
 * @timeout_ms: of the call
 *
 * Return: how the call ended.
 */
GrpcStatus echo_server_status(GrpcClient *client, const char *method, unsigned timeout_ms);

/**
 * echo_server_call() - make a call on a connection of its own
 * @path:   of the socket
 * @method: "/test.Echo/Unary"
 *
 * Return: how the call ended.
 */
GrpcStatus echo_server_call(const char *path, const char *method);

/**
 * echo_server_run_until() - run the default main context until a condition holds, 10 s at most
 * Return: whether it holds
 */
bool echo_server_run_until(bool (*holds)(gpointer data), gpointer data);

#endif
