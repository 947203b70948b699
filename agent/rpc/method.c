/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* method.c - the list of methods, and what their handlers share */
#include "agent/rpc/method.h"
#include "proto/google/protobuf/empty.pb-c.h"
#include "proto/grpc/health/v1/health.pb-c.h"
#include "proto/grpc/reflection/v1/reflection.pb-c.h"
#include "proto/throttler.pb-c.h"

#include <string.h>

#define AGENT_METHOD(name, kind, read_only, lower)                                                 \
    {                                                                                              \
        "/virtksm.v1.Agent/" name, kind, read_only, &virtksm__v1__##lower##_request__descriptor,   \
            &virtksm__v1__##lower##_response__descriptor, &lower##_handler                         \
    }

#define HEALTH_METHOD(name, kind, lower)                                                           \
    {                                                                                              \
        "/grpc.health.v1.Health/" name, kind, true,                                                \
            &grpc__health__v1__health_check_request__descriptor,                                   \
            &grpc__health__v1__health_check_response__descriptor, &health_##lower##_handler        \
    }

/* The messages of both versions are the same. */
#define REFLECTION_METHOD(path)                                                                    \
    {                                                                                              \
        path, GRPC_BIDI_STREAM, true,                                                              \
            &grpc__reflection__v1__server_reflection_request__descriptor,                          \
            &grpc__reflection__v1__server_reflection_response__descriptor, &reflection_handler     \
    }

static const GrpcMethod methods[] = {
    AGENT_METHOD("Status", GRPC_UNARY, true, status),
    AGENT_METHOD("List", GRPC_UNARY, true, list),
    AGENT_METHOD("Report", GRPC_UNARY, true, report),
    AGENT_METHOD("Explain", GRPC_UNARY, true, explain),
    AGENT_METHOD("Doctor", GRPC_UNARY, true, doctor),
    AGENT_METHOD("History", GRPC_UNARY, true, history),
    AGENT_METHOD("WorkingSet", GRPC_UNARY, true, working_set),
    AGENT_METHOD("WatchWorkingSet", GRPC_SERVER_STREAM, true, watch_working_set),
    AGENT_METHOD("Watch", GRPC_SERVER_STREAM, true, watch),
    AGENT_METHOD("Trace", GRPC_SERVER_STREAM, false, trace),
    AGENT_METHOD("Kick", GRPC_UNARY, false, kick),
    AGENT_METHOD("SetMode", GRPC_UNARY, false, set_mode),
    AGENT_METHOD("Set", GRPC_UNARY, false, set),
    { "/ksm.KSMThrottler/Kick", GRPC_UNARY, false, &google__protobuf__empty__descriptor,
      &google__protobuf__empty__descriptor, &kata_kick_handler },
    { "/KSMThrottler/Register", GRPC_UNARY, false, &register_request__descriptor,
      &google__protobuf__empty__descriptor, &register_handler },
    { "/KSMThrottler/Events", GRPC_BIDI_STREAM, false, &vmevent__descriptor, &vmevent__descriptor,
      &events_handler },
    HEALTH_METHOD("Check", GRPC_UNARY, check),
    HEALTH_METHOD("Watch", GRPC_SERVER_STREAM, watch),
    REFLECTION_METHOD("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
    REFLECTION_METHOD("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
};

const GrpcMethod *
method_list(size_t *ret_n)
{
    *ret_n = G_N_ELEMENTS(methods);
    return methods;
}

bool
method_has_service(const char *service)
{
    size_t length = strlen(service);

    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
        const char *path = methods[i].path + 1;

        if (strncmp(path, service, length) == 0 && path[length] == '/')
            return true;
    }
    return false;
}

Agent *
method_agent(const GrpcCall *call)
{
    return grpc_server_data(grpc_call_server(call));
}

void
method_reply(GrpcCall *call, ProtobufCMessage *message)
{
    grpc_call_reply(call, message);
    protobuf_c_message_free_unpacked(message, NULL);
}

bool
method_find_domain(GrpcCall *call, const char *word, const Domain **ret_domain)
{
    const Domain *domain = NULL;

    if (word && *word) {
        domain = domain_table_find(&method_agent(call)->domains, word);
        if (!domain) {
            g_autofree char *text =
                g_strdup_printf("no running domain has the name or uuid \"%s\"", word);

            grpc_call_fail(call, GRPC_STATUS_NOT_FOUND, text);
            return false;
        }
    }
    *ret_domain = domain;
    return true;
}

uint64_t
method_age_ms(uint64_t then_us)
{
    return sat_sub((uint64_t)g_get_monotonic_time(), then_us) / 1000;
}

Virtksm__V1__KsmSettings *
method_ksm_settings(const KsmKnobs *knobs)
{
    Virtksm__V1__KsmSettings *message = g_new(Virtksm__V1__KsmSettings, 1);

    virtksm__v1__ksm_settings__init(message);
    MESSAGE_SET_KNOWN(message, run, knobs->run);
    MESSAGE_SET_KNOWN(message, pages_to_scan, knobs->pages_to_scan);
    MESSAGE_SET_KNOWN(message, sleep_millisecs, knobs->sleep_ms);
    if (is_known(knobs->advisor))
        message->advisor_mode = g_strdup(knobs->advisor ? "scan-time" : "none");
    MESSAGE_SET_KNOWN(message, smart_scan, knobs->smart_scan);
    MESSAGE_SET_KNOWN(message, use_zero_pages, knobs->use_zero_pages);
    return message;
}

Virtksm__V1__MemoryStatus *
method_memory(const Agent *agent)
{
    Virtksm__V1__MemoryStatus *message = g_new(Virtksm__V1__MemoryStatus, 1);
    const PolicyConf *conf = &agent->conf->policy;
    const HostPlan *plan = &agent->plan.host;

    virtksm__v1__memory_status__init(message);
    message->balloon = g_strdup(enable_words[policy_conf_enable(conf, conf->balloon_enable)]);
    message->memory_high = g_strdup(enable_words[policy_conf_enable(conf, conf->high_enable)]);
    if (agent->partition.bound_path) {
        message->bounded_by = g_strdup(agent->partition.bound_path);
        MESSAGE_SET(message, limit_bytes, agent->partition.limit_bytes);
        MESSAGE_SET_KNOWN(message, available_bytes, agent->host.mem_available_bytes);
    }
    if (plan->reason == REASON_NONE)
        return message;
    message->level = g_strdup(memory_level_name(plan->level));
    message->reason = g_strdup(reason_text(plan->reason));
    MESSAGE_SET(message, wanted_bytes, plan->wanted_bytes);
    MESSAGE_SET(message, reclaim_bytes, plan->reclaim_bytes);
    MESSAGE_SET(message, balloon_bytes, plan->balloon_bytes);
    return message;
}

uint64_t
method_limit(uint64_t bytes)
{
    return bytes == LIMIT_NONE ? VALUE_UNKNOWN : bytes;
}
