/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_figures.c - libvirt's figures, asked for and put into the table of domains */
#include "agent/source/libvirt_figures.h"

#include "agent/log.h"
#include "agent/virt/ask.h"
#include "agent/virt/stats.h"

#include <inttypes.h>

/* A busy host keeps a QEMU from answering for a moment. */
#define SILENT_MS 10000

/* A busy domain is not asked; what its guest said before is what there is, and ages. */
static void
take_guest(Domain *domain, const VirtStats *stats)
{
    uint64_t defined_s = domain->has_xml ? domain->xml.stats_period_s : 0;

    if (is_known(stats->guest_stats_s) || !domain_has_balloon(domain)) {
        domain->guest_stats_s = stats->guest_stats_s;
        domain->guest = stats->guest;
    }
    domain->unused_bytes = virt_stats_unused(
        stats, (uint32_t)max_u64(defined_s, domain->stats_period_s), domain->balloon_moved_s);
}

static void
take_silence(Domain *domain, uint64_t silent_ms, uint64_t now_us)
{
    bool was_silent = domain->silent_us != 0;

    if (!is_known(silent_ms))
        return;
    domain->silent_us = silent_ms >= SILENT_MS ? sat_sub(now_us, silent_ms * US_PER_MS) : 0;
    if (!was_silent && domain->silent_us != 0)
        log_warning("%s: its QEMU has not answered libvirt for %" PRIu64 " s, so what is known of "
                    "the domain is old: see 'virsh domcontrol'",
                    domain->name, silent_ms / 1000);
    else if (was_silent && domain->silent_us == 0)
        log_info("%s: its QEMU answers libvirt again", domain->name);
}

static void
take_one(Domain *domain, const VirtStats *stats, uint64_t asked_us)
{
    domain->maximum_bytes = stats->maximum_bytes;
    domain_set_balloon(domain, stats->balloon_bytes);
    take_guest(domain, stats);
    domain->has_job = domain->has_job && !stats->job_over;
    domain->stats_us = asked_us;
    take_silence(domain, stats->silent_ms, asked_us);
    if (domain->state != DOMAIN_STOPPING)
        domain->state = stats->paused ? DOMAIN_PAUSED : DOMAIN_RUNNING;
}

void
libvirt_figures_take(const DomainTable *domains, const GArray *stats, uint64_t asked_us)
{
    for (guint i = 0; i < stats->len; i++) {
        const VirtStats *one = &g_array_index(stats, VirtStats, i);
        Domain *domain = domain_table_get(domains, one->uuid);

        if (domain && asked_us >= max_u64(domain->stats_us, domain->seen_us))
            take_one(domain, one, asked_us);
    }
}

static void
take_answer(const GArray *stats, gpointer user)
{
    LibvirtQuestion *question = user;
    LibvirtFigures *self = question->figures;
    uint64_t asked_us = question->asked_us;

    question->asked_us = 0;
    if (stats) {
        if (self->is_stuck)
            log_info("libvirt: a question for figures has been answered again");
        self->is_stuck = false;
        libvirt_figures_take(self->domains, stats, asked_us);
    }
    self->done(self->user);
}

static void
tell_if_stuck(LibvirtFigures *figures, uint64_t waiting_us)
{
    if (figures->is_stuck || waiting_us < SILENT_MS * US_PER_MS)
        return;
    figures->is_stuck = true;
    log_warning("libvirt: no question for figures has been answered for %d s, as while libvirtd or "
                "several QEMUs hang: the figures of all domains get old",
                SILENT_MS / 1000);
}

bool
libvirt_figures_ask(LibvirtFigures *figures, VirtConn *conn, void (*done)(gpointer user),
                    gpointer user)
{
    LibvirtQuestion *question = &figures->questions[virt_conn_is_hanging(conn) ? 1 : 0];
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    g_autoptr(GHashTable) job_uuids = NULL;

    if (question->asked_us != 0) {
        tell_if_stuck(figures, now_us - question->asked_us);
        return false;
    }
    figures->done = done;
    figures->user = user;
    question->figures = figures;
    job_uuids = domain_table_with_jobs(figures->domains);
    if (!ask_stats(conn, job_uuids, take_answer, question))
        return false;
    question->asked_us = now_us;
    return true;
}
