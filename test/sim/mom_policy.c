/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mom_policy.c - all guests alike, five percent at a time
 *
 * Below 20 % of free memory in the host every guest is shrunk by 5 %, at most to what it uses and a
 * share of free memory that is as small as the host's; from 5 % on that share is negative, so that
 * the guest swaps. Else every guest grows by 5 %, or at once to what it uses and 20 % of free
 * memory. Files count as used. All figures are means of the last ten looks, as MOM is delivered.
 * A guest that never told anything is not in MOM's list; one that stopped telling goes on as it
 * was.
 *
 * MOM counts free memory and files as the host's free memory; MemAvailable stands for it here.
 */
#include "test/sim/mom_policy.h"
#include "policy/arith.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_US    (5 * UINT64_C(1000000))
#define DECIDE_US  (10 * UINT64_C(1000000))
#define LOOKS      10

#define PRESSURE   0.20
#define CRITICAL   0.05
#define GUEST_FREE 0.20
#define STEP       0.05
#define LEAST_STEP 0.0025

/* The last looks at one figure. */
typedef struct {
    double values[LOOKS];
    unsigned n; /* looks so far */
} Looks;

typedef struct {
    uint64_t key;  /* of the domain */
    Looks balloon; /* bytes */
    Looks unused;  /* bytes */
} MomGuest;

struct Mom {
    Looks host_free;  /* share of its memory */
    MomGuest *guests; /* owned; n of them, in the order of the last sample */
    size_t n;
    uint64_t looked_us;  /* last look; 0: none */
    uint64_t decided_us; /* last decision; 0: none */
};

Mom *
mom_new(void)
{
    Mom *mom = calloc(1, sizeof(*mom));

    if (!mom)
        abort();
    return mom;
}

void
mom_free(Mom *mom)
{
    if (!mom)
        return;
    free(mom->guests);
    free(mom);
}

static void
look(Looks *looks, double value)
{
    looks->values[looks->n++ % LOOKS] = value;
}

static double
mean(const Looks *looks)
{
    unsigned n = looks->n < LOOKS ? looks->n : LOOKS;
    double sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += looks->values[i];
    return n > 0 ? sum / n : 0;
}

/* The guests of this sample, in its order: who is new comes last, who is gone leaves no gap. */
static void
line_up(Mom *mom, const Sample *sample)
{
    MomGuest *guests = realloc(mom->guests, (sample->n + 1) * sizeof(*guests));
    size_t from = 0;

    if (!guests)
        abort();
    for (size_t i = 0; i < sample->n; i++) {
        while (from < mom->n && guests[from].key < sample->domains[i].key)
            from++;
        if (from < mom->n && guests[from].key == sample->domains[i].key)
            guests[i] = guests[from++];
        else
            guests[i] = (MomGuest){ .key = sample->domains[i].key };
    }
    mom->guests = guests;
    mom->n = sample->n;
}

static void
look_at_all(Mom *mom, const Sample *sample)
{
    const HostSample *host = &sample->host;

    look(&mom->host_free, (double)host->mem_available_bytes / (double)host->mem_total_bytes);
    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];

        if (!is_known(domain->guest_age_us))
            continue;
        look(&mom->guests[i].balloon, (double)domain->balloon_bytes);
        look(&mom->guests[i].unused, (double)domain->guest_unused_bytes);
    }
}

/* What it uses and a share of free memory, not below what it was promised. */
static double
least(const MomGuest *guest, const DomainSample *domain, double free_share)
{
    double used = mean(&guest->balloon) - mean(&guest->unused);
    double wanted = used + free_share * (double)domain->balloon_bytes;
    double promised = (double)known_or(domain->floor_bytes, 0);

    return wanted > promised ? wanted : promised;
}

static double
shrunk(const MomGuest *guest, const DomainSample *domain, double host_free)
{
    double free_share =
        host_free <= CRITICAL ? host_free - 0.05 : GUEST_FREE * (host_free / PRESSURE);
    double size = (double)domain->balloon_bytes * (1 - STEP);
    double bound = least(guest, domain, free_share);

    size = size < bound ? bound : size;
    return size <= (double)domain->balloon_bytes ? size : (double)domain->balloon_bytes;
}

static double
grown(const MomGuest *guest, const DomainSample *domain)
{
    double size = (double)domain->balloon_bytes * (1 + STEP);
    double bound = least(guest, domain, GUEST_FREE);

    size = size < bound ? bound : size;
    return size < (double)domain->maximum_bytes ? size : (double)domain->maximum_bytes;
}

static void
order(const MomGuest *guest, const DomainSample *domain, double host_free, DomainPlan *plan)
{
    double now = (double)domain->balloon_bytes;
    double size = host_free < PRESSURE ? shrunk(guest, domain, host_free) : grown(guest, domain);
    double change = size > now ? size - now : now - size;

    if (guest->balloon.n == 0 || change <= LEAST_STEP * now)
        return;
    plan->balloon_bytes = (uint64_t)size;
    plan->balloon_apply = true;
}

void
mom_decide(Mom *mom, const Sample *sample, Plan *plan)
{
    uint64_t now_us = sample->host.now_us;

    for (size_t i = 0; i < sample->n; i++)
        plan->domains[i] = (DomainPlan){ .key = sample->domains[i].key,
                                         .balloon_bytes = VALUE_UNKNOWN,
                                         .limit_bytes = VALUE_UNKNOWN };
    line_up(mom, sample);
    if (now_us - mom->looked_us < LOOK_US)
        return;
    mom->looked_us = now_us;
    look_at_all(mom, sample);
    if (now_us - mom->decided_us < DECIDE_US)
        return;
    mom->decided_us = now_us;
    for (size_t i = 0; i < sample->n; i++)
        order(&mom->guests[i], &sample->domains[i], mean(&mom->host_free), &plan->domains[i]);
}
