/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * price.c - when a pass is worth it: waiting costs memory, passes cost CPU time
 *
 * Memory that waits to be merged costs pages times time; a pass costs CPU time, which cpu_price
 * turns into the same unit. A pass begins when the waiting since the last one has cost as much as
 * the pass will. That is never more than twice what an oracle would pay, without any guess about
 * when a guest will have booted (the rule is known from renting or buying skis).
 *
 * Some things are known that make the rule better:
 *
 *   pairs     a pass that takes checksums brings nothing without the one that merges: that follows
 *             as soon as nothing comes any more, if CPU time is not dear then
 *   growth    while memory comes fast, a pass that begins later finds more of it, so it has to be
 *             worth more; when nothing comes any more, there is nothing to wait for
 *   boot      what guests have while they come up need not be merged before they are up where that
 *             would not pay: how long that takes is known from others (boot.c). No memory is put
 *             off for longer than that, however many come one after the other
 *   pressure  CPU time is dearer while tasks wait for it (pressure.c)
 *   shortage  a host that is short of memory does not wait at all
 *   cost      what passes have taken lately, of what their pages should have: caches are shared
 *   yield     a guest in the middle of its boot has memory that stands still and is like no
 *             other's yet: where the last passes merged little of what was due, it has to wait
 *             longer for the next one. That holds for as many pages as it was learnt from, not for
 *             those that have come on top: QEMU's own memory is there before the guest's, and says
 *             nothing of it. A domain that starts makes all that forgotten.
 */
#include "policy/price.h"
#include "policy/pass.h"
#include "policy/pressure.h"
#include "policy/reach.h"

#define MIB UINT64_C(1048576)
/* Growth is looked at over at least so long: figures of processes come in steps. */
#define GROWTH_SPAN_US (2 * US_PER_S / 5)
/* Factor of the price while nothing grows, and the largest. */
#define STILL_BP   (BP_ONE / 4)
#define GROWING_BP (4 * BP_ONE)
/* Fewer pages than this say nothing of what a pass brings. */
#define DUE_MIN_PAGES UINT64_C(1000)
/* A pass that was expected to take less says nothing of what pages cost here; and none costs so
 * many times as much. */
#define PASS_MIN_US (20 * US_PER_MS)
#define DEAR_MAX_BP (4 * BP_ONE)
/* Nor does one during which more than this part of the pages has come on top. */
#define GROWN_DIVISOR 8
/* Whatever the last passes brought, the price rises no further than to one over this: QEMU has
 * memory of its own that merges with nothing, most of what is found in the first moments. */
#define KEPT_MIN_BP (BP_ONE / 8)
/* To merge what a guest has before it is up takes passes that those at its end do not save. */
#define EARLY_PASSES 2
/* Growth in a second, of what waits, below which memory stands still. */
#define STILL_GROWTH_BP (BP_ONE / 200)

void
price_update(const HostSample *host, const Debt *debt, KsmAuto *a)
{
    Price *price = &a->price;
    uint64_t value = pass_is_running(&a->pass) ? debt->unseen_value : debt->open_value;
    uint64_t span_us = sat_sub(host->now_us, price->looked_us);

    /* The running pass merges what was seen before; the rest waits for the next one. What is put
     * off costs nothing. */
    if (!price->defers)
        price->waited = sat_add(price->waited, mul_div(value, sat_sub(host->now_us, a->now_us), 1));
    if (span_us < GROWTH_SPAN_US)
        return;
    price->growth = mul_div(sat_sub(debt->mergeable_pages, price->pages), US_PER_S, span_us);
    price->looked_us = host->now_us;
    price->pages = debt->mergeable_pages;
}

void
price_paid(const HostSample *host, const Debt *debt, Price *price)
{
    uint64_t due = sat_sub(debt->open_value, debt->unseen_value);

    price->waited = 0;
    price->second = debt->unseen_value > debt->open_value / 2;
    price->deferred_us = 0;
    price->due = due >= DUE_MIN_PAGES ? due : 0;
    price->merged = ksm_merged_pages(&host->ksm);
    price->cpu_us = host->ksmd_cpu_us;
    price->pass_us = reach_cost_us(host, debt);
    price->pass_pages = debt->mergeable_pages;
}

/* What kinds of page cost was measured elsewhere, and in a cache that nobody else was using. */
static void
learn_cost(const HostSample *host, Price *price)
{
    uint64_t took_us = sat_sub(host->ksmd_cpu_us, price->cpu_us);
    uint64_t dear_bp;

    /* What came while it was under way was not expected. */
    if (price->pass_us < PASS_MIN_US ||
        price->pages > price->pass_pages + price->pass_pages / GROWN_DIVISOR ||
        !is_known(host->ksmd_cpu_us) || !is_known(price->cpu_us))
        return;
    dear_bp = clamp_u64(mul_div(took_us, BP_ONE, price->pass_us), BP_ONE, DEAR_MAX_BP);
    price->dear_bp = (3 * max_u64(price->dear_bp, BP_ONE) + dear_bp) / 4;
}

