/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* status.c - Status and List: what the daemon does, and for whom */
#include "agent/config.h"
#include "agent/recorder.h"
#include "agent/report/metrics.h"
#include "agent/rpc/method.h"
#include "agent/rpc/tenancy.h"
#include "agent/source/grpc_feed.h"
#include "agent/source/source.h"

static Virtksm__V1__Source *
describe_source(const Agent *agent, const char *name, SourceState state, const char *detail)
{
    Virtksm__V1__Source *message = g_new(Virtksm__V1__Source, 1);
    SourceCount count = event_hub_count(&agent->events, name);

    virtksm__v1__source__init(message);
    message->name = g_strdup(name);
    message->state = g_strdup(source_state_name(state));
    message->detail = g_strdup(detail);
    MESSAGE_SET(message, events, count.events);
    if (count.events > 0)
        MESSAGE_SET(message, last_event_ms, method_age_ms(count.last_us));
    return message;
}

static void
describe_sources(const Agent *agent, Virtksm__V1__StatusResponse *message)
{
    size_t n;
    const Source *const *sources = source_list(&n);

    message->sources = g_new(Virtksm__V1__Source *, n + grpc_feed_count(agent));
    for (size_t i = 0; i < n; i++) {
        const char *detail = NULL;
        SourceState state = sources[i]->state(agent, &detail);

        message->sources[message->n_sources++] =
            describe_source(agent, sources[i]->name, state, detail);
    }
    for (guint i = 0; i < grpc_feed_count(agent); i++) {
        const GrpcFeed *feed = grpc_feed_at(agent, i);
        g_autofree char *detail = grpc_feed_detail(feed);

        message->sources[message->n_sources++] =
            describe_source(agent, feed->source, grpc_feed_state(feed), detail);
    }
}

static Virtksm__V1__LibvirtStatus *
describe_libvirt(const Agent *agent)
{
    Virtksm__V1__LibvirtStatus *message = g_new(Virtksm__V1__LibvirtStatus, 1);
    const char *detail = NULL;
    SourceState state = libvirt_source.state(agent, &detail);

    virtksm__v1__libvirt_status__init(message);
    MESSAGE_SET(message, connected, state == SOURCE_OPEN);
    message->uri = g_strdup(agent->conf->uri);
    message->detail = g_strdup(detail);
    MESSAGE_SET(message, reconnects, libvirt_source_reconnects(agent->libvirt));
    return message;
}

static Virtksm__V1__MetricsStatus *
describe_metrics(const Agent *agent)
{
    Virtksm__V1__MetricsStatus *message = g_new(Virtksm__V1__MetricsStatus, 1);
    const char *detail;
    uint64_t scrapes;

    virtksm__v1__metrics_status__init(message);
    message->state = g_strdup(metrics_state(agent->metrics, &detail, &scrapes));
    message->detail = g_strdup(detail);
    MESSAGE_SET(message, scrapes, scrapes);
    return message;
}

static Virtksm__V1__HistoryStatus *
describe_history(const Agent *agent)
{
    Virtksm__V1__HistoryStatus *message = g_new(Virtksm__V1__HistoryStatus, 1);
    RecorderStatus status;

    virtksm__v1__history_status__init(message);
    if (!agent->recorder) {
        MESSAGE_SET(message, recording, FALSE);
        message->detail = g_strdup(recorder_absence());
        return message;
    }
    status = recorder_status(agent->recorder);
    MESSAGE_SET(message, recording, status.is_recording);
    message->detail = g_strdup(status.detail);
    MESSAGE_SET_KNOWN(message, size_bytes, status.size_bytes);
    MESSAGE_SET(message, waiting_minutes, status.waiting);
    MESSAGE_SET(message, lost_minutes, status.lost);
    if (status.written_us != 0)
        MESSAGE_SET(message, written_ms, method_age_ms(status.written_us));
    return message;
}

static void
status_message(GrpcCall *call, const ProtobufCMessage *request)
{
    const Agent *agent = method_agent(call);
    Virtksm__V1__StatusResponse *message = g_new(Virtksm__V1__StatusResponse, 1);

    (void)request;
    virtksm__v1__status_response__init(message);
    message->version = g_strdup(VIRTKSM_VERSION);
    message->mode = g_strdup(ksm_mode_words[agent->conf->policy.mode]);
    message->phase = g_strdup(ksm_phase_name(agent->plan.ksm.phase));
    message->reason = g_strdup(reason_text(agent->plan.ksm.reason));
    message->actuator = g_strdup(ksm_actuator_state_name(ksm_actuator_state(&agent->ksm)));
    message->actuator_detail = g_strdup(ksm_actuator_text(&agent->ksm));
    message->ksm = method_ksm_settings(&agent->host.knobs);
    message->initial = method_ksm_settings(ksm_actuator_initial(&agent->ksm));
    if (agent->ksmd_cpu_percent >= 0)
        MESSAGE_SET(message, ksmd_cpu_percent, agent->ksmd_cpu_percent);
    describe_sources(agent, message);
    message->history = describe_history(agent);
    message->libvirt = describe_libvirt(agent);
    MESSAGE_SET(message, domains, domain_table_size(&agent->domains));
    MESSAGE_SET(message, uptime_ms, method_age_ms(agent->started_us));
    MESSAGE_SET(message, ticks, agent->tick.count);
    MESSAGE_SET(message, late_ticks, agent->tick.late);
    if (agent->tick.reaction_us > 0)
        MESSAGE_SET(message, reaction_us, agent->tick.reaction_us);
    message->metrics = describe_metrics(agent);
    message->memory = method_memory(agent);
    /* Names are for those who may see figures of domains: 'explain' tells them. */
    message->tenancy = rpc_tenancy(agent, false);
    method_reply(call, &message->base);
}

const GrpcHandler status_handler = { .message = status_message };

static Virtksm__V1__ListedDomain *
describe_domain(const Agent *agent, const Domain *domain)
{
    const PolicyConf *conf = &agent->conf->policy;
    Virtksm__V1__ListedDomain *message = g_new(Virtksm__V1__ListedDomain, 1);

    virtksm__v1__listed_domain__init(message);
    message->name = g_strdup(domain->name);
    message->uuid = g_strdup(domain->uuid);
    if (domain->id != DOMAIN_ID_UNKNOWN)
        MESSAGE_SET(message, id, domain->id);
    if (domain->has_process)
        MESSAGE_SET(message, pid, domain->process.pid);
    message->state = g_strdup(domain_state_name(domain->state));
    message->merge = g_strdup(domain_merge_text(domain));
    MESSAGE_SET(message, seen_ms, method_age_ms(domain->seen_us));
    message->balloon_mode = g_strdup(domain_mode_word(domain, RECLAIM_BALLOON, conf));
    message->high_mode = g_strdup(domain_mode_word(domain, RECLAIM_HIGH, conf));
    return message;
}

static void
list_message(GrpcCall *call, const ProtobufCMessage *request)
{
    const Agent *agent = method_agent(call);
    g_autoptr(GPtrArray) domains = domain_table_sorted(&agent->domains);
    Virtksm__V1__ListResponse *message = g_new(Virtksm__V1__ListResponse, 1);

    (void)request;
    virtksm__v1__list_response__init(message);
    message->n_domains = domains->len;
    message->domains = g_new(Virtksm__V1__ListedDomain *, domains->len);
    for (guint i = 0; i < domains->len; i++)
        message->domains[i] = describe_domain(agent, g_ptr_array_index(domains, i));
    method_reply(call, &message->base);
}

const GrpcHandler list_handler = { .message = list_message };
