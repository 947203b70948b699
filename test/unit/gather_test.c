/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gather_test.c - what policy is told of a domain, and what is read for it */
#define _GNU_SOURCE
#include "agent/gather.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/await.h"
#include "test/support/fakeagent.h"
#include "test/support/fakehost.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, fakeagent_setup_web, fakeagent_teardown)
#define U             VALUE_UNKNOWN
#define GROUP         "machine.slice/machine-qemu\\x2d1\\x2dweb.scope/"
#define V2            "sys/fs/cgroup/" GROUP
/* On CLOCK_MONOTONIC. */
#define LONG_AGO 1

#define VIRTIO_MEM                                                                                 \
    "<memory model='virtio-mem'><target><size unit='KiB'>32768</size></target></memory>"

static void
define(Domain *domain, const char *memory, const char *devices)
{
    g_autofree char *text =
        g_strdup_printf("<domain type='kvm'><name>web</name><memory unit='KiB'>65536</memory>%s"
                        "<devices>%s</devices></domain>",
                        memory, devices);

    domain_xml_clear(&domain->xml);
    domain->has_xml = domain_xml_parse(text, strlen(text), &domain->xml, NULL);
    assert_true(domain->has_xml);
}

static DomainSample
sample_of(Agent *agent)
{
    return gather_sample(agent, fakeagent_web(agent), 0);
}

static void
memory_that_must_stay_and_balloons_come_from_the_definition(void **state)
{
    static const char hostdev[] = "<hostdev mode='subsystem' type='pci'/>";
    static const char mediated[] = "<hostdev mode='subsystem' type='mdev'/>";
    static const struct {
        const char *when;
        const char *memory;
        const char *devices;
        bool is_fixed;
        bool has_balloon;
        bool has_virtio_mem;
    } rows[] = {
        { "plain", "", "", false, false, false },
        { "balloon", "", "<memballoon model='virtio'/>", false, true, false },
        { "balloon none", "", "<memballoon model='none'/>", false, false, false },
        { "passthrough", "", hostdev, true, false, false },
        { "mediated device", "", mediated, true, false, false },
        { "locked", "<memoryBacking><locked/></memoryBacking>", "", true, false, false },
        { "huge pages", "<memoryBacking><hugepages/></memoryBacking>", "", true, false, false },
        { "confidential", "<launchSecurity type='sev'/>", "", true, false, false },
        { "shared memory", "<memoryBacking><access mode='shared'/></memoryBacking>", "", false,
          false, false },
        { "not to be merged", "<memoryBacking><nosharepages/></memoryBacking>", "", false, false,
          false },
        { "virtio-mem", "", "<memballoon model='virtio'/>" VIRTIO_MEM, false, true, true },
    };
    Agent *agent = *state;

    assert_true(sample_of(agent).is_fixed); /* no definition yet */
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        DomainSample sample;

        define(fakeagent_web(agent), rows[i].memory, rows[i].devices);
        sample = sample_of(agent);
        if (sample.is_fixed != rows[i].is_fixed || sample.has_balloon != rows[i].has_balloon ||
            sample.has_virtio_mem != rows[i].has_virtio_mem)
            fail_msg("%s: fixed %d, balloon %d, virtio-mem %d", rows[i].when, sample.is_fixed,
                     sample.has_balloon, sample.has_virtio_mem);
    }
}

static void
a_domain_is_still_while_anything_else_is_done_to_it(void **state)
{
    static const struct {
        const char *when;
        DomainState state;
        bool has_job;
        bool want;
    } rows[] = {
        { "running", DOMAIN_RUNNING, false, false },
        { "migrating", DOMAIN_RUNNING, true, true },
        { "paused", DOMAIN_PAUSED, false, true },
        { "shutting down", DOMAIN_STOPPING, false, true },
    };
    Agent *agent = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        fakeagent_web(agent)->state = rows[i].state;
        fakeagent_web(agent)->has_job = rows[i].has_job;
        if (sample_of(agent).is_still != rows[i].want)
            fail_msg("%s: not %d", rows[i].when, rows[i].want);
    }
}

