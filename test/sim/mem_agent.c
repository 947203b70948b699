/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_agent.c - time passes in the host; policy is asked when it wants to be, or when there is
 * alarm
 *
 * Facts of the guests are as old as their statistics, those of the host and its cgroups are of this
 * moment. Whoever decides sees the same facts.
 */
#include "test/sim/mem_agent.h"
#include "test/sim/mem_promise.h"
#include "test/sim/mom_policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the agent follows beside the model, one for each domain. */
typedef struct {
    uint64_t key;
    uint64_t target_bytes; /* of its balloon, as ordered last */
    uint64_t found_bytes;  /* its balloon before the first order; VALUE_UNKNOWN: it is there */
    int direction;         /* of the last order: -1, 1; 0: none yet */
    unsigned turns;        /* changes of it */
    MemAsk ask;            /* what becomes of it */
    uint64_t want_us;      /* for so long it uses its own swap while another is idle */
} Follow;

struct MemAgent {
    MemHost *host; /* borrowed */
    MemControl control;
    PolicyConf conf;
    PolicyState state; /* its domains are tracks */
    Mom *mom;          /* owned; NULL unless MOM decides */
    Plan plan;         /* its domains are plans */
    size_t room;       /* elements of the next four */
    DomainSample *samples;
    DomainPlan *plans;
    DomainTrack *tracks;
    Follow *follows;
    size_t n;         /* domains that tracks and follows are of */
    uint64_t next_us; /* when policy wants to be asked */
    bool is_resumed;  /* the one before it was killed */
    bool is_dead;     /* it was killed */
    MemFaults faults; /* of its actuator */
    Dice dice;        /* for them */
    MemStory story;
};

PolicyConf
mem_agent_conf(void)
{
    PolicyConf conf;

    policy_conf_default(&conf);
    conf.balloon_enable = conf.high_enable = ENABLE_YES;
    return conf;
}

MemAgent *
mem_agent_new(MemHost *host, MemControl control, const PolicyConf *conf)
{
    MemAgent *agent = calloc(1, sizeof(*agent));

    if (!agent)
        abort();
    agent->host = host;
    agent->control = control;
    agent->conf = *conf;
    agent->mom = control == MEM_CONTROL_MOM ? mom_new() : NULL;
    policy_init(&agent->state);
    return agent;
}

void
mem_agent_free(MemAgent *agent)
{
    if (!agent)
        return;
    mom_free(agent->mom);
    free(agent->samples);
    free(agent->plans);
    free(agent->tracks);
    free(agent->follows);
    free(agent);
}

/* --- memory of domains -------------------------------------------------------------------- */

static void *
enlarge(void *old, size_t n, size_t size)
{
    void *wider = realloc(old, n * size);

    if (!wider)
        abort();
    return wider;
}

static void
make_room(MemAgent *agent, size_t n)
{
    if (n <= agent->room)
        return;
    agent->room = n + n / 2;
    agent->samples = enlarge(agent->samples, agent->room, sizeof(*agent->samples));
    agent->plans = enlarge(agent->plans, agent->room, sizeof(*agent->plans));
    agent->tracks = enlarge(agent->tracks, agent->room, sizeof(*agent->tracks));
    agent->follows = enlarge(agent->follows, agent->room, sizeof(*agent->follows));
}

/* Domains keep their order: those that are gone leave no gap, those that are new come last. */
static void
line_up(MemAgent *agent)
{
    const MemHost *host = agent->host;
    size_t from = 0;

    make_room(agent, host->n + 1);
    for (size_t i = 0; i < host->n; i++) {
        while (from < agent->n && agent->follows[from].key != host->guests[i].key)
            from++;
        if (from < agent->n) {
            agent->tracks[i] = agent->tracks[from];
            agent->follows[i] = agent->follows[from++];
        } else {
            memset(&agent->tracks[i], 0, sizeof(agent->tracks[i]));
            agent->follows[i] = (Follow){ .key = host->guests[i].key,
                                          .target_bytes = host->guests[i].target_bytes,
                                          .found_bytes = VALUE_UNKNOWN };
        }
    }
    agent->n = host->n;
    agent->state.domains = agent->tracks;
    agent->plan.domains = agent->plans;
}

