/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tenancy_test.c - never two groups that can merge, and never more copies than there is memory for
 */
#include "policy/tenancy.h"
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define N MEMCASE_DOMAINS

static void
set_groups(MemCase *one, const char *groups)
{
    for (size_t i = 0; groups[i]; i++)
        one->domains[i].group = groups[i] == '-' ? 0 : (uint64_t)(groups[i] - 'a' + 1);
}

/* What is wanted, a letter for each: 1 on, 0 off, ? not decided. */
static void
wanted(const MemCase *one, char text[N + 1])
{
    memset(text, 0, N + 1);
    for (size_t i = 0; i < one->n; i++)
        text[i] = "?10"[one->plans[i].merge];
}

/* All is done that was asked for, and seen to be. */
static void
obey(MemCase *one)
{
    for (size_t i = 0; i < one->n; i++)
        if (one->plans[i].merge_apply)
            one->domains[i].merge_state =
                one->plans[i].merge == MERGING_OFF ? MERGE_OFF : MERGE_AS_FOUND;
}

static void
settle(MemCase *one)
{
    for (unsigned i = 0; i < 2 * N; i++) {
        memcase_after(one, S);
        obey(one);
    }
    memcase_after(one, S);
}

static void
the_rule_says_who_is_merged(void **unused)
{
    static const struct {
        const char *when;
        TenancyRule rule;
        const char *groups;
        const char *wishes; /* y, n, or - */
        TenancyRule in_force;
        const char *want;
    } rows[] = {
        { "no group anywhere", TENANCY_AUTO, "----", "----", TENANCY_ALL, "1111" },
        { "one declared group", TENANCY_AUTO, "aa--", "----", TENANCY_SAME_GROUP, "1100" },
        { "the larger group", TENANCY_AUTO, "abbb", "----", TENANCY_SAME_GROUP, "0111" },
        { "without a group, alone", TENANCY_SAME_GROUP, "----", "----", TENANCY_SAME_GROUP,
          "1000" },
        { "one owner, whatever the groups", TENANCY_ALL, "abcd", "----", TENANCY_ALL, "1111" },
        { "who has opted out stays out", TENANCY_ALL, "----", "-n--", TENANCY_ALL, "1011" },
        { "of its group too", TENANCY_SAME_GROUP, "aaa-", "n---", TENANCY_SAME_GROUP, "0110" },
        { "listed", TENANCY_LISTED, "abcd", "y-ny", TENANCY_LISTED, "1001" },
        { "nobody", TENANCY_NONE, "aaaa", "yyyy", TENANCY_NONE, "0000" },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;
        char want[N + 1];

        memcase_init_tenancy(&one, N);
        one.conf.tenancy_rule = rows[r].rule;
        set_groups(&one, rows[r].groups);
        for (size_t i = 0; i < N; i++)
            one.domains[i].merge_wish = rows[r].wishes[i] == 'y'   ? MERGE_WISH_YES
                                        : rows[r].wishes[i] == 'n' ? MERGE_WISH_NO
                                                                   : MERGE_WISH_NONE;
        memcase_decide(&one);
        wanted(&one, want);
        if (strcmp(want, rows[r].want) != 0 || one.plan.tenancy.rule != rows[r].in_force)
            fail_msg("%s: %s, rule %s", rows[r].when, want,
                     tenancy_rule_words[one.plan.tenancy.rule]);
    }
}

static void
without_permission_all_is_only_reported(void **unused)
{
    static const struct {
        const char *when;
        TenancyEnforce enforce;
        KsmMode mode;
    } rows[] = {
        { "not enforced", TENANCY_ENFORCE_NO, KSM_MODE_FIXED },
        { "observed", TENANCY_ENFORCE_YES, KSM_MODE_OBSERVE },
        { "off", TENANCY_ENFORCE_YES, KSM_MODE_OFF },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init_tenancy(&one, 2);
        set_groups(&one, "ab");
        one.conf.tenancy_enforce = rows[r].enforce;
        one.conf.mode = rows[r].mode;
        one.host.starting = 1;
        memcase_decide(&one);
        if (one.plan.tenancy.is_enforced || one.plan.tenancy.is_paused ||
            one.plan.ksm.reason == REASON_TENANCY || one.plans[0].merge_apply ||
            one.plans[1].merge_apply)
            fail_msg("%s: enforced", rows[r].when);
        if (one.plans[1].merge != MERGING_OFF || one.plans[1].merge_reason != REASON_OTHER_GROUP)
            fail_msg("%s: not reported", rows[r].when);
    }
}

