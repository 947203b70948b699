/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.c - how short of memory the host is: calm, tight or critical
 *
 * Available memory is the first witness. It is compared with two marks, shares of all memory but
 * the pool of huge pages, which is never available; to fall back a level it has to be a quarter
 * above the mark, for calm_s, one level at a time. It rises at once:
 *
 *     available   ........ relief ........
 *                     \                /      calm again after calm_s here
 *                 ---- tight ---------/----
 *                       \ tight      /
 *                 ------ critical --/------
 *
 * A host that fills up fast would be short for as long as balloons need to answer. So the pace at
 * which available memory has fallen at two looks in a row, the lesser of the two, is taken to go on
 * for that long, and the level rises to what it will be then.
 *
 * The other witnesses speak of the time and not of the amount. Tasks that wait for memory, and
 * memory that comes back from swap, mean a shortage only where there is little left: reclaim of
 * our own makes tasks wait too, what was swapped out in bad times comes back in good ones, and one
 * group of tasks may have a limit of its own. So they are heard below twice the tight mark, and the
 * kernel's notifications as well. A notification says how bad it is, not how often it was said: a
 * hundred of them are the worst of them. The lowest kind only keeps the level from falling.
 *
 * A domain that is short and gets nothing, because the host has nothing to give, makes the host
 * tight as well: then others, who need theirs less, are asked.
 *
 * Here, too, is the account of what may be written to swap: high_swap_rate for each second, of
 * which two may be saved up. It is charged when reclaim is planned, and put right by the kernel's
 * own counter at the next look, where there is one: what others swap out counts, what went to files
 * does not.
 *
 * Source: Documentation/accounting/psi.rst; Documentation/admin-guide/cgroup-v1/memory.rst,
 * "Memory Pressure"; pswpin and pswpout of /proc/vmstat.
 */
#include "policy/memory.h"
#include "policy/motion.h"
#include "policy/pressure.h"
#include "policy/rule.h"

#define MIB UINT64_C(1048576)

/* Counters are compared over at least so long. */
#define SPAN_US (US_PER_S / 2)
/* Waiting for memory from which it counts as short, and as very short. */
#define STALL_TIGHT_BP    (BP_ONE / 100)
#define STALL_CRITICAL_BP (BP_ONE / 10)
/* Memory that comes back from swap in a second, from which it counts as short. */
#define SWAP_IN_TIGHT MIB
/* Seconds of writing to swap that can be saved up. */
#define SWAP_BURST_S 2

static uint64_t
share_of(const HostSample *host, uint64_t share_bp)
{
    return mul_div(host->mem_total_bytes, share_bp, BP_ONE);
}

bool
memory_is_known(const HostSample *host)
{
    return is_known(host->mem_total_bytes) && is_known(host->mem_available_bytes);
}

MemoryMarks
memory_marks(const PolicyConf *conf, const HostSample *host)
{
    uint64_t tight_bp = conf->memory_tight_bp;
    uint64_t critical_bp = min_u64(conf->memory_critical_bp, tight_bp);

    if (!memory_is_known(host))
        return (MemoryMarks){ 0 };
    return (MemoryMarks){
        .idle_bytes = share_of(host, tight_bp + tight_bp / 2),
        .relief_bytes = share_of(host, tight_bp + tight_bp / 4),
        .tight_bytes = share_of(host, tight_bp),
        .critical_bytes = share_of(host, critical_bp),
    };
}

uint64_t
memory_above(const HostSample *host, uint64_t mark_bytes)
{
    return memory_is_known(host) ? sat_sub(host->mem_available_bytes, mark_bytes) : 0;
}

/* Bytes of pages that were swapped since the last look; 0 where that is not known. */
static uint64_t
swapped_bytes(const HostSample *host, uint64_t now_pages, uint64_t before_pages)
{
    if (!is_known(now_pages) || !is_known(before_pages))
        return 0;
    return mul_div(sat_sub(now_pages, before_pages), host->page_bytes, 1);
}

/* One look at which a lot is gone may be the last; two in a row tell a pace. */
static void
follow_fall(const HostSample *host, uint64_t elapsed_us, MemoryState *memory)
{
    uint64_t fall_rate = 0;

    if (memory->at_us > 0 && is_known(host->mem_available_bytes) &&
        is_known(memory->available_bytes))
        fall_rate = mul_div(sat_sub(memory->available_bytes, host->mem_available_bytes), US_PER_S,
                            elapsed_us);
    memory->soon_bytes = mul_div(min_u64(fall_rate, memory->fall_rate), MOTION_ANSWER_S, 1);
    memory->fall_rate = fall_rate;
    memory->available_bytes = host->mem_available_bytes;
}

