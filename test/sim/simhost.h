/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * simhost.h - a host under the KSM model, with policy in charge of it
 *
 * What the agent does between policy and kernel is done here, at the same moments and with the same
 * blind spots: an event is a decision at once, on what was known of the processes; facts of the
 * processes come with the ticks that policy asks for; knobs are written in the agent's order.
 */
#ifndef TEST_SIM_SIMHOST_H
#define TEST_SIM_SIMHOST_H

#include "policy/policy.h"
#include "test/sim/ksm_model.h"

#define SIM_S    UINT64_C(1000000)
#define SIM_HOUR (3600 * SIM_S)
#define SIM_GIB  UINT64_C(262144) /* pages */

typedef struct SimHost SimHost;

/* What a run was like, since simhost_watch(). */
typedef struct {
    uint64_t phases;      /* changes of phase */
    uint64_t cpu_us;      /* run time of ksmd */
    uint64_t busiest_us;  /* most of it in any 60 seconds */
    uint64_t scans;       /* full scans */
    uint64_t decisions;   /* of policy */
    uint64_t fingerprint; /* of all plans: equal runs have equal ones */
    unsigned unsound;     /* plans with settings out of bounds */
} SimStory;

/* One who listens to decisions. */
typedef struct {
    /* One is about to be made, with what policy remembers. */
    void (*before)(const Sample *sample, const PolicyState *state, void *user);
    /* It was made. */
    void (*after)(const PolicyConf *conf, const Sample *sample, const Plan *plan, void *user);
    void *user; /* for both */
} SimTap;

/**
 * simhost_new() - a host without domains
 * @conf:  copied
 * @pages: its memory
 *
 * Return: for simhost_free().
 */
SimHost *simhost_new(const PolicyConf *conf, uint64_t pages);

/** simhost_free() - the counterpart of simhost_new() */
void simhost_free(SimHost *host);

/**
 * simhost_start() - a domain starts
 * @regions: copied; n of them
 *
 * Return: its number.
 */
size_t simhost_start(SimHost *host, const KsmRegion *regions, size_t n);

/** simhost_stop() - a domain ends */
void simhost_stop(SimHost *host, size_t domain);

/** simhost_rewrite() - see ksm_model_rewrite(); nobody says so */
void simhost_rewrite(SimHost *host, size_t domain, size_t region, const KsmRegion *like);

/** simhost_tap() - let somebody listen, from the next decision on; @tap is borrowed; NULL: nobody
 */
void simhost_tap(SimHost *host, const SimTap *tap);

/** simhost_run() - let so much time pass, in microseconds */
void simhost_run(SimHost *host, uint64_t us);

/** simhost_settle() - let time pass until policy watches or rests, or so much has passed */
void simhost_settle(SimHost *host, uint64_t most_us);

/** simhost_model() - what is under policy; owned by the host */
KsmModel *simhost_model(SimHost *host);

/** simhost_plan() - the last word of policy */
const KsmPlan *simhost_plan(const SimHost *host);

/** simhost_pages() - what is mergeable in all domains now */
uint64_t simhost_pages(const SimHost *host);

/** simhost_watch() - begin a new story */
void simhost_watch(SimHost *host);

/** simhost_story() - what has happened since simhost_watch() */
SimStory simhost_story(const SimHost *host);

/** simhost_print() - the time line, for a test that fails: one line for each change of phase */
void simhost_print(const SimHost *host);

#endif