static void
scanning_stands_still_until_all_are_decided_and_off(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_tenancy(&one, 3);
    set_groups(&one, "aab");
    memcase_decide(&one);
    assert_int_equal(one.plan.ksm.knobs.run, KSM_RUN_STOP);
    assert_int_equal(one.plan.ksm.knobs.sleep_ms, U); /* a write of it would wake ksmd */
    assert_int_equal(one.plan.ksm.reason, REASON_TENANCY);
    assert_true(one.plans[2].merge_apply);
    one.domains[2].merge_state = MERGE_MOVING;
    memcase_after(&one, S);
    assert_int_equal(one.plan.ksm.knobs.run, KSM_RUN_STOP);
    one.domains[2].merge_state = MERGE_OFF;
    memcase_after(&one, S);
    assert_int_equal(one.plan.ksm.knobs.run, KSM_RUN_MERGE);
    one.host.starting = 1;
    memcase_after(&one, S);
    assert_int_equal(one.plan.ksm.knobs.run, KSM_RUN_STOP);
    assert_int_equal(one.plan.tenancy.reason, REASON_UNDECIDED);
    one.host.starting = 0;
    one.domains[0].is_defined = false;
    memcase_after(&one, S);
    assert_int_equal(one.plan.ksm.knobs.run, KSM_RUN_STOP);
    assert_int_equal(one.plans[0].merge_reason, REASON_UNDECIDED);
    one.domains[0].is_tenant = false; /* a client's word, and no QEMU */
    memcase_after(&one, S);
    assert_int_equal(one.plan.ksm.knobs.run, KSM_RUN_MERGE);
}

static void
copies_wait_for_memory(void **unused)
{
    static const struct {
        const char *when;
        uint64_t available_mib; /* 1000 of 10000 MiB are the reserve */
        uint64_t unshare_mib[2];
        uint64_t hard_limit_mib;
        const char *apply; /* of the domains 1 and 2 */
        Reason reason;     /* of domain 1 */
    } rows[] = {
        { "plenty", 5000, { 100, 10 }, 0, "11", REASON_MERGE_WAIT },
        { "one large one after the other", 5000, { 100, 100 }, 0, "10", REASON_MERGE_WAIT },
        { "the second fits", 1050, { 100, 40 }, 0, "01", REASON_NO_HEADROOM },
        { "only one small one fits", 1015, { 10, 10 }, 0, "10", REASON_MERGE_WAIT },
        { "at the reserve", 1000, { 1, 1 }, 0, "00", REASON_NO_HEADROOM },
        { "nothing is merged", 900, { 0, 0 }, 0, "11", REASON_MERGE_WAIT },
        { "its own limit is too small", 5000, { 100, 10 }, 999, "00", REASON_NO_HEADROOM },
        { "its own limit holds it", 5000, { 100, 10 }, 1000, "11", REASON_MERGE_WAIT },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init_tenancy(&one, 3);
        set_groups(&one, "abc");
        memcase_available(&one, rows[r].available_mib);
        for (size_t i = 0; i < 2; i++) {
            one.domains[i + 1].unshare_pages = rows[r].unshare_mib[i] * MIB / 4096;
            one.domains[i + 1].hard_limit_bytes = rows[r].hard_limit_mib * MIB;
        }
        memcase_decide(&one);
        for (size_t i = 0; i < 2; i++)
            if (one.plans[i + 1].merge_apply != (rows[r].apply[i] == '1'))
                fail_msg("%s: domain %zu", rows[r].when, i + 1);
        if (one.plans[1].merge_reason != rows[r].reason)
            fail_msg("%s: %s", rows[r].when, reason_name(one.plans[1].merge_reason));
        if (one.plan.tenancy.need_bytes != (rows[r].unshare_mib[0] + rows[r].unshare_mib[1]) * MIB)
            fail_msg("%s: needs %" PRIu64, rows[r].when, one.plan.tenancy.need_bytes);
    }
}

static void
a_limit_has_to_hold_pages_of_zeros_too(void **unused)
{
    (void)unused;

    for (uint64_t spare_mib = 0; spare_mib < 2; spare_mib++) {
        MemCase one;
        DomainSample *domain = &one.domains[1];

        memcase_init_tenancy(&one, 2);
        set_groups(&one, "ab");
        domain->unshare_pages = 100 * MIB / 4096;
        domain->merging_pages = 60 * MIB / 4096; /* the others are not resident */
        domain->hard_limit_bytes = domain->resident_bytes + (39 + spare_mib) * MIB;
        memcase_decide(&one);
        assert_int_equal(one.plans[1].merge_apply, spare_mib);
    }
}

