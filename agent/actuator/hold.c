/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold.c - values of running domains that we have changed, and the way back
 *
 *            hold_wish: recorded, then asked for          taken
 *     IDLE --------------------------------------> OURS <-------+
 *      ^  ^                                         |  +--------+
 *      |  |         given back, and in force        |
 *      |  +-----------------------------------------+
 *      |            not what we know                v
 *      +---- told to go on, or restarted ------- FOREIGN
 *
 * A change takes two turns of the loop: it is asked for in one, and libvirt's answer arrives in
 * another. In between the value is busy and nothing else is asked of it. What is on disk before
 * the change is enough to undo it: the number of the start, the value found, and the two values
 * between which it may be when we are killed.
 *
 * Nobody is fought. The value in force is held against what we know twice: with the facts of each
 * decision (hold_look.c), and in the worker (change.c) next to the change itself.
 *
 * A domain whose changes fail is left alone for a while, so that it costs neither time nor log.
 */
#include "agent/actuator/hold.h"

#include "agent/log.h"

/* Failures after which a domain is left alone, and for how long. */
#define FAILURES_MAX 3
#define PAUSE_US     UINT64_C(300000000)
/* Changes under way at once: libvirt answers other questions in between. */
#define BUSY_MAX 64

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
    g_free(hold);
}

void
hold_table_init(HoldTable *table)
{
    /* The key is the value's own uuid, freed with it. */
    table->by_uuid = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, hold_free);
    table->pending = g_ptr_array_new();
    table->busy = 0;
    table->closing = false;
}

void
hold_table_done(HoldTable *table)
{
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
    return hold_bytes_text(value);
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
    hold->result = APPLY_UNCHANGED;
    hold->foreign_bytes = VALUE_UNKNOWN;
    hold->is_seen = true;
    g_hash_table_replace(table->by_uuid, hold->uuid, hold);
    return hold;
}

void
hold_remove(HoldTable *table, Hold *hold)
{
    if (hold->is_busy)
        table->busy--; /* nobody waits for that answer any more */
    hold_record_drop(table, hold);
    g_ptr_array_remove(table->pending, hold);
    g_hash_table_remove(table->by_uuid, hold->uuid);
}

/* --- failures --------------------------------------------------------------------------- */

bool
hold_may_try(const Hold *hold)
{
    return now_us() >= hold->resume_us;
}

