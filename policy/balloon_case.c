/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* balloon_case.c - whose balloon may be moved, and when */
#include "policy/balloon.h"
#include "policy/memory.h"
#include "policy/motion.h"
#include "policy/need.h"
#include "policy/rule.h"

Reason
balloon_why_not(const PolicyConf *conf, const HostSample *host, const DomainSample *domain)
{
    if (mechanism_of(conf->balloon_enable, domain->balloon_mode) == ENABLE_NO)
        return REASON_MECHANISM_OFF;
    if (!domain->has_balloon)
        return REASON_NO_BALLOON;
    if (domain->has_virtio_mem)
        return REASON_VIRTIO_MEM;
    if (domain->is_fixed)
        return REASON_FIXED_MEMORY;
    if (domain->balloon_foreign)
        return REASON_FOREIGN;
    if (domain->is_still)
        return REASON_HOLD_STILL;
    if (domain->balloon_refuses)
        return REASON_REFUSED;
    if (!is_known(domain->maximum_bytes) || domain->balloon_bytes > domain->maximum_bytes ||
        domain->balloon_bytes == 0 || !memory_is_known(host))
        return REASON_FACT_MISSING;
    return REASON_NONE;
}

uint64_t
balloon_idle_bytes(const PolicyConf *conf, const Sample *sample, const PolicyState *state,
                   const Plan *plan, size_t i)
{
    const DomainSample *domain = &sample->domains[i];
    const DomainTrack *track = &state->domains[i];
    Stake stake;

    if (mechanism_of(conf->balloon_enable, domain->balloon_mode) != ENABLE_YES ||
        balloon_why_not(conf, &sample->host, domain) != REASON_NONE || track->balloon.stuck ||
        need_was_short(track, sample->host.now_us))
        return 0;
    stake = stake_of(conf, plan->host.level, domain, track, plan->domains[i].need_bytes);
    return stake.spare_bytes > stake.band_bytes ? stake.spare_bytes : 0;
}

bool
balloon_case(const PolicyConf *conf, const Sample *sample, PolicyState *state, const Plan *plan,
             size_t i, BalloonCase *ret_case)
{
    const DomainSample *domain = &sample->domains[i];
    DomainTrack *track = &state->domains[i];

    if (balloon_why_not(conf, &sample->host, domain) != REASON_NONE)
        return false;
    *ret_case = (BalloonCase){
        .conf = conf,
        .host = &sample->host,
        .domain = domain,
        .track = track,
        .part = &plan->domains[i],
        .level = plan->host.level,
        .stake = stake_of(conf, plan->host.level, domain, track, plan->domains[i].need_bytes),
        .is_short = need_is_short(track, sample->host.now_us),
        .is_silent = !is_known(plan->domains[i].need_bytes) && track->balloon.acted_us > 0,
        .dry = mechanism_of(conf->balloon_enable, domain->balloon_mode) == ENABLE_OBSERVE,
    };
    return true;
}

bool
balloon_is_moving(const BalloonCase *c)
{
    return c->track->balloon.asked_bytes > 0;
}

bool
balloon_is_dwelling(const BalloonCase *c)
{
    uint64_t dwell_us = c->conf->balloon_dwell_s * US_PER_S;
    const BalloonTrack *balloon = &c->track->balloon;

    if (c->level == MEMORY_CRITICAL)
        dwell_us /= 2;
    return balloon->acted_us > 0 && sat_sub(c->host->now_us, balloon->acted_us) < dwell_us;
}

bool
balloon_has_told(const BalloonCase *c)
{
    return c->track->balloon.acted_us == 0 || c->track->need.told_us > c->track->balloon.acted_us;
}

void
balloon_plan(const BalloonCase *c, uint64_t bytes, Reason reason)
{
    c->part->balloon_bytes = bytes;
    c->part->balloon_reason = reason;
    if (!c->dry)
        motion_ask(c->host->now_us, c->domain, bytes, c->track);
}
