/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* change_test.c - a value is changed only if it is what we think; on libvirt's test driver */
#define _GNU_SOURCE
#include "agent/virt/change.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/virt/conn.h"
#include "policy/sample.h"
#include "test/support/await.h"

#define MIB     (UINT64_C(1) << 20)
#define UUID    "6695eb01-f6a4-8304-79aa-97f2502e193f" /* of the domain of test:///default */
#define NOBODY  "11111111-2222-4333-8444-555555555555"
#define WAIT_US 20000000
/* A connection of the test's own: the driver's domains live as long as there is one. */
#define URI "test:///default"

static const char *const result_names[] = {
    [CHANGE_DONE] = "done", [CHANGE_FOREIGN] = "foreign", [CHANGE_GONE] = "gone",
    [CHANGE_BUSY] = "busy", [CHANGE_REFUSED] = "refused", [CHANGE_FAILED] = "failed",
};
G_STATIC_ASSERT(G_N_ELEMENTS(result_names) == CHANGE_RESULT_COUNT);

typedef struct {
    virConnectPtr conn;
    virDomainPtr domain;
    VirtConn *asked; /* NULL: not in this test */
    bool is_up;
    unsigned answers;
    ChangeResult result;
    uint64_t found_bytes;
    char *detail;
} Fixture;

static gpointer
nothing_set_up(virConnectPtr conn, gpointer user, GError **error)
{
    (void)conn;
    (void)error;
    return user;
}

static void
nothing_torn_down(virConnectPtr conn, gpointer registered)
{
    (void)conn;
    (void)registered;
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

static const VirtConnOps ops = { nothing_set_up, nothing_torn_down, up, down };

static int
setup(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    virt_prepare();
    fixture->conn = virConnectOpen(URI);
    fixture->domain = virDomainLookupByUUIDString(fixture->conn, UUID);
    assert_non_null(fixture->domain);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    Fixture *fixture = *state;

    virt_conn_free(fixture->asked);
    virDomainFree(fixture->domain);
    virConnectClose(fixture->conn);
    g_free(fixture->detail);
    g_free(fixture);
    return 0;
}

static void
note(const Change *change, const ChangeOutcome *outcome, gpointer user)
{
    Fixture *fixture = user;

    (void)change;
    fixture->answers++;
    fixture->result = outcome->result;
    fixture->found_bytes = outcome->found_bytes;
    g_free(fixture->detail);
    fixture->detail = g_strdup(outcome->detail);
}

static Change
change_of(Fixture *fixture, ChangeKind kind, uint64_t known, uint64_t want)
{
    Change change = {
        kind, UUID, (int)virDomainGetID(fixture->domain), { known, known, known, known }, want, NULL
    };

    return change;
}

static void
expect(Fixture *fixture, const char *when, const Change *change, ChangeResult want)
{
    Change one = *change;
    g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(Change));
    const ChangeBatch batch = { URI, changes, WAIT_US };
    g_autoptr(GError) error = NULL;

    g_array_append_val(changes, one);
    fixture->answers = 0;
    if (!change_all_now(&batch, note, fixture, &error))
        fail_msg("%s: %s", when, error->message);
    assert_int_equal(fixture->answers, 1);
    if (fixture->result != want)
        fail_msg("%s: %s instead of %s (%s)", when, result_names[fixture->result],
                 result_names[want], fixture->detail ? fixture->detail : "");
}

static uint64_t
balloon_now(Fixture *fixture)
{
    virDomainInfo info;

    assert_int_equal(virDomainGetInfo(fixture->domain, &info), 0);
    return info.memory * 1024;
}

static uint64_t
limit_now_kib(Fixture *fixture)
{
    virTypedParameter params[8] = { 0 };
    unsigned long long kib = 0;
    int n = G_N_ELEMENTS(params);

    assert_int_equal(
        virDomainGetMemoryParameters(fixture->domain, params, &n, VIR_DOMAIN_AFFECT_LIVE), 0);
    assert_int_equal(virTypedParamsGetULLong(params, n, VIR_DOMAIN_MEMORY_SOFT_LIMIT, &kib), 1);
    return kib;
}

