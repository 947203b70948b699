/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor_test.c - every finding is made where it is due, and nowhere else
 *
 * A row names what must be found, and nothing more may be, in a host or a domain that one change
 * has made ill. The last tests say that nothing is found without it, and that every id has a row.
 */
#include "agent/report/doctor_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/patient.h"

/* --- what is wrong ------------------------------------------------------------------------ */

/* clang-format off */
static void no_ksm(Patient *p) { p->sample.has_ksm = false; }
static void read_only(Patient *p) { p->host.actuator = KSM_ACTUATOR_READ_ONLY; }
static void forbidden(Patient *p) { p->host.actuator = KSM_ACTUATOR_NOT_PERMITTED; }
static void damaged(Patient *p) { p->host.actuator = KSM_ACTUATOR_DAMAGED; }
static void unwritable(Patient *p) { p->host.actuator = KSM_ACTUATOR_STATE_UNWRITABLE; }
static void yielded(Patient *p) { p->host.actuator = KSM_ACTUATOR_YIELDED; }
static void ksmtuned(Patient *p) { p->setup.has_rival = true; p->setup.rival = (Rival){ "ksmtuned", "ksmtuned", 812, false }; }
static void tuned(Patient *p) { p->setup.has_rival = true; p->setup.rival = (Rival){ "tuned", "tuned", 9, true }; }
static void tuned_writes(Patient *p) { tuned(p); p->foreign.count = 1; }
static void rests(Patient *p) { p->sample.knobs.run = KSM_RUN_STOP; }
static void mode_off(Patient *p) { rests(p); p->host.mode = KSM_MODE_OFF; }
static void client_observes(Patient *p) { rests(p); p->host.mode = KSM_MODE_OBSERVE; p->host.mode_is_clients = true; }
static void unmerges(Patient *p) { p->sample.knobs.run = KSM_RUN_UNMERGE; }
static void advised(Patient *p) { p->sample.knobs.advisor = 1; }
static void no_advisor(Patient *p) { p->sample.knobs.advisor = VALUE_UNKNOWN; }
static void smart(Patient *p) { p->sample.knobs.smart_scan = 1; }
static void nodes_apart(Patient *p) { p->setup.numa_nodes = 2; p->sample.ksm.merge_across_nodes = 0; }
static void nodes_together(Patient *p) { p->setup.numa_nodes = 2; }
static void one_node(Patient *p) { p->sample.ksm.merge_across_nodes = 0; }
static void unknown_nodes(Patient *p) { one_node(p); p->setup.numa_nodes = VALUE_UNKNOWN; }
static void chosen_apart(Patient *p) { nodes_apart(p); p->host.nodes = NODES_APART; }
static void nodes_pending(Patient *p) { p->host.nodes = NODES_APART; p->tenancy.nodes_reason = REASON_NO_HEADROOM; }
static void nodes_parting(Patient *p) { nodes_pending(p); p->tenancy.nodes_reason = REASON_NODES; }
static void balanced(Patient *p) { nodes_together(p); p->setup.numa_balancing = 1; }
static void balancing_off(Patient *p) { nodes_together(p); p->setup.numa_balancing = 0; }
static void balancing_unknown(Patient *p) { nodes_together(p); p->setup.numa_balancing = VALUE_UNKNOWN; }
static void balanced_alone(Patient *p) { p->setup.numa_balancing = 1; p->setup.has_numad = true; }
static void balanced_apart(Patient *p) { nodes_apart(p); p->setup.numa_balancing = 1; p->setup.has_numad = true; }
static void numad(Patient *p) { nodes_together(p); p->setup.has_numad = true; }
static void thp(Patient *p) { g_strlcpy(p->setup.thp, "always", sizeof(p->setup.thp)); }
static void no_swap(Patient *p) { p->setup.swap_bytes = 0; }
static void unknown_swap(Patient *p) { p->setup.swap_bytes = VALUE_UNKNOWN; }
static void no_psi(Patient *p) { p->setup.pressure = PROCFILE_ABSENT; }
static void psi_off(Patient *p) { p->setup.pressure = PROCFILE_UNREADABLE; }
static void psi_closed(Patient *p) { p->setup.pressure = PROCFILE_REFUSED; }
static void cgroup_v1(Patient *p) { p->setup.cgroup = SETUP_CGROUP_V1; }
static void unenforced(Patient *p) { p->tenancy.rule = TENANCY_SAME_GROUP; }
static void one_owner(Patient *p) { p->tenancy = (TenancyPlan){ .rule = TENANCY_ALL, .is_enforced = true }; }
static void tainted(Patient *p) { one_owner(p); p->tenancy.rule = TENANCY_LISTED; }
static void merge_stuck(Patient *p) { one_owner(p); p->domain.plan.merge_reason = REASON_MERGE_STUCK; }
static void no_headroom(Patient *p) { one_owner(p); p->tenancy.need_bytes = GIB; p->domain.plan.merge_reason = REASON_NO_HEADROOM; }
static void coarse_headroom(Patient *p) { no_headroom(p); p->tenancy.need_bytes = 1; p->host.grain_bytes = GIB / 2; }
static void merge_undecided(Patient *p) { one_owner(p); p->domain.plan.merge_reason = REASON_UNDECIDED; }
static void just_started(Patient *p) { merge_undecided(p); p->domain.seen_us = 1990 * US_PER_S; }
static void undecided_for_nothing(Patient *p) { merge_undecided(p); p->tenancy.is_enforced = false; }
static void nested(Patient *p) { p->setup.is_guest = true; g_strlcpy(p->setup.product, "VM", sizeof(p->setup.product)); }
static void libvirt_away(Patient *p) { p->host.libvirt_open = false; p->host.libvirt_detail = "no such file"; }
static void no_libvirt(Patient *p) { p->host.libvirt_open = p->host.libvirt_wanted = false; }
static void deaf(Patient *p) { p->host.hook_open = false; p->host.hook_detail = "in use"; }
static void no_hook(Patient *p) { p->setup.hook = SETUP_HOOK_ABSENT; p->setup.hook_changed_s = VALUE_UNKNOWN; }
static void nothing_but_hooks(Patient *p) { no_hook(p); no_libvirt(p); }
static void hook_not_wanted(Patient *p) { no_hook(p); p->host.hook_open = p->host.hook_wanted = false; }
static void other_hook(Patient *p) { p->setup.hook = SETUP_HOOK_OTHER; }
static void dead_hook(Patient *p) { p->setup.hook = SETUP_HOOK_NOT_EXECUTABLE; }
static void script(Patient *p) { p->setup.hook = SETUP_HOOK_SCRIPT; }
static void late_hook(Patient *p) { p->setup.hook_changed_s = NOW_S - 400; }
static void late_and_alone(Patient *p) { late_hook(p); no_libvirt(p); }
static void late_and_heard(Patient *p) { late_hook(p); p->host.hook_events = 1; }
static void no_swap_for_high(Patient *p) { no_swap(p); p->host.high_enable = ENABLE_YES; }
static void v1_for_high(Patient *p) { cgroup_v1(p); p->host.high_enable = ENABLE_OBSERVE; }
static void silent(Patient *p) { p->host.balloon_enable = ENABLE_OBSERVE; p->host.balloons = 3; }
static void silent_unasked(Patient *p) { silent(p); p->host.balloon_enable = ENABLE_NO; }
static void one_tells(Patient *p) { silent(p); p->host.telling = 1; }
static void no_balloons(Patient *p) { silent(p); p->host.balloons = 0; }
static void no_debugfs(Patient *p) { p->setup.lru_gen_hidden = true; }
static void no_debugfs_needed(Patient *p) { no_debugfs(p); p->host.measures = false; }
static void damon_taken(Patient *p) { p->setup.damon_user = "another program"; }
static void damon_not_needed(Patient *p) { damon_taken(p); p->host.measures = false; }
static void late_for_nobody(Patient *p) { late_hook(p); p->setup.libvirtd_started_s = VALUE_UNKNOWN; }
/* clang-format on */

