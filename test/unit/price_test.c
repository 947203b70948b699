/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* price_test.c - when a pass is worth what it costs */
#include "policy/price.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S   UINT64_C(1000000)
#define GIB (UINT64_C(1) << 30)

/* A host on which a pass costs a second of CPU time, and 25600 pages (100 MiB) wait for it. */
typedef struct {
    PolicyConf conf;
    PolicyState state;
    HostSample host;
    Debt debt;
} One;

static void
one_init(One *one)
{
    memset(one, 0, sizeof(*one));
    policy_conf_default(&one->conf);
    one->conf.cpu_price = 100;
    policy_init(&one->state);
    one->host = (HostSample){ .now_us = 100 * S,
                              .cpus = 2,
                              .page_bytes = 4096,
                              .mem_total_bytes = 16 * GIB,
                              .mem_available_bytes = 8 * GIB };
    one->debt = (Debt){ .open_pages = 25600,
                        .unseen_pages = 25600,
                        .open_value = 25600,
                        .unseen_value = 25600,
                        .mergeable_pages = 100000 };
    one->host.ksm.pages_unshared = (1000000000 - 25600 * 1050) / 5000;
    one->state.ksm_auto.now_us = one->host.now_us;
    price_update(&one->host, &one->debt, &one->state.ksm_auto);
}

/* Time passes, and so many pages come. */
static void
wait_for(One *one, uint64_t us, uint64_t pages)
{
    one->host.now_us += us;
    one->debt.mergeable_pages += pages;
    price_update(&one->host, &one->debt, &one->state.ksm_auto);
    one->state.ksm_auto.now_us = one->host.now_us;
}

static uint64_t
left(const One *one)
{
    return price_left(&one->conf, &one->host, &one->state, &one->debt);
}

static void
a_pass_is_due_when_waiting_has_cost_as_much(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    wait_for(&one, S, 25600); /* as much comes in a second as waits: 1.25 times the price */
    assert_true(left(&one) > 0);
    wait_for(&one, S / 5, 5120);
    assert_true(left(&one) > 0);
    wait_for(&one, S / 5, 5120);
    assert_int_equal(left(&one), 0);
    price_paid(&one.host, &one.debt, &one.state.ksm_auto.price);
    assert_true(left(&one) > 0);
}

static void
what_waits_is_counted_by_its_worth(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.debt.open_value /= 10;
    wait_for(&one, 2 * S, 0); /* a quarter of the price, for a tenth of the worth: 2.5 s */
    assert_true(left(&one) > 0);
    wait_for(&one, 3 * S / 5, 0);
    assert_int_equal(left(&one), 0);
}

/* Milliseconds that what waits has to wait in all before a pass is due. */
static uint64_t
need_ms(One *one)
{
    one->state.ksm_auto.price.waited = 0;
    return left(one) / one->debt.open_value / 1000;
}

