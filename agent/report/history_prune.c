/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history_prune.c - what is too old goes, and under the limit of size what is finest and oldest
 *
 * Age is measured both ways: a row as far in the future as the oldest may be in the past was
 * written while the clock was wrong, and goes too, else it would stay for ever. A row of a minute
 * that is dropped is still in its hour and its day.
 */
#include "agent/report/history_internal.h"

/* Rows dropped at a time because of their age, to keep the transaction within a few MiB; a moment
 * is dropped whole. */
#define SLICE_ROWS 20000
/* Rows dropped at a time to make room, while there are twice as many, and below that. */
#define ROOM_ROWS     5000
#define ROOM_ROWS_LOW 500
/* Pages given back to the file system at a time, while the file is larger than the limit. */
#define VACUUM_PAGES 2000
/* Share of the limit from which on room is made. */
#define FULL_NUMERATOR   7
#define FULL_DENOMINATOR 8
/* How much later than its last row a domain is forgotten; more than the grain of its sight. */
#define FORGET_S 7200

/* What to drop. */
typedef struct {
    const HistoryLimits *limits; /* borrowed */
    int64_t now_s;               /* 0: nothing is too old */
    bool is_full;                /* room has to be made */
} Pruning;

static bool run_format(sqlite3 *db, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool
run_format(sqlite3 *db, GError **error, const char *format, ...)
{
    g_autofree char *sql = NULL;
    va_list arguments;

    va_start(arguments, format);
    sql = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return sql_run(db, sql, error);
}

static bool
drop_old(sqlite3 *db, const Pruning *pruning, HistoryStep step, GError **error)
{
    const char *table = history_step_name(step);
    gint64 past_s = pruning->now_s - pruning->limits->keep_s[step];
    gint64 future_s = pruning->now_s + pruning->limits->keep_s[step];

    return run_format(db, error,
                      "DELETE FROM %s WHERE start < coalesce("
                      "(SELECT start + 1 FROM %s WHERE start < %" G_GINT64_FORMAT
                      " ORDER BY start LIMIT 1 OFFSET %d), %" G_GINT64_FORMAT ")",
                      table, table, past_s, SLICE_ROWS, past_s) &&
           run_format(db, error, "DELETE FROM %s WHERE start > %" G_GINT64_FORMAT, table, future_s);
}

static bool
drop_oldest(sqlite3 *db, HistoryStep step, int rows, GError **error)
{
    const char *table = history_step_name(step);

    return run_format(db, error,
                      "DELETE FROM %s WHERE start <= "
                      "(SELECT start FROM %s ORDER BY start LIMIT 1 OFFSET %d) "
                      "AND EXISTS (SELECT 1 FROM %s LIMIT 1 OFFSET %d)",
                      table, table, rows, table, 2 * rows);
}

/* Drops a slice of the finest rows of which there are enough. */
static bool
make_room(sqlite3 *db, GError **error)
{
    static const int rows[] = { ROOM_ROWS, ROOM_ROWS_LOW };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        for (HistoryStep step = 0; step < HISTORY_STEP_COUNT; step++) {
            if (!drop_oldest(db, step, rows[i], error))
                return false;
            if (sqlite3_changes(db) > 0)
                return true;
        }
    }
    return true;
}

static bool
prune(sqlite3 *db, gconstpointer data, GError **error)
{
    const Pruning *pruning = data;

    for (HistoryStep step = 0; step < HISTORY_STEP_COUNT && pruning->now_s != 0; step++)
        if (!drop_old(db, pruning, step, error))
            return false;
    if (pruning->is_full && !make_room(db, error))
        return false;
    return run_format(db, error,
                      "DELETE FROM domain WHERE id <> 0 AND seen < "
                      "(SELECT min(start) FROM day) - %d",
                      FORGET_S);
}

/* Pages in the file, and those of them that hold something. */
static bool
count_pages(sqlite3 *db, int64_t *ret_pages, int64_t *ret_used, GError **error)
{
    int64_t spare;

    if (!sql_number(db, "PRAGMA page_count", ret_pages, error) ||
        !sql_number(db, "PRAGMA freelist_count", &spare, error))
        return false;
    *ret_used = *ret_pages - spare;
    return true;
}

bool
history_prune(History *history, const HistoryLimits *limits, int64_t now_s, GError **error)
{
    Pruning pruning = { limits, now_s, false };
    g_autoptr(GError) why = NULL;
    int64_t page_bytes = 0;
    int64_t pages = 0;
    int64_t used = 0;
    int64_t most;

    if (!history->db)
        return true;
    if (!sql_number(history->db, "PRAGMA page_size", &page_bytes, &why) ||
        !count_pages(history->db, &pages, &used, &why)) {
        history_failed(history, why);
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    most = (int64_t)limits->size_bytes / MAX(page_bytes, 512);
    pruning.is_full = used > most / FULL_DENOMINATOR * FULL_NUMERATOR;
    if (!history_transact(history, prune, &pruning, error))
        return false;
    /* Not before there is room: the next minute must find some. */
    return pages <= most || pruning.is_full ||
           run_format(history->db, error, "PRAGMA incremental_vacuum(%d)",
                      (int)MIN(pages - most, VACUUM_PAGES));
}
