/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * health.c - grpc.health.v1.Health: whether a service is served
 *
 * The daemon serves all it has for as long as it answers, so there is one state per service and no
 * change to report: a watcher is told once, and learns of the end by the end of its stream.
 */
#include "agent/rpc/method.h"
#include "proto/grpc/health/v1/health.pb-c.h"

typedef Grpc__Health__V1__HealthCheckRequest Request;
typedef Grpc__Health__V1__HealthCheckResponse Response;

#define STATUS(word) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##word

static bool
is_served(const Request *request)
{
    return *request->service == '\0' || method_has_service(request->service);
}

static void
check_message(GrpcCall *call, const ProtobufCMessage *data)
{
    Response message = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

    if (!is_served((const Request *)data)) {
        grpc_call_fail(call, GRPC_STATUS_NOT_FOUND, "there is no service of this name");
        return;
    }
    message.status = STATUS(SERVING);
    grpc_call_reply(call, &message.base);
}

const GrpcHandler health_check_handler = { .message = check_message };

static void
watch_message(GrpcCall *call, const ProtobufCMessage *data)
{
    Response message = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

    message.status = is_served((const Request *)data) ? STATUS(SERVING) : STATUS(SERVICE_UNKNOWN);
    if (!grpc_call_send(call, &message.base))
        grpc_call_fail(call, GRPC_STATUS_RESOURCE_EXHAUSTED,
                       "earlier answers to you have not been read");
}

const GrpcHandler health_watch_handler = { .message = watch_message };
