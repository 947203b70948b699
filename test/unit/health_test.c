/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* health_test.c - whether a service is served, asked and watched */
#include "agent/rpc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/grpc/health/v1/health.pb-c.h"
#include "test/support/fakerpc.h"

#define RESPONSE     &grpc__health__v1__health_check_response__descriptor
#define STATUS(word) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##word
#define ON_RPC(test) cmocka_unit_test_setup_teardown(test, fakerpc_setup, fakerpc_teardown)

static const struct {
    const char *service;
    bool is_served;
} rows[] = {
    { "", true },
    { "virtksm.v1.Agent", true },
    { "ksm.KSMThrottler", true },
    { "KSMThrottler", true },
    { "grpc.health.v1.Health", true },
    { "grpc.reflection.v1alpha.ServerReflection", true },
    { "virtksm.v1", false },
    { "virtksm.v1.Agent/Status", false },
    { "virtksm.v1.AgentX", false },
    { "virtksm.v1.Agen", false },
    { "no.Such", false },
};

static void
each_service_and_the_daemon_itself_can_be_checked(void **state)
{
    FakeRpc *rpc = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Grpc__Health__V1__HealthCheckRequest request;
        g_autofree char *service = g_strdup(rows[i].service);
        ProtobufCMessage *answer;
        GrpcStatus status;

        grpc__health__v1__health_check_request__init(&request);
        request.service = service;
        status = fakerpc_call(rpc->client, "/grpc.health.v1.Health/Check", RESPONSE, &request.base,
                              &answer);
        if (status != (rows[i].is_served ? GRPC_STATUS_OK : GRPC_STATUS_NOT_FOUND))
            fail_msg("\"%s\": %s", service, grpc_status_name(status));
        if (!answer)
            continue;
        assert_int_equal(((Grpc__Health__V1__HealthCheckResponse *)answer)->status,
                         STATUS(SERVING));
        protobuf_c_message_free_unpacked(answer, NULL);
    }
}

static void
a_watch_tells_the_state_and_ends_with_the_server(void **state)
{
    FakeRpc *rpc = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeStream) stream =
            fakerpc_stream(rpc->client, "/grpc.health.v1.Health/Watch", RESPONSE);
        Grpc__Health__V1__HealthCheckRequest request;
        g_autofree char *service = g_strdup(rows[i].service);
        ProtobufCMessage *answer;

        grpc__health__v1__health_check_request__init(&request);
        request.service = service;
        grpc_client_call_send(stream->call, &request.base);
        grpc_client_call_half_close(stream->call);
        answer = fakerpc_next(stream);
        assert_non_null(answer);
        if (((Grpc__Health__V1__HealthCheckResponse *)answer)->status !=
            (rows[i].is_served ? STATUS(SERVING) : STATUS(SERVICE_UNKNOWN)))
            fail_msg("\"%s\"", service);
        protobuf_c_message_free_unpacked(answer, NULL);
        fakerpc_settle();
        assert_false(stream->finished);
        g_clear_pointer(&rpc->agent->server, server_free);
        assert_int_equal(fakerpc_wait_end(stream), GRPC_STATUS_UNAVAILABLE);
        fakerpc_listen(rpc);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_RPC(each_service_and_the_daemon_itself_can_be_checked),
        ON_RPC(a_watch_tells_the_state_and_ends_with_the_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
