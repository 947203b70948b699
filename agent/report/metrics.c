/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics.c - when values are taken for the page that scrapers get
 *
 * A scrape touches nothing: it is answered from the page that is there. A page is made
 *
 *   a moment after a tick, so that a row of ticks in quick succession makes one page;
 *   at once when a domain comes or goes, so that a series does not outlive its domain.
 *
 * The agent's own figures are in memory and taken for every page. The ledger reads files of every
 * process, so it is read for a tick that is due for it, and its figures stay on the page until the
 * next (their time is on it as well). It is due when COST_SHARE times as long has passed as the
 * last reading took of a CPU: what reading costs is bounded, however many domains there are. While
 * nobody scrapes it is read seldom, and where nobody listens, not at all.
 */
#include "agent/report/metrics.h"
#include "agent/agent.h"
#include "agent/config.h"
#include "agent/facts/process.h"
#include "agent/log_event.h"
#include "agent/report/ledger_grain.h"
#include "agent/report/metrics_address.h"
#include "agent/report/metrics_http.h"

#include <unistd.h>

/* From a tick to the page of it. */
#define GATHER_MS 100
/* From one reading of the ledger to the next: this long at least, and this many times its cost. */
#define LEDGER_GAP_US UINT64_C(900000)
#define COST_SHARE    UINT64_C(200)
/* The same while no scrape has seen the last one. */
#define UNSEEN_GAP_US UINT64_C(5000000)
/* Between attempts to listen where something was in the way. */
#define RETRY_S 5

struct Metrics {
    Agent *agent;         /* borrowed */
    MetricsHttp *http;    /* owned; NULL: nobody listens */
    char *listen;         /* owned; [metrics] listen as it was at the start */
    char *failure;        /* owned; why nobody listens; NULL: not so */
    guint retry;          /* GSource of the next attempt to listen; 0: none */
    guint soon;           /* GSource of the next page; 0: none */
    uint64_t ledger_us;   /* CLOCK_MONOTONIC of the next reading of the ledger */
    uint64_t unseen_us;   /* the same while no scrape has seen the last */
    uint64_t scrapes;     /* that there had been at the last reading */
    GPtrArray *ledger;    /* owned; samples of the last reading; NULL: none so far */
    GPtrArray *domains;   /* owned; MetricsDomain of the last reading that still run */
    guint over_limit;     /* domains beyond the limit at the last reading */
    bool told_over_limit; /* that there are such has been logged */
};

static MetricsView
view_now(const Metrics *metrics, const Ledger *ledger)
{
    return (MetricsView){ metrics->agent, ledger, (uint64_t)g_get_monotonic_time(),
                          g_get_real_time() };
}

static void
tell_over_limit(Metrics *metrics)
{
    if (metrics->over_limit > 0 && !metrics->told_over_limit)
        log_warning("metrics: %u domains have no figures of their own: there are more than "
                    "[metrics] domain_limit",
                    metrics->over_limit);
    metrics->told_over_limit = metrics->over_limit > 0;
}

static void
read_ledger(Metrics *metrics)
{
    Agent *agent = metrics->agent;
    uint64_t begun_us = process_thread_cpu_us();
    uint64_t limit = agent->conf->metrics_domains ? agent->conf->metrics_limit : 0;
    g_auto(Ledger) ledger = { 0 };
    const HostMetric *rows;
    MetricsView view;
    size_t n;

    ledger_read(&agent->host_facts, &agent->domains, &ledger);
    ledger_coarsen(&ledger, agent->conf->grain_kib * 1024);
    view = view_now(metrics, &ledger);
    rows = metrics_ledger_rows(&n);
    g_clear_pointer(&metrics->ledger, g_ptr_array_unref);
    g_clear_pointer(&metrics->domains, g_ptr_array_unref);
    metrics->ledger = metrics_samples_of(rows, n, &view);
    metrics->domains = metrics_domains_of(&view, limit, &metrics->over_limit);
    if (agent->conf->metrics_domains)
        tell_over_limit(metrics);
    metrics->ledger_us =
        view.now_us + max_u64(LEDGER_GAP_US, (process_thread_cpu_us() - begun_us) * COST_SHARE);
    metrics->unseen_us = max_u64(metrics->ledger_us, view.now_us + UNSEEN_GAP_US);
    metrics->scrapes = metrics_http_counts(metrics->http).scrapes;
}