static void
the_age_of_what_a_guest_said_is_told(void **state)
{
    static const struct {
        const char *when;
        uint64_t said_s;
        uint64_t wall_us;
        uint64_t want;
    } rows[] = {
        { "just now", 100, 100000000, 0 },
        { "a while ago", 100, 107500000, 7500000 },
        { "a moment ahead", 100, 98500000, 0 },
        { "before the clock was set back", 100, 97999999, U },
        { "never", 0, 100000000, U },
        { "not told", U, 100000000, U },
        { "at the end of time", U - 1, 100000000, U },
    };
    Agent *agent = *state;

    define(fakeagent_web(agent), "", "<memballoon model='virtio'><stats period='7'/></memballoon>");
    fakeagent_web(agent)->guest = (GuestStats){ 1, 2, 3, 4, 5, 6, 7 };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        DomainSample sample;

        fakeagent_web(agent)->guest_stats_s = rows[i].said_s;
        sample = gather_sample(agent, fakeagent_web(agent), rows[i].wall_us);
        if (sample.guest_age_us != rows[i].want)
            fail_msg("%s: %" PRIu64, rows[i].when, sample.guest_age_us);
        assert_int_equal(sample.guest_period_us, 7000000);
        assert_true(sample.guest_usable_bytes == (rows[i].want == U ? U : 2));
    }
    fakeagent_web(agent)->guest_stats_s = 1;
    assert_int_equal(sample_of(agent).guest_available_bytes, 1);
    assert_int_equal(sample_of(agent).guest_unused_bytes, 3);
    assert_int_equal(sample_of(agent).guest_caches_bytes, 4);
    assert_int_equal(sample_of(agent).guest_swap_in_bytes, 5);
    assert_int_equal(sample_of(agent).guest_swap_out_bytes, 6);
    assert_int_equal(sample_of(agent).guest_major_faults, 7);
    define(fakeagent_web(agent), "", "<memballoon model='virtio'/>");
    assert_int_equal(sample_of(agent).guest_period_us, 0);
}

static void
make_cgroup(Agent *agent, const char *folder)
{
    static const struct {
        const char *name;
        const char *text;
    } files[] = {
        { "memory.current", "1000\n" },
        { "memory.stat", "active_file 10\ninactive_file 20\nworkingset_refault_anon 3\n"
                         "workingset_refault_file 4\n" },
        { "memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\n" },
        { "memory.high", "max\n" },
        { "memory.events", "low 1\nhigh 5\nmax 6\noom 4\noom_kill 3\n" },
    };
    FakeRoot *root = fakeagent_root(agent);

    fakeroot_write(root, "proc/42/cgroup", "0::/" GROUP "libvirt/emulator\n");
    fakeroot_write(root, "sys/fs/cgroup/cgroup.controllers", "memory\n");
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_strconcat(folder, files[i].name, NULL);

        fakeroot_write(root, path, "%s", files[i].text);
    }
}

static void
cgroups_are_read_only_if_reclaim_is_configured(void **state)
{
    static const struct {
        const char *when;
        Enable balloon;
        Enable high;
        bool want;
    } rows[] = {
        { "the default", ENABLE_NO, ENABLE_NO, false },
        { "balloon", ENABLE_YES, ENABLE_NO, true },
        { "balloon observed", ENABLE_OBSERVE, ENABLE_NO, true },
        { "memory.high", ENABLE_NO, ENABLE_YES, true },
        { "memory.high observed", ENABLE_NO, ENABLE_OBSERVE, true },
        { "switched off again", ENABLE_NO, ENABLE_NO, false },
    };
    Agent *agent = *state;

    make_cgroup(agent, V2);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        agent->conf->policy.balloon_enable = rows[i].balloon;
        agent->conf->policy.high_enable = rows[i].high;
        gather_all(agent);
        if ((fakeagent_web(agent)->cgroup.version == CGROUP_V2) != rows[i].want ||
            is_known(sample_of(agent).cgroup_bytes) != rows[i].want)
            fail_msg("%s: version %d", rows[i].when, fakeagent_web(agent)->cgroup.version);
    }
}

