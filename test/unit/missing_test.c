/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* missing_test.c - figures that come and go, and what the log says of it */
#include "agent/missing.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/log.h"
#include "policy/arith.h"

static GString *told;

void __wrap_log_warning(const char *format, ...) G_GNUC_PRINTF(1, 2);
void __wrap_log_info(const char *format, ...) G_GNUC_PRINTF(1, 2);

void
__wrap_log_warning(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_string_append_vprintf(told, format, args);
    va_end(args);
    g_string_append(told, "\n");
}

void
__wrap_log_info(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_string_append_vprintf(told, format, args);
    va_end(args);
    g_string_append(told, "\n");
}

static void
assert_told(Missing *missing, const HostSample *sample, const char *want)
{
    g_string_truncate(told, 0);
    missing_look(missing, sample);
    assert_string_equal(told->str, want);
}

static void
what_goes_and_what_comes_back_is_told_once(void **unused)
{
    HostSample sample = host_sample_unknown();
    Missing missing = { 0 };
    (void)unused;

    sample.mem_available_bytes = 1;
    sample.ksm.pages_shared = 0;
    sample.ksm.pages_sharing = 7;
    assert_told(&missing, &sample, "");
    sample.ksm.pages_sharing = VALUE_UNKNOWN;
    sample.mem_available_bytes = VALUE_UNKNOWN;
    assert_told(&missing, &sample,
                "the kernel gives no number any more for MemAvailable, pages_sharing: what depends "
                "on it is not known\n");
    assert_told(&missing, &sample, "");
    sample.ksm.pages_sharing = 8;
    assert_told(&missing, &sample, "the kernel gives a number again for pages_sharing\n");
    assert_told(&missing, &sample, "");
    sample.ksm.pages_sharing = VALUE_UNKNOWN;
    sample.mem_available_bytes = 1;
    assert_told(&missing, &sample,
                "the kernel gives no number any more for pages_sharing: what depends on it is not "
                "known\n"
                "the kernel gives a number again for MemAvailable\n");
}

static void
what_this_kernel_never_had_is_missed_by_nobody(void **unused)
{
    HostSample sample = host_sample_unknown();
    Missing missing = { 0 };
    (void)unused;

    assert_told(&missing, &sample, "");
    assert_told(&missing, &sample, "");
    sample.ksm.pages_skipped = 0; /* a new kernel, as it were */
    assert_told(&missing, &sample, "");
}

static void
what_comes_and_goes_is_told_five_times(void **unused)
{
    HostSample sample = host_sample_unknown();
    Missing missing = { 0 };
    g_auto(GStrv) lines = NULL;
    (void)unused;

    g_string_truncate(told, 0);
    for (int i = 0; i < 1000; i++) {
        sample.swap_free_bytes = i % 2 ? VALUE_UNKNOWN : 7;
        missing_look(&missing, &sample);
    }
    lines = g_strsplit(told->str, "\n", -1);
    assert_int_equal(g_strv_length(lines), 5 + 5 + 1 + 1);
    assert_string_equal(lines[10], "the kernel gives numbers for SwapFree now and then: that is "
                                   "told no more");
    sample.ksm.pages_shared = 1;
    sample.swap_free_bytes = 7;
    assert_told(&missing, &sample, "");
    sample.ksm.pages_shared = VALUE_UNKNOWN;
    g_string_truncate(told, 0);
    missing_look(&missing, &sample);
    assert_non_null(strstr(told->str, "pages_shared")); /* others are told all the same */
}

static int
setup(void **unused)
{
    (void)unused;
    told = g_string_new(NULL);
    return 0;
}

static int
teardown(void **unused)
{
    (void)unused;
    g_string_free(told, TRUE);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_and_what_comes_back_is_told_once),
        cmocka_unit_test(what_this_kernel_never_had_is_missed_by_nobody),
        cmocka_unit_test(what_comes_and_goes_is_told_five_times),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