static void
without_figures_the_most_is_needed_and_nothing_is_there(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_tenancy(&one, 2);
    set_groups(&one, "ab");
    one.domains[1].unshare_pages = U;
    assert_int_equal(tenancy_need_bytes(&one.host, &one.domains[1]), 1000 * MIB);
    one.domains[1].resident_bytes = U;
    assert_int_equal(tenancy_need_bytes(&one.host, &one.domains[1]), 1000 * MIB);
    one.host.mem_available_bytes = U;
    assert_int_equal(tenancy_headroom_bytes(&one.conf, &one.host), 0);
    memcase_decide(&one);
    assert_false(one.plans[1].merge_apply);
}

static void
who_cannot_be_switched_off_decides(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_tenancy(&one, 4);
    set_groups(&one, "aabc");
    settle(&one);
    assert_int_equal(one.plan.tenancy.group, 1);
    one.domains[2].merge_state = MERGE_STUCK;
    memcase_after(&one, S);
    assert_int_equal(one.plan.ksm.knobs.run, KSM_RUN_STOP);
    assert_int_equal(one.plan.tenancy.reason, REASON_MERGE_STUCK);
    for (unsigned i = 0; i < 1000; i++) {
        memcase_after(&one, S);
        obey(&one);
        one.domains[2].merge_state = MERGE_STUCK;
    }
    assert_int_equal(one.plan.tenancy.group, 2);
    assert_int_equal(one.plan.ksm.knobs.run, KSM_RUN_MERGE);
    one.domains[3].merge_state = MERGE_STUCK;
    memcase_after(&one, S);
    assert_int_equal(one.plan.ksm.knobs.run, KSM_RUN_STOP);
}

