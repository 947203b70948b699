/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history_query.c - rows and totals of the history, in answers of bounded size
 *
 * Tables are keyed by time, then by domain. So the rows of one domain are looked up time by time;
 * a scan would read those of all others too. Totals are sums of exactly the rows of the time asked
 * for, so a table of rows adds up to them.
 */
#include "agent/error.h"
#include "agent/report/history_internal.h"

/* Rows, and totals, in an answer: a week of minutes. With long names it is 3 MiB. */
#define ANSWER_MAX 10080
/* Intervals that are looked at: more than any table keeps, unless the clock was wrong. */
#define SLOTS_MAX 100000

static HistoryAnswer *
answer_new(void)
{
    HistoryAnswer *answer = g_new0(HistoryAnswer, 1);

    answer->rows = g_ptr_array_new_with_free_func(history_record_free);
    answer->totals = g_ptr_array_new_with_free_func(history_record_free);
    return answer;
}

void
history_answer_free(HistoryAnswer *answer)
{
    if (!answer)
        return;
    g_ptr_array_unref(answer->rows);
    g_ptr_array_unref(answer->totals);
    g_free(answer);
}

/* Columns of the statement: uuid, name, start, figures. */
static HistoryRecord *
read_record(sqlite3_stmt *statement)
{
    HistoryRecord *record = g_new0(HistoryRecord, 1);
    size_t n;

    history_columns(&n);
    record->uuid = g_strdup((const char *)sqlite3_column_text(statement, 0));
    record->name = g_strdup((const char *)sqlite3_column_text(statement, 1));
    record->start_s = sqlite3_column_int64(statement, 2);
    for (size_t i = 0; i < n; i++)
        if (sqlite3_column_type(statement, (int)i + 3) != SQLITE_NULL)
            history_add(&record->sums, i, sqlite3_column_int64(statement, (int)i + 3));
    return record;
}

/* Reads what a bound statement gives, up to what an answer holds. */
static bool
read_records(sqlite3_stmt *statement, GPtrArray *records, bool *is_cut, GError **error)
{
    int code = SQLITE_DONE;

    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (records->len >= ANSWER_MAX) {
            *is_cut = true;
            return true;
        }
        g_ptr_array_add(records, read_record(statement));
    }
    return code == SQLITE_DONE || sql_fail(sqlite3_db_handle(statement), error);
}

/* Begin of the interval that @time_s lies in. */
static int64_t
slot_of(const HistoryQuery *query, int64_t time_s)
{
    int64_t length_s = history_step_s(query->step);
    int64_t into_s = time_s % length_s;

    return time_s - (into_s < 0 ? into_s + length_s : into_s);
}

/* The interval that @since_s lies in, and not too many behind it. */
static int64_t
first_slot(const HistoryQuery *query)
{
    int64_t most_s = SLOTS_MAX * history_step_s(query->step);

    return slot_of(query, MAX(query->since_s, query->until_s - most_s));
}

static int64_t
end_of_last_slot(const HistoryQuery *query)
{
    int64_t length_s = history_step_s(query->step);
    int64_t start_s = slot_of(query, query->until_s - 1);

    return start_s > INT64_MAX - length_s ? INT64_MAX : start_s + length_s;
}

static bool
read_rows(sqlite3 *db, const HistoryQuery *query, int64_t id, HistoryAnswer *answer, GError **error)
{
    const char *table = history_step_name(query->step);
    g_autoptr(GString) sql = g_string_new(NULL);
    g_autoptr(sqlite3_stmt) statement = NULL;

    g_string_append_printf(
        sql,
        "WITH RECURSIVE ends(first, last) AS (SELECT max(?1, (SELECT min(start) FROM %s)), "
        "min(?2, (SELECT max(start) FROM %s) + 1)), "
        "slot(s) AS (SELECT first FROM ends UNION ALL SELECT s + %" G_GINT64_FORMAT
        " FROM slot, ends WHERE s + %" G_GINT64_FORMAT " < last) SELECT d.uuid, d.name, t.start, ",
        table, table, (gint64)history_step_s(query->step), (gint64)history_step_s(query->step));
    sql_append_columns(sql, "t.", "");
    g_string_append_printf(sql,
                           " FROM slot CROSS JOIN %s AS t ON t.start = slot.s AND t.domain = ?3 "
                           "CROSS JOIN domain AS d ON d.id = ?3 WHERE t.start < ?2",
                           table);
    if (!sql_prepare(db, sql->str, &statement, error))
        return false;
    sqlite3_bind_int64(statement, 1, first_slot(query));
    sqlite3_bind_int64(statement, 2, query->until_s);
    sqlite3_bind_int64(statement, 3, id);
    return read_records(statement, answer->rows, &answer->is_cut, error);
}

