/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold_look.c - whether a value is still as we left it, and what it means if not
 *
 * Somebody else has set a value if it is none that we know of, in two readings: one may be older
 * than our last change. While a balloon is on its way it may be anywhere between two of ours; once
 * it has arrived only one value is ours. After a reboot of the guest, and where the device is
 * allowed to give way, it may be larger than we have set it without anybody having done so.
 */
#include "agent/actuator/hold.h"

#include "agent/log.h"

/* A rebooted guest has all its memory until its driver is there again. */
#define REBOOT_US UINT64_C(120000000)

void
hold_enter_foreign(HoldTable *table, Hold *hold, uint64_t bytes)
{
    g_autofree char *theirs = hold_value_text(table, bytes);
    g_autofree char *ours = hold_value_text(table, hold->known.wrote_bytes);
    g_autofree char *found = hold_value_text(table, hold->known.found_bytes);

    log_warning("%s: %s: the %s is %s, and virtksmd had set it to %s (found: %s): somebody else "
                "has changed it, so it is left alone until the domain's settings are made anew "
                "(virtksm set) or it is restarted",
                table->group, hold->name, table->noun, theirs, ours, found);
    hold->state = HOLD_FOREIGN;
    hold->foreign_bytes = bytes;
    hold->result = APPLY_REFUSED;
    hold_record_drop(table, hold);
}

/* Whether the guest itself can have made its balloon larger than we did. */
static bool
is_own_doing(const HoldTable *table, const Hold *hold, const Subject *subject, uint64_t bytes)
{
    uint64_t most = max_u64(hold->known.from_bytes, hold->known.wrote_bytes);

    if (table->kind != CHANGE_BALLOON || bytes <= most)
        return false;
    return subject->deflates ||
           (subject->rebooted_us > 0 &&
            (uint64_t)g_get_monotonic_time() - subject->rebooted_us < REBOOT_US);
}

static void
judge(HoldTable *table, Hold *hold, const Subject *subject, uint64_t bytes)
{
    if (change_is_known(table->kind, &hold->known, bytes) ||
        is_own_doing(table, hold, subject, bytes)) {
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
    if (hold->is_unsure || hold->known.from_bytes == hold->known.wrote_bytes ||
        !change_is_reached(table->kind, bytes, hold->known.wrote_bytes))
        return;
    hold->known.from_bytes = hold->known.wrote_bytes;
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

Hold *
hold_look(HoldTable *table, const Subject *subject, uint64_t bytes)
{
    Hold *hold = hold_find(table, subject->uuid);

    if (!hold)
        return NULL;
    if (subject->id >= 0 && hold->id != subject->id) {
        hold_remove(table, hold);
        return NULL;
    }
    hold->is_seen = true;
    if (!g_str_equal(hold->name, subject->name)) {
        g_free(hold->name);
        hold->name = g_strdup(subject->name);
    }
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

bool
hold_is_foreign(const HoldTable *table, const char *uuid)
{
    const Hold *hold = hold_find(table, uuid);

    return hold && hold->state == HOLD_FOREIGN;
}
