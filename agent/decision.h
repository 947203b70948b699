/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decision.h - the last decisions that differ, for whoever asks why
 *
 * Many decisions an hour say the same: those are one entry, with how often and since when. Two
 * differ in mode, phase, reason, in whether KSM is to scan, or in what became of it. A changed
 * rate alone is no new decision: while memory is being covered it changes with every pass.
 */
#ifndef AGENT_DECISION_H
#define AGENT_DECISION_H

#include "agent/actuator/sysfile.h"
#include "policy/conf.h"
#include "policy/plan.h"

/* Some minutes of a busy host, some days of a calm one. */
#define DECISIONS_KEPT 16

typedef struct {
    uint64_t first_us;   /* CLOCK_MONOTONIC of the first one like it */
    uint64_t last_us;    /* and of the last */
    uint64_t count;      /* decisions like it, one after the other; at least 1 */
    KsmMode mode;        /* in force */
    KsmPlan plan;        /* of the first: what was wanted, and its inputs */
    size_t domains;      /* running then */
    ApplyResult applied; /* what became of the first */
} Decision;

/* The newest; all zero is none. */
typedef struct {
    Decision kept[DECISIONS_KEPT]; /* private: in a ring */
    size_t count;                  /* private: how many there were since the start */
} DecisionRing;

/**
 * decision_note() - a decision was taken
 * @ring:     changed; the oldest entry goes when there are too many
 * @decision: copied if it differs from the newest; its last_us and count are not read
 */
void decision_note(DecisionRing *ring, const Decision *decision);

/**
 * decision_at() - an entry
 * @index: 0 is the newest
 *
 * Return: borrowed until the next is noted; NULL behind the oldest.
 */
const Decision *decision_at(const DecisionRing *ring, size_t index);

#endif
