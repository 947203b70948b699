/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_backend.h - one way of measuring: what each of them looks like
 *
 * A backend is one file that defines one WorkingSetBackend, and one row in the list of
 * working_set.c, best first.
 */
#ifndef AGENT_FACTS_WORKING_SET_BACKEND_H
#define AGENT_FACTS_WORKING_SET_BACKEND_H

#include "agent/facts/working_set.h"

/* The domain that is measured. */
typedef struct {
    WorkingSetHost *host;  /* borrowed; what all meters share */
    pid_t pid;             /* of its QEMU */
    int dir_fd;            /* owned by the meter; directory of that process in /proc */
    char *cgroup;          /* owned by the meter; its memory cgroup; NULL: none */
    bool is_v2;            /* cgroup is of version 2 */
    WorkingSetGuest guest; /* its own word */
} WorkingSetTarget;

/* What a step has found. Zeroed before it. */
typedef struct {
    bool has_bins;    /* nodes and horizon_us are new */
    uint32_t n_nodes; /* nodes in use */
    WorkingSetNode nodes[WORKING_SET_NODES_MAX];
    uint64_t horizon_us;   /* as in the report */
    uint64_t moment_us;    /* as in the report; 0: that of the step */
    uint64_t next_us;      /* CLOCK_MONOTONIC at which to step again; 0: after the interval */
    bool goes_on;          /* the next step belongs to the same measurement */
    uint64_t other_cpu_us; /* CPU time that other threads have spent on it since the last step */
} WorkingSetReading;

typedef struct {
    const char *name;       /* in reports: "lru_gen" */
    uint32_t confidence_bp; /* as in the report */
    bool is_estimate;       /* as in the report */
    /* Whether it can be used for a domain; gives what it keeps for it (may be NULL). */
    bool (*open)(const WorkingSetTarget *target, gpointer *ret_state, GError **error);
    /* Goes on measuring; on failure the backend is closed. */
    bool (*step)(gpointer state, const WorkingSetTarget *target, uint64_t now_us,
                 WorkingSetReading *reading, GError **error);
    /* Undoes what open() and step() have set up; frees the state. */
    void (*close)(gpointer state, const WorkingSetTarget *target);
} WorkingSetBackend;

extern const WorkingSetBackend working_set_page_age;
extern const WorkingSetBackend working_set_lru_gen;
extern const WorkingSetBackend working_set_damon;
extern const WorkingSetBackend working_set_idle;
extern const WorkingSetBackend working_set_referenced;
extern const WorkingSetBackend working_set_guest;

/**
 * working_set_damon_user() - who else has DAMON
 * @root_fd: "/" or a test's fake root (borrowed)
 *
 * Monitors are made and numbered anew together, so they belong to one program at a time. Beside
 * those that the kernel has for purposes of its own there can be no others.
 *
 * Source: Documentation/admin-guide/mm/damon/usage.rst, "kdamonds/"; mm/damon/design.rst,
 * "exclusive manner" Return: static text, such as "another program"; NULL: nobody, also on a kernel
 * without DAMON.
 */
const char *working_set_damon_user(int root_fd);

/**
 * working_set_fail() - a backend cannot go on
 * @error:  set to G_IO_ERROR_FAILED
 * @format: reason, for a report: it follows the name of the backend and a colon
 *
 * Return: false.
 */
bool working_set_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/**
 * working_set_node() - the bins of a node, found or made
 * @reading: nodes are added to it
 * @node:    of the host; any number
 *
 * Return: its bins; those of WORKING_SET_NODE_UNKNOWN where there is no room for one more.
 */
WorkingSetBytes *working_set_node(WorkingSetReading *reading, int64_t node);

/**
 * working_set_only_node() - the node of all memory, if there is but one
 * @root_fd: "/" or a test's fake root (borrowed)
 *
 * Source: Documentation/ABI/stable/sysfs-devices-node, "online"
 * Return: its number; WORKING_SET_NODE_UNKNOWN on a host with several.
 */
int32_t working_set_only_node(int root_fd);

/**
 * working_set_memory_bytes() - memory of the guest and of QEMU that is resident
 * @dir_fd: directory of the process in /proc
 *
 * Without programs and libraries, which are other domains' too.
 *
 * Return: VALUE_UNKNOWN: its status does not tell.
 */
uint64_t working_set_memory_bytes(int dir_fd);

/**
 * working_set_find_kvm() - whether the guest runs under KVM
 * @target:      read from its maps, which costs nothing for its size
 * @ret_has_kvm: whether it does now; QEMU that has just started has made no processors yet
 * @error:       its maps cannot be read
 *
 * Source: kvm_vcpu_mmap() in the kernel: QEMU maps a page of each virtual processor, which shows as
 * "anon_inode:kvm-vcpu:0".
 * Return: whether it is known.
 */
bool working_set_find_kvm(const WorkingSetTarget *target, bool *ret_has_kvm, GError **error);

/**
 * working_set_write() - tell a kernel file something, in one write
 * @dir_fd: directory that @path is relative to (borrowed)
 * @path:   e.g. "clear_refs"; it must exist
 * @text:   all of it is written
 * @error:  names the file and what the kernel said
 *
 * The only writer of this room. What is written makes the kernel look at pages or count their use;
 * it never changes what a domain may have.
 */
bool working_set_write(int dir_fd, const char *path, const char *text, GError **error);

/**
 * working_set_write_word() - write one word of a binary kernel file
 * @fd:     open for writing
 * @offset: bytes; a multiple of 8
 * @word:   in the machine's own order
 *
 * Return: whether the kernel took it.
 */
bool working_set_write_word(int fd, uint64_t offset, uint64_t word);

/**
 * working_set_open_words() - open a binary kernel file for reading and writing
 * @root_fd: "/" or a test's fake root (borrowed)
 * @path:    relative to it
 *
 * Return: a descriptor that the caller closes; -1 with errno.
 */
int working_set_open_words(int root_fd, const char *path);

/**
 * working_set_fuse() - from a histogram and the guest's word to the working set
 * @report: nodes, edges, horizon, moment and guest are there; the figures behind them are filled in
 * @before: the guest's word of one measurement ago; told_us 0: none
 * @age_us: what was used within it is the working set
 */
void working_set_fuse(WorkingSetReport *report, const WorkingSetGuest *before, uint64_t age_us);

#endif
