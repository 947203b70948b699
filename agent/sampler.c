/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sampler.c - figures that are too costly for every tick, one domain at a time
 *
 * Measuring takes some milliseconds, and reading the mappings of a process can wait for as long as
 * that one holds them. So it happens in a thread of its own, with a duplicate of the descriptor by
 * which the process is held: should it exit meanwhile, the reading fails and can show no other. A
 * thread that hangs is left behind, and its domain is not measured again before it ends.
 */
#define _GNU_SOURCE
#include "agent/sampler.h"
#include "agent/facts/process.h"
#include "agent/log.h"

#include <fcntl.h>
#include <unistd.h>

/* When a domain is due: after it was first seen, after the first time, and after each later one. */
#define FIRST_US  UINT64_C(2000000)
#define SECOND_US UINT64_C(60000000)
#define AGAIN_US  UINT64_C(300000000)
/* Pause after a sample for each microsecond of CPU time that it took, and at least. */
#define PAUSE_FACTOR   200
#define PAUSE_LEAST_US UINT64_C(20000)

/* Pause after one that failed, of which the time is not known. */
#define PAUSE_FAILED_US UINT64_C(1000000)

/* After so long the others go on without it. */
#define PATIENCE_US UINT64_C(30000000)
/* Threads that hang; with more, nothing is measured. */
#define LATE_MAX 64

/* What is measured. */
typedef struct {
    int dir_fd;         /* owned; of its process in /proc */
    uint64_t *backends; /* owned; sizes of its memory backends */
    uint32_t n;         /* how many there are */
} Subject;

/* What came of it. */
typedef struct {
    Overhead overhead;
    uint64_t cpu_us; /* what measuring took */
} Outcome;

/* Whose it is, when it comes. */
struct SamplerTicket {
    Sampler *sampler;  /* borrowed */
    Worker *worker;    /* owned; for this one alone */
    char *uuid;        /* owned; of the domain */
    uint64_t key;      /* of its start */
    uint64_t begun_us; /* CLOCK_MONOTONIC */
};

static void
subject_free(gpointer data)
{
    Subject *subject = data;

    close(subject->dir_fd);
    g_free(subject->backends);
    g_free(subject);
}

static void
ticket_free(gpointer data)
{
    SamplerTicket *ticket = data;

    g_free(ticket->uuid);
    g_free(ticket);
}

static gpointer
measure(gpointer data, GError **error)
{
    const Subject *subject = data;
    uint64_t start_us = process_thread_cpu_us();
    g_autofree Outcome *outcome = g_new0(Outcome, 1);

    if (!overhead_read(subject->dir_fd, subject->backends, subject->n, &outcome->overhead, error))
        return NULL;
    outcome->cpu_us = process_thread_cpu_us() - start_us;
    return g_steal_pointer(&outcome);
}

/* A reason is told when it is another than the last: it may be the same for all domains. */
static void
tell_failure(Sampler *sampler, const char *name, const char *reason)
{
    if (g_strcmp0(sampler->told, reason) == 0)
        return;
    log_info("%s: what QEMU itself uses could not be measured: %s", name, reason);
    g_free(sampler->told);
    sampler->told = g_strdup(reason);
}

static void
take_outcome(Domain *domain, const Outcome *outcome)
{
    DomainOverhead *overhead = &domain->overhead;

    overhead->last = outcome->overhead;
    overhead->bytes = overhead_total(&outcome->overhead);
    overhead->measured_us = (uint64_t)g_get_monotonic_time();
    if (!is_known(overhead->peak_bytes) || overhead->peak_bytes < overhead->bytes)
        overhead->peak_bytes = overhead->bytes;
}

static gboolean
wake(gpointer data)
{
    Sampler *sampler = data;

    sampler->timer = 0;
    sampler_run(sampler);
    return G_SOURCE_REMOVE;
}

static void
wake_at(Sampler *sampler, uint64_t moment_us)
{
    uint64_t delay_us = sat_sub(moment_us, (uint64_t)g_get_monotonic_time());

    g_clear_handle_id(&sampler->timer, g_source_remove);
    sampler->timer = g_timeout_add((guint)min_u64(delay_us / 1000 + 1, G_MAXINT), wake, sampler);
}

/* The domain that a ticket is for; NULL: that start of it has ended. */
static Domain *
find_domain(const SamplerTicket *ticket)
{
    Domain *domain = domain_table_get(ticket->sampler->domains, ticket->uuid);

    return domain && domain->key == ticket->key ? domain : NULL;
}

