/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history_meter.c - how moments of the ledger add up to minutes
 *
 * Each domain has a gauge with its figures of the last moment. The next moment adds the mean of
 * both, times the time between them, to the minute: exact for a figure that changes evenly. The
 * rest of the division into KiB-seconds is carried on, so that nothing is lost however long it
 * goes. A figure counts while it is known at both ends; one that never was stays unknown.
 *
 * Time is what the steady clock says has passed; the wall clock only says to which minute it
 * belongs. So when the wall clock is set, no time is lost, none counts twice and none is negative:
 * a minute that the clock shows twice holds both, and one that it skips stays empty. The time from
 * one moment to the next is divided at the turn of the minute, except across a step of the clock,
 * where nobody can say: there it belongs to the minute of the new moment.
 *
 * Nobody looked while moments are further apart than GAP_MAX_US (the agent was stopped, or the
 * host hung): that time is not counted for anybody. A domain that restarts is a new one to its
 * gauge: what its old process had does not reach into the new one's time. What one had last holds
 * until it ends, if its end is told.
 */
#include "agent/report/history_meter.h"
#include "policy/arith.h"

#include <string.h>

#define MINUTE_US INT64_C(60000000)
/* Longest time between two moments that counts; below a minute, so that it ends one at most. */
#define GAP_MAX_US UINT64_C(59000000)
/* The wall clock may be slewed by this much between two moments before it counts as set. */
#define SLEW_MAX_US INT64_C(2000000)
/* How long the wall clock must have kept pace to be trusted. */
#define TRUST_US UINT64_C(3600000000)
/* A thread cannot have run longer than the time that passed, but the readings are not at once. */
#define COUNTER_SLACK_US INT64_C(1000000)
/* Most time that a counter may make up for at once; readings are several samples old at times. */
#define COUNTER_ALLOWED_MAX_US INT64_C(60000000)
/* The sum of two amounts in bytes, times microseconds, in a KiB-second. */
#define TWO_BYTES_US_PER_KIB_S INT64_C(2048000000)

/* One domain, or the host. */
typedef struct {
    char *uuid;                         /* owned */
    char *name;                         /* owned; as last seen */
    uint64_t key;                       /* Domain.key of the start; 0: the host */
    bool has_last;                      /* last is filled */
    bool is_present;                    /* next is filled */
    bool has_left;                      /* it has ended since last; next is filled */
    uint64_t left_us;                   /* from last to its end, as far as it is not counted */
    HistorySums last;                   /* of the moment before */
    HistorySums next;                   /* of this moment */
    HistorySums sums;                   /* of the minute under way */
    int64_t carry[HISTORY_COLUMNS_MAX]; /* rests of the division, below TWO_BYTES_US_PER_KIB_S */
    int64_t allowed_us[HISTORY_COLUMNS_MAX]; /* time that a counter has not yet grown by */
} Gauge;

struct HistoryMeter {
    GHashTable *gauges;  /* owned; uuid -> Gauge (owned) */
    HistoryBatch *batch; /* owned; entries of gauges that have ended */
    HistoryClock last;   /* of the last moment */
    bool has_last;       /* there was one */
    uint64_t stepped_us; /* steady clock of the last step of the wall clock, or of the start */
    int64_t step_us;     /* by how much it was set before the last moment; 0: it was not */
};

void
history_record_free(gpointer data)
{
    HistoryRecord *record = data;

    g_free(record->uuid);
    g_free(record->name);
    g_free(record);
}

static HistoryBatch *
batch_new(int64_t start_s)
{
    HistoryBatch *batch = g_new0(HistoryBatch, 1);

    batch->start_s = start_s;
    batch->entries = g_ptr_array_new_with_free_func(history_record_free);
    return batch;
}

void
history_batch_free(HistoryBatch *batch)
{
    if (!batch)
        return;
    g_ptr_array_unref(batch->entries);
    g_free(batch);
}

static void
gauge_free(gpointer data)
{
    Gauge *gauge = data;

    g_free(gauge->uuid);
    g_free(gauge->name);
    g_free(gauge);
}

HistoryMeter *
history_meter_new(void)
{
    HistoryMeter *meter = g_new0(HistoryMeter, 1);

    meter->gauges = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, gauge_free);
    return meter;
}

void
history_meter_free(HistoryMeter *meter)
{
    if (!meter)
        return;
    g_hash_table_unref(meter->gauges);
    history_batch_free(meter->batch);
    g_free(meter);
}

