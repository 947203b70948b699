/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tick.c - one decision from end to end
 *
 *   full tick:   begin -> libvirt's figures (worker) -> finish: processes, decide, apply, re-arm
 *   alarm:                                              cgroups, decide, apply, re-arm
 *   quick tick:                                          decide, apply KSM      (event path)
 *
 * All end in decide(): host facts, policy, actuators. The quick one is what moves KSM in the turn
 * of the loop in which an event arrived: it reads kernel files only and takes the domains as they
 * were last known. That is no ground for taking memory from them, and the record of what was taken
 * is written to the disk, which takes its time; so reclaim waits for one of the other two. The full
 * one asks libvirt first, but does not wait for it for ever: when no answer comes in time the
 * decision is taken on what is there, and counted as late. How soon the next full tick is due is
 * policy's own answer.
 */
#include "agent/tick.h"
#include "agent/agent.h"
#include "agent/gather.h"
#include "agent/log_event.h"
#include "agent/notify.h"
#include "agent/reclaim.h"
#include "agent/report/metrics.h"
#include "agent/source/source.h"
#include "agent/tenant.h"

/* Quick ticks closer together than this are one. */
#define QUICK_GAP_US 10000
/* How long a full tick waits for libvirt. */
#define PATIENCE_MS 500
/* Distance of the marks between which ksmd's share of a CPU is told. */
#define CPU_MARK_US 30000000
/* A run that follows one that was killed knows all who were there by then. */
#define RESUME_US 60000000
/* Alarms closer together than this are one decision. */
#define ALARM_GAP_US 200000

const double tick_bounds_us[TICK_BOUNDS] = { 500, 1000, 5000, 10000, 50000, 100000, 500000 };

typedef struct {
    void (*done)(Agent *agent, gpointer user); /* called once, after a decision */
    gpointer user;                             /* owned through destroy */
    GDestroyNotify destroy;                    /* of user */
} Waiter;

static void
waiter_free(gpointer data)
{
    Waiter *waiter = data;

    waiter->destroy(waiter->user);
    g_free(waiter);
}

void
tick_init(Tick *tick)
{
    *tick = (Tick){ 0 };
    tick->waiters = g_ptr_array_new_with_free_func(waiter_free);
    tick->samples = g_array_new(FALSE, TRUE, sizeof(DomainSample));
    tick->tracks = g_array_new(FALSE, TRUE, sizeof(DomainTrack));
    tick->plans = g_array_new(FALSE, TRUE, sizeof(DomainPlan));
    tick->subjects = g_array_new(FALSE, TRUE, sizeof(Subject));
}

void
tick_done(Tick *tick)
{
    g_clear_handle_id(&tick->timer, g_source_remove);
    g_clear_handle_id(&tick->soon, g_source_remove);
    g_clear_handle_id(&tick->patience, g_source_remove);
    g_clear_handle_id(&tick->alarm_timer, g_source_remove);
    g_clear_pointer(&tick->waiters, g_ptr_array_unref);
    g_clear_pointer(&tick->samples, g_array_unref);
    g_clear_pointer(&tick->tracks, g_array_unref);
    g_clear_pointer(&tick->plans, g_array_unref);
    g_clear_pointer(&tick->subjects, g_array_unref);
    for (ActuatorId id = 0; id < ACTUATOR_COUNT; id++)
        g_clear_pointer(&tick->applied[id].detail, g_free);
}

static void
add_samples(Agent *agent, const GPtrArray *domains)
{
    uint64_t wall_us = (uint64_t)g_get_real_time();
    Tick *tick = &agent->tick;

    g_array_set_size(tick->samples, 0);
    g_array_set_size(tick->tracks, 0);
    g_array_set_size(tick->subjects, 0);
    for (guint i = 0; i < domains->len; i++) {
        const Domain *domain = g_ptr_array_index(domains, i);
        DomainSample sample = gather_sample(agent, domain, wall_us);
        Subject subject = reclaim_subject(domain);

        g_array_append_val(tick->samples, sample);
        g_array_append_val(tick->tracks, domain->track);
        g_array_append_val(tick->subjects, subject);
    }
}

