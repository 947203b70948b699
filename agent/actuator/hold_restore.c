/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold_restore.c - giving back all that we have changed, at the end and after it
 *
 * At a stop libvirt is still asked through the agent's connection, and the loop runs until it has
 * answered, but not for longer than an operator likes to wait. After a crash there is no agent: a
 * process of its own asks everything over one connection. In both cases what could not be given
 * back stays on record, so that it can be tried again.
 */
#include "agent/actuator/hold.h"

#include "agent/virt/conn.h"
#include "agent/virt/worker.h"

/* How long --restore waits for libvirt. */
#define NOW_LIMIT_US 20000000
/* How often a stop looks for answers that are late. */
#define LOOK_MS 200

static void
add_note(GString *note, const HoldTable *table, const Hold *hold)
{
    bool is_foreign = hold->state == HOLD_FOREIGN;
    g_autofree char *stays =
        hold_value_text(table, is_foreign ? hold->foreign_bytes : hold->kept_bytes);
    g_autofree char *found = hold_value_text(table, hold->known.found_bytes);

    g_string_append_printf(note, "%s%s: the %s stays at %s, ", note->len > 0 ? "; " : "",
                           hold->name, table->noun, stays);
    if (is_foreign)
        g_string_append(note, "which somebody else has set");
    else
        g_string_append_printf(note, "more than the %s that were found", found);
}

/* One of those that have not gone back, and how many these are; NULL: none. */
static const Hold *
find_left(const HoldTable *table, guint *ret_count)
{
    const Hold *left = NULL;
    GHashTableIter iter;
    gpointer value;

    *ret_count = 0;
    g_hash_table_iter_init(&iter, table->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Hold *hold = value;

        if (hold->state != HOLD_OURS && hold->state != HOLD_LEFT)
            continue;
        left = hold;
        (*ret_count)++;
    }
    return left;
}

/* Says what became of all. Return: whether nothing of ours is left. */
static bool
report(HoldTable *table, char **ret_note, GError **error)
{
    g_autoptr(GString) note = g_string_new(NULL);
    const Hold *left;
    GHashTableIter iter;
    gpointer value;
    guint n;

    g_hash_table_iter_init(&iter, table->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Hold *hold = value;

        if (hold->state == HOLD_FOREIGN || is_known(hold->kept_bytes))
            add_note(note, table, hold);
    }
    left = find_left(table, &n);
    if (left) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN,
                    "the %s of %u domains, of %s for one, is not as it was found (%s); try "
                    "virtksmd --restore",
                    table->noun, n, left->name, left->detail ? left->detail : "no answer in time");
        return false;
    }
    *ret_note = note->len > 0 ? g_strdup(note->str) : NULL;
    return true;
}

/* Return: whether what must go back before has done so, or nothing is left to go back. */
static bool
is_due(const HoldTable *table, GError **error)
{
    const Hold *left;
    guint n;

    if (!hold_is_early(table))
        return true;
    left = find_left(table, &n);
    if (!left)
        return true;
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN,
                "the %s of %u domains, of %s for one, stays as we have set it until %s is as it "
                "was found",
                table->noun, n, left->name, table->after);
    return false;
}

/* Asks for all that can be asked for. */
static void
give_all_back(HoldTable *table, bool is_first)
{
    g_autoptr(GList) holds = g_hash_table_get_values(table->by_uuid);

    for (GList *item = holds; item; item = item->next) {
        Hold *hold = item->data;

        hold->is_given_up = hold->is_given_up && !is_first;
        if (!hold->is_given_up)
            hold_give_back(table, hold);
    }
}

static bool
is_under_way(const HoldTable *table)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, table->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (((const Hold *)value)->is_busy)
            return true;
    return false;
}

/* Has the loop turn from time to time, to see who is late. */
static gboolean
look_again(gpointer unused)
{
    (void)unused;
    return G_SOURCE_CONTINUE;
}

/* Asks for what can be asked for by now. Return: whether an answer is waited for. */
static bool
is_giving_back(gpointer user)
{
    HoldTable *table = user;

    give_all_back(table, false);
    return is_under_way(table);
}

bool
hold_table_restore(HoldTable *table, gint64 limit_us, char **ret_note, GError **error)
{
    guint look;

    if (!is_due(table, error))
        return false;
    look = g_timeout_add(LOOK_MS, look_again, NULL);
    table->closing = true;
    give_all_back(table, true);
    worker_wait(is_giving_back, table, limit_us);
    g_source_remove(look);
    table->closing = false;
    if (!hold_record_save(table, error))
        return false;
    return report(table, ret_note, error);
}

bool
hold_row_restore(void *context, char **ret_note, GError **error)
{
    HoldTable *table = context;

    return hold_table_restore(table, table->restore_us, ret_note, error);
}

static GArray *
list_changes(HoldTable *table)
{
    GArray *changes = g_array_new(FALSE, TRUE, sizeof(Change));
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, table->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Hold *hold = value;
        Change change = hold_change_back(table, hold);

        if (hold->state != HOLD_LEFT)
            continue;
        if (table->lift)
            table->lift(table->root_fd, hold);
        hold->want_bytes = change.want_bytes;
        hold->is_busy = hold->is_way_back = true;
        table->busy++;
        g_array_append_val(changes, change);
    }
    return changes;
}

static guint
count_idle(const HoldTable *table)
{
    GHashTableIter iter;
    gpointer value;
    guint n = 0;

    g_hash_table_iter_init(&iter, table->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        n += ((const Hold *)value)->state == HOLD_IDLE &&
             !is_known(((const Hold *)value)->kept_bytes);
    return n;
}

bool
hold_table_restore_now(HoldTable *table, const char *uri, guint *ret_count, char **ret_note,
                       GError **error)
{
    g_autoptr(GArray) changes = NULL;
    ChangeBatch batch = { uri, NULL, NOW_LIMIT_US };

    *ret_count = 0;
    *ret_note = NULL;
    if (!is_due(table, error))
        return false;
    batch.changes = changes = list_changes(table);
    if (changes->len == 0)
        return true;
    table->closing = true;
    virt_prepare();
    if (!change_all_now(&batch, hold_take_outcome, table, error) || !hold_record_save(table, error))
        return false;
    *ret_count = count_idle(table);
    return report(table, ret_note, error);
}