static void
follow_swap(const PolicyConf *conf, const HostSample *host, uint64_t elapsed_us,
            MemoryState *memory)
{
    uint64_t rate_bytes = conf->high_swap_rate * MIB;
    uint64_t most_bytes = rate_bytes * SWAP_BURST_S;
    uint64_t out_bytes = swapped_bytes(host, host->swap_out_pages, memory->swap_out_pages);
    uint64_t in_bytes = swapped_bytes(host, host->swap_in_pages, memory->swap_in_pages);
    uint64_t budget_bytes = memory->swap_budget_bytes;

    if (memory->at_us > 0) {
        memory->swap_in_rate = mul_div(in_bytes, US_PER_S, elapsed_us);
        if (is_known(host->swap_out_pages) && is_known(memory->swap_out_pages))
            budget_bytes = sat_add(budget_bytes, memory->swap_planned_bytes);
        budget_bytes = sat_add(budget_bytes, mul_div(rate_bytes, elapsed_us, US_PER_S));
        memory->swap_budget_bytes = min_u64(sat_sub(budget_bytes, out_bytes), most_bytes);
    } else {
        memory->swap_budget_bytes = most_bytes;
    }
    memory->swap_planned_bytes = 0;
    memory->swap_in_pages = host->swap_in_pages;
    memory->swap_out_pages = host->swap_out_pages;
}

static void
look(const PolicyConf *conf, const HostSample *host, MemoryState *memory)
{
    uint64_t elapsed_us = sat_sub(host->now_us, memory->at_us);

    if (memory->at_us > 0 && elapsed_us < SPAN_US)
        return;
    follow_fall(host, elapsed_us, memory);
    follow_swap(conf, host, elapsed_us, memory);
    memory->at_us = max_u64(host->now_us, 1);
}

/* Memory against the marks, which are taken higher by a quarter to hold a level. */
static MemoryLevel
level_by_amount(const MemoryMarks *marks, uint64_t bytes, unsigned quarters)
{
    if (bytes < mul_div(marks->critical_bytes, quarters, 4))
        return MEMORY_CRITICAL;
    if (bytes < mul_div(marks->tight_bytes, quarters, 4))
        return MEMORY_TIGHT;
    return MEMORY_CALM;
}

/* What those say who have no figures of the amount. */
static MemoryLevel
level_by_signs(const MemoryMarks *marks, const HostSample *host, const PolicyState *state)
{
    bool far =
        memory_is_known(host) && memory_above(host, marks->tight_bytes) >= marks->tight_bytes;
    bool near = !memory_is_known(host) || host->mem_available_bytes < marks->tight_bytes;
    uint64_t stall_bp = state->pressure.memory_bp;

    if ((near && stall_bp >= STALL_CRITICAL_BP) || (!far && host->alarm >= ALARM_CRITICAL))
        return MEMORY_CRITICAL;
    if (!far && (stall_bp >= STALL_TIGHT_BP || state->memory.swap_in_rate >= SWAP_IN_TIGHT ||
                 host->alarm >= ALARM_MEDIUM))
        return MEMORY_TIGHT;
    if (state->memory.unmet_bytes > 0)
        return MEMORY_TIGHT;
    return MEMORY_CALM;
}

static MemoryLevel
higher(MemoryLevel a, MemoryLevel b)
{
    return a > b ? a : b;
}

static void
choose_level(const PolicyConf *conf, const HostSample *host, PolicyState *state)
{
    MemoryMarks marks = memory_marks(conf, host);
    MemoryState *memory = &state->memory;
    MemoryLevel signs = level_by_signs(&marks, host, state);
    MemoryLevel raise = signs;
    MemoryLevel hold = signs;

    if (memory_is_known(host)) {
        uint64_t soon_bytes = sat_sub(host->mem_available_bytes, memory->soon_bytes);

        raise = higher(raise, level_by_amount(&marks, soon_bytes, 4));
        hold = higher(hold, level_by_amount(&marks, host->mem_available_bytes, 5));
    }

    if (host->alarm == ALARM_LOW)
        hold = higher(hold, memory->level);
    if (raise > memory->level) {
        memory->level = raise;
        memory->better_us = 0;
    } else if (hold >= memory->level) {
        memory->better_us = 0;
    } else if (memory->better_us == 0) {
        memory->better_us = max_u64(host->now_us, 1);
    } else if (sat_sub(host->now_us, memory->better_us) >= conf->calm_s * US_PER_S) {
        memory->level--;
        memory->better_us = memory->level > hold ? host->now_us : 0;
    }
}

/* Whether it is only for what will be that the level is what it is. */
static bool
is_ahead(const MemoryMarks *marks, const HostSample *host, const PolicyState *state)
{
    return state->memory.soon_bytes > 0 &&
           level_by_amount(marks, host->mem_available_bytes, 5) < state->memory.level &&
           level_by_signs(marks, host, state) < state->memory.level;
}

static Reason
reason_of(const PolicyConf *conf, const HostSample *host, const PolicyState *state)
{
    MemoryMarks marks = memory_marks(conf, host);

    if (is_ahead(&marks, host, state))
        return REASON_HOST_FILLS;
    if (state->memory.level == MEMORY_CRITICAL)
        return REASON_HOST_CRITICAL;
    if (state->memory.level == MEMORY_TIGHT)
        return state->memory.unmet_bytes > 0 && memory_above(host, marks.relief_bytes) > 0
                   ? REASON_GUEST_SHORT
                   : REASON_HOST_TIGHT;
    return memory_is_known(host) || is_known(host->memory_stall_us) ? REASON_CALM
                                                                    : REASON_FACT_MISSING;
}

void
memory_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    pressure_update(sample, state);
    look(conf, &sample->host, &state->memory);
    choose_level(conf, &sample->host, state);
    plan->host.level = state->memory.level;
    plan->host.reason = reason_of(conf, &sample->host, state);
}
