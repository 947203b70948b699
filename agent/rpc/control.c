/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control.c - Kick and SetMode: what a client may change */
#include "agent/rpc/method.h"
#include "agent/source/source.h"
#include "proto/google/protobuf/empty.pb-c.h"

/* For a client that asks for what cannot be done now: why, and what helps. NULL: it can. */
static char *
make_hint(const Agent *agent)
{
    if (ksm_actuator_state(&agent->ksm) == KSM_ACTUATOR_READY)
        return NULL;
    return g_strdup(ksm_actuator_text(&agent->ksm));
}

/* Likewise for a kick, to which a mode that writes nothing is deaf. */
static char *
make_kick_hint(const Agent *agent)
{
    KsmMode mode = agent->conf->policy.mode;

    if (ksm_mode_drives(mode))
        return make_hint(agent);
    return g_strdup_printf("mode %s writes nothing; \"virtksm mode auto\" lets a kick scan",
                           ksm_mode_words[mode]);
}

/* What was decided because of the kick; a call that has ended meanwhile takes no answer. */
static void
answer_kick(Agent *agent, gpointer call)
{
    Virtksm__V1__KickResponse *message;

    message = g_new(Virtksm__V1__KickResponse, 1);
    virtksm__v1__kick_response__init(message);
    message->ksm = method_ksm_settings(&agent->host.knobs);
    message->phase = g_strdup(ksm_phase_name(agent->plan.ksm.phase));
    message->reason = g_strdup(reason_text(agent->plan.ksm.reason));
    message->hint = make_kick_hint(agent);
    method_reply(call, &message->base);
}

static void
kick_message(GrpcCall *call, const ProtobufCMessage *request)
{
    Agent *agent = method_agent(call);

    (void)request;
    grpc_source_kick(agent);
    tick_when_decided(agent, answer_kick, grpc_call_ref(call), (GDestroyNotify)grpc_call_unref);
}

const GrpcHandler kick_handler = { .message = kick_message };

static void
kata_kick_message(GrpcCall *call, const ProtobufCMessage *request)
{
    Google__Protobuf__Empty done = GOOGLE__PROTOBUF__EMPTY__INIT;

    (void)request;
    grpc_source_kick(method_agent(call));
    grpc_call_reply(call, &done.base);
}

const GrpcHandler kata_kick_handler = { .message = kata_kick_message };

static bool
find_mode(const char *word, KsmMode *ret_mode)
{
    for (unsigned i = 0; i < KSM_MODE_COUNT; i++) {
        if (word && g_str_equal(ksm_mode_words[i], word)) {
            *ret_mode = (KsmMode)i;
            return true;
        }
    }
    return false;
}

static void
set_mode_message(GrpcCall *call, const ProtobufCMessage *data)
{
    const Virtksm__V1__SetModeRequest *request = (const Virtksm__V1__SetModeRequest *)data;
    Agent *agent = method_agent(call);
    Virtksm__V1__SetModeResponse *message;
    KsmMode mode;

    if (!find_mode(request->mode, &mode)) {
        grpc_call_fail(call, GRPC_STATUS_INVALID_ARGUMENT,
                       "mode: expected auto, classic, fixed, observe or off");
        return;
    }
    agent_set_mode(agent, mode);
    message = g_new(Virtksm__V1__SetModeResponse, 1);
    virtksm__v1__set_mode_response__init(message);
    message->mode = g_strdup(ksm_mode_words[mode]);
    message->phase = g_strdup(ksm_phase_name(agent->plan.ksm.phase));
    message->reason = g_strdup(reason_text(agent->plan.ksm.reason));
    message->hint = make_hint(agent);
    method_reply(call, &message->base);
}

const GrpcHandler set_mode_handler = { .message = set_mode_message };
