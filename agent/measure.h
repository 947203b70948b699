/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measure.h - the working sets of domains: who is measured, and who hears of it
 */
#ifndef AGENT_MEASURE_H
#define AGENT_MEASURE_H

#include "agent/conf.h"
#include "agent/domain.h"
#include "agent/rotation.h"
#include "policy/policy.h"

#include <glib.h>

typedef struct Agent Agent;

/* Why a domain is told of. */
typedef enum {
    MEASURE_REPORT,   /* its report is new */
    MEASURE_PRESSURE, /* it is the last one, and the host has come under more pressure since */
    MEASURE_DECISION, /* nothing is new: what was held back may be due */
} MeasureNews;

/* One who follows. It may be removed in its own functions. */
typedef struct {
    /* A domain that has a report is told of. */
    void (*measured)(const Domain *domain, MeasureNews news, gpointer user);
    gpointer user; /* borrowed */
} MeasureTap;

typedef struct {
    Rotation *rotation;   /* owned; NULL: not opened, or not configured */
    WorkingSetHost setup; /* settings that are in force, while there is a rotation */
    GPtrArray *taps;      /* owned; of const MeasureTap (borrowed) */
    MemoryLevel level;    /* of the host, at the last decision */
    uint64_t told_key;    /* whose measurement was told to hang last; 0: none hangs */
} Measure;

/** measure_init() - nobody follows yet; measure_done() it */
void measure_init(Measure *measure);

/** measure_done() - lets go of all; who followed has gone before */
void measure_done(Measure *measure);

/** measure_open() - begin to measure, if that is configured; measure_close() ends it */
void measure_open(Agent *agent);

/** measure_close() - end it */
void measure_close(Agent *agent);

/**
 * measure_fresh_us() - how old a report may be that is of now
 *
 * Twice what there is between two reports at best: the time within which memory counts as used,
 * and the pause. One that came late is not as good as none.
 */
uint64_t measure_fresh_us(const Measure *measure);

/**
 * measure_follow() - measure the domains that run, and no others
 *
 * For each tick, after processes were looked for. In mode off nothing is measured; in mode observe
 * it is, since no setting of host or domain is changed by it. What was known of a domain that is
 * not measured any more is forgotten.
 */
void measure_follow(Agent *agent);

/** measure_is_followed() - whether somebody wants to hear of pressure at once */
bool measure_is_followed(const Measure *measure);

/**
 * measure_is_blind() - whether nobody can tell when a domain's memory was used
 *
 * The kernel neither ages nor counts pages of the hugetlb pool: what would be measured is QEMU's
 * own memory.
 */
bool measure_is_blind(const Domain *domain);

/** measure_is_on() - whether domains are measured in the mode that is in force */
bool measure_is_on(const Agent *agent);

/** measure_spent_us() - CPU time that measuring has taken so far; 0 if nothing is measured */
uint64_t measure_spent_us(const Measure *measure);

/**
 * measure_take() - a report is new: it is the domain's from now on, and who follows is told
 * @key:    of its start; nothing happens if it is gone
 * @report: copied
 * @user:   the Agent
 */
void measure_take(uint64_t key, const WorkingSetReport *report, gpointer user);

/**
 * measure_decided() - a decision was made: offers all reports to who follows
 *
 * With pressure as the news if the host is under more of it, else so that what was held back need
 * not wait for the next measurement, which may be minutes away.
 */
void measure_decided(Agent *agent);

/**
 * measure_add_tap() - @tap hears of every report from now on, until measure_remove_tap()
 * @tap: borrowed until then
 *
 * While there is one, the kernel is asked to tell of pressure at once.
 */
void measure_add_tap(Agent *agent, const MeasureTap *tap);

/** measure_remove_tap() - @tap hears no more */
void measure_remove_tap(Agent *agent, const MeasureTap *tap);

#endif
