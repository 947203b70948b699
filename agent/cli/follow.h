/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * follow.h - print what a method of the daemon streams, until somebody ends it
 */
#ifndef AGENT_CLI_FOLLOW_H
#define AGENT_CLI_FOLLOW_H

#include "agent/cli/call.h"
#include "agent/cli/cli.h"
#include "agent/cli/table.h"

/* What is followed, and how it is printed. */
typedef struct {
    CallMethod method; /* its messages count in a field "lost" those that the daemon has dropped */
    const char *what;  /* "events": for messages about them */
    /* A table without rows, for the caller to free. Its widths fit what is usual, as rows are
     * printed before the next ones are known. */
    Table *(*table)(void);
    /* Adds the cells of a message. */
    void (*row)(Table *table, const ProtobufCMessage *message);
    const char *const *csv_lead; /* columns in front of those of csv_fields; NULL: none */
    const ProtobufCMessageDescriptor *csv_fields; /* as for csv_append_header() */
    /* Appends the line of a message. */
    void (*csv)(GString *out, const ProtobufCMessage *message);
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
