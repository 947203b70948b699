/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decision.h - the last decisions that differ, for whoever asks why
 *
 * Many decisions an hour say the same: those are one entry, with how often and since when. Two
 * differ in mode, phase, reason, in whether KSM is to scan, or in what became of it. A changed
 * rate alone is no new decision: while memory is being covered it changes with every pass.
 *
 * Of the reclaim of each domain the last are kept as well, for balloon and memory.high apart, since
 * one may change all the time while the other stands. Two differ in their reason, and in whether
 * anything was to be written: steps in one direction are one entry, from where the first began to
 * where the last leads.
 */
#ifndef AGENT_DECISION_H
#define AGENT_DECISION_H

#include "agent/actuator/sysfile.h"
#include "policy/conf.h"
#include "policy/plan.h"
#include "policy/sample.h"

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

typedef enum {
    RECLAIM_BALLOON,
    RECLAIM_HIGH, /* memory.high, and memory.reclaim */
    RECLAIM_COUNT,
} ReclaimKind;

/* Of one mechanism of one domain. */
#define RECLAIM_DECISIONS_KEPT 6

typedef struct {
    uint64_t first_us;      /* CLOCK_MONOTONIC of the first one like it */
    uint64_t last_us;       /* and of the last */
    uint64_t count;         /* decisions like it, one after the other; at least 1 */
    Reason reason;          /* never REASON_NONE */
    bool apply;             /* false: it was to be reported only */
    uint64_t before_bytes;  /* in force at the first that knew it; LIMIT_NONE; VALUE_UNKNOWN */
    uint64_t wanted_bytes;  /* by the last; LIMIT_NONE; VALUE_UNKNOWN: left alone */
    uint64_t reclaim_bytes; /* asked of memory.reclaim by all of them */
} ReclaimDecision;

/* The newest of each kind; all zero is none. */
typedef struct {
    ReclaimDecision kept[RECLAIM_COUNT][RECLAIM_DECISIONS_KEPT]; /* private: in rings */
    size_t count[RECLAIM_COUNT]; /* private: how many there were since the start */
} ReclaimRing;

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

/** decision_reclaim_name() - "balloon", "memory.high" */
const char *decision_reclaim_name(ReclaimKind kind);

/**
 * decision_note_reclaim() - a decision on a domain's memory was taken
 * @ring:   of the domain; the oldest entry of a kind goes when there are too many
 * @before: what it was decided on
 * @plan:   the decision; a mechanism with REASON_NONE was not decided on
 * @now_us: CLOCK_MONOTONIC
 */
void decision_note_reclaim(ReclaimRing *ring, const DomainSample *before, const DomainPlan *plan,
                           uint64_t now_us);

/**
 * decision_reclaim_at() - an entry
 * @index: 0 is the newest of its kind
 *
 * Return: borrowed until the next is noted; NULL behind the oldest.
 */
const ReclaimDecision *decision_reclaim_at(const ReclaimRing *ring, ReclaimKind kind, size_t index);

#endif
