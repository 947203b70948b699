/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch_working_set_test.c - working sets asked for, and reports that come by themselves */
#include "agent/measure.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/virtksm.pb-c.h"
#include "test/support/await.h"
#include "test/support/fakerpc.h"

#define ON_RPC(test) cmocka_unit_test_setup_teardown(test, setup, fakerpc_teardown)
#define S            G_USEC_PER_SEC
#define METHOD       "/virtksm.v1.Agent/WorkingSet"
#define STREAM       "/virtksm.v1.Agent/WatchWorkingSet"

typedef Virtksm__V1__WatchWorkingSetResponse Told;

static int
setup(void **state)
{
    FakeRpc *rpc;

    fakerpc_setup(state);
    rpc = *state;
    domain_table_add(&rpc->agent->domains, "u1", "web", 1, 0);
    domain_table_add(&rpc->agent->domains, "u2", "db", 2, 0);
    return 0;
}

/* Bins of which the first is told apart, on one node that is known and one that is not; sums up to
 * 1000 bytes. */
static void
report(FakeRpc *rpc, const char *name, uint64_t bytes)
{
    const WorkingSetReport report = {
        .state = WORKING_SET_MEASURED,
        .backend = "idle",
        .confidence_bp = 9000,
        .is_estimate = true,
        .moment_us = (uint64_t)g_get_monotonic_time() - 3 * S,
        .cpu_us = 1500,
        .horizon_us = 61 * S,
        .edges = { { 60 * S, 100 * S, 200 * S }, 3 },
        .n_nodes = 2,
        .nodes = { { 1, { { { 100, 20 } }, { { 1, 2 } }, { { 0, 0 } }, { { 299, 38 } } } },
                   { WORKING_SET_NODE_UNKNOWN, { { { 500, 0 } }, [3] = { { 0, 40 } } } } },
        .guest = { VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN,
                   VALUE_UNKNOWN, 0 },
        .resident_bytes = 1000,
        .working_set_bytes = bytes,
        .cold_bytes = 1000 - bytes,
        .reason = "lru_gen: no debugfs",
    };

    measure_take(domain_table_find(&rpc->agent->domains, name)->key, &report, rpc->agent);
}

static GrpcStatus
ask(FakeRpc *rpc, const char *domain, Virtksm__V1__WorkingSetResponse **ret_answer)
{
    Virtksm__V1__WorkingSetRequest request = VIRTKSM__V1__WORKING_SET_REQUEST__INIT;
    g_autofree char *word = g_strdup(domain);
    ProtobufCMessage *answer = NULL;
    GrpcStatus status;

    request.domain = word;
    status = fakerpc_call(rpc->client, METHOD, &virtksm__v1__working_set_response__descriptor,
                          &request.base, &answer);
    *ret_answer = (Virtksm__V1__WorkingSetResponse *)answer;
    return status;
}

static void
all_that_is_known_is_told_by_node_and_age(void **state)
{
    FakeRpc *rpc = *state;
    Virtksm__V1__WorkingSetResponse *answer;
    const Virtksm__V1__WorkingSet *set;

    measure_open(rpc->agent);
    report(rpc, "web", 620);
    rpc->agent->conf->working_age_s = 77; /* needs a restart */
    rpc->agent->conf->working_bp = 1000;
    assert_int_equal(ask(rpc, "web", &answer), GRPC_STATUS_OK);
    assert_true(answer->enabled && answer->age_s == 300 && answer->budget_bp == 50);
    assert_int_equal(answer->n_domains, 1);
    set = answer->domains[0];
    assert_string_equal(set->name, "web");
    assert_string_equal(set->uuid, "u1");
    assert_string_equal(set->state, "measured");
    assert_string_equal(set->backend, "idle");
    assert_string_equal(set->reason, "lru_gen: no debugfs");
    assert_true(set->confidence_is_estimate);
    assert_true(set->confidence_bp == 9000 && set->cpu_us == 1500 && set->horizon_s == 61);
    assert_in_range(set->age_ms, 3000, 60000);
    assert_true(set->resident_bytes == 1000 && set->working_set_bytes == 620);
    assert_true(set->cold_bytes == 380 && !set->is_short && !set->guest);
    assert_int_equal(set->n_nodes, 2);
    assert_true(set->nodes[0]->has_node && set->nodes[0]->node == 1 && !set->nodes[1]->has_node);
    assert_int_equal(set->nodes[0]->n_bins, 4);
    assert_true(set->nodes[0]->bins[0]->from_s == 0 && set->nodes[0]->bins[0]->to_s == 60);
    assert_true(set->nodes[0]->bins[0]->anon_bytes == 100);
    for (size_t i = 1; i < 3; i++) {
        const Virtksm__V1__WorkingSetBin *bin = set->nodes[0]->bins[i];

        assert_true(bin->has_to_s && !bin->has_anon_bytes && !bin->has_file_bytes);
    }
    assert_true(set->nodes[0]->bins[3]->from_s == 200 && !set->nodes[0]->bins[3]->has_to_s);
    assert_true(set->nodes[0]->bins[3]->anon_bytes == 300);
    assert_true(set->nodes[0]->bins[3]->file_bytes == 40);
    assert_true(set->nodes[1]->bins[3]->file_bytes == 40);
    virtksm__v1__working_set_response__free_unpacked(answer, NULL);
}

