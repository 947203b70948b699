/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * holdhost.h - two domains that actuators change, with a libvirt that the test plays
 *
 * Register the test with SOURCES x_test.c ../support/holdhost.c ../support/fakeroot.c and LIBS
 * agent_actuator agent.
 */
#ifndef TEST_SUPPORT_HOLDHOST_H
#define TEST_SUPPORT_HOLDHOST_H

#include "agent/actuator/hold.h"
#include "policy/arith.h"
#include "test/support/fakeroot.h"

#define HOLDHOST_DOMAINS 2
#define HOLDHOST_BOOT    "11111111-2222-4333-8444-555555555555"
#define MIB              (UINT64_C(1) << 20)
#define U                VALUE_UNKNOWN

typedef struct {
    FakeRoot *root;  /* owned; the host */
    char *state_dir; /* owned; not there yet */
    char *record;    /* owned; the file in it */
    Originals originals;
    Changer changer;
    bool is_away;      /* libvirt is not connected */
    bool is_unguarded; /* something was asked for that was not on disk */
    GArray *asked;     /* owned; of Change: not answered yet */
    unsigned answers;  /* that holdhost_answer_soon() still has to give */
    ChangeDone done;   /* of them */
    gpointer user;     /* of them */
    /* One moment. Domains are running, movable, of 1000 MiB, and nothing is wanted of them. */
    Subject subjects[HOLDHOST_DOMAINS];
    DomainSample samples[HOLDHOST_DOMAINS];
    DomainPlan plans[HOLDHOST_DOMAINS];
    Sample sample;
    Plan plan;
    Decided decided;
} HoldHost;

/** holdhost_setup() - cmocka fixture */
int holdhost_setup(void **state);

/** holdhost_teardown() - the other half */
int holdhost_teardown(void **state);

/** holdhost_reopen() - let go of the record as a killed agent does, and read it again */
void holdhost_reopen(HoldHost *host);

/** holdhost_reboot() - as holdhost_reopen(), but the host was rebooted meanwhile */
void holdhost_reboot(HoldHost *host);

/** holdhost_begin() - libvirt is at the oldest question, and does not come to an end with it */
void holdhost_begin(HoldHost *host);

/** holdhost_answer() - libvirt answers the oldest question; that must have wanted @want bytes */
void holdhost_answer(HoldHost *host, uint64_t want, ChangeResult result, uint64_t found_bytes);

/** holdhost_answer_text() - as holdhost_answer(), with libvirt's words */
void holdhost_answer_text(HoldHost *host, ChangeResult result, const char *detail);

/** holdhost_answer_soon() - libvirt answers the next @n questions when the loop runs: all is done
 */
void holdhost_answer_soon(HoldHost *host, unsigned n);

/**
 * holdhost_expect_stop() - a value of the first domain stays on record while libvirt is away, which
 *                          is said, and goes back when it is there again
 * @actuator: has set it
 * @context:  of the actuator
 * @why:      words of what is said
 */
void holdhost_expect_stop(HoldHost *host, const Actuator *actuator, void *context, const char *why);

/** holdhost_tell() - libvirt has told new figures of all domains */
void holdhost_tell(HoldHost *host);

/** holdhost_is_foreign() - whether the value of the first domain counts as set by somebody else */
bool holdhost_is_foreign(const HoldHost *host, const HoldTable *holds);

/** holdhost_entry() - what is on disk of the first domain (the caller frees it); NULL: nothing */
char *holdhost_entry(const HoldHost *host, const char *group);

#endif