static bool
read_totals(sqlite3 *db, const HistoryQuery *query, HistoryAnswer *answer, GError **error)
{
    g_autoptr(GString) sql = g_string_new("SELECT d.uuid, d.name, 0, ");
    g_autoptr(sqlite3_stmt) statement = NULL;

    sql_append_columns(sql, "sum(t.", ")");
    g_string_append_printf(sql,
                           " FROM %s AS t JOIN domain AS d ON d.id = t.domain "
                           "WHERE t.start >= ? AND t.start < ? AND t.domain <> 0 GROUP BY t.domain "
                           "ORDER BY sum(t.saved_kib_s) DESC, d.name, d.uuid",
                           history_step_name(query->step));
    if (!sql_prepare(db, sql->str, &statement, error))
        return false;
    sqlite3_bind_int64(statement, 1, first_slot(query));
    sqlite3_bind_int64(statement, 2, query->until_s);
    return read_records(statement, answer->totals, &answer->is_cut, error);
}

/* Sums up the rows from @first on, which are all of one domain. */
static void
add_total(HistoryAnswer *answer, guint first)
{
    const HistoryRecord *row;
    HistoryRecord *total;

    if (first >= answer->rows->len)
        return;
    row = g_ptr_array_index(answer->rows, first);
    total = g_new0(HistoryRecord, 1);
    total->uuid = g_strdup(row->uuid);
    total->name = g_strdup(row->name);
    for (guint i = first; i < answer->rows->len; i++) {
        row = g_ptr_array_index(answer->rows, i);
        history_add_all(&total->sums, &row->sums);
    }
    g_ptr_array_add(answer->totals, total);
}

/* The domain of a uuid, whoever else is called so, or every one that had the name last: a name may
 * have been given anew. Those that were gone before the time asked for have nothing in it; a name
 * may have had thousands of them. */
static bool
find_domains(sqlite3 *db, const HistoryQuery *query, GArray *ids, GError **error)
{
    int64_t gone_s = first_slot(query) - HISTORY_SEEN_GRAIN_S;
    g_autoptr(sqlite3_stmt) statement = NULL;
    bool is_known = false;
    int code;

    if (!sql_prepare(db,
                     "SELECT id, seen FROM domain WHERE id <> 0 AND (uuid = ?1 OR (name = ?1 AND "
                     "NOT EXISTS (SELECT 1 FROM domain WHERE uuid = ?1))) ORDER BY seen DESC",
                     &statement, error))
        return false;
    sqlite3_bind_text(statement, 1, query->domain, -1, SQLITE_STATIC);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(statement, 0);

        is_known = true;
        if (sqlite3_column_int64(statement, 1) > gone_s)
            g_array_append_val(ids, id);
    }
    if (code != SQLITE_DONE)
        return sql_fail(db, error);
    if (is_known)
        return true;
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_NOT_FOUND,
                "no domain in the history has the name or uuid \"%s\"", query->domain);
    return false;
}

static bool
answer_domain(sqlite3 *db, const HistoryQuery *query, HistoryAnswer *answer, GError **error)
{
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int64_t));

    if (!find_domains(db, query, ids, error))
        return false;
    for (guint i = 0; i < ids->len && !answer->is_cut; i++) {
        guint first = answer->rows->len;

        if (!read_rows(db, query, g_array_index(ids, int64_t, i), answer, error))
            return false;
        add_total(answer, first);
    }
    return true;
}

static bool
answer_host(sqlite3 *db, const HistoryQuery *query, HistoryAnswer *answer, GError **error)
{
    if (!read_rows(db, query, 0, answer, error) || !read_totals(db, query, answer, error))
        return false;
    for (guint i = 0; i < answer->rows->len; i++) {
        const HistoryRecord *row = g_ptr_array_index(answer->rows, i);

        history_add_all(&answer->host, &row->sums);
    }
    return true;
}

bool
history_query(History *history, const HistoryQuery *query, HistoryAnswer **ret_answer,
              GError **error)
{
    g_autoptr(HistoryAnswer) answer = answer_new();
    g_autoptr(GError) why = NULL;

    if (!history_open(history, error))
        return false;
    if (!(query->domain ? answer_domain : answer_host)(history->db, query, answer, &why)) {
        if (!g_error_matches(why, AGENT_ERROR, AGENT_ERROR_NOT_FOUND))
            history_failed(history, why);
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    answer->since_s = first_slot(query);
    answer->until_s = end_of_last_slot(query);
    *ret_answer = g_steal_pointer(&answer); /* the caller owns it from here */
    return true;
}