static void
one_attempt_that_failed_does_not_decide(void **unused)
{
    static const struct {
        const char *when;
        uint64_t started_s; /* of a group that is new then */
        uint64_t stuck_s;
        uint64_t want; /* group, 1: the larger one */
    } rows[] = {
        { "for a moment, at the first choice", 0, 5, 1 },
        { "for long, at the first choice", 0, 20, 2 },
        { "for a moment, at a later look", 2000, 5, 1 },
        { "for long, at a later look", 2000, 30, 2 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init_tenancy(&one, 3);
        set_groups(&one, "aab");
        for (uint64_t s = 0; s < rows[r].started_s; s++) {
            memcase_after(&one, S);
            obey(&one);
        }
        for (uint64_t s = 0; s < 40; s++) {
            one.domains[2].merge_state = s < rows[r].stuck_s ? MERGE_STUCK : MERGE_AS_FOUND;
            memcase_after(&one, S);
            if (s < 9 && one.plan.tenancy.group == 2)
                fail_msg("%s: after %u s", rows[r].when, (unsigned)s);
        }
        if (one.plan.tenancy.group != rows[r].want)
            fail_msg("%s: group %u", rows[r].when, (unsigned)one.plan.tenancy.group);
    }
}

/* The copies of one that hangs may still be made: nobody else is given the memory for them. */
static void
what_hangs_keeps_its_memory(void **unused)
{
    static const struct {
        const char *when;
        bool is_switching;
        uint64_t available_mib; /* 1000 of 10000 MiB are the reserve */
        const char *apply;      /* of the domains 1 and 2 */
        Reason reason;          /* of domain 1 */
        Reason hanging;         /* of domain 2 */
    } rows[] = {
        { "room for one", true, 1014, "01", REASON_NO_HEADROOM, REASON_MERGE_STUCK },
        { "room for both", true, 1020, "11", REASON_MERGE_WAIT, REASON_MERGE_STUCK },
        { "it failed, room for one", false, 1014, "10", REASON_MERGE_WAIT, REASON_NO_HEADROOM },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init_tenancy(&one, 3);
        one.conf.tenancy_rule = TENANCY_LISTED;
        memcase_available(&one, rows[r].available_mib);
        one.domains[0].merge_wish = MERGE_WISH_YES;
        one.domains[1].unshare_pages = one.domains[2].unshare_pages = 10 * MIB / 4096;
        one.domains[2].merge_state = MERGE_STUCK;
        one.domains[2].is_switching = rows[r].is_switching;
        memcase_decide(&one);
        for (size_t i = 0; i < 2; i++)
            if (one.plans[i + 1].merge_apply != (rows[r].apply[i] == '1'))
                fail_msg("%s: domain %zu", rows[r].when, i + 1);
        if (one.plans[1].merge_reason != rows[r].reason ||
            one.plans[2].merge_reason != rows[r].hanging)
            fail_msg("%s: %s, %s", rows[r].when, reason_name(one.plans[1].merge_reason),
                     reason_name(one.plans[2].merge_reason));
    }
}

/* What a domain has saved is known once ksmd has seen it while it was on. */
static void
a_group_stays_for_dwell_s_and_goes_when_another_brings_more(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_tenancy(&one, 4);
    set_groups(&one, "aabb");
    settle(&one);
    assert_int_equal(one.plan.tenancy.group, 1);
    one.domains[0].merging_pages = one.domains[1].merging_pages = 100; /* it brings nothing */
    one.tracks[0].twice_bytes = one.tracks[1].twice_bytes = 1000 * MIB;
    for (unsigned s = 0; s < one.conf.tenancy_dwell_s - 30; s++) {
        memcase_after(&one, S);
        obey(&one);
        assert_int_equal(one.plan.tenancy.group, 1);
    }
    memcase_available(&one, 1100); /* which leaves 100 MiB for the copies of two domains */
    for (unsigned s = 0; s < 120; s++) {
        memcase_after(&one, S);
        obey(&one);
        assert_int_equal(one.plan.tenancy.group, 1);
    }
    memcase_available(&one, 5000);
    for (unsigned s = 0; s < 120; s++) {
        memcase_after(&one, S);
        obey(&one);
    }
    assert_int_equal(one.plan.tenancy.group, 2);
    assert_int_equal(one.domains[0].merge_state, MERGE_OFF);
    assert_int_equal(one.domains[2].merge_state, MERGE_AS_FOUND);
    assert_int_equal(one.plan.ksm.knobs.run, KSM_RUN_MERGE);
    /* Without any of its domains there is nothing to stay for. */
    one.domains[2].mergeable_bp = one.domains[3].mergeable_bp = 0;
    memcase_after(&one, S);
    assert_int_equal(one.plan.tenancy.group, 1);
}

static void
the_first_choice_waits_for_figures_but_not_for_ever(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_tenancy(&one, 3);
    set_groups(&one, "abb");
    one.host.now_us = 100 * S;
    for (size_t i = 0; i < 3; i++)
        one.domains[i].started_us = 100 * S;
    one.domains[2].resident_bytes = U;
    memcase_decide(&one);
    assert_int_equal(one.plan.tenancy.group, 0);
    assert_int_equal(one.plan.ksm.knobs.run, KSM_RUN_STOP);
    assert_false(one.plans[0].merge_apply);
    memcase_after(&one, 6 * S);
    assert_true(one.plan.tenancy.group != 0);
}

static void
who_is_off_owes_nothing_and_all_when_it_is_on_again(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_tenancy(&one, 2);
    one.conf.mode = KSM_MODE_AUTO;
    one.conf.tenancy_rule = TENANCY_LISTED;
    one.domains[1].merge_wish = MERGE_WISH_YES;
    settle(&one);
    assert_int_equal(one.plans[0].reason, REASON_SWITCHED_OFF);
    assert_int_equal(one.plans[0].mergeable_pages, 0);
    assert_int_equal(one.plans[0].debt_pages, 0);
    one.tracks[0].twice_bytes = one.tracks[0].once_bytes = 1000 * MIB;
    one.domains[0].merge_wish = MERGE_WISH_YES;
    memcase_after(&one, S);
    assert_true(one.plans[0].merge_apply);
    obey(&one);
    memcase_after(&one, S);
    assert_int_equal(one.plans[0].debt_pages, 1000 * MIB / 4096);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_says_who_is_merged),
        cmocka_unit_test(without_permission_all_is_only_reported),
        cmocka_unit_test(scanning_stands_still_until_all_are_decided_and_off),
        cmocka_unit_test(copies_wait_for_memory),
        cmocka_unit_test(a_limit_has_to_hold_pages_of_zeros_too),
        cmocka_unit_test(without_figures_the_most_is_needed_and_nothing_is_there),
        cmocka_unit_test(who_cannot_be_switched_off_decides),
        cmocka_unit_test(one_attempt_that_failed_does_not_decide),
        cmocka_unit_test(what_hangs_keeps_its_memory),
        cmocka_unit_test(a_group_stays_for_dwell_s_and_goes_when_another_brings_more),
        cmocka_unit_test(the_first_choice_waits_for_figures_but_not_for_ever),
        cmocka_unit_test(who_is_off_owes_nothing_and_all_when_it_is_on_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
