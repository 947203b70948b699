/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory_high.c - taking cold memory from domains: memory.reclaim, and limits for a time
 *
 * Two ways to the same pages. memory.reclaim takes an amount and leaves nothing behind: what the
 * domain needs after all comes back on its own. memory.high stays where it was put, so it is
 * lent only: each limit has a lease, which policy renews for as long as it wants the limit.
 *
 *     policy lets go, or the lease lapses      this file lifts it
 *     the agent dies, or stands still          its guard does (memory_high_guard.c)
 *     both are killed                          virtksmd --restore, or the next start
 *
 * A limit is set through libvirt (soft_limit), which is its owner: virsh memtune shows it, and a
 * migration takes it along. Setting one below the usage reclaims in the thread that sets it, which
 * is libvirtd's. Lifting does not wait for libvirt: memory.high is raised at once in this turn of
 * the loop, and libvirt is asked to agree with it.
 *
 * Bounds are checked again, after policy: not below the domain's floor, not above the limit that
 * was found. And they are checked against what the domain uses now, since the figure that was
 * decided on may be older than its last growth: memory.high far below the usage reclaims all that
 * is in between, whoever needs it.
 */
#include "agent/actuator/memory_high.h"

#include "agent/facts/cgroup.h"
#include "agent/facts/procfile.h"
#include "agent/log.h"
#include "policy/high.h"
#include "policy/stake.h"

#include <inttypes.h>
#include <string.h>

/* Where libvirt sets the limit, below the domain's cgroup; with systemd in the first. */
static const char *const groups[] = { "/libvirt", "" };

/* --- lifting ---------------------------------------------------------------------------- */

static bool
is_ours(const Hold *hold, const char *text)
{
    guint64 bytes;

    return g_ascii_string_to_unsigned(text, 10, 0, LIMIT_NONE - 1, &bytes, NULL) &&
           bytes != hold->known.found_bytes &&
           (bytes == hold->known.least_bytes || bytes == hold->known.most_bytes);
}

bool
memory_high_lift(int root_fd, const Hold *hold)
{
    bool lifted = false;

    for (size_t i = 0; hold->cgroup && i < G_N_ELEMENTS(groups); i++) {
        g_autofree char *path =
            g_strconcat(CGROUP_MOUNT_POINT, hold->cgroup, groups[i], "/memory.high", NULL);
        g_autofree char *found = hold->known.found_bytes == LIMIT_NONE
                                     ? g_strdup("max")
                                     : g_strdup_printf("%" PRIu64, hold->known.found_bytes);
        char text[SYSFILE_TEXT_BYTES];

        if (sysfile_get_text(root_fd, path, text, NULL) == APPLY_UNCHANGED && is_ours(hold, text))
            lifted |= sysfile_set_text(root_fd, path, found, NULL) == APPLY_DONE;
    }
    return lifted;
}

/* --- life ------------------------------------------------------------------------------- */

void
memory_high_init_holds(HoldTable *holds, Originals *originals, int root_fd)
{
    *holds = (HoldTable){ .group = memory_high_actuator.name,
                          .noun = "soft limit",
                          .kind = CHANGE_LIMIT,
                          .restore_us = MEMORY_HIGH_RESTORE_US,
                          .originals = originals,
                          .lift = memory_high_lift,
                          .root_fd = root_fd };
    hold_table_init(holds);
}

void
memory_high_init(MemoryHigh *high, const MemoryHighNeeds *needs)
{
    *high = (MemoryHigh){ .root_fd = needs->root_fd, .worker = worker_new() };
    memory_high_init_holds(&high->holds, needs->originals, high->root_fd);
    high->holds.changer = needs->changer;
    high_guard_init(&high->guard, needs->guard_run);
    hold_table_load(&high->holds);
}

void
memory_high_done(MemoryHigh *high)
{
    worker_free(g_steal_pointer(&high->worker));
    high_guard_done(&high->guard);
    hold_table_done(&high->holds);
}

