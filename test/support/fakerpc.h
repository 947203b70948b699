/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fakerpc.h - an Agent on a fabricated host with its real sockets and methods, and clients of it
 *
 * All in one thread on the default main context: a call is answered while the test waits for it.
 * Add ${agent_support} and ${CMAKE_SOURCE_DIR}/test/support/fakerpc.c to the SOURCES of the test,
 * and link the target agent.
 */
#ifndef TEST_SUPPORT_FAKERPC_H
#define TEST_SUPPORT_FAKERPC_H

#include "agent/agent.h"
#include "proto/grpc_client.h"
#include "proto/grpc_server.h"

/* An agent that listens. */
typedef struct {
    Agent *agent;       /* owned; see fakeagent.h */
    char *directory;    /* owned; runtime directory */
    char *path;         /* owned; of the full socket */
    char *ro_path;      /* owned; of the read-only socket */
    GrpcClient *client; /* owned; of the full socket */
} FakeRpc;

/* One call with a stream of answers. */
typedef struct {
    GrpcClientCall *call;                       /* owned */
    const ProtobufCMessageDescriptor *response; /* of the answers */
    GQueue answers;                             /* owned; GBytes, packed, oldest first */
    bool finished;                              /* the call is over */
    GrpcStatus status;                          /* of a call that is over */
    char *text;                                 /* owned; of a call that failed; NULL */
} FakeStream;

/** fakerpc_setup() - for cmocka_unit_test_setup_teardown(); *state is a FakeRpc */
int fakerpc_setup(void **state);

/** fakerpc_teardown() - the counterpart; the server ends before the agent's sources */
int fakerpc_teardown(void **state);

/** fakerpc_listen() - open the sockets anew, after settings were changed */
void fakerpc_listen(FakeRpc *rpc);

/**
 * fakerpc_call() - make a call with a single answer
 * @client:     of one of the sockets
 * @path:       of the method
 * @response:   type of the answer
 * @request:    borrowed
 * @ret_answer: owned by the caller; NULL if the call fails
 *
 * Return: its status.
 */
GrpcStatus fakerpc_call(GrpcClient *client, const char *path,
                        const ProtobufCMessageDescriptor *response, const ProtobufCMessage *request,
                        ProtobufCMessage **ret_answer);

/** fakerpc_stream() - begin a call with a stream of answers; end with fakerpc_stream_free() */
FakeStream *fakerpc_stream(GrpcClient *client, const char *path,
                           const ProtobufCMessageDescriptor *response);

/** fakerpc_stream_free() - cancel the call if it is still open */
void fakerpc_stream_free(FakeStream *stream);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FakeStream, fakerpc_stream_free)

/**
 * fakerpc_next() - the next answer of a stream, as soon as it comes
 *
 * Return: owned by the caller; NULL: the call is over, or nothing came within seconds.
 */
ProtobufCMessage *fakerpc_next(FakeStream *stream);

/** fakerpc_wait_end() - wait until a stream is over; returns its status */
GrpcStatus fakerpc_wait_end(FakeStream *stream);

/** fakerpc_settle() - run the loop until nothing happens any more */
void fakerpc_settle(void);

/** fakerpc_until() - run the loop until a condition holds; fails after seconds */
void fakerpc_until(bool (*holds)(gpointer data), gpointer data, const char *what);

#endif