/* Of a decision for KSM alone: what was decided about reclaim before stands. */
static void
take_ksm(const DomainPlan *plan, DomainPlan *kept)
{
    kept->key = plan->key;
    kept->debt_pages = plan->debt_pages;
    kept->mergeable_pages = plan->mergeable_pages;
    kept->reason = plan->reason;
    kept->merge = plan->merge;
    kept->merge_apply = plan->merge_apply;
    kept->merge_reason = plan->merge_reason;
}

/* What policy remembers and says of each domain goes back to where the domain keeps it. */
static void
take_back(Tick *tick, GPtrArray *domains, bool is_quick)
{
    for (guint i = 0; i < domains->len; i++) {
        Domain *domain = g_ptr_array_index(domains, i);
        const DomainPlan *plan = &g_array_index(tick->plans, DomainPlan, i);

        domain->track = g_array_index(tick->tracks, DomainTrack, i);
        if (is_quick) {
            take_ksm(plan, &domain->plan);
            continue;
        }
        domain->plan = *plan;
        decision_note_reclaim(&domain->reclaim, &g_array_index(tick->samples, DomainSample, i),
                              &domain->plan, tick->decided_us);
    }
}

/* A failure is logged when it is new, not at every tick that it lasts. */
static void
apply_one(Agent *agent, ActuatorId id, const Decided *decided)
{
    Applied *applied = &agent->tick.applied[id];
    g_autoptr(GError) error = NULL;

    applied->result = actuators[id]->apply(agent->contexts[id], decided, &error);
    if (error && g_strcmp0(error->message, applied->detail) != 0)
        log_event(LOG_EVENT_NOT_APPLIED, "%s: %s", actuators[id]->name, error->message);
    g_free(applied->detail);
    applied->detail = error ? g_strdup(error->message) : NULL;
}

static void
apply_all(Agent *agent, const Sample *sample, GPtrArray *domains)
{
    const Decided decided = { sample, &agent->plan,
                              (const Subject *)(gpointer)agent->tick.subjects->data,
                              libvirt_source_has_listed(agent->libvirt) };

    apply_one(agent, ACTUATOR_KSM, &decided);
    if (sample->host.is_quick)
        return;
    for (ActuatorId id = ACTUATOR_KSM + 1; id < ACTUATOR_COUNT; id++)
        apply_one(agent, id, &decided);
    reclaim_note(agent, domains);
    psi_source_follow(agent->psi, domains);
}

/* The log is told of phases: within one, reasons come and go. What `systemctl status` shows is to
 * be true all the time. */
static void
tell_change(const Agent *agent, const KsmPlan *before)
{
    const KsmPlan *plan = &agent->plan.ksm;
    bool is_first = agent->tick.count == 1;

    if (is_first || plan->phase != before->phase)
        log_info("KSM: %s: %s", ksm_phase_name(plan->phase), reason_text(plan->reason));
    if (is_first || plan->phase != before->phase || plan->reason != before->reason)
        notify_status(reason_text(plan->reason));
}

/* ksmd's share of a CPU since a moment half a minute to a minute ago. */
static void
measure_ksmd(Agent *agent)
{
    CpuMark now = { agent->host.now_us, agent->host.ksmd_cpu_us };
    CpuMark *marks = agent->cpu_marks;

    if (!is_known(now.cpu_us)) {
        if (agent->ksmd_cpu_percent >= 0)
            log_warning("ksmd is not to be seen any more: what scanning costs is not known");
        agent->ksmd_cpu_percent = -1;
        return;
    }
    if (marks[0].time_us == 0)
        marks[0] = marks[1] = now;
    if (now.time_us - marks[1].time_us >= CPU_MARK_US) {
        marks[0] = marks[1];
        marks[1] = now;
    }
    if (now.time_us > marks[0].time_us)
        agent->ksmd_cpu_percent = 100.0 * (double)sat_sub(now.cpu_us, marks[0].cpu_us) /
                                  (double)(now.time_us - marks[0].time_us);
}

static void
note_decision(Agent *agent, size_t domains)
{
    const Decision decision = { .first_us = agent->tick.decided_us,
                                .mode = agent->conf->policy.mode,
                                .plan = agent->plan.ksm,
                                .domains = domains,
                                .applied = agent->tick.applied[ACTUATOR_KSM].result };

    decision_note(&agent->tick.decisions, &decision);
}

