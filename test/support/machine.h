/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine.h - tests that not every machine can run; to be included after cmocka.h */
#ifndef TEST_SUPPORT_MACHINE_H
#define TEST_SUPPORT_MACHINE_H

/*
 * Ends a test that this machine cannot run, and says why in the line that test/check/tally.py looks
 * for. Without that line a skipped test is a failure.
 */
#define skip_because_machine(reason)                                                               \
    do {                                                                                           \
        print_message("SKIP-BECAUSE-MACHINE: %s\n", reason);                                       \
        skip(); /* the reason is in the line before, which cmocka has no place for */              \
    } while (0)

#endif
