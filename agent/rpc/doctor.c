/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor.c - Doctor: what the agent knows, put before the checks, and their findings as a message
 *
 * The host's set-up is read anew for each call, since who asks has perhaps just mended something.
 */
#include "agent/report/doctor.h"
#include "agent/measure.h"
#include "agent/rpc/method.h"
#include "agent/source/source.h"

#include <string.h>

#define NO_LIBVIRT "none"

static DoctorHost
describe_host(const Agent *agent, const HostSetup *setup)
{
    DoctorHost host = {
        .sample = &agent->host,
        .setup = setup,
        .actuator = ksm_actuator_state(&agent->ksm),
        .actuator_text = ksm_actuator_text(&agent->ksm),
        .foreign = ksm_actuator_foreign(&agent->ksm),
        .mode = agent->conf->policy.mode,
        .mode_is_clients = agent->mode_override != NULL,
        .reason = agent->plan.ksm.reason,
        .balloon_enable = (Enable)agent->conf->policy.balloon_enable,
        .high_enable = (Enable)agent->conf->policy.high_enable,
        .tenancy = &agent->plan.tenancy,
        .nodes = (MergeNodes)agent->conf->policy.merge_across_nodes,
        .grain_bytes = agent->conf->grain_kib * 1024,
        .measures = measure_is_on(agent),
        .libvirt_wanted = strcmp(agent->conf->uri, NO_LIBVIRT) != 0,
        .libvirt_uri = agent->conf->uri,
        .hook_wanted = agent->conf->hook_enable,
        .hook_events = event_hub_count(&agent->events, hook_source.name).events,
        .now_us = (uint64_t)g_get_monotonic_time(),
        .now_s = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC),
    };

    host.libvirt_open = libvirt_source.state(agent, &host.libvirt_detail) == SOURCE_OPEN;
    host.hook_open = hook_source.state(agent, &host.hook_detail) == SOURCE_OPEN;
    return host;
}

static Virtksm__V1__Finding *
describe_finding(const Finding *finding)
{
    Virtksm__V1__Finding *message = g_new(Virtksm__V1__Finding, 1);

    virtksm__v1__finding__init(message);
    message->id = g_strdup(finding->id);
    message->severity = g_strdup(doctor_severity_name(finding->severity));
    message->subject = g_strdup(finding->domain ? "domain" : "host");
    if (finding->domain) {
        message->name = g_strdup(finding->domain->name);
        message->uuid = g_strdup(finding->domain->uuid);
    }
    message->meaning = g_strdup(finding->meaning);
    message->source = g_strdup(finding->source);
    message->value = g_strdup(finding->value);
    message->advice = g_strdup(finding->advice);
    return message;
}

static Virtksm__V1__DoctorResponse *
describe_findings(const GArray *findings, size_t checks)
{
    Virtksm__V1__DoctorResponse *message = g_new(Virtksm__V1__DoctorResponse, 1);
    uint64_t counts[DOCTOR_SEVERITY_COUNT] = { 0 };

    virtksm__v1__doctor_response__init(message);
    message->n_findings = findings->len;
    message->findings = g_new(Virtksm__V1__Finding *, findings->len);
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = &g_array_index(findings, Finding, i);

        message->findings[i] = describe_finding(finding);
        counts[finding->severity]++;
    }
    MESSAGE_SET(message, checks, checks);
    MESSAGE_SET(message, errors, counts[DOCTOR_ERROR]);
    MESSAGE_SET(message, warnings, counts[DOCTOR_WARNING]);
    MESSAGE_SET(message, infos, counts[DOCTOR_INFO]);
    return message;
}

/* Reads all of /proc some times over: who asks without end gets the same again, so that a tenth of
 * a CPU goes there at most. */
static const HostSetup *
read_setup(Agent *agent)
{
    uint64_t begun_us = (uint64_t)g_get_monotonic_time();
    uint64_t ended_us;

    if (begun_us < agent->setup_until_us)
        return &agent->setup;
    setup_read(agent->root_fd, &agent->setup);
    ended_us = (uint64_t)g_get_monotonic_time();
    agent->setup_until_us = ended_us + (ended_us - begun_us) * 9;
    return &agent->setup;
}

static void
doctor_message(GrpcCall *call, const ProtobufCMessage *data)
{
    const Virtksm__V1__DoctorRequest *request = (const Virtksm__V1__DoctorRequest *)data;
    Agent *agent = method_agent(call);
    g_autoptr(GArray) findings = doctor_findings_new();
    g_autoptr(GPtrArray) domains = domain_table_sorted(&agent->domains);
    const Domain *only;
    DoctorHost host;
    size_t checks;

    if (!method_find_domain(call, request->domain, &only))
        return;
    host = describe_host(agent, read_setup(agent));
    for (guint i = 0; i < domains->len; i++)
        doctor_count_domain(&host, g_ptr_array_index(domains, i));
    checks = doctor_examine_host(&host, findings);
    for (guint i = 0; i < domains->len; i++) {
        const Domain *domain = g_ptr_array_index(domains, i);

        if (!only || domain == only)
            checks += doctor_examine_domain(&host, domain, findings);
    }
    method_reply(call, &describe_findings(findings, checks)->base);
}

const GrpcHandler doctor_handler = { .message = doctor_message };
