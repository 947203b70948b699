/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor_domain.c - what keeps the memory of a domain from being merged or reclaimed
 *
 * A reason that holds for all of the memory is a warning. Each reason is told, also one that
 * would change nothing alone: whoever switches one off wants to know of the next.
 */
#include "agent/report/doctor_check.h"
#include "agent/report/doctor_process.h"
#include "agent/report/doctor_tenancy.h"

#include "policy/arith.h"

#include <inttypes.h>

/* A guest has booted by then, or shows that its balloon has no driver. */
#define BOOT_S 120
/* Balloon statistics are old after so many of their periods, and libvirt's figures after this. */
#define STALE_PERIODS 5
#define STALE_S       60
/* Of the mergeable memory: while more than a quarter has not been scanned, little can be merged. */
#define UNSCANNED_PART 4

/* --- what the definition says ------------------------------------------------------------- */

static uint64_t
mib_of(uint64_t bytes)
{
    return bytes / (1024 * 1024);
}

static bool
find_undefined(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    if (domain->unread)
        doctor_say(&finding->value, "%s", domain->unread);
    return !domain->has_xml || domain->unread;
}

static bool
find_confidential(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    static const char *const types[] = {
        [DOMAIN_SECURITY_NONE] = "",           [DOMAIN_SECURITY_SEV] = "sev",
        [DOMAIN_SECURITY_SEV_SNP] = "sev-snp", [DOMAIN_SECURITY_TDX] = "tdx",
        [DOMAIN_SECURITY_S390_PV] = "s390-pv", [DOMAIN_SECURITY_OTHER] = "of a newer type",
    };
    G_STATIC_ASSERT(G_N_ELEMENTS(types) == DOMAIN_SECURITY_COUNT);

    (void)host;
    doctor_say(&finding->value, "%s", types[domain->xml.security]);
    return domain->xml.security != DOMAIN_SECURITY_NONE;
}

/* Memory of a kind that does not merge: the whole or a part. */
static bool
is_part(uint64_t part_bytes, uint64_t ram_bytes, Finding *finding)
{
    if (part_bytes < ram_bytes)
        finding->severity = DOCTOR_INFO;
    doctor_say(&finding->value, "%" PRIu64 " of %" PRIu64 " MiB", mib_of(part_bytes),
               mib_of(ram_bytes));
    return part_bytes > 0;
}

static bool
find_huge_pages(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    return is_part(domain->xml.huge_bytes, domain->xml.ram_bytes, finding);
}

static bool
find_shared(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    static const char *const elements[] = {
        [DOMAIN_SOURCE_ANONYMOUS] = "<memoryBacking><access mode='shared'/>",
        [DOMAIN_SOURCE_FILE] = "<memoryBacking><source type='file'/>",
        [DOMAIN_SOURCE_MEMFD] = "<memoryBacking><source type='memfd'/>",
    };
    G_STATIC_ASSERT(G_N_ELEMENTS(elements) == DOMAIN_SOURCE_COUNT);

    (void)host;
    if (domain->xml.vhost_user_devices > 0)
        finding->advice = "Keep it: its vhost-user or virtiofs devices need it.";
    doctor_say(&finding->source, "%s", elements[domain->xml.source]);
    return is_part(domain->xml.shared_bytes, domain->xml.ram_bytes, finding);
}

static bool
find_pinned(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    doctor_say(&finding->value, "%" PRIu32 " device%s", domain->xml.pinning_devices,
               domain->xml.pinning_devices == 1 ? "" : "s");
    return domain->xml.pinning_devices > 0;
}

static bool
find_mediated(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    doctor_say(&finding->value, "%" PRIu32 " device%s", domain->xml.mediated_devices,
               domain->xml.mediated_devices == 1 ? "" : "s");
    return domain->xml.mediated_devices > 0;
}

static bool
find_merge_off(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    doctor_say(&finding->value, "mem-merge=off");
    return domain->xml.merge == DOMAIN_SWITCH_OFF;
}

/* QEMU's own arguments come after libvirt's and win. */
static bool
find_nosharepages(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    doctor_say(&finding->value, "<nosharepages/>");
    return domain->xml.nosharepages && domain->xml.merge != DOMAIN_SWITCH_ON;
}

static bool
find_locked(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    doctor_say(&finding->value, "<locked/>");
    return domain->xml.locked;
}

static bool
find_opted_out(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    doctor_say(&finding->value, "weight='0'");
    return domain->has_xml && domain->xml.policy.weight == 0;
}

