/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* highhost.h - a MemoryHigh on a HoldHost; add highhost.c to what holdhost.h asks for */
#ifndef TEST_SUPPORT_HIGHHOST_H
#define TEST_SUPPORT_HIGHHOST_H

#include "agent/actuator/memory_high.h"
#include "test/support/holdhost.h"

/* Of the first domain. */
#define HIGHHOST_CGROUP "/machine.slice/machine-qemu\\x2d3\\x2dweb.scope"
#define HIGHHOST_FOLDER "sys/fs/cgroup" HIGHHOST_CGROUP
/* What it uses at this moment, whatever the sample says; a limit may be 4 percent below. */
#define HIGHHOST_USED (UINT64_C(704) << 20)

typedef struct {
    HoldHost *host; /* borrowed */
    MemoryHigh high;
    Process process; /* owned; of the first domain */
} HighHost;

/* A guard that waits for its end and does nothing. */
extern const char *const highhost_waiting[];

/** highhost_start() - begin a run; there is no limit */
void highhost_start(HoldHost *host, HighHost *fixture, const char *const *guard_run);

/** highhost_stop() - end it without a word, as SIGKILL does */
void highhost_stop(HighHost *fixture);

/** highhost_apply() - a decision; it must not fail */
ApplyResult highhost_apply(HighHost *fixture);

/** highhost_hold() - what is known of the first domain; NULL: nothing */
const Hold *highhost_hold(const HighHost *fixture);

#endif
