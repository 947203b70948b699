/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history_absent.c - the history of a build without SQLite: there is none, and it says so
 *
 * In place of the other files history_*.c that have a database. agent/recorder.c does not begin to
 * record then; whoever asks all the same gets the same answer.
 */
#include "agent/error.h"
#include "agent/report/history.h"

static bool
fail(GError **error)
{
    g_set_error_literal(error, AGENT_ERROR, AGENT_ERROR_STATE,
                        "this virtksmd was built without SQLite");
    return false;
}

History *
history_new(const char *dir)
{
    (void)dir;
    return NULL;
}

void
history_free(History *history)
{
    (void)history;
}

bool
history_open(History *history, GError **error)
{
    (void)history;
    return fail(error);
}

char *
history_take_note(History *history)
{
    (void)history;
    return NULL;
}

uint64_t
history_size_bytes(const History *history)
{
    (void)history;
    return 0;
}

bool
history_write(History *history, const HistoryBatch *batch, const HistoryLimits *limits,
              GError **error)
{
    (void)history;
    (void)batch;
    (void)limits;
    return fail(error);
}

bool
history_prune(History *history, const HistoryLimits *limits, int64_t now_s, GError **error)
{
    (void)history;
    (void)limits;
    (void)now_s;
    return fail(error);
}

bool
history_query(History *history, const HistoryQuery *query, HistoryAnswer **ret_answer,
              GError **error)
{
    (void)history;
    (void)query;
    (void)ret_answer;
    return fail(error);
}

/* There is no other than NULL. */
void
history_answer_free(HistoryAnswer *answer)
{
    g_assert(!answer);
}
