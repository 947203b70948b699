/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * faketarget.h - a domain for a backend of working sets to measure, and a log of what it writes
 *
 * Link with WRAP write: a file below the fabricated root then behaves like a kernel's, a write
 * replaces all of its content. Add fakeroot.c to the SOURCES too.
 */
#ifndef TEST_SUPPORT_FAKETARGET_H
#define TEST_SUPPORT_FAKETARGET_H

#include "agent/facts/working_set_backend.h"
#include "test/support/fakeroot.h"

#define FAKETARGET_PID 42
#define FAKETARGET_S   UINT64_C(1000000)

typedef struct FakeTarget FakeTarget;

/* What a write does, instead of replacing the content. Return: 0 for "done", -1 to have it
 * replaced after all, or an errno. */
typedef int (*FakeWrite)(FakeTarget *target, const char *path, const char *text);

struct FakeTarget {
    FakeRoot *root; /* owned; has the process, and one node */
    WorkingSetHost host;
    WorkingSetTarget target; /* cgroup "/vm" of version 2 */
    FakeWrite hook;          /* NULL: writes replace */
    const char *refuses;     /* "path=text" of writes that fail, may have "*"; NULL: none */
    int refusal;             /* errno of those */
    GString *log;            /* owned; "path=text;" of all writes so far, newlines taken off */
};

/** faketarget_new() - bins of 1, 10 and 60 s, age 10 s, interval 60 s, budget 0.5 % */
FakeTarget *faketarget_new(void);

/** faketarget_free() - and its tree */
void faketarget_free(FakeTarget *fake);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FakeTarget, faketarget_free)

/** faketarget_expect_refusal() - fails unless @backend cannot be used, and says @why */
void faketarget_expect_refusal(const char *when, FakeTarget *fake, const WorkingSetBackend *backend,
                               const char *why);

/** faketarget_refuse() - writes of "path=text", which may have "*", fail with @code from now on */
void faketarget_refuse(FakeTarget *fake, const char *pattern, int code);

/** faketarget_kib() - bytes of a kind in a bin of a reading's node, in KiB */
uint64_t faketarget_kib(const WorkingSetReading *reading, int32_t node, uint32_t bin,
                        WorkingSetKind kind);

/** faketarget_expect_bins() - fails unless the KiB of anonymous memory in the four bins are @want
 */
void faketarget_expect_bins(const char *when, const WorkingSetReading *reading, int32_t node,
                            const uint64_t *want);

#endif
