/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold_change.c - asking libvirt for changes, and what becomes of them
 *
 * A change takes two turns of the loop: it is asked for in one, and libvirt's answer arrives in
 * another. In between the value is busy and nothing else is asked of it. What is on disk before
 * the change is enough to undo it: the number of the start, the value found, and the values
 * between which it may be when we are killed.
 *
 * Some answers take long: a QEMU hangs, and all that was asked behind it waits. What has not begun
 * by then is withdrawn, as if it had not been asked for; its domain may be asked again, and the
 * connection goes round the call that hangs. What has begun stays busy until there is an answer,
 * but nobody else waits for it.
 *
 * What is wished while a value is busy has to be wished again, which policy does at its next
 * decision. Only more for a balloon does not wait for that: its guest is short now.
 *
 * A balloon that is asked for something else while it moves goes on to what it was asked for
 * before, until its guest has heard of it: all between the two is ours until it has arrived.
 *
 * On the way back no guest is made smaller than it is: who has got more than was found keeps it.
 */
#include "agent/actuator/hold.h"

#include "agent/log.h"

/* Changes under way at once: libvirt answers other questions in between. */
#define BUSY_MAX 64
/* An answer that takes longer is late. By then the connection goes round a call that hangs. */
#define LATE_US UINT64_C(3000000)
/* A guest that is given memory back takes no longer to begin, or it does not move at all. */
#define BACK_US UINT64_C(10000000)

static uint64_t
now_us(void)
{
    return (uint64_t)g_get_monotonic_time();
}

/* --- wishes ----------------------------------------------------------------------------- */

void
hold_unwish(Hold *hold)
{
    if (hold)
        hold->wish_bytes = VALUE_UNKNOWN;
}

bool
hold_waits(const Hold *hold)
{
    return hold && is_known(hold->wish_bytes);
}

bool
hold_is_driven(const Hold *hold)
{
    return hold && hold->state == HOLD_OURS && !hold->is_way_back;
}

bool
hold_goes_back(const Hold *hold, uint64_t bytes)
{
    return hold && hold->state == HOLD_OURS && hold->is_way_back &&
           now_us() - hold->asked_us < BACK_US &&
           !change_is_reached(CHANGE_BALLOON, bytes, hold->want_bytes);
}

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
 * Where the value may be when we are killed before libvirt has answered. A balloon may be anywhere
 * between its last figure and our last change; after a change of which nothing is certain, anywhere
 * that we know of.
 */
static void
widen(const HoldTable *table, Hold *hold, uint64_t bytes, uint64_t want)
{
    ChangeKnown *known = &hold->known;
    bool is_certain = table->kind != CHANGE_BALLOON || !hold->is_unsure;
    uint64_t shown = table->kind == CHANGE_BALLOON ? bytes : known->wrote_bytes;
    uint64_t least = min_u64(min_u64(shown, known->wrote_bytes), want);
    uint64_t most = max_u64(max_u64(shown, known->wrote_bytes), want);

    known->least_bytes = is_certain ? least : min_u64(least, known->least_bytes);
    known->most_bytes = is_certain ? most : max_u64(most, known->most_bytes);
    known->wrote_bytes = want;
}

static bool
may_ask(const HoldTable *table, const Hold *hold)
{
    return (hold->state == HOLD_IDLE || hold->state == HOLD_OURS) && !hold->is_busy &&
           hold->odd_us == 0 && hold_may_try(hold) && table->busy < BUSY_MAX;
}

static void
begin_change(HoldTable *table, Hold *hold, uint64_t want)
{
    hold->before = hold->known;
    hold->want_bytes = want;
    hold->turn = change_turn_new();
    hold->asked_us = now_us();
    hold->is_busy = true;
    table->busy++;
}

