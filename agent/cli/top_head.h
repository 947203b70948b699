/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top_head.h - the lines above the list of "virtksm top"
 */
#ifndef AGENT_CLI_TOP_HEAD_H
#define AGENT_CLI_TOP_HEAD_H

#include "agent/cli/top_list.h"

/**
 * top_head() - what is to be known of the host, the most important first
 * @report: the figures
 * @status: what the daemon does; NULL: not known
 * @unit:   of amounts of memory
 *
 * Return: owned by the caller; one line each, valid UTF-8 without control characters.
 */
GStrv top_head(const Virtksm__V1__ReportResponse *report, const Virtksm__V1__StatusResponse *status,
               TopUnit unit);

#endif
