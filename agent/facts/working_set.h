/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set.h - how much memory a domain has used lately, by whatever means this kernel has
 *
 * A meter measures one domain, step by step, with the best backend that works for it. Its report
 * always says which one that is, what it is worth, and why the better ones are not used.
 *
 * Pages of the hugetlb pool are in nobody's view: the kernel neither ages nor counts them. For a
 * domain that has its memory there, what is resident is QEMU's own, and the rest is not told.
 */
#ifndef AGENT_FACTS_WORKING_SET_H
#define AGENT_FACTS_WORKING_SET_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/facts/working_set_budget.h"
#include "agent/facts/working_set_histogram.h"

/* NUMA nodes of the host that a report tells apart. */
#define WORKING_SET_NODES_MAX 16
/* For bytes of which the node is not known, or which are of nodes beyond the last. */
#define WORKING_SET_NODE_UNKNOWN (-1)
/* Room for the reasons of a report, final NUL included. */
#define WORKING_SET_REASON_BYTES 640

typedef enum {
    WORKING_SET_NONE,     /* no backend works: nothing is known */
    WORKING_SET_WARMING,  /* there is one, but it has not seen enough yet */
    WORKING_SET_MEASURED, /* there is a histogram */
    WORKING_SET_GUEST,    /* only what the guest says of itself: no histogram */
    WORKING_SET_STATE_COUNT,
} WorkingSetState;

/* What the guest says of itself, through its balloon. Each is VALUE_UNKNOWN if it does not. */
typedef struct {
    uint64_t total_bytes;       /* memory that it has ("available") */
    uint64_t unused_bytes;      /* free ("unused") */
    uint64_t usable_bytes;      /* could be had without swapping ("usable") */
    uint64_t disk_caches_bytes; /* page cache ("disk_caches") */
    uint64_t major_faults;      /* since it booted */
    uint64_t swap_in_bytes;     /* since it booted */
    uint64_t told_us;           /* CLOCK_MONOTONIC at which it said so */
} WorkingSetGuest;

typedef struct {
    int32_t node;                               /* or WORKING_SET_NODE_UNKNOWN */
    WorkingSetBytes bins[WORKING_SET_BINS_MAX]; /* as many as the edges make */
} WorkingSetNode;

/* What is known of one domain. A plain value. */
typedef struct {
    WorkingSetState state;
    const char *backend;    /* static; "none" if state is WORKING_SET_NONE */
    uint32_t confidence_bp; /* share of the resident bytes that are in the right bin;
                               0: there is no figure */
    bool is_estimate;       /* nobody has measured that confidence; else test/bench/working_set.c
                               has, with a process that is no guest of KVM, and a margin is
                               taken off */
    uint64_t moment_us;     /* CLOCK_MONOTONIC at which the working set was seen, or at which the
                               guest said it; bins of longer ages may be older; 0: none */
    uint64_t cpu_us; /* CPU time of the last measurement, or of the first so far; 0: not known */
    uint64_t horizon_us;   /* ages beyond are not told apart, all of that is in the last bin;
                              0: there is no histogram; WORKING_SET_OLDEST: there is no limit */
    WorkingSetEdges edges; /* between the bins */
    uint32_t n_nodes;      /* nodes in use */
    WorkingSetNode nodes[WORKING_SET_NODES_MAX];
    WorkingSetGuest guest;      /* its own word */
    uint64_t resident_bytes;    /* sum of all bins; VALUE_UNKNOWN */
    uint64_t working_set_bytes; /* used within the configured age; VALUE_UNKNOWN */
    uint64_t cold_bytes;        /* the rest of what is resident; VALUE_UNKNOWN */
    bool is_short;              /* the guest swaps or reads back what it had to drop: it needs more
                                   than it has, and the working set is a lower bound */
    bool has_fallen_back;       /* a better backend is here, and has failed: the reason has it */
    char reason[WORKING_SET_REASON_BYTES]; /* why better backends are not used; "" */
} WorkingSetReport;

/* What all meters of a host share. */
typedef struct {
    int root_fd;           /* "/" or a test's fake root (borrowed) */
    WorkingSetEdges edges; /* bounds of the bins */
    uint64_t age_us;       /* what was used within it is the working set */
    uint64_t interval_us;  /* shortest time between two measurements of a domain */
    uint64_t share_bp;     /* of one CPU that measuring may take */
    uint64_t damon_slots;  /* DAMON's monitors in use, a bit each; kept by its backend */
    uint32_t age_users;    /* domains whose page ages the kernel reports; kept by that backend */
    uint32_t age_nodes;    /* nodes whose bins it has set, a bit each; likewise */
} WorkingSetHost;

typedef struct WorkingSetMeter WorkingSetMeter;

/**
 * working_set_meter_new() - measure a domain
 * @host:   shared (borrowed); outlives the meter; only one thread uses it and its meters at a time
 * @pid:    of its QEMU
 * @dir_fd: directory of that process in /proc; a duplicate is kept
 * @cgroup: its memory cgroup, from cgroup_find(); NULL: none
 * @is_v2:  of version 2
 *
 * Return: for working_set_meter_free(); nothing is measured yet.
 */
WorkingSetMeter *working_set_meter_new(WorkingSetHost *host, pid_t pid, int dir_fd,
                                       const char *cgroup, bool is_v2);

/**
 * working_set_meter_free() - measure it no more, and undo what was set up for it
 * @meter: accepts NULL
 *
 * May block as a step may.
 */
void working_set_meter_free(WorkingSetMeter *meter);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WorkingSetMeter, working_set_meter_free)

/**
 * working_set_meter_set_guest() - what the guest has said last
 * @guest: copied; the report is brought up to date with it at the next step
 */
void working_set_meter_set_guest(WorkingSetMeter *meter, const WorkingSetGuest *guest);

/**
 * working_set_meter_step() - go on measuring
 * @now_us: CLOCK_MONOTONIC
 *
 * Finds a backend first, if there is none. One that fails is left alone for ten minutes, and the
 * next one is used at once; better ones are tried again before a measurement begins. Blocks for as
 * long as the kernel takes: milliseconds for each GiB of small pages, so call it in a thread.
 *
 * Return: CPU time that the step took, of this thread and of others on its behalf, microseconds.
 */
uint64_t working_set_meter_step(WorkingSetMeter *meter, uint64_t now_us);

/** working_set_meter_turn() - when and how the next step wants to be; expect_us is filled in */
WorkingSetTurn working_set_meter_turn(const WorkingSetMeter *meter);

/** working_set_meter_report() - what is known; belongs to @meter, changes with each step */
const WorkingSetReport *working_set_meter_report(const WorkingSetMeter *meter);

/**
 * working_set_give_back() - end what the measuring of a killed agent has left in the kernel
 * @root_fd: "/" or a test's fake root (borrowed)
 * @error:   names a file of it that could not be written
 *
 * DAMON's monitors, which run on. Page ages stay switched on, as nobody can tell any more who did
 * that: for a domain until its cgroup goes, and their bins until the host starts anew; the next
 * agent takes them as they are. The other means switch nothing on. Only while this program measures
 * nothing.
 *
 * Return: whether nothing is left.
 */
bool working_set_give_back(int root_fd, GError **error);

/** working_set_state_name() - word for a state: "measured"; static text */
const char *working_set_state_name(WorkingSetState state);

#endif
