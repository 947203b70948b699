/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sampler.h - figures that are too costly for every tick, one domain at a time
 */
#ifndef AGENT_SAMPLER_H
#define AGENT_SAMPLER_H

#include "agent/domain.h"
#include "agent/virt/worker.h"

#include <glib.h>

/* A measurement under way. */
typedef struct SamplerTicket SamplerTicket;

/* State of the sampler; embedded in the agent. */
typedef struct {
    const DomainTable *domains; /* borrowed */
    GPtrArray *tickets;         /* owned; all measurements under way (borrowed); NULL: not open */
    SamplerTicket *current;     /* borrowed; the one that others wait for; NULL: none */
    char *told;                 /* owned; the last reason for a failure; NULL: none so far */
    uint64_t resume_us;         /* CLOCK_MONOTONIC of the end of the pause after one */
    guint timer;                /* GSource that looks for the next; 0: none */
} Sampler;

/**
 * sampler_init() - nothing measured yet; sampler_done() it
 * @domains: borrowed; whose overhead is filled in
 */
void sampler_init(Sampler *sampler, const DomainTable *domains);

/** sampler_done() - measure no more; leaves @sampler reusable */
void sampler_done(Sampler *sampler);

/**
 * sampler_run() - measure the domain that is due for longest, if one is
 *
 * A domain is due two seconds after it was first seen, a minute later when it has settled, and
 * every five minutes from then on. One is measured at a time, in a thread, and after it comes a
 * pause of 200 times the CPU time that it took: all of it is at most 0.5 % of one CPU, and on a
 * host with many domains each is measured less often. One that takes longer than thirty seconds is
 * not waited for. Called at each full tick, which finds out about new domains; those that are known
 * are measured in time without it.
 */
void sampler_run(Sampler *sampler);

#endif
