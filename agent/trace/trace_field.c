/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace_field.c - the values of a decision by name: a row for each of policy's structs
 *
 * The bounds are those beyond which policy may not be called: enums, counts that it divides by,
 * and shares of a whole. All else it has to cope with, because a kernel could say it too.
 */
#include "agent/trace/trace_field.h"
#include "policy/policy.h"

#include <glib.h>
#include <string.h>

#define BETWEEN(type, member, low, high)                                                           \
    {                                                                                              \
        .name = #member, .offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member), \
        .least = (low), .most = (high)                                                             \
    }
#define ANY(type, member)  BETWEEN(type, member, 0, UINT64_MAX)
#define FLAG(type, member) BETWEEN(type, member, 0, 1)

#define HOST(member)       ANY(HostSample, member)
#define AUTO(member)       ANY(PolicyState, ksm_auto.member)
#define STATE(member)      ANY(PolicyState, member)
#define TRACK(member)      ANY(DomainTrack, member)

static const TraceField host_fields[] = {
    HOST(now_us),
    BETWEEN(HostSample, cpus, 1, UINT32_MAX),
    BETWEEN(HostSample, page_bytes, 1, UINT32_MAX),
    HOST(mem_total_bytes),
    HOST(mem_available_bytes),
    HOST(anon_bytes),
    HOST(swap_total_bytes),
    HOST(swap_free_bytes),
    HOST(swap_in_pages),
    HOST(swap_out_pages),
    HOST(ksmd_cpu_us),
    HOST(cpu_stall_us),
    HOST(memory_stall_us),
    HOST(steal_us),
    FLAG(HostSample, has_ksm),
    HOST(knobs.run),
    HOST(knobs.pages_to_scan),
    HOST(knobs.sleep_ms),
    HOST(knobs.advisor),
    HOST(knobs.smart_scan),
    HOST(knobs.use_zero_pages),
    HOST(initial.run),
    HOST(initial.pages_to_scan),
    HOST(initial.sleep_ms),
    HOST(initial.advisor),
    HOST(initial.smart_scan),
    HOST(initial.use_zero_pages),
    HOST(ksm.full_scans),
    HOST(ksm.pages_shared),
    HOST(ksm.pages_sharing),
    HOST(ksm.pages_unshared),
    HOST(ksm.pages_volatile),
    HOST(ksm.ksm_zero_pages),
    HOST(ksm.pages_scanned),
    HOST(ksm.pages_skipped),
    HOST(ksm.general_profit),
    HOST(ksm.merge_across_nodes),
    BETWEEN(HostSample, triggers, 0, UINT32_MAX),
    BETWEEN(HostSample, kicks, 0, UINT32_MAX),
    BETWEEN(HostSample, departures, 0, UINT32_MAX),
    BETWEEN(HostSample, starting, 0, UINT32_MAX),
    BETWEEN(HostSample, alarm, 0, ALARM_COUNT - 1),
    FLAG(HostSample, is_quick),
    FLAG(HostSample, is_resumed),
};

