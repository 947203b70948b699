/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conn_test.c - a connection is given back, whatever its thread does; on libvirt's test driver */
#include "agent/virt/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/await.h"

static const VirtConnTarget target = { "test:///default", 5, 3 };

typedef struct {
    VirtConn *conn;
    GMutex gate; /* held by the test: questions hang */
    bool is_up;
    gint asked;    /* atomic; questions that have begun */
    gint down;     /* atomic; what was set up and has been torn down */
    guint refused; /* times that it could not be opened */
} Fixture;

typedef struct {
    VirtQuestion base;
    Fixture *fixture; /* borrowed */
} Question;

static gpointer
set_up(virConnectPtr conn, gpointer user, GError **error)
{
    (void)conn;
    (void)error;
    return user;
}

static void
torn_down(virConnectPtr conn, gpointer registered)
{
    (void)conn;
    g_atomic_int_inc(&((Fixture *)registered)->down);
}

static void
up(gpointer user, const GArray *domains)
{
    (void)domains;
    ((Fixture *)user)->is_up = true;
}

static void
down(gpointer user, const char *why)
{
    (void)user;
    fail_msg("not connected: %s", why);
}

static const VirtConnOps ops = { set_up, torn_down, up, down };

static void
refused(gpointer user, const char *why)
{
    assert_non_null(strstr(why, "the end of the connection would not be told"));
    ((Fixture *)user)->refused++;
}

static const VirtConnOps patient_ops = { set_up, torn_down, up, refused };
static gint refusals; /* atomic; times that libvirt does not take the callback */

static gpointer
hang(gpointer input, GError **error)
{
    Question *question = input;

    (void)error;
    g_atomic_int_inc(&question->fixture->asked);
    g_mutex_lock(&question->fixture->gate);
    g_mutex_unlock(&question->fixture->gate);
    return NULL;
}

static void
question_free(gpointer input)
{
    virt_question_done(input);
    g_free(input);
}

static void
never_done(gpointer output, const GError *error, gpointer user)
{
    (void)output;
    (void)error;
    (void)user;
    fail_msg("an answer after the end");
}

static const WorkerJob hanging = { hang, question_free, NULL, NULL, never_done };

static int
setup(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    virt_prepare();
    g_mutex_init(&fixture->gate);
    fixture->conn = virt_conn_new(&target, &ops, fixture);
    AWAIT(fixture->is_up);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    Fixture *fixture = *state;

    g_mutex_clear(&fixture->gate);
    g_free(fixture);
    return 0;
}

static void
one_that_is_idle_is_let_go_before_the_end(void **state)
{
    Fixture *fixture = *state;

    assert_true(virt_conn_free(fixture->conn));
    assert_int_equal(g_atomic_int_get(&fixture->down), 1);
}

static void
one_that_comes_up_at_the_end_is_let_go_and_tells_nobody(void **state)
{
    Fixture *fixture = *state;

    assert_true(virt_conn_free(fixture->conn));
    fixture->is_up = false;
    fixture->down = 0;
    assert_true(virt_conn_free(virt_conn_new(&target, &ops, fixture)));
    assert_false(fixture->is_up);
    assert_int_equal(g_atomic_int_get(&fixture->down), 1);
}

int __real_virConnectRegisterCloseCallback(virConnectPtr conn, virConnectCloseFunc cb, void *opaque,
                                           virFreeCallback freecb);
int __wrap_virConnectRegisterCloseCallback(virConnectPtr conn, virConnectCloseFunc cb, void *opaque,
                                           virFreeCallback freecb);

/** __wrap_virConnectRegisterCloseCallback() - fails as often as refusals says */
int
__wrap_virConnectRegisterCloseCallback(virConnectPtr conn, virConnectCloseFunc cb, void *opaque,
                                       virFreeCallback freecb)
{
    if (g_atomic_int_get(&refusals) == 0)
        return __real_virConnectRegisterCloseCallback(conn, cb, opaque, freecb);
    g_atomic_int_add(&refusals, -1);
    return -1;
}

static void
one_whose_end_would_not_be_told_is_opened_again(void **state)
{
    Fixture *fixture = *state;

    assert_true(virt_conn_free(fixture->conn));
    fixture->is_up = false;
    fixture->down = 0;
    g_atomic_int_set(&refusals, 1);
    fixture->conn = virt_conn_new(&target, &patient_ops, fixture);
    AWAIT(fixture->is_up);
    assert_int_equal(g_atomic_int_get(&refusals), 0);
    assert_int_equal(fixture->refused, 1);
    assert_true(virt_conn_free(fixture->conn));
    assert_int_equal(g_atomic_int_get(&fixture->down), 1);
}

static void
one_whose_thread_hangs_is_let_go_when_it_comes_back(void **state)
{
    Fixture *fixture = *state;
    Question *question = g_new0(Question, 1);

    question->fixture = fixture;
    g_mutex_lock(&fixture->gate);
    assert_true(virt_conn_push(fixture->conn, &hanging, &question->base, fixture));
    AWAIT(g_atomic_int_get(&fixture->asked) == 1);
    assert_false(virt_conn_free(fixture->conn));
    assert_int_equal(g_atomic_int_get(&fixture->down), 0);
    g_mutex_unlock(&fixture->gate);
    AWAIT(g_atomic_int_get(&fixture->down) == 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_is_idle_is_let_go_before_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_comes_up_at_the_end_is_let_go_and_tells_nobody,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(one_whose_end_would_not_be_told_is_opened_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_whose_thread_hangs_is_let_go_when_it_comes_back, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
