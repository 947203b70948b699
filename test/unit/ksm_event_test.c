/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_event_test.c - what mode auto decides in the moment of an event, and right after it */
#include "policy/pass.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S          UINT64_C(1000000)
#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

/* A host with half of its memory available, and a domain that may merge; nothing of it is known
 * yet. */
typedef struct {
    PolicyConf conf;
    PolicyState state;
    DomainSample domain;
    DomainTrack track;
    DomainPlan part;
    Plan plan;
    Sample sample;
} One;

static void
one_init(One *one)
{
    memset(one, 0, sizeof(*one));
    policy_conf_default(&one->conf);
    policy_init(&one->state);
    one->state.domains = &one->track;
    one->domain = domain_sample_unknown();
    one->domain.key = 1;
    one->domain.mergeable_bp = BP_ONE;
    one->plan.domains = &one->part;
    one->sample = (Sample){ { .now_us = 100 * S,
                              .cpus = 4,
                              .page_bytes = 4096,
                              .has_ksm = true,
                              .mem_total_bytes = UINT64_C(1) << 34,
                              .mem_available_bytes = UINT64_C(1) << 33 },
                            &one->domain,
                            1 };
}

/* So many domains are there. */
static void
decide(One *one, size_t n)
{
    one->sample.n = n;
    policy_decide(&one->conf, &one->sample, &one->state, &one->plan);
}

/* The pass of a start is under way, and a GiB has come in a second. */
static void
the_end_of_a_pass_is_met_unless_the_next_is_due_already(void **unused)
{
    static const struct {
        const char *when;
        uint64_t cpu_price;
        uint64_t smart_scan;
        bool want;
    } rows[] = {
        { "waiting is dear", 1, VALUE_UNKNOWN, true },
        { "waiting is cheap", 1000000, VALUE_UNKNOWN, false },
        { "the next pass must skip nothing from where it begins", 1, 1, false },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        HostSample *host;
        One one;

        one_init(&one);
        host = &one.sample.host;
        one.conf.cpu_price = 1;
        host->knobs.smart_scan = rows[i].smart_scan;
        host->triggers = 1;
        decide(&one, 1);
        host->triggers = 0;
        host->now_us += S;
        one.domain.resident_bytes = UINT64_C(1) << 30;
        host->now_us += S / 10;
        decide(&one, 1);
        host->now_us += S;
        one.domain.resident_bytes *= 2;
        one.conf.cpu_price = rows[i].cpu_price;
        decide(&one, 1);
        if (one.state.ksm_auto.pass.stage == PASS_PARKED ||
            one.state.ksm_auto.pass.chained != rows[i].want)
            fail_msg("%s: the pass is in stage %d", rows[i].when, one.state.ksm_auto.pass.stage);
    }
}

/* A host on which a domain has a little memory that is not worth a pass for a long time. */
static void
a_kick_is_a_pass_at_once_whatever_is_owed(void **unused)
{
    static const struct {
        const char *event;
        uint32_t kicks;
        uint64_t resident;
        bool want; /* at the next look */
    } rows[] = {
        { "a kick", 1, UINT64_C(1) << 24, true },
        { "a kick with nothing owed", 1, 0, true },
        { "a start", 0, UINT64_C(1) << 24, false },
        { "a start with nothing owed", 0, 0, false },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        One one;

        one_init(&one);
        one.conf.cpu_price = 1000000;
        one.domain.resident_bytes = rows[i].resident;
        decide(&one, 0);
        one.sample.host.now_us += S;
        one.sample.host.triggers = 1;
        one.sample.host.kicks = rows[i].kicks;
        decide(&one, 1);
        if ((one.plan.ksm.duty_bp == BP_ONE) != rows[i].want)
            fail_msg("%s: duty %" PRIu64, rows[i].event, one.plan.ksm.duty_bp);
    }
}

/* Starts of domains of which nothing is ever known, every half second. */
static void
starts_that_follow_each_other_do_not_put_off_what_the_first_one_wants(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.sample.host.triggers = 1;
    for (unsigned half = 0; half < 3; half++) {
        decide(&one, 0);
        assert_int_equal(one.plan.ksm.duty_bp, half < 2 ? 0 : BP_ONE);
        one.sample.host.now_us += S / 2;
    }
}