/* --- facts -------------------------------------------------------------------------------- */

static uint32_t
alarm_now(const MemHost *host)
{
    if (host->last_stall_us >= host->spec.step_us / 2)
        return ALARM_CRITICAL;
    return host->last_stall_us >= host->spec.step_us / 10 ? ALARM_MEDIUM : ALARM_NONE;
}

static void
sample_host(const MemHost *host, HostSample *sample)
{
    *sample = host_sample_unknown();
    sample->now_us = host->now_us;
    sample->cpus = 8;
    sample->page_bytes = MEM_PAGE;
    sample->mem_total_bytes = host->spec.total_bytes;
    sample->mem_available_bytes = mem_host_available(host);
    sample->swap_total_bytes = host->spec.swap_bytes;
    sample->swap_free_bytes = host->swap_free_bytes;
    sample->swap_in_pages = host->swap_in_bytes / MEM_PAGE;
    sample->swap_out_pages = host->swap_out_bytes / MEM_PAGE;
    sample->memory_stall_us = host->stall_us;
    sample->alarm = alarm_now(host);
}

static void
sample_stats(const MemGuest *guest, uint64_t now_us, DomainSample *sample)
{
    const MemStats *stats = &guest->stats;

    sample->guest_period_us = guest->spec.period_us;
    if (stats->at_us == 0)
        return;
    sample->guest_age_us = now_us - stats->at_us;
    sample->guest_available_bytes = stats->available_bytes;
    sample->guest_usable_bytes = stats->usable_bytes;
    sample->guest_unused_bytes = stats->unused_bytes;
    sample->guest_caches_bytes = stats->caches_bytes;
    sample->guest_swap_in_bytes = stats->swap_in_bytes;
    sample->guest_swap_out_bytes = stats->swap_out_bytes;
    sample->guest_major_faults = stats->major_faults;
}

static void
sample_domain(const MemHost *host, const MemGuest *guest, const Follow *follow,
              DomainSample *sample)
{
    uint64_t resident = mem_guest_resident(guest);

    *sample = domain_sample_unknown();
    sample->key = guest->key;
    sample->started_us = guest->started_us;
    sample->maximum_bytes = guest->spec.maximum_bytes;
    sample->balloon_bytes = guest->balloon_bytes;
    sample->found_bytes = follow->found_bytes;
    sample->resident_bytes = resident + MEM_OVERHEAD;
    sample->has_balloon = guest->spec.kind != MEM_NO_DRIVER || guest->key % 2 == 0;
    sample->is_fixed = guest->spec.is_fixed;
    sample->is_still = guest->is_still;
    sample->balloon_waits = follow->ask.waits;
    sample->balloon_refuses = host->now_us < follow->ask.refused_until;
    sample->can_reclaim = host->spec.has_reclaim;
    sample->can_limit = host->spec.has_limit;
    sample->cgroup_bytes = resident + MEM_OVERHEAD;
    sample->cgroup_file_bytes = MEM_OVERHEAD / 4;
    sample->cgroup_stall_us = guest->stall_us;
    sample->cgroup_refaults = guest->host_in_bytes / MEM_PAGE;
    sample->limit_bytes = guest->limit_bytes == MEM_NO_LIMIT ? LIMIT_NONE : guest->limit_bytes;
    sample->floor_bytes = guest->spec.floor_bytes;
    sample_stats(guest, host->now_us, sample);
}

/* --- deeds -------------------------------------------------------------------------------- */

