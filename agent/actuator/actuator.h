/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * actuator.h - what can be moved on this host: one row per actuator
 *
 * An actuator turns one part of the plan into writes, and knows how to undo them. It decides
 * nothing: policy says what is wanted, the actuator says what became of it.
 */
#ifndef AGENT_ACTUATOR_ACTUATOR_H
#define AGENT_ACTUATOR_ACTUATOR_H

#include "agent/actuator/originals.h"
#include "agent/actuator/sysfile.h"
#include "agent/facts/process.h"
#include "policy/plan.h"
#include "policy/sample.h"

#include <glib.h>
#include <stdbool.h>

/* Who a domain of the sample is. Texts and pointers are borrowed. */
typedef struct {
    const char *uuid;         /* of the domain */
    const char *name;         /* of the domain */
    int id;                   /* libvirt's number of this start; < 0: not known */
    const Process *process;   /* its QEMU; NULL: not found */
    uint64_t ksm_pages;       /* that KSM has records of, or has merged; VALUE_UNKNOWN */
    uint64_t told_us;         /* CLOCK_MONOTONIC of libvirt's last figures; 0: none so far */
    uint64_t maximum_bytes;   /* memory that it has with its memory devices, told together with its
                                 balloon; 0: not known */
    uint64_t rebooted_us;     /* CLOCK_MONOTONIC of the guest's last reboot; 0: none seen */
    bool has_driver;          /* the guest's balloon driver has told something since */
    const uint64_t *backends; /* sizes of the pieces of its memory, bytes; NULL: not known */
    uint32_t n_backends;      /* how many there are */
    bool deflates;            /* its balloon gives way by itself when the guest is short */
} Subject;

/* What actuators are told in each decision. */
typedef struct {
    const Sample *sample;    /* borrowed, as all here; what the plan was made from */
    const Plan *plan;        /* what is wanted */
    const Subject *subjects; /* in the order of the sample's domains, as many of them */
    bool is_listed;          /* libvirt has told which domains run, since the agent started */
} Decided;

typedef struct {
    /* Stem of its file, and its group in the record of originals. */
    const char *name;
    /* Bring the host in line with the plan. On the event path: must not wait for anything but the
     * kernel. */
    ApplyResult (*apply)(void *context, const Decided *decided, GError **error);
    /* Put back what was found. @ret_note (the caller frees it): what was left alone and why, or
     * NULL. Harmless when there is nothing to put back. */
    bool (*restore)(void *context, char **ret_note, GError **error);
} Actuator;

/* All actuators, in the order in which they are applied; restored in reverse. */
typedef enum {
    ACTUATOR_KSM,          /* context: KsmActuator */
    ACTUATOR_NODES,        /* context: Nodes */
    ACTUATOR_MERGE,        /* context: Merge */
    ACTUATOR_MEMORY_HIGH,  /* context: MemoryHigh */
    ACTUATOR_BALLOON,      /* context: Balloon */
    ACTUATOR_STATS_PERIOD, /* context: StatsPeriod */
    ACTUATOR_COUNT,
} ActuatorId;

extern const Actuator *const actuators[ACTUATOR_COUNT];

/**
 * actuators_have_left() - what a run that was killed has left
 * @originals: as opened, before anything is written
 *
 * Return: whether something is on record that an orderly end takes back.
 */
bool actuators_have_left(const Originals *originals);

#endif
