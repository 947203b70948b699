/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history.c - the database of the history, which survives what happens to a host
 *
 * Once a minute two small transactions: one drops rows that are too old or too many, the other
 * writes the minute and joins it to its hour and its day. The log of SQLite (WAL) makes each of
 * them whole or nothing, also after SIGKILL; with synchronous = NORMAL there is no fsync in a
 * transaction, and a loss of power costs the last minutes, never the database. An fsync comes when
 * the log is taken over into the database, every 4 MiB of it, and may wait for the disk as long as
 * the disk likes; so may a read or a write. That is why nothing here is called from the main loop:
 * agent/recorder.c has a thread for it, and keeps minutes that could not be written for a while.
 *
 * Size. A row takes 58 bytes, and 6 more for each figure that is added. A thousand domains, with a
 * day of minutes, a month of hours and two years of days, are 1440 + 744 + 731 rows each, together
 * 2.9 million: 162 MiB, to which come 8 MiB of log at most (history_prune_test.c holds it). The
 * limit holds whatever the number of domains: from seven eighths of it on, the oldest minutes make
 * room, then the oldest hours, then the oldest days; SQLite itself refuses a page beyond it. A disk
 * that is full, read-only or gone fails the transaction, and nothing else.
 *
 * What is opened is the file itself: a link in its place could lead our writing anywhere, so none
 * is followed. The folder may well be reached through links.
 *
 * Somebody may remove the file while it is open, or the folder, or put another one in its place.
 * The kernel would let us go on writing into what nobody can find any more. So before each use it
 * is looked whether what is open is still what has the name; if not, the history goes on in what
 * has it now. The old file may only have been renamed: it gets all that is in its log, and the log
 * goes, which would do damage beside another database.
 *
 * A damaged file is moved aside for whoever wants to look at it, in place of one that was moved
 * aside before, so that a failing disk cannot fill itself with them.
 */
/* needs: write /var/lib/virtksm */
#define _GNU_SOURCE
#include "agent/error.h"
#include "agent/report/history_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Another program may hold the lock for a moment. */
#define BUSY_MS 500

History *
history_new(const char *dir)
{
    History *history = g_new0(History, 1);

    history->path = g_build_filename(dir, HISTORY_FILE, NULL);
    history->log_path = g_strconcat(history->path, "-wal", NULL);
    return history;
}

static void
close_database(History *history)
{
    sqlite3_close_v2(g_steal_pointer(&history->db));
}

void
history_free(History *history)
{
    if (!history)
        return;
    close_database(history);
    g_free(history->path);
    g_free(history->log_path);
    g_free(history->note);
    g_free(history);
}

char *
history_take_note(History *history)
{
    return g_steal_pointer(&history->note);
}

uint64_t
history_size_bytes(const History *history)
{
    GStatBuf st;

    return history->db && g_stat(history->path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Takes what there is to tell; what was there before is told, too. */
static void
add_note(History *history, char *note)
{
    g_autofree char *earlier = g_steal_pointer(&history->note);
    g_autofree char *later = note;

    history->note = earlier ? g_strdup_printf("%s; %s", earlier, later) : g_steal_pointer(&later);
}

/* What has this name now; nothing: zeros. */
static FileId
find_file(const char *path)
{
    struct stat status;

    if (lstat(path, &status) != 0)
        return (FileId){ 0, 0 };
    return (FileId){ status.st_dev, status.st_ino };
}

static bool
is_file(const FileId *id, const char *path)
{
    FileId found = find_file(path);

    return found.device == id->device && found.inode == id->inode;
}

/* What single domains save is not for everybody: the file is ours alone from the beginning. */
static bool
make_file(const History *history, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(history->path);
    int fd = -1;

    if (g_mkdir_with_parents(folder, 0700) == 0)
        fd = open(history->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0600);
    if (fd < 0) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_STATE, "cannot open %s: %s", history->path,
                    errno == ELOOP ? "it is a symbolic link" : g_strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

/* SQLite would refuse links on the way to the folder, too. */
static bool
open_database(History *history, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(history->path);
    char *resolved = realpath(folder, NULL);
    g_autofree char *path = resolved ? g_build_filename(resolved, HISTORY_FILE, NULL) : NULL;

    free(resolved);
    if (path && sqlite3_open_v2(path, &history->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW,
                                NULL) == SQLITE_OK)
        return true;
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_STATE, "cannot open %s: %s", history->path,
                history->db ? sqlite3_errmsg(history->db) : g_strerror(errno));
    return false;
}

static void
remove_older(const History *history)
{
    g_autofree char *folder = g_path_get_dirname(history->path);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        if (g_str_has_prefix(name, HISTORY_FILE ".corrupt-"))
            g_unlink(path);
    }
}

/* The log goes with its database: without it the last minutes would be missing there, and with
 * another one it would do damage. */
static bool
move_aside(History *history, const GError *why, GError **error)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time = g_date_time_format(now, "%Y%m%dT%H%M%SZ");
    g_autofree char *aside = g_strdup_printf("%s.corrupt-%s", history->path, time);
    g_autofree char *log_aside = g_strconcat(aside, "-wal", NULL);

    close_database(history);
    history->is_checked = false;
    remove_older(history);
    if (g_rename(history->log_path, log_aside) != 0 && errno != ENOENT) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_STATE, "%s; and it cannot be moved aside: %s",
                    why->message, g_strerror(errno));
        return false;
    }
    if (g_rename(history->path, aside) != 0) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_STATE, "%s; and it cannot be moved aside: %s",
                    why->message, g_strerror(errno));
        return false;
    }
    add_note(history,
             g_strdup_printf("the history was damaged (%s): it is now %s, and a new one has begun",
                             why->message, aside));
    return true;
}

