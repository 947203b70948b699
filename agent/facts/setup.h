/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * setup.h - how the host is set up, as far as it bears on merging and reclaim
 *
 * What hardly changes while a host runs and what no decision needs: read when somebody asks what
 * is wrong, and at no other time.
 */
#ifndef AGENT_FACTS_SETUP_H
#define AGENT_FACTS_SETUP_H

#include "agent/facts/procfile.h"
#include "agent/facts/rival.h"

#include <stdbool.h>
#include <stdint.h>

/* Longest word or name that is kept. */
#define SETUP_WORD_BYTES 64

/* Where libvirt looks for our hook, and where before 6.5; relative to the root. */
#define SETUP_HOOK_PATH "etc/libvirt/hooks/qemu.d/50-virtksm"
#define SETUP_ONLY_HOOK "etc/libvirt/hooks/qemu"

typedef enum {
    SETUP_CGROUP_NONE, /* no hierarchy that controls memory */
    SETUP_CGROUP_V1,   /* also where v1 and v2 are mixed: memory is with v1 there */
    SETUP_CGROUP_V2,
    SETUP_CGROUP_COUNT,
} SetupCgroup;

typedef enum {
    SETUP_HOOK_ABSENT,         /* libvirt has no hook of ours */
    SETUP_HOOK_OURS,           /* of this version */
    SETUP_HOOK_OTHER,          /* of another version, or another program in its place */
    SETUP_HOOK_SCRIPT,         /* the only hook is a script that mentions ours */
    SETUP_HOOK_NOT_EXECUTABLE, /* libvirt passes it over */
    SETUP_HOOK_COUNT,
} SetupHook;

typedef struct {
    uint64_t numa_nodes;        /* online nodes; VALUE_UNKNOWN */
    uint64_t numa_balancing;    /* the kernel moves pages between them if not 0; VALUE_UNKNOWN */
    bool has_numad;             /* numad runs, and moves domains between them */
    char thp[SETUP_WORD_BYTES]; /* "always", "madvise", "never"; "": not known */
    uint64_t swap_bytes;        /* SwapTotal; VALUE_UNKNOWN */
    ProcfileResult pressure;    /* how reading proc/pressure/memory went */
    SetupCgroup cgroup;         /* that controls memory */
    bool lru_gen_hidden;        /* the multi-gen LRU is on, and no debugfs shows it */
    const char *damon_user;     /* static; who else has DAMON; NULL: nobody */
    bool is_guest;              /* the processors say that a hypervisor is below */
    char product[SETUP_WORD_BYTES]; /* of the machine, by its firmware; "": not told */

    bool has_rival; /* rival is filled */
    Rival rival;    /* runs, and may write KSM's settings */

    SetupHook hook;                  /* what is installed */
    uint64_t hook_changed_s;         /* wall clock, when it was put there; VALUE_UNKNOWN */
    uint64_t libvirtd_started_s;     /* wall clock; VALUE_UNKNOWN: none runs, or not told */
    char libvirtd[SETUP_WORD_BYTES]; /* the daemon that calls hooks: "virtqemud"; "": none */
} HostSetup;

/**
 * setup_read() - look at the host
 * @root_fd:   "/" or a test's fake root (borrowed)
 * @ret_setup: always filled; what cannot be read is not known
 *
 * Costs a few microseconds for each process, and reads the file of the hook: not for the event
 * path.
 *
 * Source: Documentation/admin-guide/sysctl/kernel.rst, "numa_balancing"; numad(8);
 * Documentation/admin-guide/mm/transhuge.rst, "enabled"; Documentation/accounting/psi.rst
 * (reading fails where psi=0); Documentation/admin-guide/cgroup-v2.rst, "cgroup.controllers";
 * Documentation/admin-guide/mm/multigen_lru.rst; CPUID leaf 1, ECX bit 31, which proc/cpuinfo shows
 * as "hypervisor"
 */
void setup_read(int root_fd, HostSetup *ret_setup);

/**
 * setup_read_hook() - the part that is about libvirt's hook
 * @root_fd: as for setup_read()
 * @setup:   its last four fields are written
 *
 * A hook of ours says its version in its file; see hooks/main.c.
 *
 * Source: libvirt docs/hooks; virHookCheck(): a hook must be executable, and is looked for when
 * the daemon starts or reloads
 */
void setup_read_hook(int root_fd, HostSetup *setup);

#endif
