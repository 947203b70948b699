/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_http.c - a thread that gives out the last page, and waits for nobody
 *
 * The server has a thread of its own, in the library, and reads one immutable page; the main loop
 * puts the next one in its place. The library could also be driven from the main loop, without a
 * thread. But then every scrape would hold up the events that move KSM for as long as its text
 * takes to write (milliseconds with a thousand domains), and while the loop is busy or stuck there
 * would be no answer at all: with a thread there is one, and its heartbeat says since when. What
 * the thread and the loop share is one pointer and a few numbers under a lock that nobody holds
 * while working.
 *
 * Slow and hanging clients: the library answers all connections in turn and never waits for one;
 * it drops one that is silent for a few seconds. A client that sends or takes a byte now and then
 * is never silent, so connections are also limited in number: each carries one request, and a new
 * one cuts those that are too old, and the oldest when there are too many. Whoever comes is served,
 * and no client, however many connections it opens, keeps memory for long.
 *
 * Source: libmicrohttpd manual, "Microhttpd-const", "-event"; microhttpd.h of 0.9.75
 */
#define _GNU_SOURCE
#include "agent/report/metrics_http.h"
#include "agent/error.h"
#include "agent/report/metrics_access.h"

#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections at a time; one more cuts the oldest. */
#define PEERS_MAX 32
/* Room for those that were cut and are still being closed. */
#define CONNECTIONS_MAX (2 * PEERS_MAX)
/* Silence that ends a connection, and age after which another one may end it. */
#define SILENCE_S  5u
#define AGE_MAX_US (10 * G_USEC_PER_SEC)
/* A request of ours is short. */
#define REQUEST_BYTES ((size_t)8192)
#define CONTENT_TYPE  "text/plain; version=0.0.4; charset=utf-8"
#define PATH          "/metrics"

/* One connection, as long as it is open. */
typedef struct {
    int fd;          /* borrowed */
    gint64 since_us; /* monotonic */
    bool cut;        /* shut down by us, being closed */
} Peer;

struct MetricsHttp {
    struct MHD_Daemon *daemon;   /* owned */
    Peer peers[CONNECTIONS_MAX]; /* of the thread alone; oldest first */
    size_t n_peers;              /* in use */
    GMutex lock;                 /* of what follows */
    MetricsPage *page;           /* owned; NULL: none yet */
    MetricsCounts counts;
};

static int
socket_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info ? info->connect_fd : -1;
}

static void
count_one(MetricsHttp *http, uint64_t *number)
{
    g_mutex_lock(&http->lock);
    (*number)++;
    g_mutex_unlock(&http->lock);
}

/* Makes room for a connection that begins now. */
static void
cut_slow(MetricsHttp *http, gint64 now_us)
{
    size_t open = 0;

    for (size_t i = 0; i < http->n_peers; i++)
        open += !http->peers[i].cut;
    for (size_t i = 0; i < http->n_peers; i++) {
        Peer *peer = &http->peers[i];

        if (peer->cut || (open < PEERS_MAX && now_us - peer->since_us < AGE_MAX_US))
            continue;
        /* The library notices, and closes it. */
        shutdown(peer->fd, SHUT_RDWR);
        peer->cut = true;
        open--;
        count_one(http, &http->counts.cut);
    }
}

static void
forget_peer(MetricsHttp *http, int fd)
{
    for (size_t i = 0; i < http->n_peers; i++) {
        if (http->peers[i].fd != fd)
            continue;
        http->n_peers--;
        memmove(&http->peers[i], &http->peers[i + 1], (http->n_peers - i) * sizeof(http->peers[0]));
        return;
    }
}

static void
note_connection(void *user, struct MHD_Connection *connection, void **context,
                enum MHD_ConnectionNotificationCode what)
{
    MetricsHttp *http = user;
    gint64 now_us = g_get_monotonic_time();
    int fd = socket_of(connection);

