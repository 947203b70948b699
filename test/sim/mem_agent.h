/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_agent.h - what the agent does for a host's memory, between the model and the policy library
 *
 * Facts with their age and blind spots go in, plans are carried out as the actuators do it. Every
 * plan is held against what is promised of all plans; the first that breaks a promise is kept.
 */
#ifndef TEST_SIM_MEM_AGENT_H
#define TEST_SIM_MEM_AGENT_H

#include "policy/policy.h"
#include "test/sim/mem_ask.h"
#include "test/sim/mem_host.h"

typedef struct MemAgent MemAgent;

/* Who decides. */
typedef enum {
    MEM_CONTROL_NONE,   /* nobody */
    MEM_CONTROL_MOM,    /* MOM's published rules */
    MEM_CONTROL_POLICY, /* the policy library */
} MemControl;

/* What happened since mem_agent_watch(). */
typedef struct {
    uint64_t decisions;       /* made */
    uint64_t balloon_orders;  /* that differ from the one before, of all domains */
    uint64_t limits;          /* set or lifted */
    uint64_t reclaimed_bytes; /* through memory.reclaim */
    unsigned most_turns;      /* changes of direction of one balloon: the most of all domains */
    MemKind turner;           /* and what kind of guest that was */
    uint64_t longest_want_us; /* a guest used its own swap for so long while another was idle */
    MemKind wanter;           /* and what kind of guest that was */
    char broken[160];         /* the first promise that a plan broke; "": none did */
} MemStory;

/**
 * mem_agent_new() - somebody in charge of a host
 * @host: borrowed
 * @conf: of the policy library; copied
 *
 * Return: owned by the caller, end with mem_agent_free()
 */
MemAgent *mem_agent_new(MemHost *host, MemControl control, const PolicyConf *conf);

/** mem_agent_free() - accepts NULL; the host stays */
void mem_agent_free(MemAgent *agent);

/** mem_agent_run() - let so much time pass, in microseconds */
void mem_agent_run(MemAgent *agent, uint64_t us);

/** mem_agent_disturb() - from now on not all that balloons are asked for is passed on as it should;
 * @dice is copied */
void mem_agent_disturb(MemAgent *agent, const MemFaults *faults, Dice dice);

/** mem_agent_resume() - it follows one that was killed */
void mem_agent_resume(MemAgent *agent);

/** mem_agent_die() - it is killed: from now on time passes without decisions */
void mem_agent_die(MemAgent *agent);

/** mem_agent_plan() - the last plan; owned by the agent */
const Plan *mem_agent_plan(const MemAgent *agent);

/** mem_agent_watch() - begin a new story */
void mem_agent_watch(MemAgent *agent);

/** mem_agent_story() - what has happened since mem_agent_watch() */
MemStory mem_agent_story(const MemAgent *agent);

/** mem_agent_conf() - settings as shipped, with balloons and memory.high enabled */
PolicyConf mem_agent_conf(void);

#endif
