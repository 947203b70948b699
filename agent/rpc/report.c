/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report.c - Report: the ledger of this moment as a message */
#include "agent/report/ledger.h"
#include "agent/report/ledger_grain.h"
#include "agent/rpc/method.h"
#include "agent/rpc/tenancy.h"

/* A figure with a sign, kept as u64: absent when it is VALUE_UNKNOWN. */
#define SET_SIGNED(message, field, value)                                                          \
    do {                                                                                           \
        (message)->has_##field = is_known(value);                                                  \
        (message)->field = (message)->has_##field ? (int64_t)(value) : 0;                          \
    } while (0)

static void
describe_memory(const LedgerRow *row, Virtksm__V1__DomainReport *message)
{
    MESSAGE_SET_KNOWN(message, maximum_bytes, row->domain->maximum_bytes);
    MESSAGE_SET_KNOWN(message, balloon_bytes, row->domain->balloon_bytes);
    MESSAGE_SET_KNOWN(message, resident_bytes, row->resident_bytes);
    MESSAGE_SET_KNOWN(message, ballooned_bytes, row->ballooned_bytes);
    MESSAGE_SET_KNOWN(message, swapped_bytes, row->swapped_bytes);
    MESSAGE_SET_KNOWN(message, zswapped_bytes, row->zswapped_bytes);
    MESSAGE_SET_KNOWN(message, zswap_bytes, row->zswap_bytes);
    MESSAGE_SET_KNOWN(message, untouched_bytes, row->untouched_bytes);
    MESSAGE_SET_KNOWN(message, guest_free_bytes, row->guest_free_bytes);
    MESSAGE_SET_KNOWN(message, unshare_bytes, row->unshare_bytes);
    MESSAGE_SET_KNOWN(message, hard_limit_advice_bytes, row->limit_bytes);
}

/* Of a process that has exited nothing is told, as of the others of its figures. */
static void
describe_overhead(const LedgerRow *row, Virtksm__V1__DomainReport *message)
{
    const DomainOverhead *overhead = &row->domain->overhead;
    const Overhead *last = &overhead->last;

    if (!is_known(overhead->bytes) || !is_known(row->resident_bytes))
        return;
    MESSAGE_SET(message, overhead_bytes, overhead->bytes);
    MESSAGE_SET(message, overhead_peak_bytes, overhead->peak_bytes);
    MESSAGE_SET(message, overhead_sampled_ago_ms, method_age_ms(overhead->measured_us));
    MESSAGE_SET(message, overhead_video_bytes, last->video_bytes);
    MESSAGE_SET(message, overhead_translation_bytes, last->translation_bytes);
    MESSAGE_SET(message, overhead_heap_bytes, last->heap_bytes);
    MESSAGE_SET(message, overhead_stack_bytes, last->stack_bytes);
    MESSAGE_SET(message, overhead_other_bytes, last->other_bytes);
}

static void
describe_cost(const LedgerRow *row, Virtksm__V1__DomainReport *message)
{
    MESSAGE_SET_KNOWN(message, ksmd_cpu_us, row->ksmd_cpu_us);
    MESSAGE_SET_KNOWN(message, merges_broken_pages, row->broken_pages);
}

static void
describe_reclaim(const Agent *agent, const Domain *domain, Virtksm__V1__DomainReport *message)
{
    const PolicyConf *conf = &agent->conf->policy;
    const DomainPlan *plan = &domain->plan;

    MESSAGE_SET_KNOWN(message, floor_bytes, domain_floor_bytes(domain));
    MESSAGE_SET_KNOWN(message, ceiling_bytes, domain_ceiling_bytes(domain));
    if (domain->has_xml)
        MESSAGE_SET(message, shares, domain->xml.policy.shares);
    message->balloon_mode = g_strdup(domain_mode_word(domain, RECLAIM_BALLOON, conf));
    message->high_mode = g_strdup(domain_mode_word(domain, RECLAIM_HIGH, conf));
    if (plan->balloon_reason != REASON_NONE) {
        MESSAGE_SET_KNOWN(message, need_bytes, plan->need_bytes);
        MESSAGE_SET_KNOWN(message, balloon_target_bytes, plan->balloon_bytes);
        message->balloon_reason = g_strdup(reason_text(plan->balloon_reason));
    }
    if (plan->high_reason != REASON_NONE) {
        MESSAGE_SET_KNOWN(message, limit_bytes, method_limit(plan->limit_bytes));
        MESSAGE_SET(message, reclaim_bytes, plan->reclaim_bytes);
        message->high_reason = g_strdup(reason_text(plan->high_reason));
    }
}

