/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history_schema.c - the tables of the history, and whether a file has them
 *
 *     domain  id, uuid, name as last seen, when last seen; id 0 is the host
 *     minute  start, domain, figures         |
 *     hour    the same                        > keyed by time first: what is written is together
 *     day     the same                       |
 *
 * A minute is joined to its hour and its day when it is written: there is no later roll-up that
 * could be missed, done twice, or find that the clock was set. Figures are NULL while unknown.
 *
 * A figure that is new is a column that is added at the next start; what an older program does not
 * know, it leaves alone. So the version changes only when an older program would do harm, and
 * one that finds a newer version keeps its hands off: the header is read without SQLite, because
 * opening alone may change a file that its owner left in the middle of something.
 *
 * The lock is held as long as the file is open. So there is no shared memory beside it, which
 * could not grow on a full disk, and no reader that keeps the log from being taken over into the
 * database, which would let it grow without bound; the client is the reader.
 *
 * Source: https://sqlite.org/wal.html, "Use of WAL Without Shared-Memory"
 */
#define _GNU_SOURCE
#include "agent/error.h"
#include "agent/report/history_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define VERSION 1
/* "vksm", to tell our files from others. */
#define APPLICATION_ID 0x766b736d
#define HEADER_BYTES   100
#define MAGIC          "SQLite format 3"
#define VERSION_AT     60
#define APPLICATION_AT 68

static const char settings[] = "PRAGMA auto_vacuum = INCREMENTAL;" /* for a new file only */
                               "PRAGMA locking_mode = EXCLUSIVE;"
                               "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = NORMAL;"
                               "PRAGMA journal_size_limit = 4194304;"
                               "PRAGMA mmap_size = 0;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA trusted_schema = OFF;";

static uint32_t
number_at(const unsigned char *header, size_t at)
{
    return (uint32_t)header[at] << 24 | (uint32_t)header[at + 1] << 16 |
           (uint32_t)header[at + 2] << 8 | header[at + 3];
}

static ssize_t
read_header(const char *path, unsigned char *header)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    ssize_t n;
    int reason;

    if (fd < 0)
        return -1;
    n = pread(fd, header, HEADER_BYTES, 0);
    reason = errno;
    close(fd);
    errno = reason;
    return n;
}

SchemaOutcome
schema_peek(const char *path, GError **error)
{
    unsigned char header[HEADER_BYTES];
    ssize_t n = read_header(path, header);
    uint32_t version, application;

    if (n < 0) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_STATE, "cannot read %s: %s", path,
                    g_strerror(errno));
        return SCHEMA_FAILED;
    }
    if (n == 0)
        return SCHEMA_READY;
    if (n < HEADER_BYTES || memcmp(header, MAGIC, sizeof(MAGIC)) != 0) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_STATE, "%s is no SQLite database", path);
        return SCHEMA_DAMAGED;
    }
    version = number_at(header, VERSION_AT);
    application = number_at(header, APPLICATION_AT);
    /* Both are 0 in one that was killed before its tables were there. */
    if (application != APPLICATION_ID && (application != 0 || version != 0)) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_STATE, "%s is the database of something else",
                    path);
        return SCHEMA_DAMAGED;
    }
    if (version > VERSION) {
        g_set_error(
            error, AGENT_ERROR, AGENT_ERROR_STATE,
            "%s was written by a newer virtksmd (format %u, this one knows %d): it is left "
            "as it is, and no history is kept. Run the newer version, or move the file away",
            path, version, VERSION);
        return SCHEMA_NEWER;
    }
    return SCHEMA_READY;
}

/* SQLITE_ERROR: our statements do not fit the tables, so the tables are not ours. */
static SchemaOutcome
failure(sqlite3 *db, GError **error)
{
    int code = sqlite3_errcode(db);

    sql_fail(db, error);
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR ? SCHEMA_DAMAGED
                                                                                   : SCHEMA_FAILED;
}

/* What the file contains must not run: it may have been changed by anybody. */
static void
disarm(sqlite3 *db)
{
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_extended_result_codes(db, 0);
}

static bool
create(sqlite3 *db)
{
    g_autofree char *marks = g_strdup_printf(
        "PRAGMA application_id = %d; PRAGMA user_version = %d;", APPLICATION_ID, VERSION);
    g_autoptr(GString) sql = g_string_new("BEGIN IMMEDIATE;");

    g_string_append(sql, "CREATE TABLE domain (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, "
                         "name TEXT NOT NULL, seen INTEGER NOT NULL);"
                         "CREATE INDEX domain_seen ON domain (seen);"
                         "INSERT INTO domain VALUES (0, '', '', 0);");
    for (HistoryStep step = 0; step < HISTORY_STEP_COUNT; step++) {
        g_string_append_printf(sql,
                               "CREATE TABLE %s (start INTEGER NOT NULL, "
                               "domain INTEGER NOT NULL, ",
                               history_step_name(step));
        sql_append_columns(sql, "", " INTEGER");
        g_string_append(sql, ", PRIMARY KEY (start, domain)) WITHOUT ROWID;");
    }
    g_string_append_printf(sql, "%s COMMIT; PRAGMA wal_checkpoint(TRUNCATE);", marks);
    return sqlite3_exec(db, sql->str, NULL, NULL, NULL) == SQLITE_OK;
}

static bool
has_column(sqlite3 *db, const char *table, const char *column)
{
    return sqlite3_table_column_metadata(db, "main", table, column, NULL, NULL, NULL, NULL, NULL) ==
           SQLITE_OK;
}

static bool
add_column(sqlite3 *db, const char *table, const char *column)
{
    g_autofree char *sql = g_strdup_printf("ALTER TABLE %s ADD COLUMN %s INTEGER", table, column);

    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool
add_columns(sqlite3 *db)
{
    size_t n;
    const HistoryColumn *columns = history_columns(&n);

    if (!has_column(db, "domain", "seen"))
        return false;
    for (HistoryStep step = 0; step < HISTORY_STEP_COUNT; step++) {
        const char *table = history_step_name(step);

        for (size_t i = 0; i < n; i++)
            if (!has_column(db, table, columns[i].name) && !add_column(db, table, columns[i].name))
                return false;
    }
    return true;
}

/* Sets @error to the first thing that is wrong. */
static SchemaOutcome
check_pages(sqlite3 *db, GError **error)
{
    g_autoptr(sqlite3_stmt) statement = NULL;
    const char *verdict;

    if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        return failure(db, error);
    verdict = (const char *)sqlite3_column_text(statement, 0);
    if (g_strcmp0(verdict, "ok") == 0)
        return SCHEMA_READY;
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_STATE, "%s: %s", sqlite3_db_filename(db, "main"),
                verdict ? verdict : "out of memory");
    return verdict ? SCHEMA_DAMAGED : SCHEMA_FAILED;
}

SchemaOutcome
schema_prepare(sqlite3 *db, bool check, GError **error)
{
    SchemaOutcome outcome = SCHEMA_READY;
    int64_t version;

    disarm(db);
    if (sqlite3_db_readonly(db, "main") == 1) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_STATE, "%s cannot be written",
                    sqlite3_db_filename(db, "main"));
        return SCHEMA_FAILED;
    }
    if (sqlite3_exec(db, settings, NULL, NULL, NULL) != SQLITE_OK ||
        !sql_number(db, "PRAGMA user_version", &version, NULL))
        return failure(db, error);
    if (check)
        outcome = check_pages(db, error);
    if (outcome == SCHEMA_READY && ((version == 0 && !create(db)) || !add_columns(db)))
        return failure(db, error);
    return outcome;
}
