/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_apply.c - moving the settings of KSM towards what policy wants
 *
 * Nothing is written that is in place already, and nobody is fought:
 *
 *     held = what we wrote and read back, or found just as wanted
 *     a file shows something else than held  ->  somebody else wrote  ->  step aside, yield
 *
 * What a plan says nothing of is still held: a part of a probe moves one setting, and the others
 * are watched until the next.
 *
 * A sample can be older than our last write, so one that differs from held only raises the
 * suspicion; the files themselves decide. One that shows what is held is as good as the files, and
 * saves reading them near the end of a pass. While the kernel's advisor is on, pages_to_scan moves
 * by itself and proves nothing.
 *
 * Several settings are written in the order that works:
 *
 *     advisor off -> smart_scan -> use_zero_pages -> pages_to_scan -> sleep_millisecs -> run
 *                 -> advisor on
 *
 * The advisor must be off for pages_to_scan to be writable, and going off it resets that to 100;
 * going on, it takes pages_to_scan over, so it comes last. A write to sleep_millisecs wakes ksmd,
 * which should then find the new way of scanning, of zero pages too, and the new batch size. A
 * write to run waits for the batch at hand, so everything else is in place before.
 */
#include "agent/actuator/ksm_internal.h"

#include "agent/facts/rival.h"
#include "policy/arith.h"

#include <inttypes.h>

/* Where the advisor goes depends on its direction; these are always in this order. */
static const KsmKnob middle[] = { KSM_KNOB_SMART_SCAN, KSM_KNOB_ZERO_PAGES, KSM_KNOB_PAGES,
                                  KSM_KNOB_SLEEP, KSM_KNOB_RUN };

static bool
is_failure(ApplyResult result)
{
    return result != APPLY_DONE && result != APPLY_UNCHANGED;
}

/* Whether the kernel shows what it has just been given. */
static ApplyResult
verify(const KsmActuator *actuator, KsmKnob knob, uint64_t value, GError **error)
{
    uint64_t now;
    ApplyResult result = ksm_knob_read(actuator->root_fd, knob, &now, error);

    if (is_failure(result))
        return result;
    if (now == value)
        return APPLY_DONE;
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN,
                "wrote %" PRIu64 " to %s and read back %" PRIu64, value, ksm_knob_name(knob), now);
    return APPLY_RETRY;
}

static ApplyResult
move_one(KsmActuator *actuator, KsmKnob knob, uint64_t value, GError **error)
{
    ApplyResult result;

    if (!is_known(value))
        return APPLY_UNCHANGED;
    result = ksm_knob_write(actuator->root_fd, knob, value, error);
    if (result != APPLY_UNCHANGED)
        actuator->touched[knob] = true;
    if (result == APPLY_DONE)
        result = verify(actuator, knob, value, error);
    ksm_knob_put(&actuator->held, knob, is_failure(result) ? VALUE_UNKNOWN : value);
    return result;
}

/* Adds one more step to the sum of what happened; @error is that of the first failure. */
static ApplyResult
step(ApplyResult before, KsmActuator *actuator, const KsmKnobs *target, KsmKnob knob,
     GError **error)
{
    ApplyResult result =
        move_one(actuator, knob, ksm_knob_of(target, knob), is_failure(before) ? NULL : error);

    return is_failure(before) || result == APPLY_UNCHANGED ? before : result;
}

ApplyResult
ksm_move(KsmActuator *actuator, const KsmKnobs *target, GError **error)
{
    ApplyResult result = APPLY_UNCHANGED;
    bool is_advisor_last = target->advisor == 1;

    if (!is_advisor_last)
        result = step(result, actuator, target, KSM_KNOB_ADVISOR, error);
    /* Going off, the advisor has reset it. */
    if (result != APPLY_UNCHANGED)
        actuator->held.pages_to_scan = VALUE_UNKNOWN;
    for (size_t i = 0; i < G_N_ELEMENTS(middle); i++)
        result = step(result, actuator, target, middle[i], error);
    if (is_advisor_last) {
        result = step(result, actuator, target, KSM_KNOB_ADVISOR, error);
        /* From here on the advisor moves it. */
        actuator->held.pages_to_scan = VALUE_UNKNOWN;
    }
    return result;
}

/* What was found just as wanted counts as ours. */
static void
hold(KsmActuator *actuator, const KsmKnobs *target)
{
    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++) {
        uint64_t value = ksm_knob_of(target, knob);

        if (is_known(value))
            ksm_knob_put(&actuator->held, knob, value);
    }
    if (target->advisor == 1)
        actuator->held.pages_to_scan = VALUE_UNKNOWN;
}

