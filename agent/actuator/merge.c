/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merge.c - switching merging of running domains off, and on again
 *
 *   as found --> asked for --> QEMU has done it --> mappings looked at --> off
 *                    |                                     |
 *                    +--> refused, failed, no answer       +--> still marked: asked for again
 *
 * QEMU's word is not taken for it: what a broken or captured QEMU answers must not decide what is
 * merged with it, so the kernel is asked about its mappings before a domain counts as off. That
 * walks over the memory of the guest, and waits as long as QEMU holds its mappings: hence a thread
 * for each look, and once for each change. A look that takes too long is as good as none: the
 * domain is stuck until it ends. Memory that is plugged in later begins as mergeable, so a domain
 * with more pieces than were looked at is not off. Nothing keeps a QEMU that was broken into from
 * marking its memory again: it is looked at again when KSM has records of more of its pages.
 *
 * Nobody else is known to switch this. Where a domain is found off all the same, it is left so, but
 * looked at as any other, and asked about again when memory was plugged in. Where a part of it is
 * off, it is refused: what was found could not be put back.
 *
 * A domain that a killed run has left switched off stays so until it is decided on, so that it is
 * not merged in between. For that libvirt has to tell first which domains there are.
 */
#define _GNU_SOURCE
#include "agent/actuator/merge.h"

#include "agent/facts/merging.h"
#include "agent/log.h"
#include "agent/virt/merge.h"
#include "agent/virt/worker.h"
#include "policy/arith.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A QEMU that has not answered for so long is stuck, though it may still do it. */
#define PATIENCE_US UINT64_C(30000000)
/* Between two attempts, of which the first did not work. */
#define RETRY_US UINT64_C(2000000)
/* Looks under way that are in time; and with those that are not. */
#define LOOKS_MAX      4
#define LOOKS_LATE_MAX 64
/* KSM's records of a domain that is off are those of its devices: more than twice as many as there
 * were, and these, are looked at. */
#define GROWTH_PAGES 1024
/* Passes of ksmd after which records are gone of what is not marked any more. */
#define SETTLE_SCANS 2
/* After three that did not. Short, because the whole host waits: nothing is scanned meanwhile. */
#define AGAIN_US UINT64_C(30000000)

void
merge_init(Merge *merge, Originals *originals, const Changer *changer)
{
    *merge = (Merge){ .holds = { .group = merge_actuator.name,
                                 .noun = "merging",
                                 .kind = CHANGE_MERGE,
                                 .restore_us = MERGE_RESTORE_US,
                                 .after = ORIGINALS_KERNEL, /* ksmd works on: groups stay apart */
                                 .again_us = AGAIN_US,
                                 .originals = originals,
                                 .changer = *changer },
                      .looks = g_ptr_array_new() };
    hold_table_init(&merge->holds);
    hold_table_load(&merge->holds);
}

void
merge_set_on(Merge *merge, bool is_on, bool is_driven)
{
    merge->holds.is_last = !is_driven;
    merge->is_on = is_on;
}

static bool
was_found_off(const Hold *hold)
{
    return hold->state == HOLD_IDLE && hold->foreign_bytes == MERGE_VALUE_OFF;
}

/* Whether it is switched off as far as QEMU says, by us or by somebody else. */
static bool
is_said_to_be_off(const Hold *hold)
{
    if (hold->is_busy || hold->is_unsure)
        return false;
    return was_found_off(hold) ||
           (hold->state == HOLD_OURS && hold->known.wrote_bytes == MERGE_VALUE_OFF);
}

/* Since QEMU has answered last. */
static bool
was_looked_at(const Hold *hold)
{
    return hold->looked_us > 0 && hold->looked_us == hold->changed_us;
}

/* Whether all its memory that there is now was seen to be off since QEMU has said so. */
static bool
is_seen_off(const Hold *hold, uint32_t backends)
{
    return is_said_to_be_off(hold) && was_looked_at(hold) && hold->pieces == backends;
}

/* Whether QEMU, or the look at it, takes too long. */
static bool
is_late(const Hold *hold)
{
    return (hold->is_busy || (hold->is_looking && is_said_to_be_off(hold))) &&
           (uint64_t)g_get_monotonic_time() - hold->asked_us > PATIENCE_US;
}

