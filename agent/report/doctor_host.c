/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor_host.c - what on the host keeps memory from being merged or reclaimed
 *
 * Severity follows what is lost: an error keeps the agent from its work, a warning costs memory,
 * and an information is a reason to know, of which a host may have several for good.
 */
#include "agent/report/doctor_check.h"
#include "agent/report/doctor_tenancy.h"

#include "policy/arith.h"

#include <inttypes.h>

#define KSM_DIR "/sys/kernel/mm/ksm/"

/* --- KSM and who drives it ---------------------------------------------------------------- */

static bool
find_absent(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    (void)finding;
    return !host->sample->has_ksm;
}

/* The agent's own word for what keeps it from writing. */
static bool
is_in_state(const DoctorHost *host, KsmActuatorState state, Finding *finding)
{
    if (host->actuator != state)
        return false;
    doctor_say(&finding->value, "%s", host->actuator_text);
    return true;
}

static bool
find_read_only(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    return is_in_state(host, KSM_ACTUATOR_READ_ONLY, finding);
}

static bool
find_not_permitted(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    return is_in_state(host, KSM_ACTUATOR_NOT_PERMITTED, finding);
}

static bool
find_damaged(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    return is_in_state(host, KSM_ACTUATOR_DAMAGED, finding);
}

static bool
find_unwritable(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    return is_in_state(host, KSM_ACTUATOR_STATE_UNWRITABLE, finding);
}

static bool
find_yielded(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    return is_in_state(host, KSM_ACTUATOR_YIELDED, finding);
}

static bool
find_rival(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    const Rival *rival = &host->setup->rival;

    (void)domain;
    if (!host->setup->has_rival)
        return false;
    if (rival->may_not && host->foreign->count == 0)
        finding->severity = DOCTOR_INFO;
    doctor_say(&finding->meaning, "%s runs, which %s KSM's settings.", rival->name,
               rival->may_not ? "in some of its profiles writes" : "writes");
    doctor_say(&finding->source, "/proc/%ld/comm", (long)rival->pid);
    doctor_say(&finding->value, "%s", rival->comm);
    return true;
}

/* Where the agent may write, it is the one who has stopped KSM, and that needs no mending. */
static bool
find_stopped(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    bool is_left_alone = !ksm_mode_drives(host->mode);

    (void)domain;
    if (host->sample->knobs.run != KSM_RUN_STOP)
        return false;
    doctor_say(&finding->value, "0");
    if (is_left_alone) {
        doctor_say(&finding->meaning, "KSM does not scan, and virtksmd leaves it so: mode %s, %s.",
                   ksm_mode_words[host->mode],
                   host->mode_is_clients ? "set by a client" : "as configured");
    } else if (host->actuator == KSM_ACTUATOR_YIELDED) {
        doctor_say(&finding->meaning, "KSM does not scan: %s drives it.",
                   host->foreign->who ? host->foreign->who : "another program");
    } else if (host->actuator != KSM_ACTUATOR_READY) {
        doctor_say(&finding->meaning, "KSM does not scan, and virtksmd cannot start it.");
    } else {
        finding->severity = DOCTOR_INFO;
        finding->advice = "Nothing: virtksmd starts it when it is worth it. 'virtksm explain' "
                          "tells more, 'virtksm kick' scans now.";
        doctor_say(&finding->meaning, "KSM does not scan, virtksmd has it rest: %s",
                   reason_text(host->reason));
    }
    return true;
}

static bool
find_unmerging(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    doctor_say(&finding->value, "2");
    return host->sample->knobs.run == KSM_RUN_UNMERGE;
}

static bool
find_advisor(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    doctor_say(&finding->value, "scan-time");
    return host->sample->knobs.advisor == 1;
}

static bool
find_smart_scan(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    doctor_say(&finding->value, "1");
    return host->sample->knobs.smart_scan == 1;
}

static bool
merges_across_nodes(const DoctorHost *host)
{
    uint64_t nodes = host->setup->numa_nodes;

    return host->sample->ksm.merge_across_nodes == 1 && is_known(nodes) && nodes > 1;
}

static bool
find_balancing(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    uint64_t balancing = host->setup->numa_balancing;

    (void)domain;
    doctor_say(&finding->value, "%" PRIu64, balancing);
    return merges_across_nodes(host) && is_known(balancing) && balancing > 0;
}

static bool
find_numad(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    (void)finding;
    return merges_across_nodes(host) && host->setup->has_numad;
}

