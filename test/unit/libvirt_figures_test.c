/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_figures_test.c - libvirt's figures of busy, paused and ordinary domains */
#include "agent/source/libvirt_figures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/virt/stats.h"
#include "test/support/warned.h"

#define UUID "c7a5fdbd-edaf-9455-926a-d65c16db1809"
#define U    VALUE_UNKNOWN

typedef struct {
    DomainTable table;
    Domain *domain;
} Fixture;

static int
setup(void **state)
{
    static const char text[] =
        "<domain type='kvm'><name>web</name><memory unit='KiB'>65536</memory>"
        "<devices><memballoon model='virtio'/></devices></domain>";
    Fixture *fixture = g_new0(Fixture, 1);

    domain_table_init(&fixture->table);
    fixture->domain = domain_table_add(&fixture->table, UUID, "web", 1, 0);
    fixture->domain->has_xml = domain_xml_parse(text, strlen(text), &fixture->domain->xml, NULL);
    assert_true(fixture->domain->has_xml);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    domain_table_done(&((Fixture *)*state)->table);
    g_free(*state);
    return 0;
}

/* A record of a domain whose guest has told something at the second @told_s. */
static VirtStats
record(uint64_t told_s, uint64_t usable_bytes)
{
    VirtStats stats = {
        .uuid = UUID, .maximum_bytes = 4096, .balloon_bytes = 2048, .guest_stats_s = told_s
    };

    guest_stats_clear(&stats.guest);
    stats.guest.usable_bytes = usable_bytes;
    return stats;
}

static void
take_asked(const Fixture *fixture, VirtStats stats, uint64_t asked_us)
{
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(VirtStats));
    VirtStats stranger = record(1, 1);

    strcpy(stranger.uuid, "00000000-0000-4000-8000-000000000000");
    g_array_append_val(all, stranger);
    g_array_append_val(all, stats);
    libvirt_figures_take(&fixture->table, all, asked_us);
}

static void
take(const Fixture *fixture, VirtStats stats)
{
    take_asked(fixture, stats, 20 * US_PER_S);
}

static void
what_a_guest_said_stays_while_it_cannot_be_asked(void **state)
{
    Fixture *fixture = *state;

    take(fixture, record(100, 7));
    take(fixture, record(U, U)); /* in the middle of something */
    assert_int_equal(fixture->domain->guest_stats_s, 100);
    assert_int_equal(fixture->domain->guest.usable_bytes, 7);
    take(fixture, record(101, U)); /* asked, and silent about that */
    assert_int_equal(fixture->domain->guest_stats_s, 101);
    assert_true(fixture->domain->guest.usable_bytes == U);
}

static void
without_a_balloon_there_is_nothing_to_keep(void **state)
{
    Fixture *fixture = *state;

    take(fixture, record(100, 7));
    fixture->domain->xml.balloon = DOMAIN_BALLOON_NONE;
    take(fixture, record(U, U));
    assert_true(fixture->domain->guest_stats_s == U);
    assert_true(fixture->domain->guest.usable_bytes == U);
}

static void
a_job_is_over_when_libvirt_says_so(void **state)
{
    Fixture *fixture = *state;
    VirtStats stats = record(100, 7);

    fixture->domain->has_job = true;
    take(fixture, stats); /* asked before the job began */
    assert_true(fixture->domain->has_job);
    stats.job_over = true;
    take(fixture, stats);
    assert_false(fixture->domain->has_job);
}

static void
a_domain_on_its_way_out_stays_so(void **state)
{
    Fixture *fixture = *state;
    VirtStats stats = record(100, 7);

    stats.paused = true;
    take(fixture, stats);
    assert_int_equal(fixture->domain->state, DOMAIN_PAUSED);
    stats.paused = false;
    take(fixture, stats);
    assert_int_equal(fixture->domain->state, DOMAIN_RUNNING);
    fixture->domain->state = DOMAIN_STOPPING;
    take(fixture, stats);
    assert_int_equal(fixture->domain->state, DOMAIN_STOPPING);
}

static void
an_answer_that_hung_does_not_overwrite_a_younger_one(void **state)
{
    Fixture *fixture = *state;
    VirtStats old = record(100, 7);

    take_asked(fixture, record(110, 8), 2000);
    old.balloon_bytes = 4096;
    take_asked(fixture, old, 1999);
    assert_int_equal(fixture->domain->balloon_bytes, 2048);
    assert_int_equal(fixture->domain->guest_stats_s, 110);
    assert_int_equal(fixture->domain->stats_us, 2000);
    fixture->domain->seen_us = 2500; /* it has started anew since */
    take_asked(fixture, old, 2499);
    assert_int_equal(fixture->domain->balloon_bytes, 2048);
}

static void
a_silent_qemu_is_told_of_once(void **state)
{
    Fixture *fixture = *state;
    VirtStats stats = record(100, 7);
    guint before = warnings;

    stats.silent_ms = 9999; /* a busy host */
    take(fixture, stats);
    assert_int_equal(fixture->domain->silent_us, 0);
    assert_int_equal(warnings, before);
    stats.silent_ms = 10000;
    take(fixture, stats);
    assert_int_not_equal(fixture->domain->silent_us, 0);
    stats.silent_ms = 15000;
    take(fixture, stats);
    assert_int_equal(warnings, before + 1);
    assert_string_equal(last_warning, "web: its QEMU has not answered libvirt for 10 s, so what is "
                                      "known of the domain is old: see 'virsh domcontrol'");
    take(fixture, record(101, 7));
    assert_int_equal(fixture->domain->silent_us, 0);
}

#define ON_DOMAIN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DOMAIN(what_a_guest_said_stays_while_it_cannot_be_asked),
        ON_DOMAIN(without_a_balloon_there_is_nothing_to_keep),
        ON_DOMAIN(a_job_is_over_when_libvirt_says_so),
        ON_DOMAIN(a_domain_on_its_way_out_stays_so),
        ON_DOMAIN(an_answer_that_hung_does_not_overwrite_a_younger_one),
        ON_DOMAIN(a_silent_qemu_is_told_of_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