/* What a gauge has of this minute becomes an entry of it. */
static void
gauge_close(HistoryMeter *meter, Gauge *gauge)
{
    HistoryRecord *entry;

    if (gauge->sums.known == 0)
        return;
    entry = g_new(HistoryRecord, 1);
    *entry = (HistoryRecord){ .uuid = g_strdup(gauge->uuid),
                              .name = g_strdup(gauge->name),
                              .sums = gauge->sums };
    g_ptr_array_add(meter->batch->entries, entry);
    gauge->sums = (HistorySums){ 0 };
}

static void
integrate(Gauge *gauge, size_t column, uint64_t time_us)
{
    int64_t both = gauge->last.values[column] + gauge->next.values[column];
    uint64_t rest;
    uint64_t whole = mul_div_rest(time_us, (uint64_t)(both < 0 ? -both : both),
                                  (uint64_t)TWO_BYTES_US_PER_KIB_S, &rest);
    int64_t sum = both < 0 ? -(int64_t)whole : (int64_t)whole;
    int64_t carry = gauge->carry[column] + (both < 0 ? -(int64_t)rest : (int64_t)rest);

    sum += carry / TWO_BYTES_US_PER_KIB_S;
    gauge->carry[column] = carry % TWO_BYTES_US_PER_KIB_S;
    history_add(&gauge->sums, column, sum);
}

/* Time passes for one gauge: everything but counters, which only their last reading moves. */
static void
gauge_advance(Gauge *gauge, uint64_t time_us)
{
    size_t n;
    const HistoryColumn *columns = history_columns(&n);
    bool is_measured = false;

    for (size_t i = 0; i < n; i++) {
        bool both = history_is_known(&gauge->last, i) && history_is_known(&gauge->next, i);

        if (columns[i].kind == HISTORY_TIME)
            history_add(&gauge->sums, i, (int64_t)time_us);
        else if (both && columns[i].kind != HISTORY_COUNTER)
            integrate(gauge, i, time_us);
        if (both && columns[i].kind == HISTORY_PAGES)
            is_measured = true;
    }
    for (size_t i = 0; i < n && is_measured; i++)
        if (columns[i].kind == HISTORY_MEASURED)
            history_add(&gauge->sums, i, (int64_t)time_us);
}

/* Time passes, until its end at most. */
static void
gauge_leave(Gauge *gauge, uint64_t time_us)
{
    uint64_t left_us = min_u64(gauge->left_us, time_us);

    if (left_us > 0)
        gauge_advance(gauge, left_us);
    gauge->left_us -= left_us;
}

static void
gauge_set(HistoryMeter *meter, const Domain *domain, const HistorySums *moment)
{
    const char *uuid = domain ? domain->uuid : HISTORY_HOST_UUID;
    const char *name = domain ? domain->name : "";
    uint64_t key = domain ? domain->key : 0;
    Gauge *gauge = g_hash_table_lookup(meter->gauges, uuid);

    if (!gauge) {
        gauge = g_new0(Gauge, 1);
        gauge->uuid = g_strdup(uuid);
        g_hash_table_insert(meter->gauges, gauge->uuid, gauge);
    }
    if (g_strcmp0(gauge->name, name) != 0) {
        g_free(gauge->name);
        gauge->name = g_strdup(name);
    }
    if (gauge->key != key) {
        gauge_leave(gauge, gauge->left_us); /* all in the minute under way */
        gauge->has_last = gauge->has_left = false;
        memset(gauge->allowed_us, 0, sizeof(gauge->allowed_us));
    }
    gauge->key = key;
    gauge->next = *moment;
    gauge->is_present = true;
}

static void
set_gauges(HistoryMeter *meter, const Ledger *ledger)
{
    HistorySums moment;

    history_moment(ledger, NULL, &moment);
    gauge_set(meter, NULL, &moment);
    for (guint i = 0; i < ledger->rows->len; i++) {
        const LedgerRow *row = &g_array_index(ledger->rows, LedgerRow, i);

        history_moment(ledger, row, &moment);
        gauge_set(meter, row->domain, &moment);
    }
}

static void
advance_all(HistoryMeter *meter, uint64_t time_us)
{
    GHashTableIter iter;
    gpointer value;

    if (time_us == 0)
        return;
    g_hash_table_iter_init(&iter, meter->gauges);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Gauge *gauge = value;

        if (gauge->has_last && gauge->is_present)
            gauge_advance(gauge, time_us);
        else if (gauge->has_left)
            gauge_leave(gauge, time_us);
    }
}

/* A counter that went back has begun anew, one that leapt is not to be believed: no growth. What
 * is read between two ticks stands still, and grows at the next by more than one sample's time. */
