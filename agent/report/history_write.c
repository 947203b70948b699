/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history_write.c - a minute is written, and joins its hour and its day */
#include "agent/report/history_internal.h"

/* A minute to write. */
typedef struct {
    const HistoryBatch *batch;              /* borrowed */
    sqlite3_stmt *find;                     /* owned; uuid -> id, name, when last seen */
    sqlite3_stmt *insert;                   /* owned; of a domain */
    sqlite3_stmt *update;                   /* owned; of a domain's name and sight */
    sqlite3_stmt *join[HISTORY_STEP_COUNT]; /* owned; figures to a row of each table */
} Writer;

static void
writer_clear(Writer *writer)
{
    sqlite3_finalize(writer->find);
    sqlite3_finalize(writer->insert);
    sqlite3_finalize(writer->update);
    for (HistoryStep step = 0; step < HISTORY_STEP_COUNT; step++)
        sqlite3_finalize(writer->join[step]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Writer, writer_clear)

/* What is known joins what is there, whichever of them is NULL. */
static char *
join_sql(HistoryStep step)
{
    size_t n;
    const HistoryColumn *columns = history_columns(&n);
    GString *sql = g_string_new(NULL);

    g_string_append_printf(sql, "INSERT INTO %s (start, domain, ", history_step_name(step));
    sql_append_columns(sql, "", "");
    g_string_append(sql, ") VALUES (?, ?");
    for (size_t i = 0; i < n; i++)
        g_string_append(sql, ", ?");
    g_string_append(sql, ") ON CONFLICT (start, domain) DO UPDATE SET ");
    for (size_t i = 0; i < n; i++) {
        const char *name = columns[i].name;

        g_string_append_printf(sql, "%s%s = coalesce(%s + excluded.%s, %s, excluded.%s)",
                               i > 0 ? ", " : "", name, name, name, name, name);
    }
    return g_string_free(sql, FALSE);
}

static bool
prepare(sqlite3 *db, Writer *writer, GError **error)
{
    for (HistoryStep step = 0; step < HISTORY_STEP_COUNT; step++) {
        g_autofree char *sql = join_sql(step);

        if (!sql_prepare(db, sql, &writer->join[step], error))
            return false;
    }
    return sql_prepare(db, "SELECT id, name, seen FROM domain WHERE uuid = ?", &writer->find,
                       error) &&
           sql_prepare(db, "INSERT INTO domain (uuid, name, seen) VALUES (?, ?, ?)",
                       &writer->insert, error) &&
           sql_prepare(db, "UPDATE domain SET name = ?, seen = ? WHERE id = ?", &writer->update,
                       error);
}

static void
bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

static bool
insert_domain(Writer *writer, const HistoryRecord *entry, int64_t *ret_id, GError **error)
{
    bind_text(writer->insert, 1, entry->uuid);
    bind_text(writer->insert, 2, entry->name);
    sqlite3_bind_int64(writer->insert, 3, writer->batch->start_s);
    if (!sql_done(writer->insert, error))
        return false;
    *ret_id = sqlite3_last_insert_rowid(sqlite3_db_handle(writer->insert));
    return true;
}

static bool
update_domain(Writer *writer, const HistoryRecord *entry, int64_t id, GError **error)
{
    bind_text(writer->update, 1, entry->name);
    sqlite3_bind_int64(writer->update, 2, writer->batch->start_s);
    sqlite3_bind_int64(writer->update, 3, id);
    return sql_done(writer->update, error);
}

/* The number of a domain, known before or not. */
static bool
resolve(Writer *writer, const HistoryRecord *entry, int64_t *ret_id, GError **error)
{
    bool is_stale;
    int64_t age_s;
    int64_t id;
    int code;

    bind_text(writer->find, 1, entry->uuid);
    code = sqlite3_step(writer->find);
    if (code != SQLITE_ROW) {
        bool failed = code != SQLITE_DONE && !sql_fail(sqlite3_db_handle(writer->find), error);

        sqlite3_reset(writer->find);
        return !failed && insert_domain(writer, entry, ret_id, error);
    }
    id = sqlite3_column_int64(writer->find, 0);
    age_s = writer->batch->start_s - sqlite3_column_int64(writer->find, 2);
    is_stale = age_s >= HISTORY_SEEN_GRAIN_S || age_s <= -HISTORY_SEEN_GRAIN_S ||
               g_strcmp0((const char *)sqlite3_column_text(writer->find, 1), entry->name) != 0;
    sqlite3_reset(writer->find);
    if (is_stale && !update_domain(writer, entry, id, error))
        return false;
    *ret_id = id;
    return true;
}

static int64_t
floor_to(int64_t time_s, int64_t length_s)
{
    int64_t into_s = time_s % length_s;

    return time_s - (into_s < 0 ? into_s + length_s : into_s);
}

static bool
join_entry(Writer *writer, HistoryStep step, const HistoryRecord *entry, int64_t id, GError **error)
{
    sqlite3_stmt *join = writer->join[step];
    size_t n;

    history_columns(&n);
    sqlite3_bind_int64(join, 1, floor_to(writer->batch->start_s, history_step_s(step)));
    sqlite3_bind_int64(join, 2, id);
    for (size_t i = 0; i < n; i++) {
        if (history_is_known(&entry->sums, i))
            sqlite3_bind_int64(join, (int)i + 3, entry->sums.values[i]);
        else
            sqlite3_bind_null(join, (int)i + 3);
    }
    return sql_done(join, error);
}

static bool
write_entries(sqlite3 *db, gconstpointer data, GError **error)
{
    g_auto(Writer) writer = { .batch = data };

    if (!prepare(db, &writer, error))
        return false;
    for (guint i = 0; i < writer.batch->entries->len; i++) {
        const HistoryRecord *entry = g_ptr_array_index(writer.batch->entries, i);
        int64_t id;

        if (!resolve(&writer, entry, &id, error))
            return false;
        for (HistoryStep step = 0; step < HISTORY_STEP_COUNT; step++)
            if (!join_entry(&writer, step, entry, id, error))
                return false;
    }
    return true;
}

/* What SQLite itself refuses to exceed. */
static bool
set_limit(sqlite3 *db, const HistoryLimits *limits, GError **error)
{
    g_autofree char *sql = NULL;
    int64_t page_bytes;
    int64_t pages;

    if (!sql_number(db, "PRAGMA page_size", &page_bytes, error))
        return false;
    sql = g_strdup_printf("PRAGMA max_page_count = %" G_GINT64_FORMAT,
                          (gint64)limits->size_bytes / MAX(page_bytes, 512));
    return sql_number(db, sql, &pages, error);
}

bool
history_write(History *history, const HistoryBatch *batch, const HistoryLimits *limits,
              GError **error)
{
    g_autoptr(GError) why = NULL;

    if (!history_open(history, error))
        return false;
    if (!set_limit(history->db, limits, &why)) {
        history_failed(history, why);
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    return history_transact(history, write_entries, batch, error);
}