static Virtksm__V1__DomainReport *
describe_row(const Agent *agent, const Ledger *ledger, const LedgerRow *row)
{
    const Domain *domain = row->domain;
    Virtksm__V1__DomainReport *message = g_new(Virtksm__V1__DomainReport, 1);
    int64_t net_bytes = 0;

    virtksm__v1__domain_report__init(message);
    message->name = g_strdup(domain->name);
    message->uuid = g_strdup(domain->uuid);
    if (domain->has_process)
        MESSAGE_SET(message, pid, domain->process.pid);
    MESSAGE_SET_KNOWN(message, merging_pages, row->merging_pages);
    MESSAGE_SET_KNOWN(message, saved_pages, row->saved_pages);
    MESSAGE_SET_KNOWN(message, ksm_zero_pages, row->zero_pages);
    MESSAGE_SET_KNOWN(message, metadata_bytes, row->metadata_bytes);
    message->has_net_saved_bytes =
        ledger_net_bytes(ledger, row->saved_pages, row->metadata_bytes, &net_bytes);
    message->net_saved_bytes = net_bytes;
    SET_SIGNED(message, profit_bytes, row->profit_bytes);
    describe_memory(row, message);
    describe_overhead(row, message);
    describe_cost(row, message);
    describe_reclaim(agent, domain, message);
    rpc_tenancy_report(agent, domain, message);
    if (domain->stats_us != 0)
        MESSAGE_SET(message, stats_age_ms, method_age_ms(domain->stats_us));
    return message;
}

static Virtksm__V1__HostReport *
describe_host(const Agent *agent, const Ledger *ledger)
{
    const HostPlan *plan = &agent->plan.host;
    Virtksm__V1__HostReport *message = g_new(Virtksm__V1__HostReport, 1);
    int64_t net_bytes = 0;

    virtksm__v1__host_report__init(message);
    MESSAGE_SET_KNOWN(message, pages_shared, ledger->pages_shared);
    MESSAGE_SET_KNOWN(message, pages_sharing, ledger->pages_sharing);
    MESSAGE_SET_KNOWN(message, ksm_zero_pages, ledger->zero_pages);
    MESSAGE_SET_KNOWN(message, saved_pages, ledger->saved_pages);
    MESSAGE_SET_KNOWN(message, metadata_bytes, ledger->metadata_bytes);
    message->has_net_saved_bytes =
        ledger_net_bytes(ledger, ledger->saved_pages, ledger->metadata_bytes, &net_bytes);
    message->net_saved_bytes = net_bytes;
    SET_SIGNED(message, profit_bytes, ledger->profit_bytes);
    MESSAGE_SET_KNOWN(message, unshare_bytes, ledger->unshare_bytes);
    MESSAGE_SET_KNOWN(message, total_bytes, ledger->total_bytes);
    MESSAGE_SET_KNOWN(message, huge_pool_bytes, ledger->vm.huge_pool_bytes);
    MESSAGE_SET_KNOWN(message, available_bytes, ledger->available_bytes);
    MESSAGE_SET_KNOWN(message, swapped_bytes, ledger->vm.swapped_bytes);
    MESSAGE_SET_KNOWN(message, zswapped_bytes, ledger->vm.zswapped_bytes);
    MESSAGE_SET_KNOWN(message, zswap_bytes, ledger->vm.zswap_bytes);
    MESSAGE_SET_KNOWN(message, ksmd_cpu_us, ledger->ksmd_cpu_us);
    MESSAGE_SET_KNOWN(message, ksmd_full_scans, ledger->full_scans);
    MESSAGE_SET_KNOWN(message, cow_ksm_breaks, ledger->vm.cow_ksm);
    if (plan->reason != REASON_NONE) {
        message->memory_level = g_strdup(memory_level_name(plan->level));
        message->memory_reason = g_strdup(reason_text(plan->reason));
    }
    return message;
}

static Virtksm__V1__OthersReport *
describe_others(const Ledger *ledger)
{
    Virtksm__V1__OthersReport *message = g_new(Virtksm__V1__OthersReport, 1);

    virtksm__v1__others_report__init(message);
    MESSAGE_SET_KNOWN(message, merging_pages, ledger->others_merging_pages);
    MESSAGE_SET_KNOWN(message, saved_pages, ledger->others_saved_pages);
    return message;
}

static void
report_message(GrpcCall *call, const ProtobufCMessage *data)
{
    const Virtksm__V1__ReportRequest *request = (const Virtksm__V1__ReportRequest *)data;
    Agent *agent = method_agent(call);
    g_auto(Ledger) ledger = { 0 };
    Virtksm__V1__ReportResponse *message;
    const Domain *only;

    if (!method_find_domain(call, request->domain, &only))
        return;
    ledger_read(&agent->host_facts, &agent->domains, &ledger);
    ledger_coarsen(&ledger, agent->conf->grain_kib * 1024);
    message = g_new(Virtksm__V1__ReportResponse, 1);
    virtksm__v1__report_response__init(message);
    MESSAGE_SET(message, page_size, ledger.page_bytes);
    MESSAGE_SET(message, steady, ledger.steady);
    message->host = describe_host(agent, &ledger);
    message->others = describe_others(&ledger);
    message->domains = g_new(Virtksm__V1__DomainReport *, ledger.rows->len);
    for (guint i = 0; i < ledger.rows->len; i++) {
        const LedgerRow *row = &g_array_index(ledger.rows, LedgerRow, i);

        if (!only || row->domain == only)
            message->domains[message->n_domains++] = describe_row(agent, &ledger, row);
    }
    method_reply(call, &message->base);
}

const GrpcHandler report_handler = { .message = report_message };
