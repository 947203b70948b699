/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm.c - the KSM actuator: its states, and what it tells reports
 *
 * Opening finds out, without writing to the kernel, whether KSM can be driven here. What stands
 * in the way is a state with a sentence for the operator, and each state but ready means that
 * nothing is written. What was found before the first write of the first run is on disk before
 * that write (originals.c), and goes back at the end (ksm_restore.c).
 *
 * Two agents with a state directory each would take each other's settings for what was found. So
 * KSM's own directory is locked from the first wish until its settings are as found, and who comes
 * later yields. What nodes.c holds has no lock.
 */
#define _GNU_SOURCE
#include "agent/actuator/ksm_internal.h"

#include "agent/actuator/state_dir.h"
#include "policy/arith.h"

#include <assert.h>
#include <fcntl.h>
#include <unistd.h>

const KsmKnobs ksm_nothing = { VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN,
                               VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN };

bool
ksm_is_nothing(const KsmKnobs *knobs)
{
    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++) {
        if (is_known(ksm_knob_of(knobs, knob)))
            return false;
    }
    return true;
}

static const char *const state_names[] = {
    [KSM_ACTUATOR_READY] = "ready",
    [KSM_ACTUATOR_ABSENT] = "absent",
    [KSM_ACTUATOR_READ_ONLY] = "read-only",
    [KSM_ACTUATOR_NOT_PERMITTED] = "not-permitted",
    [KSM_ACTUATOR_YIELDED] = "yielded",
    [KSM_ACTUATOR_DAMAGED] = "damaged",
    [KSM_ACTUATOR_STATE_UNWRITABLE] = "state-unwritable",
};
static_assert(G_N_ELEMENTS(state_names) == KSM_ACTUATOR_COUNT,
              "state_names[] and KsmActuatorState differ");

const char *
ksm_actuator_state_name(KsmActuatorState state)
{
    return (unsigned)state < KSM_ACTUATOR_COUNT ? state_names[state] : "unknown";
}

void
ksm_actuator_init(KsmActuator *actuator, int root_fd, Originals *originals,
                  const KsmActuatorOptions *options)
{
    *actuator = (KsmActuator){
        .root_fd = root_fd,
        .claim_fd = -1,
        .originals = originals,
        .options = *options,
        .text = g_strdup("not looked at yet"),
        .initial = ksm_nothing,
        .held = ksm_nothing,
    };
}

bool
ksm_claim(KsmActuator *actuator, GError **error)
{
    g_autoptr(GError) fault = NULL;
    int dir_fd;

    if (actuator->claim_fd >= 0)
        return true;
    dir_fd = openat(actuator->root_fd, KSM_KNOB_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return true;
    if (state_dir_lock(dir_fd, "/" KSM_KNOB_DIR, "stop it", &fault)) {
        actuator->claim_fd = dir_fd; /* the actuator owns it from here */
        return true;
    }
    close(dir_fd);
    if (!g_error_matches(fault, G_FILE_ERROR, G_FILE_ERROR_AGAIN))
        return true;
    g_propagate_error(error, g_steal_pointer(&fault));
    return false;
}

void
ksm_unclaim(KsmActuator *actuator)
{
    if (actuator->claim_fd >= 0)
        close(actuator->claim_fd);
    actuator->claim_fd = -1;
}

void
ksm_actuator_done(KsmActuator *actuator)
{
    ksm_unclaim(actuator);
    g_clear_pointer(&actuator->text, g_free);
    g_clear_pointer(&actuator->foreign.who, g_free);
}

KsmActuatorState
ksm_enter(KsmActuator *actuator, KsmActuatorState state, const char *format, ...)
{
    char *text;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_free(actuator->text);
    actuator->text = text;
    actuator->state = state;
    return state;
}

KsmActuatorState
ksm_enter_ready(KsmActuator *actuator)
{
    if (actuator->options.dry_run)
        return ksm_enter(actuator, KSM_ACTUATOR_READY, "observing: nothing is written");
    if (originals_has_group(actuator->originals, ksm_actuator.name))
        return ksm_enter(
            actuator, KSM_ACTUATOR_READY,
            "driving KSM; the settings found before are recorded and will be put back");
    return ksm_enter(actuator, KSM_ACTUATOR_READY, "ready; nothing written yet");
}

/* Whether every knob this kernel has can be opened for writing. */
static ApplyResult
probe_knobs(const KsmActuator *actuator, const KsmKnobs *now, GError **error)
{
    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++) {
        ApplyResult result;

        if (!is_known(ksm_knob_of(now, knob)))
            continue;
        result = sysfile_probe(actuator->root_fd, ksm_knob_path(knob), error);
        if (result != APPLY_UNCHANGED)
            return result;
    }
    return APPLY_UNCHANGED;
}

