/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history.h - savings and costs of two years, in a database of bounded size
 *
 * Everything here may wait for the disk: it is for a worker thread, one call at a time.
 */
#ifndef AGENT_REPORT_HISTORY_H
#define AGENT_REPORT_HISTORY_H

#include "agent/report/history_meter.h"

/* Name of the database in the state directory. */
#define HISTORY_FILE "history.db"

/* How finely time is divided. */
typedef enum {
    HISTORY_MINUTE,
    HISTORY_HOUR,
    HISTORY_DAY,
    HISTORY_STEP_COUNT,
} HistoryStep;

/* What is kept. */
typedef struct {
    int64_t keep_s[HISTORY_STEP_COUNT]; /* age at which rows of each kind go, seconds */
    uint64_t size_bytes;                /* most that the database may take */
} HistoryLimits;

/* What is asked. */
typedef struct {
    const char *domain; /* name or uuid; NULL: the host, and totals of all domains */
    int64_t since_s;    /* since 1970; the interval that it lies in is the first */
    int64_t until_s;    /* since 1970; intervals that begin before it */
    HistoryStep step;   /* length of an interval */
} HistoryQuery;

typedef struct {
    GPtrArray *rows;   /* owned; of HistoryRecord, by domain, then by time */
    GPtrArray *totals; /* owned; of HistoryRecord, of the domains, largest saving first */
    int64_t since_s;   /* since 1970; what was summed up begins with a whole interval */
    int64_t until_s;   /* since 1970; and ends with one, which may still be under way */
    HistorySums host;  /* total of the host; nothing is known where a domain was asked for */
    bool is_cut;       /* there were more rows or domains than an answer holds */
} HistoryAnswer;

typedef struct History History;

/** history_step_s() - length of an interval, seconds */
int64_t history_step_s(HistoryStep step);

/** history_step_name() - "minute", "hour", "day" */
const char *history_step_name(HistoryStep step);

/**
 * history_new() - nothing is opened yet
 * @dir: of the database; copied
 *
 * Return: for history_free().
 */
History *history_new(const char *dir);

/** history_free() - closes the database, which may wait for the disk; accepts NULL */
void history_free(History *history);

/**
 * history_open() - open the database, or begin one
 * @history: nothing happens if it is open, and what is open is still there
 * @error:   AGENT_ERROR_STATE: why there is none
 *
 * A damaged database is moved aside, and a new one begun; one that was removed or replaced since it
 * was opened is let go, and what is there now is opened: history_take_note() tells. One of a newer
 * version is not touched. Return: whether it is open.
 */
bool history_open(History *history, GError **error);

/** history_take_note() - what was found damaged or gone since the last call; owned by the caller;
 * NULL: nothing */
char *history_take_note(History *history);

/** history_size_bytes() - of the database file; 0 while it is not open */
uint64_t history_size_bytes(const History *history);

/**
 * history_write() - keep a minute, and join it to its hour and its day
 * @history: opened if it is not
 * @batch:   borrowed
 * @limits:  of the whole
 * @error:   AGENT_ERROR_STATE; nothing of @batch has been written then
 *
 * One transaction.
 */
bool history_write(History *history, const HistoryBatch *batch, const HistoryLimits *limits,
                   GError **error);

/**
 * history_prune() - drop some of what is too old, or too much
 * @history: open, or nothing happens
 * @limits:  of the whole
 * @now_s:   since 1970; 0: the clock is not to be trusted, so nothing is too old
 * @error:   AGENT_ERROR_STATE; nothing has been dropped then
 *
 * Drops a limited number of rows, to keep the transaction small: call it before every write.
 */
bool history_prune(History *history, const HistoryLimits *limits, int64_t now_s, GError **error);

/**
 * history_query() - what was saved, and when
 * @history:    opened if it is not
 * @query:      what is asked
 * @ret_answer: owned by the caller; written only on success
 * @error:      AGENT_ERROR_NOT_FOUND for a domain that it does not know; AGENT_ERROR_STATE
 */
bool history_query(History *history, const HistoryQuery *query, HistoryAnswer **ret_answer,
                   GError **error);

/** history_answer_free() - accepts NULL */
void history_answer_free(HistoryAnswer *answer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(History, history_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HistoryAnswer, history_answer_free)

#endif
