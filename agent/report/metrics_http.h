/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics_http.h - the server of the metrics */
#ifndef AGENT_REPORT_METRICS_HTTP_H
#define AGENT_REPORT_METRICS_HTTP_H

#include "agent/report/metrics_page.h"

typedef struct MetricsHttp MetricsHttp;

/**
 * metrics_http_new() - serve /metrics
 * @listen_fd: listening socket; owned by the server on success
 * @error:     AGENT_ERROR_RUNTIME
 *
 * Return: the server, which answers 503 until there is a page; NULL on failure.
 */
MetricsHttp *metrics_http_new(int listen_fd, GError **error);

/** metrics_http_free() - cuts every connection; waits for the thread; NULL is fine */
void metrics_http_free(MetricsHttp *http);

/** metrics_http_publish() - from now on @page is given; it becomes the server's */
void metrics_http_publish(MetricsHttp *http, MetricsPage *page);

/** metrics_http_counts() - what it has counted so far */
MetricsCounts metrics_http_counts(MetricsHttp *http);

#endif
