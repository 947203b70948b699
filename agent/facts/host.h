/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host.h - facts about the host: its memory, KSM, what ksmd costs, and what waits
 */
#ifndef AGENT_FACTS_HOST_H
#define AGENT_FACTS_HOST_H

#include <stdint.h>

#include "agent/facts/heldfile.h"
#include "agent/facts/ksm_setting.h"
#include "agent/facts/ksmd.h"
#include "agent/facts/stall.h"
#include "policy/sample.h"

/* Files that are read at each host_read(). */
#define HOST_COUNTER_FILES 10

/* What is kept between reads, to make them cheap. A zeroed struct is one that is not in use. */
typedef struct {
    int root_fd;         /* borrowed; "/" or a test's fake root */
    uint32_t page_bytes; /* 0: not in use */
    /* private: */
    int ksm_fd; /* owned; sys/kernel/mm/ksm; -1: not there when last looked for */
    Ksmd ksmd;  /* in use while this is */
    HeldFile counters[HOST_COUNTER_FILES]; /* of KSM, as in KsmCounters */
    HeldFile knobs[KSM_KNOB_COUNT];        /* of KSM, by KsmKnob */
    HeldFile memory;                       /* proc/meminfo */
    HeldFile cpus;                         /* sys/devices/system/cpu/online */
    StallFiles stalls;                     /* what the host waits for */
} HostFacts;

/* The counters that the host's saving is made of, read close together. */
typedef struct {
    uint64_t pages_shared;   /* KSM pages in use; VALUE_UNKNOWN: cannot be had */
    uint64_t pages_sharing;  /* further places that share them; VALUE_UNKNOWN: cannot be had */
    uint64_t ksm_zero_pages; /* places using the zero page; VALUE_UNKNOWN: cannot be had */
} HostMerged;

/**
 * host_init() - get ready to read a host
 * @facts:   in any state but in use
 * @root_fd: "/" or a test's fake root; borrowed until host_done()
 *
 * Looks for ksmd, which costs a few microseconds for each process up to it. What is not there
 * now is looked for again later: there is nothing that could fail.
 */
void host_init(HostFacts *facts, int root_fd);

/**
 * host_done() - give up what host_init() and host_read() opened
 * @facts: in use, done already, or zeroed; NULL is fine
 */
void host_done(HostFacts *facts);

/**
 * host_read() - take a sample of the host
 * @facts:  from host_init()
 * @sample: filled but for @now_us, @initial, @triggers, @kicks, @departures and @alarm, which are
 *          left alone
 *
 * Made for the event path: about two dozen small files, no search. A figure that this kernel does
 * not have, may not be read or makes no sense is VALUE_UNKNOWN; only @cpus and @page_bytes always
 * have a value.
 *
 * Source: Documentation/admin-guide/mm/ksm.rst; Documentation/filesystems/proc.rst
 */
void host_read(HostFacts *facts, HostSample *sample);

/**
 * host_read_ksm() - take what is known of KSM and ksmd, and leave the rest alone
 * @facts:  from host_init()
 * @sample: from an earlier host_read(); its @has_ksm, @knobs, @ksm and @ksmd_cpu_us are filled
 */
void host_read_ksm(HostFacts *facts, HostSample *sample);

/**
 * host_read_swapping() - take the counters of pages that were swapped, which host_read() leaves out
 * @facts:  from host_init()
 * @sample: its @swap_in_pages and @swap_out_pages are filled
 *
 * They are in a file that takes longer than all others together.
 *
 * Source: pswpin and pswpout of /proc/vmstat
 */
void host_read_swapping(const HostFacts *facts, HostSample *sample);

/**
 * host_read_knobs() - take the settings of KSM alone
 * @facts:  from host_init()
 * @sample: its @has_ksm and @knobs are filled
 */
void host_read_knobs(HostFacts *facts, HostSample *sample);

/**
 * host_read_merged() - read just what the host's saving is made of
 * @facts:      from host_init()
 * @ret_merged: always filled
 *
 * For the ledger, which reads it before and after the processes to see whether KSM moved.
 */
void host_read_merged(HostFacts *facts, HostMerged *ret_merged);

#endif
