/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set.c - WorkingSet: how much memory each domain has used lately */
#include "agent/rpc/working_set.h"

#include "agent/measure.h"

/* The state of a domain that nobody measures. */
#define NOT_MEASURED "off"

static uint64_t
edge_s(const WorkingSetEdges *edges, uint32_t i)
{
    return edges->age_us[i] / G_USEC_PER_SEC;
}

static Virtksm__V1__WorkingSetBin *
describe_bin(const WorkingSetEdges *edges, uint32_t i)
{
    Virtksm__V1__WorkingSetBin *message = g_new(Virtksm__V1__WorkingSetBin, 1);

    virtksm__v1__working_set_bin__init(message);
    MESSAGE_SET(message, from_s, i > 0 ? edge_s(edges, i - 1) : 0);
    if (i < edges->n)
        MESSAGE_SET(message, to_s, edge_s(edges, i));
    return message;
}

/* Bins beyond the horizon are not told apart: what is in them is in the last. */
static Virtksm__V1__WorkingSetNode *
describe_node(const WorkingSetReport *report, const WorkingSetNode *node)
{
    const WorkingSetEdges *edges = &report->edges;
    Virtksm__V1__WorkingSetNode *message = g_new(Virtksm__V1__WorkingSetNode, 1);
    uint64_t anon_bytes = 0;
    uint64_t file_bytes = 0;

    virtksm__v1__working_set_node__init(message);
    if (node->node != WORKING_SET_NODE_UNKNOWN)
        MESSAGE_SET(message, node, node->node);
    message->n_bins = edges->n + 1;
    message->bins = g_new(Virtksm__V1__WorkingSetBin *, message->n_bins);
    for (uint32_t i = 0; i <= edges->n; i++) {
        message->bins[i] = describe_bin(edges, i);
        anon_bytes += node->bins[i].bytes[WORKING_SET_ANON];
        file_bytes += node->bins[i].bytes[WORKING_SET_FILE];
        if (i < edges->n && edges->age_us[i] > report->horizon_us)
            continue;
        MESSAGE_SET(message->bins[i], anon_bytes, anon_bytes);
        MESSAGE_SET(message->bins[i], file_bytes, file_bytes);
        anon_bytes = file_bytes = 0;
    }
    return message;
}

static Virtksm__V1__WorkingSetGuest *
describe_guest(const WorkingSetGuest *guest)
{
    Virtksm__V1__WorkingSetGuest *message = g_new(Virtksm__V1__WorkingSetGuest, 1);

    virtksm__v1__working_set_guest__init(message);
    MESSAGE_SET(message, age_ms, method_age_ms(guest->told_us));
    MESSAGE_SET_KNOWN(message, total_bytes, guest->total_bytes);
    MESSAGE_SET_KNOWN(message, unused_bytes, guest->unused_bytes);
    MESSAGE_SET_KNOWN(message, usable_bytes, guest->usable_bytes);
    MESSAGE_SET_KNOWN(message, disk_caches_bytes, guest->disk_caches_bytes);
    MESSAGE_SET_KNOWN(message, major_faults, guest->major_faults);
    MESSAGE_SET_KNOWN(message, swap_in_bytes, guest->swap_in_bytes);
    return message;
}

/* What there is a figure of only if it was measured, or the guest has said it. */
static void
describe_figures(const WorkingSetReport *report, Virtksm__V1__WorkingSet *message)
{
    MESSAGE_SET(message, confidence_bp, report->confidence_bp);
    MESSAGE_SET(message, confidence_is_estimate, report->is_estimate);
    MESSAGE_SET(message, age_ms, method_age_ms(report->moment_us));
    MESSAGE_SET(message, is_short, report->is_short);
    MESSAGE_SET_KNOWN(message, resident_bytes, report->resident_bytes);
    MESSAGE_SET_KNOWN(message, working_set_bytes, report->working_set_bytes);
    MESSAGE_SET_KNOWN(message, cold_bytes, report->cold_bytes);
    if (report->state != WORKING_SET_MEASURED)
        return;
    if (report->horizon_us != WORKING_SET_OLDEST)
        MESSAGE_SET(message, horizon_s, report->horizon_us / G_USEC_PER_SEC);
    message->n_nodes = report->n_nodes;
    message->nodes = g_new(Virtksm__V1__WorkingSetNode *, report->n_nodes);
    for (uint32_t i = 0; i < report->n_nodes; i++)
        message->nodes[i] = describe_node(report, &report->nodes[i]);
}