static bool
find_policy_fault(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    if (domain->xml.policy.faults == 0)
        return false;
    doctor_say(&finding->value, "%" PRIu32 " mistake%s, the first: %s", domain->xml.policy.faults,
               domain->xml.policy.faults == 1 ? "" : "s",
               domain->xml.policy.fault ? domain->xml.policy.fault : "not told");
    return true;
}

/* --- its process -------------------------------------------------------------------------- */

static bool
find_unscanned(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    const DomainPlan *plan = &domain->plan;

    (void)host;
    if (plan->reason == REASON_NONE || plan->reason == REASON_FACT_MISSING ||
        plan->debt_pages <= plan->mergeable_pages / UNSCANNED_PART)
        return false;
    doctor_say(&finding->value, "%" PRIu64 " of %" PRIu64 " pages", plan->debt_pages,
               plan->mergeable_pages);
    return true;
}

/* The second attempt comes when a failed first one has long been told. */
static bool
find_unmeasured(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    if (!domain->has_process || is_known(domain->overhead.bytes) || domain->overhead.tries < 2)
        return false;
    doctor_say(&finding->source, "/proc/%ld/maps, pagemap", (long)domain->process.pid);
    return true;
}

/* --- its balloon -------------------------------------------------------------------------- */

static bool
find_no_balloon(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    if (domain->xml.balloon == DOMAIN_BALLOON_NONE)
        doctor_say(&finding->value, "model='none'");
    return domain->has_xml && !domain_has_balloon(domain);
}

/* By its definition, or because the agent asks by itself while reclaim is on; 0: it is not asked.
 */
static uint64_t
period_of(const Domain *domain)
{
    return max_u64(domain->xml.stats_period_s, domain->stats_period_s);
}

static bool
find_no_period(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    (void)finding;
    return domain_has_balloon(domain) && period_of(domain) == 0;
}

static bool
has_booted(const DoctorHost *host, const Domain *domain)
{
    return domain->state == DOMAIN_RUNNING &&
           sat_sub(host->now_us, domain->seen_us) > BOOT_S * US_PER_S;
}

static bool
find_no_driver(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    if (!domain_has_balloon(domain) || period_of(domain) == 0 || domain->guest_stats_s != 0 ||
        !has_booted(host, domain))
        return false;
    doctor_say(&finding->value, "last_update 0");
    return true;
}

static bool
find_guest_stale(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    uint64_t period_s = period_of(domain);
    uint64_t age_s = sat_sub(host->now_s, domain->guest_stats_s);

    if (!domain_has_balloon(domain) || period_s == 0 || !is_known(domain->guest_stats_s) ||
        domain->guest_stats_s == 0 || domain->state != DOMAIN_RUNNING)
        return false;
    doctor_say(&finding->value, "last_update %" PRIu64 " s ago, period %" PRIu64 " s", age_s,
               period_s);
    return age_s > max_u64(STALE_PERIODS * period_s, STALE_S);
}

void
doctor_count_domain(DoctorHost *host, const Domain *domain)
{
    uint64_t age_s = sat_sub(host->now_s, domain->guest_stats_s);

    if (!domain_has_balloon(domain) || !has_booted(host, domain))
        return;
    host->balloons++;
    if (is_known(domain->guest_stats_s) && domain->guest_stats_s != 0 &&
        age_s <= max_u64(STALE_PERIODS * period_of(domain), STALE_S))
        host->telling++;
}

static bool
find_stuck(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    if (domain->plan.balloon_reason != REASON_STUCK)
        return false;
    if (is_known(domain->balloon_bytes))
        doctor_say(&finding->value, "at %" PRIu64 " MiB", mib_of(domain->balloon_bytes));
    return true;
}

/* What is known of it, if that is no more than @state. */
static bool
is_measured_as(const Domain *domain, WorkingSetState state, Finding *finding)
{
    const WorkingSetReport *report = domain->working_set;

    if (!report || report->state != state)
        return false;
    doctor_say(&finding->value, "%s", report->reason);
    return true;
}

static bool
find_no_working_set(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    return host->measures && is_measured_as(domain, WORKING_SET_NONE, finding);
}

/* Others that it could not do with are told by themselves. */
static bool
find_lost_means(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    const WorkingSetReport *report = domain->working_set;

    return host->measures && report && report->has_fallen_back &&
           (is_measured_as(domain, WORKING_SET_MEASURED, finding) ||
            is_measured_as(domain, WORKING_SET_WARMING, finding));
}

static bool
find_guest_only(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    return host->measures && is_measured_as(domain, WORKING_SET_GUEST, finding);
}

static bool
find_foreign(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    doctor_say(&finding->value, "%s%s%s", domain->balloon_foreign ? "balloon" : "",
               domain->balloon_foreign && domain->limit_foreign ? ", " : "",
               domain->limit_foreign ? "memory.high" : "");
    return domain->balloon_foreign || domain->limit_foreign;
}