/* A domain that was seen once by a pass is to be merged, on a host that does not wait for it. */
static void
what_goes_with_a_domain_says_nothing_of_the_pass(void **unused)
{
    static const struct {
        const char *when;
        uint32_t departures;
        uint64_t want;
    } rows[] = { { "nobody has left", 0, 25600 }, { "another one has left", 1, 0 } };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        uint64_t bytes = UINT64_C(25600) * 4096;
        One one;

        one_init(&one);
        one.sample.host.mem_available_bytes = 0;
        one.domain.resident_bytes = bytes;
        decide(&one, 0);
        one.track =
            (DomainTrack){ .key = 1, .open = true, .begun_bytes = bytes, .once_bytes = bytes };
        one.sample.host.departures = rows[i].departures;
        decide(&one, 1);
        assert_true(pass_is_running(&one.state.ksm_auto.pass));
        if (one.state.ksm_auto.match.due != rows[i].want)
            fail_msg("%s: %" PRIu64 " are due", rows[i].when, one.state.ksm_auto.match.due);
    }
}

/* ksmd goes over everything, as far as it is let. */
static void
scan(One *one)
{
    HostSample *host = &one->sample.host;

    host->departures = 0;
    host->triggers = 0;
    host->knobs = one->plan.ksm.knobs;
    host->now_us += one->plan.next_tick_us;
    if (pass_is_running(&one->state.ksm_auto.pass)) {
        host->ksmd_cpu_us += S / 10;
        host->ksm.full_scans++;
    }
}

/* A domain has come up, and after so many looks another one ends; @left stay. */
static void
end_after(One *one, unsigned looks, size_t left)
{
    one_init(one);
    one->domain.resident_bytes = UINT64_C(1) << 30;
    one->sample.host.ksm.pages_sharing = 1000000;
    one->sample.host.triggers = 1;
    decide(one, 1);
    for (unsigned n = 0; n < looks; n++) {
        scan(one);
        decide(one, 1);
    }
    scan(one);
    one->sample.host.departures = 1;
    decide(one, left);
}

/* The kernel frees its records of a domain that is gone when ksmd comes by, in a pass that begins
 * after that. */
static void
records_of_a_domain_are_dropped_whenever_it_ends(void **unused)
{
    (void)unused;

    for (unsigned looks = 0; looks < 60; looks++) {
        for (size_t left = 0; left <= 1; left++) {
            One one;
            const KsmAuto *a = &one.state.ksm_auto;
            uint64_t ended_us;
            bool dropped = false;

            end_after(&one, looks, left);
            ended_us = one.sample.host.now_us;
            while (one.sample.host.now_us < ended_us + 40 * S) {
                dropped = dropped || one.plan.ksm.reason == REASON_CLEANUP ||
                          (pass_is_running(&a->pass) && a->pass.began_us >= ended_us);
                scan(&one);
                decide(&one, left);
            }
            if (!dropped || a->cleanup_us != 0)
                fail_msg("%zu stay, and after %u looks one ends: %s", left, looks,
                         dropped ? "this is never over" : "its records are kept");
        }
    }
}

/* A rule holds merging, or nothing is to be written. */
static void
a_start_is_not_waited_for_where_nothing_can_be_scanned(void **unused)
{
    static const struct {
        const char *when;
        uint64_t resident;
        bool waits;
    } rows[] = {
        { "nothing is owed", 0, false },
        { "memory waits", UINT64_C(1) << 30, true },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        One one;

        one_init(&one);
        one.domain.resident_bytes = rows[i].resident;
        one.sample.host.triggers = 1;
        for (unsigned second = 0; second < 60; second++) {
            decide(&one, 1);
            one.sample.host.triggers = 0;
            one.sample.host.now_us += S;
        }
        if ((one.plan.ksm.phase == KSM_PHASE_BURST) != rows[i].waits)
            fail_msg("%s: phase %d", rows[i].when, one.plan.ksm.phase);
    }
}

static void
a_kick_that_could_not_be_scanned_for_is_not_kept_for_the_next_start(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.sample.host.triggers = 1;
    for (unsigned second = 0; second < 10; second++) {
        one.sample.host.kicks = second == 2; /* while the pass of the start is held */
        decide(&one, 1);
        one.sample.host.triggers = second == 1;
        one.sample.host.now_us += S;
    }
    assert_int_not_equal(one.plan.ksm.phase, KSM_PHASE_BURST);
    assert_false(one.state.ksm_auto.kicked);
}