bool
ksm_is_telling(const KsmKnobs *now, KsmKnob knob)
{
    return knob != KSM_KNOB_PAGES || now->advisor != 1;
}

/* First knob that is not as we left it, or KSM_KNOB_COUNT. */
static KsmKnob
find_foreign(const KsmActuator *actuator, const KsmKnobs *now)
{
    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++) {
        uint64_t ours = ksm_knob_of(&actuator->held, knob);
        uint64_t found = ksm_knob_of(now, knob);

        if (ksm_is_telling(now, knob) && is_known(ours) && is_known(found) && ours != found)
            return knob;
    }
    return KSM_KNOB_COUNT;
}

static void
note_foreign(KsmActuator *actuator, KsmKnob knob, uint64_t found)
{
    KsmForeign *foreign = &actuator->foreign;

    foreign->knob = knob;
    foreign->found = found;
    foreign->ours = ksm_knob_of(&actuator->held, knob);
    foreign->count++;
    g_free(foreign->who);
    foreign->who = rival_find(actuator->root_fd);
    if (!foreign->who && knob == KSM_KNOB_ADVISOR)
        foreign->who = g_strdup("the kernel's advisor");
}

static void
yield(KsmActuator *actuator, const KsmKnobs *now)
{
    const KsmForeign *foreign = &actuator->foreign;
    g_autofree char *found = ksm_knob_text(foreign->knob, foreign->found);
    g_autofree char *ours = ksm_knob_text(foreign->knob, foreign->ours);
    g_autoptr(GError) fault = NULL;
    g_autofree char *rest =
        ksm_step_aside(actuator, now, &fault)
            ? g_strdup("has put back what else it had set, but for run,")
            : g_strdup_printf("could not put back what else it had set (%s)", fault->message);

    ksm_enter(
        actuator, KSM_ACTUATOR_YIELDED,
        "another program drives KSM, probably %s: %s is %s and virtksmd had left it at %s. "
        "virtksmd %s and writes nothing any more. Switch the other program off, then let virtksmd "
        "take over: virtksm mode auto",
        foreign->who ? foreign->who : "one that virtksmd does not know",
        ksm_knob_name(foreign->knob), found, ours, rest);
}

/* Looks for another writer. Return: whether we may go on. */
static bool
stand_ground(KsmActuator *actuator, const KsmKnobs *now)
{
    KsmKnob knob = find_foreign(actuator, now);

    if (knob == KSM_KNOB_COUNT)
        return true;
    note_foreign(actuator, knob, ksm_knob_of(now, knob));
    if (!actuator->options.take_over) {
        yield(actuator, now);
        return false;
    }
    /* Noted once, also where nothing is wanted of it. */
    ksm_knob_put(&actuator->held, knob, VALUE_UNKNOWN);
    return true;
}

void
ksm_actuator_take_over(KsmActuator *actuator)
{
    /* Also what another program has set and nobody has noticed yet. */
    actuator->held = ksm_nothing;
    if (actuator->state == KSM_ACTUATOR_YIELDED)
        ksm_enter_ready(actuator);
}

/* Makes @target one that can hold, given the settings @now: no wishes for what this kernel has not,
 * and the advisor off where it is in the way. */
static void
settle(KsmKnobs *target, const KsmKnobs *now)
{
    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++) {
        if (ksm_knob_is_optional(knob) && !is_known(ksm_knob_of(now, knob)))
            ksm_knob_put(target, knob, VALUE_UNKNOWN);
    }
    if (is_known(now->advisor) && !is_known(target->advisor) && is_known(target->pages_to_scan))
        target->advisor = 0;
    /* It stays on: then the batch size is its own business. */
    if (target->advisor == 1 && now->advisor == 1)
        target->pages_to_scan = VALUE_UNKNOWN;
}

/* The members of @target that @now does not show; the others are VALUE_UNKNOWN. */
static KsmKnobs
difference(const KsmKnobs *target, const KsmKnobs *now)
{
    KsmKnobs result = ksm_nothing;

    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++) {
        uint64_t value = ksm_knob_of(target, knob);

        if (is_known(value) && value != ksm_knob_of(now, knob))
            ksm_knob_put(&result, knob, value);
    }
    return result;
}

