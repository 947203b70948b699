/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_restore.c - putting the settings of KSM back as they were found
 *
 * At a clean stop we know what we left in each file, so a value that somebody else has put there
 * since is recognised and stays. After a crash we do not know that, and all that is recorded goes
 * back. The record is removed only when everything in it has been dealt with, so whatever fails
 * can be tried again.
 *
 * When we yield to another writer, what it has not set itself goes back at once: it counts on KSM
 * as it was, and would not get far with a ksmd that we have put to sleep for an hour. What run was
 * cannot be told from what it wrote there, so that waits for the end, and so does the record.
 *
 * A run of 2 is an order rather than a setting: it gives every merged page its own copy. It is
 * repeated only if memory can hold the copies; a host that lives on what is merged is stopped
 * instead, which keeps the merged pages.
 */
#include "agent/actuator/ksm_internal.h"

#include "policy/arith.h"

/* Busy kernel files are asked again this often: at a stop there is no next tick. */
#define ATTEMPTS 3

/* Takes one knob from the record. Return: false if its text is none the kernel can have shown. */
static bool
load_one(KsmActuator *actuator, KsmKnob knob, GError **error)
{
    const char *name = ksm_knob_name(knob);
    g_autofree char *text = originals_get(actuator->originals, ksm_actuator.name, name);
    uint64_t value = VALUE_UNKNOWN;

    /* What a kernel has not was not recorded either. */
    if (text ? !ksm_knob_parse(knob, text, &value) : !ksm_knob_is_optional(knob)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "the recorded %s \"%s\" is no value of KSM, so nothing is written to the "
                    "kernel. Look at /sys/kernel/mm/ksm, set by hand what you want to keep, then "
                    "stop virtksmd and remove the record from the state directory",
                    name, text ? text : "(none)");
        return false;
    }
    ksm_knob_put(&actuator->initial, knob, value);
    actuator->touched[knob] = is_known(value);
    return true;
}

bool
ksm_load_originals(KsmActuator *actuator, GError **error)
{
    bool is_recorded = originals_has_group(actuator->originals, ksm_actuator.name);

    actuator->initial = ksm_nothing;
    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++) {
        actuator->touched[knob] = false;
        if (is_recorded && !load_one(actuator, knob, error))
            return false;
    }
    return true;
}

/* Puts on record what it lacks of @now. Return: what that is. */
static KsmKnobs
add_originals(KsmActuator *actuator, const KsmKnobs *now)
{
    const char *group = ksm_actuator.name;
    KsmKnobs added = ksm_nothing;

    if (!originals_has_group(actuator->originals, group))
        actuator->initial = ksm_nothing;
    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++) {
        uint64_t value = ksm_knob_of(now, knob);

        if (is_known(value) && !is_known(ksm_knob_of(&actuator->initial, knob))) {
            g_autofree char *text = ksm_knob_text(knob, value);

            originals_set(actuator->originals, group, ksm_knob_name(knob), text);
            ksm_knob_put(&added, knob, value);
            ksm_knob_put(&actuator->initial, knob, value);
        }
    }
    return added;
}

/* Takes the knobs of @added out of the record again. */
static void
forget_originals(KsmActuator *actuator, const KsmKnobs *added)
{
    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++) {
        if (is_known(ksm_knob_of(added, knob)))
            originals_drop(actuator->originals, ksm_actuator.name, ksm_knob_name(knob));
    }
}

/* Whether the files still show @now. */
static bool
is_still(const KsmActuator *actuator, const KsmKnobs *now, GError **error)
{
    KsmKnobs later;

    if (ksm_knobs_read(actuator->root_fd, &later, error) != APPLY_UNCHANGED)
        return false;
    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++) {
        uint64_t value = ksm_knob_of(&later, knob);
        g_autofree char *text = NULL;

        if (value == ksm_knob_of(now, knob) || !is_known(value) || !ksm_is_telling(now, knob))
            continue;
        text = ksm_knob_text(knob, value);
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN,
                    "another program has set %s to %s just now: that counts as found",
                    ksm_knob_name(knob), text);
        return false;
    }
    return true;
}

