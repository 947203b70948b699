/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * share_test.c - no user takes from others what there is only so much of
 *
 * Calls are numbers here: who makes one, and how it fails, is wrapped.
 */
#include "agent/rpc/share.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "agent/rpc/method.h"
#include "test/support/value.h"

#define CALLS 200
/* As many as follow the events. */
#define MOST 64

static Agent agent;
static GrpcPeer peers[CALLS]; /* by call */
static char *refusal;         /* owned; text of the last; NULL: none */

Agent *__wrap_method_agent(const GrpcCall *call);
const GrpcPeer *__wrap_grpc_call_peer(const GrpcCall *call);
void __wrap_grpc_call_fail(GrpcCall *call, GrpcStatus status, const char *text);

Agent *
__wrap_method_agent(const GrpcCall *call)
{
    (void)call;
    return &agent;
}

const GrpcPeer *
__wrap_grpc_call_peer(const GrpcCall *call)
{
    return &peers[GPOINTER_TO_UINT(call)];
}

void
__wrap_grpc_call_fail(GrpcCall *call, GrpcStatus status, const char *text)
{
    (void)call;
    assert_int_equal(status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    g_free(refusal);
    refusal = g_strdup(text);
}

static GrpcCall *
call_of(guint number, uid_t uid, bool read_only)
{
    peers[number] = (GrpcPeer){ .uid = uid, .read_only = read_only };
    return GUINT_TO_POINTER(number);
}

/* Takes until it is refused. Return: how often it was not. */
static guint
take_all(guint first, uid_t uid, bool read_only, Share share)
{
    guint n = 0;

    while (share_take(call_of(first + n, uid, read_only), share))
        n++;
    return n;
}

static void
give_all(void)
{
    for (guint i = 1; i < CALLS; i++)
        for (unsigned share = 0; share < SHARE_COUNT; share++)
            share_give(GUINT_TO_POINTER(i), (Share)share);
    assert_null(agent.share_holders);
}

static void
each_has_what_is_his(void **state)
{
    static const struct {
        const char *who;
        uid_t uid;
        bool read_only;
        guint want;
    } rows[] = {
        { "root", 0, false, MOST },
        { "root on the read-only socket", 0, true, MOST / 2 },
        { "a user", 1000, false, MOST / 4 },
        { "a user on the read-only socket", 1000, true, MOST / 4 },
    };
    (void)state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        guint n = take_all(1, rows[i].uid, rows[i].read_only, SHARE_EVENTS);

        assert_value(rows[i].who, "calls", n, rows[i].want);
        give_all();
    }
}

static void
nobody_takes_what_is_the_others(void **state)
{
    (void)state;

    take_all(1, 1000, true, SHARE_EVENTS);
    assert_string_equal(refusal, "16 calls follow the events already, as many as there may be for "
                                 "all, for the read-only socket or for one user");
    assert_int_equal(take_all(50, 1001, true, SHARE_EVENTS), MOST / 4);
    assert_int_equal(take_all(100, 1002, true, SHARE_EVENTS), 0); /* of that socket no more */
    assert_int_equal(take_all(100, 1002, false, SHARE_EVENTS), MOST / 4);
    assert_int_equal(take_all(150, 0, false, SHARE_EVENTS), MOST / 4);
    assert_int_equal(take_all(1, 1000, false, SHARE_TRACES), 2); /* of another kind */
    give_all();
}

static void
what_was_given_back_can_be_taken_again(void **state)
{
    GrpcCall *call = call_of(1, 1000, false);
    (void)state;

    share_give(call, SHARE_HISTORY); /* it has none */
    assert_int_equal(take_all(1, 1000, false, SHARE_HISTORY), 2);
    share_give(call, SHARE_TRACES); /* not of that kind */
    assert_false(share_take(call_of(5, 1000, false), SHARE_HISTORY));
    share_give(call, SHARE_HISTORY);
    assert_true(share_take(call_of(5, 1000, false), SHARE_HISTORY));
    give_all();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_what_is_his),
        cmocka_unit_test(nobody_takes_what_is_the_others),
        cmocka_unit_test(what_was_given_back_can_be_taken_again),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    g_free(refusal);
    return failed;
}
