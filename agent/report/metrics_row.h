/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_row.h - what a metric is: one row of one of the tables
 *
 * A row names a metric, says what it means and how its value is had. Values are doubles, because
 * that is what Prometheus keeps; NAN is a figure that is not known, and gives no sample at all.
 */
#ifndef AGENT_REPORT_METRICS_ROW_H
#define AGENT_REPORT_METRICS_ROW_H

#include "agent/report/ledger.h"
#include "policy/arith.h"

#include <glib.h>

typedef struct Agent Agent;
typedef struct MetricsSamples MetricsSamples; /* metrics_page.c: where samples are collected */

typedef enum {
    METRIC_GAUGE,
    METRIC_COUNTER,
    METRIC_HISTOGRAM,
    METRIC_TYPE_COUNT,
} MetricType;

/* What figures are taken from; all borrowed, on the main loop. */
typedef struct {
    const Agent *agent;   /* its figures, and those of the last tick */
    const Ledger *ledger; /* NULL where a table does not need it */
    uint64_t now_us;      /* CLOCK_MONOTONIC */
    int64_t real_us;      /* wall clock at the same moment */
} MetricsView;

/* A metric of the host or of the agent. Exactly one of get and list is there. */
typedef struct {
    const char *name;
    MetricType type;
    const char *unit; /* that the name ends in, before _total; "": a number without one */
    const char *help; /* defines the term, one line; NULL: metrics_help() has it */
    double (*get)(const MetricsView *view); /* the one sample; NAN: not known */
    void (*list)(const MetricsView *view, MetricsSamples *samples); /* samples with labels */
} HostMetric;

/* A metric of each domain. */
typedef struct {
    const char *name;
    MetricType type;
    const char *unit;                                             /* as above */
    const char *help;                                             /* as above */
    double (*get)(const MetricsView *view, const LedgerRow *row); /* NAN: not known */
} DomainMetric;

/** metrics_agent_rows() - what the agent does and how it is; @ret_n: rows; static */
const HostMetric *metrics_agent_rows(size_t *ret_n);

/** metrics_ledger_rows() - the ledger's figures of the host; @ret_n: rows; static */
const HostMetric *metrics_ledger_rows(size_t *ret_n);

/** metrics_domain_rows() - the ledger's figures of each domain; @ret_n: rows; static */
const DomainMetric *metrics_domain_rows(size_t *ret_n);

/**
 * metrics_help() - what a metric means
 * @name: of the metric
 * @help: of its row; NULL: it is the figure of a report that its name has behind "virtksm_domain_"
 * or "virtksm_host_"
 *
 * Return: @help or the definition of the figure; NULL: there is no such figure.
 */
const char *metrics_help(const char *name, const char *help);

/**
 * metrics_samples_add() - one more sample of the metric that is being listed
 * @suffix: of the metric's name, for histograms; "": none
 * @labels: made with metrics_text_label(); copied
 * @value:  NAN adds nothing
 */
void metrics_samples_add(MetricsSamples *samples, const char *suffix, const char *labels,
                         double value);

/** metrics_samples_word() - a sample with one label; @value: as metrics_samples_add() */
void metrics_samples_word(MetricsSamples *samples, const char *label, const char *word,
                          double value);

/** metrics_known() - a figure as a value, NAN where it is not known */
double metrics_known(uint64_t figure);

/** metrics_bytes() - pages of the ledger as bytes, NAN where they are not known */
double metrics_bytes(const MetricsView *view, uint64_t pages);

/** metrics_net() - ledger_net_bytes() as a value */
double metrics_net(const MetricsView *view, uint64_t saved_pages, uint64_t metadata_bytes);

/** metrics_seconds() - microseconds as seconds, NAN where they are not known */
double metrics_seconds(uint64_t duration_us);

/** metrics_moment() - seconds since 1970 of a moment of CLOCK_MONOTONIC; NAN where it is 0 */
double metrics_moment(const MetricsView *view, uint64_t moment_us);

#endif
