/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksmhost.h - a host whose KSM is made of plain files, and a KsmActuator on it
 *
 * The wrapped pwrite() adds what the kernel does: it refuses pages_to_scan while the advisor is
 * on, and resets it when the advisor goes on or off. Register the test with
 * SOURCES x_test.c ../support/ksmhost.c ../support/fakeroot.c and WRAP openat pwrite.
 */
#ifndef TEST_SUPPORT_KSMHOST_H
#define TEST_SUPPORT_KSMHOST_H

#include "agent/actuator/ksm.h"
#include "policy/arith.h"
#include "test/support/fakeroot.h"

#define KSM        "sys/kernel/mm/ksm/"
#define BOOT       "11111111-2222-4333-8444-555555555555"
#define OTHER_BOOT "11111111-2222-4333-8444-666666666666"
#define U          VALUE_UNKNOWN

typedef struct {
    FakeRoot *root;  /* owned */
    char *state_dir; /* owned; not there yet */
    char *record;    /* owned; the file in it */
    Originals originals;
    KsmActuator actuator;
    GString *log;          /* owned; "run=1 " for each value that a write brought */
    unsigned unguarded;    /* writes while there was no record on disk */
    int open_errno;        /* for opening for writing; 0: works */
    const char *fail_name; /* file whose writes fail; NULL: none */
    int fail_errno;        /* with this; 0: taken without effect */
    int fail_times;        /* so often */
} KsmHost;

/* Act and yield; write nothing; never yield. */
extern const KsmActuatorOptions plain;
extern const KsmActuatorOptions dry;
extern const KsmActuatorOptions greedy;

/* As policy asks for it: run, pages_to_scan, sleep_ms; no word of the rest. */
extern const KsmKnobs burst;
extern const KsmKnobs rest;
/* As burst, and no page is skipped; and with the zero page. */
extern const KsmKnobs thorough;
extern const KsmKnobs with_zeros;
/* What is said while ksmd sleeps. */
extern const KsmKnobs asleep;

/** ksmhost_setup() - cmocka fixture: run 0, 100 pages, 20 ms, advisor none, smart_scan 1,
 *                   use_zero_pages 0 */
int ksmhost_setup(void **state);

/** ksmhost_teardown() - the other half */
int ksmhost_teardown(void **state);

/** ksmhost_crash() - end a run without a word, as SIGKILL does */
void ksmhost_crash(KsmHost *host);

/** ksmhost_start() - begin a run; returns the state of the actuator */
KsmActuatorState ksmhost_start(KsmHost *host, const KsmActuatorOptions *options);

/** ksmhost_start_after_reboot() - begin a run with another boot id */
KsmActuatorState ksmhost_start_after_reboot(KsmHost *host);

/** ksmhost_knobs() - what the files show */
KsmKnobs ksmhost_knobs(const KsmHost *host);

/** ksmhost_apply() - apply with a fresh sample */
ApplyResult ksmhost_apply(KsmHost *host, const KsmKnobs *wanted);

/** ksmhost_has_record() - whether there is a record of originals on disk */
bool ksmhost_has_record(const KsmHost *host);

/** assert_wrote() - what has been written since the last call: "pages_to_scan=1 run=1 " */
void assert_wrote(KsmHost *host, const char *want);

/** assert_knobs() - run, pages_to_scan, sleep_ms, advisor */
void assert_knobs(const KsmKnobs *have, uint64_t run, uint64_t pages, uint64_t sleep,
                  uint64_t advisor);

/** assert_in_force() - as assert_knobs(), for what the files show */
void assert_in_force(const KsmHost *host, uint64_t run, uint64_t pages, uint64_t sleep,
                     uint64_t advisor);

/** assert_restores() - a clean stop works and says something like @want_note; NULL: nothing */
void assert_restores(KsmHost *host, const char *want_note);

#endif