ApplyResult
ksm_keep_originals(KsmActuator *actuator, const KsmKnobs *now, GError **error)
{
    KsmKnobs before = actuator->initial;
    KsmKnobs added = add_originals(actuator, now);
    bool is_saved = originals_save(actuator->originals, error);

    if (is_saved && (ksm_is_nothing(&added) || is_still(actuator, now, error)))
        return APPLY_UNCHANGED;
    forget_originals(actuator, &added);
    actuator->initial = before;
    if (!is_saved)
        return APPLY_REFUSED;
    originals_save(actuator->originals, NULL); /* if not now, with the next record */
    return APPLY_RETRY;
}

/* Whether somebody else has set @knob after us, to something that is not the original either. */
static bool
is_theirs(const KsmActuator *actuator, const KsmKnobs *now, KsmKnob knob)
{
    uint64_t ours = ksm_knob_of(&actuator->held, knob);
    uint64_t found = ksm_knob_of(now, knob);

    return ksm_is_telling(now, knob) && is_known(ours) && found != ours &&
           found != ksm_knob_of(&actuator->initial, knob);
}

static void G_GNUC_PRINTF(2, 3) add_note(GString *note, const char *format, ...)
{
    va_list args;

    if (note->len > 0)
        g_string_append(note, "; ");
    va_start(args, format);
    g_string_append_vprintf(note, format, args);
    va_end(args);
}

/* Whether putting @knob back makes the kernel overwrite what somebody else has set: going on, the
 * advisor takes pages_to_scan over. */
static bool
would_overwrite(const KsmActuator *actuator, const KsmKnobs *now, KsmKnob knob)
{
    return knob == KSM_KNOB_ADVISOR && now->advisor == 0 && actuator->initial.advisor == 1 &&
           is_theirs(actuator, now, KSM_KNOB_PAGES);
}

/* The value that @knob goes back to; VALUE_UNKNOWN if it stays, for a reason added to @note. */
static uint64_t
way_back(const KsmActuator *actuator, const KsmKnobs *now, KsmKnob knob, GString *note)
{
    if (!actuator->touched[knob])
        return VALUE_UNKNOWN;
    if (is_theirs(actuator, now, knob)) {
        g_autofree char *text = ksm_knob_text(knob, ksm_knob_of(now, knob));

        add_note(note, "%s stays at %s: another program has set it", ksm_knob_name(knob), text);
        return VALUE_UNKNOWN;
    }
    if (would_overwrite(actuator, now, knob)) {
        add_note(note, "advisor_mode stays off: it would move pages_to_scan");
        return VALUE_UNKNOWN;
    }
    return ksm_knob_of(&actuator->initial, knob);
}

static KsmKnobs
plan_restore(const KsmActuator *actuator, const KsmKnobs *now, GString *note)
{
    KsmKnobs target = ksm_nothing;

    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++)
        ksm_knob_put(&target, knob, way_back(actuator, now, knob, note));
    /* The advisor stays on, so the batch size is its own business. */
    if (now->advisor == 1 && target.advisor != 0)
        target.pages_to_scan = VALUE_UNKNOWN;
    if (target.run == KSM_RUN_UNMERGE && now->run != KSM_RUN_UNMERGE &&
        !ksm_unmerge_fits(actuator->root_fd)) {
        target.run = KSM_RUN_STOP;
        add_note(note, "run is 0 instead of 2: memory cannot hold all merged pages");
    }
    return target;
}

static bool
move_back(KsmActuator *actuator, const KsmKnobs *target, GError **error)
{
    ApplyResult result = APPLY_RETRY;
    GError *fault = NULL;

    for (int i = 0; i < ATTEMPTS && result == APPLY_RETRY; i++) {
        g_clear_error(&fault);
        result = ksm_move(actuator, target, &fault);
    }
    if (fault)
        g_propagate_error(error, fault);
    return result == APPLY_DONE || result == APPLY_UNCHANGED;
}

