/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measure_test.c - who is measured, and what stands in the way
 *
 * The host is fabricated, the thread that measures is the real one. Whether it hangs is wrapped.
 */
#define _GNU_SOURCE
#include "agent/measure.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/gather.h"
#include "test/support/await.h"
#include "test/support/fakeagent.h"
#include "test/support/fakehost.h"
#include "test/support/warned.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, fakeagent_teardown)
#define GIB           (UINT64_C(1) << 30)
#define MIB           (UINT64_C(1) << 20)
#define ENABLED       "sys/kernel/mm/lru_gen/enabled"
#define LRU_GEN       "sys/kernel/debug/lru_gen"

static uint64_t held_up_key; /* whose step hangs; 0: none */

uint64_t __wrap_rotation_held_up_by(const Rotation *rotation);

uint64_t
__wrap_rotation_held_up_by(const Rotation *rotation)
{
    (void)rotation;
    return held_up_key;
}

static int
setup(void **state)
{
    Agent *agent;

    fakeagent_setup_web(state);
    agent = *state;
    fakeroot_write(fakeagent_root(agent), "proc/42/maps",
                   "7f0000000000-7f0080000000 rw-p 0 0:0 0\n");
    fakeroot_write(fakeagent_root(agent), "sys/fs/cgroup/cgroup.controllers", "memory\n");
    fakeroot_write(fakeagent_root(agent), "proc/42/cgroup",
                   "0::/machine/qemu-1-web.libvirt-qemu/emulator\n");
    return 0;
}

/* What the referenced bits of a process are read from. */
static void
add_pages(Agent *agent)
{
    fakeroot_write(fakeagent_root(agent), "proc/42/smaps",
                   "7f0000000000-7f0040000000 rw-p 0 00:00 0\nRss: 1000 kB\nReferenced: 1 kB\n");
    fakeroot_write(fakeagent_root(agent), "proc/42/clear_refs", " ");
}

/* It has 2000 MiB, and a balloon that tells. */
static void
add_guest(Agent *agent)
{
    static const char text[] =
        "<domain type='qemu'><name>web</name><memory unit='MiB'>2000</memory><devices>"
        "<memballoon model='virtio'><stats period='10'/></memballoon></devices></domain>";
    Domain *domain = fakeagent_web(agent);

    domain_xml_clear(&domain->xml);
    domain->has_xml = domain_xml_parse(text, strlen(text), &domain->xml, NULL);
    assert_true(domain->has_xml);
    domain->maximum_bytes = domain->balloon_bytes = 2000 * MIB;
    domain->guest_stats_s = (uint64_t)g_get_real_time() / G_USEC_PER_SEC;
    domain->guest = (GuestStats){ .available_bytes = 2000 * MIB,
                                  .usable_bytes = 1300 * MIB,
                                  .unused_bytes = 300 * MIB,
                                  .caches_bytes = 1000 * MIB,
                                  .swap_in_bytes = VALUE_UNKNOWN,
                                  .swap_out_bytes = VALUE_UNKNOWN,
                                  .major_faults = VALUE_UNKNOWN };
}

/* Measures until there is a report of the domain. */
static const WorkingSetReport *
measure(Agent *agent)
{
    measure_open(agent);
    gather_all(agent);
    measure_follow(agent);
    AWAIT(fakeagent_web(agent)->working_set);
    return fakeagent_web(agent)->working_set;
}

/* At most a fiftieth less. */
static bool
is_about(uint64_t have, uint64_t want)
{
    return have <= want && have >= want - want / 50;
}

/* Until it is known what it has used within a second: so much of 2000 MiB that are resident. A look
 * that comes late, as on a busy machine, makes it less; then there is another. */
static void
measure_use(Agent *agent, uint64_t used_mib)
{
    fakeroot_write(fakeagent_root(agent), "proc/42/smaps",
                   "7f0000000000-7f0080000000 rw-p 0 00:00 0\nRss: %" PRIu64
                   " kB\nReferenced: %" PRIu64 " kB\n",
                   UINT64_C(2000) * 1024, used_mib * 1024);
    fakeroot_write(fakeagent_root(agent), "proc/42/clear_refs", " ");
    assert_true(conf_set(agent->conf, "working_set", "bins", "1,10", NULL));
    assert_true(conf_set(agent->conf, "working_set", "age", "1", NULL));
    assert_true(conf_set(agent->conf, "working_set", "interval", "1", NULL));
    measure(agent);
    AWAIT(is_about(fakeagent_web(agent)->working_set->working_set_bytes, used_mib * MIB));
}