static void
gauge_count(Gauge *gauge, uint64_t time_us)
{
    size_t n;
    const HistoryColumn *columns = history_columns(&n);

    for (size_t i = 0; i < n; i++) {
        int64_t growth = gauge->next.values[i] - gauge->last.values[i];
        int64_t *allowed_us = &gauge->allowed_us[i];

        if (columns[i].kind != HISTORY_COUNTER)
            continue;
        *allowed_us =
            MAX(MIN(*allowed_us + (int64_t)time_us, COUNTER_ALLOWED_MAX_US), (int64_t)time_us);
        if (history_is_known(&gauge->last, i) && history_is_known(&gauge->next, i) && growth >= 0 &&
            growth <= *allowed_us + COUNTER_SLACK_US) {
            history_add(&gauge->sums, i, growth);
            *allowed_us = MAX(*allowed_us - growth, 0);
        }
    }
}

/* This moment becomes the last one; who is not there any more has ended. */
static void
settle_gauges(HistoryMeter *meter, uint64_t time_us)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, meter->gauges);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Gauge *gauge = value;

        if (!gauge->is_present) {
            gauge_close(meter, gauge);
            g_hash_table_iter_remove(&iter);
            continue;
        }
        if (gauge->has_last)
            gauge_count(gauge, time_us);
        gauge->last = gauge->next;
        gauge->has_last = true;
        gauge->is_present = false;
    }
}

void
history_meter_leave(HistoryMeter *meter, const char *uuid, uint64_t now_us)
{
    Gauge *gauge = g_hash_table_lookup(meter->gauges, uuid);
    uint64_t time_us = sat_sub(now_us, meter->last.steady_us);

    if (!gauge || !gauge->has_last || gauge->has_left || time_us > GAP_MAX_US)
        return;
    gauge->next = gauge->last;
    gauge->has_left = true;
    gauge->left_us = time_us;
}

HistoryBatch *
history_meter_end(HistoryMeter *meter)
{
    HistoryBatch *batch = meter->batch;
    GHashTableIter iter;
    gpointer value;

    if (!batch)
        return NULL;
    g_hash_table_iter_init(&iter, meter->gauges);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        gauge_close(meter, value);
    meter->batch = batch_new(batch->start_s);
    if (batch->entries->len > 0)
        return batch;
    history_batch_free(batch);
    return NULL;
}

static int64_t
minute_of(int64_t wall_us)
{
    int64_t into_us = wall_us % MINUTE_US;

    return (wall_us - (into_us < 0 ? into_us + MINUTE_US : into_us)) / 1000000;
}

/* By how much the wall clock was set since the last moment; 0: it was not. */
static int64_t
step_since(const HistoryMeter *meter, const HistoryClock *now, uint64_t time_us)
{
    int64_t gain_us = now->wall_us - meter->last.wall_us - (int64_t)time_us;

    return gain_us > SLEW_MAX_US || gain_us < -SLEW_MAX_US ? gain_us : 0;
}

/* Of the time since the last moment, what belongs to the minute before this one. */
static uint64_t
time_before(const HistoryClock *now, uint64_t time_us)
{
    return sat_sub(time_us, (uint64_t)(now->wall_us - minute_of(now->wall_us) * 1000000));
}

HistoryBatch *
history_meter_sample(HistoryMeter *meter, const Ledger *ledger, const HistoryClock *now)
{
    int64_t minute_s = minute_of(now->wall_us);
    uint64_t passed_us = meter->has_last ? sat_sub(now->steady_us, meter->last.steady_us) : 0;
    uint64_t time_us = passed_us <= GAP_MAX_US ? passed_us : 0;
    HistoryBatch *ended = NULL;
    bool stepped;

    meter->step_us = meter->has_last ? step_since(meter, now, passed_us) : 0;
    stepped = !meter->has_last || meter->step_us != 0;
    if (stepped)
        meter->stepped_us = now->steady_us;
    set_gauges(meter, ledger);
    if (!meter->batch)
        meter->batch = batch_new(minute_s);
    if (meter->batch->start_s != minute_s) {
        uint64_t before_us = stepped ? 0 : time_before(now, time_us);

        advance_all(meter, before_us);
        time_us -= before_us;
        ended = history_meter_end(meter);
        meter->batch->start_s = minute_s;
    }
    advance_all(meter, time_us);
    settle_gauges(meter, passed_us);
    meter->last = *now;
    meter->has_last = true;
    return ended;
}

int64_t
history_meter_step_us(const HistoryMeter *meter)
{
    return meter->step_us;
}

bool
history_meter_trusts_clock(const HistoryMeter *meter, const HistoryClock *now)
{
    return meter->has_last && sat_sub(now->steady_us, meter->stepped_us) >= TRUST_US;
}
