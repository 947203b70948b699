/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats_period_test.c - guests are asked where nobody asks them, and only as long as it is needed
 */
#define _GNU_SOURCE
#include "agent/actuator/stats_period.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/holdhost.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* What the definitions of the domains say; libvirt's figures tell nothing of it. */
static uint64_t defined_s[HOLDHOST_DOMAINS];
static StatsPeriod period;

static int
setup(void **state)
{
    HoldHost *host;

    holdhost_setup(state);
    host = *state;
    memset(defined_s, 0, sizeof(defined_s));
    defined_s[1] = 10; /* somebody asks the second one already */
    stats_period_init(&period, &host->originals, &host->changer);
    stats_period_set_on(&period, true);
    return 0;
}

static int
teardown(void **state)
{
    stats_period_done(&period);
    return holdhost_teardown(state);
}

static uint64_t
in_force(const HoldHost *host, size_t i)
{
    return stats_period_in_force(&period, host->subjects[i].uuid, defined_s[i]);
}

/* One decision, with what is in force as the agent tells it. */
static ApplyResult
apply(HoldHost *host)
{
    g_autoptr(GError) error = NULL;
    ApplyResult result;

    holdhost_tell(host);
    for (size_t i = 0; i < HOLDHOST_DOMAINS; i++)
        host->samples[i].guest_period_us = in_force(host, i) * 1000000;
    result = stats_period_apply(&period, &host->decided, &error);
    if (error)
        fail_msg("%s", error->message);
    return result;
}

/* The first domain has a period of ours. */
static void
set_first(HoldHost *host)
{
    assert_int_equal(apply(host), APPLY_DONE);
    holdhost_answer(host, STATS_PERIOD_S, CHANGE_DONE, 0);
    assert_int_equal(in_force(host, 0), STATS_PERIOD_S);
}

static void
a_period_is_set_where_there_is_none_after_it_was_recorded(void **state)
{
    HoldHost *host = *state;
    g_autofree char *entry = NULL;

    assert_int_equal(apply(host), APPLY_DONE);
    assert_int_equal(host->asked->len, 1);
    assert_false(host->is_unguarded);
    entry = holdhost_entry(host, "stats_period");
    assert_string_equal(entry, "3 0 0 2 2 -");
    assert_int_equal(in_force(host, 0), 0); /* not yet */
    assert_int_equal(apply(host), APPLY_UNCHANGED);
    holdhost_answer(host, STATS_PERIOD_S, CHANGE_DONE, 0);
    assert_int_equal(in_force(host, 0), STATS_PERIOD_S);
    assert_int_equal(in_force(host, 1), 10);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(apply(host), APPLY_UNCHANGED);
    assert_int_equal(host->asked->len, 0);
}

static void
who_is_not_to_be_changed_is_not_asked(void **state)
{
    static const struct {
        const char *when;
        bool off, no_balloon, fixed, still, no_number;
        MechanismMode balloon, high;
    } rows[] = {
        { .when = "no mechanism is on", .off = true },
        { .when = "no balloon", .no_balloon = true },
        { .when = "memory that must stay", .fixed = true },
        { .when = "in the middle of a migration", .still = true },
        { .when = "not known to libvirt", .no_number = true },
        { .when = "off by its metadata", .balloon = MECHANISM_OFF, .high = MECHANISM_OFF },
        { .when = "observed", .balloon = MECHANISM_OBSERVE, .high = MECHANISM_OFF },
    };
    HoldHost *host = *state;
    const Subject subject = host->subjects[0];
    const DomainSample sample = host->samples[0];

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        host->subjects[0].id = rows[i].no_number ? -1 : subject.id;
        host->samples[0] = sample;
        host->samples[0].has_balloon = !rows[i].no_balloon;
        host->samples[0].is_fixed = rows[i].fixed;
        host->samples[0].is_still = rows[i].still;
        host->samples[0].balloon_mode = rows[i].balloon;
        host->samples[0].high_mode = rows[i].high;
        stats_period_set_on(&period, !rows[i].off);
        if (apply(host) != APPLY_UNCHANGED || host->asked->len > 0)
            fail_msg("%s: asked", rows[i].when);
    }
    host->subjects[0] = subject;
    host->samples[0] = sample;
    host->samples[0].balloon_mode = MECHANISM_OFF; /* memory.high is left */
    stats_period_set_on(&period, true);
    assert_int_equal(apply(host), APPLY_DONE);
}

static void
it_is_put_back_when_it_is_not_needed_any_more(void **state)
{
    HoldHost *host = *state;

    set_first(host);
    stats_period_set_on(&period, false);
    apply(host);
    holdhost_answer(host, 0, CHANGE_DONE, STATS_PERIOD_S);
    assert_int_equal(in_force(host, 0), 0);
    apply(host);
    assert_null(holdhost_entry(host, "stats_period"));
    assert_int_equal(host->asked->len, 0);
    stats_period_set_on(&period, true);
    set_first(host);
}

static void
what_somebody_else_has_set_since_stays(void **state)
{
    HoldHost *host = *state;

    set_first(host);
    defined_s[0] = 30; /* the definition was read again */
    apply(host);
    apply(host);
    assert_true(holdhost_is_foreign(host, &period.holds));
    assert_null(holdhost_entry(host, "stats_period"));
    stats_period_set_on(&period, false);
    apply(host);
    assert_int_equal(host->asked->len, 0);
    assert_int_equal(in_force(host, 0), 30);
}

static void
a_definition_that_shows_our_period_is_no_surprise(void **state)
{
    HoldHost *host = *state;

    set_first(host);
    defined_s[0] = STATS_PERIOD_S;
    apply(host);
    apply(host);
    assert_false(holdhost_is_foreign(host, &period.holds));
    stats_period_set_on(&period, false);
    apply(host);
    holdhost_answer(host, 0, CHANGE_DONE, STATS_PERIOD_S);
}

static void
a_killed_run_leaves_what_the_next_one_puts_back(void **state)
{
    HoldHost *host = *state;

    set_first(host);
    stats_period_done(&period);
    holdhost_reopen(host);
    defined_s[0] = STATS_PERIOD_S; /* read from libvirt at the start */
    stats_period_init(&period, &host->originals, &host->changer);
    apply(host); /* nothing is on, and yet */
    assert_int_equal(host->asked->len, 1);
    holdhost_answer(host, 0, CHANGE_DONE, STATS_PERIOD_S);
    apply(host);
    assert_null(holdhost_entry(host, "stats_period"));
}

static void
a_stop_puts_back_and_says_what_could_not_be(void **state)
{
    HoldHost *host = *state;

    set_first(host);
    holdhost_expect_stop(host, &stats_period_actuator, &period, "period of statistics");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(a_period_is_set_where_there_is_none_after_it_was_recorded),
        ON_HOST(who_is_not_to_be_changed_is_not_asked),
        ON_HOST(it_is_put_back_when_it_is_not_needed_any_more),
        ON_HOST(what_somebody_else_has_set_since_stays),
        ON_HOST(a_definition_that_shows_our_period_is_no_surprise),
        ON_HOST(a_killed_run_leaves_what_the_next_one_puts_back),
        ON_HOST(a_stop_puts_back_and_says_what_could_not_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