void
hold_fail(HoldTable *table, Hold *hold, ApplyResult result, const char *detail)
{
    bool is_news = g_strcmp0(detail, hold->detail) != 0;

    hold->result = result;
    hold->failures++;
    if (hold->failures >= FAILURES_MAX || result == APPLY_REFUSED)
        hold->resume_us = now_us() + PAUSE_US;
    if (is_news || hold->failures == FAILURES_MAX)
        log_warning("%s: %s: %s%s", table->group, hold->name, detail,
                    hold_may_try(hold) ? "" : "; left alone for 5 minutes");
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

/* --- changes ---------------------------------------------------------------------------- */

static bool
is_in_force(const HoldTable *table, const Hold *hold, uint64_t bytes, uint64_t want)
{
    if (hold->is_unsure)
        return false;
    if (table->kind != CHANGE_BALLOON || hold->state == HOLD_IDLE)
        return change_is_reached(table->kind, bytes, want);
    /* The device knows its target, and tells it to a driver that comes later, too. */
    return change_is_reached(table->kind, hold->known.wrote_bytes, want);
}

/*
 * Where the value may be when we are killed before libvirt has answered: figures can be older than
 * our last change, so what they show and what we have written count both. Of a balloon, the one
 * that is farther from @want has the other on the way.
 */
static uint64_t
way_begins(const HoldTable *table, const Hold *hold, uint64_t bytes, uint64_t want)
{
    uint64_t wrote = hold->known.wrote_bytes;

    if (table->kind != CHANGE_BALLOON)
        return wrote;
    return max_u64(wrote, want) - min_u64(wrote, want) > max_u64(bytes, want) - min_u64(bytes, want)
               ? wrote
               : bytes;
}

/*
 * Whether a balloon may be on either side of what is wanted now, between its last figure and our
 * last change: two values cannot tell where it may be then, so it has to get on first. To stop it
 * where it is, or to turn it round, needs no waiting.
 */
static bool
is_in_between(const HoldTable *table, const Hold *hold, uint64_t bytes, uint64_t want)
{
    uint64_t wrote = hold->known.wrote_bytes;

    return table->kind == CHANGE_BALLOON && hold->state == HOLD_OURS && !hold->is_unsure &&
           want > min_u64(wrote, bytes) && want < max_u64(wrote, bytes);
}

bool
hold_wish(HoldTable *table, Hold *hold, uint64_t bytes, uint64_t want)
{
    bool is_grant = table->kind == CHANGE_BALLOON && want > hold->known.wrote_bytes;

    /* First it has to be certain where it stands; but nobody who is to be given more is asked to
     * go down first. */
    if (hold->is_unsure && !is_grant)
        want = hold->known.wrote_bytes;
    if (hold->is_busy || hold->state == HOLD_LEFT || hold->state == HOLD_FOREIGN ||
        hold->odd_us > 0 || !hold_may_try(hold) || table->busy >= BUSY_MAX ||
        is_in_force(table, hold, bytes, want) || is_in_between(table, hold, bytes, want))
        return false;
    hold->is_new = hold->state == HOLD_IDLE;
    if (hold->is_new)
        hold->known = (ChangeKnown){ bytes, bytes, bytes };
    hold->before = hold->known;
    if (!hold->is_unsure)
        hold->known.from_bytes = way_begins(table, hold, bytes, want);
    else if (is_grant)
        hold->known.from_bytes = min_u64(hold->known.from_bytes, hold->known.wrote_bytes);
    hold->known.wrote_bytes = want;
    hold->want_bytes = want;
    hold->state = HOLD_OURS;
    hold->is_busy = true;
    table->busy++;
    g_ptr_array_add(table->pending, hold);
    return true;
}

/* As if it had not been wanted. */
static void
take_back(HoldTable *table, Hold *hold)
{
    hold->known = hold->before;
    if (hold->is_new) {
        hold->state = HOLD_IDLE;
        hold_record_drop(table, hold);
    } else {
        hold_record_put(table, hold);
    }
}

static void
end_change(HoldTable *table, Hold *hold)
{
    hold->is_busy = false;
    table->busy--;
}

static void
ask(HoldTable *table, Hold *hold, const Change *change)
{
    if (table->changer.ask(table->changer.user, change, hold_take_outcome, table))
        return;
    end_change(table, hold);
    if (hold->state == HOLD_OURS)
        take_back(table, hold);
    /* No fault of the domain's, and said by the connection. */
    hold->result = APPLY_RETRY;
    g_free(hold->detail);
    hold->detail = g_strdup("libvirt is not connected");
    hold->is_given_up = table->closing;
}

/* What is wanted is on disk before it is asked for. */
static bool
record_pending(HoldTable *table, GError **error)
{
    if (table->pending->len > 0 && !originals_prepare(table->originals, error))
        return false;
    for (guint i = 0; i < table->pending->len; i++)
        hold_record_put(table, g_ptr_array_index(table->pending, i));
    return hold_record_save(table, error);
}

void
hold_drop_pending(HoldTable *table)
{
    for (guint i = 0; i < table->pending->len; i++) {
        Hold *hold = g_ptr_array_index(table->pending, i);

        end_change(table, hold);
        take_back(table, hold);
    }
    g_ptr_array_set_size(table->pending, 0);
}

bool
hold_flush(HoldTable *table, GError **error)
{
    if (!record_pending(table, error)) {
        hold_drop_pending(table);
        return false;
    }
    for (guint i = 0; i < table->pending->len; i++) {
        Hold *hold = g_ptr_array_index(table->pending, i);
        Change change = { table->kind, { 0 }, hold->id, hold->before, hold->want_bytes };

        g_strlcpy(change.uuid, hold->uuid, sizeof(change.uuid));
        ask(table, hold, &change);
    }
    g_ptr_array_set_size(table->pending, 0);
    return true;
}

Change
hold_change_back(const HoldTable *table, const Hold *hold)
{
    Change change = { table->kind, { 0 }, hold->id, hold->known, hold->known.found_bytes };

    g_strlcpy(change.uuid, hold->uuid, sizeof(change.uuid));
    return change;
}

void
hold_give_back(HoldTable *table, Hold *hold)
{
    Change change = hold_change_back(table, hold);

    if (hold->state != HOLD_OURS && hold->state != HOLD_LEFT)
        return;
    if (hold->state == HOLD_LEFT && !hold->is_busy && !hold_record_confirm(table, hold))
        return;
    /* libvirt may still be setting it: that takes as long as the kernel takes to reclaim. */
    if (table->lift)
        table->lift(table->root_fd, hold);
    if (hold->is_busy)
        return;
    if (!table->closing && (!hold_may_try(hold) || table->busy >= BUSY_MAX))
        return;
    /* It is on its way back. */
    if (!table->closing && hold->state == HOLD_OURS && table->kind == CHANGE_BALLOON &&
        is_in_force(table, hold, hold->known.from_bytes, hold->known.found_bytes))
        return;
    hold->before = hold->known;
    hold->want_bytes = hold->known.found_bytes;
    hold->is_new = false;
    hold->is_busy = true;
    table->busy++;
    ask(table, hold, &change);
}

/* libvirt has taken it. */
static void
take_done(HoldTable *table, Hold *hold, const ChangeOutcome *outcome)
{
    bool is_back = hold->want_bytes == hold->known.found_bytes;

    hold_succeed(hold);
    hold->known.from_bytes = outcome->found_bytes;
    hold->known.wrote_bytes = hold->want_bytes;
    hold->changed_us = now_us();
    hold->is_unsure = false;
    hold->state = HOLD_OURS;
    /* All but balloons are in force at once; one that is not waited for gets there by itself. */
    if (is_back && (table->kind != CHANGE_BALLOON || table->closing)) {
        hold_record_drop(table, hold);
        hold->state = HOLD_IDLE;
        hold->lease_us = 0;
    }
}

void
hold_take_outcome(const Change *change, const ChangeOutcome *outcome, gpointer user)
{
    HoldTable *table = user;
    Hold *hold = hold_find(table, change->uuid);

    if (!hold || hold->id != change->id || !hold->is_busy)
        return;
    end_change(table, hold);
    if (outcome->result == CHANGE_DONE) {
        take_done(table, hold, outcome);
    } else if (outcome->result == CHANGE_FOREIGN && hold->is_new) {
        /* We have changed nothing yet: what we took for the value found was old. */
        take_back(table, hold);
        hold->result = APPLY_RETRY;
    } else if (outcome->result == CHANGE_FOREIGN) {
        hold_enter_foreign(table, hold, outcome->found_bytes);
    } else if (outcome->result == CHANGE_GONE) {
        hold_remove(table, hold);
        return;
    } else {
        bool is_refused = outcome->result == CHANGE_REFUSED;

        if (is_refused && hold->state == HOLD_OURS)
            take_back(table, hold);
        hold->is_unsure = !is_refused;
        hold->is_given_up = table->closing;
        hold_fail(table, hold, is_refused ? APPLY_REFUSED : APPLY_RETRY,
                  outcome->detail ? outcome->detail : "libvirt gave no reason");
    }
}

/* Return: whether @hold is to be forgotten. */
static gboolean
sweep_one(gpointer key, gpointer value, gpointer data)
{
    HoldTable *table = data;
    Hold *hold = value;
    bool has_ended = !hold->is_seen && !hold->is_busy && hold->state != HOLD_LEFT;

    (void)key;
    hold->is_seen = false;
    if (has_ended)
        hold_record_drop(table, hold);
    return has_ended;
}

void
hold_sweep(HoldTable *table)
{
    g_autoptr(GList) holds = NULL;

    g_hash_table_foreach_remove(table->by_uuid, sweep_one, table);
    holds = g_hash_table_get_values(table->by_uuid);
    for (GList *item = holds; item; item = item->next)
        if (((Hold *)item->data)->state == HOLD_LEFT)
            hold_give_back(table, item->data);
}
