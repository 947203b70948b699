/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker_test.c - calls that block elsewhere, results that come back on the loop */
#include "agent/virt/worker.h"

#include <gio/gio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/support/await.h"

#define WAIT_US (30 * G_USEC_PER_SEC)

/* A door that jobs wait at, and what came of them; shared with threads, so all under the lock. */
typedef struct {
    GMutex lock;
    GCond moved;
    bool open;
    guint waiting;        /* jobs at the door */
    guint worked;         /* jobs done */
    guint inputs_freed;   /* by free_input */
    guint outputs_freed;  /* by free_output */
    guint threads_ended;  /* that have worked */
    GThread *work_thread; /* that worked last */
} Door;

/* What a job is given, and hands back. */
typedef struct {
    Door *door;
    bool waits;
    bool fails;
    int number;
} Errand;

/* What the loop has been told. */
typedef struct {
    GString *told;
    GThread *thread;
    Worker *frees; /* freed by the first delivery; NULL: none */
} Receiver;

static unsigned refusals; /* threads that cannot be had, before one can */

GThread *__real_g_thread_try_new(const char *name, GThreadFunc run, gpointer data, GError **error);
GThread *__wrap_g_thread_try_new(const char *name, GThreadFunc run, gpointer data, GError **error);

GThread *
__wrap_g_thread_try_new(const char *name, GThreadFunc run, gpointer data, GError **error)
{
    if (refusals == 0)
        return __real_g_thread_try_new(name, run, data, error);
    refusals--;
    g_set_error(error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN, "no more threads");
    return NULL;
}

static void
count(Door *door, guint *counter)
{
    g_mutex_lock(&door->lock);
    (*counter)++;
    g_cond_broadcast(&door->moved);
    g_mutex_unlock(&door->lock);
}

static void
note_end(gpointer door)
{
    count(door, &((Door *)door)->threads_ended);
}

/* As what libraries keep for each thread. */
static GPrivate kept = G_PRIVATE_INIT(note_end);

static gpointer
do_errand(gpointer input, GError **error)
{
    const Errand *errand = input;
    Door *door = errand->door;

    g_private_set(&kept, door);
    g_mutex_lock(&door->lock);
    door->work_thread = g_thread_self();
    door->waiting += errand->waits;
    g_cond_broadcast(&door->moved);
    while (errand->waits && !door->open)
        g_cond_wait(&door->moved, &door->lock);
    door->worked++;
    g_cond_broadcast(&door->moved);
    g_mutex_unlock(&door->lock);
    if (errand->fails) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_BUSY, "errand %d failed", errand->number);
        return NULL;
    }
    return g_memdup2(errand, sizeof(*errand));
}

static void
free_errand(gpointer input)
{
    Door *door = ((Errand *)input)->door;

    g_free(input);
    count(door, &door->inputs_freed);
}

static void
free_output(gpointer output)
{
    Door *door = ((Errand *)output)->door;

    g_free(output);
    count(door, &door->outputs_freed);
}

static void
take(gpointer output, const GError *error, gpointer user)
{
    Errand *errand = output;
    Receiver *receiver = user;

    if (errand)
        g_string_append_printf(receiver->told, "%d ", errand->number);
    else
        g_string_append_printf(receiver->told, "(%s) ", error->message);
    receiver->thread = g_thread_self();
    g_free(errand);
    g_clear_pointer(&receiver->frees, worker_free);
}

static const WorkerJob job = { do_errand, free_errand, free_output, NULL, take };

static void
push(Worker *worker, Receiver *receiver, const Errand *errand)
{
    worker_push(worker, &job, g_memdup2(errand, sizeof(*errand)), receiver);
}

/* Wait until @counter is @want, for a while. */
static void
wait_for(Door *door, const guint *counter, guint want)
{
    gint64 end_us = g_get_monotonic_time() + WAIT_US;

    g_mutex_lock(&door->lock);
    while (*counter != want)
        if (!g_cond_wait_until(&door->moved, &door->lock, end_us))
            break;
    assert_int_equal(*counter, want);
    g_mutex_unlock(&door->lock);
}

static void
open_door(Door *door)
{
    g_mutex_lock(&door->lock);
    door->open = true;
    g_cond_broadcast(&door->moved);
    g_mutex_unlock(&door->lock);
}