static const TraceField domain_fields[] = {
    ANY(DomainSample, key),
    ANY(DomainSample, started_us),
    ANY(DomainSample, maximum_bytes),
    ANY(DomainSample, balloon_bytes),
    ANY(DomainSample, found_bytes),
    ANY(DomainSample, resident_bytes),
    ANY(DomainSample, merging_pages),
    ANY(DomainSample, rmap_items),
    BETWEEN(DomainSample, mergeable_bp, 0, BP_ONE),
    BETWEEN(DomainSample, weight, 0, UINT32_MAX),
    FLAG(DomainSample, latency_critical),
    ANY(DomainSample, wait_us),
    FLAG(DomainSample, is_tenant),
    FLAG(DomainSample, is_defined),
    ANY(DomainSample, group),
    BETWEEN(DomainSample, merge_wish, 0, MERGE_WISH_COUNT - 1),
    BETWEEN(DomainSample, merge_state, 0, MERGE_STATE_COUNT - 1),
    FLAG(DomainSample, is_switching),
    ANY(DomainSample, unshare_pages),
    ANY(DomainSample, hard_limit_bytes),
    FLAG(DomainSample, has_balloon),
    FLAG(DomainSample, has_virtio_mem),
    FLAG(DomainSample, reports_free),
    FLAG(DomainSample, is_fixed),
    FLAG(DomainSample, is_still),
    FLAG(DomainSample, balloon_foreign),
    FLAG(DomainSample, limit_foreign),
    FLAG(DomainSample, balloon_waits),
    FLAG(DomainSample, balloon_refuses),
    FLAG(DomainSample, can_reclaim),
    FLAG(DomainSample, can_limit),
    ANY(DomainSample, guest_age_us),
    ANY(DomainSample, guest_period_us),
    ANY(DomainSample, guest_available_bytes),
    ANY(DomainSample, guest_usable_bytes),
    ANY(DomainSample, guest_unused_bytes),
    ANY(DomainSample, guest_caches_bytes),
    ANY(DomainSample, guest_swap_in_bytes),
    ANY(DomainSample, guest_swap_out_bytes),
    ANY(DomainSample, guest_major_faults),
    ANY(DomainSample, cgroup_bytes),
    ANY(DomainSample, cgroup_file_bytes),
    ANY(DomainSample, cgroup_stall_us),
    ANY(DomainSample, cgroup_refaults),
    ANY(DomainSample, limit_bytes),
    ANY(DomainSample, cgroup_highs),
    ANY(DomainSample, cgroup_maxes),
    ANY(DomainSample, cgroup_ooms),
    ANY(DomainSample, working_set_bytes),
    ANY(DomainSample, floor_bytes),
    ANY(DomainSample, ceiling_bytes),
    BETWEEN(DomainSample, shares, 0, UINT32_MAX),
    BETWEEN(DomainSample, balloon_mode, 0, MECHANISM_COUNT - 1),
    BETWEEN(DomainSample, high_mode, 0, MECHANISM_COUNT - 1),
};

static const TraceField state_fields[] = {
    BETWEEN(PolicyState, mode, 0, KSM_MODE_COUNT),
    STATE(window.second),
    STATE(window.last_cpu_us),
    STATE(pressure.at_us),
    STATE(pressure.cpu_stall_us),
    STATE(pressure.memory_stall_us),
    STATE(pressure.steal_us),
    STATE(pressure.cpu_bp),
    STATE(pressure.memory_bp),
    STATE(pressure.steal_bp),
    STATE(pressure.wait_bp),
    BETWEEN(PolicyState, ksm_auto.phase, 0, KSM_PHASE_COUNT - 1),
    AUTO(phase_since_us),
    AUTO(now_us),
    AUTO(trigger_us),
    BETWEEN(PolicyState, ksm_auto.forced, 0, UINT32_MAX),
    FLAG(PolicyState, ksm_auto.kicked),
    AUTO(cleanup_us),
    AUTO(price.waited),
    AUTO(price.looked_us),
    AUTO(price.pages),
    AUTO(price.growth),
    AUTO(price.due),
    AUTO(price.merged),
    AUTO(price.kept_bp),
    AUTO(price.learnt),
    AUTO(price.cpu_us),
    AUTO(price.pass_us),
    AUTO(price.pass_pages),
    FLAG(PolicyState, ksm_auto.price.defers),
    AUTO(price.deferred_us),
    FLAG(PolicyState, ksm_auto.price.second),
    AUTO(price.dear_bp),
    AUTO(boot_us),
    AUTO(burst_merged),
    AUTO(yield.since_cpu_us),
    AUTO(yield.since_saved),
    AUTO(yield.since_records),
    FLAG(PolicyState, ksm_auto.yield.disturbed),
    AUTO(yield.kib_per_s),
    FLAG(PolicyState, ksm_auto.poor),
    AUTO(last_scanned),
    AUTO(last_cpu_us),
    AUTO(cost_ns),
    BETWEEN(PolicyState, ksm_auto.pass.stage, 0, PASS_STEP),
    FLAG(PolicyState, ksm_auto.pass.aligned),
    FLAG(PolicyState, ksm_auto.pass.early),
    FLAG(PolicyState, ksm_auto.pass.chained),
    FLAG(PolicyState, ksm_auto.pass.closing),
    FLAG(PolicyState, ksm_auto.pass.partial),
    FLAG(PolicyState, ksm_auto.pass.beat),
    AUTO(pass.scans),
    AUTO(pass.began_us),
    AUTO(pass.began_cpu_us),
    AUTO(pass.pages),
    AUTO(pass.first_pages),
    AUTO(pass.told_pages),
    AUTO(pass.absent),
    AUTO(pass.step_visited),
    AUTO(pass.step_cpu_us),
    AUTO(pass.look_visited),
    AUTO(pass.look_skipped),
    AUTO(pass.step_us),
    FLAG(PolicyState, ksm_auto.pass.driven),
    AUTO(pass.idle_us),
    AUTO(pass.idle_cpu_us),
    AUTO(pass.begun_visited),
    AUTO(pass.visited),
    AUTO(pass.skipped),
    AUTO(pass.next_visited),
    FLAG(PolicyState, ksm_auto.match.risks),
    FLAG(PolicyState, ksm_auto.match.owes),
    AUTO(match.due),
    AUTO(match.merged),
    AUTO(match.kept_bp),
    AUTO(probe.interval_us),
    AUTO(probe.ended_us),
    AUTO(probe.cpu_us),
    AUTO(probe.merged),
    AUTO(probe.settled),
    AUTO(probe.changed),
    AUTO(probe.vain),
    BETWEEN(PolicyState, ksm_auto.probe.parts, 0, UINT32_MAX),
    BETWEEN(PolicyState, ksm_auto.probe.left, 0, UINT32_MAX),
    BETWEEN(PolicyState, ksm_auto.probe.more, 0, UINT32_MAX),
    FLAG(PolicyState, ksm_auto.probe.hurry),
    FLAG(PolicyState, ksm_auto.probe.cleanup),
    STATE(classic.trigger_us),
    BETWEEN(PolicyState, memory.level, 0, MEMORY_LEVEL_COUNT - 1),
    STATE(memory.better_us),
    STATE(memory.at_us),
    STATE(memory.swap_in_pages),
    STATE(memory.swap_out_pages),
    STATE(memory.swap_in_rate),
    STATE(memory.swap_budget_bytes),
    STATE(memory.swap_planned_bytes),
    STATE(memory.unmet_bytes),
    STATE(memory.available_bytes),
    STATE(memory.fall_rate),
    STATE(memory.soon_bytes),
    STATE(tenancy.group),
    STATE(tenancy.since_us),
    STATE(tenancy.looked_us),
    STATE(tenancy.parting_us),
    STATE(tenancy.parted_us),
};

