/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merge.h - switching merging of running domains off, and on again
 */
#ifndef AGENT_ACTUATOR_MERGE_H
#define AGENT_ACTUATOR_MERGE_H

#include "agent/actuator/hold.h"

/* How long a stop waits for QEMU: switching on copies nothing. */
#define MERGE_RESTORE_US 10000000

typedef struct {
    /* private: use the functions below, and hold_find() on @holds; its values are those of
     * agent/virt/merge.h */
    HoldTable holds;
    GPtrArray *looks;    /* owned; looks at mappings that are under way (borrowed) */
    uint64_t full_scans; /* of ksmd at the last decision; VALUE_UNKNOWN */
    bool is_on;          /* domains may be switched */
} Merge;

/**
 * merge_init() - nothing switched yet; what a killed run has left is to be put back
 * @merge:     overwritten; must not move as long as it is used
 * @originals: after originals_open() (borrowed; must outlive @merge)
 * @changer:   copied; what is in it is borrowed
 */
void merge_init(Merge *merge, Originals *originals, const Changer *changer);

/**
 * merge_set_on() - whether domains may be switched from now on; if not, all go back
 * @is_driven: KSM is driven by us; if not, they go back only when KSM is as it was found
 */
void merge_set_on(Merge *merge, bool is_on, bool is_driven);

/* A start of a domain. */
typedef struct {
    const char *uuid;  /* borrowed */
    int id;            /* libvirt's number of the start; < 0: not known */
    uint32_t backends; /* pieces of memory that it has, by its definition */
} MergeDomain;

/* How that start stands. */
typedef struct {
    MergeState state;  /* MERGE_OFF is only what was seen to be: QEMU has answered, and the mappings
                          have been looked at since, all of them that there are now, and again
                          where KSM has come to have records of more */
    bool is_switching; /* QEMU was asked to switch it, and has not answered */
} MergeStatus;

/** merge_status() - how a domain stands */
MergeStatus merge_status(const Merge *merge, const MergeDomain *domain);

/**
 * merge_apply() - ask for what policy wants
 * @decided: of this decision
 * @error:   the record of originals cannot be kept: nothing was asked for
 *
 * Asks libvirt and does not wait. A domain of which nothing is decided stays as it is.
 *
 * Return: APPLY_DONE if a change was asked for; APPLY_RETRY with @error.
 */
ApplyResult merge_apply(Merge *merge, const Decided *decided, GError **error);

/** merge_done() - let go of memory; restores nothing */
void merge_done(Merge *merge);

extern const Actuator merge_actuator;

#endif