static bool
restore_knobs(KsmActuator *actuator, GString *note, GError **error)
{
    KsmKnobs target;
    KsmKnobs now;

    if (ksm_knobs_read(actuator->root_fd, &now, error) != APPLY_UNCHANGED)
        return false;
    target = plan_restore(actuator, &now, note);
    return move_back(actuator, &target, error);
}

bool
ksm_step_aside(KsmActuator *actuator, const KsmKnobs *now, GError **error)
{
    g_autoptr(GString) note = g_string_new(NULL); /* nobody asks: it is about the end */
    KsmKnobs target = ksm_nothing;

    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++) {
        uint64_t ours = ksm_knob_of(&actuator->held, knob);

        if (knob != KSM_KNOB_RUN && ksm_is_telling(now, knob) && is_known(ours) &&
            ours == ksm_knob_of(now, knob))
            ksm_knob_put(&target, knob, way_back(actuator, now, knob, note));
    }
    return move_back(actuator, &target, error);
}

/* Puts back what is recorded and removes the record. */
static bool
restore_recorded(KsmActuator *actuator, GString *note, GError **error)
{
    Originals *originals = actuator->originals;

    if (actuator->state == KSM_ACTUATOR_DAMAGED ||
        actuator->state == KSM_ACTUATOR_STATE_UNWRITABLE) {
        g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, actuator->text);
        return false;
    }
    if (!originals_prepare(originals, error) || !ksm_claim(actuator, error) ||
        !restore_knobs(actuator, note, error)) {
        g_prefix_error(error, "KSM is not as it was found; try virtksmd --restore: ");
        return false;
    }
    originals_drop(originals, ksm_actuator.name, NULL);
    if (originals_save(originals, error))
        return true;
    g_prefix_error(error, "KSM is as it was found, but its record stays: ");
    return false;
}

bool
ksm_actuator_restore(KsmActuator *actuator, char **ret_note, GError **error)
{
    g_autoptr(GString) note = g_string_new(NULL);

    if (actuator->options.dry_run) {
        *ret_note = NULL;
        return true;
    }
    if (actuator->state == KSM_ACTUATOR_STATE_UNWRITABLE)
        ksm_actuator_open(actuator);
    if (originals_has_group(actuator->originals, ksm_actuator.name) &&
        !restore_recorded(actuator, note, error))
        return false;
    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++)
        actuator->touched[knob] = false;
    actuator->held = ksm_nothing;
    ksm_unclaim(actuator);
    *ret_note = note->len > 0 ? g_strdup(note->str) : NULL;
    return true;
}

/* --restore, once the lock is ours. */
static bool
restore_loaded(int root_fd, Originals *originals, char **ret_note, GError **error)
{
    static const KsmActuatorOptions options = { false, false };
    g_autofree char *note = NULL;
    KsmActuator actuator;
    bool ok;

    ksm_actuator_init(&actuator, root_fd, originals, &options);
    ok = ksm_load_originals(&actuator, error) && ksm_actuator_restore(&actuator, &note, error);
    ksm_actuator_done(&actuator);
    if (ok)
        *ret_note =
            g_strdup_printf("KSM is as it was found%s%s", note ? ", but " : "", note ? note : "");
    return ok;
}

bool
ksm_actuator_restore_from_disk(int root_fd, Originals *originals, char **ret_note, GError **error)
{
    if (originals->outcome == ORIGINALS_EMPTY) {
        *ret_note = g_strdup("nothing to restore");
        return true;
    }
    if (!originals_prepare(originals, error))
        return false;
    if (originals->outcome == ORIGINALS_OLD_BOOT) {
        if (!originals_discard(originals, error))
            return false;
        *ret_note = g_strdup("nothing to restore: the record was of an earlier boot, and the "
                             "reboot has reset KSM; the record has been removed");
        return true;
    }
    if (!originals_has_group(originals, ksm_actuator.name)) {
        *ret_note = g_strdup("KSM: nothing to restore");
        return true;
    }
    return restore_loaded(root_fd, originals, ret_note, error);
}
