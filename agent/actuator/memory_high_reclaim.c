/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory_high_reclaim.c - memory.reclaim, in a thread
 *
 * The kernel reclaims in the thread that writes, which takes as long as it takes: 16 MiB to
 * compressed memory took 0.4 s, and a slow disk takes more. So one thread writes for all domains,
 * one after the other, in chunks, and stops after a second: what is left will be asked for again
 * if policy still wants it then. EAGAIN says that there was less to be had, which is an answer.
 *
 * What waits behind others for longer than two seconds is dropped: by then the domain may need its
 * memory, be on its way to another host, or have grown, and policy decides anew anyway.
 *
 * Source: Documentation/admin-guide/cgroup-v2.rst, "memory.reclaim"
 */
#define _GNU_SOURCE
#include "agent/actuator/memory_high.h"

#include "agent/facts/cgroup.h"
#include "policy/arith.h"

#include <fcntl.h>
#include <unistd.h>

#define CHUNK_BYTES (UINT64_C(16) << 20)
#define LONGEST_US  1000000
/* From being asked for until its end. */
#define PATIENCE_US 2000000

/* What is to be reclaimed. */
typedef struct {
    int root_fd;    /* owned */
    char *path;     /* owned; of the file */
    uint64_t bytes; /* at most */
    gint64 end_us;  /* CLOCK_MONOTONIC; nothing of it is done after that */
} Errand;

/* Whose it is, when it is done. */
typedef struct {
    MemoryHigh *high; /* borrowed */
    char *uuid;       /* owned; of the domain */
    int id;           /* of its start */
} Ticket;

static void
errand_free(gpointer data)
{
    Errand *errand = data;

    close(errand->root_fd);
    g_free(errand->path);
    g_free(errand);
}

static void
ticket_free(gpointer data)
{
    g_free(((Ticket *)data)->uuid);
    g_free(data);
}

/* Return: bytes that were taken, for g_free(); NULL with @error. */
static gpointer
work(gpointer data, GError **error)
{
    const Errand *errand = data;
    gint64 end_us = MIN(errand->end_us, g_get_monotonic_time() + LONGEST_US);
    g_autofree uint64_t *taken = g_new0(uint64_t, 1);

    while (*taken < errand->bytes && g_get_monotonic_time() < end_us) {
        uint64_t chunk = min_u64(errand->bytes - *taken, CHUNK_BYTES);
        g_autoptr(GError) fault = NULL;

        if (sysfile_order_u64(errand->root_fd, errand->path, chunk, &fault) == APPLY_DONE) {
            *taken += chunk;
            continue;
        }
        if (!g_error_matches(fault, G_FILE_ERROR, G_FILE_ERROR_AGAIN) &&
            !g_error_matches(fault, G_FILE_ERROR, G_FILE_ERROR_INTR)) {
            g_propagate_error(error, g_steal_pointer(&fault));
            return NULL;
        }
        break;
    }
    return g_steal_pointer(&taken);
}

static void
take(gpointer output, const GError *error, gpointer user)
{
    g_autofree uint64_t *taken = output;
    Ticket *ticket = user;
    HoldTable *holds = &ticket->high->holds;
    Hold *hold = hold_find(holds, ticket->uuid);

    if (hold && hold->id == ticket->id) {
        hold->is_reclaiming = false;
        if (taken) {
            hold->reclaimed_bytes += *taken;
            hold_succeed(hold);
        } else {
            hold_fail(holds, hold, APPLY_RETRY, error->message);
        }
    }
    ticket_free(ticket);
}

static const WorkerJob job = { work, errand_free, g_free, ticket_free, take };

void
memory_high_reclaim(MemoryHigh *high, Hold *hold, uint64_t bytes)
{
    Errand *errand = g_new(Errand, 1);
    Ticket *ticket = g_new(Ticket, 1);

    *errand = (Errand){ fcntl(high->root_fd, F_DUPFD_CLOEXEC, 0),
                        g_strconcat(CGROUP_MOUNT_POINT, hold->cgroup, "/memory.reclaim", NULL),
                        bytes, g_get_monotonic_time() + PATIENCE_US };
    *ticket = (Ticket){ high, g_strdup(hold->uuid), hold->id };
    hold->is_reclaiming = true;
    worker_push(high->worker, &job, errand, ticket);
}