/* clang-format off */
static void undefined(Patient *p) { p->domain.has_xml = false; p->domain.xml = (DomainXml){ 0 }; }
static void unread(Patient *p) { p->domain.unread = (char *)(uintptr_t)"expected well-formed XML"; }
static void sev(Patient *p) { p->domain.xml.security = DOMAIN_SECURITY_SEV; }
static void huge(Patient *p) { p->domain.xml.huge_bytes = GIB; }
static void half_huge(Patient *p) { p->domain.xml.huge_bytes = GIB / 2; }
static void memfd(Patient *p) { p->domain.xml.shared_bytes = GIB; p->domain.xml.source = DOMAIN_SOURCE_MEMFD; }
static void half_shared(Patient *p) { p->domain.xml.shared_bytes = GIB / 2; }
static void private_memfd(Patient *p) { p->domain.xml.source = DOMAIN_SOURCE_MEMFD; p->domain.xml.access = DOMAIN_ACCESS_PRIVATE; }
static void pinned(Patient *p) { p->domain.xml.pinning_devices = 2; }
static void mediated(Patient *p) { p->domain.xml.mediated_devices = 1; }
static void merge_off(Patient *p) { p->domain.xml.merge = DOMAIN_SWITCH_OFF; }
static void nosharepages(Patient *p) { p->domain.xml.nosharepages = true; }
static void overridden(Patient *p) { nosharepages(p); p->domain.xml.merge = DOMAIN_SWITCH_ON; }
static void locked(Patient *p) { p->domain.xml.locked = true; }
static void weightless(Patient *p) { p->domain.xml.policy.weight = 0; }
static void light(Patient *p) { p->domain.xml.policy.weight = 1; }
static void faulty(Patient *p) { p->domain.xml.policy.faults = 3; }
static void no_process(Patient *p) { p->domain.has_process = false; }
static void refused(Patient *p) { p->domain.process.pid = 42; p->domain.sample.ksm_access = PROCFILE_REFUSED; }
static void busy(Patient *p) { p->domain.process.pid = 42; p->domain.sample.ksm_access = PROCFILE_BUSY; p->domain.is_busy = true; }
static void old_kernel(Patient *p) { p->domain.sample.ksm_access = PROCFILE_ABSENT; }
static void older_kernel(Patient *p) { old_kernel(p); p->domain.sample.merging_pages = VALUE_UNKNOWN; }
static void unmeasured(Patient *p) { p->domain.overhead.bytes = VALUE_UNKNOWN; p->domain.overhead.tries = 2; }
static void unmeasured_once(Patient *p) { unmeasured(p); p->domain.overhead.tries = 1; }
static void unscanned(Patient *p) { p->domain.plan.debt_pages = 251; }
static void scanned(Patient *p) { p->domain.plan.debt_pages = 250; }
static void undecided(Patient *p) { unscanned(p); p->domain.plan.reason = REASON_NONE; }
static void no_balloon(Patient *p) { p->domain.xml.balloon = DOMAIN_BALLOON_NONE; }
static void no_period(Patient *p) { p->domain.xml.stats_period_s = 0; p->domain.guest_stats_s = 0; }
static void asked_by_us(Patient *p) { no_period(p); p->domain.stats_period_s = 5; p->domain.guest_stats_s = NOW_S - 5; }
static void no_driver(Patient *p) { p->domain.guest_stats_s = 0; }
static void booting(Patient *p) { no_driver(p); p->domain.seen_us = 1900 * US_PER_S; }
static void not_told(Patient *p) { p->domain.guest_stats_s = VALUE_UNKNOWN; }
static void hangs(Patient *p) { p->domain.guest_stats_s = NOW_S - 61; }
static void slow(Patient *p) { p->domain.guest_stats_s = NOW_S - 60; }
static void long_period(Patient *p) { hangs(p); p->domain.xml.stats_period_s = 60; }
static void paused(Patient *p) { hangs(p); p->domain.state = DOMAIN_PAUSED; }
static void ahead(Patient *p) { p->domain.guest_stats_s = NOW_S + 60; }
static void stuck(Patient *p) { p->domain.plan.balloon_reason = REASON_STUCK; p->domain.balloon_bytes = GIB; }
static void unknown_stuck(Patient *p) { stuck(p); p->domain.balloon_bytes = VALUE_UNKNOWN; }
static WorkingSetReport none_report = { .state = WORKING_SET_NONE, .reason = "idle: no" };
static WorkingSetReport guest_report = { .state = WORKING_SET_GUEST, .reason = "lru_gen: off" };
static WorkingSetReport good_report = { .state = WORKING_SET_MEASURED, .reason = "lru_gen: off" };
static WorkingSetReport lost = { WORKING_SET_WARMING, .has_fallen_back = true, .reason = "odd" };
static void no_backend(Patient *p) { p->domain.working_set = &none_report; }
static void no_backend_wanted(Patient *p) { no_backend(p); p->host.measures = false; }
static void guest_only(Patient *p) { p->domain.working_set = &guest_report; }
static void second_best(Patient *p) { p->domain.working_set = &good_report; }
static void fallback(Patient *p) { p->domain.working_set = &lost; }
static void foreign_balloon(Patient *p) { p->domain.balloon_foreign = true; }
static void foreign_limit(Patient *p) { p->domain.limit_foreign = true; }
static void both_foreign(Patient *p) { foreign_balloon(p); foreign_limit(p); }
static void stale(Patient *p) { p->domain.stats_us = 1939 * US_PER_S - 1; }
static void fresh(Patient *p) { p->domain.stats_us = 1940 * US_PER_S; }
static void hung(Patient *p) { fresh(p); p->domain.silent_us = 1988 * US_PER_S; }
static void never(Patient *p) { p->domain.stats_us = 0; }
static void somebodys(Patient *p) { never(p); p->domain.is_libvirts = false; }
/* clang-format on */

