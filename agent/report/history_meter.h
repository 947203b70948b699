/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history_meter.h - from moments to minutes: figures integrated over time
 */
#ifndef AGENT_REPORT_HISTORY_METER_H
#define AGENT_REPORT_HISTORY_METER_H

#include "agent/report/history_column.h"

#include <glib.h>

/* Stands for the host, where a domain's uuid would be. */
#define HISTORY_HOST_UUID ""

/* A moment on both clocks. */
typedef struct {
    uint64_t steady_us; /* CLOCK_MONOTONIC: how much time has passed */
    int64_t wall_us;    /* since 1970: to which minute it belongs */
} HistoryClock;

/* What one domain has in an interval. */
typedef struct {
    char *uuid;       /* owned; HISTORY_HOST_UUID: the host */
    char *name;       /* owned; as last seen */
    int64_t start_s;  /* of the interval, since 1970; not set in a batch, nor in a total */
    HistorySums sums; /* in the units of the columns */
} HistoryRecord;

/* One minute, or the part of one that was measured without a break. */
typedef struct {
    int64_t start_s;    /* of the minute, since 1970 */
    GPtrArray *entries; /* owned; of HistoryRecord, owned; a uuid may be there more than once */
} HistoryBatch;

typedef struct HistoryMeter HistoryMeter;

/** history_record_free() - of a HistoryRecord, as a GDestroyNotify */
void history_record_free(gpointer data);

/** history_batch_free() - accepts NULL */
void history_batch_free(HistoryBatch *batch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HistoryBatch, history_batch_free)

/** history_meter_new() - nothing measured yet; history_meter_free() it */
HistoryMeter *history_meter_new(void);

/** history_meter_free() - accepts NULL */
void history_meter_free(HistoryMeter *meter);

/**
 * history_meter_sample() - the figures of this moment
 * @meter:  changed
 * @ledger: of this moment
 * @now:    the moment; its steady clock never goes back
 *
 * Return: the minute that this moment has ended, owned by the caller; NULL: it goes on.
 */
HistoryBatch *history_meter_sample(HistoryMeter *meter, const Ledger *ledger,
                                   const HistoryClock *now);

/**
 * history_meter_leave() - a domain has ended, after the last moment and before the next
 * @meter:  changed; the next moment counts its time
 * @uuid:   nothing happens if it is not measured, or has ended already
 * @now_us: CLOCK_MONOTONIC
 */
void history_meter_leave(HistoryMeter *meter, const char *uuid, uint64_t now_us);

/**
 * history_meter_end() - what the minute under way has so far
 *
 * Return: owned by the caller; NULL: nothing. What comes after it is added to the same minute.
 */
HistoryBatch *history_meter_end(HistoryMeter *meter);

/**
 * history_meter_step_us() - by how much the wall clock was set before the last moment
 *
 * Return: more than zero: it was set forward, or the host was suspended, in which the steady clock
 * stands still; 0: it has kept pace but for a second or two.
 */
int64_t history_meter_step_us(const HistoryMeter *meter);

/**
 * history_meter_trusts_clock() - whether the wall clock has kept pace for long
 * @now: the last moment that was sampled
 *
 * Return: false until the wall clock has gone for an hour without a step. What is old by a clock
 * that has just jumped may not be old at all.
 */
bool history_meter_trusts_clock(const HistoryMeter *meter, const HistoryClock *now);

#endif
