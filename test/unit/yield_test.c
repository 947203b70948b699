/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* yield_test.c - what ksmd's work brings */
#include "policy/yield.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define U       VALUE_UNKNOWN
#define S       UINT64_C(1000000)
#define EARLIER UINT64_C(123)

static HostSample
host_with(uint64_t cpu_us, uint64_t sharing, uint64_t unshared)
{
    HostSample host = { .page_bytes = 4096, .ksmd_cpu_us = cpu_us };

    host.ksm.pages_sharing = sharing;
    host.ksm.pages_unshared = unshared;
    host.ksm.ksm_zero_pages = U;
    return host;
}

static void
the_yield_is_what_was_gained_net_of_records_per_second_of_ksmd(void **unused)
{
    static const struct {
        const char *when;
        uint64_t cpu_us;   /* that the work took */
        uint64_t sharing;  /* pages more than before */
        uint64_t unshared; /* pages more than before */
        bool disturbed;
        uint64_t want; /* KiB per second */
    } rows[] = {
        { "all merged", S, 1024, 0, false, 4096 - 64 },
        { "in half the time", S / 2, 1024, 0, false, 2 * (4096 - 64) },
        { "beside unique pages", S, 1024, 16384, false, 4096 - 64 - 1024 },
        { "unique pages only", S, 0, 16384, false, 0 },
        { "too little work to tell", 9999, 1024, 0, false, EARLIER },
        { "a domain went away", S, 1024, 0, true, EARLIER },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        HostSample before = host_with(7 * S, 500, 300);
        HostSample after =
            host_with(7 * S + rows[i].cpu_us, 500 + rows[i].sharing, 300 + rows[i].unshared);
        Yield yield = { .kib_per_s = EARLIER };

        yield_begin(&before, &yield);
        yield.disturbed = rows[i].disturbed;
        yield_end(&after, &yield);
        if (yield.kib_per_s != rows[i].want)
            fail_msg("%s: %" PRIu64 ", want %" PRIu64, rows[i].when, yield.kib_per_s, rows[i].want);
    }
}

static void
without_the_run_time_of_ksmd_nothing_is_judged(void **unused)
{
    HostSample host = host_with(U, 0, 100);
    PolicyConf conf;
    Yield yield = { .kib_per_s = U };
    (void)unused;

    policy_conf_default(&conf);
    yield_begin(&host, &yield);
    yield_end(&host, &yield);
    assert_true(yield.kib_per_s == U);
    assert_false(yield_is_low(&conf, &yield));
}

static void
low_is_below_the_floor(void **unused)
{
    PolicyConf conf;
    Yield yield = { .kib_per_s = 0 };
    (void)unused;

    policy_conf_default(&conf);
    conf.yield_floor = 2;
    yield.kib_per_s = 2047;
    assert_true(yield_is_low(&conf, &yield));
    yield.kib_per_s = 2048;
    assert_false(yield_is_low(&conf, &yield));
}

static void
merging_pays_while_it_saves_more_than_its_records_take(void **unused)
{
    HostSample host = host_with(0, 1, 62);
    (void)unused;

    assert_true(yield_pays(&host)); /* 4096 bytes for 63 records */
    host.ksm.pages_unshared = 63;
    assert_false(yield_pays(&host));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_yield_is_what_was_gained_net_of_records_per_second_of_ksmd),
        cmocka_unit_test(without_the_run_time_of_ksmd_nothing_is_judged),
        cmocka_unit_test(low_is_below_the_floor),
        cmocka_unit_test(merging_pays_while_it_saves_more_than_its_records_take),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