static void
publish(Metrics *metrics)
{
    const Agent *agent = metrics->agent;
    MetricsView view = view_now(metrics, NULL);
    MetricsPage *page = metrics_page_new();
    size_t n;
    const HostMetric *rows = metrics_agent_rows(&n);

    page->agent = metrics_samples_of(rows, n, &view);
    page->ledger = metrics->ledger ? g_ptr_array_ref(metrics->ledger) : NULL;
    page->domains = g_ptr_array_ref(metrics->domains);
    page->known = domain_table_size(&agent->domains);
    page->over_limit = metrics->over_limit;
    page->domains_off = !agent->conf->metrics_domains;
    page->domain_figures = (Who)agent->conf->domain_figures;
    page->group = g_strdup(agent->conf->rpc_group);
    metrics_http_publish(metrics->http, page); /* the server owns it from here */
}

static bool
is_ledger_due(const Metrics *metrics)
{
    bool is_seen = metrics_http_counts(metrics->http).scrapes != metrics->scrapes;

    return (uint64_t)g_get_monotonic_time() >= (is_seen ? metrics->ledger_us : metrics->unseen_us);
}

static gboolean
make_page(gpointer data)
{
    Metrics *metrics = data;

    metrics->soon = 0;
    if (is_ledger_due(metrics))
        read_ledger(metrics);
    publish(metrics);
    return G_SOURCE_REMOVE;
}

void
metrics_ticked(Metrics *metrics)
{
    if (metrics && metrics->http && metrics->soon == 0)
        metrics->soon = g_timeout_add(GATHER_MS, make_page, metrics);
}

/* A watcher of events: what has ended is not given any more, from this turn of the loop on. */
static void
note_event(const SeenEvent *seen, gpointer user)
{
    Metrics *metrics = user;
    GPtrArray *still;

    if (!metrics->http ||
        (seen->event.kind != EVENT_DESTROYED && seen->event.kind != EVENT_CREATED))
        return;
    still = metrics_domains_still(metrics->domains, &metrics->agent->domains);
    g_ptr_array_unref(metrics->domains);
    metrics->domains = still;
    publish(metrics);
}

static gboolean try_to_listen(gpointer data);

static void
wait_to_listen(Metrics *metrics, const GError *error)
{
    if (g_strcmp0(metrics->failure, error->message) != 0)
        log_event(LOG_EVENT_METRICS_DOWN, "metrics: %s; the agent runs on without, and tries again",
                  error->message);
    g_free(metrics->failure);
    metrics->failure = g_strdup(error->message);
    if (metrics->retry == 0)
        metrics->retry = g_timeout_add_seconds(RETRY_S, try_to_listen, metrics);
}

static gboolean
try_to_listen(gpointer data)
{
    Metrics *metrics = data;
    g_autoptr(GError) error = NULL;
    int fd = -1;

    if (metrics_address_listen(metrics->listen, &fd, &error))
        metrics->http = metrics_http_new(fd, &error);
    if (!metrics->http) {
        if (fd >= 0)
            close(fd);
        wait_to_listen(metrics, error);
        return G_SOURCE_CONTINUE;
    }
    log_info("metrics are at http://%s/metrics", metrics->listen);
    metrics->retry = 0;
    g_clear_pointer(&metrics->failure, g_free);
    if (metrics->agent->tick.count > 0)
        metrics_ticked(metrics);
    return G_SOURCE_REMOVE;
}

Metrics *
metrics_new(Agent *agent)
{
    Metrics *metrics = g_new0(Metrics, 1);

    metrics->agent = agent;
    metrics->listen = g_strdup(agent->conf->metrics_listen);
    metrics->domains = g_ptr_array_new();
    if (!HAVE_MICROHTTPD)
        metrics->failure = g_strdup("this virtksmd was built without libmicrohttpd");
    else if (!metrics_address_is_off(metrics->listen))
        try_to_listen(metrics);
    event_watch(&agent->events, note_event, metrics);
    return metrics;
}

void
metrics_free(Metrics *metrics)
{
    if (!metrics)
        return;
    event_unwatch(&metrics->agent->events, metrics);
    g_clear_handle_id(&metrics->soon, g_source_remove);
    g_clear_handle_id(&metrics->retry, g_source_remove);
    metrics_http_free(metrics->http);
    g_clear_pointer(&metrics->ledger, g_ptr_array_unref);
    g_ptr_array_unref(metrics->domains);
    g_free(metrics->failure);
    g_free(metrics->listen);
    g_free(metrics);
}

const char *
metrics_state(const Metrics *metrics, const char **ret_detail, uint64_t *ret_scrapes)
{
    *ret_scrapes = 0;
    *ret_detail = NULL;
    if (!metrics || metrics_address_is_off(metrics->listen))
        return "closed";
    *ret_detail = metrics->http ? metrics->listen : metrics->failure;
    if (metrics->http)
        *ret_scrapes = metrics_http_counts(metrics->http).scrapes;
    if (!HAVE_MICROHTTPD)
        return "closed";
    return metrics->http ? "open" : "waiting";
}
