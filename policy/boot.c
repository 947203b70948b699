/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * boot.c - guests come up as others did before
 *
 * A guest that boots stands still a few times before it is up. Passes that begin then find its
 * kernel, which it has in common with others, and much that is overwritten or freed soon. Whether
 * they are worth it depends on how long the memory would wait otherwise, and of that the guests
 * that have started before tell something: the age at which they grew for the last time before
 * they stood still. Of guests that differ the fastest counts, and is forgotten slowly, because who
 * is older than that is treated as if nothing was known of boots.
 *
 * How old a guest is counts from when the agent saw it start. One that does not grow after that
 * teaches nothing, nor does one to which something else is done: it was restored, migrates, or is
 * paused.
 */
#include "policy/boot.h"

/* A usual time that was too short follows by this part of what it lacks, and of itself at most: a
 * few guests that are slow for once change little. */
#define SLOW_DIVISOR 4
/* Of the memory of a guest that boots, the part that can be merged then and stays so: a quarter,
 * measured on the six Linux guests of the race's trickle. */
#define LASTING_DIVISOR 4
/* Debt of guests that are up waits as well while it is so small a part: its own price is far off.
 */
#define OTHERS_DIVISOR 8

static void
learn(uint64_t age_us, KsmAuto *a)
{
    if (a->boot_us == 0 || age_us <= a->boot_us)
        a->boot_us = age_us;
    else
        a->boot_us += min_u64(age_us - a->boot_us, a->boot_us) / SLOW_DIVISOR;
}

static void
follow(const PolicyConf *conf, const HostSample *host, const DomainSample *domain,
       DomainTrack *track, KsmAuto *a)
{
    BootTrack *boot = &track->boot;
    uint64_t bytes = domain->resident_bytes;

    if (domain->is_still)
        boot->is_up = true;
    if (boot->is_up || !is_known(bytes))
        return;
    if (boot->seen_bytes == 0)
        boot->seen_bytes = bytes;
    if (bytes > sat_add(boot->seen_bytes, conf->growth_kib * 1024)) {
        boot->seen_bytes = bytes;
        boot->grown_us = host->now_us;
    }
    if (sat_sub(host->now_us, max_u64(boot->grown_us, domain->started_us)) <
        conf->settle_ms * US_PER_MS)
        return;
    boot->is_up = true;
    if (boot->grown_us > domain->started_us)
        learn(boot->grown_us - domain->started_us, a);
}

/* Until a guest should be up; 0: it is, or nobody knows. */
static uint64_t
left_us(const HostSample *host, const DomainSample *domain, const DomainTrack *track,
        const KsmAuto *a)
{
    uint64_t age_us = sat_sub(host->now_us, domain->started_us);

    return track->boot.is_up ? 0 : sat_sub(a->boot_us, age_us);
}

uint64_t
boot_update(const PolicyConf *conf, const Sample *sample, PolicyState *state)
{
    const HostSample *host = &sample->host;
    uint64_t waiting = 0;
    uint64_t others = 0;
    uint64_t cost = 0;

    for (size_t i = 0; i < sample->n; i++) {
        uint64_t pages = state->domains[i].open_value;
        uint64_t until_us;

        follow(conf, host, &sample->domains[i], &state->domains[i], &state->ksm_auto);
        until_us = left_us(host, &sample->domains[i], &state->domains[i], &state->ksm_auto);
        if (until_us == 0) {
            others = sat_add(others, pages);
            continue;
        }
        waiting = sat_add(waiting, pages);
        cost = sat_add(cost, mul_div(pages, until_us, LASTING_DIVISOR));
    }
    return others > waiting / OTHERS_DIVISOR || waiting == 0 ? UINT64_MAX : cost;
}
