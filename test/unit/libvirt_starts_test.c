/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_starts_test.c - what libvirt has told, before and after its connection was lost */
#include "agent/source/libvirt_starts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/domain.h"

#define WITH_STARTS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static int
setup(void **state)
{
    LibvirtStarts *starts = g_new0(LibvirtStarts, 1);

    libvirt_starts_init(starts);
    *state = starts;
    return 0;
}

static int
teardown(void **state)
{
    libvirt_starts_done(*state);
    g_free(*state);
    return 0;
}

static guint
count_untold(const LibvirtStarts *starts)
{
    g_autoptr(GPtrArray) uuids = libvirt_starts_untold(starts);

    return uuids->len;
}

static void
the_number_of_a_start_is_kept_until_its_end(void **state)
{
    LibvirtStarts *starts = *state;

    assert_int_equal(libvirt_starts_number(starts, "u1"), DOMAIN_ID_UNKNOWN);
    libvirt_starts_begin(starts, "u1", 5);
    libvirt_starts_begin(starts, "u2", 6);
    assert_int_equal(libvirt_starts_number(starts, "u1"), 5);
    assert_int_equal(libvirt_starts_end(starts, "u1"), 5);
    assert_int_equal(libvirt_starts_number(starts, "u1"), DOMAIN_ID_UNKNOWN);
    assert_int_equal(libvirt_starts_number(starts, "u2"), 6);
    libvirt_starts_begin(starts, "u2", 7); /* its end was missed */
    assert_int_equal(libvirt_starts_end(starts, "u2"), 7);
    assert_int_equal(libvirt_starts_end(starts, "u2"), DOMAIN_ID_UNKNOWN);
}

static void
after_a_lost_connection_each_start_has_to_be_told_again(void **state)
{
    LibvirtStarts *starts = *state;
    g_autoptr(GPtrArray) uuids = NULL;

    libvirt_starts_begin(starts, "u1", 0);
    libvirt_starts_begin(starts, "u2", 2);
    assert_true(libvirt_starts_has_told(starts, "u1"));
    assert_int_equal(count_untold(starts), 0);
    libvirt_starts_disconnect(starts);
    assert_false(libvirt_starts_has_told(starts, "u1"));
    assert_int_equal(count_untold(starts), 2);
    libvirt_starts_begin(starts, "u1", 0);
    assert_true(libvirt_starts_has_told(starts, "u1"));
    uuids = libvirt_starts_untold(starts);
    assert_int_equal(uuids->len, 1);
    assert_string_equal(g_ptr_array_index(uuids, 0), "u2");
    /* One that ends is missed no more, and has no number that may be another's by now. */
    assert_int_equal(libvirt_starts_end(starts, "u2"), DOMAIN_ID_UNKNOWN);
    assert_int_equal(count_untold(starts), 0);
}

static void
what_was_never_told_is_not_missed(void **state)
{
    LibvirtStarts *starts = *state;

    libvirt_starts_disconnect(starts);
    assert_false(libvirt_starts_has_told(starts, "u1"));
    assert_int_equal(count_untold(starts), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STARTS(the_number_of_a_start_is_kept_until_its_end),
        WITH_STARTS(after_a_lost_connection_each_start_has_to_be_told_again),
        WITH_STARTS(what_was_never_told_is_not_missed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