typedef struct {
    const char *when;
    void (*change)(Patient *patient);
    const char *want; /* "id severity value", or several of them with "; " between; "" nothing */
} Row;

static const Row host_rows[] = {
    { "no KSM", no_ksm, "ksm-absent error -" },
    { "/sys read-only", read_only, "ksm-read-only error the actuator's own words" },
    { "files closed", forbidden, "ksm-not-permitted error the actuator's own words" },
    { "a damaged record", damaged, "originals-damaged error the actuator's own words" },
    { "no place for it", unwritable, "state-unwritable error the actuator's own words" },
    { "another writer", yielded, "ksm-yielded error the actuator's own words" },
    { "ksmtuned", ksmtuned, "rival-service warning ksmtuned" },
    { "tuned", tuned, "rival-service info tuned" },
    { "tuned, and a foreign value", tuned_writes, "rival-service warning tuned" },
    { "stopped by us", rests, "ksm-stopped info 0" },
    { "stopped, mode off", mode_off, "ksm-stopped warning 0" },
    { "stopped, a client observes", client_observes, "ksm-stopped warning 0" },
    { "unmerging", unmerges, "ksm-unmerging error 2" },
    { "the advisor", advised, "ksm-advisor info scan-time" },
    { "a kernel without one", no_advisor, "" },
    { "smart scan", smart, "smart-scan info 1" },
    { "nodes apart", nodes_apart, "numa-apart warning 0" },
    { "nodes together", nodes_together, "" },
    { "one node", one_node, "" },
    { "nodes not known", unknown_nodes, "" },
    { "nodes apart by configuration", chosen_apart, "numa-apart info 0" },
    { "a setting that is not in force", nodes_pending,
      "numa-pending warning 1, wanted no: it should be switched off, and there is not enough "
      "memory "
      "for the copies that this makes" },
    { "a setting that is on its way", nodes_parting, "" },
    { "balanced nodes", balanced, "numa-balancing info 1" },
    { "nodes that are not balanced", balancing_off, "" },
    { "nobody knows whether they are", balancing_unknown, "" },
    { "one balanced node", balanced_alone, "" },
    { "balanced, and merged apart", balanced_apart, "numa-apart warning 0" },
    { "numad", numad, "numad-runs warning -" },
    { "huge pages everywhere", thp, "thp-always info always" },
    { "no swap", no_swap, "no-swap info SwapTotal: 0 kB" },
    { "swap not known", unknown_swap, "" },
    { "no swap for cold memory", no_swap_for_high, "no-swap warning SwapTotal: 0 kB" },
    { "a kernel without PSI", no_psi, "pressure-unknown warning -" },
    { "psi=0", psi_off, "pressure-unknown warning switched off" },
    { "pressure closed", psi_closed, "pressure-unknown warning not permitted" },
    { "cgroup v1", cgroup_v1, "no-cgroup-v2 info cgroup v1 in /sys/fs/cgroup/memory" },
    { "cgroup v1, and memory.high wanted", v1_for_high,
      "no-cgroup-v2 warning cgroup v1 in /sys/fs/cgroup/memory" },
    { "no guest tells", silent, "balloons-silent warning 0 of 3" },
    { "no guest is asked", silent_unasked, "" },
    { "one guest tells", one_tells, "" },
    { "no guest could tell", no_balloons, "" },
    { "no debugfs", no_debugfs, "debugfs-absent info -" },
    { "no debugfs, and none needed", no_debugfs_needed, "" },
    { "groups, and nothing done", unenforced, "tenancy-not-enforced warning rule same-group" },
    { "domains are switched", tainted, "tenancy-taint info rule listed" },
    { "DAMON in other hands", damon_taken, "damon-busy info another program" },
    { "DAMON in other hands, and not needed", damon_not_needed, "" },
    { "a host in a host", nested, "nested-host info flags: hypervisor; product: VM" },
    { "no connection", libvirt_away, "libvirt-away warning no such file" },
    { "none wanted", no_libvirt, "" },
    { "a deaf hook", deaf, "hook-deaf warning in use" },
    { "no hook", no_hook, "hook-missing info -" },
    { "no hook, and nothing else", nothing_but_hooks, "hook-missing warning -" },
    { "no hook wanted", hook_not_wanted, "" },
    { "an old hook", other_hook, "hook-stale warning not virtksm-hook of this version" },
    { "a dead one", dead_hook, "hook-stale warning not executable, so libvirt passes it over" },
    { "a script", script, "" },
    { "a late hook", late_hook, "hook-unseen info put there 100 s after libvirtd started" },
    { "late, nothing else", late_and_alone,
      "hook-unseen warning put there 100 s after libvirtd started" },
    { "late, but heard", late_and_heard, "" },
    { "late, no libvirtd", late_for_nobody, "" },
};

