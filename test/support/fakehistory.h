/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fakehistory.h - a folder with a history, minutes to put into it, and figures out of it
 *
 * Add ${CMAKE_SOURCE_DIR}/test/support/fakehistory.c and fakeroot.c to the SOURCES of the test, and
 * link agent_report and agent. Whatever fails in here fails the test.
 */
#ifndef TEST_SUPPORT_FAKEHISTORY_H
#define TEST_SUPPORT_FAKEHISTORY_H

#include "agent/report/history.h"
#include "test/support/fakeroot.h"

/* A moment to count from, at the beginning of a day: 2026-01-01. */
#define FAKEHISTORY_DAY_S INT64_C(1767225600)

/* A folder, and the history in it. */
typedef struct {
    FakeRoot *root;       /* owned */
    History *history;     /* owned */
    HistoryLimits limits; /* the defaults */
    char *path;           /* owned; of the database */
} FakeHistory;

/** fakehistory_setup() - for cmocka_unit_test_setup_teardown(); *state is a FakeHistory */
int fakehistory_setup(void **state);

/** fakehistory_teardown() - the counterpart */
int fakehistory_teardown(void **state);

/** fakehistory_reopen() - as a new run of the agent finds it */
void fakehistory_reopen(FakeHistory *fake);

/**
 * fakehistory_batch() - a minute with the host and some domains
 * @start_s: of the minute
 * @domains: how many, called "d0", "d1", ...
 *
 * Each was there for the minute, saved 1 GiB, and had 4 GiB resident; the host saved 1 GiB for
 * each. Return: for history_batch_free().
 */
HistoryBatch *fakehistory_batch(int64_t start_s, unsigned domains);

/** fakehistory_add() - another domain in a minute: it saved so much for the minute */
void fakehistory_add(HistoryBatch *batch, const char *uuid, const char *name, int64_t saved_kib);

/** fakehistory_write() - a minute as fakehistory_batch() makes it; it must be taken */
void fakehistory_write(FakeHistory *fake, int64_t start_s, unsigned domains);

/** fakehistory_ask() - an answer; the caller frees it */
HistoryAnswer *fakehistory_ask(FakeHistory *fake, const char *domain, HistoryStep step,
                               int64_t since_s, int64_t until_s);

/** fakehistory_figure() - of a column, by its field's name; fails the test where it is unknown */
double fakehistory_figure(const HistorySums *sums, const char *field);

/**
 * fakehistory_expect() - so many minutes since FAKEHISTORY_DAY_S are in all three tables, no others
 * @when: told where it is not so
 */
void fakehistory_expect(FakeHistory *fake, unsigned minutes, const char *when);

/** fakehistory_column() - index of a column, by its field's name */
size_t fakehistory_column(const char *field);

/** fakehistory_files() - names in the folder that begin like this */
unsigned fakehistory_files(const FakeHistory *fake, const char *prefix);

#endif
