/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * csv.h - messages as rows of CSV
 */
#ifndef AGENT_CLI_CSV_H
#define AGENT_CLI_CSV_H

#include <glib.h>
#include <protobuf-c/protobuf-c.h>

/**
 * csv_append_header() - the first row: names of the columns
 * @out:  appended to
 * @lead: names of columns in front of the message's own, NULL-terminated; NULL: there are none
 * @type: of the messages; its fields are the columns, by name and in order, without those that
 *        hold messages or repeat
 */
void csv_append_header(GString *out, const char *const *lead,
                       const ProtobufCMessageDescriptor *type);

/**
 * csv_append_row() - one message
 * @out:     appended to
 * @lead:    values of the columns in front, as many as the header has, NULL-terminated
 * @message: of the header's type
 *
 * Raw numbers; an empty cell is a value that is absent.
 */
void csv_append_row(GString *out, const char *const *lead, const ProtobufCMessage *message);

#endif
