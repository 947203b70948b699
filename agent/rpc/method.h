/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * method.h - the methods of the agent; a method is one row of the list and one handler
 *
 * Handlers translate between messages and our types. None of them writes to the host: a change
 * goes through agent.h or event.h, like one that comes from anywhere else.
 */
#ifndef AGENT_RPC_METHOD_H
#define AGENT_RPC_METHOD_H

#include "agent/agent.h"
#include "agent/message.h"
#include "proto/grpc_server.h"
#include "proto/virtksm.pb-c.h"

/** method_list() - every method there is; @ret_n: number of rows; static */
const GrpcMethod *method_list(size_t *ret_n);

/** method_has_service() - whether there are methods of a service, "package.Name" */
bool method_has_service(const char *service);

/** method_agent() - the agent that a call is about */
Agent *method_agent(const GrpcCall *call);

/**
 * method_reply() - send the only response and free it
 * @message: on the heap with all that it points to, as protobuf-c unpacks it; ownership passes
 */
void method_reply(GrpcCall *call, ProtobufCMessage *message);

/**
 * method_find_domain() - the domain that a request names
 * @word:       name or uuid; NULL or empty: all domains
 * @ret_domain: the domain, owned by the agent; NULL: all
 *
 * Return: false when there is none; the call has been failed with NOT_FOUND then.
 */
bool method_find_domain(GrpcCall *call, const char *word, const Domain **ret_domain);

/** method_age_ms() - milliseconds since a moment of CLOCK_MONOTONIC in microseconds */
uint64_t method_age_ms(uint64_t then_us);

/** method_memory() - what was decided of the host's memory as a message, owned by the caller */
Virtksm__V1__MemoryStatus *method_memory(const Agent *agent);

/** method_limit() - a limit for a message: VALUE_UNKNOWN, which is absent there, if it is none */
uint64_t method_limit(uint64_t bytes);

/** method_ksm_settings() - @knobs as a message, owned by the caller; unknown members are absent */
Virtksm__V1__KsmSettings *method_ksm_settings(const KsmKnobs *knobs);

/* Handlers, one per method, in the files that are called after them or their service. */
extern const GrpcHandler status_handler;
extern const GrpcHandler list_handler;
extern const GrpcHandler report_handler;
extern const GrpcHandler explain_handler;
extern const GrpcHandler doctor_handler;
extern const GrpcHandler history_handler;
extern const GrpcHandler working_set_handler;
extern const GrpcHandler watch_working_set_handler;
extern const GrpcHandler watch_handler;
extern const GrpcHandler trace_handler;
extern const GrpcHandler kick_handler;
extern const GrpcHandler set_mode_handler;
extern const GrpcHandler set_handler;
extern const GrpcHandler kata_kick_handler;
extern const GrpcHandler register_handler;
extern const GrpcHandler events_handler;
extern const GrpcHandler health_check_handler;
extern const GrpcHandler health_watch_handler;
extern const GrpcHandler reflection_handler;

#endif
