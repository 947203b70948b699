/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_host.h - a model of a host's memory: RAM, swap, reclaim, and guests of several characters
 */
#ifndef TEST_SIM_MEM_HOST_H
#define TEST_SIM_MEM_HOST_H

#include "test/sim/mem_guest.h"

#include <stddef.h>

/* What QEMU needs beside the guest's memory. */
#define MEM_OVERHEAD (40 * MEM_MIB)

typedef struct {
    uint64_t total_bytes;  /* its memory */
    uint64_t swap_bytes;   /* size of its swap; 0: none */
    uint64_t swap_bytes_s; /* what the device under it moves in a second, each way */
    uint64_t step_us;      /* how finely time passes */
    bool has_reclaim;      /* memory.reclaim (5.19) */
    bool has_limit;        /* memory.high (cgroup v2) */
} MemHostSpec;

/* Since the beginning, or since a subtraction of two of them. */
typedef struct {
    uint64_t guest_in_bytes;  /* all guests' own swap */
    uint64_t guest_out_bytes; /* the same */
    uint64_t host_in_bytes;   /* the host's swap */
    uint64_t host_out_bytes;  /* the same */
    uint64_t guest_stall_us;  /* guests' waiting for memory, theirs or the host's */
    uint64_t guest_us;        /* guests times time */
    unsigned guest_ooms;      /* programs killed inside */
    unsigned host_ooms;       /* domains killed */
} MemScore;

typedef struct {
    MemHostSpec spec;
    uint64_t now_us;  /* since its boot */
    MemGuest *guests; /* owned; n of them, in the order of their starts */
    size_t n;
    uint64_t files_bytes;     /* the host's own page cache */
    uint64_t stall_us;        /* some task waited for memory, since boot */
    uint64_t last_stall_us;   /* in the last step */
    uint64_t swap_in_bytes;   /* since boot */
    uint64_t swap_out_bytes;  /* since boot */
    uint64_t swap_free_bytes; /* room in its swap */
    uint64_t moved_bytes;     /* what has gone to swap in this step */
    uint64_t next_key;        /* of the next start */
    MemScore gone;            /* what guests that are no more have had */
    unsigned ooms;            /* domains that were killed */
} MemHost;

/** mem_host_new() - a host without guests, at one hour after its boot; end with mem_host_free() */
MemHost *mem_host_new(const MemHostSpec *spec);

/** mem_host_free() - accepts NULL */
void mem_host_free(MemHost *host);

/** mem_host_spec() - the plain host of a size: a quarter of swap, all of cgroup v2, steps of 1 s */
MemHostSpec mem_host_spec(uint64_t total_bytes);

/** mem_host_start() - a domain starts; Return: owned by the host, until the next start or stop */
MemGuest *mem_host_start(MemHost *host, const MemSpec *spec, uint64_t seed);

/** mem_host_stop() - the domain at @index ends; those behind it move up */
void mem_host_stop(MemHost *host, size_t index);

/** mem_host_step() - let one step pass */
void mem_host_step(MemHost *host);

/** mem_host_free_bytes() - memory that nobody holds */
uint64_t mem_host_free_bytes(const MemHost *host);

/** mem_host_available() - MemAvailable */
uint64_t mem_host_available(const MemHost *host);

/**
 * mem_host_reclaim() - a write to a domain's memory.reclaim
 *
 * It takes the coldest, and what was asked for, no more.
 * Return: what it got.
 */
uint64_t mem_host_reclaim(MemHost *host, MemGuest *guest, uint64_t bytes);

/**
 * mem_host_limit() - a write to a domain's memory.high
 * @bytes:    MEM_NO_LIMIT lifts it
 * @until_us: when whoever watches over limits lifts it, unless it is set again
 *
 * A limit below what the domain holds takes about half as much again as it should.
 */
void mem_host_limit(MemHost *host, MemGuest *guest, uint64_t bytes, uint64_t until_us);

/** mem_host_score() - what guests have suffered so far */
MemScore mem_host_score(const MemHost *host);

#endif