static void
figures_of_the_cgroup_are_told_one_by_one(void **state)
{
    Agent *agent = *state;
    DomainSample sample;

    make_cgroup(agent, V2);
    agent->conf->policy.high_enable = ENABLE_YES;
    gather_all(agent);
    sample = sample_of(agent);
    assert_int_equal(sample.cgroup_bytes, 1000);
    assert_int_equal(sample.cgroup_file_bytes, 30);
    assert_int_equal(sample.cgroup_stall_us, 77);
    assert_int_equal(sample.cgroup_refaults, 7);
    assert_true(sample.limit_bytes == LIMIT_NONE);
    assert_int_equal(sample.cgroup_highs, 5);
    assert_int_equal(sample.cgroup_maxes, 6);
    assert_int_equal(sample.cgroup_ooms, 7);
    assert_true(sample.can_limit);
    assert_false(sample.can_reclaim);

    assert_false(sample.reports_free);
    fakeagent_web(agent)->has_xml = fakeagent_web(agent)->xml.balloon_reports_free = true;
    assert_true(sample_of(agent).reports_free);

    fakeroot_write(fakeagent_root(agent), V2 "memory.current", "900\n");
    fakeroot_write(fakeagent_root(agent), V2 "memory.high", "800\n");
    gather_pressed(agent);
    assert_int_equal(sample_of(agent).cgroup_bytes, 900);
    assert_int_equal(sample_of(agent).limit_bytes, 800);
}

static void
a_limit_around_all_domains_counts_only_if_reclaim_is_configured(void **state)
{
    Agent *agent = *state;
    FakeRoot *root = fakeagent_root(agent);
    uint64_t total;

    make_cgroup(agent, V2);
    fakeroot_write(root, "sys/fs/cgroup/machine.slice/memory.current", "10240\n");
    fakeroot_write(root, "sys/fs/cgroup/machine.slice/memory.max", "12288\n");
    fakeroot_write(root, "sys/fs/cgroup/machine.slice/memory.stat",
                   "active_file 100\ninactive_file 200\n");
    gather_all(agent);
    gather_host(agent);
    total = agent->host.mem_total_bytes;
    assert_true(is_known(total) && total > 12288);
    assert_null(agent->partition.bound_path);

    agent->conf->policy.balloon_enable = ENABLE_OBSERVE;
    gather_all(agent);
    gather_host(agent);
    assert_int_equal(agent->host.mem_total_bytes, 12288);
    assert_int_equal(agent->host.mem_available_bytes, 2348);
    assert_string_equal(agent->partition.bound_path, "/machine.slice");

    agent->conf->policy.balloon_enable = ENABLE_NO;
    agent->host_us = LONG_AGO;
    gather_pressed(agent);
    gather_host(agent);
    assert_int_equal(agent->host.mem_total_bytes, total);
}

/* The directory of the system's pid files is there, without one of "web". */
static void
a_process_is_searched_for_unless_the_libvirt_of_the_system_would_name_it(void **unused)
{
    static const struct {
        const char *uri;
        bool is_libvirts;
        bool want;
    } rows[] = {
        { "qemu:///system", true, false },
        { "qemu:///system", false, true },
        { "qemu:///session", true, true },
        { "qemu+unix:///session?socket=/run/user/1000/libvirt/libvirt-sock", true, true },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        void *state;
        Agent *agent;

        fakeagent_setup(&state);
        agent = state;
        fakehost_add_qemu(fakeagent_root(agent));
        fakeroot_write(fakeagent_root(agent), "run/libvirt/qemu/other.pid", "7");
        conf_set(agent->conf, "libvirt", "uri", rows[i].uri, NULL);
        domain_table_add(&agent->domains, FAKEHOST_QEMU_UUID, "web", 1, 0)->is_libvirts =
            rows[i].is_libvirts;
        gather_all(agent);
        if (fakeagent_web(agent)->has_process != rows[i].want)
            fail_msg("%s, %d: %d", rows[i].uri, rows[i].is_libvirts, !rows[i].want);
        fakeagent_teardown(&state);
    }
}