static SchemaOutcome
try_open(History *history, GError **error)
{
    SchemaOutcome outcome;

    if (!make_file(history, error))
        return SCHEMA_FAILED;
    outcome = schema_peek(history->path, error);
    if (outcome != SCHEMA_READY)
        return outcome;
    outcome = SCHEMA_FAILED;
    /* Not after it is open: then one that is put in its place meanwhile would not be noticed. */
    history->database_id = find_file(history->path);
    if (open_database(history, error)) {
        sqlite3_busy_timeout(history->db, BUSY_MS);
        outcome = schema_prepare(history->db, !history->is_checked, error);
    }
    if (outcome != SCHEMA_READY)
        close_database(history);
    else
        history->log_id = find_file(history->log_path);
    return outcome;
}

/* Closes a database that is elsewhere, or is in place and has lost its log: in closing that one,
 * SQLite puts all of the log into it. */
static void
leave(History *history, bool is_in_place)
{
    add_note(history, g_strdup_printf("%s was removed or replaced while it was in use: the history "
                                      "goes on in what is there now",
                                      is_in_place ? history->log_path : history->path));
    if (!is_in_place) {
        sql_run(history->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL);
        /* Else it could remove a log that has come with what is there now. */
        sqlite3_db_config(history->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
    close_database(history);
    if (!is_in_place && is_file(&history->log_id, history->log_path))
        g_unlink(history->log_path);
    history->is_checked = false;
}

/* Lets go of a database that others do not find. */
static void
check_place(History *history)
{
    bool is_in_place = is_file(&history->database_id, history->path);

    if (!is_in_place || !is_file(&history->log_id, history->log_path))
        leave(history, is_in_place);
}

bool
history_open(History *history, GError **error)
{
    g_autoptr(GError) damage = NULL;
    SchemaOutcome outcome;

    if (history->db)
        check_place(history);
    if (history->db)
        return true;
    outcome = try_open(history, &damage);
    if (outcome == SCHEMA_DAMAGED) {
        if (!move_aside(history, damage, error))
            return false;
        g_clear_error(&damage);
        outcome = try_open(history, &damage);
    }
    if (outcome != SCHEMA_READY) {
        g_propagate_error(error, g_steal_pointer(&damage));
        return false;
    }
    history->is_checked = true;
    return true;
}

/* After a failure: a damaged file is moved aside, any other but a full one is opened anew. */
void
history_failed(History *history, const GError *why)
{
    int code = sqlite3_errcode(history->db);
    g_autoptr(GError) ignored = NULL;

    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        move_aside(history, why, &ignored);
    else if (code != SQLITE_FULL && code != SQLITE_BUSY)
        close_database(history);
}

bool
history_transact(History *history, HistoryWork work, gconstpointer data, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (sql_run(history->db, "BEGIN IMMEDIATE", &why) && work(history->db, data, &why) &&
        sql_run(history->db, "COMMIT", &why))
        return true;
    history_failed(history, why);
    if (history->db && !sqlite3_get_autocommit(history->db))
        sql_run(history->db, "ROLLBACK", NULL);
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
}
