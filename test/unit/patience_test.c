/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* patience_test.c - calls that do not come back, and who does not wait for them */
#include "agent/facts/patience.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LONG_US  UINT64_C(30000000)
#define SHORT_US UINT64_C(20000)
/* As many as are made at a time. */
#define CALLS_MAX 64

/* What calls wait at; shared with threads, so all under the lock. */
static struct {
    GMutex lock;
    GCond moved;
    bool is_open;
    guint made;    /* calls that went through */
    guint cleared; /* of the data of calls */
} door;

typedef struct {
    bool waits; /* at the door */
    int answer; /* out */
} Errand;

static void
work(gpointer data)
{
    Errand *errand = data;

    g_mutex_lock(&door.lock);
    while (errand->waits && !door.is_open)
        g_cond_wait(&door.moved, &door.lock);
    door.made++;
    errand->answer = 42;
    g_cond_broadcast(&door.moved);
    g_mutex_unlock(&door.lock);
}

static void
clear(gpointer data)
{
    (void)data;
    g_mutex_lock(&door.lock);
    door.cleared++;
    g_cond_broadcast(&door.moved);
    g_mutex_unlock(&door.lock);
}

static Errand *
errand_new(bool waits)
{
    Errand *errand = g_atomic_rc_box_new(Errand);

    *errand = (Errand){ .waits = waits };
    return errand;
}

static void
errand_release(Errand *errand)
{
    g_atomic_rc_box_release_full(errand, clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Errand, errand_release)

static int
close_door(void **unused)
{
    (void)unused;
    g_mutex_lock(&door.lock);
    door.is_open = false;
    door.made = door.cleared = 0;
    g_mutex_unlock(&door.lock);
    return 0;
}

static void
open_door(void)
{
    g_mutex_lock(&door.lock);
    door.is_open = true;
    g_cond_broadcast(&door.moved);
    g_mutex_unlock(&door.lock);
}

/* Waits until so many have been cleared. */
static void
await_cleared(guint n)
{
    gint64 end_us = g_get_monotonic_time() + (gint64)LONG_US;

    g_mutex_lock(&door.lock);
    while (door.cleared < n)
        assert_true(g_cond_wait_until(&door.moved, &door.lock, end_us));
    assert_int_equal(door.cleared, n);
    g_mutex_unlock(&door.lock);
}

static void
what_a_call_has_written_is_there_when_it_is_over(void **unused)
{
    (void)unused;

    for (int i = 0; i < 100; i++) {
        g_autoptr(Errand) errand = errand_new(false);
        PatienceCall *call = patience_begin(work, errand, clear);

        assert_true(patience_wait(call, LONG_US));
        assert_int_equal(errand->answer, 42);
        patience_leave(call);
    }
    await_cleared(100);
}

static void
who_waits_goes_on_in_time_and_the_call_by_itself(void **unused)
{
    Errand *errand = errand_new(true);
    PatienceCall *call = patience_begin(work, errand, clear);
    (void)unused;

    assert_false(patience_wait(call, SHORT_US));
    assert_false(patience_wait(call, 0));
    open_door();
    assert_true(patience_wait(call, LONG_US));
    errand_release(errand);
    assert_int_equal(door.cleared, 0); /* the call counts on it */
    patience_leave(call);
    await_cleared(1);
}

static void
a_call_that_was_left_frees_what_it_was_given(void **unused)
{
    Errand *errand = errand_new(true);
    (void)unused;

    patience_leave(patience_begin(work, errand, clear));
    errand_release(errand);
    assert_int_equal(door.cleared, 0);
    open_door();
    await_cleared(1);
    assert_int_equal(door.made, 1);
}

static void
one_that_hangs_holds_up_no_other(void **unused)
{
    g_autoptr(Errand) stuck = errand_new(true);
    g_autoptr(Errand) next = errand_new(false);
    PatienceCall *first = patience_begin(work, stuck, clear);
    PatienceCall *other = patience_begin(work, next, clear);
    (void)unused;

    assert_true(patience_wait(other, LONG_US));
    assert_false(patience_wait(first, 0));
    patience_leave(other);
    open_door();
    assert_true(patience_wait(first, LONG_US));
    patience_leave(first);
    patience_leave(NULL);
}

static void
there_is_an_end_to_threads_that_are_left(void **unused)
{
    g_autoptr(Errand) stuck = errand_new(true);
    PatienceCall *calls[CALLS_MAX];
    PatienceCall *next;
    (void)unused;

    for (size_t i = 0; i < CALLS_MAX; i++) {
        calls[i] = patience_begin(work, stuck, clear);
        assert_non_null(calls[i]);
    }
    assert_null(patience_begin(work, stuck, clear));
    open_door();
    for (size_t i = 0; i < CALLS_MAX; i++) {
        assert_true(patience_wait(calls[i], LONG_US));
        patience_leave(calls[i]);
    }
    next = patience_begin(work, stuck, clear);
    assert_true(patience_wait(next, LONG_US));
    patience_leave(next);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_a_call_has_written_is_there_when_it_is_over, close_door),
        cmocka_unit_test_setup(who_waits_goes_on_in_time_and_the_call_by_itself, close_door),
        cmocka_unit_test_setup(a_call_that_was_left_frees_what_it_was_given, close_door),
        cmocka_unit_test_setup(one_that_hangs_holds_up_no_other, close_door),
        cmocka_unit_test_setup(there_is_an_end_to_threads_that_are_left, close_door),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
