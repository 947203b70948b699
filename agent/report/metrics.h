/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics.h - what Prometheus is given, kept up to date */
#ifndef AGENT_REPORT_METRICS_H
#define AGENT_REPORT_METRICS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Agent Agent;
typedef struct Metrics Metrics;

/**
 * metrics_new() - serve metrics as the configuration says
 * @agent: borrowed; must outlive it
 *
 * An address that is taken is no reason not to run: it is logged, told in the status, and tried
 * again. Return: never NULL.
 */
Metrics *metrics_new(Agent *agent);

/** metrics_free() - stop serving; NULL is fine */
void metrics_free(Metrics *metrics);

/** metrics_ticked() - a decision has been taken; @metrics: NULL is fine */
void metrics_ticked(Metrics *metrics);

/**
 * metrics_state() - how it is, for the status
 * @metrics:     NULL is fine
 * @ret_detail:  the address, or why nobody listens there; borrowed; NULL: nothing to say
 * @ret_scrapes: times that somebody was given metrics
 *
 * Return: "open", "closed" where the configuration does not want it or the build does not have it,
 * "waiting" where it failed.
 */
const char *metrics_state(const Metrics *metrics, const char **ret_detail, uint64_t *ret_scrapes);

#endif