static const TraceField track_fields[] = {
    TRACK(key),
    TRACK(begun_bytes),
    TRACK(once_bytes),
    TRACK(twice_bytes),
    FLAG(DomainTrack, open),
    TRACK(open_value),
    TRACK(boot.seen_bytes),
    TRACK(boot.grown_us),
    FLAG(DomainTrack, boot.is_up),
    TRACK(tenancy.share_bp),
    FLAG(DomainTrack, tenancy.is_measured),
    FLAG(DomainTrack, tenancy.was_off),
    TRACK(tenancy.on_us),
    TRACK(tenancy.stuck_us),
    TRACK(tenancy.parked_us),
    BETWEEN(DomainTrack, tenancy.parks, 0, UINT32_MAX),
    TRACK(wait_us),
    TRACK(need.told_us),
    TRACK(need.swap_in_bytes),
    TRACK(need.swap_out_bytes),
    TRACK(need.major_faults),
    TRACK(need.used_bytes),
    TRACK(need.soon_bytes),
    TRACK(need.rate_bytes_s),
    TRACK(need.pace_bytes_s),
    FLAG(DomainTrack, need.is_short),
    FLAG(DomainTrack, need.is_dire),
    TRACK(need.short_us),
    TRACK(need.short_bytes),
    TRACK(need.reserve_bytes),
    FLAG(DomainTrack, need.counts_all),
    TRACK(need.told_bytes),
    TRACK(need.bare_bytes),
    TRACK(need.now_bytes),
    TRACK(need.least_bytes),
    TRACK(balloon.seen_bytes),
    TRACK(balloon.moved_us),
    TRACK(balloon.asked_bytes),
    TRACK(balloon.acted_us),
    TRACK(balloon.left_bytes),
    TRACK(balloon.progress_us),
    FLAG(DomainTrack, balloon.stuck),
    FLAG(DomainTrack, balloon.waits),
    TRACK(balloon.promise_bytes),
    TRACK(balloon.resident_bytes),
    TRACK(balloon.from_us),
    TRACK(balloon.from_bytes),
    TRACK(balloon.speed_bytes_s),
    TRACK(high.at_us),
    TRACK(high.stall_us),
    TRACK(high.refaults),
    TRACK(high.highs),
    TRACK(high.maxes),
    TRACK(high.ooms),
    BETWEEN(DomainTrack, high.hurt_by, 0, REASON_COUNT - 1),
    TRACK(high.limit_bytes),
    TRACK(high.goal_bytes),
    TRACK(high.rested_us),
    TRACK(high.pause_us),
    TRACK(high.taken_pages),
    TRACK(high.back_pages),
    TRACK(high.back_count),
    TRACK(bid.rank),
    TRACK(bid.bytes),
    TRACK(bid.got_bytes),
    FLAG(DomainTrack, bid.dry),
    BETWEEN(DomainTrack, sum.first, 0, UINT32_MAX),
    BETWEEN(DomainTrack, sum.next, 0, UINT32_MAX),
    TRACK(sum.group),
    BETWEEN(DomainTrack, sum.members, 0, UINT32_MAX),
    FLAG(DomainTrack, sum.may_merge),
    TRACK(sum.saved_pages),
    TRACK(sum.new_pages),
};

