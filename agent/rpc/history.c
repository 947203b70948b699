/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history.c - History: the question, and the database's answer as a message */
#include "agent/error.h"
#include "agent/recorder.h"
#include "agent/rpc/method.h"
#include "agent/rpc/share.h"

#define DAY_S 86400
/* Times that fit the four digits of a year. */
#define TIME_MIN_S INT64_C(0)
#define TIME_MAX_S INT64_C(253402300799)

/* A time up to now has the second under way, too, and a client's "2h" is older when it arrives. */
#define SPAN_SLACK_S 60

/* Longest time for which a kind of interval is chosen, if none is asked for. */
static const int64_t spans_s[] = {
    [HISTORY_MINUTE] = 7200,
    [HISTORY_HOUR] = 259200,
    [HISTORY_DAY] = INT64_MAX,
};
G_STATIC_ASSERT(G_N_ELEMENTS(spans_s) == HISTORY_STEP_COUNT);

/* A call that waits for the database. */
typedef struct {
    GrpcCall *call;     /* a reference */
    HistoryQuery query; /* without its domain */
    bool is_host;       /* no domain was asked for */
    bool is_running;    /* the domain that was asked for runs */
} Pending;

static void
pending_free(gpointer data)
{
    Pending *pending = data;

    share_give(pending->call, SHARE_HISTORY);
    grpc_call_unref(pending->call);
    g_free(pending);
}

static bool
is_kept(const HistoryLimits *limits, HistoryStep step, const HistoryQuery *query, int64_t now_s)
{
    return step == HISTORY_DAY || now_s - query->since_s <= limits->keep_s[step];
}

static bool
is_whole(HistoryStep step, const HistoryQuery *query)
{
    int64_t length_s = history_step_s(step);

    return query->since_s % length_s == 0 && query->until_s % length_s == 0;
}

/* The finest kind of interval that there is still of that time, and not too many of; a finer one
 * where only that begins and ends with it, so that what follows does not count the same again. */
static HistoryStep
choose_step(const Agent *agent, const HistoryQuery *query, bool has_end, int64_t now_s)
{
    HistoryLimits limits = recorder_limits(agent);
    int64_t span_s = query->until_s - query->since_s - SPAN_SLACK_S;
    HistoryStep chosen = HISTORY_MINUTE;

    while (span_s > spans_s[chosen] || !is_kept(&limits, chosen, query, now_s))
        chosen++;
    for (unsigned step = chosen + 1; has_end && step-- > 0;)
        if (is_whole(step, query) && is_kept(&limits, step, query, now_s))
            return step;
    return chosen;
}

static bool
find_step(const char *word, HistoryStep *ret_step)
{
    for (HistoryStep step = 0; step < HISTORY_STEP_COUNT; step++) {
        if (g_str_equal(history_step_name(step), word)) {
            *ret_step = step;
            return true;
        }
    }
    return false;
}

/* What is wrong with a request; NULL: nothing, and @ret_query is filled. */
static const char *
read_request(const Agent *agent, const Virtksm__V1__HistoryRequest *request,
             HistoryQuery *ret_query)
{
    int64_t now_s = g_get_real_time() / 1000000;
    int64_t until_s = request->has_until_s ? request->until_s : now_s + 1;
    int64_t since_s = request->has_since_s ? request->since_s : until_s - DAY_S;
    HistoryQuery query = { .since_s = since_s, .until_s = MIN(until_s, now_s + DAY_S) };

    if (until_s < TIME_MIN_S || until_s > TIME_MAX_S || since_s < TIME_MIN_S ||
        since_s > TIME_MAX_S)
        return "since_s, until_s: expected seconds from 1970 to 9999";
    if (since_s >= until_s)
        return "the time asked for has no length: since is not before until";
    query.step = choose_step(agent, &query, request->has_until_s, now_s);
    if (request->interval && *request->interval && !find_step(request->interval, &query.step))
        return "interval: expected minute, hour or day";
    if (request->domain && *request->domain)
        query.domain = request->domain;
    *ret_query = query;
    return NULL;
}

static char *
iso_time(int64_t time_s)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(time_s);

    return time ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ") : NULL;
}

