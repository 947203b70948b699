/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sampler_test.c - which domain is measured when, and what becomes of it
 *
 * Times are what g_get_monotonic_time() says, so it is replaced by a clock that the tests set
 * forward. It goes on by itself, for the pauses. overhead_read() is wrapped, to hang as it does
 * while a QEMU holds its mappings.
 */
#define _GNU_SOURCE
#include "agent/sampler.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/await.h"
#include "test/support/fakehost.h"

#define START_US      INT64_C(1000000000)
#define SECOND        1000000
#define OWN_PAGE      (UINT64_C(1) << 63 | UINT64_C(1) << 56)
#define GUEST_PAGES   4
#define PAGEMAP_PAGES 0x300
/* Shorter than the times between looks of the tests, and longer than a pause. */
#define SOON_US 800000

typedef struct {
    FakeRoot *root;
    DomainTable domains;
    Sampler sampler;
} Fixture;

static gint64 set_us;   /* what the clock was set to */
static gint64 since_us; /* real time when it was */

/* What measurements wait at; shared with threads, so all under the lock. */
static struct {
    GMutex lock;
    GCond moved;
    bool is_shut;
} door;

bool __real_overhead_read(int dir_fd, const uint64_t *backends, size_t n, Overhead *ret_overhead,
                          GError **error);
bool __wrap_overhead_read(int dir_fd, const uint64_t *backends, size_t n, Overhead *ret_overhead,
                          GError **error);

bool
__wrap_overhead_read(int dir_fd, const uint64_t *backends, size_t n, Overhead *ret_overhead,
                     GError **error)
{
    g_mutex_lock(&door.lock);
    while (door.is_shut)
        g_cond_wait(&door.moved, &door.lock);
    g_mutex_unlock(&door.lock);
    return __real_overhead_read(dir_fd, backends, n, ret_overhead, error);
}

static void
shut_door(bool is_shut)
{
    g_mutex_lock(&door.lock);
    door.is_shut = is_shut;
    g_cond_broadcast(&door.moved);
    g_mutex_unlock(&door.lock);
}

gint64 __real_g_get_monotonic_time(void);
gint64 __wrap_g_get_monotonic_time(void);

gint64
__wrap_g_get_monotonic_time(void)
{
    return set_us + __real_g_get_monotonic_time() - since_us;
}

static void
set_clock(gint64 moment_us)
{
    set_us = moment_us;
    since_us = __real_g_get_monotonic_time();
}

static int
setup(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    set_clock(START_US);
    fixture->root = fakeroot_new();
    domain_table_init(&fixture->domains);
    sampler_init(&fixture->sampler, &fixture->domains);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    Fixture *fixture = *state;

    sampler_done(&fixture->sampler);
    domain_table_done(&fixture->domains);
    fakeroot_free(fixture->root);
    g_free(fixture);
    return 0;
}

/* The pages that a QEMU has for itself, from now on. */
static void
set_pages(Fixture *fixture, int pid, unsigned pages)
{
    g_autofree char *path = g_strdup_printf("proc/%d/pagemap", pid);
    g_autofree uint64_t *words = g_new0(uint64_t, PAGEMAP_PAGES);

    for (unsigned i = 0; i < pages; i++)
        words[0x10 + i] = OWN_PAGE;
    fakeroot_write_bytes(fixture->root, path, words, PAGEMAP_PAGES * sizeof(*words));
}

/* A domain that was first seen at a moment, with a QEMU that has so many pages for itself. */
static Domain *
add_domain(Fixture *fixture, const char *name, uint64_t seen_us, unsigned pages)
{
    int pid = 100 + (int)domain_table_size(&fixture->domains);
    g_autofree char *uuid = fakehost_uuid(pid);
    Domain *domain = domain_table_add(&fixture->domains, uuid, name, pid, seen_us);
    g_autofree char *maps = g_strdup_printf("proc/%d/maps", pid);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    fakehost_add_process(fixture->root, pid, uuid, NULL);
    fakeroot_write(fixture->root, maps,
                   "%" PRIx64 "-%" PRIx64 " rw-p 0 00:00 0 [heap]\n"
                   "%" PRIx64 "-%" PRIx64 " rw-p 0 00:00 0\n",
                   0x10 * page, 0x110 * page, 0x200 * page, (0x200 + GUEST_PAGES) * page);
    set_pages(fixture, pid, pages);
    domain->has_process = process_find(
        fakeroot_fd(fixture->root), &(ProcessWanted){ name, uuid, false }, &domain->process, NULL);
    assert_true(domain->has_process);
    domain->has_xml = true;
    domain->xml.n_backends = 1;
    domain->xml.backends = g_new(uint64_t, 1);
    domain->xml.backends[0] = GUEST_PAGES * page;
    return domain;
}

