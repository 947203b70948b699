/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold_look.c - whether a value is still as we left it, and what it means if not
 *
 * Somebody else has set a value if it is none that we know of, in two readings: one may be older
 * than our last change. While a balloon is on its way it may be anywhere between two of ours; once
 * it has arrived only one value is ours. After a reboot of the guest, and where the device is
 * allowed to give way, it may be larger than we have set it without anybody having done so.
 *
 * QEMU tells a balloon as all the memory that there is less what the balloon holds: a DIMM that is
 * plugged in or pulled out moves the figure by its size, and what we know of moves with it. Other
 * memory devices move the memory of the domain alone, and not the figure.
 *
 * A value lives on in the definition of a domain that is saved or migrated, and a later start comes
 * with it. So when a start has ended, what was ours is kept in mind, over a reboot as well: a later
 * start that shows just what we wrote has it from us, and what was found is put back.
 */
#include "agent/actuator/hold.h"

#include "agent/log_event.h"
#include "policy/arith.h"

/* A rebooted guest has all its memory from when its driver is there again, for so long at most:
 * that is when its balloon is first seen larger, or its statistics are new. */
#define DRIVER_US UINT64_C(120000000)
/* Until then its balloon does not move; no boot takes longer than this. */
#define BOOT_US UINT64_C(3600000000)

void
hold_enter_foreign(HoldTable *table, Hold *hold, uint64_t bytes)
{
    g_autofree char *theirs = hold_value_text(table, bytes);
    g_autofree char *ours = hold_value_text(table, hold->known.wrote_bytes);
    g_autofree char *found = hold_value_text(table, hold->known.found_bytes);

    log_event(LOG_EVENT_FOREIGN_CHANGE,
              "%s: %s: the %s is %s, and virtksmd had set it to %s (found: %s): somebody else "
              "has changed it, so %s",
              table->group, hold->name, table->noun, theirs, ours, found,
              table->adopts ? "that counts as found, and virtksmd goes on from there"
                            : "it is left alone until the domain's settings are made anew "
                              "(virtksm set) or it is restarted");
    hold->state = HOLD_FOREIGN;
    hold->foreign_bytes = bytes;
    hold->wish_bytes = VALUE_UNKNOWN;
    hold->result = APPLY_REFUSED;
    hold_record_put(table, hold);
}

/* Whether a balloon that is larger is that of a guest which has rebooted. */
static bool
is_booting(Hold *hold)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();

    if (hold->rebooted_us == 0)
        return false;
    if (hold->risen_us == 0 && now_us - hold->rebooted_us < BOOT_US)
        hold->risen_us = now_us;
    return hold->risen_us > 0 && now_us - hold->risen_us < DRIVER_US;
}

bool
hold_is_own_doing(const HoldTable *table, Hold *hold, uint64_t bytes)
{
    if (table->kind != CHANGE_BALLOON || bytes <= hold->known.most_bytes)
        return false;
    return hold->deflates || is_booting(hold);
}

static void
judge(HoldTable *table, Hold *hold, const Subject *subject, uint64_t bytes)
{
    /* The worker has to know of it too. */
    if (hold_is_own_doing(table, hold, bytes)) {
        hold->known.most_bytes = bytes;
        hold_record_put(table, hold);
    }
    if (change_is_known(table->kind, &hold->known, bytes)) {
        hold->odd_us = 0;
        return;
    }
    if (hold->odd_us == 0)
        hold->odd_us = subject->told_us;
    else if (subject->told_us > hold->odd_us)
        hold_enter_foreign(table, hold, bytes);
}

/* What has arrived is no longer on its way: from now on only one value is ours. */
static void
note_arrival(HoldTable *table, Hold *hold, uint64_t bytes)
{
    bool is_open = hold->known.least_bytes != hold->known.most_bytes;

    if (hold->is_unsure || !is_open ||
        !change_is_reached(table->kind, bytes, hold->known.wrote_bytes))
        return;
    hold->known.least_bytes = hold->known.most_bytes = hold->known.wrote_bytes;
    hold_record_put(table, hold);
}

