/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_http_absent.c - the server of a build without libmicrohttpd: there is none
 *
 * metrics.c does not begin to listen then. Who tries all the same is told why not; there is no
 * server that the other functions could be given.
 */
#include "agent/error.h"
#include "agent/report/metrics_http.h"

MetricsHttp *
metrics_http_new(int listen_fd, GError **error)
{
    (void)listen_fd;
    g_set_error_literal(error, AGENT_ERROR, AGENT_ERROR_RUNTIME,
                        "this virtksmd was built without libmicrohttpd");
    return NULL;
}

void
metrics_http_free(MetricsHttp *http)
{
    g_assert(!http);
}

void
metrics_http_publish(MetricsHttp *http, MetricsPage *page)
{
    (void)http;
    metrics_page_unref(page);
}

MetricsCounts
metrics_http_counts(MetricsHttp *http)
{
    (void)http;
    return (MetricsCounts){ 0 };
}
