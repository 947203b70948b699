/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * result.h - print what a call returned in the format that was asked for
 */
#ifndef AGENT_CLI_RESULT_H
#define AGENT_CLI_RESULT_H

#include "agent/cli/cli.h"

#include <protobuf-c/protobuf-c.h>

/* How a command shows its message; JSON is the same for all. */
typedef struct {
    void (*table)(const Cli *cli, const ProtobufCMessage *message, GString *out); /* for people */
    void (*csv)(const ProtobufCMessage *message, GString *out); /* NULL: has_csv is false */
} ResultPrinter;

/**
 * result_write() - write a result to where --output says, or to standard output
 * @cli:   says where
 * @text:  UTF-8
 * @error: CLI_FAILED
 */
bool result_write(const Cli *cli, const char *text, GError **error);

/**
 * result_print() - print a message where result_write() writes
 * @cli:     says in which format
 * @message: what to print
 * @printer: how, unless it is JSON
 * @error:   CLI_FAILED if it could not be written
 */
bool result_print(const Cli *cli, const ProtobufCMessage *message, const ResultPrinter *printer,
                  GError **error);

#endif
