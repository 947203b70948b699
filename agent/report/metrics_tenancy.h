/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics_tenancy.h - how tenancy stands: getters of metrics_agent.c, see there what they mean */
#ifndef AGENT_REPORT_METRICS_TENANCY_H
#define AGENT_REPORT_METRICS_TENANCY_H

#include "agent/report/metrics_row.h"

/** metrics_tenancy_enforced() - 1 if the rule is, 0 if it is only reported; as status says */
double metrics_tenancy_enforced(const MetricsView *view);

/** metrics_tenancy_paused() - 1 while scanning stands still for it */
double metrics_tenancy_paused(const MetricsView *view);

/** metrics_tenancy_window() - seconds of the window of the last start; NAN: there was none */
double metrics_tenancy_window(const MetricsView *view);

/** metrics_tenancy_groups() - how many there are, those of one domain included */
double metrics_tenancy_groups(const MetricsView *view);

/** metrics_tenancy_refused() - domains that there is no memory to switch off */
double metrics_tenancy_refused(const MetricsView *view);

/** metrics_tenancy_domains() - domains by how they stand */
void metrics_tenancy_domains(const MetricsView *view, MetricsSamples *samples);

#endif