static const TraceField plan_fields[] = {
    BETWEEN(Plan, ksm.phase, 0, KSM_PHASE_COUNT - 1),
    BETWEEN(Plan, ksm.reason, 0, REASON_COUNT - 1),
    ANY(Plan, ksm.knobs.run),
    ANY(Plan, ksm.knobs.pages_to_scan),
    ANY(Plan, ksm.knobs.sleep_ms),
    ANY(Plan, ksm.knobs.advisor),
    ANY(Plan, ksm.knobs.smart_scan),
    ANY(Plan, ksm.knobs.use_zero_pages),
    ANY(Plan, ksm.debt_pages),
    ANY(Plan, ksm.budget_bp),
    ANY(Plan, ksm.duty_bp),
    ANY(Plan, ksm.gained_pages),
    ANY(Plan, ksm.cost_ns),
    BETWEEN(Plan, host.level, 0, MEMORY_LEVEL_COUNT - 1),
    BETWEEN(Plan, host.reason, 0, REASON_COUNT - 1),
    ANY(Plan, host.wanted_bytes),
    ANY(Plan, host.reclaim_bytes),
    ANY(Plan, host.balloon_bytes),
    BETWEEN(Plan, tenancy.rule, 0, TENANCY_RULE_COUNT - 1),
    ANY(Plan, tenancy.group),
    FLAG(Plan, tenancy.is_enforced),
    FLAG(Plan, tenancy.is_paused),
    BETWEEN(Plan, tenancy.pending, 0, UINT32_MAX),
    BETWEEN(Plan, tenancy.reason, 0, REASON_COUNT - 1),
    ANY(Plan, tenancy.need_bytes),
    ANY(Plan, tenancy.headroom_bytes),
    ANY(Plan, tenancy.nodes),
    BETWEEN(Plan, tenancy.nodes_reason, 0, REASON_COUNT - 1),
    ANY(Plan, next_tick_us),
};

static const TraceField domain_plan_fields[] = {
    ANY(DomainPlan, key),
    ANY(DomainPlan, debt_pages),
    ANY(DomainPlan, mergeable_pages),
    BETWEEN(DomainPlan, reason, 0, REASON_COUNT - 1),
    BETWEEN(DomainPlan, merge, 0, MERGING_COUNT - 1),
    FLAG(DomainPlan, merge_apply),
    BETWEEN(DomainPlan, merge_reason, 0, REASON_COUNT - 1),
    ANY(DomainPlan, need_bytes),
    ANY(DomainPlan, balloon_bytes),
    BETWEEN(DomainPlan, balloon_reason, 0, REASON_COUNT - 1),
    FLAG(DomainPlan, balloon_apply),
    FLAG(DomainPlan, high_apply),
    BETWEEN(DomainPlan, high_reason, 0, REASON_COUNT - 1),
    ANY(DomainPlan, limit_bytes),
    ANY(DomainPlan, reclaim_bytes),
    ANY(DomainPlan, lease_us),
};