static KsmActuatorState
enter_refused(KsmActuator *actuator, const GError *fault)
{
    if (g_error_matches(fault, G_FILE_ERROR, G_FILE_ERROR_ROFS))
        return ksm_enter(actuator, KSM_ACTUATOR_READ_ONLY,
                         "%s: sysfs is read-only here. In a container, mount /sys writable or run "
                         "virtksmd on the host",
                         fault->message);
    return ksm_enter(actuator, KSM_ACTUATOR_NOT_PERMITTED,
                     "%s: run virtksmd as root, or use mode observe", fault->message);
}

KsmActuatorState
ksm_enter_unwritable(KsmActuator *actuator, const GError *fault)
{
    return ksm_enter(actuator, KSM_ACTUATOR_STATE_UNWRITABLE,
                     "nothing is written to the kernel, because the settings found could not be "
                     "kept: %s",
                     fault->message);
}

/* Opening, once it is known that there is KSM and that its settings are @now. */
static KsmActuatorState
open_for_writing(KsmActuator *actuator, const KsmKnobs *now)
{
    Originals *originals = actuator->originals;
    g_autoptr(GError) fault = NULL;

    if (originals->outcome == ORIGINALS_DAMAGED)
        return ksm_enter(actuator, KSM_ACTUATOR_DAMAGED, "%s", originals->fault);
    if (probe_knobs(actuator, now, &fault) != APPLY_UNCHANGED)
        return enter_refused(actuator, fault);
    if (!originals_prepare(originals, &fault) ||
        (originals->outcome == ORIGINALS_OLD_BOOT && !originals_discard(originals, &fault)))
        return ksm_enter_unwritable(actuator, fault);
    return KSM_ACTUATOR_READY;
}

KsmActuatorState
ksm_actuator_open(KsmActuator *actuator)
{
    KsmActuatorState state = KSM_ACTUATOR_READY;
    g_autoptr(GError) fault = NULL;
    ApplyResult result;
    KsmKnobs now;

    actuator->held = ksm_nothing;
    actuator->initial = ksm_nothing;
    result = ksm_knobs_read(actuator->root_fd, &now, &fault);
    if (result == APPLY_GONE)
        return ksm_enter(actuator, KSM_ACTUATOR_ABSENT,
                         "this kernel has no KSM (it was built without CONFIG_KSM): nothing to "
                         "drive");
    if (result != APPLY_UNCHANGED)
        return enter_refused(actuator, fault);
    if (!actuator->options.dry_run)
        state = open_for_writing(actuator, &now);
    if (state == KSM_ACTUATOR_DAMAGED)
        return state;
    if (!ksm_load_originals(actuator, &fault))
        return ksm_enter(actuator, KSM_ACTUATOR_DAMAGED, "%s", fault->message);
    if (!is_known(actuator->initial.run))
        actuator->initial = now;
    return state == KSM_ACTUATOR_READY ? ksm_enter_ready(actuator) : state;
}

void
ksm_actuator_set_options(KsmActuator *actuator, const KsmActuatorOptions *options)
{
    bool was_dry = actuator->options.dry_run;

    actuator->options = *options;
    if (was_dry != options->dry_run)
        ksm_actuator_open(actuator);
    else if (options->take_over)
        ksm_actuator_take_over(actuator);
}

KsmActuatorState
ksm_actuator_state(const KsmActuator *actuator)
{
    return actuator->state;
}

const char *
ksm_actuator_text(const KsmActuator *actuator)
{
    return actuator->text;
}

const KsmKnobs *
ksm_actuator_initial(const KsmActuator *actuator)
{
    return &actuator->initial;
}

const KsmForeign *
ksm_actuator_foreign(const KsmActuator *actuator)
{
    return &actuator->foreign;
}

static ApplyResult
row_apply(void *context, const Decided *decided, GError **error)
{
    return ksm_actuator_apply(context, &decided->plan->ksm.knobs, &decided->sample->host.knobs,
                              error);
}

static bool
row_restore(void *context, char **ret_note, GError **error)
{
    return ksm_actuator_restore(context, ret_note, error);
}

const Actuator ksm_actuator = { ORIGINALS_KERNEL, row_apply, row_restore };
