/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics_access.h - which of those who scrape may see figures of single domains */
#ifndef AGENT_REPORT_METRICS_ACCESS_H
#define AGENT_REPORT_METRICS_ACCESS_H

#include "agent/conf.h"

/**
 * metrics_access_check() - whether a peer may see figures of single domains
 * @fd:    connected TCP socket (borrowed)
 * @limit: [access] domain_figures
 * @group: [rpc] group
 *
 * May ask the user database, which can take a while: not for the main loop.
 * Return: whether it may; who cannot be told may only where all may.
 */
bool metrics_access_check(int fd, Who limit, const char *group);

#endif
