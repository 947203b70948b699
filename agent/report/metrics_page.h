/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_page.h - the values of one moment, and the text that a scraper gets of them
 */
#ifndef AGENT_REPORT_METRICS_PAGE_H
#define AGENT_REPORT_METRICS_PAGE_H

#include "agent/conf.h"
#include "agent/report/metrics_row.h"

/* Why a domain has no series of its own. */
typedef enum {
    OMITTED_LIMIT,  /* more domains than [metrics] domain_limit */
    OMITTED_OFF,    /* [metrics] domains is false */
    OMITTED_ACCESS, /* [access] domain_figures says that they are not for this reader */
    OMITTED_COUNT,
} Omitted;

/* The figures of one domain; immutable, counted. */
typedef struct MetricsDomain MetricsDomain;

/*
 * One moment, ready to be written out. Never changed once it is made, so any thread may read it.
 * Parts that did not change are shared by the pages that follow each other.
 */
typedef struct {
    GPtrArray *agent;   /* owned; samples of metrics_agent_rows() */
    GPtrArray *ledger;  /* owned; samples of metrics_ledger_rows(); NULL: none read yet */
    GPtrArray *domains; /* owned; of MetricsDomain */
    guint known;        /* domains that the agent knows */
    guint over_limit;   /* of those, beyond the limit */
    bool domains_off;   /* by configuration */
    Who domain_figures; /* who may read the domains' part */
    char *group;        /* owned; [rpc] group */
} MetricsPage;

/* What the server itself counts. */
typedef struct {
    uint64_t scrapes;   /* answered with metrics */
    uint64_t refused;   /* answered with an error */
    uint64_t cut;       /* connections cut because they were slow */
    uint64_t render_us; /* time that writing the last answer took; 0: none so far */
} MetricsCounts;

/** metrics_samples_of() - values of a table of host metrics; the caller owns the array */
GPtrArray *metrics_samples_of(const HostMetric *rows, size_t n, const MetricsView *view);

/**
 * metrics_domains_of() - values of the ledger's domains
 * @limit:          how many at most; those that were seen first are taken
 * @ret_over_limit: how many were left out
 *
 * Return: array of MetricsDomain, owned by the caller.
 */
GPtrArray *metrics_domains_of(const MetricsView *view, uint64_t limit, guint *ret_over_limit);

/** metrics_domains_still() - those that still run, in a new array owned by the caller */
GPtrArray *metrics_domains_still(const GPtrArray *domains, const DomainTable *table);

/** metrics_page_new() - an empty page, for metrics_page_unref() */
MetricsPage *metrics_page_new(void);

/** metrics_page_ref() - one more owner, in any thread */
MetricsPage *metrics_page_ref(MetricsPage *page);

/** metrics_page_unref() - one less; in any thread; NULL is fine */
void metrics_page_unref(MetricsPage *page);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MetricsPage, metrics_page_unref)

/**
 * metrics_page_text() - the text for a scraper
 * @page:         from any thread
 * @with_domains: the reader may see figures of single domains
 * @counts:       of the server
 *
 * Return: in the text format of Prometheus; owned by the caller.
 */
GString *metrics_page_text(const MetricsPage *page, bool with_domains, const MetricsCounts *counts);

#endif