static uint64_t
pages_of(const Domain *domain)
{
    return is_known(domain->overhead.bytes)
               ? domain->overhead.bytes / (uint64_t)sysconf(_SC_PAGESIZE)
               : VALUE_UNKNOWN;
}

/* Whether something happens by itself within the next seconds. */
static bool
is_active(const Sampler *sampler)
{
    GSource *timer =
        sampler->timer != 0 ? g_main_context_find_source_by_id(NULL, sampler->timer) : NULL;

    return sampler->current ||
           (timer && g_source_get_ready_time(timer) < g_source_get_time(timer) + SOON_US);
}

/* Lets the loop turn until all that is due is measured. */
static void
finish(Fixture *fixture)
{
    AWAIT(!is_active(&fixture->sampler));
}

static void
run_at(Fixture *fixture, gint64 moment_us)
{
    set_clock(moment_us);
    sampler_run(&fixture->sampler);
    finish(fixture);
}

static void
a_domain_is_measured_soon_after_a_minute_and_every_five(void **state)
{
    static const struct {
        const char *when;
        unsigned second;
        unsigned tries;
    } rows[] = {
        { "just seen", 0, 0 },          { "almost", 1, 0 },
        { "after two seconds", 2, 1 },  { "not again at once", 3, 1 },
        { "before a minute", 61, 1 },   { "after a minute", 62, 2 },
        { "before five more", 361, 2 }, { "after five more", 362, 3 },
        { "much later", 5000, 4 },      { "before five more again", 5299, 4 },
    };
    Fixture *fixture = *state;
    gint64 start_us = START_US;
    const Domain *domain = add_domain(fixture, "web", START_US, 7);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        run_at(fixture, start_us + (gint64)rows[i].second * SECOND);
        if (domain->overhead.tries != rows[i].tries)
            fail_msg("%s: %u tries, want %u", rows[i].when, domain->overhead.tries, rows[i].tries);
    }
    assert_int_equal(pages_of(domain), 7);
    assert_in_range(domain->overhead.measured_us, start_us + INT64_C(5000) * SECOND,
                    start_us + INT64_C(5010) * SECOND);
}

static void
the_peak_stays_when_it_shrinks(void **state)
{
    Fixture *fixture = *state;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const Domain *domain = add_domain(fixture, "web", 0, 7);
    gint64 start_us = START_US;

    run_at(fixture, start_us);
    set_pages(fixture, 100, 90);
    run_at(fixture, start_us + INT64_C(400) * SECOND);
    assert_int_equal(pages_of(domain), 90);
    set_pages(fixture, 100, 20);
    run_at(fixture, start_us + INT64_C(800) * SECOND);
    assert_int_equal(pages_of(domain), 20);
    assert_int_equal(domain->overhead.peak_bytes, 90 * page);
}

static void
all_that_are_due_are_measured_one_after_the_other(void **state)
{
    Fixture *fixture = *state;
    const Domain *domains[20];
    g_autofree char *name = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(domains); i++) {
        g_free(name);
        name = g_strdup_printf("d%u", i);
        domains[i] = add_domain(fixture, name, 0, i);
    }
    run_at(fixture, START_US);
    for (unsigned i = 0; i < G_N_ELEMENTS(domains); i++)
        if (pages_of(domains[i]) != i)
            fail_msg("domain %u: %" PRIu64 " pages", i, pages_of(domains[i]));
}

static void
the_one_that_is_due_for_longest_is_first(void **state)
{
    Fixture *fixture = *state;
    const Domain *young = add_domain(fixture, "young", 20, 1);
    const Domain *old = add_domain(fixture, "old", 10, 1);

    sampler_run(&fixture->sampler);
    assert_int_equal(old->overhead.tries, 1);
    assert_int_equal(young->overhead.tries, 0);
    finish(fixture);
}

static void
a_domain_without_process_or_definition_is_not_due(void **state)
{
    Fixture *fixture = *state;
    Domain *no_xml = add_domain(fixture, "no definition", 0, 1);
    Domain *no_process = add_domain(fixture, "no process", 0, 1);

    no_xml->has_xml = false;
    process_done(&no_process->process);
    no_process->has_process = false;
    run_at(fixture, START_US);
    assert_int_equal(no_xml->overhead.tries, 0);
    assert_int_equal(no_process->overhead.tries, 0);
    no_xml->has_xml = true; /* what hangs there is freed with the domain */
}

static void
what_cannot_be_measured_keeps_its_last_figures_and_waits_its_turn(void **state)
{
    Fixture *fixture = *state;
    const Domain *domain = add_domain(fixture, "web", 0, 7);
    gint64 start_us = START_US;

    run_at(fixture, start_us);
    fakeroot_remove(fixture->root, "proc/100/pagemap");
    run_at(fixture, start_us + INT64_C(400) * SECOND);
    assert_int_equal(domain->overhead.tries, 2);
    assert_int_equal(pages_of(domain), 7);
    assert_in_range(domain->overhead.measured_us, start_us, start_us + 10 * SECOND);
}