void
memory_high_set_options(MemoryHigh *high, const MemoryHighOptions *options)
{
    high->options = *options;
}

/* --- one domain ------------------------------------------------------------------------- */

/* One domain of one decision. */
typedef struct {
    const Subject *subject;     /* who it is */
    const DomainSample *sample; /* what is known of it */
    const DomainPlan *plan;     /* what is wanted of it */
    uint64_t now_us;            /* CLOCK_MONOTONIC */
    uint64_t page_bytes;        /* of the host */
} Case;

static bool
is_on(const MemoryHigh *high, const DomainSample *sample)
{
    return high->options.is_on && mechanism_acts(sample->high_mode);
}

/* Notes, for a while, that @what of @bytes is out of bounds. */
static void
refuse(MemoryHigh *high, Hold *hold, const char *what, uint64_t bytes)
{
    g_autofree char *text = hold_bytes_text(bytes);
    g_autofree char *detail = g_strdup_printf(
        "%s of %s is not applied: the domain would be out of its bounds", what, text);

    if (hold_may_try(hold))
        hold_fail(&high->holds, hold, APPLY_REFUSED, detail);
}

static uint64_t
floor_of(const MemoryHigh *high, const Case *one)
{
    return stake_floor(one->sample, high->options.floor_bp);
}

/* What the domain is charged for at this moment; VALUE_UNKNOWN. */
static uint64_t
usage_bytes(const MemoryHigh *high, const Hold *hold)
{
    uint64_t bytes = VALUE_UNKNOWN;

    for (size_t i = 0; !is_known(bytes) && i < G_N_ELEMENTS(groups); i++) {
        g_autofree char *path =
            g_strconcat(CGROUP_MOUNT_POINT, hold->cgroup, groups[i], "/memory.current", NULL);

        bytes = procfile_u64(high->root_fd, path, LIMIT_NONE - 1);
    }
    return bytes;
}

/* Return: whether something is asked for. */
static bool
reclaim(MemoryHigh *high, Hold *hold, const Case *one)
{
    uint64_t bytes = min_u64(one->plan->reclaim_bytes, MEMORY_HIGH_RECLAIM_BYTES);
    uint64_t used_bytes;

    if (bytes == 0 || !one->sample->can_reclaim || hold->is_reclaiming || !hold_may_try(hold))
        return false;
    used_bytes = usage_bytes(high, hold);
    if (!is_known(used_bytes) || sat_sub(used_bytes, bytes) < floor_of(high, one)) {
        refuse(high, hold, "reclaiming", bytes);
        return false;
    }
    memory_high_reclaim(high, hold, bytes);
    return true;
}

/* In whole pages, since the kernel keeps no others. */
static uint64_t
round_up(uint64_t bytes, uint64_t page_bytes)
{
    return sat_add(bytes, page_bytes - 1) / page_bytes * page_bytes;
}

/* Whether a limit would squeeze the domain by more than policy can have meant. */
static bool
is_outgrown(const MemoryHigh *high, const Hold *hold, uint64_t want)
{
    uint64_t used_bytes = usage_bytes(high, hold);

    return !is_known(used_bytes) || sat_sub(used_bytes, want) > HIGH_LIMIT_FAR;
}

/* Return: whether something is to be asked for. */
static bool
limit(MemoryHigh *high, Hold *hold, const Case *one)
{
    uint64_t most = hold->state == HOLD_OURS ? hold->known.found_bytes : one->sample->limit_bytes;
    uint64_t want;

    if (!is_known(one->plan->limit_bytes) || one->plan->limit_bytes == LIMIT_NONE ||
        !one->sample->can_limit || !is_known(one->sample->limit_bytes))
        return false;
    want = round_up(one->plan->limit_bytes, one->page_bytes);
    if (want < floor_of(high, one) || want > most || one->plan->lease_us <= one->now_us) {
        refuse(high, hold, "a limit", want);
        return false;
    }
    if (want != one->sample->limit_bytes && is_outgrown(high, hold, want)) {
        log_debug("memory_high: %s: it has grown beyond the limit that it was to have", hold->name);
        return false;
    }
    if (!hold_wish(&high->holds, hold, one->sample->limit_bytes, want))
        return false;
    hold->lease_us = one->plan->lease_us;
    return true;
}