static void
a_cgroup_that_is_gone_is_looked_for_again(void **state)
{
    Agent *agent = *state;

    make_cgroup(agent, V2);
    agent->conf->policy.high_enable = ENABLE_YES;
    gather_all(agent);
    assert_int_equal(fakeagent_web(agent)->cgroup.version, CGROUP_V2);
    fakeroot_remove(fakeagent_root(agent), V2);
    gather_all(agent);
    assert_true(sample_of(agent).cgroup_bytes == U);
    assert_false(sample_of(agent).can_limit);
    make_cgroup(agent, V2);
    gather_all(agent);
    assert_int_equal(sample_of(agent).cgroup_bytes, 1000);
    fakeroot_remove(fakeagent_root(agent), "proc/42"); /* QEMU has ended */
    fakeagent_web(agent)->read_us = LONG_AGO;
    gather_all(agent);
    assert_int_equal(fakeagent_web(agent)->cgroup.version, CGROUP_NONE);
    assert_true(sample_of(agent).cgroup_bytes == U);
}

static void
an_alarm_is_decided_upon_with_fresh_figures_of_cgroups(void **state)
{
    Agent *agent = *state;

    make_cgroup(agent, V2);
    agent->conf->policy.high_enable = ENABLE_OBSERVE;
    gather_all(agent);
    fakeroot_write(fakeagent_root(agent), V2 "memory.current", "1234\n");
    event_memory_alarm(agent, "test", ALARM_MEDIUM);
    assert_int_equal(agent->tick.count, 1);
    assert_int_equal(agent->host.alarm, ALARM_MEDIUM);
    assert_int_equal(g_array_index(agent->tick.samples, DomainSample, 0).cgroup_bytes, 1234);
}

static void
alarms_that_come_in_a_storm_are_few_decisions_on_the_worst(void **state)
{
    Agent *agent = *state;
    uint64_t first_us;

    event_memory_alarm(agent, "test", ALARM_CRITICAL); /* nobody is to give any memory */
    assert_int_equal(agent->tick.count, 0);
    agent->conf->policy.balloon_enable = ENABLE_OBSERVE;
    for (unsigned i = 0; i < 1000; i++)
        event_memory_alarm(agent, "test", i == 500 ? ALARM_CRITICAL : ALARM_LOW);
    assert_int_equal(agent->tick.count, 1); /* at once, of the first */
    assert_int_equal(agent->host.alarm, ALARM_LOW);
    assert_int_equal(event_hub_count(&agent->events, "test").events, 1000);
    first_us = agent->tick.alarmed_us;
    AWAIT(agent->tick.alarm == ALARM_NONE);
    assert_int_equal(agent->host.alarm, ALARM_CRITICAL);
    assert_true(agent->tick.alarmed_us > first_us); /* not by the next regular one */
    tick_decide(agent);
    assert_int_equal(agent->host.alarm, ALARM_NONE);
    agent->closing = true;
    event_memory_alarm(agent, "test", ALARM_CRITICAL);
    assert_int_equal(event_hub_count(&agent->events, "test").events, 1000);
}

static void
pinned_memory_is_left_alone_unless_a_mechanism_is_on_by_name(void **state)
{
    static const struct {
        const char *when;
        MechanismMode balloon;
        MechanismMode high;
        bool is_fixed;
        MechanismMode want_balloon;
        MechanismMode want_high;
    } rows[] = {
        { "nothing is said", MECHANISM_INHERIT, MECHANISM_INHERIT, true, MECHANISM_OFF,
          MECHANISM_OFF },
        { "balloon", MECHANISM_ON, MECHANISM_INHERIT, false, MECHANISM_ON, MECHANISM_OFF },
        { "memory.high", MECHANISM_OBSERVE, MECHANISM_ON, false, MECHANISM_OFF, MECHANISM_ON },
        { "both", MECHANISM_ON, MECHANISM_ON, false, MECHANISM_ON, MECHANISM_ON },
    };
    Agent *agent = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        DomainSample sample = domain_sample_unknown();

        define(fakeagent_web(agent), "", "<hostdev mode='subsystem' type='pci'/>");
        sample.balloon_mode = rows[i].balloon;
        sample.high_mode = rows[i].high;
        gather_hold_pinned(fakeagent_web(agent), &sample);
        if (sample.is_fixed != rows[i].is_fixed || sample.balloon_mode != rows[i].want_balloon ||
            sample.high_mode != rows[i].want_high)
            fail_msg("%s: fixed %d, balloon %u, memory.high %u", rows[i].when, sample.is_fixed,
                     sample.balloon_mode, sample.high_mode);
    }
}