static MergeState
state_of(const Hold *hold, const MergeDomain *domain)
{
    if (domain->id < 0)
        return MERGE_MOVING;
    if (is_seen_off(hold, domain->backends) && !is_late(hold))
        return MERGE_OFF;
    /* Without failures nobody could be asked. */
    if (hold->failures > 0 || is_late(hold) ||
        (hold->state == HOLD_IDLE && hold->result == APPLY_RETRY && !was_found_off(hold)))
        return MERGE_STUCK;
    return hold->state == HOLD_IDLE && !was_found_off(hold) ? MERGE_AS_FOUND : MERGE_MOVING;
}

MergeStatus
merge_status(const Merge *merge, const MergeDomain *domain)
{
    const Hold *hold = hold_find(&merge->holds, domain->uuid);

    /* A new start begins as any: what is known is of the one before. */
    if (!hold || (domain->id >= 0 && hold->id != domain->id))
        return (MergeStatus){ .state = MERGE_AS_FOUND };
    return (MergeStatus){ state_of(hold, domain), hold->is_busy };
}

/* --- looking at the mappings ------------------------------------------------------------ */

typedef struct {
    int dir_fd;         /* owned; of its process in /proc */
    uint64_t *backends; /* owned; sizes of its memory backends */
    uint32_t n;         /* how many there are */
} Look;

typedef struct {
    Merge *merge;        /* borrowed */
    Worker *worker;      /* owned; for this look alone */
    char *uuid;          /* owned; of the domain */
    int id;              /* of its start */
    uint64_t begun_us;   /* CLOCK_MONOTONIC */
    uint64_t changed_us; /* of the change that is looked at */
    uint32_t pieces;     /* of memory that it had then */
    uint64_t ksm_pages;  /* that KSM had records of then; VALUE_UNKNOWN */
    uint64_t full_scans; /* of ksmd then; VALUE_UNKNOWN */
} LookUser;

static void
look_free(gpointer data)
{
    Look *look = data;

    close(look->dir_fd);
    g_free(look->backends);
    g_free(look);
}

static void
look_user_free(gpointer data)
{
    LookUser *user = data;

    g_free(user->uuid);
    g_free(user);
}

static gpointer
look_work(gpointer data, GError **error)
{
    const Look *look = data;
    g_autofree bool *any = g_new(bool, 1);

    if (!merging_read(look->dir_fd, look->backends, look->n, any, error))
        return NULL;
    return g_steal_pointer(&any);
}

/* What QEMU has said of it counts no more: it is asked again. */
static void
forget_answer(Hold *hold)
{
    hold->is_unsure = hold->state == HOLD_OURS;
    hold->foreign_bytes = VALUE_UNKNOWN;
    hold->looked_us = hold->changed_us = 0;
}

static void
take_look(Merge *merge, Hold *hold, const LookUser *user, const bool *is_marked,
          const GError *error)
{
    hold->is_looking = false;
    if (hold->changed_us != user->changed_us || !is_said_to_be_off(hold))
        return;
    if (!is_marked) {
        hold->looked_us = 0;
        hold_fail(&merge->holds, hold, APPLY_RETRY, error->message);
    } else if (*is_marked) {
        forget_answer(hold);
        hold_fail(&merge->holds, hold, APPLY_RETRY,
                  "QEMU says that it is not merged, and its mappings say that it may be");
    } else {
        hold_succeed(hold);
        /* The second look at the same change, or a later one, needs no other. */
        hold->seen_scans = hold->looked_us == user->changed_us ? VALUE_UNKNOWN : user->full_scans;
        hold->looked_us = user->changed_us;
        hold->pieces = user->pieces;
        hold->seen_pages = user->ksm_pages;
    }
}

static void
look_done(gpointer output, const GError *error, gpointer data)
{
    LookUser *user = data;
    Hold *hold = hold_find(&user->merge->holds, user->uuid);

    if (hold && hold->id == user->id)
        take_look(user->merge, hold, user, output, error);
    g_free(output);
    g_ptr_array_remove_fast(user->merge->looks, user);
    worker_free(user->worker);
    look_user_free(user);
}

static const WorkerJob look_job = { look_work, look_free, g_free, look_user_free, look_done };

