/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm.h - moving the settings of KSM, and putting them back
 */
#ifndef AGENT_ACTUATOR_KSM_H
#define AGENT_ACTUATOR_KSM_H

#include "agent/actuator/actuator.h"
#include "agent/actuator/ksm_knob.h"
#include "agent/actuator/originals.h"

#include <stdbool.h>

typedef enum {
    KSM_ACTUATOR_READY,            /* writes when asked to */
    KSM_ACTUATOR_ABSENT,           /* no KSM in this kernel */
    KSM_ACTUATOR_READ_ONLY,        /* sysfs is mounted read-only */
    KSM_ACTUATOR_NOT_PERMITTED,    /* the files may not be read or written */
    KSM_ACTUATOR_YIELDED,          /* another program writes the same settings */
    KSM_ACTUATOR_DAMAGED,          /* the originals cannot be told */
    KSM_ACTUATOR_STATE_UNWRITABLE, /* the originals cannot be kept; tried again at each apply */
    KSM_ACTUATOR_COUNT,
} KsmActuatorState;

typedef struct {
    bool dry_run;   /* mode observe: write nothing at all */
    bool take_over; /* never yield to another writer */
} KsmActuatorOptions;

/* A setting that was not what we had left there. */
typedef struct {
    KsmKnob knob;   /* which */
    uint64_t found; /* in the knob's unit */
    uint64_t ours;  /* what we had written or agreed to */
    uint64_t count; /* times seen since start; 0: never, and nothing else here counts */
    char *who;      /* owned; probable writer; NULL: not known */
} KsmForeign;

typedef struct {
    /* private: use the functions below */
    int root_fd;          /* borrowed; what sys/ and proc/ are below */
    int claim_fd;         /* owned; KSM's directory, locked; -1: it is not ours */
    Originals *originals; /* borrowed; shared by all actuators */
    KsmActuatorOptions options;
    KsmActuatorState state;
    char *text;                   /* owned; the state for people */
    KsmKnobs initial;             /* found before our first write */
    KsmKnobs held;                /* last written and read back, or found as wanted */
    bool touched[KSM_KNOB_COUNT]; /* to be put back */
    KsmForeign foreign;
} KsmActuator;

/**
 * ksm_actuator_state_name() - word for a state: "read-only"
 * @state: any value; out of range gives "unknown"
 *
 * Return: static text.
 */
const char *ksm_actuator_state_name(KsmActuatorState state);

/**
 * ksm_actuator_init() - an actuator that has not looked at the host yet
 * @actuator:  overwritten
 * @root_fd:   "/" or a test's fake root (borrowed; must outlive @actuator)
 * @originals: after originals_open(), whatever its outcome (borrowed; must outlive @actuator)
 * @options:   copied
 */
void ksm_actuator_init(KsmActuator *actuator, int root_fd, Originals *originals,
                       const KsmActuatorOptions *options);

/**
 * ksm_actuator_open() - find out whether KSM can be driven here, and what to restore later
 * @actuator: initialised; may be opened again, e.g. after sysfs has been remounted
 *
 * Initial settings are those an earlier run of this boot recorded and did not put back; without
 * such, those in force. A record of an earlier boot is removed. Writes no kernel file.
 *
 * Return: the state; ksm_actuator_text() explains it.
 */
KsmActuatorState ksm_actuator_open(KsmActuator *actuator);

/**
 * ksm_actuator_set_options() - observe or act, yield or not, from now on
 * @actuator: open
 * @options:  copied
 *
 * Entering or leaving the dry run opens it again. Restores nothing by itself: call
 * ksm_actuator_restore() before a dry run that is to see KSM as found.
 */
void ksm_actuator_set_options(KsmActuator *actuator, const KsmActuatorOptions *options);