static uint64_t
shift(uint64_t bytes, uint64_t from, uint64_t to)
{
    return to > from ? sat_add(bytes, to - from) : sat_sub(bytes, from - to);
}

/* A DIMM has come or gone. */
static void
follow_memory(HoldTable *table, Hold *hold, const Subject *subject, uint64_t bytes)
{
    uint64_t from = hold->full_bytes;
    uint64_t to = subject->maximum_bytes;
    const ChangeKnown *known = &hold->known;
    const ChangeKnown shifted = { shift(known->found_bytes, from, to),
                                  shift(known->least_bytes, from, to),
                                  shift(known->most_bytes, from, to),
                                  shift(known->wrote_bytes, from, to) };

    if (table->kind != CHANGE_BALLOON || hold->is_busy || !is_known(bytes) || to == 0)
        return;
    hold->full_bytes = to;
    if (hold->state != HOLD_OURS || from == 0 || from == to ||
        !change_is_known(table->kind, &shifted, bytes))
        return;
    log_info("%s: %s: its memory has changed from %g to %g MiB, and the %s with it", table->group,
             hold->name, (double)from / (1 << 20), (double)to / (1 << 20), table->noun);
    hold->known = shifted;
    hold_record_put(table, hold);
}

/* Whether the way back has come to its end. */
static bool
is_back(const HoldTable *table, const Hold *hold, uint64_t bytes)
{
    return !hold->is_unsure &&
           change_is_reached(table->kind, hold->known.wrote_bytes, hold->known.found_bytes) &&
           change_is_reached(table->kind, bytes, hold->known.found_bytes);
}

/*
 * Another start than the one that we know. Return: whether @hold is still there: as what has come
 * with it, or for as long as that is not known.
 */
static bool
follow_start(HoldTable *table, Hold *hold, const Subject *subject, uint64_t bytes)
{
    if (!hold_end(table, hold))
        return false;
    if (!is_known(bytes))
        return true;
    if (bytes != hold->known.wrote_bytes || bytes == hold->known.found_bytes) {
        hold_remove(table, hold);
        return false;
    }
    log_info("%s: %s: has come back with a %s that an earlier start of it had from virtksmd",
             table->group, subject->name, table->noun);
    hold->id = subject->id;
    hold->state = HOLD_LEFT;
    hold->known.least_bytes = hold->known.most_bytes = bytes;
    hold->is_unsure = false;
    g_clear_pointer(&hold->cgroup, g_free);
    hold_record_put(table, hold);
    return true;
}

Hold *
hold_look(HoldTable *table, const Subject *subject, uint64_t bytes)
{
    Hold *hold = hold_find(table, subject->uuid);

    if (!hold)
        return NULL;
    if (subject->id >= 0 && hold->id != subject->id && !follow_start(table, hold, subject, bytes))
        return NULL;
    hold->is_seen = true;
    hold->is_loaded = hold->goes_on = false;
    hold->deflates = subject->deflates;
    if (hold->rebooted_us != subject->rebooted_us)
        hold->risen_us = 0;
    hold->rebooted_us = subject->rebooted_us;
    if (subject->has_driver && hold->risen_us == 0)
        hold->risen_us = (uint64_t)g_get_monotonic_time();
    if (!g_str_equal(hold->name, subject->name)) {
        g_free(hold->name);
        hold->name = g_strdup(subject->name);
    }
    hold_look_late(table, hold);
    follow_memory(table, hold, subject, bytes);
    if (hold->is_busy || hold->state != HOLD_OURS || !is_known(bytes))
        return hold;
    if (is_back(table, hold, bytes)) {
        hold_record_drop(table, hold);
        hold->state = HOLD_IDLE;
        return hold;
    }
    note_arrival(table, hold, bytes);
    judge(table, hold, subject, bytes);
    return hold;
}

void
hold_forget_foreign(HoldTable *table, const char *uuid)
{
    Hold *hold = hold_find(table, uuid);

    if (hold && hold->state == HOLD_FOREIGN)
        hold_remove(table, hold);
}