static const Row domain_rows[] = {
    { "no definition", undefined, "definition-unknown warning -" },
    { "not understood", unread, "definition-unknown warning expected well-formed XML" },
    { "SEV", sev, "confidential-guest warning sev" },
    { "huge pages", huge, "huge-pages warning 1024 of 1024 MiB" },
    { "huge pages for half", half_huge, "huge-pages info 512 of 1024 MiB" },
    { "memfd", memfd, "shared-memory warning 1024 of 1024 MiB" },
    { "half shared", half_shared, "shared-memory info 512 of 1024 MiB" },
    { "a private memfd", private_memfd, "" },
    { "passthrough", pinned, "pinned-memory warning 2 devices" },
    { "mdev", mediated, "mediated-device info 1 device" },
    { "mem-merge=off", merge_off, "mem-merge-off warning mem-merge=off" },
    { "nosharepages", nosharepages, "nosharepages warning <nosharepages/>" },
    { "nosharepages, but mem-merge=on", overridden, "" },
    { "locked", locked, "locked-memory info <locked/>" },
    { "weight 0", weightless, "opted-out info weight='0'" },
    { "weight 1", light, "" },
    { "faults", faulty, "policy-fault warning 3 mistakes, the first: not told" },
    { "no process", no_process, "process-unknown warning -" },
    { "a closed process", refused, "process-refused warning not permitted" },
    { "a process that holds its mappings", busy, "process-busy warning held up" },
    { "a kernel without ksm_stat", old_kernel, "" },
    { "a kernel without any figure", older_kernel, "process-uncounted info -" },
    { "QEMU not measured", unmeasured, "overhead-unknown info -" },
    { "QEMU tried once", unmeasured_once, "" },
    { "not scanned", unscanned, "not-scanned-yet info 251 of 1000 pages" },
    { "nearly scanned", scanned, "" },
    { "nothing decided", undecided, "" },
    { "cannot be switched", merge_stuck, "merge-stuck warning -" },
    { "no memory for copies", no_headroom, "merge-no-headroom warning 0 of 1024 MiB" },
    { "in figures that are coarse", coarse_headroom, "merge-no-headroom warning 0 of 512 MiB" },
    { "nobody knows whom it may merge with", merge_undecided,
      "merge-undecided warning for 1000 s" },
    { "nor a moment after its start", just_started, "" },
    { "and nothing waits for it", undecided_for_nothing, "" },
    { "no balloon", no_balloon, "no-balloon info model='none'" },
    { "no period", no_period, "no-balloon-statistics info -" },
    { "no period but ours", asked_by_us, "" },
    { "no driver", no_driver, "no-balloon-driver warning last_update 0" },
    { "booting", booting, "" },
    { "not told", not_told, "" },
    { "the guest hangs", hangs,
      "guest-statistics-stale warning last_update 61 s ago, period 10 s" },
    { "the guest is slow", slow, "" },
    { "a long period", long_period, "" },
    { "paused", paused, "" },
    { "a clock that was set back", ahead, "" },
    { "a stuck balloon", stuck, "balloon-stuck warning at 1024 MiB" },
    { "a stuck balloon of no known size", unknown_stuck, "balloon-stuck warning -" },
    { "no means to measure", no_backend, "working-set-unknown info idle: no" },
    { "no means, and none wanted", no_backend_wanted, "" },
    { "the guest's word alone", guest_only, "working-set-guest-only info lru_gen: off" },
    { "measured by the second best", second_best, "" },
    { "a better means has failed", fallback, "working-set-fallback info odd" },
    { "somebody's balloon", foreign_balloon, "reclaim-foreign warning balloon" },
    { "somebody's limit", foreign_limit, "reclaim-foreign warning memory.high" },
    { "both", both_foreign, "reclaim-foreign warning balloon, memory.high" },
    { "old figures", stale, "libvirt-statistics-stale warning 61 s old" },
    { "fresh figures", fresh, "" },
    { "a QEMU that hangs", hung, "libvirt-statistics-stale warning QEMU silent for 12 s" },
    { "no figures", never, "libvirt-statistics-stale warning none in 1000 s" },
    { "not libvirt's", somebodys, "" },
};