/* Return: whether there are too many, so that it has to wait for its turn. */
static bool
is_crowded(const Merge *merge)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    guint in_time = 0;

    for (guint i = 0; i < merge->looks->len; i++) {
        const LookUser *user = g_ptr_array_index(merge->looks, i);

        in_time += now_us - user->begun_us <= PATIENCE_US;
    }
    return in_time >= LOOKS_MAX || merge->looks->len >= LOOKS_LATE_MAX;
}

static void
push_look(Merge *merge, Hold *hold, const Subject *subject, int dir_fd)
{
    Look *look = g_new(Look, 1);
    LookUser *user = g_new(LookUser, 1);

    *look = (Look){ dir_fd, g_new(uint64_t, subject->n_backends), subject->n_backends };
    for (uint32_t i = 0; i < look->n; i++)
        look->backends[i] = subject->backends[i];
    *user = (LookUser){ .merge = merge,
                        .worker = worker_new(),
                        .uuid = g_strdup(hold->uuid),
                        .id = hold->id,
                        .begun_us = hold->asked_us,
                        .changed_us = hold->changed_us,
                        .pieces = subject->n_backends,
                        .ksm_pages = subject->ksm_pages,
                        .full_scans = merge->full_scans };
    hold->is_looking = true;
    g_ptr_array_add(merge->looks, user);
    worker_push(user->worker, &look_job, look, user);
}

static void
start_look(Merge *merge, Hold *hold, const Subject *subject)
{
    int dir_fd;

    if (is_crowded(merge)) {
        if (merge->looks->len >= LOOKS_LATE_MAX && hold->failures == 0)
            hold_fail(&merge->holds, hold, APPLY_RETRY, "too many looks at mappings hang");
        return;
    }
    dir_fd = subject->process ? fcntl(subject->process->dir_fd, F_DUPFD_CLOEXEC, 0) : -1;
    hold->asked_us = (uint64_t)g_get_monotonic_time();
    if (hold->changed_us == 0)
        hold->changed_us = hold->asked_us; /* found off: by whom and when is not known */
    if (dir_fd >= 0) {
        push_look(merge, hold, subject, dir_fd);
        return;
    }
    hold->looked_us = 0;
    hold_fail(&merge->holds, hold, APPLY_RETRY,
              "its QEMU process is not found, so its mappings cannot be looked at");
}

void
merge_done(Merge *merge)
{
    for (guint i = 0; merge->looks && i < merge->looks->len; i++) {
        LookUser *user = g_ptr_array_index(merge->looks, i);

        worker_free(user->worker); /* and user with it */
    }
    g_clear_pointer(&merge->looks, g_ptr_array_unref);
    hold_table_done(&merge->holds);
}

/* --- applying --------------------------------------------------------------------------- */

/* Nothing of it lives on in a definition: a new start has nothing of ours. */
static Hold *
look(Merge *merge, const Subject *subject)
{
    Hold *known = hold_find(&merge->holds, subject->uuid);

    if (known && (known->state == HOLD_ENDED || (subject->id >= 0 && known->id != subject->id)))
        hold_remove(&merge->holds, known);
    return hold_look(&merge->holds, subject, VALUE_UNKNOWN);
}

/* What an earlier run has switched off is taken over as it is. */
static bool
adopt(Merge *merge, Hold *hold)
{
    if (hold->state != HOLD_LEFT)
        return true;
    if (!hold_record_confirm(&merge->holds, hold))
        return false;
    hold->state = HOLD_OURS;
    hold->changed_us = (uint64_t)g_get_monotonic_time();
    hold->is_unsure = hold->known.least_bytes != hold->known.most_bytes;
    return true;
}

static bool
is_too_soon(const Hold *hold)
{
    return hold->result == APPLY_RETRY &&
           (uint64_t)g_get_monotonic_time() - hold->asked_us < RETRY_US;
}

/* Whether a domain that was seen off is to be looked at again: KSM has come to have records of more
 * of its pages. Those that it had when it was switched off go with the next passes of ksmd, so a
 * look is due after these too: until then the memory could have been marked again unseen. */
static bool
is_look_due(Hold *hold, const Subject *subject, uint64_t full_scans)
{
    if (is_known(hold->seen_scans) && is_known(full_scans) &&
        full_scans >= hold->seen_scans + SETTLE_SCANS)
        return true;
    if (!is_known(subject->ksm_pages))
        return false;
    hold->seen_pages = min_u64(hold->seen_pages, subject->ksm_pages);
    return subject->ksm_pages > sat_add(2 * hold->seen_pages, GROWTH_PAGES);
}

