/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * follow.h - print what a method of the daemon streams, until somebody ends it
 */
#ifndef AGENT_CLI_FOLLOW_H
#define AGENT_CLI_FOLLOW_H

#include "agent/cli/call.h"
#include "agent/cli/cli.h"

/* What is followed, and how it is printed. */
typedef struct {
    CallMethod method;
    const char *what; /* "events": for the message that they have ended */
    /* What stands above all; @out is appended to. */
    void (*header)(GString *out, Format format);
    /* Messages that the daemon has lost before this one, for want of a reader. */
    uint64_t (*lost)(const ProtobufCMessage *message);
    /* One message; @dropped: that were dropped here before it, for want of a reader. */
    void (*message)(GString *out, Format format, const ProtobufCMessage *message, uint64_t dropped);
} FollowStream;

/**
 * follow_print() - print until interrupted
 * @cli:     names the socket and the format
 * @stream:  what to follow; static
 * @request: borrowed
 * @error:   CLI_ERROR: the daemon went away, or standard output cannot be written
 *
 * Return: whether it has ended normally: by a signal, or because its reader went away.
 */
bool follow_print(const Cli *cli, const FollowStream *stream, const ProtobufCMessage *request,
                  GError **error);

/** follow_time_text() - wall clock, local, to the millisecond; the caller frees it */
char *follow_time_text(bool known, uint64_t time_us);

#endif
