/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tick.h - one decision: facts, policy, actuators
 */
#ifndef AGENT_TICK_H
#define AGENT_TICK_H

#include "agent/actuator/actuator.h"
#include "agent/decision.h"
#include "agent/missing.h"
#include "agent/standstill.h"
#include "policy/policy.h"

#include <glib.h>

typedef struct Agent Agent;

/* What an actuator made of its part of the plan. */
typedef struct {
    ApplyResult result; /* of its last apply */
    char *detail;       /* owned; text of the failure; NULL: none */
} Applied;

/* Upper bounds of what the durations of ticks are sorted by. */
#define TICK_BOUNDS 7
extern const double tick_bounds_us[TICK_BOUNDS];

/* How long ticks have kept the loop. */
typedef struct {
    uint64_t counts[TICK_BOUNDS + 1]; /* ticks up to each bound and above the one before */
    uint64_t sum_us;                  /* of all */
} TickTimes;

/* State of the tick; embedded in the agent. */
typedef struct {
    guint timer;         /* GSource of the next full tick; 0: none */
    uint64_t due_us;     /* CLOCK_MONOTONIC of it */
    Standstill standing; /* when the next full tick, or the end of patience, is due */
    Missing missing;     /* figures of the host that were known and are not */
    guint soon;          /* GSource of a quick tick that had to wait; 0: none */
    guint patience;      /* GSource that ends the wait for libvirt; 0: not waiting */
    MemoryAlarm alarm;   /* the worst since the last decision */
    uint64_t alarmed_us; /* CLOCK_MONOTONIC of the last decision that an alarm has made; 0: none */
    guint alarm_timer;   /* GSource of one that had to wait; 0: none */
    uint64_t trigger_us; /* CLOCK_MONOTONIC of the last decision that had a trigger */
    uint64_t stats_us;   /* CLOCK_MONOTONIC of the last question to libvirt */
    uint64_t claim_us;   /* CLOCK_MONOTONIC of the next search for a claimed process */
    uint32_t triggers;   /* since the last decision */
    uint32_t kicks;      /* of those, the ones that are not part of the start of a domain */
    uint32_t departures; /* since the last decision */
    uint64_t count;      /* decisions since the start */
    uint64_t late;       /* of those, without the figures that libvirt was asked for */
    uint64_t decided_us; /* CLOCK_MONOTONIC of the last */
    uint64_t begun_us;   /* CLOCK_MONOTONIC of the full tick that is finishing; 0: none is */
    TickTimes times;     /* of decisions, with the reading of processes before them */
    uint64_t reasons[REASON_COUNT]; /* decisions by reason */
    uint64_t reaction_us; /* from the last event that moved KSM to the end of its writes */
    GPtrArray *waiters;   /* owned; who waits for the next decision */
    GArray *samples;      /* owned; DomainSample */
    GArray *tracks;       /* owned; DomainTrack */
    GArray *plans;        /* owned; DomainPlan */
    GArray *subjects;     /* owned; Subject; valid while a plan is applied */
    Applied applied[ACTUATOR_COUNT]; /* what became of the last plan */
    DecisionRing decisions;          /* the last that differ */
} Tick;

/** tick_init() - nothing decided yet; tick_done() it */
void tick_init(Tick *tick);

/** tick_done() - no more ticks; leaves @tick reusable */
void tick_done(Tick *tick);

/**
 * tick_decide() - decide on KSM at once, on what is known
 *
 * Reads kernel files only, asks libvirt nothing. Of reclaim nothing is decided: what was decided
 * last stands until the next full tick or alarm.
 */
void tick_decide(Agent *agent);

/**
 * tick_now() - decide at once because of a trigger
 *
 * As tick_decide(), but triggers within a few milliseconds are one: the first acts, which is what
 * they all want, and the rest wait and are counted together.
 */
void tick_now(Agent *agent);

/**
 * tick_alarm() - decide at once because memory is short
 * @alarm: how short the host is; ALARM_NONE: it is not, but a domain under a limit waits
 *
 * On reclaim too, on fresh figures of the domains' cgroups. There can be many alarms a second, so
 * within 200 ms they are one decision, on the worst of them.
 */
void tick_alarm(Agent *agent, MemoryAlarm alarm);

/**
 * tick_when_decided() - call back when no trigger waits for a decision any more
 * @done:    called at once if none waits now, otherwise after the next decision; not after the end
 *           of the agent
 * @destroy: of @user, in any case
 */
void tick_when_decided(Agent *agent, void (*done)(Agent *agent, gpointer user), gpointer user,
                       GDestroyNotify destroy);

/**
 * tick_want() - a decision on fresh facts, soon
 * @delay_ms: at the latest in this time; an earlier wish stands
 */
void tick_want(Agent *agent, guint delay_ms);

#endif