static void
what_is_not_known_is_absent(void **state)
{
    FakeRpc *rpc = *state;
    Virtksm__V1__WorkingSetResponse *answer;

    assert_int_equal(ask(rpc, "nobody", &answer), GRPC_STATUS_NOT_FOUND);
    assert_int_equal(ask(rpc, NULL, &answer), GRPC_STATUS_OK);
    assert_false(answer->enabled);
    assert_int_equal(answer->n_domains, 2);
    assert_string_equal(answer->domains[0]->name, "db");
    assert_string_equal(answer->domains[0]->state, "off");
    assert_false(answer->domains[0]->has_working_set_bytes);
    assert_false(answer->domains[0]->has_confidence_bp);
    virtksm__v1__working_set_response__free_unpacked(answer, NULL);
    measure_open(rpc->agent);
    assert_int_equal(ask(rpc, NULL, &answer), GRPC_STATUS_OK);
    assert_string_equal(answer->domains[0]->state, "none");
    assert_string_equal(answer->domains[0]->reason, "its QEMU process was not found");
    virtksm__v1__working_set_response__free_unpacked(answer, NULL);
    domain_table_find(&rpc->agent->domains, "db")->has_xml = true;
    domain_table_find(&rpc->agent->domains, "db")->xml.huge_bytes = 1;
    assert_int_equal(ask(rpc, NULL, &answer), GRPC_STATUS_OK);
    assert_string_equal(answer->domains[0]->state, "none");
    assert_non_null(strstr(answer->domains[0]->reason, "hugetlb"));
    assert_non_null(strstr(answer->domains[1]->reason, "process"));
    virtksm__v1__working_set_response__free_unpacked(answer, NULL);
    rpc->agent->conf->policy.mode = KSM_MODE_OFF;
    assert_int_equal(ask(rpc, NULL, &answer), GRPC_STATUS_OK);
    assert_false(answer->enabled);
    assert_string_equal(answer->domains[0]->state, "off");
    virtksm__v1__working_set_response__free_unpacked(answer, NULL);
}

static FakeStream *
follow(FakeRpc *rpc, const char *domain)
{
    Virtksm__V1__WatchWorkingSetRequest request = VIRTKSM__V1__WATCH_WORKING_SET_REQUEST__INIT;
    g_autofree char *word = g_strdup(domain);
    guint before = rpc->agent->measure.taps->len;
    FakeStream *stream =
        fakerpc_stream(rpc->client, STREAM, &virtksm__v1__watch_working_set_response__descriptor);

    request.domain = word;
    grpc_client_call_send(stream->call, &request.base);
    grpc_client_call_half_close(stream->call);
    AWAIT(rpc->agent->measure.taps->len > before || stream->finished);
    return stream;
}

static Told *
next(FakeStream *stream)
{
    Told *told = (Told *)fakerpc_next(stream);

    assert_non_null(told);
    return told;
}

/* The next report is this one. */
static void
expect(FakeStream *stream, const char *name, const char *cause, uint64_t bytes)
{
    Told *told = next(stream);

    if (strcmp(told->working_set->name, name) != 0 || strcmp(told->cause, cause) != 0 ||
        told->working_set->working_set_bytes != bytes)
        fail_msg("%s %s %" PRIu64 ", want %s %s %" PRIu64, told->working_set->name, told->cause,
                 told->working_set->working_set_bytes, name, cause, bytes);
    assert_true(told->has_time_us && told->lost == 0);
    protobuf_c_message_free_unpacked(&told->base, NULL);
}

static void
expect_silence(FakeStream *stream)
{
    fakerpc_settle();
    assert_int_equal(stream->answers.length, 0);
}

static void
a_follower_gets_what_is_known_and_then_what_has_moved(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(FakeStream) stream = NULL;

    measure_open(rpc->agent);
    rpc->agent->conf->working_quiet_s = 0;
    report(rpc, "web", 600);
    stream = follow(rpc, NULL);
    expect(stream, "web", "first", 600);
    report(rpc, "db", 100);
    expect(stream, "db", "first", 100);
    report(rpc, "web", 660); /* a tenth, which is not more than a tenth */
    report(rpc, "web", 540);
    expect_silence(stream);
    report(rpc, "web", 661);
    expect(stream, "web", "moved", 661);
    report(rpc, "web", 600);
    expect_silence(stream);
    report(rpc, "web", 594);
    expect(stream, "web", "moved", 594);
}

