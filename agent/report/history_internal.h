/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history_internal.h - what the files of the history share; nobody else includes it */
#ifndef AGENT_REPORT_HISTORY_INTERNAL_H
#define AGENT_REPORT_HISTORY_INTERNAL_H

#include "agent/report/history.h"

#include <sqlite3.h>
#include <sys/types.h>

/* How old the time of a domain's last sight may get, to spare most minutes the writing of it,
 * seconds. */
#define HISTORY_SEEN_GRAIN_S 3600

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)

/* What tells a file from another one that has got its name; zeros: there is none. */
typedef struct {
    dev_t device; /* what it is on */
    ino_t inode;  /* its number there */
} FileId;

struct History {
    char *path;         /* owned; of the database */
    char *log_path;     /* owned; of its log */
    sqlite3 *db;        /* owned; NULL: not open */
    FileId database_id; /* of what is open */
    FileId log_id;      /* likewise */
    bool is_checked;    /* every page was read once in this run, and was right */
    char *note;         /* owned; not taken yet; NULL: nothing to tell */
};

/* What is done in a transaction; false sets @error. */
typedef bool (*HistoryWork)(sqlite3 *db, gconstpointer data, GError **error);

/* How opening went. */
typedef enum {
    SCHEMA_READY,
    SCHEMA_NEWER,   /* of a version that this one must not touch */
    SCHEMA_DAMAGED, /* no database, or not one of ours */
    SCHEMA_FAILED,  /* the disk, or another program, is in the way */
    SCHEMA_COUNT,
} SchemaOutcome;

/**
 * schema_peek() - look at the header of the file, without SQLite
 * @path:  a file that is there
 * @error: set unless SCHEMA_READY: why
 *
 * Source: https://sqlite.org/fileformat2.html, section 1.3, "The Database Header"
 */
SchemaOutcome schema_peek(const char *path, GError **error);

/**
 * schema_prepare() - make an open database ready for reading and writing
 * @db:    just opened
 * @check: read every page and see whether it is right
 * @error: set unless SCHEMA_READY: why
 */
SchemaOutcome schema_prepare(sqlite3 *db, bool check, GError **error);

/**
 * history_transact() - all of it, or nothing
 * @history: open; after a failure it may be closed, or a damaged file have been moved aside
 * @work:    what there is to do
 * @data:    for @work
 * @error:   AGENT_ERROR_STATE
 */
bool history_transact(History *history, HistoryWork work, gconstpointer data, GError **error);

/** history_failed() - a statement outside of a transaction has failed: as history_transact() does
 */
void history_failed(History *history, const GError *why);

/** sql_run() - statements without results; sets @error to AGENT_ERROR_STATE if one fails */
bool sql_run(sqlite3 *db, const char *sql, GError **error);

/**
 * sql_prepare() - a statement
 * @ret_statement: owned by the caller; written only on success
 * @error:         AGENT_ERROR_STATE
 */
bool sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement, GError **error);

/** sql_done() - run a statement that has no rows to its end, and make it ready for the next */
bool sql_done(sqlite3_stmt *statement, GError **error);

/**
 * sql_number() - the only number that a query gives
 * @ret:   0 where it gives NULL or no row; written only on success
 * @error: AGENT_ERROR_STATE
 */
bool sql_number(sqlite3 *db, const char *sql, int64_t *ret, GError **error);

/** sql_fail() - set @error to what SQLite says of its last failure; Return: false */
bool sql_fail(sqlite3 *db, GError **error);

/** sql_append_columns() - names of all columns, each in @before and @after, with commas between */
void sql_append_columns(GString *sql, const char *before, const char *after);

#endif
