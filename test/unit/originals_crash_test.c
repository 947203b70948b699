/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * originals_crash_test.c - killed at any system call of a save, the record is the old or the new
 *
 * A child saves under ptrace. It is killed at its first system call, then another one at its
 * second, and so on, until one gets to the end: that is every point at which the disk can change.
 */
#define _GNU_SOURCE
#include "agent/actuator/originals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/tracedsave.h"

/* Stops at the beginning and the end of each call; a save has some twenty calls. */
#define STOPS_MAX 2000

/* Return: whether the child got to its end before it was to be killed. */
static bool
kill_at(const RecordPlace *place, const char *value, unsigned stop)
{
    pid_t pid = tracedsave_begin(place, value);

    for (unsigned i = 0; i < stop; i++)
        if (!tracedsave_step(pid))
            return true;
    tracedsave_kill(pid);
    return false;
}

/* Files of ours that are not the record. */
static unsigned
count_strays(const RecordPlace *place)
{
    g_autoptr(GDir) dir = g_dir_open(place->dir, 0, NULL);
    const char *name;
    unsigned n = 0;

    while (dir && (name = g_dir_read_name(dir)))
        n += !g_str_equal(name, "originals");
    return n;
}

static void
at_any_call_of_a_save_the_record_is_the_old_or_the_new(void **state)
{
    static const struct {
        const char *when;
        const char *before; /* NULL: there is no record */
        const char *after;  /* NULL: the last value goes, and the record with it */
    } rows[] = {
        { "the first record", NULL, "0" },
        { "another value", "0", "1" },
        { "the end of it", "0", NULL },
    };
    const RecordPlace *place = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        unsigned strays = 0;
        unsigned stop = 0;
        bool is_done = false;

        while (!is_done && stop < STOPS_MAX) {
            g_autofree char *now = NULL;

            assert_true(tracedsave_now(place, NULL));
            assert_true(!rows[i].before || tracedsave_now(place, rows[i].before));
            is_done = kill_at(place, rows[i].after, ++stop);
            now = tracedsave_look(place);
            if (strcmp(now, rows[i].before ? rows[i].before : "") != 0 &&
                strcmp(now, rows[i].after ? rows[i].after : "") != 0)
                fail_msg("%s, killed at stop %u: %s", rows[i].when, stop, now);
            strays += count_strays(place);
        }
        assert_true(is_done);
        /* Otherwise no kill came in the middle of a write. */
        if (rows[i].after && strays == 0)
            fail_msg("%s: %u kills, and none left half a file", rows[i].when, stop);
    }
}

static void
what_a_kill_has_left_goes_with_the_next_claim(void **state)
{
    const RecordPlace *place = *state;
    Originals originals;
    unsigned stop = 0;

    while (count_strays(place) == 0 && stop < STOPS_MAX)
        kill_at(place, "0", ++stop);
    assert_int_not_equal(count_strays(place), 0);
    recordplace_open(place, &originals);
    assert_true(originals_claim(&originals, NULL));
    originals_done(&originals);
    assert_int_equal(count_strays(place), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDPLACE_TEST(at_any_call_of_a_save_the_record_is_the_old_or_the_new),
        RECORDPLACE_TEST(what_a_kill_has_left_goes_with_the_next_claim),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