bool
hold_wish(HoldTable *table, Hold *hold, uint64_t bytes, uint64_t want)
{
    hold->wish_bytes = want;
    hold->goes_on = true;
    if (!may_ask(table, hold))
        return false;
    if (is_in_force(table, hold, bytes, want)) {
        hold->wish_bytes = VALUE_UNKNOWN;
        return false;
    }
    /* Other values are one of two: first it has to be certain which. */
    if (hold->is_unsure && table->kind != CHANGE_BALLOON)
        want = hold->known.wrote_bytes;
    hold->is_new = hold->state == HOLD_IDLE;
    if (hold->is_new)
        hold->known = (ChangeKnown){ bytes, bytes, bytes, bytes };
    begin_change(table, hold, want);
    widen(table, hold, bytes, want);
    hold->state = HOLD_OURS;
    hold->kept_bytes = VALUE_UNKNOWN;
    hold->is_way_back = false;
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

void
hold_end_change(HoldTable *table, Hold *hold)
{
    if (hold->turn)
        change_turn_withdraw(hold->turn);
    g_clear_pointer(&hold->turn, change_turn_unref);
    table->busy -= !hold->is_late;
    hold->is_busy = hold->is_late = false;
}

/* It has not happened, through no fault of the domain's. */
static void
put_off(HoldTable *table, Hold *hold, const char *detail)
{
    hold_end_change(table, hold);
    take_back(table, hold);
    hold->result = APPLY_RETRY;
    g_free(hold->detail);
    hold->detail = g_strdup(detail);
}

void
hold_look_late(HoldTable *table, Hold *hold)
{
    if (!hold->is_busy || hold->is_late || now_us() - hold->asked_us < LATE_US)
        return;
    if (hold->turn && change_turn_withdraw(hold->turn)) {
        put_off(table, hold, "libvirt is busy with another domain");
        return;
    }
    hold->is_late = true;
    table->busy--;
}

/* --- asking ----------------------------------------------------------------------------- */

static void
ask(HoldTable *table, Hold *hold)
{
    Change change = { table->kind, { 0 }, hold->id, hold->before, hold->want_bytes, hold->turn };

    g_strlcpy(change.uuid, hold->uuid, sizeof(change.uuid));
    if (table->changer.ask(table->changer.user, &change, hold_take_outcome, table))
        return;
    put_off(table, hold, "libvirt is not connected"); /* which is said by the connection */
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

        hold_end_change(table, hold);
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
    for (guint i = 0; i < table->pending->len; i++)
        ask(table, g_ptr_array_index(table->pending, i));
    g_ptr_array_set_size(table->pending, 0);
    return true;
}

/* --- the way back ----------------------------------------------------------------------- */

/* What is to be in force when we are gone. */
static uint64_t
back_bytes(const HoldTable *table, const Hold *hold)
{
    return table->kind == CHANGE_BALLOON ? max_u64(hold->known.found_bytes, hold->known.wrote_bytes)
                                         : hold->known.found_bytes;
}

/* Nothing of it is ours any more. */
static void
let_go(HoldTable *table, Hold *hold)
{
    g_autofree char *kept = hold_value_text(table, back_bytes(table, hold));
    g_autofree char *found = hold_value_text(table, hold->known.found_bytes);

    hold_record_drop(table, hold);
    hold->state = HOLD_IDLE;
    hold->lease_us = 0;
    hold->wish_bytes = VALUE_UNKNOWN;
    if (back_bytes(table, hold) == hold->known.found_bytes)
        return;
    hold->kept_bytes = back_bytes(table, hold);
    if (!table->closing) /* else it is a part of the note */
        log_info("%s: %s: the %s stays at %s, more than the %s that were found: its guest has "
                 "got more since",
                 table->group, hold->name, table->noun, kept, found);
}

Change
hold_change_back(const HoldTable *table, const Hold *hold)
{
    Change change = { table->kind, { 0 }, hold->id, hold->known, back_bytes(table, hold), NULL };

    g_strlcpy(change.uuid, hold->uuid, sizeof(change.uuid));
    return change;
}

/* Whether there is nothing to ask for: a guest that has got more, or one that is on its way. */
static bool
is_back_already(const HoldTable *table, const Hold *hold)
{
    return hold->state == HOLD_OURS && table->kind == CHANGE_BALLOON && !hold->is_unsure &&
           change_is_reached(table->kind, hold->known.wrote_bytes, back_bytes(table, hold));
}

/* Where a balloon may be from now on, also if we are killed before it has arrived. What the worker
 * finds next to the change has to be where it may be now. */
static void
note_way_back(HoldTable *table, Hold *hold)
{
    if (table->kind != CHANGE_BALLOON)
        return;
    hold->known.least_bytes = min_u64(hold->known.least_bytes, hold->want_bytes);
    hold->known.most_bytes = max_u64(hold->known.most_bytes, hold->want_bytes);
    hold_record_put(table, hold);
}

bool
hold_is_early(const HoldTable *table)
{
    return table->after && originals_has_group(table->originals, table->after);
}

void
hold_give_back(HoldTable *table, Hold *hold)
{
    if (hold->state != HOLD_OURS && hold->state != HOLD_LEFT)
        return;
    if (table->is_last && hold_is_early(table))
        return;
    if (hold->state == HOLD_LEFT && !hold->is_busy && !hold_record_confirm(table, hold))
        return;
    /* libvirt may still be setting it: that takes as long as the kernel takes to reclaim. */
    if (table->lift)
        table->lift(table->root_fd, hold);
    hold_look_late(table, hold);
    if (hold->is_busy)
        return;
    if (is_back_already(table, hold)) {
        if (table->closing || hold->known.wrote_bytes > hold->known.found_bytes)
            let_go(table, hold);
        return;
    }
    if (!table->closing && (!hold_may_try(hold) || table->busy >= BUSY_MAX))
        return;
    hold->is_new = false;
    hold->is_way_back = true;
    hold->wish_bytes = VALUE_UNKNOWN;
    begin_change(table, hold, back_bytes(table, hold));
    ask(table, hold);
    if (hold->is_busy)
        note_way_back(table, hold);
}

/* --- answers ---------------------------------------------------------------------------- */

/* A balloon that was still on its way to an earlier target goes on there until its guest has heard
 * of the new one. All others are in force at once. */
static void
note_range(const HoldTable *table, Hold *hold, uint64_t found)
{
    ChangeKnown *known = &hold->known;
    uint64_t least = min_u64(found, hold->want_bytes);
    uint64_t most = max_u64(found, hold->want_bytes);
    bool goes_on = table->kind == CHANGE_BALLOON;

    known->least_bytes = goes_on ? min_u64(least, known->least_bytes) : least;
    known->most_bytes = goes_on ? max_u64(most, known->most_bytes) : most;
    known->wrote_bytes = hold->want_bytes;
}

/* libvirt has taken it. */
static void
take_done(HoldTable *table, Hold *hold, const ChangeOutcome *outcome)
{
    bool is_back = hold->is_way_back || hold->want_bytes == hold->known.found_bytes;

    hold_succeed(hold);
    note_range(table, hold, known_or(outcome->found_bytes, hold->want_bytes));
    hold->changed_us = now_us();
    hold->is_unsure = false;
    hold->state = HOLD_OURS;
    if (hold->wish_bytes == hold->want_bytes)
        hold->wish_bytes = VALUE_UNKNOWN;
    /* All but balloons are in force at once; one that is not waited for gets there by itself. */
    if (is_back && (table->kind != CHANGE_BALLOON || table->closing))
        let_go(table, hold);
}

static void
take_foreign(HoldTable *table, Hold *hold, uint64_t bytes)
{
    if (hold->is_new) {
        /* We have changed nothing yet: what we took for the value found was old. */
        take_back(table, hold);
        hold->foreign_bytes = bytes;
        hold->result = APPLY_RETRY;
    } else if (hold_is_own_doing(table, hold, bytes)) {
        hold->before.most_bytes = bytes;
        take_back(table, hold);
        hold->result = APPLY_RETRY;
    } else {
        hold_enter_foreign(table, hold, bytes);
    }
}

static void
take_failure(HoldTable *table, Hold *hold, const ChangeOutcome *outcome)
{
    bool is_refused = outcome->result == CHANGE_REFUSED;

    if (is_refused) {
        if (hold->state == HOLD_OURS)
            take_back(table, hold);
        hold->wish_bytes = VALUE_UNKNOWN;
    }
    hold->is_unsure = !is_refused;
    hold->is_given_up = table->closing;
    hold_fail(table, hold, is_refused ? APPLY_REFUSED : APPLY_RETRY,
              outcome->detail ? outcome->detail : "libvirt gave no reason");
}

/* A record that cannot be written is told at the next decision, which asks again. */
static gboolean
flush_now(gpointer data)
{
    HoldTable *table = data;

    table->flush_id = 0;
    if (table->closing)
        hold_drop_pending(table);
    else
        hold_flush(table, NULL);
    return G_SOURCE_REMOVE;
}

/* More for a balloon, that was wished meanwhile. Many answers may come in one turn of the loop: the
 * record is written once, after them. */
static void
go_on(HoldTable *table, Hold *hold, uint64_t bytes)
{
    if (table->closing || table->kind != CHANGE_BALLOON || !hold->goes_on || !hold_waits(hold) ||
        !is_known(bytes) || hold->wish_bytes <= hold->known.wrote_bytes)
        return;
    if (hold_wish(table, hold, bytes, hold->wish_bytes) && table->flush_id == 0)
        table->flush_id = g_idle_add_full(G_PRIORITY_DEFAULT, flush_now, table, NULL);
}

void
hold_take_outcome(const Change *change, const ChangeOutcome *outcome, gpointer user)
{
    HoldTable *table = user;
    Hold *hold = hold_find(table, change->uuid);

    if (!hold || hold->id != change->id || !hold->is_busy || hold->turn != change->turn)
        return;
    hold_end_change(table, hold);
    switch (outcome->result) {
    case CHANGE_DONE:
        take_done(table, hold, outcome);
        go_on(table, hold, outcome->found_bytes);
        return;
    case CHANGE_FOREIGN:
        take_foreign(table, hold, outcome->found_bytes);
        return;
    case CHANGE_GONE:
        take_back(table, hold);
        hold_end(table, hold);
        return;
    default:
        take_failure(table, hold, outcome);
    }
}