static void
a_balloon_between_two_of_ours_is_ours_and_a_limit_is_not(void **unused)
{
    static const ChangeKnown known = { 1000 * MIB, 500 * MIB, 600 * MIB, 500 * MIB };
    static const struct {
        const char *when;
        uint64_t bytes;
        bool balloon;
        bool limit;
    } rows[] = {
        { "as found", 1000 * MIB, true, true },
        { "as written", 500 * MIB, true, true },
        { "as before that", 600 * MIB, true, true },
        { "on its way", 550 * MIB, true, false },
        { "a page beyond", 500 * MIB - 4096, true, false },
        { "well beyond", 490 * MIB, false, false },
        { "between what was found and ours", 800 * MIB, false, false },
        { "more than was found", 1002 * MIB, false, false },
        { "no limit", LIMIT_NONE, false, false },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (change_is_known(CHANGE_BALLOON, &known, rows[i].bytes) != rows[i].balloon ||
            change_is_known(CHANGE_LIMIT, &known, rows[i].bytes) != rows[i].limit)
            fail_msg("%s", rows[i].when);
}

static void
a_balloon_is_set_and_one_that_somebody_else_has_set_is_not(void **state)
{
    Fixture *fixture = *state;
    uint64_t found = balloon_now(fixture);
    Change change = change_of(fixture, CHANGE_BALLOON, found, found / 2);

    expect(fixture, "as found", &change, CHANGE_DONE);
    assert_int_equal(fixture->found_bytes, found);
    assert_int_equal(balloon_now(fixture), found / 2);
    change = change_of(fixture, CHANGE_BALLOON, found, found / 4);
    expect(fixture, "set by somebody else", &change, CHANGE_FOREIGN);
    assert_int_equal(fixture->found_bytes, found / 2);
    assert_int_equal(balloon_now(fixture), found / 2);
    change.known.least_bytes = change.known.wrote_bytes = found / 2;
    expect(fixture, "as we have written it", &change, CHANGE_DONE);
    assert_int_equal(balloon_now(fixture), found / 4);
}

static void
a_limit_is_set_and_lifted(void **state)
{
    Fixture *fixture = *state;
    Change change = change_of(fixture, CHANGE_LIMIT, LIMIT_NONE, 512 * MIB);

    expect(fixture, "none found", &change, CHANGE_DONE);
    assert_int_equal(fixture->found_bytes, LIMIT_NONE);
    assert_int_equal(limit_now_kib(fixture), 512 * 1024);
    change = change_of(fixture, CHANGE_LIMIT, LIMIT_NONE, 256 * MIB);
    expect(fixture, "set by somebody else", &change, CHANGE_FOREIGN);
    assert_int_equal(fixture->found_bytes, 512 * MIB);
    change.known.least_bytes = change.known.wrote_bytes = 512 * MIB;
    change.want_bytes = LIMIT_NONE;
    expect(fixture, "back to none", &change, CHANGE_DONE);
    assert_true(limit_now_kib(fixture) >= VIR_DOMAIN_MEMORY_PARAM_UNLIMITED);
}

static void
what_cannot_be_done_is_told_apart(void **state)
{
    Fixture *fixture = *state;
    uint64_t found = balloon_now(fixture);
    Change change = change_of(fixture, CHANGE_BALLOON, found, found / 2);

    strcpy(change.uuid, NOBODY);
    expect(fixture, "no such domain", &change, CHANGE_GONE);
    change = change_of(fixture, CHANGE_BALLOON, found, found / 2);
    change.id++;
    expect(fixture, "another start", &change, CHANGE_GONE);
    assert_null(fixture->detail);
    change = change_of(fixture, CHANGE_BALLOON, found, found * 1024);
    expect(fixture, "more than its maximum", &change, CHANGE_REFUSED);
    assert_non_null(strstr(fixture->detail, "cannot set the balloon: "));
    assert_int_equal(balloon_now(fixture), found);
    assert_int_equal(virDomainDestroy(fixture->domain), 0);
    change = change_of(fixture, CHANGE_BALLOON, found, found / 2);
    change.id = 1;
    expect(fixture, "not running", &change, CHANGE_GONE);
}

static void
no_libvirt_is_an_error(void **state)
{
    g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(Change));
    const ChangeBatch batch = { "test:///no/such/file", changes, WAIT_US };
    g_autoptr(GError) error = NULL;
    Fixture *fixture = *state;

    assert_false(change_all_now(&batch, note, fixture, &error));
    assert_non_null(strstr(error->message, "/no/such/file"));
    assert_int_equal(fixture->answers, 0);
}

static void
an_agent_is_answered_on_its_loop(void **state)
{
    static const VirtConnTarget target = { URI, 5, 3 };
    Fixture *fixture = *state;
    uint64_t found = balloon_now(fixture);
    Change change = change_of(fixture, CHANGE_BALLOON, found, found / 2);

    assert_false(change_ask(NULL, &change, note, fixture));
    fixture->asked = virt_conn_new(&target, &ops, fixture);
    assert_false(change_ask(fixture->asked, &change, note, fixture));
    AWAIT(fixture->is_up);
    assert_true(change_ask(fixture->asked, &change, note, fixture));
    assert_int_equal(fixture->answers, 0);
    AWAIT(fixture->answers > 0);
    assert_int_equal(fixture->result, CHANGE_DONE);
    assert_int_equal(balloon_now(fixture), found / 2);
}

static void
what_is_withdrawn_before_it_has_begun_is_neither_done_nor_answered(void **state)
{
    static const VirtConnTarget target = { URI, 5, 3 };
    Fixture *fixture = *state;
    uint64_t found = balloon_now(fixture);
    Change change = change_of(fixture, CHANGE_BALLOON, found, found / 2);
    Change other = change_of(fixture, CHANGE_BALLOON, found, found / 4);

    fixture->asked = virt_conn_new(&target, &ops, fixture);
    AWAIT(fixture->is_up);
    change.turn = change_turn_new();
    other.turn = change_turn_new();
    assert_true(change_turn_withdraw(change.turn));
    assert_true(change_ask(fixture->asked, &change, note, fixture));
    assert_true(change_ask(fixture->asked, &other, note, fixture));
    AWAIT(fixture->answers > 0);
    assert_int_equal(balloon_now(fixture), found / 4);
    assert_int_equal(fixture->found_bytes, found);
    assert_int_equal(fixture->answers, 1);
    assert_false(change_turn_withdraw(other.turn)); /* too late */
    change_turn_unref(change.turn);
    change_turn_unref(other.turn);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_balloon_between_two_of_ours_is_ours_and_a_limit_is_not),
        cmocka_unit_test_setup_teardown(a_balloon_is_set_and_one_that_somebody_else_has_set_is_not,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_limit_is_set_and_lifted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_done_is_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(no_libvirt_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(an_agent_is_answered_on_its_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_is_withdrawn_before_it_has_begun_is_neither_done_nor_answered, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
