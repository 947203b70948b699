/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call.h - ask the daemon
 */
#ifndef AGENT_CLI_CALL_H
#define AGENT_CLI_CALL_H

#include "agent/cli/cli.h"
#include "proto/grpc_client.h"

/* The longest wait for an answer, in seconds. */
#define CALL_TIMEOUT_S 5

/* A method of the daemon. */
typedef struct {
    const char *path;                           /* "/virtksm.v1.Agent/Status" */
    const ProtobufCMessageDescriptor *response; /* type of its answers */
    bool read_only;                             /* changes nothing */
} CallMethod;

/** call_message_free() - a message that a call returned; accepts NULL */
void call_message_free(ProtobufCMessage *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ProtobufCMessage, call_message_free)

/**
 * call_socket() - the socket to ask a method at
 * @cli:    names the full socket
 * @method: what is to be asked
 *
 * The read-only socket beside the full one, if that is enough for @method and the full one may not
 * be opened; else the full one.
 *
 * Return: owned by the caller.
 */
char *call_socket(const Cli *cli, const CallMethod *method);

/**
 * call_fail() - say in one line for people why a call failed
 * @error:  CLI_ERROR with the exit code that fits
 * @socket: where the daemon was asked
 * @reason: in GRPC_ERROR
 */
void call_fail(GError **error, const char *socket, const GError *reason);

/**
 * call_at() - ask at a socket, and wait for the answer
 * @socket:  of the daemon, as call_socket() chooses it
 * @method:  what to ask
 * @request: of the method's request type; borrowed
 * @reason:  why it failed, in GRPC_ERROR; call_fail() says it for people
 *
 * Return: of the method's response type, owned by the caller; NULL on failure
 */
ProtobufCMessage *call_at(const char *socket, const CallMethod *method,
                          const ProtobufCMessage *request, GError **reason);

/**
 * call_unary() - choose the socket, ask, and wait for the answer
 * @cli:     names the socket
 * @method:  what to ask
 * @request: of the method's request type; borrowed
 * @error:   CLI_ERROR
 *
 * Return: of the method's response type, owned by the caller; NULL on failure
 */
ProtobufCMessage *call_unary(const Cli *cli, const CallMethod *method,
                             const ProtobufCMessage *request, GError **error);

#endif
