/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.h - the report as a table, for those who show it more than once
 */
#ifndef AGENT_CLI_REPORT_H
#define AGENT_CLI_REPORT_H

#include "agent/cli/call.h"

/* Asks for it; takes a ReportRequest. */
extern const CallMethod report_method;

/**
 * report_append_table() - a report as people read it on a terminal
 * @cli:     its argument is the domain that was asked for; NULL: all were
 * @message: a ReportResponse
 * @out:     appended to
 */
void report_append_table(const Cli *cli, const ProtobufCMessage *message, GString *out);

#endif