static void
while_memory_comes_fast_a_pass_has_to_be_worth_more(void **unused)
{
    static const struct {
        const char *when;
        uint64_t pages_per_s;
        uint64_t want_ms; /* of waiting, the price being paid in a second */
    } rows[] = {
        { "nothing comes", 0, 250 },
        { "half of what waits", 12800, 750 },
        { "as much as waits", 25600, 1250 },
        { "very much more", 2560000, 4000 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t need;
        One one;

        one_init(&one);
        wait_for(&one, 2 * S / 5, rows[i].pages_per_s * 2 / 5);
        need = need_ms(&one);
        if (need + 1 < rows[i].want_ms || need > rows[i].want_ms + 1)
            fail_msg("%s: %" PRIu64 " ms, want %" PRIu64, rows[i].when, need, rows[i].want_ms);
    }
}

/* A pass that was to merge @due pages, and has merged so many, while memory grows. */
static uint64_t
need_after_ms(uint64_t due, uint64_t merged)
{
    One one;

    one_init(&one);
    one.debt.open_value = one.debt.unseen_value + due;
    price_paid(&one.host, &one.debt, &one.state.ksm_auto.price);
    one.host.ksm.pages_sharing = merged;
    price_learn(&one.host, 1, &one.state.ksm_auto.price);
    one.host.ksm.pages_sharing = 0;
    one.debt.open_value = 25600;
    wait_for(&one, 2 * S / 5, 10240);
    return need_ms(&one);
}

static void
while_passes_bring_little_the_next_one_has_to_be_worth_more(void **unused)
{
    static const struct {
        const char *when;
        uint64_t due;
        uint64_t merged;
        uint64_t want_ms;
    } rows[] = {
        { "all that was due", 25600, 25600, 1250 },
        { "more than that", 25600, 40000, 1250 },
        { "half of it", 25600, 12800, 2500 },
        { "nothing", 25600, 0, 10000 },
        { "nothing, and more was due than waits now", 51200, 0, 10000 },
        { "nothing of half as much as waits now", 12800, 0, 2222 },
        { "nothing of a tenth", 2560, 0, 1370 },
        { "too little was due to tell", 999, 0, 1250 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t need = need_after_ms(rows[i].due, rows[i].merged);

        if (need + 1 < rows[i].want_ms || need > rows[i].want_ms + 1)
            fail_msg("%s: %" PRIu64 " ms, want %" PRIu64, rows[i].when, need, rows[i].want_ms);
    }
}

static void
the_last_passes_count_most_and_something_new_makes_them_forgotten(void **unused)
{
    Price *price;
    One one;
    (void)unused;

    one_init(&one);
    price = &one.state.ksm_auto.price;
    one.debt.open_value = one.debt.unseen_value + 20000;
    price_paid(&one.host, &one.debt, price);
    one.host.ksm.pages_sharing = 20000;
    price_learn(&one.host, 1, price);
    assert_int_equal(price->kept_bp, BP_ONE);
    price_learn(&one.host, 1, price); /* no pass between: nothing to learn */
    assert_int_equal(price->kept_bp, BP_ONE);
    price_paid(&one.host, &one.debt, price);
    one.host.ksm.pages_sharing = 30000;
    price_learn(&one.host, 1, price);
    assert_int_equal(price->kept_bp, (BP_ONE + 3 * (BP_ONE / 2)) / 4);
    assert_int_equal(price->learnt, 20000);
    price_forget(price);
    assert_int_equal(price->kept_bp, 0);
    assert_int_equal(price->learnt, 0);
}

static void
while_tasks_wait_for_a_cpu_passes_are_dearer(void **unused)
{
    One one;
    uint64_t usual;
    (void)unused;

    one_init(&one);
    usual = left(&one);
    one.state.pressure.cpu_bp = BP_ONE;
    assert_int_equal(left(&one), 4 * usual);
}

static void
a_host_that_is_short_of_memory_does_not_wait(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.state.pressure.cpu_bp = BP_ONE;
    one.host.mem_available_bytes = GIB;
    assert_int_equal(left(&one), 0);
}

static void
what_the_running_pass_merges_does_not_wait_for_the_next(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.state.ksm_auto.pass.stage = PASS_CRUISE;
    one.debt.unseen_value = 0;
    wait_for(&one, 10 * S, 0);
    assert_int_equal(one.state.ksm_auto.price.waited, 0);
    one.debt.unseen_value = 100;
    wait_for(&one, S, 0);
    assert_int_equal(one.state.ksm_auto.price.waited, 100 * S);
}

/* What waits was seen by a pass a second ago. */
static void
seen_once(One *one)
{
    price_paid(&one->host, &one->debt, &one->state.ksm_auto.price);
    one->debt.unseen_pages = one->debt.unseen_value = 0;
}

static void
the_pass_that_merges_follows_when_nothing_comes_any_more(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    seen_once(&one);
    wait_for(&one, S / 2, 25600);
    assert_true(left(&one) > 0); /* more comes */
    wait_for(&one, S / 2, 0);
    assert_int_equal(left(&one), 0);
    price_paid(&one.host, &one.debt, &one.state.ksm_auto.price); /* that was it */
    assert_true(left(&one) > 0);
}

static void
a_pass_that_missed_what_was_due_is_followed_at_once_and_says_nothing(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    wait_for(&one, S, 0);
    one.debt.open_value = 51200; /* half of it has been seen */
    price_paid(&one.host, &one.debt, &one.state.ksm_auto.price);
    price_missed(&one.state.ksm_auto.price);
    price_learn(&one.host, 1, &one.state.ksm_auto.price); /* nothing was merged */
    assert_int_equal(one.state.ksm_auto.price.kept_bp, 0);
    one.debt.unseen_value = 0;
    assert_int_equal(left(&one), 0);
}

static void
memory_that_comes_between_two_passes_has_its_own_pair(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.conf.cpu_price = 10000; /* nothing else makes a pass due */
    seen_once(&one);
    one.debt.open_pages = one.debt.open_value = 102400; /* another guest */
    one.debt.unseen_pages = one.debt.unseen_value = 76800;
    wait_for(&one, S / 2, 0);
    assert_true(left(&one) > 0);
    seen_once(&one);
    wait_for(&one, S / 2, 0);
    assert_int_equal(left(&one), 0);
}

static void
a_pass_is_as_dear_as_passes_have_been(void **unused)
{
    static const struct {
        const char *when;
        uint64_t took_us;
        uint64_t want_ms;
    } rows[] = {
        { "as expected", S, 250 },          { "less than expected", S / 2, 250 },
        { "twice as much", 2 * S, 312 },    { "a counter that jumped", 1000 * S, 437 },
        { "not told", VALUE_UNKNOWN, 250 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t need;
        One one;

        one_init(&one);
        wait_for(&one, S, 0);
        one.host.ksmd_cpu_us = 7 * S;
        price_paid(&one.host, &one.debt, &one.state.ksm_auto.price);
        one.host.ksmd_cpu_us = sat_add(7 * S, rows[i].took_us);
        price_learn(&one.host, 1, &one.state.ksm_auto.price);
        one.state.ksm_auto.price.second = false;
        need = need_ms(&one);
        if (need + 10 < rows[i].want_ms || need > rows[i].want_ms + 10)
            fail_msg("%s: %" PRIu64 " ms, want %" PRIu64, rows[i].when, need, rows[i].want_ms);
    }
}

static void
what_will_wait_for_less_than_two_passes_is_left_until_guests_are_up(void **unused)
{
    static const struct {
        const char *when;
        uint64_t wait; /* in prices of a pass: a second of what waits here */
        uint64_t tight;
        bool want;
    } rows[] = {
        { "nobody knows how long", UINT64_MAX, 0, false },
        { "less than two passes", 199, 0, true },
        { "as much as two passes", 201, 0, false },
        { "the host is short of memory", 1, 1, false },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        One one;
        uint64_t wait = rows[i].wait == UINT64_MAX ? UINT64_MAX : rows[i].wait * 25600 * S / 100;

        one_init(&one);
        if (rows[i].tight)
            one.host.mem_available_bytes = 0;
        price_defer(&one.conf, &one.host, &one.state, &one.debt, wait);
        if ((left(&one) == UINT64_MAX) != rows[i].want)
            fail_msg("%s: it is %sleft", rows[i].when, rows[i].want ? "not " : "");
    }
}

/* Guests come one after the other, and take ten seconds each. */
static void
nothing_is_put_off_for_longer_than_a_guest_takes(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.state.ksm_auto.boot_us = 10 * S;
    for (unsigned second = 0; second < 10; second++) {
        price_defer(&one.conf, &one.host, &one.state, &one.debt, 25600 * S);
        assert_true(left(&one) == UINT64_MAX);
        wait_for(&one, S, 0);
    }
    assert_int_equal(one.state.ksm_auto.price.waited, 0); /* that was meant so */
    for (unsigned second = 0; second < 2; second++) {
        price_defer(&one.conf, &one.host, &one.state, &one.debt, 25600 * S);
        assert_true(left(&one) < UINT64_MAX);
        wait_for(&one, S, 0);
    }
    assert_int_equal(left(&one), 0);
    price_paid(&one.host, &one.debt, &one.state.ksm_auto.price);
    price_defer(&one.conf, &one.host, &one.state, &one.debt, 25600 * S);
    assert_true(left(&one) == UINT64_MAX);
}

static void
what_is_over_is_not_held_against_what_comes(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    wait_for(&one, S, 0);
    seen_once(&one);
    assert_int_equal(left(&one), 0);
    price_leave(&one.state.ksm_auto.price); /* the guest is gone before the second pass */
    assert_true(left(&one) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pass_is_due_when_waiting_has_cost_as_much),
        cmocka_unit_test(what_waits_is_counted_by_its_worth),
        cmocka_unit_test(while_memory_comes_fast_a_pass_has_to_be_worth_more),
        cmocka_unit_test(while_passes_bring_little_the_next_one_has_to_be_worth_more),
        cmocka_unit_test(the_last_passes_count_most_and_something_new_makes_them_forgotten),
        cmocka_unit_test(while_tasks_wait_for_a_cpu_passes_are_dearer),
        cmocka_unit_test(a_host_that_is_short_of_memory_does_not_wait),
        cmocka_unit_test(what_the_running_pass_merges_does_not_wait_for_the_next),
        cmocka_unit_test(the_pass_that_merges_follows_when_nothing_comes_any_more),
        cmocka_unit_test(a_pass_that_missed_what_was_due_is_followed_at_once_and_says_nothing),
        cmocka_unit_test(memory_that_comes_between_two_passes_has_its_own_pair),
        cmocka_unit_test(a_pass_is_as_dear_as_passes_have_been),
        cmocka_unit_test(what_will_wait_for_less_than_two_passes_is_left_until_guests_are_up),
        cmocka_unit_test(nothing_is_put_off_for_longer_than_a_guest_takes),
        cmocka_unit_test(what_is_over_is_not_held_against_what_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