static void
tell_waiters(Agent *agent)
{
    g_autoptr(GPtrArray) waiters = NULL;

    if (agent->tick.waiters->len == 0)
        return;
    waiters = g_steal_pointer(&agent->tick.waiters); /* each may bring about the next */
    agent->tick.waiters = g_ptr_array_new_with_free_func(waiter_free);
    for (guint i = 0; i < waiters->len; i++) {
        const Waiter *waiter = g_ptr_array_index(waiters, i);

        waiter->done(agent, waiter->user);
    }
}

/* Books a decision that began then. */
static void
note_time(Tick *tick, uint64_t begun_us)
{
    uint64_t took_us = (uint64_t)g_get_monotonic_time() - begun_us;
    size_t i = 0;

    while (i < TICK_BOUNDS && (double)took_us > tick_bounds_us[i])
        i++;
    tick->times.counts[i]++;
    tick->times.sum_us += took_us;
}

/* What policy is told of the host. */
static void
tell_host(Agent *agent, bool is_quick)
{
    const Tick *tick = &agent->tick;

    gather_host(agent);
    agent->host.now_us = (uint64_t)g_get_monotonic_time();
    measure_ksmd(agent);
    missing_look(&agent->tick.missing, &agent->host);
    agent->host.initial = *ksm_actuator_initial(&agent->ksm);
    agent->host.triggers = tick->triggers;
    agent->host.kicks = tick->kicks;
    agent->host.departures = tick->departures;
    agent->host.starting = tenant_starting(agent);
    agent->host.alarm = is_quick ? ALARM_NONE : tick->alarm;
    agent->host.is_quick = is_quick;
    agent->host.is_resumed =
        agent->is_resumed && agent->host.now_us - agent->started_us < RESUME_US;
}

/* What has happened is decided on. */
static void
forget_events(Tick *tick, bool is_quick)
{
    tick->triggers = 0;
    tick->kicks = 0;
    tick->departures = 0;
    if (!is_quick)
        tick->alarm = ALARM_NONE;
}

static void
decide(Agent *agent, bool is_quick)
{
    const HostPlan reclaim = agent->plan.host;
    Tick *tick = &agent->tick;
    uint64_t begun_us = tick->begun_us ? tick->begun_us : (uint64_t)g_get_monotonic_time();
    const KsmPlan before = agent->plan.ksm;
    g_autoptr(GPtrArray) domains = domain_table_sorted(&agent->domains);
    Sample sample;

    if (agent->closing)
        return;
    tenant_follow(agent, domains);
    add_samples(agent, domains);
    g_array_set_size(tick->plans, domains->len);
    tell_host(agent, is_quick);
    sample =
        (Sample){ agent->host, (const DomainSample *)(gpointer)tick->samples->data, domains->len };
    agent->policy.domains = (DomainTrack *)(gpointer)tick->tracks->data;
    agent->plan.domains = (DomainPlan *)(gpointer)tick->plans->data;
    trace_hub_before(&agent->traces, &sample, &agent->policy);
    policy_decide(&agent->conf->policy, &sample, &agent->policy, &agent->plan);

    forget_events(tick, is_quick);
    tick->count++;
    tick->decided_us = agent->host.now_us;
    tick->reasons[agent->plan.ksm.reason]++;
    take_back(tick, domains, is_quick);
    apply_all(agent, &sample, domains);
    tenant_note(agent, domains, sample.domains);
    note_decision(agent, domains->len);
    if (sample.host.triggers > 0)
        tick->trigger_us = (uint64_t)g_get_monotonic_time();
    /* KSM has moved; what was decided, and on what, is recorded in no hurry. */
    trace_hub_after(&agent->traces, &agent->conf->policy, &sample, &agent->plan);
    if (is_quick)
        agent->plan.host = reclaim;
    measure_decided(agent);
    /* Whoever asks from now on is told what is in force. */
    if (tick->applied[ACTUATOR_KSM].result == APPLY_DONE)
        host_read_knobs(&agent->host_facts, &agent->host);
    note_time(tick, begun_us);
    metrics_ticked(agent->metrics);
    tell_change(agent, &before);
    tell_waiters(agent);
}

void
tick_decide(Agent *agent)
{
    decide(agent, true);
}

static gboolean
quick_later(gpointer data)
{
    Agent *agent = data;

    agent->tick.soon = 0;
    tick_now(agent);
    return G_SOURCE_REMOVE;
}