/* Whether @wanted is in force by all we know: in the sample, and by our own last write. */
static bool
is_in_force(const KsmActuator *actuator, const KsmKnobs *wanted, const KsmKnobs *sampled)
{
    KsmKnobs target = *wanted;
    KsmKnobs by_sample;
    KsmKnobs by_memory;

    settle(&target, sampled);
    by_sample = difference(&target, sampled);
    by_memory = difference(&target, &actuator->held);
    return ksm_is_nothing(&by_sample) && ksm_is_nothing(&by_memory);
}

/* Moves what is @missing of @target. When the advisor goes off it resets a setting that was right
 * before, so then all of it is gone through. */
static ApplyResult
move_missing(KsmActuator *actuator, const KsmKnobs *target, const KsmKnobs *missing, GError **error)
{
    if (is_known(missing->advisor))
        return ksm_move(actuator, target, error);
    hold(actuator, target); /* what is missing is put right as it is written */
    return ksm_move(actuator, missing, error);
}

static ApplyResult
write_target(KsmActuator *actuator, KsmKnobs *target, const KsmKnobs *now, GError **error)
{
    GError *fault = NULL;
    ApplyResult kept;
    KsmKnobs missing;

    settle(target, now);
    missing = difference(target, now);
    if (ksm_is_nothing(&missing)) {
        hold(actuator, target);
        return APPLY_UNCHANGED;
    }
    kept = ksm_keep_originals(actuator, now, &fault);
    if (kept == APPLY_REFUSED)
        ksm_enter_unwritable(actuator, fault);
    else
        ksm_enter_ready(actuator);
    if (kept != APPLY_UNCHANGED) {
        g_propagate_error(error, fault);
        return APPLY_RETRY;
    }
    return move_missing(actuator, target, &missing, error);
}

static ApplyResult
refuse(const KsmActuator *actuator, GError **error)
{
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_PERM, actuator->text);
    return actuator->state == KSM_ACTUATOR_STATE_UNWRITABLE ? APPLY_RETRY : APPLY_REFUSED;
}

/* Whether all settings that we hold are in the sample as we left them: then it is younger than our
 * last write, and nobody else wrote until then. */
static bool
is_as_left(const KsmActuator *actuator, const KsmKnobs *sampled)
{
    const KsmKnobs *held = &actuator->held;

    return is_known(held->run) && is_known(held->sleep_ms) && is_known(held->pages_to_scan) &&
           find_foreign(actuator, sampled) == KSM_KNOB_COUNT && is_known(sampled->run) &&
           is_known(sampled->sleep_ms) && is_known(sampled->pages_to_scan);
}

/* Looks for another agent; who is to take over waits for its end. */
static ApplyResult
claim(KsmActuator *actuator, GError **error)
{
    g_autoptr(GError) fault = NULL;

    if (ksm_claim(actuator, &fault))
        return APPLY_UNCHANGED;
    if (actuator->options.take_over) {
        g_propagate_error(error, g_steal_pointer(&fault));
        return APPLY_RETRY;
    }
    ksm_enter(actuator, KSM_ACTUATOR_YIELDED,
              "%s. virtksmd writes nothing until it is told to take over then: virtksm mode auto",
              fault->message);
    return refuse(actuator, error);
}

ApplyResult
ksm_actuator_apply(KsmActuator *actuator, const KsmKnobs *wanted, const KsmKnobs *sampled,
                   GError **error)
{
    KsmKnobs target = *wanted;
    KsmKnobs now = *sampled;
    ApplyResult result;

    if (actuator->state == KSM_ACTUATOR_STATE_UNWRITABLE)
        ksm_actuator_open(actuator);
    if (actuator->state != KSM_ACTUATOR_READY)
        return refuse(actuator, error);
    if (target.run == KSM_RUN_UNMERGE && sampled->run == KSM_RUN_UNMERGE)
        target.run = VALUE_UNKNOWN;
    if (!ksm_knobs_check(&target, error))
        return APPLY_REFUSED;
    if (actuator->options.dry_run)
        return APPLY_UNCHANGED;
    result = ksm_is_nothing(&target) ? APPLY_UNCHANGED : claim(actuator, error);
    if (result != APPLY_UNCHANGED)
        return result;
    if (is_in_force(actuator, &target, sampled) &&
        find_foreign(actuator, sampled) == KSM_KNOB_COUNT)
        return APPLY_UNCHANGED;
    if (!is_as_left(actuator, sampled)) {
        result = ksm_knobs_read(actuator->root_fd, &now, error);
        if (result != APPLY_UNCHANGED)
            return result;
    }
    if (!stand_ground(actuator, &now))
        return refuse(actuator, error);
    return write_target(actuator, &target, &now, error);
}
