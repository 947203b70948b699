/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history_column.h - what the history keeps of an interval; a figure is one row
 *
 * A row names the column in the database, the field of the answer, and where the ledger has the
 * figure. A new row appears in the database at the next start (NULL for what is older), in every
 * query, and in the answer once the message has a field of that name.
 */
#ifndef AGENT_REPORT_HISTORY_COLUMN_H
#define AGENT_REPORT_HISTORY_COLUMN_H

#include "agent/report/ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Columns there can be: one bit each in HistorySums.known. */
#define HISTORY_COLUMNS_MAX 32
/* The ledger does not have the figure. */
#define HISTORY_NO_FIELD SIZE_MAX

/* How a figure adds up over time. */
typedef enum {
    HISTORY_TIME,     /* microseconds in which the domain was there */
    HISTORY_MEASURED, /* microseconds in which its saving was known */
    HISTORY_PAGES,    /* ledger: pages at a moment; kept: KiB times seconds */
    HISTORY_BYTES,    /* ledger: bytes at a moment; kept: KiB times seconds */
    HISTORY_NET,      /* as HISTORY_PAGES: saved less metadata; may be negative */
    HISTORY_COUNTER,  /* ledger: microseconds that only grow; kept: by how much */
    HISTORY_KIND_COUNT,
} HistoryKind;

typedef struct {
    const char *name;     /* column of the database */
    const char *field;    /* of the message: seconds or GiB-hours */
    HistoryKind kind;     /* how to read it */
    size_t domain_offset; /* of the uint64_t in LedgerRow; HISTORY_NO_FIELD */
    size_t host_offset;   /* of the uint64_t in Ledger; HISTORY_NO_FIELD */
} HistoryColumn;

/* Figures of one moment, or their sums over time; by the index of their column. */
typedef struct {
    int64_t values[HISTORY_COLUMNS_MAX]; /* in the unit of the column */
    uint32_t known;                      /* bit per column; the values of others mean nothing */
} HistorySums;

/** history_columns() - every column; @ret_n: number of rows; static */
const HistoryColumn *history_columns(size_t *ret_n);

/** history_is_known() - whether a column has a value */
bool history_is_known(const HistorySums *sums, size_t column);

/** history_add() - a value joins those of a column; what was unknown becomes known */
void history_add(HistorySums *sums, size_t column, int64_t value);

/** history_add_all() - every known value of @more joins @sums */
void history_add_all(HistorySums *sums, const HistorySums *more);

/**
 * history_moment() - figures of one moment
 * @ledger: of the moment
 * @row:    a domain of it; NULL: the host
 * @ret:    bytes for what is integrated, microseconds for counters; times are unknown
 */
void history_moment(const Ledger *ledger, const LedgerRow *row, HistorySums *ret);

/**
 * history_figure() - a sum as people count it
 * @column: whose unit it has
 *
 * Return: seconds, or GiB-hours.
 */
double history_figure(const HistoryColumn *column, int64_t value);

#endif