/* A figure goes into the field that is called like its column says. */
static void
set_figures(ProtobufCMessage *message, const HistorySums *sums)
{
    size_t n;
    const HistoryColumn *columns = history_columns(&n);

    for (size_t i = 0; i < n; i++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(message->descriptor, columns[i].field);
        char *base = (char *)message;

        if (!field || !history_is_known(sums, i))
            continue;
        *(protobuf_c_boolean *)(gpointer)(base + field->quantifier_offset) = TRUE;
        *(double *)(gpointer)(base + field->offset) = history_figure(&columns[i], sums->values[i]);
    }
}

static Virtksm__V1__HistoryRow *
describe_sums(const HistorySums *sums)
{
    Virtksm__V1__HistoryRow *message = g_new(Virtksm__V1__HistoryRow, 1);

    virtksm__v1__history_row__init(message);
    set_figures(&message->base, sums);
    return message;
}

static Virtksm__V1__HistoryRow **
describe_records(const GPtrArray *records, bool has_start)
{
    Virtksm__V1__HistoryRow **rows = g_new(Virtksm__V1__HistoryRow *, records->len);

    for (guint i = 0; i < records->len; i++) {
        const HistoryRecord *record = g_ptr_array_index(records, i);

        rows[i] = describe_sums(&record->sums);
        if (has_start)
            rows[i]->start = iso_time(record->start_s);
        if (!g_str_equal(record->uuid, HISTORY_HOST_UUID)) {
            rows[i]->name = g_strdup(record->name);
            rows[i]->uuid = g_strdup(record->uuid);
        }
    }
    return rows;
}

/* Of what is asked for up to now, and of an interval that is under way, no more has passed. */
static int64_t
end_of(const HistoryQuery *query, const HistoryAnswer *answer)
{
    return MIN(answer->until_s, MAX(query->until_s, g_get_real_time() / 1000000));
}

static void
reply(const Pending *pending, const HistoryAnswer *answer)
{
    const HistoryQuery *query = &pending->query;
    Virtksm__V1__HistoryResponse *message = g_new(Virtksm__V1__HistoryResponse, 1);

    virtksm__v1__history_response__init(message);
    message->interval = g_strdup(history_step_name(query->step));
    message->since = iso_time(answer ? answer->since_s : query->since_s);
    message->until = iso_time(answer ? end_of(query, answer) : query->until_s);
    MESSAGE_SET(message, cut, answer && answer->is_cut);
    if (answer) {
        message->rows = describe_records(answer->rows, true);
        message->n_rows = answer->rows->len;
        message->totals = describe_records(answer->totals, false);
        message->n_totals = answer->totals->len;
    }
    if (answer && pending->is_host)
        message->host = describe_sums(&answer->host);
    method_reply(pending->call, &message->base);
}

/* A domain that runs, but has no minute yet, is no error: its history is empty so far. */
static void
answered(HistoryAnswer *given, const GError *error, gpointer user)
{
    g_autoptr(HistoryAnswer) answer = given;
    Pending *pending = user;
    bool is_unknown = g_error_matches(error, AGENT_ERROR, AGENT_ERROR_NOT_FOUND);

    if (answer || (is_unknown && pending->is_running))
        reply(pending, answer);
    else
        grpc_call_fail(pending->call,
                       is_unknown ? GRPC_STATUS_NOT_FOUND : GRPC_STATUS_FAILED_PRECONDITION,
                       error->message);
    pending_free(pending);
}

static void
history_message(GrpcCall *call, const ProtobufCMessage *data)
{
    const Virtksm__V1__HistoryRequest *request = (const Virtksm__V1__HistoryRequest *)data;
    Agent *agent = method_agent(call);
    const char *fault;
    Pending *pending;
    HistoryQuery query;

    if (!agent->recorder) {
        g_autofree char *why = g_strdup_printf("no history is kept: %s", recorder_absence());

        grpc_call_fail(call, GRPC_STATUS_FAILED_PRECONDITION, why);
        return;
    }
    fault = read_request(agent, request, &query);
    if (fault) {
        grpc_call_fail(call, GRPC_STATUS_INVALID_ARGUMENT, fault);
        return;
    }
    if (!share_take(call, SHARE_HISTORY))
        return;
    pending = g_new0(Pending, 1);
    pending->call = grpc_call_ref(call);
    pending->query = query;
    pending->is_running = query.domain && domain_table_find(&agent->domains, query.domain);
    pending->query.domain = NULL; /* the text is the request's, which ends here */
    pending->is_host = query.domain == NULL;
    recorder_query(agent->recorder, &query, answered, pending, pending_free);
}

const GrpcHandler history_handler = { .message = history_message };
