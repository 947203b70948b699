/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_guest.c - the guest's own view, alone or beside the host's
 *
 * The guest knows which of its memory is free and which it could drop, but not since when it has
 * not used the rest. The host knows when pages were used, but not that one which was used a minute
 * ago has been free since. So:
 *
 *   host and guest   used within the age, as the host has seen it, but not more than what the guest
 *                    has in use (total less unused), if it has said so lately
 *   guest alone      what it could not do without swapping (total less usable): an upper bound for
 *                    memory without a file, of which some may not be used for ever, and a lower
 *                    one for its page cache, of which all counts as droppable
 *
 * A guest that reads from swap, or has major faults, is short: it would use more if it had it. A
 * few faults are what programs do when they start.
 *
 * Source: virtio specification, "Memory Statistics Tags"; virDomainMemoryStats() in libvirt's API
 * reference.
 */
#include "agent/facts/working_set_backend.h"

#include "policy/arith.h"

/* A word that is older is none. */
#define STALE_US UINT64_C(300000000)
/* Major faults in a second that are no start of a program any more. */
#define FAULTS_PER_S 10

static bool
has_word(const WorkingSetGuest *guest)
{
    return is_known(guest->total_bytes) && is_known(guest->usable_bytes) &&
           guest->usable_bytes <= guest->total_bytes;
}

static bool
is_stale(const WorkingSetGuest *guest, uint64_t now_us)
{
    return sat_sub(now_us, guest->told_us) > STALE_US;
}

static bool
open_guest(const WorkingSetTarget *target, gpointer *ret_state, GError **error)
{
    if (!has_word(&target->guest))
        return working_set_fail(error, "it has told no balloon statistics");
    *ret_state = NULL;
    return true;
}

static bool
step_guest(gpointer state, const WorkingSetTarget *target, uint64_t now_us,
           WorkingSetReading *reading, GError **error)
{
    (void)state;
    (void)reading;
    if (!has_word(&target->guest))
        return working_set_fail(error, "it tells no balloon statistics any more");
    if (is_stale(&target->guest, now_us))
        return working_set_fail(error, "its balloon statistics are older than five minutes");
    return true;
}

static void
close_guest(gpointer state, const WorkingSetTarget *target)
{
    (void)state;
    (void)target;
}

const WorkingSetBackend working_set_guest = {
    .name = "guest",
    /* An estimate: it tells what cannot be dropped, not what is used. */
    .confidence_bp = 4000,
    .is_estimate = true,
    .open = open_guest,
    .step = step_guest,
    .close = close_guest,
};

/* How much a counter has grown; a guest that was reset counts from 0 again. */
static uint64_t
growth(uint64_t before, uint64_t now)
{
    return is_known(before) && is_known(now) ? sat_sub(now, before) : 0;
}

static bool
is_short(const WorkingSetGuest *before, const WorkingSetGuest *now)
{
    uint64_t span_us = sat_sub(now->told_us, before->told_us);

    return growth(before->swap_in_bytes, now->swap_in_bytes) > 0 ||
           growth(before->major_faults, now->major_faults) >
               mul_div(span_us, FAULTS_PER_S, US_PER_S);
}

static uint64_t
sum_bins(const WorkingSetReport *report, uint64_t *ret_younger, uint64_t age_us)
{
    uint64_t all = 0;

    *ret_younger = 0;
    for (uint32_t i = 0; i < report->n_nodes; i++) {
        const WorkingSetBytes *bins = report->nodes[i].bins;

        *ret_younger = sat_add(*ret_younger, working_set_younger(&report->edges, bins, age_us));
        for (uint32_t b = 0; b <= report->edges.n; b++)
            for (size_t k = 0; k < WORKING_SET_KIND_COUNT; k++)
                all = sat_add(all, bins[b].bytes[k]);
    }
    return all;
}

void
working_set_fuse(WorkingSetReport *report, const WorkingSetGuest *before, uint64_t age_us)
{
    const WorkingSetGuest *guest = &report->guest;
    uint64_t younger = 0;

    report->resident_bytes = VALUE_UNKNOWN;
    report->working_set_bytes = VALUE_UNKNOWN;
    report->cold_bytes = VALUE_UNKNOWN;
    if (before->told_us > 0 && before->told_us != guest->told_us)
        report->is_short = is_short(before, guest);
    if (report->state == WORKING_SET_MEASURED) {
        report->resident_bytes = sum_bins(report, &younger, age_us);
        if (report->horizon_us < age_us)
            return; /* what was used before the horizon cannot be told from what never was */
        report->working_set_bytes = younger;
        if (is_known(guest->total_bytes) && is_known(guest->unused_bytes) &&
            !is_stale(guest, report->moment_us))
            report->working_set_bytes =
                min_u64(younger, sat_sub(guest->total_bytes, guest->unused_bytes));
        report->cold_bytes = report->resident_bytes - report->working_set_bytes;
    } else if (report->state == WORKING_SET_GUEST) {
        report->working_set_bytes = guest->total_bytes - guest->usable_bytes;
        report->cold_bytes = sat_sub(guest->usable_bytes, known_or(guest->unused_bytes, 0));
    }
}