/**
 * ksm_actuator_apply() - bring KSM in line with what policy wants
 * @actuator: open
 * @wanted:   a VALUE_UNKNOWN member is left alone; run is 0 or 1 (2 only where it is in force
 *            already, and then it is left alone), pages_to_scan 1 to 2^32-1, sleep_ms up to 2^32-1
 * @sampled:  settings as last read; may be older than our last write
 * @error:    set for APPLY_RETRY, APPLY_GONE and APPLY_REFUSED
 *
 * Writes values that differ and no others; the originals are on disk before the first. Looks at
 * the files again only if @sampled does not show what is wanted, or not what we left. If a value is
 * not what we left, one that @wanted says nothing of included, yields (KSM_ACTUATOR_YIELDED): puts
 * back what is still ours, but for run, and writes nothing more until ksm_actuator_take_over().
 *
 * A write to run waits until ksmd has finished its batch, which takes as long as the batch is
 * large; it is written last, and only if it differs.
 *
 * Source: Documentation/admin-guide/mm/ksm.rst, "KSM daemon sysfs interface" and
 * "advisor_mode": pages_to_scan cannot be set while the advisor is on, so it is switched off first
 * Return: APPLY_DONE if anything was written; APPLY_UNCHANGED if all was in place, and always in
 * a dry run; APPLY_REFUSED in every state but ready; else the first failure of a write.
 */
ApplyResult ksm_actuator_apply(KsmActuator *actuator, const KsmKnobs *wanted,
                               const KsmKnobs *sampled, GError **error);

/**
 * ksm_actuator_take_over() - write again although another program does
 * @actuator: open
 *
 * Whatever others have set until now is no reason to yield, noticed or not.
 */
void ksm_actuator_take_over(KsmActuator *actuator);

/**
 * ksm_actuator_restore() - put back the settings found before our first write
 * @actuator: open; goes on working afterwards
 * @ret_note: what was left alone and why (the caller frees it); NULL: nothing to say
 * @error:    set on failure; the record is kept then
 *
 * For a clean stop and for mode off. A setting that another program has changed after us stays as
 * that program left it. A run of 2 (unmerge) is put back only if memory can hold the pages;
 * otherwise KSM is stopped. In a dry run nothing happens.
 *
 * Return: whether there is nothing left to restore.
 */
bool ksm_actuator_restore(KsmActuator *actuator, char **ret_note, GError **error);

/**
 * ksm_actuator_restore_from_disk() - put back what a dead agent left, for --restore
 * @root_fd:   "/" or a test's fake root (borrowed)
 * @originals: after originals_open(), whatever its outcome (borrowed)
 * @ret_note:  one line about what was done (the caller frees it); never NULL on success
 * @error:     set on failure: the record is damaged, in use, or a setting could not be written;
 *             the record is kept
 *
 * Return: whether there is nothing left to restore. Harmless when repeated.
 */
bool ksm_actuator_restore_from_disk(int root_fd, Originals *originals, char **ret_note,
                                    GError **error);

/**
 * ksm_actuator_done() - let go of memory; restores nothing
 * @actuator: initialised, in any state
 */
void ksm_actuator_done(KsmActuator *actuator);

/**
 * ksm_actuator_state() - where it stands
 * @actuator: open
 *
 * Return: the state.
 */
KsmActuatorState ksm_actuator_state(const KsmActuator *actuator);

/**
 * ksm_actuator_text() - where it stands and what the operator can do, in a sentence
 * @actuator: open
 *
 * Return: text that lives until the state changes.
 */
const char *ksm_actuator_text(const KsmActuator *actuator);

/**
 * ksm_actuator_initial() - settings found before the first write of the first run
 * @actuator: open
 *
 * Return: borrowed; members are VALUE_UNKNOWN where they cannot be told.
 */
const KsmKnobs *ksm_actuator_initial(const KsmActuator *actuator);

/**
 * ksm_actuator_foreign() - the last sign of another writer
 * @actuator: open
 *
 * Return: borrowed; nothing has been seen while its count is 0.
 */
const KsmForeign *ksm_actuator_foreign(const KsmActuator *actuator);

/* Its row in actuators[]; the context is a KsmActuator. */
extern const Actuator ksm_actuator;

#endif