static void
results_come_back_on_the_loop_from_another_thread(void **unused)
{
    Receiver receiver = { .told = g_string_new(NULL) };
    Worker *worker = worker_new();
    Door door = { .open = true };
    (void)unused;

    push(worker, &receiver, &(Errand){ .door = &door, .number = 1 });
    wait_for(&door, &door.worked, 1);
    assert_string_equal(receiver.told->str, ""); /* the loop has not run */
    assert_true(worker_drain(worker, WAIT_US));
    assert_string_equal(receiver.told->str, "1 ");
    assert_ptr_equal(receiver.thread, g_thread_self());
    assert_ptr_not_equal(door.work_thread, g_thread_self());
    assert_int_equal(door.inputs_freed, 1);
    assert_int_equal(door.outputs_freed, 0); /* the receiver has it */
    worker_free(worker);
    g_string_free(receiver.told, TRUE);
}

static void
a_failure_comes_back_as_an_error_without_output(void **unused)
{
    Receiver receiver = { .told = g_string_new(NULL) };
    Worker *worker = worker_new();
    Door door = { .open = true };
    (void)unused;

    push(worker, &receiver, &(Errand){ .door = &door, .fails = true, .number = 2 });
    assert_true(worker_drain(worker, WAIT_US));
    assert_string_equal(receiver.told->str, "(errand 2 failed) ");
    assert_int_equal(door.inputs_freed, 1);
    assert_int_equal(door.outputs_freed, 0);
    worker_free(worker);
    g_string_free(receiver.told, TRUE);
}

static void
calls_are_made_one_at_a_time_and_silence_is_told(void **unused)
{
    Receiver receiver = { .told = g_string_new(NULL) };
    Worker *worker = worker_new();
    Door door = { 0 };
    (void)unused;

    assert_int_equal(worker_silence_us(worker), 0);
    push(worker, &receiver, &(Errand){ .door = &door, .waits = true, .number = 1 });
    push(worker, &receiver, &(Errand){ .door = &door, .number = 2 });
    wait_for(&door, &door.waiting, 1);
    assert_false(worker_drain(worker, 20000)); /* the limit holds */
    assert_string_equal(receiver.told->str, "");
    assert_true(worker_silence_us(worker) >= 20000);
    open_door(&door);
    assert_true(worker_drain(worker, WAIT_US));
    assert_string_equal(receiver.told->str, "1 2 ");
    assert_int_equal(worker_silence_us(worker), 0);
    worker_free(worker);
    g_string_free(receiver.told, TRUE);
}

static void
much_work_is_done_all_the_same(void **unused)
{
    Receiver receiver = { .told = g_string_new(NULL) };
    Worker *worker = worker_new();
    Door door = { .open = true };
    (void)unused;

    for (int i = 0; i < 500; i++)
        push(worker, &receiver, &(Errand){ .door = &door, .number = 7 });
    assert_true(worker_drain(worker, WAIT_US));
    assert_int_equal(receiver.told->len, 500 * 2);
    assert_int_equal(door.inputs_freed, 500);
    worker_free(worker);
    g_string_free(receiver.told, TRUE);
}

static void
after_the_end_nothing_is_delivered_and_everything_is_freed(void **unused)
{
    Receiver receiver = { .told = g_string_new(NULL) };
    Worker *worker = worker_new();
    Door door = { 0 };
    (void)unused;

    /* One under way, four not begun. */
    for (int i = 0; i < 5; i++)
        push(worker, &receiver, &(Errand){ .door = &door, .waits = true, .number = i });
    wait_for(&door, &door.waiting, 1);
    worker_free(worker); /* does not wait */
    assert_int_equal(door.outputs_freed, 0);
    open_door(&door);
    wait_for(&door, &door.threads_ended, 1);
    await_idle();
    assert_string_equal(receiver.told->str, "");
    assert_int_equal(door.waiting, 1); /* the four were never begun */
    assert_int_equal(door.inputs_freed, 5);
    assert_int_equal(door.outputs_freed, 1);
    g_string_free(receiver.told, TRUE);
}

/* As what somebody waits for an answer with. */
static void
free_receiver(gpointer user)
{
    Receiver *receiver = user;

    g_string_append(receiver->told, "freed ");
    receiver->thread = g_thread_self();
}

