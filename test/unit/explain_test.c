/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* explain_test.c - the setting that held is told, of whatever section it is */
#include "agent/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/virtksm.pb-c.h"
#include "test/support/fakerpc.h"

#define ON_RPC(test) cmocka_unit_test_setup_teardown(test, fakerpc_setup, fakerpc_teardown)
#define UUID         "c7a5fdbd-edaf-9455-926a-d65c16db1809"

/* The answer is the caller's. */
static Virtksm__V1__ExplainResponse *
explain(const FakeRpc *rpc)
{
    Virtksm__V1__ExplainRequest request;
    ProtobufCMessage *answer;

    virtksm__v1__explain_request__init(&request);
    assert_int_equal(fakerpc_call(rpc->client, "/virtksm.v1.Agent/Explain",
                                  &virtksm__v1__explain_response__descriptor, &request.base,
                                  &answer),
                     GRPC_STATUS_OK);
    return (Virtksm__V1__ExplainResponse *)answer;
}

static void
the_setting_that_held_is_told_with_its_section_and_value(void **state)
{
    static const struct {
        Reason ksm, balloon, high;
        const char *ksm_bound, *balloon_bound, *high_bound; /* NULL: none */
    } rows[] = {
        { REASON_CPU_BUDGET, REASON_TAKE, REASON_PROBE_DOWN, "cpu_burst = 25 percent of one CPU",
          "[balloon] shrink = 5 percent of maximum", "[memory_high] step = 2 percent of usage" },
        { REASON_SETTLING, REASON_STUCK, REASON_SWAP_RATE, "settle_ms = 1234 milliseconds",
          "[balloon] stuck_s = 60 seconds", "[memory_high] swap_rate = 20 MiB per second" },
        { REASON_LOW_YIELD, REASON_CALM, REASON_BACK_OFF, "yield_floor = 2 MiB per CPU-second",
          "[agent] memory_tight = 10 percent of memory",
          "[memory_high] stall = 0.5 percent of the time" },
        { REASON_MODE_FIXED, REASON_CALM, REASON_NO_SWAP, "mode = fixed",
          "[agent] memory_tight = 10 percent of memory", NULL },
        { REASON_MERGED_NONE, REASON_CALM, REASON_NO_SWAP, "[tenancy] rule = none",
          "[agent] memory_tight = 10 percent of memory", NULL },
        { REASON_NO_DOMAIN, REASON_NO_BALLOON, REASON_HOLD_STILL, NULL, NULL, NULL },
    };
    FakeRpc *rpc = *state;
    Agent *agent = rpc->agent;
    Domain *domain = domain_table_add(&agent->domains, UUID, "web", 1, 1);

    agent->conf->policy.mode = KSM_MODE_FIXED;
    agent->conf->policy.tenancy_rule = TENANCY_NONE;
    agent->conf->policy.cpu_burst_bp = 2500;
    agent->conf->policy.settle_ms = 1234;
    agent->conf->policy.yield_floor = 2;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Virtksm__V1__ExplainResponse *answer;
        const Virtksm__V1__DomainExplanation *row;

        agent->plan.ksm.reason = rows[i].ksm;
        domain->plan.balloon_reason = rows[i].balloon;
        domain->plan.high_reason = rows[i].high;
        answer = explain(rpc);
        assert_int_equal(answer->n_domains, 1);
        row = answer->domains[0];
        if (g_strcmp0(answer->bound, rows[i].ksm_bound) != 0 ||
            g_strcmp0(row->balloon_bound, rows[i].balloon_bound) != 0 ||
            g_strcmp0(row->high_bound, rows[i].high_bound) != 0)
            fail_msg("%s: \"%s\", \"%s\", \"%s\"", reason_name(rows[i].balloon),
                     answer->bound ? answer->bound : "",
                     row->balloon_bound ? row->balloon_bound : "",
                     row->high_bound ? row->high_bound : "");
        protobuf_c_message_free_unpacked(&answer->base, NULL);
    }
}

/* What copies need may be what a single domain has merged. */
static void
what_copies_need_is_no_finer_than_figures_of_domains(void **state)
{
    static const struct {
        uint64_t grain_kib;
        uint64_t need_bytes;
        uint64_t told_bytes;
    } rows[] = {
        { 0, 12345, 12345 },
        { 16, 12345, 16384 },
        { 16, 0, 0 },
    };
    FakeRpc *rpc = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Virtksm__V1__ExplainResponse *answer;

        rpc->agent->conf->grain_kib = rows[i].grain_kib;
        rpc->agent->plan.tenancy.need_bytes = rows[i].need_bytes;
        answer = explain(rpc);
        assert_int_equal(answer->tenancy->need_bytes, rows[i].told_bytes);
        protobuf_c_message_free_unpacked(&answer->base, NULL);
    }
}

/* KSM goes on where another program drives it, whatever was decided. */
static void
scanning_stands_still_only_where_the_rule_is_enforced(void **state)
{
    static const KsmActuatorState states[] = { KSM_ACTUATOR_READY, KSM_ACTUATOR_YIELDED };
    FakeRpc *rpc = *state;
    Agent *agent = rpc->agent;

    agent->conf->policy.tenancy_enforce = TENANCY_ENFORCE_YES;
    agent->plan.tenancy.is_enforced = true;
    agent->plan.tenancy.is_paused = true;
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
        bool is_ready = states[i] == KSM_ACTUATOR_READY;
        Virtksm__V1__ExplainResponse *answer;

        agent->ksm.state = states[i];
        answer = explain(rpc);
        assert_int_equal(answer->tenancy->enforced, is_ready);
        assert_int_equal(answer->tenancy->paused, is_ready);
        protobuf_c_message_free_unpacked(&answer->base, NULL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_RPC(the_setting_that_held_is_told_with_its_section_and_value),
        ON_RPC(what_copies_need_is_no_finer_than_figures_of_domains),
        ON_RPC(scanning_stands_still_only_where_the_rule_is_enforced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
