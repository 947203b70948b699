/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fakedaemon.h - a virtksm.v1.Agent that says what the test tells it to say
 *
 * It runs in the test's default main context, on both sockets of a directory of its own. A method
 * that was given no answer never answers: so does a daemon that hangs.
 */
#ifndef TEST_SUPPORT_FAKEDAEMON_H
#define TEST_SUPPORT_FAKEDAEMON_H

#include "proto/grpc_server.h"
#include "test/support/child.h"

/* A test of cmocka with a daemon of its own as its state. */
#define FAKEDAEMON_TEST(test)                                                                      \
    cmocka_unit_test_setup_teardown(test, fakedaemon_setup, fakedaemon_teardown)

typedef struct FakeDaemon FakeDaemon;

/** fakedaemon_new() - listens, answers nothing yet */
FakeDaemon *fakedaemon_new(void);

/** fakedaemon_free() - removes its directory too; NULL is fine */
void fakedaemon_free(FakeDaemon *daemon);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FakeDaemon, fakedaemon_free)

/** fakedaemon_setup() - *state is fakedaemon_new(); see FAKEDAEMON_TEST() */
int fakedaemon_setup(void **state);

/** fakedaemon_teardown() - the counterpart */
int fakedaemon_teardown(void **state);

/** fakedaemon_stop() - close every connection, listen no more */
void fakedaemon_stop(FakeDaemon *daemon);

/** fakedaemon_socket() - path of its full socket; belongs to @daemon */
const char *fakedaemon_socket(const FakeDaemon *daemon);

/** fakedaemon_answer() - what @method ("Status") answers: a message (borrowed) */
void fakedaemon_answer(FakeDaemon *daemon, const char *method, const ProtobufCMessage *message);

/** fakedaemon_refuse() - what @method answers: a failure; @text is borrowed */
void fakedaemon_refuse(FakeDaemon *daemon, const char *method, GrpcStatus status, const char *text);

/** fakedaemon_send() - send a message to the one who watches; Return: whether it was queued */
bool fakedaemon_send(FakeDaemon *daemon, const ProtobufCMessage *message);

/** fakedaemon_await_sent() - run the loop until what was sent has left for the watcher */
void fakedaemon_await_sent(FakeDaemon *daemon);

/** fakedaemon_await_watcher() - run the loop until somebody watches */
void fakedaemon_await_watcher(FakeDaemon *daemon);

/** fakedaemon_asked() - the last call: "Report web", "SetMode auto ro" on the read-only socket */
const char *fakedaemon_asked(const FakeDaemon *daemon);

/** fakedaemon_client() - start the real virtksm with this daemon's socket and up to 4 words */
Child *fakedaemon_client(const FakeDaemon *daemon, const char *const *words);

/** fakedaemon_output() - run fakedaemon_client() on a line, words parted by blanks; what it prints
 * (the caller frees it). It must end with 0, and complain of nothing. */
char *fakedaemon_output(const FakeDaemon *daemon, const char *line);

/** fakedaemon_expect() - fakedaemon_output() is @want */
void fakedaemon_expect(const FakeDaemon *daemon, const char *line, const char *want);

#endif