static void
note_order(MemAgent *agent, const MemGuest *guest, Follow *follow, uint64_t bytes)
{
    int direction = bytes > follow->target_bytes ? 1 : -1;

    if (bytes == follow->target_bytes)
        return;
    if (follow->direction == -direction)
        follow->turns++;
    if (follow->turns > agent->story.most_turns) {
        agent->story.most_turns = follow->turns;
        agent->story.turner = guest->spec.kind;
    }
    follow->direction = direction;
    follow->target_bytes = bytes;
    agent->story.balloon_orders++;
}

static void
pass_on(const MemAgent *agent, MemGuest *guest, uint64_t bytes)
{
    if (guest->spec.kind != MEM_NO_DRIVER)
        mem_guest_target(guest, bytes, agent->host->now_us);
}

static void
order_balloon(MemAgent *agent, size_t i, const DomainPlan *plan)
{
    MemGuest *guest = &agent->host->guests[i];
    Follow *follow = &agent->follows[i];
    uint64_t bytes = plan->balloon_bytes / 1024 * 1024; /* libvirt counts KiB */

    if (!plan->balloon_apply || !is_known(plan->balloon_bytes) ||
        (bytes == follow->target_bytes && !follow->ask.waits))
        return;
    follow->found_bytes = known_or(follow->found_bytes, guest->balloon_bytes);
    note_order(agent, guest, follow, bytes);
    if (mem_ask(&follow->ask, &agent->faults, &agent->dice, bytes, agent->host->now_us))
        pass_on(agent, guest, bytes);
}

/* What was taken is back, as near as the actuator looks. */
static void
follow_back(MemAgent *agent)
{
    for (size_t i = 0; i < agent->n; i++) {
        Follow *follow = &agent->follows[i];
        uint64_t least = sat_sub(follow->found_bytes, MEM_MIB);

        if (follow->target_bytes >= least && follow->target_bytes <= follow->found_bytes &&
            agent->host->guests[i].balloon_bytes >= least)
            follow->found_bytes = VALUE_UNKNOWN;
    }
}

/* What libvirt took its time for. */
static void
follow_late(MemAgent *agent)
{
    for (size_t i = 0; i < agent->n; i++) {
        uint64_t bytes;

        if (mem_ask_arrives(&agent->follows[i].ask, agent->host->now_us, &bytes))
            pass_on(agent, &agent->host->guests[i], bytes);
    }
}

static void
set_high(MemAgent *agent, MemGuest *guest, const DomainPlan *plan)
{
    uint64_t limit = plan->limit_bytes == LIMIT_NONE ? MEM_NO_LIMIT : plan->limit_bytes;

    if (!plan->high_apply)
        return;
    if (is_known(plan->limit_bytes)) {
        agent->story.limits += limit != guest->limit_bytes;
        mem_host_limit(agent->host, guest, limit, plan->lease_us);
    }
    if (plan->reclaim_bytes > 0)
        agent->story.reclaimed_bytes += mem_host_reclaim(agent->host, guest, plan->reclaim_bytes);
}

/* --- decisions ---------------------------------------------------------------------------- */

static void
keep_promises(MemAgent *agent, const Sample *sample)
{
    size_t i = SIZE_MAX;
    const char *broken = mem_promise(&agent->conf, sample, &agent->plan, &i);

    if (!broken || agent->story.broken[0] != '\0')
        return;
    snprintf(agent->story.broken, sizeof(agent->story.broken),
             "%s (%s guest %zu, at %" PRIu64 " s)", broken,
             i < sample->n ? mem_kind_name(agent->host->guests[i].spec.kind) : "no", i,
             agent->host->now_us / MEM_S);
}