static bool
find_nodes(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    uint64_t nodes = host->setup->numa_nodes;

    (void)domain;
    if (host->sample->ksm.merge_across_nodes != 0 || !is_known(nodes) || nodes < 2)
        return false;
    if (host->nodes == NODES_APART)
        finding->severity = DOCTOR_INFO;
    doctor_say(&finding->meaning,
               "Equal pages on different ones of the %" PRIu64 " NUMA nodes "
               "are not merged.",
               nodes);
    doctor_say(&finding->value, "0");
    return true;
}

static bool
find_thp(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    doctor_say(&finding->value, "%s", host->setup->thp);
    return g_str_equal(host->setup->thp, "always");
}

/* --- reclaim ------------------------------------------------------------------------------ */

/* What is good to know of any host is in the way of one that is to reclaim cold memory. */
static void
weigh_high(const DoctorHost *host, Finding *finding)
{
    if (host->high_enable != ENABLE_NO)
        finding->severity = DOCTOR_WARNING;
}

static bool
find_no_swap(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    weigh_high(host, finding);
    doctor_say(&finding->value, "SwapTotal: 0 kB");
    return host->setup->swap_bytes == 0;
}

static bool
find_pressure(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    if (host->setup->pressure == PROCFILE_READ)
        return false;
    if (host->setup->pressure == PROCFILE_REFUSED)
        doctor_say(&finding->value, "not permitted");
    else if (host->setup->pressure != PROCFILE_ABSENT)
        doctor_say(&finding->value, "switched off");
    return true;
}

static bool
find_cgroup(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    weigh_high(host, finding);
    if (host->setup->cgroup == SETUP_CGROUP_V1)
        doctor_say(&finding->value, "cgroup v1 in /sys/fs/cgroup/memory");
    return host->setup->cgroup != SETUP_CGROUP_V2;
}

static bool
find_silent(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    doctor_say(&finding->value, "0 of %zu", host->balloons);
    return host->balloon_enable != ENABLE_NO && host->balloons > 0 && host->telling == 0;
}

static bool
find_debugfs(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    (void)finding;
    return host->measures && host->setup->lru_gen_hidden;
}

static bool
find_damon(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    const char *user = host->setup->damon_user;

    (void)domain;
    if (user)
        doctor_say(&finding->value, "%s", user);
    return host->measures && user;
}

static bool
find_nested(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    doctor_say(&finding->value, "flags: hypervisor%s%s", *host->setup->product ? "; product: " : "",
               host->setup->product);
    return host->setup->is_guest;
}

/* --- where events come from --------------------------------------------------------------- */

static bool
find_libvirt_away(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    if (!host->libvirt_wanted || host->libvirt_open)
        return false;
    doctor_say(&finding->source, "%s", host->libvirt_uri);
    doctor_say(&finding->value, "%s", host->libvirt_detail ? host->libvirt_detail : "not open");
    return true;
}

static bool
find_hook_deaf(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    doctor_say(&finding->value, "%s", host->hook_detail ? host->hook_detail : "not open");
    return host->hook_wanted && !host->hook_open;
}

/* libvirt's callbacks tell the same, a little later: without them the hook is what there is. */
static void
weigh_hook(const DoctorHost *host, Finding *finding)
{
    if (!host->libvirt_open)
        finding->severity = DOCTOR_WARNING;
}

static bool
find_hook_missing(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    weigh_hook(host, finding);
    if (!host->libvirt_open)
        doctor_say(&finding->meaning,
                   "libvirt does not call virtksm-hook, and is not connected: its domains are "
                   "not seen.");
    return host->hook_wanted && host->setup->hook == SETUP_HOOK_ABSENT;
}

static bool
find_hook_stale(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    if (!host->hook_wanted)
        return false;
    if (host->setup->hook == SETUP_HOOK_NOT_EXECUTABLE)
        doctor_say(&finding->value, "not executable, so libvirt passes it over");
    else
        doctor_say(&finding->value, "not virtksm-hook of this version");
    return host->setup->hook == SETUP_HOOK_OTHER || host->setup->hook == SETUP_HOOK_NOT_EXECUTABLE;
}