static bool
find_libvirt_stale(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    uint64_t since_us = domain->stats_us > 0 ? domain->stats_us : domain->seen_us;
    uint64_t age_s = sat_sub(host->now_us, since_us) / US_PER_S;
    uint64_t silent_s = sat_sub(host->now_us, domain->silent_us) / US_PER_S;
    bool is_silent = domain->silent_us != 0;

    if (!host->libvirt_open || !domain->is_libvirts || (age_s <= STALE_S && !is_silent))
        return false;
    if (is_silent)
        doctor_say(&finding->value, "QEMU silent for %" PRIu64 " s", silent_s);
    else
        doctor_say(&finding->value,
                   domain->stats_us > 0 ? "%" PRIu64 " s old" : "none in %" PRIu64 " s", age_s);
    return true;
}

static const DoctorCheck checks[] = {
    { { "definition-unknown", DOCTOR_WARNING, "domain XML",
        "Its definition could not be read: it is in no group, and reclaim leaves it alone. If "
        "there "
        "never was one, [tenancy] enforce = yes scans nothing, and else it counts as mergeable.",
        "See what the log of virtksmd says of it; let it run under libvirt if it does not." },
      find_undefined },
    { { "confidential-guest", DOCTOR_WARNING, "<launchSecurity>",
        "Its memory is encrypted or private to it: no two pages are equal.",
        "Nothing; that is what it is for." },
      find_confidential },
    { { "huge-pages", DOCTOR_WARNING, "<memoryBacking><hugepages>",
        "KSM does not merge memory on huge pages of hugetlbfs.",
        "Take <hugepages> out if memory matters more than speed; transparent huge pages remain." },
      find_huge_pages },
    { { "shared-memory", DOCTOR_WARNING, NULL,
        "Its memory is mapped shared, and KSM merges private memory alone.",
        "Take the element out, or add <access mode='private'/>." },
      find_shared },
    { { "pinned-memory", DOCTOR_WARNING, "<devices><hostdev>",
        "Devices that are passed through hold all its memory in place: it can neither be merged "
        "nor reclaimed.",
        "Use virtio devices where that is fast enough." },
      find_pinned },
    { { "mediated-device", DOCTOR_INFO, "<devices><hostdev type='mdev'>",
        "Its mediated devices may hold some or all of its memory in place.",
        "Look at what 'virtksm report' says is merged." },
      find_mediated },
    { { "mem-merge-off", DOCTOR_WARNING, "<qemu:commandline>",
        "Merging is switched off by an argument of QEMU.", "Take the argument out." },
      find_merge_off },
    { { "nosharepages", DOCTOR_WARNING, "<memoryBacking>",
        "Merging is switched off by its definition.",
        "Take <nosharepages/> out, and start the domain anew." },
      find_nosharepages },
    { { "locked-memory", DOCTOR_INFO, "<memoryBacking>",
        "Its memory is locked: it merges, but cannot be reclaimed.",
        "Take <locked/> out if cold memory is to be reclaimed." },
      find_locked },
    { { "opted-out", DOCTOR_INFO, "<virtksm:policy><virtksm:ksm>",
        "It asks not to be scanned for: its weight is 0.",
        "Give it another weight in its metadata; 100 is normal." },
      find_opted_out },
    { { "policy-fault", DOCTOR_WARNING, "<metadata><virtksm:policy>",
        "What it asks of virtksmd has mistakes; for each the default holds, and reclaim that it "
        "may have been about is off.",
        "Mend its metadata: 'virtksm set' writes it without mistakes, and a schema is installed." },
      find_policy_fault },
    { { "process-unknown", DOCTOR_WARNING, "/run/libvirt/qemu/NAME.pid, /proc/PID/cmdline",
        "Its QEMU process was not found, so nothing can be said of its memory.",
        "See that virtksmd runs on the host itself, and not in a container with a /proc of its "
        "own." },
      doctor_find_no_process },
    { { "process-refused", DOCTOR_WARNING, NULL,
        "virtksmd may not read what KSM says of its process.",
        "Run virtksmd as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH." },
      doctor_find_refused },
    { { "process-busy", DOCTOR_WARNING, NULL,
        "What KSM says of its process cannot be read for long: the process holds its mappings. "
        "KSM's "
        "records "
        "and zero pages of it are not known meanwhile.",
        "Wait, as after merging was switched off for a large domain. A QEMU that goes on so is "
        "broken, or was broken into." },
      doctor_find_busy },
    { { "process-uncounted", DOCTOR_INFO, "/proc/PID/ksm_merging_pages, /proc/PID/ksm_stat",
        "This kernel does not count what KSM merges of a process: the report has no figures of "
        "KSM for the domain, and no share of what the host saves.",
        "Nothing, or a newer kernel: Linux has ksm_merging_pages since 5.19, ksm_stat since 6.1." },
      doctor_find_uncounted },
    { { "overhead-unknown", DOCTOR_INFO, NULL,
        "What QEMU itself uses could not be measured, so its report lacks that, never touched "
        "memory and advice for <hard_limit>.",
        "The log of virtksmd says why; it has to be root, or have CAP_SYS_PTRACE." },
      find_unmeasured },
    { { "not-scanned-yet", DOCTOR_INFO, "virtksm explain",
        "Much of its memory has not been passed by ksmd twice, as merging needs.",
        "Wait, or 'virtksm kick'; see what 'virtksm explain' says." },
      find_unscanned },
    { { "merge-stuck", DOCTOR_WARNING, "virtksm explain DOMAIN",
        "It must not be merged with others and cannot be switched off, so KSM does not scan.",
        "See what 'virtksm explain' says; <nosharepages/> holds from its next start on." },
      doctor_find_stuck },
    { { "merge-undecided", DOCTOR_WARNING, "virtksm explain DOMAIN",
        "It is not known yet whom it may be merged with, so KSM does not scan.",
        "See what the log of virtksmd says of its definition; a domain that is no longer there "
        "goes with a restart of virtksmd." },
      doctor_find_undecided },
    { { "merge-no-headroom", DOCTOR_WARNING, "virtksm explain DOMAIN",
        "It must not be merged with others, and its copies do not fit: KSM does not scan.",
        "Free memory on the host, or raise the <hard_limit> of the domain." },
      doctor_find_no_headroom },
    { { "no-balloon", DOCTOR_INFO, "<devices><memballoon>",
        "It has no balloon: memory that the guest does not use cannot be taken back.",
        "Use <memballoon model='virtio'>." },
      find_no_balloon },
    { { "no-balloon-statistics", DOCTOR_INFO, "<memballoon><stats period=>",
        "Its balloon gives no statistics: what the guest uses is not known.",
        "virsh dommemstat DOMAIN --period 10 --live --config" },
      find_no_period },
    { { "no-balloon-driver", DOCTOR_WARNING, "virsh dommemstat",
        "Its guest has given no balloon statistics: it seems to have no driver for the balloon.",
        "Load virtio_balloon in the guest." },
      find_no_driver },
    { { "guest-statistics-stale", DOCTOR_WARNING, "virsh dommemstat",
        "The guest's own statistics are old.",
        "See whether the guest hangs, or has unloaded virtio_balloon." },
      find_guest_stale },
    { { "balloon-stuck", DOCTOR_WARNING, "virsh dommemstat",
        "Its balloon was asked to move, and hardly does: it is not counted upon.",
        "See whether the guest has memory to give, and whether virtio_balloon runs in it." },
      find_stuck },
    { { "working-set-unknown", DOCTOR_INFO, "virtksm working-set DOMAIN",
        "Nothing here can tell how much memory it has used lately.",
        "Mend one of what the value says: the first is the best, and balloon statistics are the "
        "last resort." },
      find_no_working_set },
    { { "working-set-fallback", DOCTOR_INFO, "virtksm working-set DOMAIN",
        "A better way of measuring how much memory it uses is here, and has failed; the next one "
        "is "
        "used.",
        "See what the value says of it. It is tried again every ten minutes." },
      find_lost_means },
    { { "working-set-guest-only", DOCTOR_INFO, "virtksm working-set DOMAIN",
        "How much memory it uses is known from its guest alone, which does not tell when it was "
        "used.",
        "Mend one of what the value says, if you want to know; reclaim works without." },
      find_guest_only },
    { { "reclaim-foreign", DOCTOR_WARNING, "virsh dominfo, virsh memtune",
        "Somebody else has changed what virtksmd had set: it leaves this alone until it is told "
        "to go on.",
        "Find out who sets it; 'virtksm set DOMAIN balloon.mode=on' lets virtksmd go on, with "
        "another mode too; [agent] on_foreign_change says whether to ask." },
      find_foreign },
    { { "libvirt-statistics-stale", DOCTOR_WARNING, "virsh domstats",
        "libvirt has given no fresh figures of it.",
        "See whether its QEMU answers (virsh domcontrol), and what a QEMU that does not waits "
        "for." },
      find_libvirt_stale },
};

const DoctorCheck *
doctor_domain_checks(size_t *ret_n)
{
    *ret_n = G_N_ELEMENTS(checks);
    return checks;
}
