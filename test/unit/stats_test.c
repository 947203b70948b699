/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats_test.c - what a guest said of its memory, as long as it is fresh */
#include "agent/virt/stats.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"

#define NOW_S UINT64_C(1700000000)
#define U     VALUE_UNKNOWN

gint64 __wrap_g_get_real_time(void);

gint64
__wrap_g_get_real_time(void)
{
    return (gint64)NOW_S * G_USEC_PER_SEC + 999999;
}

static void
what_a_guest_said_counts_while_it_is_fresh(void **unused)
{
    static const struct {
        const char *when;
        uint64_t said_s;
        uint32_t period_s;
        uint64_t since_s;
        uint64_t unused;
        uint64_t want;
    } rows[] = {
        { "just now", NOW_S, 10, 0, 7, 7 },
        { "two periods ago", NOW_S - 25, 10, 0, 7, 7 },
        { "longer ago", NOW_S - 26, 10, 0, 7, U },
        { "as the balloon moved", NOW_S - 4, 10, NOW_S - 4, 7, U },
        { "after the balloon moved", NOW_S - 3, 10, NOW_S - 4, 7, 7 },
        { "never", 0, 10, 0, 7, U },
        { "libvirt does not tell when", U, 10, 0, 7, U },
        { "nobody asks it", NOW_S, 0, 0, 7, U },
        { "a moment ahead", NOW_S + 2, 10, 0, 7, 7 },
        { "before the clock was set back", NOW_S + 3, 10, 0, 7, U },
        { "it did not say that", NOW_S, 10, 0, U, U },
        { "the longest period", NOW_S, UINT32_MAX, 0, 7, 7 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const VirtStats stats = { .guest.unused_bytes = rows[i].unused,
                                  .guest_stats_s = rows[i].said_s };
        uint64_t have = virt_stats_unused(&stats, rows[i].period_s, rows[i].since_s);

        if (have != rows[i].want)
            fail_msg("%s: %" PRIu64, rows[i].when, have);
    }
}

/* What libvirt makes of a value of the guest that is -1: as it is, or divided by 1024. */
#define MINUS_ONE     UINT64_MAX
#define MINUS_ONE_KIB (UINT64_MAX / 1024)

static void
every_figure_of_a_guest_is_read_and_absurd_ones_are_not(void **unused)
{
    static const struct {
        const char *when;
        const char *field;
        uint64_t value;
        GuestStats want;
    } rows[] = {
        { "nothing", "balloon.current", 7, { U, U, U, U, U, U, U } },
        { "available", "balloon.available", 7, { 7168, U, U, U, U, U, U } },
        { "usable", "balloon.usable", 7, { U, 7168, U, U, U, U, U } },
        { "unused", "balloon.unused", 7, { U, U, 7168, U, U, U, U } },
        { "disk caches", "balloon.disk_caches", 7, { U, U, U, 7168, U, U, U } },
        { "swapped in", "balloon.swap_in", 7, { U, U, U, U, 7168, U, U } },
        { "swapped out", "balloon.swap_out", 7, { U, U, U, U, U, 7168, U } },
        { "major faults", "balloon.major_fault", 7, { U, U, U, U, U, U, 7 } },
        { "none", "balloon.usable", 0, { U, 0, U, U, U, U, U } },
        { "minus one", "balloon.usable", MINUS_ONE, { U, U, U, U, U, U, U } },
        { "minus one in KiB", "balloon.available", MINUS_ONE_KIB, { U, U, U, U, U, U, U } },
        { "minus one swapped", "balloon.swap_in", MINUS_ONE_KIB, { U, U, U, U, U, U, U } },
        { "minus one faults", "balloon.major_fault", MINUS_ONE, { U, U, U, U, U, U, U } },
        { "minus two faults", "balloon.major_fault", UINT64_MAX - 1, { U, U, U, U, U, U, U } },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        virTypedParameter param = { .type = VIR_TYPED_PARAM_ULLONG, .value.ul = rows[i].value };
        GuestStats have;

        g_strlcpy(param.field, rows[i].field, sizeof(param.field));
        virt_stats_guest(&param, 1, &have);
        if (memcmp(&have, &rows[i].want, sizeof(have)) != 0)
            fail_msg("%s", rows[i].when);
    }
}

static void
a_figure_of_another_type_is_none(void **unused)
{
    virTypedParameter param = { .field = "balloon.usable",
                                .type = VIR_TYPED_PARAM_INT,
                                .value.i = 7 };
    GuestStats have;
    (void)unused;

    virt_stats_guest(&param, 1, &have);
    assert_true(have.usable_bytes == U);
    virt_stats_guest(NULL, 0, &have);
    assert_true(have.usable_bytes == U);
}

/* Even looking for a figure that is not there needs its errors. */
static int
start_libvirt(void **unused)
{
    (void)unused;
    return virInitialize();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_of_a_guest_is_read_and_absurd_ones_are_not),
        cmocka_unit_test(a_figure_of_another_type_is_none),
        cmocka_unit_test(what_a_guest_said_counts_while_it_is_fresh),
    };

    return cmocka_run_group_tests(tests, start_libvirt, NULL);
}