/* Once it is seen off. */
static void
look_again(Merge *merge, Hold *hold, const Subject *subject)
{
    if (!hold->is_looking && is_look_due(hold, subject, merge->full_scans))
        start_look(merge, hold, subject);
}

/* Says so of a look that takes too long. */
static void
tell_late(Merge *merge, Hold *hold)
{
    if (hold->is_looking && is_late(hold) && hold->failures == 0)
        hold_fail(&merge->holds, hold, APPLY_RETRY, "looking at its mappings takes too long");
}

/* Whether it is off as far as can be; then it only remains to look. */
static bool
is_enough(Merge *merge, Hold *hold, const Subject *subject)
{
    if (hold->is_busy || hold->is_looking || is_seen_off(hold, subject->n_backends))
        return true;
    if (is_said_to_be_off(hold) && !was_looked_at(hold)) {
        if (hold_may_try(hold) && (hold->failures == 0 || !is_too_soon(hold)))
            start_look(merge, hold, subject);
        return true;
    }
    if (is_too_soon(hold))
        return true;
    if (was_found_off(hold)) /* memory was plugged in since */
        forget_answer(hold);
    return false;
}

/* In parts: neither can be said to have been found. */
static bool
is_mixed(Merge *merge, Hold *hold)
{
    if (hold->state != HOLD_IDLE || hold->foreign_bytes != MERGE_VALUE_MIXED)
        return false;
    hold->foreign_bytes = VALUE_UNKNOWN;
    hold_fail(&merge->holds, hold, APPLY_REFUSED,
              "some of its memory backends are not merged already, which could not be put back");
    return true;
}

/* Return: whether something is to be asked for. */
static bool
switch_off(Merge *merge, Hold *hold, const Subject *subject)
{
    HoldTable *holds = &merge->holds;

    if (hold && !adopt(merge, hold))
        hold = NULL;
    hold = hold ? hold : hold_need(holds, subject);
    if (is_enough(merge, hold, subject) || is_mixed(merge, hold))
        return false;
    return hold_wish(holds, hold, MERGE_VALUE_ON, MERGE_VALUE_OFF);
}

/* Return: whether something is to be asked for. */
static bool
apply_one(Merge *merge, const Decided *decided, size_t i)
{
    const Subject *subject = &decided->subjects[i];
    const DomainPlan *plan = &decided->plan->domains[i];
    Hold *hold = look(merge, subject);

    if (subject->id < 0)
        return false;
    if (hold && merge->is_on && plan->merge == MERGING_OFF) {
        tell_late(merge, hold);
        if (is_seen_off(hold, subject->n_backends))
            look_again(merge, hold, subject);
    }
    if (merge->is_on && plan->merge == MERGING_OFF)
        return plan->merge_apply && switch_off(merge, hold, subject);
    if (hold && merge->is_on && (plan->merge == MERGING_LEAVE || !plan->merge_apply))
        hold->is_awaited = hold->state == HOLD_LEFT;
    else if (hold)
        hold_give_back(&merge->holds, hold);
    return false;
}

/* Who has not been seen may run all the same. */
static void
await_left(Merge *merge)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, merge->holds.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        ((Hold *)value)->is_awaited = ((Hold *)value)->state == HOLD_LEFT;
}

ApplyResult
merge_apply(Merge *merge, const Decided *decided, GError **error)
{
    bool has_asked = false;

    if (!merge->is_on && hold_table_is_idle(&merge->holds))
        return APPLY_UNCHANGED;
    merge->full_scans = decided->sample->host.ksm.full_scans;
    if (merge->is_on && !decided->is_listed)
        await_left(merge);
    for (size_t i = 0; i < decided->sample->n; i++)
        has_asked |= apply_one(merge, decided, i);
    return hold_end_apply(&merge->holds, decided, has_asked, error);
}

static ApplyResult
row_apply(void *context, const Decided *decided, GError **error)
{
    return merge_apply(context, decided, error);
}

const Actuator merge_actuator = { "merge", row_apply, hold_row_restore };