/* All is covered, and a probe has begun. */
static void
begin_probe(One *one)
{
    one_init(one);
    one->domain.resident_bytes = UINT64_C(1) << 30;
    one->sample.host.ksm.pages_sharing = 1000000;
    decide(one, 1);
    while (one->plan.ksm.reason != REASON_PROBE && one->sample.host.now_us < 3600 * S) {
        scan(one);
        decide(one, 1);
    }
    assert_true(pass_is_running(&one->state.ksm_auto.pass));
}

static void
a_probe_that_cannot_go_on_is_looked_at_seldom_until_it_can(void **unused)
{
    HostSample *host;
    One one;
    (void)unused;

    begin_probe(&one);
    host = &one.sample.host;
    host->knobs.run = KSM_RUN_STOP;
    host->now_us += 60 * S;
    decide(&one, 1);
    assert_true(one.plan.ksm.knobs.sleep_ms >= 3600000);
    assert_int_equal(one.plan.next_tick_us, 10 * S);
    host->knobs.run = KSM_RUN_MERGE;
    decide(&one, 1);
    assert_int_equal(one.plan.ksm.reason, REASON_PROBE);
}

/* What is known of the only domain is gone. */
static void
forget_domain(One *one)
{
    one->domain = domain_sample_unknown();
    one->domain.key = 1;
    one->domain.mergeable_bp = BP_ONE;
}

static void
ksmd_is_parked_after_a_cleanup_where_nothing_is_known(void **unused)
{
    HostSample *host;
    One one;
    (void)unused;

    one_init(&one);
    host = &one.sample.host;
    forget_domain(&one);
    decide(&one, 1);
    host->departures = 1;
    host->now_us += S;
    decide(&one, 1);
    host->departures = 0;
    assert_int_equal(one.plan.ksm.knobs.sleep_ms, 20);
    host->now_us += 10 * S;
    decide(&one, 1);
    assert_int_equal(one.plan.ksm.reason, REASON_FACT_MISSING);
    assert_true(is_known(one.plan.ksm.knobs.sleep_ms) && one.plan.ksm.knobs.sleep_ms >= 3600000);
}

static void
ksmd_is_parked_when_nothing_is_known_any_more_of_what_it_scans(void **unused)
{
    HostSample *host;
    One one;
    (void)unused;

    begin_probe(&one);
    host = &one.sample.host;
    forget_domain(&one);
    host->knobs = one.plan.ksm.knobs;
    host->now_us += S / 100;
    decide(&one, 1);
    assert_int_equal(one.plan.ksm.reason, REASON_FACT_MISSING);
    assert_true(one.plan.ksm.knobs.run == VALUE_UNKNOWN);
    assert_true(is_known(one.plan.ksm.knobs.sleep_ms) && one.plan.ksm.knobs.sleep_ms >= 3600000);
}

/* While a guest comes up as others did, there is little to look at. */
static void
a_guest_that_comes_up_is_looked_at_twice_a_second(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.domain.started_us = 99 * S;
    one.domain.resident_bytes = UINT64_C(1) << 24;
    one.sample.host.ksm.pages_unshared = 100000; /* which make a pass dear */
    decide(&one, 0);
    one.state.ksm_auto.boot_us = 10 * S;
    decide(&one, 1);
    assert_int_equal(one.plan.ksm.reason, REASON_BOOTING);
    assert_int_equal(one.plan.next_tick_us, S / 2);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_of_a_pass_is_met_unless_the_next_is_due_already),
        cmocka_unit_test(a_kick_is_a_pass_at_once_whatever_is_owed),
        cmocka_unit_test(starts_that_follow_each_other_do_not_put_off_what_the_first_one_wants),
        cmocka_unit_test(what_goes_with_a_domain_says_nothing_of_the_pass),
        cmocka_unit_test(records_of_a_domain_are_dropped_whenever_it_ends),
        cmocka_unit_test(a_start_is_not_waited_for_where_nothing_can_be_scanned),
        cmocka_unit_test(a_kick_that_could_not_be_scanned_for_is_not_kept_for_the_next_start),
        cmocka_unit_test(a_probe_that_cannot_go_on_is_looked_at_seldom_until_it_can),
        cmocka_unit_test(ksmd_is_parked_after_a_cleanup_where_nothing_is_known),
        cmocka_unit_test(ksmd_is_parked_when_nothing_is_known_any_more_of_what_it_scans),
        cmocka_unit_test(a_guest_that_comes_up_is_looked_at_twice_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
