/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold.c - values of running domains that we have changed, and who has what
 *
 *            hold_wish: recorded, then asked for          taken
 *     IDLE --------------------------------------> OURS <-------+
 *      ^  ^                                         |  +--------+
 *      |  |         given back, and in force        |
 *      |  +-----------------------------------------+
 *      |            not what we know                v
 *      +---- told to go on, or restarted ------- FOREIGN
 *
 * How a change is asked for, and what becomes of it, is in hold_change.c.
 *
 * Nobody is fought. The value in force is held against what we know twice: with the facts of each
 * decision (hold_look.c), and in the worker (change.c) next to the change itself.
 *
 * A domain whose changes fail is left alone for a while, so that it costs neither time nor log.
 */
#include "agent/actuator/hold.h"

#include "agent/log.h"
#include "agent/virt/merge.h"

/* Failures after which a domain is left alone, and for how long. */
#define FAILURES_MAX 3
#define PAUSE_US     UINT64_C(300000000)
/* Domains that have ended with a value of ours: more are forgotten, the oldest first. */
#define ENDED_MAX 256

static uint64_t
now_us(void)
{
    return (uint64_t)g_get_monotonic_time();
}

static void
hold_free(gpointer data)
{
    Hold *hold = data;

    g_free(hold->uuid);
    g_free(hold->name);
    g_free(hold->detail);
    g_free(hold->cgroup);
    change_turn_unref(hold->turn);
    g_free(hold);
}

void
hold_table_init(HoldTable *table)
{
    /* The key is the value's own uuid, freed with it. */
    table->by_uuid = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, hold_free);
    table->pending = g_ptr_array_new();
    table->flush_id = 0;
    table->busy = 0;
    table->closing = false;
}

void
hold_table_done(HoldTable *table)
{
    g_clear_handle_id(&table->flush_id, g_source_remove);
    g_clear_pointer(&table->pending, g_ptr_array_unref);
    g_clear_pointer(&table->by_uuid, g_hash_table_destroy);
}

char *
hold_bytes_text(uint64_t bytes)
{
    if (bytes == LIMIT_NONE)
        return g_strdup("none");
    return g_strdup_printf("%.5g MiB", (double)bytes / (1 << 20));
}

char *
hold_value_text(const HoldTable *table, uint64_t value)
{
    if (table->kind == CHANGE_STATS_PERIOD)
        return g_strdup_printf("%" G_GUINT64_FORMAT " s", value);
    if (table->kind == CHANGE_MERGE)
        return g_strdup(value == MERGE_VALUE_OFF ? "off" : "on");
    return hold_bytes_text(value);
}

bool
hold_table_is_idle(const HoldTable *table)
{
    return g_hash_table_size(table->by_uuid) == 0 && !originals_is_dirty(table->originals);
}

Hold *
hold_find(const HoldTable *table, const char *uuid)
{
    return g_hash_table_lookup(table->by_uuid, uuid);
}

Hold *
hold_need(HoldTable *table, const Subject *subject)
{
    Hold *hold = hold_find(table, subject->uuid);

    if (hold)
        return hold;
    hold = g_new0(Hold, 1);
    hold->uuid = g_strdup(subject->uuid);
    hold->name = g_strdup(subject->name);
    hold->id = subject->id;
    hold->full_bytes = subject->maximum_bytes;
    hold->result = APPLY_UNCHANGED;
    hold->foreign_bytes = hold->kept_bytes = hold->wish_bytes = VALUE_UNKNOWN;
    hold->is_seen = true;
    g_hash_table_replace(table->by_uuid, hold->uuid, hold);
    return hold;
}

void
hold_remove(HoldTable *table, Hold *hold)
{
    if (hold->is_busy)
        hold_end_change(table, hold); /* nobody waits for that answer any more */
    hold_record_drop(table, hold);
    g_ptr_array_remove(table->pending, hold);
    g_hash_table_remove(table->by_uuid, hold->uuid);
}