static void
a_process_that_has_exited_stays_unknown(void **state)
{
    Fixture *fixture = *state;
    const Domain *domain = add_domain(fixture, "web", 0, 7);

    fakeroot_remove(fixture->root, "proc/100");
    run_at(fixture, START_US);
    assert_int_equal(domain->overhead.tries, 1);
    assert_true(domain->overhead.bytes == VALUE_UNKNOWN);
    assert_true(domain->overhead.peak_bytes == VALUE_UNKNOWN);
}

static void
what_comes_for_a_domain_that_ended_or_started_anew_is_dropped(void **state)
{
    Fixture *fixture = *state;
    Domain *domain = add_domain(fixture, "web", 0, 7);
    g_autofree char *uuid = g_strdup(domain->uuid);

    sampler_run(&fixture->sampler);
    domain = domain_table_add(&fixture->domains, uuid, "web", 2, START_US);
    finish(fixture);
    assert_true(domain->overhead.bytes == VALUE_UNKNOWN);

    set_clock(START_US + INT64_C(10) * SECOND);
    add_domain(fixture, "other", 0, 7);
    sampler_run(&fixture->sampler);
    assert_non_null(fixture->sampler.current);
    domain_table_remove(&fixture->domains, "11111111-2222-3333-4444-000000000101");
    finish(fixture);
}

static void
one_that_hangs_keeps_no_other_from_being_measured(void **state)
{
    Fixture *fixture = *state;
    gint64 start_us = START_US;
    Domain *stuck = add_domain(fixture, "stuck", 0, 7);
    const Domain *other;

    shut_door(true);
    sampler_run(&fixture->sampler);
    other = add_domain(fixture, "other", 1, 8);
    set_clock(start_us + INT64_C(29) * SECOND);
    sampler_run(&fixture->sampler);
    assert_int_equal(other->overhead.tries, 0);
    set_clock(start_us + INT64_C(31) * SECOND);
    sampler_run(&fixture->sampler);
    assert_int_equal(other->overhead.tries, 1);
    assert_true(stuck->overhead.is_held_up);
    set_clock(start_us + INT64_C(1000) * SECOND);
    sampler_run(&fixture->sampler); /* the other one is late too; none is begun twice */
    assert_int_equal(stuck->overhead.tries, 1);
    assert_int_equal(fixture->sampler.tickets->len, 2);
    shut_door(false);
    AWAIT(fixture->sampler.tickets->len == 0);
    assert_int_equal(pages_of(stuck), 7);
    assert_int_equal(pages_of(other), 8);
    run_at(fixture, start_us + INT64_C(2000) * SECOND);
    assert_int_equal(stuck->overhead.tries, 2);
}

static void
it_can_end_while_one_hangs(void **state)
{
    Fixture *fixture = *state;

    add_domain(fixture, "web", 0, 7);
    shut_door(true);
    sampler_run(&fixture->sampler);
    set_clock(START_US + INT64_C(31) * SECOND);
    sampler_run(&fixture->sampler);
    sampler_done(&fixture->sampler);
    shut_door(false);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

static void
it_can_end_while_it_measures_and_while_it_pauses(void **state)
{
    Fixture *fixture = *state;

    add_domain(fixture, "web", 0, 7);
    sampler_run(&fixture->sampler);
    sampler_done(&fixture->sampler);
    sampler_done(&fixture->sampler);
    sampler_run(&fixture->sampler); /* closed: nothing happens */
    assert_null(fixture->sampler.current);

    sampler_init(&fixture->sampler, &fixture->domains);
    add_domain(fixture, "other", 0, 7);
    sampler_run(&fixture->sampler);
    AWAIT(!fixture->sampler.current);
    assert_true(fixture->sampler.timer != 0);
}

#define ON_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FIXTURE(a_domain_is_measured_soon_after_a_minute_and_every_five),
        ON_FIXTURE(the_peak_stays_when_it_shrinks),
        ON_FIXTURE(all_that_are_due_are_measured_one_after_the_other),
        ON_FIXTURE(the_one_that_is_due_for_longest_is_first),
        ON_FIXTURE(a_domain_without_process_or_definition_is_not_due),
        ON_FIXTURE(what_cannot_be_measured_keeps_its_last_figures_and_waits_its_turn),
        ON_FIXTURE(a_process_that_has_exited_stays_unknown),
        ON_FIXTURE(what_comes_for_a_domain_that_ended_or_started_anew_is_dropped),
        ON_FIXTURE(one_that_hangs_keeps_no_other_from_being_measured),
        ON_FIXTURE(it_can_end_while_one_hangs),
        ON_FIXTURE(it_can_end_while_it_measures_and_while_it_pauses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
