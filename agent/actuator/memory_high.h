/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory_high.h - taking cold memory from domains: memory.reclaim, and limits for a time
 */
#ifndef AGENT_ACTUATOR_MEMORY_HIGH_H
#define AGENT_ACTUATOR_MEMORY_HIGH_H

#include "agent/actuator/hold.h"
#include "agent/actuator/memory_high_guard.h"
#include "agent/virt/worker.h"

typedef struct {
    bool is_on;        /* [memory_high] enable = yes, and mode observe is not set */
    uint64_t floor_bp; /* as in BalloonOptions */
} MemoryHighOptions;

typedef struct {
    /* private: use the functions below, and hold_find() on @holds */
    HoldTable holds; /* first: see hold_row_restore() */
    MemoryHighOptions options;
    int root_fd;     /* borrowed; what sys/ is below */
    Worker *worker;  /* owned; for memory.reclaim */
    HighGuard guard; /* lifts limits when we cannot */
} MemoryHigh;

/* What it needs of the agent. */
typedef struct {
    int root_fd;                  /* borrowed; "/" or a test's fake root */
    Originals *originals;         /* after originals_open() (borrowed) */
    Changer changer;              /* what is in it is borrowed */
    const char *const *guard_run; /* copied; program of the guard and its arguments */
} MemoryHighNeeds;

/**
 * memory_high_init() - no limit set yet; what a killed run has left is to be lifted
 * @high:  overwritten
 * @needs: copied
 */
void memory_high_init(MemoryHigh *high, const MemoryHighNeeds *needs);

/** memory_high_set_options() - as balloon_set_options() */
void memory_high_set_options(MemoryHigh *high, const MemoryHighOptions *options);

/**
 * memory_high_apply() - reclaim, limit and lift as policy wants
 * @decided: of this decision
 * @error:   the record of originals cannot be kept, or nobody would lift the limits if we died:
 *           no limit was set
 *
 * Neither waits for the kernel to reclaim nor for libvirt. A limit is set between the domain's
 * floor and the limit that was found, for the time of its lease, and not where the domain has
 * outgrown it: the figures that were decided on may be old. One that is to go is
 * raised in the kernel at once; libvirt follows.
 *
 * Source: Documentation/admin-guide/cgroup-v2.rst, "memory.high" and "memory.reclaim"
 * Return: APPLY_DONE if anything was asked for; APPLY_RETRY with @error.
 */
ApplyResult memory_high_apply(MemoryHigh *high, const Decided *decided, GError **error);

/** memory_high_done() - let go of memory and of the guard; restores nothing */
void memory_high_done(MemoryHigh *high);

/**
 * memory_high_lift() - raise memory.high of a domain's cgroup to what was found
 * @root_fd: "/" or a test's fake root (borrowed)
 * @hold:    whose cgroup is known, else nothing happens
 *
 * Only a file that holds what we have written, to the byte, is changed. Never waits: raising a
 * limit reclaims nothing.
 *
 * Return: whether a limit of ours was in force there.
 */
bool memory_high_lift(int root_fd, const Hold *hold);

/** memory_high_init_holds() - a table of limits, for one who only lifts them */
void memory_high_init_holds(HoldTable *holds, Originals *originals, int root_fd);

/* --- shared by the files of this actuator --- */

/* What a domain gives at once, so that the figures of the next decision can follow. */
#define MEMORY_HIGH_RECLAIM_BYTES (UINT64_C(256) << 20)

/**
 * memory_high_reclaim() - have memory of a domain reclaimed, in a thread
 * @hold:  of the domain, not reclaiming
 * @bytes: how much, at most
 *
 * What became of it is noted in @hold. Of what is not done within two seconds, as others are
 * before it, the rest is left.
 */
void memory_high_reclaim(MemoryHigh *high, Hold *hold, uint64_t bytes);

/* How long a stop waits for libvirt to take the limits back. */
#define MEMORY_HIGH_RESTORE_US 5000000

extern const Actuator memory_high_actuator;

#endif