static void
who_waits_for_an_answer_that_never_comes_is_let_go_of_on_the_loop(void **unused)
{
    static const WorkerJob owned = { do_errand, free_errand, free_output, free_receiver, take };
    Receiver first = { .told = g_string_new(NULL) };
    Receiver second = { .told = g_string_new(NULL) };
    Worker *worker = worker_new();
    Door door = { 0 };
    const Errand errand = { .door = &door, .waits = true, .number = 1 };
    (void)unused;

    worker_push(worker, &owned, g_memdup2(&errand, sizeof(errand)), &first);
    wait_for(&door, &door.waiting, 1);
    worker_push(worker, &owned, g_memdup2(&errand, sizeof(errand)), &second);
    worker_free(worker);
    assert_string_equal(second.told->str, "freed "); /* had not begun: at once */
    assert_ptr_equal(second.thread, g_thread_self());
    assert_string_equal(first.told->str, "");
    open_door(&door);
    wait_for(&door, &door.threads_ended, 1);
    await_idle();
    assert_string_equal(first.told->str, "freed ");
    assert_ptr_equal(first.thread, g_thread_self());
    assert_string_equal(second.told->str, "freed "); /* once */
    assert_int_equal(door.inputs_freed, 2);
    g_string_free(first.told, TRUE);
    g_string_free(second.told, TRUE);
}

static void
a_receiver_may_free_the_worker(void **unused)
{
    Receiver receiver = { .told = g_string_new(NULL) };
    Worker *worker = worker_new();
    Door door = { .open = true };
    (void)unused;

    receiver.frees = worker;
    for (int i = 0; i < 3; i++)
        push(worker, &receiver, &(Errand){ .door = &door, .number = 5 });
    AWAIT(receiver.frees == NULL);
    wait_for(&door, &door.threads_ended, 1);
    await_idle();
    assert_string_equal(receiver.told->str, "5 "); /* the first and no other */
    assert_int_equal(door.inputs_freed, 3);
    g_string_free(receiver.told, TRUE);
}

static void
what_the_thread_kept_is_gone_when_the_worker_is(void **unused)
{
    Receiver receiver = { .told = g_string_new(NULL) };
    Worker *worker = worker_new();
    Door door = { .open = true };
    (void)unused;

    push(worker, &receiver, &(Errand){ .door = &door, .number = 1 });
    push(worker, &receiver, &(Errand){ .door = &door, .number = 2 });
    assert_true(worker_drain(worker, WAIT_US));
    assert_int_equal(door.threads_ended, 0);
    worker_free(worker);
    assert_int_equal(door.threads_ended, 1);
    g_string_free(receiver.told, TRUE);
}

static void
a_thread_that_cannot_be_had_is_had_with_the_next_job(void **unused)
{
    Receiver receiver = { .told = g_string_new(NULL) };
    Worker *worker = worker_new();
    Door door = { .open = true };
    (void)unused;

    refusals = 1;
    push(worker, &receiver, &(Errand){ .door = &door, .number = 1 });
    assert_false(worker_drain(worker, 20000));
    push(worker, &receiver, &(Errand){ .door = &door, .number = 2 });
    assert_true(worker_drain(worker, WAIT_US));
    assert_string_equal(receiver.told->str, "1 2 ");
    worker_free(worker);
    g_string_free(receiver.told, TRUE);
}

static void
jobs_for_a_thread_that_never_came_are_freed(void **unused)
{
    Receiver receiver = { .told = g_string_new(NULL) };
    Worker *worker = worker_new();
    Door door = { .open = true };
    (void)unused;

    refusals = 2;
    push(worker, &receiver, &(Errand){ .door = &door, .number = 1 });
    push(worker, &receiver, &(Errand){ .door = &door, .number = 2 });
    worker_free(worker);
    assert_int_equal(door.inputs_freed, 2);
    assert_int_equal(door.worked, 0);
    assert_string_equal(receiver.told->str, "");
    g_string_free(receiver.told, TRUE);
}

static void
freeing_no_worker_is_fine(void **unused)
{
    Worker *worker = worker_new();
    (void)unused;

    worker_free(NULL);
    assert_true(worker_drain(worker, 0)); /* nothing to wait for */
    worker_free(worker);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_come_back_on_the_loop_from_another_thread),
        cmocka_unit_test(a_failure_comes_back_as_an_error_without_output),
        cmocka_unit_test(calls_are_made_one_at_a_time_and_silence_is_told),
        cmocka_unit_test(much_work_is_done_all_the_same),
        cmocka_unit_test(after_the_end_nothing_is_delivered_and_everything_is_freed),
        cmocka_unit_test(who_waits_for_an_answer_that_never_comes_is_let_go_of_on_the_loop),
        cmocka_unit_test(a_receiver_may_free_the_worker),
        cmocka_unit_test(what_the_thread_kept_is_gone_when_the_worker_is),
        cmocka_unit_test(a_thread_that_cannot_be_had_is_had_with_the_next_job),
        cmocka_unit_test(jobs_for_a_thread_that_never_came_are_freed),
        cmocka_unit_test(freeing_no_worker_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
