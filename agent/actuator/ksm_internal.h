/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_internal.h - what the three files of the KSM actuator share; for nobody else
 *
 *     ksm.c          states, opening, what reports ask for
 *     ksm_apply.c    towards what policy wants
 *     ksm_restore.c  back to what was found
 */
#ifndef AGENT_ACTUATOR_KSM_INTERNAL_H
#define AGENT_ACTUATOR_KSM_INTERNAL_H

#include "agent/actuator/ksm.h"

/* Claims nothing, wants nothing. */
extern const KsmKnobs ksm_nothing;

/**
 * ksm_enter() - change the state
 * @actuator: changed
 * @state:    new state
 * @format:   the state for people, as for printf
 *
 * Return: @state.
 */
KsmActuatorState ksm_enter(KsmActuator *actuator, KsmActuatorState state, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/**
 * ksm_enter_ready() - change the state to ready, in the words that fit
 * @actuator: changed
 *
 * Return: KSM_ACTUATOR_READY.
 */
KsmActuatorState ksm_enter_ready(KsmActuator *actuator);

/**
 * ksm_enter_unwritable() - change the state because the originals cannot be kept
 * @actuator: changed
 * @fault:    why not
 *
 * Return: KSM_ACTUATOR_STATE_UNWRITABLE.
 */
KsmActuatorState ksm_enter_unwritable(KsmActuator *actuator, const GError *fault);

/**
 * ksm_claim() - have KSM for oneself among agents
 * @actuator: ours from here to ksm_unclaim(), or to its end
 * @error:    set, with the pid if that can be seen, if another agent drives KSM
 *
 * Where there is nothing to lock, or no locks, nobody else is seen, nor through the sysfs of
 * another network namespace, which has locks of its own: who writes then is noticed as any other
 * program is.
 *
 * Return: whether no other agent drives KSM.
 */
bool ksm_claim(KsmActuator *actuator, GError **error);

/**
 * ksm_unclaim() - KSM is as found: another agent may drive it
 * @actuator: changed
 */
void ksm_unclaim(KsmActuator *actuator);

/** ksm_is_nothing() - whether nothing is asked for, or known */
bool ksm_is_nothing(const KsmKnobs *knobs);

/**
 * ksm_move() - write the settings that differ
 * @actuator: its held and touched are kept up to date
 * @target:   VALUE_UNKNOWN members are left alone; the rest has been checked
 * @error:    first failure
 *
 * Goes on after a failure: each setting that can be brought in line is. Every value written is
 * read back.
 *
 * Return: the first failure; else APPLY_DONE if anything was written, else APPLY_UNCHANGED.
 */
ApplyResult ksm_move(KsmActuator *actuator, const KsmKnobs *target, GError **error);

/**
 * ksm_step_aside() - put back what would be in the way of another writer
 * @actuator: its held and touched are kept up to date; the record stays
 * @now:      settings in force
 * @error:    first failure
 *
 * All that still is as we have written it, but for run: who drives KSM has likely set that as well,
 * and to what it was. It goes back at the end.
 *
 * Return: whether nothing is left to put back.
 */
bool ksm_step_aside(KsmActuator *actuator, const KsmKnobs *now, GError **error);

/**
 * ksm_load_originals() - take the initial settings from the record
 * @actuator: its initial and touched are set; all unknown and untouched if there is no record
 * @error:    set if the record holds what the kernel cannot have held
 *
 * Return: whether the record can be trusted.
 */
bool ksm_load_originals(KsmActuator *actuator, GError **error);

/**
 * ksm_keep_originals() - make sure that the way back is on disk
 * @actuator: ready, so that its record has been prepared; its initial is kept up to date
 * @now:      what the files show before the first write
 * @error:    set unless all is well
 *
 * A knob that the record of an earlier run lacks is one that no run has written, so what the file
 * shows is its original, and it is added. The disk takes its time, so what has been recorded is
 * compared with the files once more: what somebody has set meanwhile is what we have found.
 *
 * Return: APPLY_UNCHANGED if it is; APPLY_RETRY if somebody has just set something: nothing is on
 * record that was not before; APPLY_REFUSED if the record cannot be saved.
 */
ApplyResult ksm_keep_originals(KsmActuator *actuator, const KsmKnobs *now, GError **error);

/**
 * ksm_is_telling() - whether the value of @knob says anything about other writers
 * @now:  settings in force
 * @knob: below KSM_KNOB_COUNT
 *
 * Return: false for pages_to_scan while the advisor moves it.
 */
bool ksm_is_telling(const KsmKnobs *now, KsmKnob knob);

#endif