/* Keys of [ksm] stand alone, others have their section before them. */
static const char *
conf_name(const Knob *knob)
{
    if (g_str_equal(knob->section, "ksm"))
        return knob->key;
    return g_strdup_printf("%s.%s", knob->section, knob->key);
}

/* Settings have rows already; those of the trace are made of them. */
static const TraceField *
conf_fields(size_t *ret_n)
{
    static const size_t sizes[KNOB_KIND_COUNT] = {
        [KNOB_UINT] = sizeof(uint64_t),
        [KNOB_PERCENT] = sizeof(uint64_t),
        [KNOB_BOOL] = sizeof(bool),
        [KNOB_ENUM] = sizeof(unsigned),
    };
    const Knob *knobs = policy_knobs(ret_n);
    TraceField *fields = g_new0(TraceField, *ret_n);

    for (size_t i = 0; i < *ret_n; i++) {
        const Knob *knob = &knobs[i];

        fields[i] =
            (TraceField){ conf_name(knob), knob->offset, sizes[knob->kind], knob->min, knob->max };
        if (knob->kind == KNOB_ENUM)
            fields[i].most = g_strv_length((char **)(gsize)knob->words) - 1;
        else if (knob->kind == KNOB_BOOL)
            fields[i].most = 1;
    }
    return fields;
}

/* A row for each second of the window. */
static const TraceField *
all_state_fields(size_t *ret_n)
{
    TraceField *fields = g_new(TraceField, G_N_ELEMENTS(state_fields) + CPU_WINDOW_S);

    memcpy(fields, state_fields, sizeof(state_fields));
    for (size_t i = 0; i < CPU_WINDOW_S; i++)
        fields[G_N_ELEMENTS(state_fields) + i] = (TraceField){
            g_strdup_printf("window.used_us.%zu", i),
            offsetof(PolicyState, window.used_us) + i * sizeof(uint32_t),
            sizeof(uint32_t),
            0,
            UINT32_MAX,
        };
    *ret_n = G_N_ELEMENTS(state_fields) + CPU_WINDOW_S;
    return fields;
}

#define TABLE(name, type, fields)                                                                  \
    {                                                                                              \
        name, sizeof(type), fields, G_N_ELEMENTS(fields)                                           \
    }

const TraceTable *
trace_table(TraceStruct which)
{
    static TraceTable tables[TRACE_STRUCT_COUNT] = {
        [TRACE_CONF] = { "conf", sizeof(PolicyConf), NULL, 0 },
        [TRACE_HOST] = TABLE("host", HostSample, host_fields),
        [TRACE_DOMAIN] = TABLE("domain", DomainSample, domain_fields),
        [TRACE_STATE] = { "state", sizeof(PolicyState), NULL, 0 },
        [TRACE_TRACK] = TABLE("track", DomainTrack, track_fields),
        [TRACE_PLAN] = TABLE("plan", Plan, plan_fields),
        [TRACE_DOMAIN_PLAN] = TABLE("domain_plan", DomainPlan, domain_plan_fields),
    };

    if (!tables[TRACE_CONF].fields)
        tables[TRACE_CONF].fields = conf_fields(&tables[TRACE_CONF].n);
    if (!tables[TRACE_STATE].fields)
        tables[TRACE_STATE].fields = all_state_fields(&tables[TRACE_STATE].n);
    return &tables[which];
}

uint64_t
trace_get(const TraceField *field, const void *from)
{
    const char *at = (const char *)from + field->offset;
    uint64_t wide;
    uint32_t narrow;
    uint8_t byte;

    switch (field->size) {
    case sizeof(byte):
        memcpy(&byte, at, sizeof(byte));
        return byte;
    case sizeof(narrow):
        memcpy(&narrow, at, sizeof(narrow));
        return narrow;
    default:
        memcpy(&wide, at, sizeof(wide));
        return wide;
    }
}

bool
trace_set(const TraceField *field, void *to, uint64_t value)
{
    char *at = (char *)to + field->offset;
    uint32_t narrow = (uint32_t)value;
    uint8_t byte = (uint8_t)value;

    if (value < field->least || value > field->most)
        return false;
    switch (field->size) {
    case sizeof(byte):
        memcpy(at, &byte, sizeof(byte));
        return true;
    case sizeof(narrow):
        memcpy(at, &narrow, sizeof(narrow));
        return true;
    default:
        memcpy(at, &value, sizeof(value));
        return true;
    }
}