static void
end_ticket(SamplerTicket *ticket, uint64_t pause_us)
{
    Sampler *sampler = ticket->sampler;

    g_ptr_array_remove_fast(sampler->tickets, ticket);
    sampler->resume_us = (uint64_t)g_get_monotonic_time() + max_u64(pause_us, PAUSE_LEAST_US);
    if (sampler->current == ticket) {
        sampler->current = NULL;
        wake_at(sampler, sampler->resume_us);
    }
    worker_free(ticket->worker);
    ticket_free(ticket);
}

static void
measured(gpointer output, const GError *error, gpointer user)
{
    g_autofree Outcome *outcome = output;
    SamplerTicket *ticket = user;
    Domain *domain = find_domain(ticket);

    if (domain)
        domain->overhead.is_held_up = false;
    if (domain && outcome)
        take_outcome(domain, outcome);
    else if (domain)
        tell_failure(ticket->sampler, domain->name, error->message);
    end_ticket(ticket, outcome ? outcome->cpu_us * PAUSE_FACTOR : PAUSE_FAILED_US);
}

static const WorkerJob measure_job = { measure, subject_free, g_free, ticket_free, measured };

static uint64_t
due_us(const Domain *domain)
{
    if (domain->overhead.tries == 0)
        return domain->seen_us + FIRST_US;
    return domain->overhead.tried_us + (domain->overhead.tries == 1 ? SECOND_US : AGAIN_US);
}

/* The domain that is due first; NULL: there is none that could be measured. */
static Domain *
find_next(const Sampler *sampler)
{
    Domain *found = NULL;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, sampler->domains->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Domain *domain = value;

        if (domain->has_process && domain->has_xml && !domain->overhead.is_held_up &&
            (!found || due_us(domain) < due_us(found)))
            found = domain;
    }
    return found;
}

static Subject *
subject_new(const Domain *domain, int dir_fd)
{
    Subject *subject = g_new(Subject, 1);
    uint32_t n = domain->xml.n_backends;

    *subject = (Subject){ dir_fd, g_new(uint64_t, n), n };
    for (uint32_t i = 0; i < n; i++)
        subject->backends[i] = domain->xml.backends[i];
    return subject;
}

static void
start_measuring(Sampler *sampler, Domain *domain)
{
    int dir_fd = fcntl(domain->process.dir_fd, F_DUPFD_CLOEXEC, 0);
    SamplerTicket *ticket;

    if (dir_fd < 0)
        return;
    ticket = g_new(SamplerTicket, 1);
    *ticket = (SamplerTicket){ sampler, worker_new(), g_strdup(domain->uuid), domain->key,
                               (uint64_t)g_get_monotonic_time() };
    sampler->current = ticket;
    g_ptr_array_add(sampler->tickets, ticket);
    worker_push(ticket->worker, &measure_job, subject_new(domain, dir_fd), ticket);
}

/* Return: whether there is no need, or no sense, to wait for it any more. */
static bool
leave_late(Sampler *sampler, uint64_t now_us)
{
    const SamplerTicket *ticket = sampler->current;
    Domain *domain = ticket ? find_domain(ticket) : NULL;

    if (ticket && now_us - ticket->begun_us <= PATIENCE_US)
        return false;
    sampler->current = NULL;
    if (domain) {
        domain->overhead.is_held_up = true;
        tell_failure(sampler, domain->name, "reading its mappings takes too long");
    }
    return sampler->tickets->len < LATE_MAX;
}

void
sampler_run(Sampler *sampler)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    Domain *next;

    if (!sampler->tickets || !leave_late(sampler, now_us) || now_us < sampler->resume_us)
        return;
    next = find_next(sampler);
    if (!next)
        return;
    if (due_us(next) > now_us) {
        wake_at(sampler, due_us(next));
        return;
    }
    next->overhead.tries++;
    next->overhead.tried_us = now_us;
    start_measuring(sampler, next);
}

void
sampler_init(Sampler *sampler, const DomainTable *domains)
{
    *sampler = (Sampler){ .domains = domains, .tickets = g_ptr_array_new() };
}

void
sampler_done(Sampler *sampler)
{
    g_clear_handle_id(&sampler->timer, g_source_remove);
    for (guint i = 0; sampler->tickets && i < sampler->tickets->len; i++) {
        SamplerTicket *ticket = g_ptr_array_index(sampler->tickets, i);

        worker_free(ticket->worker); /* and ticket with it */
    }
    g_clear_pointer(&sampler->tickets, g_ptr_array_unref);
    g_free(sampler->told);
    *sampler = (Sampler){ 0 };
}
