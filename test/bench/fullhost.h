/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fullhost.h - an agent with everything on, on a fabricated host whose libvirt does what it is told
 *
 * Each domain has a process, a cgroup of version 2 and a guest that tells; balloons, memory.high,
 * statistics periods and the measuring of working sets are on. What the agent asks libvirt for is
 * kept, and done when the bench says so.
 */
#ifndef TEST_BENCH_FULLHOST_H
#define TEST_BENCH_FULLHOST_H

#include "agent/agent.h"
#include "test/support/fakeagent.h"

#define FULLHOST_DOMAIN_BYTES (UINT64_C(1) << 30)

typedef struct {
    void *state;     /* of fakeagent.h */
    Agent *agent;    /* borrowed from it */
    GArray *asked;   /* owned; changes that libvirt has not made yet */
    uint64_t orders; /* changes that were asked for */
} FullHost;

/** fullhost_open() - an agent without domains; fullhost_close() it */
void fullhost_open(FullHost *host);

/** fullhost_close() - frees everything */
void fullhost_close(FullHost *host);

/** fullhost_write() - the files of a domain, fakehost_uuid(@number): its process and its cgroup */
void fullhost_write(FullHost *host, int number);

/** fullhost_know() - a domain of the agent's table is one of libvirt, whose definition was read */
void fullhost_know(Domain *domain);

/** fullhost_obey() - libvirt makes the changes that it was asked for, where the domain still runs
 */
void fullhost_obey(FullHost *host);

/**
 * fullhost_tell() - libvirt's figures of all domains
 * @turn: most guests are idle, some are short, and each is now and then
 */
void fullhost_tell(FullHost *host, guint turn);

/**
 * fullhost_set_available() - how much memory the host has left
 * @domains: the host's memory is theirs
 * @percent: of it
 */
void fullhost_set_available(FullHost *host, int domains, unsigned percent);

#endif
