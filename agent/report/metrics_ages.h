/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_ages.h - the memory of a domain by age, as a histogram of Prometheus
 */
#ifndef AGENT_REPORT_METRICS_AGES_H
#define AGENT_REPORT_METRICS_AGES_H

#include "agent/facts/working_set.h"

/* Numbers alone: copied on the loop, written out in the thread of the server. */
typedef struct {
    uint32_t n;                            /* edges; 0: there is no histogram */
    double edges_s[WORKING_SET_EDGES_MAX]; /* bounds of ages */
    double below[WORKING_SET_BINS_MAX];    /* bytes below each of them, the last: of all ages */
    double sum;                            /* of bytes times seconds, at least */
} MetricsAges;

/**
 * metrics_ages_take() - copy a histogram
 * @report: NULL: there is none
 * @ages:   always filled
 */
void metrics_ages_take(const WorkingSetReport *report, MetricsAges *ages);

/** metrics_ages_head() - the lines above the samples */
void metrics_ages_head(GString *out);

/**
 * metrics_ages_append() - the samples of a domain
 * @labels: of the domain, made with metrics_text_label()
 */
void metrics_ages_append(GString *out, const MetricsAges *ages, const char *labels);

#endif