static bool
find_hook_unseen(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    const HostSetup *setup = host->setup;

    (void)domain;
    if (!host->hook_wanted || host->hook_events > 0 || !is_known(setup->hook_changed_s) ||
        !is_known(setup->libvirtd_started_s) || setup->hook_changed_s <= setup->libvirtd_started_s)
        return false;
    weigh_hook(host, finding);
    doctor_say(&finding->value, "put there %" PRIu64 " s after %s started",
               setup->hook_changed_s - setup->libvirtd_started_s, setup->libvirtd);
    return true;
}

static const DoctorCheck checks[] = {
    { { "ksm-absent", DOCTOR_ERROR, KSM_DIR "run", "This kernel has no KSM.",
        "Run a kernel built with CONFIG_KSM=y, and mount sysfs." },
      find_absent },
    { { "ksm-read-only", DOCTOR_ERROR, KSM_DIR "run", "virtksmd cannot write KSM's settings.",
        "Give virtksmd a writable /sys: see ProtectKernelTunables= of its unit, or the options of "
        "its container." },
      find_read_only },
    { { "ksm-not-permitted", DOCTOR_ERROR, KSM_DIR "run",
        "virtksmd may not read or write KSM's settings.",
        "Run virtksmd as root, or give it the right to write these files." },
      find_not_permitted },
    { { "originals-damaged", DOCTOR_ERROR, "originals in the state directory",
        "What KSM was set to before cannot be told, so virtksmd writes nothing.",
        "Set KSM as you want it to be found, stop virtksmd, remove the file, and start it again." },
      find_damaged },
    { { "state-unwritable", DOCTOR_ERROR, "originals in the state directory",
        "What KSM is set to now cannot be kept for later, so virtksmd writes nothing.",
        "Make the state directory writable, and see that its disk is not full." },
      find_unwritable },
    { { "ksm-yielded", DOCTOR_ERROR, KSM_DIR, "Another program drives KSM; virtksmd has yielded.",
        "Switch the other program off, then 'virtksm mode auto'." },
      find_yielded },
    { { "rival-service", DOCTOR_WARNING, NULL, NULL,
        "Stop it and keep it from starting, or take KSM out of its profile." },
      find_rival },
    { { "ksm-stopped", DOCTOR_WARNING, KSM_DIR "run", NULL, "'virtksm mode auto' drives KSM." },
      find_stopped },
    { { "ksm-unmerging", DOCTOR_ERROR, KSM_DIR "run",
        "KSM has given every page its own copy again, and merges nothing.",
        "Find out who has written 2, then 'virtksm mode auto'." },
      find_unmerging },
    { { "ksm-advisor", DOCTOR_INFO, KSM_DIR "advisor_mode",
        "The kernel's own advisor sets the rate of scanning.",
        "Nothing, if that is wanted; 'virtksm mode auto' sets the rate from what is measured." },
      find_advisor },
    { { "smart-scan", DOCTOR_INFO, KSM_DIR "smart_scan",
        "Pages that stayed unique are looked at less and less often, in every ninth pass in the "
        "end: pages equal to them that come later are merged later, or never if they have other "
        "turns.",
        "Nothing in mode auto, which looks at all pages whenever there is something to merge; it "
        "saves much of ksmd's CPU time." },
      find_smart_scan },
    { { "numa-apart", DOCTOR_WARNING, KSM_DIR "merge_across_nodes", NULL,
        "If memory matters more than its nearness: [ksm] merge_across_nodes = yes." },
      find_nodes },
    { { "numa-pending", DOCTOR_WARNING, KSM_DIR "merge_across_nodes",
        "It is not as [ksm] merge_across_nodes says.",
        "See the value: it can change only while nothing is merged." },
      doctor_find_nodes_pending },
    { { "numa-balancing", DOCTOR_INFO, "/proc/sys/kernel/numa_balancing",
        "The kernel moves pages to the node that uses them, but not those that are merged: these "
        "may be far from their domains for good.",
        "If nearness matters more than memory: [ksm] merge_across_nodes = no." },
      find_balancing },
    { { "numad-runs", DOCTOR_WARNING, "process numad",
        "numad places domains by how much memory they have on each node, which merging across "
        "nodes makes untrue.",
        "[ksm] merge_across_nodes = no, or stop numad." },
      find_numad },
    { { "thp-always", DOCTOR_INFO, "/sys/kernel/mm/transparent_hugepage/enabled",
        "Guest memory is on huge pages where possible: KSM has to split each before it merges a "
        "part of it, and the guest loses its speed there.",
        "Nothing, or 'madvise', which is huge pages for guests all the same." },
      find_thp },
    { { "no-swap", DOCTOR_INFO, "/proc/meminfo",
        "There is no swap: memory of guests can be merged, but not paged out.",
        "Add swap, zram or zswap with a swap device if cold memory is to be reclaimed." },
      find_no_swap },
    { { "pressure-unknown", DOCTOR_WARNING, "/proc/pressure/memory",
        "The kernel does not tell who waits for memory or CPUs, so virtksmd cannot give way.",
        "Boot with psi=1, on a kernel built with CONFIG_PSI=y." },
      find_pressure },
    { { "no-cgroup-v2", DOCTOR_INFO, "/sys/fs/cgroup/cgroup.controllers",
        "Memory is not controlled by cgroup v2, so memory.high cannot be used.",
        "Boot with systemd.unified_cgroup_hierarchy=1." },
      find_cgroup },
    { { "balloons-silent", DOCTOR_WARNING, "virsh dommemstat",
        "Ballooning is enabled, but no guest tells of its memory, so no balloon is moved.",
        "With enable = observe, 'virsh dommemstat DOMAIN --period 2 --live' asks a guest; "
        "otherwise "
        "load virtio_balloon in the guests; see 'virtksm doctor DOMAIN'." },
      find_silent },
    { { "tenancy-not-enforced", DOCTOR_WARNING, "[tenancy] enforce",
        "By the rule some domains must not share memory with others, and nothing keeps them from "
        "it.",
        "[tenancy] enforce = yes, in mode auto, classic or fixed; or rule = all if all domains "
        "have "
        "one owner." },
      doctor_find_not_enforced },
    { { "tenancy-taint", DOCTOR_INFO, "virsh dominfo",
        "Merging is switched on QEMU's monitor, so libvirt marks domains as tainted "
        "(custom-monitor).",
        "Nothing; support for such domains may ask for it." },
      doctor_find_taint },
    { { "debugfs-absent", DOCTOR_INFO, "/sys/kernel/debug/lru_gen",
        "The kernel's generations of pages cannot be seen, so working sets are measured by other "
        "means, which cost more or know less.",
        "Mount debugfs at /sys/kernel/debug; a kernel that is locked down does not have it." },
      find_debugfs },
    { { "damon-busy", DOCTOR_INFO, "/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds",
        "DAMON is used by somebody else, so working sets are measured by other means.",
        "Nothing, if that is wanted; virtksmd uses DAMON when it is free. The kernel's own use is "
        "switched off below /sys/module (damon_stat/parameters/enabled)." },
      find_damon },
    { { "nested-host", DOCTOR_INFO, "/proc/cpuinfo",
        "This host is itself a virtual machine: its own host may page or merge the same memory, "
        "and takes CPU time that ksmd seems to use.",
        "Nothing; merge at one level if CPU time is short." },
      find_nested },
    { { "libvirt-away", DOCTOR_WARNING, NULL,
        "There is no connection to libvirt: domains are known from other sources alone.",
        "Start libvirtd or virtqemud, see [libvirt] uri; virtksmd connects by itself. If libvirt "
        "refuses it, its user has to be in the group libvirt: run systemd-sysusers, and restart "
        "virtksmd." },
      find_libvirt_away },
    { { "hook-deaf", DOCTOR_WARNING, "hook.sock in the runtime directory",
        "virtksmd cannot hear its hook.", "Mend what the value says; it is tried again." },
      find_hook_deaf },
    { { "hook-missing", DOCTOR_INFO, "/" SETUP_HOOK_PATH,
        "libvirt does not call virtksm-hook; events come from libvirt's callbacks.",
        "Install it if libvirt is not to be connected, or for earlier events: see virtksm-hook(8). "
        "[hook] enable = false if it is not wanted." },
      find_hook_missing },
    { { "hook-stale", DOCTOR_WARNING, "/" SETUP_HOOK_PATH,
        "The hook that libvirt has does not fit this virtksmd.",
        "Install virtksm-hook again, mode 0755." },
      find_hook_stale },
    { { "hook-unseen", DOCTOR_INFO, "/" SETUP_HOOK_PATH,
        "libvirt has started before it got the hook, and nothing was heard of it: perhaps it is "
        "not called.",
        "'systemctl reload libvirtd' (or virtqemud), which looks for hooks again." },
      find_hook_unseen },
};

const DoctorCheck *
doctor_host_checks(size_t *ret_n)
{
    *ret_n = G_N_ELEMENTS(checks);
    return checks;
}