/* Of one that nobody has looked at yet. */
static void
describe_unseen(const Domain *domain, bool enabled, Virtksm__V1__WorkingSet *message)
{
    if (!enabled) {
        message->state = g_strdup(NOT_MEASURED);
    } else if (measure_is_blind(domain)) {
        message->state = g_strdup(working_set_state_name(WORKING_SET_NONE));
        message->reason = g_strdup("it is on pages of the hugetlb pool, of which the kernel does "
                                   "not tell when they were used");
    } else if (!domain->has_process) {
        message->state = g_strdup(working_set_state_name(WORKING_SET_NONE));
        message->reason = g_strdup("its QEMU process was not found");
    } else {
        message->state = g_strdup(working_set_state_name(WORKING_SET_WARMING));
    }
}

Virtksm__V1__WorkingSet *
working_set_message(const Domain *domain, bool enabled)
{
    Virtksm__V1__WorkingSet *message = g_new(Virtksm__V1__WorkingSet, 1);
    const WorkingSetReport *report = domain->working_set;

    virtksm__v1__working_set__init(message);
    message->name = g_strdup(domain->name);
    message->uuid = g_strdup(domain->uuid);
    if (!report) {
        describe_unseen(domain, enabled, message);
        return message;
    }
    message->state = g_strdup(working_set_state_name(report->state));
    if (report->state != WORKING_SET_NONE)
        message->backend = g_strdup(report->backend);
    if (*report->reason)
        message->reason = g_strdup(report->reason);
    if (report->cpu_us > 0)
        MESSAGE_SET(message, cpu_us, report->cpu_us);
    if (report->guest.told_us > 0)
        message->guest = describe_guest(&report->guest);
    if (report->state == WORKING_SET_MEASURED || report->state == WORKING_SET_GUEST)
        describe_figures(report, message);
    return message;
}

static void
working_set_asked(GrpcCall *call, const ProtobufCMessage *data)
{
    const Virtksm__V1__WorkingSetRequest *request = (const Virtksm__V1__WorkingSetRequest *)data;
    const Agent *agent = method_agent(call);
    g_autoptr(GPtrArray) domains = domain_table_sorted(&agent->domains);
    Virtksm__V1__WorkingSetResponse *message;
    const Domain *only;

    if (!method_find_domain(call, request->domain, &only))
        return;
    message = g_new(Virtksm__V1__WorkingSetResponse, 1);
    virtksm__v1__working_set_response__init(message);
    MESSAGE_SET(message, enabled, measure_is_on(agent));
    if (agent->measure.rotation) {
        MESSAGE_SET(message, age_s, agent->measure.setup.age_us / G_USEC_PER_SEC);
        MESSAGE_SET(message, budget_bp, agent->measure.setup.share_bp);
        MESSAGE_SET(message, cpu_us, measure_spent_us(&agent->measure));
    }
    message->domains = g_new(Virtksm__V1__WorkingSet *, domains->len);
    for (guint i = 0; i < domains->len; i++) {
        const Domain *domain = g_ptr_array_index(domains, i);

        if (!only || domain == only)
            message->domains[message->n_domains++] =
                working_set_message(domain, measure_is_on(agent));
    }
    method_reply(call, &message->base);
}

const GrpcHandler working_set_handler = { .message = working_set_asked };