static void
decide(MemAgent *agent)
{
    Sample sample;

    line_up(agent);
    follow_late(agent);
    follow_back(agent);
    sample_host(agent->host, &sample.host);
    sample.host.is_resumed = agent->is_resumed;
    for (size_t i = 0; i < agent->n; i++)
        sample_domain(agent->host, &agent->host->guests[i], &agent->follows[i], &agent->samples[i]);
    sample.domains = agent->samples;
    sample.n = agent->n;
    if (agent->control == MEM_CONTROL_MOM) {
        mom_decide(agent->mom, &sample, &agent->plan);
        agent->plan.next_tick_us = MEM_S;
    } else {
        policy_decide(&agent->conf, &sample, &agent->state, &agent->plan);
        keep_promises(agent, &sample);
    }
    for (size_t i = 0; i < agent->n; i++) {
        order_balloon(agent, i, &agent->plans[i]);
        set_high(agent, &agent->host->guests[i], &agent->plans[i]);
    }
    agent->next_us = agent->host->now_us + agent->plan.next_tick_us;
    agent->story.decisions++;
}

/* --- wants -------------------------------------------------------------------------------- */

/* It could give a tenth of its memory at once and would hardly miss it. */
static bool
is_idle(const MemAgent *agent, const MemGuest *guest)
{
    uint64_t floor =
        known_or(guest->spec.floor_bytes,
                 mul_div(guest->spec.maximum_bytes, agent->conf.balloon_floor_bp, BP_ONE));

    return guest->spec.balloon_bytes_s > 0 && guest->spec.kind != MEM_SLOW && !guest->is_still &&
           guest->spec.lie == MEM_LIE_NONE && guest->spec.kind != MEM_INTERMITTENT &&
           min_u64(mem_guest_idle(guest), sat_sub(guest->balloon_bytes, floor)) >
               guest->spec.maximum_bytes / 10;
}

/* It lacks what its balloon has, and it could have it. */
static bool
is_wanting(const MemGuest *guest)
{
    return guest->short_bytes > 0 && guest->balloon_bytes < guest->spec.maximum_bytes &&
           guest->spec.balloon_bytes_s > 0 && guest->spec.kind != MEM_SLOW && !guest->is_still &&
           guest->spec.lie == MEM_LIE_NONE && guest->spec.kind != MEM_INTERMITTENT;
}

static void
follow_wants(MemAgent *agent)
{
    MemHost *host = agent->host;
    size_t idle = 0;

    while (idle < host->n && !is_idle(agent, &host->guests[idle]))
        idle++;
    for (size_t i = 0; i < agent->n && i < host->n; i++) {
        Follow *follow = &agent->follows[i];

        if (follow->key != host->guests[i].key)
            return; /* somebody has just gone; the next decision lines up again */
        if (idle == host->n || !is_wanting(&host->guests[i])) {
            follow->want_us = 0;
            continue;
        }
        follow->want_us += host->spec.step_us;
        if (follow->want_us > agent->story.longest_want_us) {
            agent->story.longest_want_us = follow->want_us;
            agent->story.wanter = host->guests[i].spec.kind;
        }
    }
}

/* --- time --------------------------------------------------------------------------------- */

static bool
is_due(const MemAgent *agent)
{
    return !agent->is_dead && agent->control != MEM_CONTROL_NONE &&
           (agent->host->now_us >= agent->next_us || alarm_now(agent->host) != ALARM_NONE);
}

void
mem_agent_run(MemAgent *agent, uint64_t us)
{
    uint64_t end_us = agent->host->now_us + us;

    while (agent->host->now_us < end_us) {
        mem_host_step(agent->host);
        follow_wants(agent);
        if (is_due(agent))
            decide(agent);
    }
}

void
mem_agent_disturb(MemAgent *agent, const MemFaults *faults, Dice dice)
{
    agent->faults = *faults;
    agent->dice = dice;
}

void
mem_agent_resume(MemAgent *agent)
{
    agent->is_resumed = true;
}

void
mem_agent_die(MemAgent *agent)
{
    agent->is_dead = true;
}

const Plan *
mem_agent_plan(const MemAgent *agent)
{
    return &agent->plan;
}

void
mem_agent_watch(MemAgent *agent)
{
    memset(&agent->story, 0, sizeof(agent->story));
    for (size_t i = 0; i < agent->n; i++)
        agent->follows[i].turns = 0;
}

MemStory
mem_agent_story(const MemAgent *agent)
{
    return agent->story;
}