/* The configuration counts memory of the last 300 s, and measures each minute. */
static void
a_working_set_is_told_if_it_is_of_now_and_trusted(void **state)
{
    static const struct {
        const char *when;
        WorkingSetState state;
        uint32_t confidence_bp;
        uint64_t age_s;
        uint64_t bytes;
        const char *memory;
        uint64_t want;
    } rows[] = {
        { "measured", WORKING_SET_MEASURED, 8000, 10, 4000, "", 4000 },
        { "nearly old", WORKING_SET_MEASURED, 8000, 715, 4000, "", 4000 },
        { "old", WORKING_SET_MEASURED, 8000, 725, 4000, "", U },
        { "hardly sure", WORKING_SET_MEASURED, 4999, 10, 4000, "", U },
        { "the guest's own word", WORKING_SET_GUEST, 8000, 10, 4000, "", U },
        { "warming", WORKING_SET_WARMING, 8000, 10, 4000, "", U },
        { "not known", WORKING_SET_MEASURED, 8000, 10, U, "", U },
        { "with QEMU's own memory", WORKING_SET_MEASURED, 8000, 10, 70000 * 1024, "",
          65536 * 1024 },
        { "huge pages", WORKING_SET_MEASURED, 8000, 10, 4000,
          "<memoryBacking><hugepages/></memoryBacking>", U },
    };
    Agent *agent = *state;

    measure_open(agent);
    assert_true(sample_of(agent).working_set_bytes == U);
    fakeagent_web(agent)->working_set = g_new0(WorkingSetReport, 1);
    fakeagent_web(agent)->maximum_bytes = 65536 * 1024;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t have;

        define(fakeagent_web(agent), rows[i].memory, "");
        fakeagent_web(agent)->working_set->state = rows[i].state;
        fakeagent_web(agent)->working_set->confidence_bp = rows[i].confidence_bp;
        fakeagent_web(agent)->working_set->moment_us =
            (uint64_t)g_get_monotonic_time() - rows[i].age_s * G_USEC_PER_SEC;
        fakeagent_web(agent)->working_set->working_set_bytes = rows[i].bytes;
        have = sample_of(agent).working_set_bytes;
        if (have != rows[i].want)
            fail_msg("%s: %" PRIu64, rows[i].when, have);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(memory_that_must_stay_and_balloons_come_from_the_definition),
        ON_HOST(a_domain_is_still_while_anything_else_is_done_to_it),
        ON_HOST(the_age_of_what_a_guest_said_is_told),
        ON_HOST(cgroups_are_read_only_if_reclaim_is_configured),
        ON_HOST(figures_of_the_cgroup_are_told_one_by_one),
        ON_HOST(a_limit_around_all_domains_counts_only_if_reclaim_is_configured),
        cmocka_unit_test(a_process_is_searched_for_unless_the_libvirt_of_the_system_would_name_it),
        ON_HOST(a_cgroup_that_is_gone_is_looked_for_again),
        ON_HOST(an_alarm_is_decided_upon_with_fresh_figures_of_cgroups),
        ON_HOST(alarms_that_come_in_a_storm_are_few_decisions_on_the_worst),
        ON_HOST(pinned_memory_is_left_alone_unless_a_mechanism_is_on_by_name),
        ON_HOST(a_working_set_is_told_if_it_is_of_now_and_trusted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