/* Findings as a row has them. */
static char *
findings_text(const GArray *findings)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = &g_array_index(findings, Finding, i);

        g_string_append_printf(text, "%s%s %s %s", i > 0 ? "; " : "", finding->id,
                               doctor_severity_name(finding->severity),
                               finding->value ? finding->value : "-");
        if (!finding->meaning || !*finding->meaning || !finding->source || !*finding->source ||
            !finding->advice || !*finding->advice)
            fail_msg("%s: does not say everything", finding->id);
    }
    return g_string_free(text, FALSE);
}

static char *
examine(Patient *patient, bool is_host)
{
    g_autoptr(GArray) findings = doctor_findings_new();

    if (is_host)
        doctor_examine_host(&patient->host, findings);
    else
        doctor_examine_domain(&patient->host, &patient->domain, findings);
    return findings_text(findings);
}

static void
check_row(const Row *row, bool is_host)
{
    g_autofree char *other = NULL;
    g_autofree char *is = NULL;
    Patient patient;

    patient_init(&patient);
    row->change(&patient);
    is = examine(&patient, is_host);
    if (strcmp(is, row->want) != 0)
        fail_msg("%s: \"%s\", want \"%s\"", row->when, is, row->want);
    if (is_host)
        return;
    other = examine(&patient, true);
    if (*other)
        fail_msg("%s: of the host \"%s\"", row->when, other);
}