    (void)context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        forget_peer(http, fd);
        return;
    }
    cut_slow(http, now_us);
    if (http->n_peers < CONNECTIONS_MAX)
        http->peers[http->n_peers++] = (Peer){ fd, now_us, false };
}

/* Gives up @response in any case. */
static enum MHD_Result
queue(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response)
{
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result
refuse(MetricsHttp *http, struct MHD_Connection *connection, unsigned status, const char *text)
{
    g_autofree char *copy = g_strdup(text);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(copy), copy, MHD_RESPMEM_MUST_COPY);

    count_one(http, &http->counts.refused);
    if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    return queue(connection, status, response);
}

static enum MHD_Result
give_page(MetricsHttp *http, struct MHD_Connection *connection, const MetricsPage *page)
{
    gint64 begun_us = g_get_monotonic_time();
    bool may_see = metrics_access_check(socket_of(connection), page->domain_figures, page->group);
    MetricsCounts counts = metrics_http_counts(http);
    GString *text = metrics_page_text(page, may_see, &counts);
    size_t length = text->len;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        length, g_string_free(text, FALSE), MHD_RESPMEM_MUST_FREE); /* GLib's memory is malloc's */

    g_mutex_lock(&http->lock);
    http->counts.scrapes++;
    http->counts.render_us = (uint64_t)(g_get_monotonic_time() - begun_us);
    g_mutex_unlock(&http->lock);
    if (response)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, CONTENT_TYPE);
    return queue(connection, MHD_HTTP_OK, response);
}

static enum MHD_Result
answer_request(void *user, struct MHD_Connection *connection, const char *url, const char *method,
               const char *version, const char *upload, size_t *upload_size, void **request)
{
    MetricsHttp *http = user;
    g_autoptr(MetricsPage) page = NULL;
    bool is_get = g_str_equal(method, "GET") || g_str_equal(method, "HEAD");

    (void)version;
    (void)upload;
    if (!*request) {
        *request = http; /* the head is here; the answer follows what else was sent */
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0; /* taken, and of no interest */
        return MHD_YES;
    }
    if (!g_str_equal(url, PATH))
        return refuse(http, connection, MHD_HTTP_NOT_FOUND, "The metrics are at " PATH ".\n");
    if (!is_get)
        return refuse(http, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET is of use here.\n");
    g_mutex_lock(&http->lock);
    page = http->page ? metrics_page_ref(http->page) : NULL;
    g_mutex_unlock(&http->lock);
    if (!page)
        return refuse(http, connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                      "No decision has been taken yet.\n");
    return give_page(http, connection, page);
}

MetricsHttp *
metrics_http_new(int listen_fd, GError **error)
{
    MetricsHttp *http = g_new0(MetricsHttp, 1);

    g_mutex_init(&http->lock);
    http->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0, NULL, NULL, answer_request, http,
        MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, REQUEST_BYTES,
        MHD_OPTION_NOTIFY_CONNECTION, note_connection, http, MHD_OPTION_END);
    if (http->daemon)
        return http;
    g_set_error_literal(error, AGENT_ERROR, AGENT_ERROR_RUNTIME,
                        "cannot start the server of the metrics");
    metrics_http_free(http);
    return NULL;
}

void
metrics_http_free(MetricsHttp *http)
{
    if (!http)
        return;
    if (http->daemon)
        MHD_stop_daemon(http->daemon); /* closes the socket */
    metrics_page_unref(http->page);
    g_mutex_clear(&http->lock);
    g_free(http);
}

void
metrics_http_publish(MetricsHttp *http, MetricsPage *page)
{
    MetricsPage *before;

    g_mutex_lock(&http->lock);
    before = http->page;
    http->page = page;
    g_mutex_unlock(&http->lock);
    metrics_page_unref(before);
}

MetricsCounts
metrics_http_counts(MetricsHttp *http)
{
    MetricsCounts counts;

    g_mutex_lock(&http->lock);
    counts = http->counts;
    g_mutex_unlock(&http->lock);
    return counts;
}
