/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nodes.c - merge_across_nodes as configured, and all that has to come before
 *
 * The kernel takes another value only while nothing is merged. Before the first domain starts that
 * is so, and it is written at once. Later everything has to be parted first:
 *
 *     domains are switched off, one after the other, as their copies fit (tenancy.c)
 *     --> all are off --> what others have merged is parted, and the value written
 *     --> domains are switched on as the rule says
 *
 * It begins only where there is memory for all copies together, where nobody is known not to be
 * switched off, and where others have merged so little that parting it takes no time. If any of
 * that does not hold any more, or it takes too long, everybody goes back, and it is tried again
 * much later. Without permission to switch domains nothing is parted.
 *
 * Source: Documentation/admin-guide/mm/ksm.rst, "merge_across_nodes"
 */
#include "policy/nodes.h"
#include "policy/tenancy.h"

/* Parting a hundred GiB takes a few minutes. */
#define ATTEMPT_US (600 * US_PER_S)
/* From the end of an attempt that failed to the next. */
#define AGAIN_US (3600 * US_PER_S)
/* What others have merged is parted in one go, at which the agent waits. */
#define OTHERS_BYTES (UINT64_C(128) << 20)

static uint64_t
wanted(const PolicyConf *conf)
{
    switch (conf->merge_across_nodes) {
    case NODES_TOGETHER:
        return 1;
    case NODES_APART:
        return 0;
    default:
        return VALUE_UNKNOWN;
    }
}

/* Merged by processes that are no domains: by the kernel's counts, which for all are old alike. */
static uint64_t
others_bytes(const Sample *sample)
{
    uint64_t pages = ksm_merged_pages(&sample->host.ksm);

    for (size_t i = 0; i < sample->n; i++)
        pages = sat_sub(pages, known_or(sample->domains[i].unshare_pages, 0));
    return mul_div(pages, sample->host.page_bytes, 1);
}

/* What stands in the way of parting everybody; REASON_NONE: nothing. */
static Reason
obstacle(const Sample *sample, const PolicyState *state, const TenancyPlan *plan)
{
    uint64_t others = others_bytes(sample);
    uint64_t need = others;

    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];

        if (!tenancy_is_concerned(domain) || domain->merge_state == MERGE_OFF)
            continue;
        /* A large one that is under way takes its time. */
        if (state->domains[i].tenancy.stuck_us > 0 && !tenancy_is_copying(domain))
            return REASON_MERGE_STUCK;
        if (!tenancy_has_room(&sample->host, domain))
            return REASON_NO_HEADROOM;
        /* Of those that are under way a part is taken already. */
        if (!tenancy_is_copying(domain))
            need = sat_add(need, tenancy_need_bytes(&sample->host, domain));
    }
    if (others > OTHERS_BYTES)
        return REASON_OTHERS_MERGED;
    return need > plan->headroom_bytes ? REASON_NO_HEADROOM : REASON_NONE;
}

/* An attempt goes on, or begins. Return: whether there is one. */
static bool
attempt(const Sample *sample, PolicyState *state, Plan *plan)
{
    TenancyState *tenancy = &state->tenancy;
    uint64_t now_us = sample->host.now_us;
    Reason reason = obstacle(sample, state, &plan->tenancy);
    bool is_late = tenancy->parting_us > 0 && now_us - tenancy->parting_us > ATTEMPT_US;
    bool is_soon = tenancy->parted_us > 0 && now_us - tenancy->parted_us < AGAIN_US;

    plan->tenancy.nodes_reason = reason != REASON_NONE ? reason : REASON_NODES;
    if (tenancy->parting_us > 0 && (reason != REASON_NONE || is_late)) {
        tenancy->parted_us = now_us;
        tenancy->parting_us = 0;
        return false;
    }
    if (reason != REASON_NONE || is_soon)
        return false;
    if (tenancy->parting_us == 0)
        tenancy->parting_us = max_u64(now_us, 1);
    return true;
}

bool
nodes_is_parting(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    const HostSample *host = &sample->host;
    uint64_t want = wanted(conf);

    if (!is_known(want) || !is_known(host->ksm.merge_across_nodes) ||
        want == host->ksm.merge_across_nodes || !ksm_mode_drives((KsmMode)conf->mode)) {
        state->tenancy.parting_us = state->tenancy.parted_us = 0;
        return false;
    }
    plan->tenancy.nodes_reason = REASON_NODES;
    if (ksm_merged_pages(&host->ksm) == 0) {
        plan->tenancy.nodes = want;
        return false;
    }
    if (!plan->tenancy.is_enforced) {
        plan->tenancy.nodes_reason = REASON_PAGES_MERGED;
        return false;
    }
    if (!attempt(sample, state, plan))
        return false;
    plan->tenancy.nodes = want;
    return true;
}