static void
what_is_wrong_is_found(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(host_rows); i++)
        check_row(&host_rows[i], true);
    for (size_t i = 0; i < G_N_ELEMENTS(domain_rows); i++)
        check_row(&domain_rows[i], false);
}

static void
two_things_that_are_wrong_are_two_findings(void **unused)
{
    g_autofree char *is = NULL;
    Patient patient;
    (void)unused;

    patient_init(&patient);
    huge(&patient);
    nosharepages(&patient);
    is = examine(&patient, false);
    assert_string_equal(is, "huge-pages warning 1024 of 1024 MiB; "
                            "nosharepages warning <nosharepages/>");
}

static void
who_has_stopped_ksm_is_told(void **unused)
{
    static const struct {
        void (*change)(Patient *patient);
        const char *want;
    } rows[] = {
        { rests, "KSM does not scan, virtksmd has it rest: " },
        { mode_off, "KSM does not scan, and virtksmd leaves it so: mode off, as configured." },
        { client_observes,
          "KSM does not scan, and virtksmd leaves it so: mode observe, set by a client." },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GArray) findings = doctor_findings_new();
        Patient patient;

        patient_init(&patient);
        rows[i].change(&patient);
        doctor_examine_host(&patient.host, findings);
        assert_int_equal(findings->len, 1);
        if (!g_str_has_prefix(g_array_index(findings, Finding, 0).meaning, rows[i].want))
            fail_msg("%s", g_array_index(findings, Finding, 0).meaning);
    }
}