static void
what_stands_in_the_way_is_told_and_the_next_means_is_used(void **state)
{
    static const struct {
        const char *when;
        FakeFile files[2];
        bool has_pages;
        WorkingSetState want;
        const char *backend;
        const char *reason;
    } rows[] = {
        { "debugfs is not mounted",
          { { ENABLED, "0x0007\n" } },
          true,
          WORKING_SET_WARMING,
          "referenced",
          "lru_gen: " LRU_GEN " may not be used: is debugfs mounted there" },
        { "a form with unknown columns",
          { { ENABLED, "0x0007\n" },
            { LRU_GEN, "memcg 29 /machine/qemu-1-web.libvirt-qemu\n node 0\n"
                       " 1 20 hot 5 6\n" } },
          true,
          WORKING_SET_WARMING,
          "referenced",
          "lru_gen: " LRU_GEN " has another form than expected" },
        { "the cgroup has vanished",
          { { ENABLED, "0x0007\n" }, { LRU_GEN, "memcg     1 /\n node     0\n 0 99 5 5\n" } },
          true,
          WORKING_SET_WARMING,
          "referenced",
          "lru_gen: its memory cgroup is not in" },
        { "DAMON is busy",
          { { "sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds", "1\n" } },
          true,
          WORKING_SET_WARMING,
          "referenced",
          "damon: another program uses DAMON" },
        { "the kernel itself has DAMON",
          { { "sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds", "0\n" },
            { "sys/module/damon_stat/parameters/enabled", "Y\n" } },
          true,
          WORKING_SET_WARMING,
          "referenced",
          "damon: the kernel itself (DAMON_STAT) uses DAMON" },
        { "a kernel with nothing",
          { { NULL, NULL } },
          false,
          WORKING_SET_NONE,
          "none",
          "referenced: its smaps cannot be read; guest: it has told no balloon statistics" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const WorkingSetReport *report;
        Agent *agent;

        if (i > 0) {
            fakeagent_teardown(state);
            setup(state);
        }
        agent = *state;
        for (size_t j = 0; j < G_N_ELEMENTS(rows[i].files); j++)
            if (rows[i].files[j].path)
                fakeroot_write_table(fakeagent_root(agent), &rows[i].files[j], 1);
        if (rows[i].has_pages)
            add_pages(agent);
        report = measure(agent);
        if (report->state != rows[i].want || strcmp(report->backend, rows[i].backend) != 0 ||
            !strstr(report->reason, rows[i].reason))
            fail_msg("%s: %s with %s: %s", rows[i].when, working_set_state_name(report->state),
                     report->backend, report->reason);
        if (!fakeagent_web(agent)->has_process ||
            fakeagent_web(agent)->sample.resident_bytes != 5000 * 4096)
            fail_msg("%s: its other figures have suffered", rows[i].when);
    }
}

static void
what_the_guest_says_is_passed_on(void **state)
{
    Agent *agent = *state;
    const WorkingSetReport *report;

    fakeagent_web(agent)->guest_stats_s = (uint64_t)g_get_real_time() / G_USEC_PER_SEC - 5;
    fakeagent_web(agent)->guest = (GuestStats){ .available_bytes = 4 * GIB,
                                                .usable_bytes = 3 * GIB,
                                                .unused_bytes = 2 * GIB,
                                                .caches_bytes = GIB,
                                                .swap_in_bytes = 0,
                                                .major_faults = 7 };
    report = measure(agent);
    assert_int_equal(report->state, WORKING_SET_GUEST);
    assert_true(report->working_set_bytes == GIB);
    assert_true(report->guest.unused_bytes == 2 * GIB && report->guest.major_faults == 7);
    assert_true(report->guest.disk_caches_bytes == GIB && report->guest.swap_in_bytes == 0);
    assert_in_range((uint64_t)g_get_monotonic_time() - report->moment_us, 5 * G_USEC_PER_SEC,
                    30 * G_USEC_PER_SEC);
}

/* Nothing else works, and the guest boots: it tells of itself later. */
static void
a_guest_that_begins_to_tell_is_heard_at_once(void **state)
{
    Agent *agent = *state;

    assert_int_equal(measure(agent)->state, WORKING_SET_NONE);
    fakeagent_web(agent)->guest_stats_s = (uint64_t)g_get_real_time() / G_USEC_PER_SEC;
    fakeagent_web(agent)->guest =
        (GuestStats){ .available_bytes = 4 * GIB, .usable_bytes = 3 * GIB };
    measure_follow(agent);
    AWAIT(fakeagent_web(agent)->working_set->state != WORKING_SET_NONE);
    assert_int_equal(fakeagent_web(agent)->working_set->state, WORKING_SET_GUEST);
}

/* However often it is looked at. */
static void
a_word_has_one_moment(void **state)
{
    uint64_t wall_s = (uint64_t)g_get_real_time() / G_USEC_PER_SEC;
    Agent *agent = *state;
    uint64_t told_us;

    add_pages(agent);
    fakeagent_web(agent)->guest_stats_s = wall_s - 5;
    measure(agent);
    told_us = fakeagent_web(agent)->told_us;
    assert_in_range((uint64_t)g_get_monotonic_time() - told_us, 5 * G_USEC_PER_SEC,
                    30 * G_USEC_PER_SEC);
    for (unsigned i = 0; i < 5; i++) {
        g_usleep(2000);
        measure_follow(agent);
        assert_true(fakeagent_web(agent)->told_us == told_us);
    }
    fakeagent_web(agent)->guest_stats_s = wall_s - 2;
    measure_follow(agent);
    assert_in_range(fakeagent_web(agent)->told_us - told_us, 2 * G_USEC_PER_SEC,
                    4 * G_USEC_PER_SEC);
}

static void
only_domains_that_run_are_measured(void **state)
{
    Agent *agent = *state;
    uint64_t key = fakeagent_web(agent)->key;

    add_pages(agent);
    measure(agent);
    assert_true(rotation_has(agent->measure.rotation, key));
    measure_follow(agent);
    assert_true(rotation_has(agent->measure.rotation, key));
    fakeagent_web(agent)->has_xml = true;
    fakeagent_web(agent)->xml.huge_bytes = GIB;
    measure_follow(agent);
    assert_false(rotation_has(agent->measure.rotation, key));
    assert_null(fakeagent_web(agent)->working_set);
    fakeagent_web(agent)->xml.huge_bytes = 0;
    measure_follow(agent);
    assert_true(rotation_has(agent->measure.rotation, key));
    domain_table_remove(&agent->domains, FAKEHOST_QEMU_UUID);
    measure_follow(agent);
    assert_false(rotation_has(agent->measure.rotation, key));
}

static void
nothing_is_measured_in_mode_off_or_if_it_is_not_wanted(void **state)
{
    Agent *agent = *state;
    uint64_t key = fakeagent_web(agent)->key;

    agent->conf->working_set = false;
    measure_open(agent);
    assert_null(agent->measure.rotation);
    measure_follow(agent);
    agent->conf->working_set = true;
    add_pages(agent);
    measure(agent);
    agent->conf->policy.mode = KSM_MODE_OBSERVE;
    measure_follow(agent);
    assert_true(rotation_has(agent->measure.rotation, key));
    assert_non_null(fakeagent_web(agent)->working_set);
    agent->conf->policy.mode = KSM_MODE_OFF;
    measure_follow(agent);
    assert_false(rotation_has(agent->measure.rotation, key));
    assert_null(fakeagent_web(agent)->working_set);
}

/* From the files of the kernel to what policy decides: of 2000 MiB that the guest has, it tells
 * that it needs 700 and a quarter of 1000 of caches; what was marked is more, less, or not to be
 * had. */
static void
what_is_measured_changes_what_is_decided(void **state)
{
    static const struct {
        const char *when;
        uint64_t used_mib;      /* 0: there are no means */
        uint64_t want_need_mib; /* with a fifth of headroom */
    } rows[] = {
        { "the guest alone", 0, 1140 },
        { "caches that it does not use", 300, 840 },
        { "caches that it uses", 1400, 1680 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        PolicyConf conf;
        PolicyState policy;
        DomainTrack track = { 0 };
        DomainPlan part;
        Plan plan = { .domains = &part };
        DomainSample domain;
        Sample sample = { host_sample_unknown(), &domain, 1 };
        Agent *agent;

        if (i > 0) {
            fakeagent_teardown(state);
            setup(state);
        }
        agent = *state;
        add_guest(agent);
        if (rows[i].used_mib > 0)
            measure_use(agent, rows[i].used_mib);
        domain = gather_sample(agent, fakeagent_web(agent), (uint64_t)g_get_real_time());
        sample.host.now_us = (uint64_t)g_get_monotonic_time();
        policy_conf_default(&conf);
        conf.balloon_enable = ENABLE_OBSERVE;
        policy_init(&policy);
        policy.domains = &track;
        policy_decide(&conf, &sample, &policy, &plan);
        if (is_known(domain.working_set_bytes) != (rows[i].used_mib > 0) ||
            !is_about(part.need_bytes, rows[i].want_need_mib * MIB))
            fail_msg("%s: needs %" PRIu64 " MiB", rows[i].when, part.need_bytes / MIB);
    }
}

static void
who_holds_measuring_up_is_told_once(void **state)
{
    Agent *agent = *state;

    add_pages(agent);
    held_up_key = fakeagent_web(agent)->key;
    measure(agent);
    measure_follow(agent);
    assert_int_equal(warnings, 1);
    assert_string_equal(last_warning, "web: looking at its memory takes too long: no working set "
                                      "is measured until that ends");
    held_up_key = 0;
    measure_follow(agent);
    held_up_key = 1000; /* of a start that is gone */
    measure_follow(agent);
    assert_int_equal(warnings, 2);
    assert_non_null(strstr(last_warning, "a domain that has ended"));
    held_up_key = 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(what_stands_in_the_way_is_told_and_the_next_means_is_used),
        ON_HOST(what_the_guest_says_is_passed_on),
        ON_HOST(a_guest_that_begins_to_tell_is_heard_at_once),
        ON_HOST(a_word_has_one_moment),
        ON_HOST(only_domains_that_run_are_measured),
        ON_HOST(nothing_is_measured_in_mode_off_or_if_it_is_not_wanted),
        ON_HOST(what_is_measured_changes_what_is_decided),
        ON_HOST(who_holds_measuring_up_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
