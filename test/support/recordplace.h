/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recordplace.h - a place for the record of what to restore, and a record in it
 *
 * Register the test with SOURCES x_test.c ../support/recordplace.c ../support/fakeroot.c and LIBS
 * agent_actuator.
 */
#ifndef TEST_SUPPORT_RECORDPLACE_H
#define TEST_SUPPORT_RECORDPLACE_H

#include "agent/actuator/originals.h"
#include "test/support/fakeroot.h"

#define RECORDPLACE_BOOT       "11111111-2222-4333-8444-555555555555"
#define RECORDPLACE_OTHER_BOOT "11111111-2222-4333-8444-666666666666"

/* A test of cmocka with a RecordPlace of its own as its state. */
#define RECORDPLACE_TEST(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, recordplace_setup, recordplace_teardown)

typedef struct {
    FakeRoot *root; /* owned */
    char *dir;      /* owned; state directory, "var/lib/virtksm" below @root; not there yet */
    char *path;     /* owned; the record in it */
} RecordPlace;

/** recordplace_setup() - nothing is there yet; see RECORDPLACE_TEST() */
int recordplace_setup(void **state);

/** recordplace_teardown() - the counterpart */
int recordplace_teardown(void **state);

/** recordplace_open() - look for a record, in the boot RECORDPLACE_BOOT */
OriginalsOutcome recordplace_open(const RecordPlace *place, Originals *originals);

/**
 * recordplace_leave() - a run that recorded two groups and was killed
 *
 * ksm: run=0, advisor_mode=scan-time; memory_high: the text of RECORDPLACE_OTHER_BOOT is a key,
 * max.
 */
void recordplace_leave(const RecordPlace *place);

/** recordplace_expect() - an entry is @want; NULL: there is none */
void recordplace_expect(const Originals *originals, const char *group, const char *key,
                        const char *want);

#endif