static void
balloons_are_counted_when_their_guests_had_time_to_boot(void **unused)
{
    static const struct {
        const char *when;
        void (*change)(Patient *patient);
        size_t balloons;
        size_t telling;
    } rows[] = {
        { "all is well", fresh, 1, 1 },       { "no driver", no_driver, 1, 0 },
        { "booting", booting, 0, 0 },         { "no balloon", no_balloon, 0, 0 },
        { "no definition", undefined, 0, 0 }, { "the guest hangs", hangs, 1, 0 },
        { "not told", not_told, 1, 0 },       { "a long period", long_period, 1, 1 },
        { "paused", paused, 0, 0 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Patient patient;

        patient_init(&patient);
        rows[i].change(&patient);
        doctor_count_domain(&patient.host, &patient.domain);
        if (patient.host.balloons != rows[i].balloons || patient.host.telling != rows[i].telling)
            fail_msg("%s: %zu of %zu", rows[i].when, patient.host.telling, patient.host.balloons);
    }
}

static void
nothing_is_found_where_nothing_is_wrong(void **unused)
{
    Patient patient;
    (void)unused;

    patient_init(&patient);
    for (int is_host = 0; is_host < 2; is_host++) {
        g_autofree char *is = examine(&patient, is_host);
        assert_string_equal(is, "");
    }
}

static bool
has_row(const char *id, const Row *rows, size_t n)
{
    g_autofree char *prefix = g_strconcat(id, " ", NULL);

    for (size_t i = 0; i < n; i++)
        if (g_str_has_prefix(rows[i].want, prefix))
            return true;
    return false;
}

static void
every_finding_has_a_row_here(void **unused)
{
    size_t n;
    const DoctorCheck *checks = doctor_host_checks(&n);
    (void)unused;

    for (size_t i = 0; i < n; i++)
        if (!has_row(checks[i].text.id, host_rows, G_N_ELEMENTS(host_rows)))
            fail_msg("%s", checks[i].text.id);
    checks = doctor_domain_checks(&n);
    for (size_t i = 0; i < n; i++)
        if (!has_row(checks[i].text.id, domain_rows, G_N_ELEMENTS(domain_rows)))
            fail_msg("%s", checks[i].text.id);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_found),
        cmocka_unit_test(two_things_that_are_wrong_are_two_findings),
        cmocka_unit_test(who_has_stopped_ksm_is_told),
        cmocka_unit_test(balloons_are_counted_when_their_guests_had_time_to_boot),
        cmocka_unit_test(nothing_is_found_where_nothing_is_wrong),
        cmocka_unit_test(every_finding_has_a_row_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