static void
learn_yield(const HostSample *host, Price *price)
{
    uint64_t gained = sat_sub(ksm_merged_pages(&host->ksm), price->merged);
    uint64_t kept_bp;

    if (price->due == 0)
        return;
    kept_bp = clamp_u64(mul_div(gained, BP_ONE, price->due), KEPT_MIN_BP, BP_ONE);
    price->kept_bp = price->kept_bp == 0 ? kept_bp : (price->kept_bp + 3 * kept_bp) / 4;
    price->learnt = price->due;
    price->due = 0;
}

void
price_learn(const HostSample *host, uint64_t ended, Price *price)
{
    if (ended == 1)
        learn_cost(host, price);
    price->pass_us = 0;
    learn_yield(host, price);
}

void
price_missed(Price *price)
{
    price->second = true;
    price->due = 0;
}

void
price_leave(Price *price)
{
    price->second = false;
    price->defers = false;
    price->deferred_us = 0;
    price->pass_us = 0;
    price->due = 0;
}

void
price_forget(Price *price)
{
    price->kept_bp = 0;
    price->learnt = 0;
    price->due = 0;
}

/* What comes in a second, as a share of what waits already. */
static uint64_t
growth_bp(const Price *price, const Debt *debt)
{
    return mul_div(price->growth, BP_ONE, max_u64(debt->open_pages, 1));
}

/* Whether hardly any memory comes, compared with what waits. */
static bool
is_still(const Price *price, const Debt *debt)
{
    return growth_bp(price, debt) < STILL_GROWTH_BP;
}

/* Of what waits, the part that a pass may merge: only of so many pages as were learnt from is it
 * known to be less than all. */
static uint64_t
expected_bp(const Price *price, const Debt *debt)
{
    uint64_t lost_bp = sat_sub(BP_ONE, price->kept_bp);

    if (price->kept_bp == 0)
        return BP_ONE;
    if (debt->open_value > price->learnt)
        lost_bp = mul_div(lost_bp, price->learnt, debt->open_value);
    return BP_ONE - lost_bp;
}

static uint64_t
growth_factor_bp(const Price *price, const Debt *debt)
{
    uint64_t factor_bp = min_u64(sat_add(STILL_BP, growth_bp(price, debt)), GROWING_BP);

    if (is_still(price, debt))
        return factor_bp;
    return mul_div(factor_bp, BP_ONE, expected_bp(price, debt));
}

/* Whether the pass that merges what another has seen is all that is missing. */
static bool
is_second(const Price *price, const Debt *debt)
{
    return price->second && debt->unseen_value <= debt->open_value / 2 && is_still(price, debt);
}

/* What a pass costs now: pages times microseconds. */
static uint64_t
pass_price(const PolicyConf *conf, const HostSample *host, const PolicyState *state,
           const Debt *debt)
{
    const Price *price = &state->ksm_auto.price;
    uint64_t pages_per_us = mul_div(conf->cpu_price, MIB, host->page_bytes);
    uint64_t full = mul_div(reach_cost_us(host, debt), pages_per_us, 1);

    if (price->dear_bp > 0)
        full = mul_div(full, price->dear_bp, BP_ONE);
    return mul_div(full, pressure_price_bp(conf, &state->pressure), BP_ONE);
}

void
price_defer(const PolicyConf *conf, const HostSample *host, PolicyState *state, const Debt *debt,
            uint64_t boot_wait)
{
    KsmAuto *a = &state->ksm_auto;
    Price *price = &a->price;

    price->defers =
        debt->open_value > 0 && !pressure_is_tight(conf, host, &state->pressure) &&
        boot_wait != UINT64_MAX && boot_wait / EARLY_PASSES < pass_price(conf, host, state, debt) &&
        (price->deferred_us == 0 || sat_sub(host->now_us, price->deferred_us) < a->boot_us);
    if (price->defers && price->deferred_us == 0)
        price->deferred_us = max_u64(host->now_us, 1);
}

uint64_t
price_left(const PolicyConf *conf, const HostSample *host, const PolicyState *state,
           const Debt *debt)
{
    const KsmAuto *a = &state->ksm_auto;
    bool is_dear = pressure_price_bp(conf, &state->pressure) > BP_ONE;
    uint64_t full;

    if (pressure_is_tight(conf, host, &state->pressure))
        return 0;
    if (a->price.defers)
        return UINT64_MAX;
    if (!is_dear && is_second(&a->price, debt))
        return 0;
    full = mul_div(pass_price(conf, host, state, debt), growth_factor_bp(&a->price, debt), BP_ONE);
    return sat_sub(full, a->price.waited);
}
