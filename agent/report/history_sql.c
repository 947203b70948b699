/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history_sql.c - SQLite in words of this project */
#include "agent/error.h"
#include "agent/report/history_internal.h"

bool
sql_fail(sqlite3 *db, GError **error)
{
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_STATE, "%s: %s", sqlite3_db_filename(db, "main"),
                sqlite3_errmsg(db));
    return false;
}

bool
sql_run(sqlite3 *db, const char *sql, GError **error)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK || sql_fail(db, error);
}

bool
sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement, GError **error)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return sql_fail(db, error);
    *ret_statement = statement; /* the caller owns it from here */
    return true;
}

bool
sql_done(sqlite3_stmt *statement, GError **error)
{
    bool done =
        sqlite3_step(statement) == SQLITE_DONE || sql_fail(sqlite3_db_handle(statement), error);

    sqlite3_reset(statement);
    return done;
}

bool
sql_number(sqlite3 *db, const char *sql, int64_t *ret, GError **error)
{
    g_autoptr(sqlite3_stmt) statement = NULL;
    int code;

    if (!sql_prepare(db, sql, &statement, error))
        return false;
    code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return sql_fail(db, error);
    *ret = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    return true;
}

void
sql_append_columns(GString *sql, const char *before, const char *after)
{
    size_t n;
    const HistoryColumn *columns = history_columns(&n);

    for (size_t i = 0; i < n; i++)
        g_string_append_printf(sql, "%s%s%s%s", i > 0 ? ", " : "", before, columns[i].name, after);
}