/* Policy says once that a limit is to go, and renews those that are to stay. */
static void
note_lease(Hold *hold, const DomainPlan *plan)
{
    if (plan->limit_bytes == LIMIT_NONE)
        hold->lease_us = 1;
    else if (plan->lease_us > 0)
        hold->lease_us = plan->lease_us;
}

static bool
is_over(const Hold *hold, const Case *one)
{
    return hold->state == HOLD_OURS && hold->lease_us <= one->now_us;
}

static void
give_back(MemoryHigh *high, Hold *hold, const Case *one)
{
    /* libvirt would wait for the job that keeps the domain still. */
    if (one->sample->is_still)
        memory_high_lift(high->root_fd, hold);
    else
        hold_give_back(&high->holds, hold);
}

static bool
apply_one(MemoryHigh *high, const Case *one)
{
    const DomainSample *sample = one->sample;
    Hold *hold = hold_look(&high->holds, one->subject, sample->limit_bytes);
    bool has_asked;

    if (hold && hold->state == HOLD_OURS)
        note_lease(hold, one->plan);
    if (hold && (!is_on(high, sample) || is_over(hold, one)))
        give_back(high, hold, one);
    if (!is_on(high, sample) || !one->plan->high_apply || sample->is_fixed || sample->is_still ||
        one->subject->id < 0 || !one->subject->process)
        return false;
    hold = hold ? hold : hold_need(&high->holds, one->subject);
    if (!hold->cgroup)
        hold->cgroup = cgroup_find(one->subject->process, CGROUP_V2);
    if (!hold->cgroup || hold->state == HOLD_FOREIGN)
        return false;
    has_asked = limit(high, hold, one);
    return reclaim(high, hold, one) || has_asked;
}

/* --- all -------------------------------------------------------------------------------- */

/* When the first of our limits is to be gone; 0: there is none. Those that should be gone already
 * are raised in the kernel, and libvirt is asked to follow: that is no reason to lift the others.
 */
static uint64_t
first_lease_us(const MemoryHigh *high, uint64_t now_us)
{
    uint64_t first = 0;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, high->holds.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Hold *hold = value;

        if (hold->state == HOLD_OURS) {
            uint64_t lease_us = hold->lease_us > now_us ? hold->lease_us : G_MAXINT64;

            first = first == 0 ? lease_us : min_u64(first, lease_us);
        }
    }
    return first;
}

ApplyResult
memory_high_apply(MemoryHigh *high, const Decided *decided, GError **error)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    bool has_asked = false;

    if (hold_table_is_idle(&high->holds) && !high->options.is_on)
        return APPLY_UNCHANGED;
    for (size_t i = 0; i < decided->sample->n; i++) {
        const Case one = { &decided->subjects[i], &decided->sample->domains[i],
                           &decided->plan->domains[i], now_us, decided->sample->host.page_bytes };

        has_asked |= apply_one(high, &one);
    }
    hold_sweep(&high->holds, decided);
    if (!high_guard_tell(&high->guard, first_lease_us(high, now_us), error)) {
        hold_drop_pending(&high->holds);
        return APPLY_RETRY;
    }
    if (!hold_flush(&high->holds, error))
        return APPLY_RETRY;
    return has_asked ? APPLY_DONE : APPLY_UNCHANGED;
}

static ApplyResult
row_apply(void *context, const Decided *decided, GError **error)
{
    return memory_high_apply(context, decided, error);
}

static bool
row_restore(void *context, char **ret_note, GError **error)
{
    MemoryHigh *high = context;

    if (!hold_row_restore(&high->holds, ret_note, error))
        return false;
    return high_guard_tell(&high->guard, 0, error);
}

const Actuator memory_high_actuator = { "memory_high", row_apply, row_restore };
