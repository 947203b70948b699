/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* standstill_test.c - a loop that is back late, and one that is not; the clock is the test's */
#define _GNU_SOURCE
#include "agent/standstill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "agent/log_event.h"

static time_t clock_s;
static unsigned told;
static char text[256];

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
void __wrap_log_event(LogEvent event, const char *format, ...) G_GNUC_PRINTF(2, 3);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    assert_int_equal(clock, CLOCK_BOOTTIME);
    *now = (struct timespec){ .tv_sec = clock_s };
    return 0;
}

void
__wrap_log_event(LogEvent event, const char *format, ...)
{
    va_list args;

    assert_int_equal(event, LOG_EVENT_STOOD_STILL);
    va_start(args, format);
    g_vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    told++;
}

static int
setup(void **unused)
{
    (void)unused;
    clock_s = 1000;
    told = 0;
    return 0;
}

static void
ten_seconds_late_are_told_once(void **unused)
{
    Standstill standstill = { 0 };

    (void)unused;
    standstill_expect(&standstill, 2000);
    clock_s += 2 + 10;
    standstill_look(&standstill);
    assert_int_equal(told, 1);
    assert_non_null(strstr(text, " for 10 s;"));
    clock_s += 3600;
    standstill_look(&standstill);
    assert_int_equal(told, 1);
}

static void
less_than_that_is_an_ordinary_delay(void **unused)
{
    Standstill standstill = { 0 };

    (void)unused;
    standstill_look(&standstill); /* nothing was expected yet */
    for (int late_s = -2; late_s < 10; late_s++) {
        standstill_expect(&standstill, 60000);
        clock_s += 60 + late_s;
        standstill_look(&standstill);
        assert_int_equal(told, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ten_seconds_late_are_told_once, setup),
        cmocka_unit_test_setup(less_than_that_is_an_ordinary_delay, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
