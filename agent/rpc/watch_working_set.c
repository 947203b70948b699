/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch_working_set.c - WatchWorkingSet: a report when it matters
 *
 * For each domain a follower has a mark: what it was told last, and when. A new report goes out if
 * the working set is further from the mark than the configured share of it, or if the host has come
 * under pressure since; but never sooner after the mark than the configured time. What is held back
 * by that is not queued: pressure is remembered, a move is seen again, and with each decision it is
 * looked whether the time has come. In the same way nothing is queued for a reader that is too
 * slow: the mark stays where it was, and the next message says how many reports had no room before
 * a newer one took their place.
 *
 * Source: the notifications of the kernel's working set reporting proposal, which are limited by
 * the same two times (refresh interval, report threshold)
 */
#include "agent/rpc/share.h"
#include "agent/rpc/working_set.h"

#include "agent/measure.h"

/* Sent and not taken by the socket: beyond this a report has no room. */
#define SENT_BYTES_MAX ((size_t)64 * 1024)
/* Marks of domains that are gone are not looked for as long as there are so few. */
#define SPARE_MARKS 64

/* What a follower knows of a domain. */
typedef struct {
    uint64_t key;     /* of its start */
    uint64_t sent_us; /* CLOCK_MONOTONIC; 0: nothing yet */
    uint64_t bytes;   /* working set that was sent */
    bool is_pressed;  /* the host has come under pressure since */
    bool is_waiting;  /* the domain's last report had no room */
} Mark;

/* One call. */
typedef struct {
    GrpcCall *call;    /* borrowed */
    MeasureTap tap;    /* registered */
    GHashTable *marks; /* owned; of Mark, by key */
    uint64_t only;     /* key of the one that is followed; 0: all */
    uint64_t lost;     /* reports that were never sent, since the last message */
} Follow;

/* Marks of domains that are gone, once there are many. */
static void
forget_gone(Follow *follow)
{
    const DomainTable *table = &method_agent(follow->call)->domains;
    g_autoptr(GHashTable) keys = g_hash_table_new(g_int64_hash, g_int64_equal);
    GHashTableIter iter;
    gpointer value;

    if (g_hash_table_size(follow->marks) <= 2 * domain_table_size(table) + SPARE_MARKS)
        return;
    g_hash_table_iter_init(&iter, table->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        g_hash_table_add(keys, &((Domain *)value)->key);
    g_hash_table_iter_init(&iter, follow->marks);
    while (g_hash_table_iter_next(&iter, &value, NULL))
        if (!g_hash_table_contains(keys, value))
            g_hash_table_iter_remove(&iter);
}

static Mark *
mark_of(Follow *follow, uint64_t key)
{
    Mark *mark = g_hash_table_lookup(follow->marks, &key);

    if (!mark) {
        forget_gone(follow);
        mark = g_new0(Mark, 1);
        mark->key = key;
        g_hash_table_add(follow->marks, mark);
    }
    return mark;
}

static bool
has_moved(const Mark *mark, uint64_t bytes, uint64_t change_bp)
{
    uint64_t moved = MAX(mark->bytes, bytes) - MIN(mark->bytes, bytes);

    return moved > mul_div(mark->bytes, change_bp, BP_ONE);
}

/* NULL: it is not worth a message now. */
static const char *
cause_of(const Conf *conf, const Mark *mark, uint64_t bytes, uint64_t now_us)
{
    if (mark->sent_us == 0)
        return "first";
    if (now_us - mark->sent_us < conf->working_quiet_s * G_USEC_PER_SEC)
        return NULL;
    if (mark->is_pressed)
        return "pressure";
    return has_moved(mark, bytes, conf->working_move_bp) ? "moved" : NULL;
}

static bool
send_report(Follow *follow, const Domain *domain, const char *cause)
{
    Virtksm__V1__WatchWorkingSetResponse message = VIRTKSM__V1__WATCH_WORKING_SET_RESPONSE__INIT;
    const Agent *agent = method_agent(follow->call);
    bool sent;

    if (grpc_call_queued_bytes(follow->call) > SENT_BYTES_MAX)
        return false;
    MESSAGE_SET(&message, time_us, (uint64_t)g_get_real_time());
    MESSAGE_SET(&message, lost, follow->lost);
    /* protobuf-c wants writable text and only reads it. */
    message.cause = (char *)(gsize)cause;
    message.memory_level = (char *)(gsize)memory_level_name(agent->measure.level);
    message.working_set = working_set_message(domain, true);
    sent = grpc_call_send(follow->call, &message.base);
    virtksm__v1__working_set__free_unpacked(message.working_set, NULL);
    return sent;
}

static void
take_report(const Domain *domain, MeasureNews news, gpointer user)
{
    Follow *follow = user;
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    const WorkingSetReport *report = domain->working_set;
    const char *cause;
    Mark *mark;

    if ((follow->only != 0 && follow->only != domain->key) || !is_known(report->working_set_bytes))
        return;
    mark = mark_of(follow, domain->key);
    mark->is_pressed |= news == MEASURE_PRESSURE;
    if (news == MEASURE_REPORT && mark->is_waiting) {
        follow->lost++;
        mark->is_waiting = false;
    }
    cause = cause_of(method_agent(follow->call)->conf, mark, report->working_set_bytes, now_us);
    if (!cause)
        return;
    mark->is_waiting = !send_report(follow, domain, cause);
    if (mark->is_waiting)
        return;
    *mark = (Mark){ .key = domain->key, .sent_us = now_us, .bytes = report->working_set_bytes };
    follow->lost = 0;
}

/* What is known by now is the first that is sent. */
static void
tell_all(Follow *follow, const DomainTable *table)
{
    g_autoptr(GPtrArray) domains = domain_table_sorted(table);

    for (guint i = 0; i < domains->len; i++) {
        const Domain *domain = g_ptr_array_index(domains, i);

        if (domain->working_set)
            take_report(domain, MEASURE_REPORT, follow);
    }
}

static void
watch_working_set_message(GrpcCall *call, const ProtobufCMessage *data)
{
    const Virtksm__V1__WatchWorkingSetRequest *request =
        (const Virtksm__V1__WatchWorkingSetRequest *)data;
    Agent *agent = method_agent(call);
    const Domain *only;
    Follow *follow;

    if (!method_find_domain(call, request->domain, &only))
        return;
    if (!agent->measure.rotation) {
        grpc_call_fail(call, GRPC_STATUS_FAILED_PRECONDITION,
                       "working sets are not measured: see [working_set] enable");
        return;
    }
    if (!share_take(call, SHARE_WORKING_SETS))
        return;
    follow = g_new0(Follow, 1);
    follow->call = call;
    follow->tap = (MeasureTap){ take_report, follow };
    follow->marks = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    follow->only = only ? only->key : 0;
    measure_add_tap(agent, &follow->tap);
    grpc_call_set_data(call, follow, NULL);
    grpc_call_accept(call);
    tell_all(follow, &agent->domains);
}

static void
watch_working_set_closed(GrpcCall *call, GrpcClose why)
{
    Follow *follow = grpc_call_data(call);

    (void)why;
    if (!follow)
        return;
    share_give(call, SHARE_WORKING_SETS);
    measure_remove_tap(method_agent(call), &follow->tap);
    g_hash_table_unref(follow->marks);
    g_free(follow);
}

const GrpcHandler watch_working_set_handler = {
    .message = watch_working_set_message,
    .closed = watch_working_set_closed,
};