bool
hold_end(HoldTable *table, Hold *hold)
{
    if (hold->state == HOLD_IDLE || hold->state == HOLD_FOREIGN) {
        hold_remove(table, hold);
        return false;
    }
    if (hold->state == HOLD_ENDED)
        return true;
    if (hold->is_busy)
        hold_end_change(table, hold);
    g_ptr_array_remove(table->pending, hold);
    hold->state = HOLD_ENDED;
    hold->wish_bytes = VALUE_UNKNOWN;
    hold_record_put(table, hold);
    return true;
}

/* --- failures --------------------------------------------------------------------------- */

bool
hold_may_try(const Hold *hold)
{
    return now_us() >= hold->resume_us;
}

bool
hold_is_refused(const Hold *hold)
{
    return hold && !hold_may_try(hold);
}

void
hold_fail(HoldTable *table, Hold *hold, ApplyResult result, const char *detail)
{
    bool is_news = g_strcmp0(detail, hold->detail) != 0;
    bool is_refused = result == APPLY_REFUSED;
    uint64_t pause_us = is_refused || table->again_us == 0 ? PAUSE_US : table->again_us;
    g_autofree char *pause =
        g_strdup_printf("; left alone for %" G_GUINT64_FORMAT " s", pause_us / 1000000);

    hold->result = result;
    hold->failures++;
    if (hold->failures >= FAILURES_MAX || is_refused)
        hold->resume_us = now_us() + pause_us;
    if (is_news || hold->failures == FAILURES_MAX)
        log_warning("%s: %s: %s%s", table->group, hold->name, detail,
                    hold_may_try(hold) ? "" : pause);
    g_free(hold->detail);
    hold->detail = g_strdup(detail);
}

void
hold_succeed(Hold *hold)
{
    hold->result = APPLY_DONE;
    hold->failures = 0;
    hold->resume_us = 0;
    g_clear_pointer(&hold->detail, g_free);
}

/* --- who is still there ----------------------------------------------------------------- */

/* @is_listed: whoever runs has been seen; before, who was there before us may be yet to come. */
static void
sweep_one(HoldTable *table, Hold *hold, bool is_listed)
{
    bool may_come = hold->is_loaded && !is_listed;
    bool has_ended = !hold->is_seen && !may_come && !hold->is_busy && hold->state != HOLD_LEFT &&
                     hold->state != HOLD_ENDED;
    bool is_awaited = hold->is_awaited;

    hold->is_seen = hold->is_awaited = false; /* both to be said again next time */
    if (has_ended)
        hold_end(table, hold);
    else if (hold->state == HOLD_LEFT && !is_awaited)
        hold_give_back(table, hold);
    else
        hold_look_late(table, hold);
}

/* Of those that have ended: the one that started first. */
static Hold *
find_oldest_ended(const HoldTable *table, guint *ret_n)
{
    GHashTableIter iter;
    gpointer value;
    Hold *oldest = NULL;

    *ret_n = 0;
    g_hash_table_iter_init(&iter, table->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Hold *hold = value;

        if (hold->state != HOLD_ENDED)
            continue;
        if (!oldest || hold->id < oldest->id)
            oldest = hold;
        (*ret_n)++;
    }
    return oldest;
}

void
hold_sweep(HoldTable *table, const Decided *decided)
{
    g_autoptr(GList) holds = g_hash_table_get_values(table->by_uuid);
    Hold *oldest;
    guint n;

    for (GList *item = holds; item; item = item->next)
        sweep_one(table, item->data, decided->is_listed);
    while ((oldest = find_oldest_ended(table, &n)) && n > ENDED_MAX)
        hold_remove(table, oldest);
}

ApplyResult
hold_end_apply(HoldTable *table, const Decided *decided, bool has_asked, GError **error)
{
    hold_sweep(table, decided);
    if (!hold_flush(table, error))
        return APPLY_RETRY;
    return has_asked ? APPLY_DONE : APPLY_UNCHANGED;
}