void
tick_now(Agent *agent)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();

    if (agent->tick.soon != 0 || agent->closing)
        return;
    if (agent->tick.trigger_us != 0 && now_us - agent->tick.trigger_us < QUICK_GAP_US) {
        agent->tick.soon = g_timeout_add(QUICK_GAP_US / 1000, quick_later, agent);
        return;
    }
    tick_decide(agent);
}

void
tick_when_decided(Agent *agent, void (*done)(Agent *agent, gpointer user), gpointer user,
                  GDestroyNotify destroy)
{
    Waiter *waiter;

    if (agent->tick.soon == 0) {
        done(agent, user);
        destroy(user);
        return;
    }
    waiter = g_new(Waiter, 1);
    *waiter = (Waiter){ done, user, destroy };
    g_ptr_array_add(agent->tick.waiters, waiter);
}

/* The next full tick, when policy wants it. */
static void
want_next(Agent *agent)
{
    tick_want(agent, (guint)CLAMP(agent->plan.next_tick_us / 1000, 1, G_MAXINT / 2));
}

static void
tick_finish(Agent *agent)
{
    standstill_look(&agent->tick.standing);
    g_clear_handle_id(&agent->tick.patience, g_source_remove);
    if (agent->closing)
        return;
    agent->tick.begun_us = (uint64_t)g_get_monotonic_time();
    gather_all(agent);
    measure_follow(agent);
    decide(agent, false);
    agent->tick.begun_us = 0;
    cost_look(&agent->cost, &agent->host, &agent->domains);
    sampler_run(&agent->sampler);
    want_next(agent);
}

static void
decide_on_alarm(Agent *agent)
{
    agent->tick.alarmed_us = (uint64_t)g_get_monotonic_time();
    gather_pressed(agent);
    decide(agent, false);
    want_next(agent);
}

static gboolean
alarm_later(gpointer data)
{
    Agent *agent = data;

    agent->tick.alarm_timer = 0;
    decide_on_alarm(agent);
    return G_SOURCE_REMOVE;
}

void
tick_alarm(Agent *agent, MemoryAlarm alarm)
{
    Tick *tick = &agent->tick;
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    uint64_t due_us = tick->alarmed_us == 0 ? 0 : tick->alarmed_us + ALARM_GAP_US;

    tick->alarm = MAX(tick->alarm, alarm);
    if (tick->alarm_timer != 0 || agent->closing)
        return;
    if (due_us > now_us)
        tick->alarm_timer =
            g_timeout_add((guint)((due_us - now_us) / 1000 + 1), alarm_later, agent);
    else
        decide_on_alarm(agent);
}

static gboolean
patience_ends(gpointer data)
{
    Agent *agent = data;

    agent->tick.patience = 0;
    agent->tick.late++;
    tick_finish(agent);
    return G_SOURCE_REMOVE;
}

/* libvirt has answered, or could not. An answer after the end of patience serves the next tick. */
static void
figures_came(gpointer data)
{
    Agent *agent = data;

    if (agent->tick.patience != 0)
        tick_finish(agent);
}

static gboolean
tick_begin(gpointer data)
{
    Agent *agent = data;
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    Tick *tick = &agent->tick;

    tick->timer = 0;
    if (tick->patience != 0)
        return G_SOURCE_REMOVE;
    standstill_look(&tick->standing);
    if (now_us - tick->stats_us < gather_stats_gap_us(agent) ||
        !libvirt_source_ask(agent->libvirt, figures_came, agent)) {
        tick_finish(agent);
        return G_SOURCE_REMOVE;
    }
    tick->stats_us = now_us;
    tick->patience = g_timeout_add(PATIENCE_MS, patience_ends, agent);
    standstill_expect(&tick->standing, PATIENCE_MS);
    return G_SOURCE_REMOVE;
}

void
tick_want(Agent *agent, guint delay_ms)
{
    uint64_t due_us = (uint64_t)g_get_monotonic_time() + (uint64_t)delay_ms * 1000;
    Tick *tick = &agent->tick;

    if (tick->timer != 0 && tick->due_us <= due_us)
        return;
    g_clear_handle_id(&tick->timer, g_source_remove);
    tick->due_us = due_us;
    standstill_expect(&tick->standing, delay_ms);
    tick->timer = g_timeout_add(delay_ms, tick_begin, agent);
}