static void
pressure_is_told_of_all_but_none_too_often(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(FakeStream) stream = NULL;

    measure_open(rpc->agent);
    rpc->agent->conf->working_quiet_s = 0;
    report(rpc, "web", 600);
    stream = follow(rpc, NULL);
    expect(stream, "web", "first", 600);
    rpc->agent->plan.host.level = MEMORY_TIGHT;
    measure_decided(rpc->agent);
    expect(stream, "web", "pressure", 600);
    rpc->agent->conf->working_quiet_s = 3600;
    rpc->agent->plan.host.level = MEMORY_CRITICAL;
    measure_decided(rpc->agent);
    report(rpc, "web", 100);
    expect_silence(stream);
    /* It was not forgotten. */
    rpc->agent->conf->working_quiet_s = 0;
    report(rpc, "web", 101);
    expect(stream, "web", "pressure", 101);
    report(rpc, "web", 102);
    expect_silence(stream);
}

/* The next measurement may be minutes away. */
static void
what_was_held_back_goes_out_with_a_decision(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(FakeStream) stream = NULL;

    measure_open(rpc->agent);
    report(rpc, "web", 600);
    stream = follow(rpc, NULL);
    expect(stream, "web", "first", 600);
    rpc->agent->conf->working_quiet_s = 3600;
    report(rpc, "web", 100);
    measure_decided(rpc->agent);
    expect_silence(stream);
    rpc->agent->conf->working_quiet_s = 0;
    measure_decided(rpc->agent);
    expect(stream, "web", "moved", 100);
    rpc->agent->conf->working_quiet_s = 3600;
    rpc->agent->plan.host.level = MEMORY_TIGHT;
    measure_decided(rpc->agent);
    expect_silence(stream);
    rpc->agent->conf->working_quiet_s = 0;
    measure_decided(rpc->agent);
    expect(stream, "web", "pressure", 100);
    measure_decided(rpc->agent);
    expect_silence(stream);
}

/* Nobody reads while they come: the last one is sent when there is room. */
static void
a_slow_reader_gets_the_last_report_and_the_number_of_those_that_were_lost(void **state)
{
    enum { REPORTS = 900 };
    FakeRpc *rpc = *state;
    g_autoptr(FakeStream) stream = NULL;
    uint64_t bytes = 0;
    uint64_t lost = 0;
    unsigned taken = 0;

    measure_open(rpc->agent);
    rpc->agent->conf->working_quiet_s = 0;
    rpc->agent->conf->working_move_bp = 0;
    stream = follow(rpc, NULL);
    for (unsigned i = 1; i <= REPORTS; i++) {
        report(rpc, "web", i);
        measure_decided(rpc->agent); /* the same report does not count again */
    }
    while (bytes != REPORTS) {
        Told *told;

        assert_int_equal(lost, 0); /* up to the last one */
        measure_decided(rpc->agent);
        told = next(stream);
        bytes = told->working_set->working_set_bytes;
        lost = told->lost;
        taken++;
        protobuf_c_message_free_unpacked(&told->base, NULL);
    }
    assert_true(lost > 0);
    assert_int_equal(taken + lost, REPORTS);
    report(rpc, "web", 1);
    expect(stream, "web", "moved", 1);
}

static void
who_asks_for_one_domain_gets_that_alone(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(FakeStream) stream = NULL;

    measure_open(rpc->agent);
    stream = follow(rpc, "db");
    report(rpc, "web", 600);
    expect_silence(stream);
    report(rpc, "db", 600);
    expect(stream, "db", "first", 600);
}

static void
who_cannot_be_served_is_told_why(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(FakeStream) off = follow(rpc, NULL);
    g_autoptr(FakeStream) nobody = NULL;

    assert_int_equal(fakerpc_wait_end(off), GRPC_STATUS_FAILED_PRECONDITION);
    measure_open(rpc->agent);
    nobody = follow(rpc, "nobody");
    assert_int_equal(fakerpc_wait_end(nobody), GRPC_STATUS_NOT_FOUND);
    assert_int_equal(rpc->agent->measure.taps->len, 0);
}

static void
who_leaves_is_forgotten(void **state)
{
    FakeRpc *rpc = *state;
    FakeStream *stream;

    measure_open(rpc->agent);
    stream = follow(rpc, NULL);
    assert_int_equal(rpc->agent->measure.taps->len, 1);
    fakerpc_stream_free(stream);
    AWAIT(rpc->agent->measure.taps->len == 0);
    report(rpc, "web", 600);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_RPC(all_that_is_known_is_told_by_node_and_age),
        ON_RPC(what_is_not_known_is_absent),
        ON_RPC(a_follower_gets_what_is_known_and_then_what_has_moved),
        ON_RPC(pressure_is_told_of_all_but_none_too_often),
        ON_RPC(what_was_held_back_goes_out_with_a_decision),
        ON_RPC(a_slow_reader_gets_the_last_report_and_the_number_of_those_that_were_lost),
        ON_RPC(who_asks_for_one_domain_gets_that_alone),
        ON_RPC(who_cannot_be_served_is_told_why),
        ON_RPC(who_leaves_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
