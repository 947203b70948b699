/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set_damon_test.c - monitors that are set up, read and given back, and never taken */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/fakedamon.h"

#define S     FAKETARGET_S
#define ADMIN FAKEDAMON_ADMIN
#define ZERO  ADMIN "0/"
#define ONE   ADMIN "1/"

static void
a_monitor_is_set_up_for_the_process_and_counts_only(void **unused)
{
    g_autoptr(FakeTarget) fake = fakedamon_new();
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_damon.open(&fake->target, &state, NULL));
    fakedamon_expect(fake, ADMIN "nr_kdamonds", "61");
    fakedamon_expect(fake, ZERO "contexts/0/operations", "vaddr");
    fakedamon_expect(fake, ZERO "contexts/0/targets/0/pid_target", "42");
    fakedamon_expect(fake, ZERO "contexts/0/monitoring_attrs/intervals/sample_us", "100000");
    fakedamon_expect(fake, ZERO "contexts/0/schemes/nr_schemes", "4");
    fakedamon_expect(fake, ZERO "contexts/0/schemes/3/action", "stat");
    /* In use; and not used for 1 to 10 s, in aggregations of half a second. */
    fakedamon_expect(fake, ZERO "contexts/0/schemes/0/access_pattern/nr_accesses/min", "1");
    fakedamon_expect(fake, ZERO "contexts/0/schemes/2/access_pattern/nr_accesses/max", "0");
    fakedamon_expect(fake, ZERO "contexts/0/schemes/2/access_pattern/age/min", "2");
    fakedamon_expect(fake, ZERO "contexts/0/schemes/2/access_pattern/age/max", "19");
    fakedamon_expect(fake, ZERO "state", "on");
    assert_null(strstr(fake->log->str, "pageout"));
    g_string_truncate(fake->log, 0);
    working_set_damon.close(state, &fake->target);
    assert_string_equal(fake->log->str,
                        ZERO "state=off;" ZERO "contexts/nr_contexts=0;" ADMIN "nr_kdamonds=0;");
}

static void
regions_are_counted_up_to_what_the_monitor_has_lived_through(void **unused)
{
    static const struct {
        const char *when;
        uint64_t lived_us;
        uint64_t want[4]; /* of 400 KiB that are resident */
        uint64_t horizon_us;
    } rows[] = {
        { "two seconds", 2 * S, { 60, 0, 0, 340 }, S },
        { "a quarter of a minute", 15 * S, { 60, 30, 0, 310 }, 10 * S },
        { "a minute", 60 * S, { 60, 30, 300, 10 }, 60 * S },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = fakedamon_new();
        WorkingSetReading readings[2] = { 0 };
        gpointer state = NULL;

        assert_true(working_set_damon.open(&fake->target, &state, NULL));
        assert_true(working_set_damon.step(state, &fake->target, 100 * S, &readings[0], NULL));
        fakedamon_count(fake, 0, 40);
        fakedamon_count(fake, 1, 20);
        fakedamon_count(fake, 2, 30);
        fakedamon_count(fake, 3, 300);
        fakeroot_write(fake->root, "proc/77/schedstat", "9000000 1 1\n");
        assert_true(working_set_damon.step(state, &fake->target, 100 * S + rows[i].lived_us,
                                           &readings[1], NULL));
        faketarget_expect_bins(rows[i].when, &readings[1], 0, rows[i].want);
        if (readings[1].horizon_us != rows[i].horizon_us)
            fail_msg("%s: horizon %" PRIu64, rows[i].when, readings[1].horizon_us);
        assert_int_equal(readings[1].other_cpu_us, 4000);
        fakedamon_expect(fake, ZERO "state", "update_schemes_tried_bytes");
        working_set_damon.close(state, &fake->target);
    }
}

static void
holes_are_not_counted(void **unused)
{
    g_autoptr(FakeTarget) fake = fakedamon_new();
    static const uint64_t want[4] = { 40, 0, 360, 0 };
    WorkingSetReading readings[2] = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_damon.open(&fake->target, &state, NULL));
    assert_true(working_set_damon.step(state, &fake->target, S, &readings[0], NULL));
    fakedamon_count(fake, 0, 40);
    fakedamon_count(fake, 3, 1000000);
    assert_true(working_set_damon.step(state, &fake->target, 99 * S, &readings[1], NULL));
    faketarget_expect_bins("a large hole", &readings[1], 0, want);
    working_set_damon.close(state, &fake->target);
}

static void
two_domains_have_a_monitor_each(void **unused)
{
    g_autoptr(FakeTarget) fake = fakedamon_new();
    gpointer first = NULL;
    gpointer second = NULL;
    (void)unused;

    assert_true(working_set_damon.open(&fake->target, &first, NULL));
    assert_true(working_set_damon.open(&fake->target, &second, NULL));
    fakedamon_expect(fake, ONE "state", "on");
    g_string_truncate(fake->log, 0);
    working_set_damon.close(first, &fake->target);
    assert_null(strstr(fake->log->str, "nr_kdamonds"));
    working_set_damon.close(second, &fake->target);
    fakedamon_expect(fake, ADMIN "nr_kdamonds", "0");
}

static void
says_why_it_cannot_be_used(void **unused)
{
    static const struct {
        const char *when;
        const char *path, *text; /* what is different; NULL: no such file */
        const char *why;
    } rows[] = {
        { "another program has one", ADMIN "nr_kdamonds", "1\n", "another program uses DAMON" },
        { "the kernel itself", "sys/module/damon_lru_sort/parameters/enabled", "Y\n",
          "the kernel itself (DAMON_LRU_SORT) uses DAMON" },
        { "an old kernel", ADMIN "nr_kdamonds", NULL, "no DAMON with files in sysfs" },
        { "physical addresses alone", ZERO "contexts/0/avail_operations", "paddr\n",
          "does not monitor virtual addresses: by physical ones" },
        { "no state", ZERO "state", NULL, "state of a monitor" },
        { "no such setting", ZERO "contexts/0/targets/0/pid_target", NULL, "pid_target" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = fakedamon_new();

        if (rows[i].text)
            fakeroot_write(fake->root, rows[i].path, "%s", rows[i].text);
        else
            fakeroot_remove(fake->root, rows[i].path);
        faketarget_expect_refusal(rows[i].when, fake, &working_set_damon, rows[i].why);
        assert_int_equal(fake->host.damon_slots, 0);
        if (i < 3) /* not ours to touch */
            assert_string_equal(fake->log->str, "");
        else
            assert_true(g_str_has_suffix(fake->log->str, ADMIN "nr_kdamonds=0;"));
    }
}

static void
what_a_killed_agent_has_left_is_taken_over(void **unused)
{
    g_autoptr(FakeTarget) fake = fakedamon_new();
    gpointer state = NULL;
    (void)unused;

    fakeroot_write(fake->root, ADMIN "nr_kdamonds", "61\n");
    fakeroot_write(fake->root, ZERO "state", "on\n");
    assert_true(working_set_damon.open(&fake->target, &state, NULL));
    assert_true(g_str_has_prefix(fake->log->str, ZERO "state=off;"));
    working_set_damon.close(state, &fake->target);
}

static void
what_a_killed_agent_has_left_is_given_back(void **unused)
{
    static const char both[] = ZERO "state=off;" ONE "state=off;" ADMIN "nr_kdamonds=0;";
    static const struct {
        const char *when;
        const char *monitors;
        const char *first;   /* state of the first; the second runs */
        const char *refused; /* NULL: all is taken */
        int code;
        const char *log;
        bool works;
    } rows[] = {
        { "one runs", "61\n", "off\n", NULL, 0, ONE "state=off;" ADMIN "nr_kdamonds=0;", true },
        { "both do", "61\n", "on\n", NULL, 0, both, true },
        { "one ends by itself meanwhile", "61\n", "on\n", ZERO "state=off", EINVAL, both, true },
        { "they cannot be given back", "61\n", "on\n", ADMIN "nr_kdamonds=0", EBUSY, both, false },
        { "another program's", "2\n", "on\n", NULL, 0, "", true },
        { "nobody's", "0\n", "on\n", NULL, 0, "", true },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = fakedamon_new();
        g_autoptr(GError) error = NULL;

        fakeroot_write(fake->root, ADMIN "nr_kdamonds", "%s", rows[i].monitors);
        fakeroot_write(fake->root, ZERO "state", "%s", rows[i].first);
        fakeroot_write(fake->root, ONE "state", "on\n");
        faketarget_refuse(fake, rows[i].refused, rows[i].code);
        if (working_set_give_back(fakeroot_fd(fake->root), &error) != rows[i].works ||
            strcmp(fake->log->str, rows[i].log) != 0)
            fail_msg("%s: \"%s\"", rows[i].when, fake->log->str);
        assert_true(rows[i].works == (error == NULL));
    }
}

static void
what_a_monitor_has_stays_while_it_runs(void **unused)
{
    g_autoptr(FakeTarget) fake = fakedamon_new();
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_damon.open(&fake->target, &state, NULL));
    faketarget_refuse(fake, ZERO "state=off", EINVAL);
    g_string_truncate(fake->log, 0);
    working_set_damon.close(state, &fake->target);
    assert_string_equal(fake->log->str, ZERO "state=off;" ADMIN "nr_kdamonds=0;");
}

/* The process has ended, and its monitor with it. */
static void
monitors_of_a_program_that_has_come_since_are_left_alone(void **unused)
{
    g_autoptr(FakeTarget) fake = fakedamon_new();
    g_autoptr(GError) error = NULL;
    WorkingSetReading reading = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_damon.open(&fake->target, &state, NULL));
    fakeroot_write(fake->root, ADMIN "nr_kdamonds", "2\n");
    g_string_truncate(fake->log, 0);
    working_set_damon.close(state, &fake->target);
    assert_string_equal(fake->log->str, "");
    assert_int_equal(fake->host.damon_slots, 0);

    fakeroot_write(fake->root, ADMIN "nr_kdamonds", "0\n");
    assert_true(working_set_damon.open(&fake->target, &state, NULL));
    fakeroot_write(fake->root, ADMIN "nr_kdamonds", "2\n");
    g_string_truncate(fake->log, 0);
    assert_false(working_set_damon.step(state, &fake->target, S, &reading, &error));
    assert_non_null(strstr(error->message, "another program uses DAMON"));
    assert_string_equal(fake->log->str, "");
    working_set_damon.close(state, &fake->target);
}

static void
a_kernel_that_does_not_tell_bytes_ends_it(void **unused)
{
    g_autoptr(FakeTarget) fake = fakedamon_new();
    g_autoptr(GError) error = NULL;
    WorkingSetReading reading = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_damon.open(&fake->target, &state, NULL));
    assert_true(working_set_damon.step(state, &fake->target, S, &reading, NULL));
    faketarget_refuse(fake, "*=update*", EINVAL);
    assert_false(working_set_damon.step(state, &fake->target, 2 * S, &reading, &error));
    assert_non_null(strstr(error->message, "Invalid argument"));
    working_set_damon.close(state, &fake->target);
}

/* The others have all the slots but the second and those from @domains on. */
static void
add_others(FakeTarget *fake, unsigned domains)
{
    for (unsigned slot = 2; slot <= domains; slot++)
        fake->host.damon_slots |= UINT64_C(1) << slot;
}

static void
monitors_of_many_domains_sample_less_often(void **unused)
{
    static const struct {
        const char *when;
        unsigned domains;
        uint64_t share_bp;
        const char *sample_us; /* NULL: it is not measured in this way */
        const char *why;       /* part of the reason */
    } rows[] = {
        { "one", 1, 50, "100000", NULL },
        { "two", 2, 50, "100000", NULL },
        { "three", 3, 50, "200000", NULL },
        { "ten", 10, 50, "400000", NULL },
        { "forty, each asked within 16 s", 40, 50, "1600000", NULL },
        { "one more, each within 32 s", 41, 50, NULL, "tell too late" },
        { "sixty, and a large budget", 60, 200, "800000", NULL },
        { "a tight budget", 3, 1, "6400000", NULL },
        { "a tighter budget", 4, 1, NULL, "cannot keep to [working_set] budget" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = fakedamon_new();
        g_autoptr(GError) error = NULL;
        gpointer state = NULL;
        bool opened;

        fakeroot_write(fake->root, ADMIN "nr_kdamonds", "61\n");
        fake->host.share_bp = rows[i].share_bp;
        fake->host.age_us = 300 * S; /* as usual: 12 minutes are fresh */
        add_others(fake, rows[i].domains);
        opened = working_set_damon.open(&fake->target, &state, &error);
        if (opened != (rows[i].sample_us != NULL))
            fail_msg("%s: %s", rows[i].when, opened ? "opened" : error->message);
        if (!opened) {
            if (!rows[i].why || !strstr(error->message, rows[i].why))
                fail_msg("%s: %s", rows[i].when, error->message);
            continue;
        }
        fakedamon_expect(fake, ZERO "contexts/0/monitoring_attrs/intervals/sample_us",
                         rows[i].sample_us);
        working_set_damon.close(state, &fake->target);
    }
}

static void
a_monitor_begins_anew_when_there_are_more(void **unused)
{
    g_autoptr(FakeTarget) fake = fakedamon_new();
    WorkingSetReading readings[4] = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_damon.open(&fake->target, &state, NULL));
    assert_true(working_set_damon.step(state, &fake->target, S, &readings[0], NULL));
    assert_true(working_set_damon.step(state, &fake->target, 70 * S, &readings[1], NULL));
    assert_int_equal(readings[1].horizon_us, 60 * S);
    add_others(fake, 10);
    g_string_truncate(fake->log, 0);
    assert_true(working_set_damon.step(state, &fake->target, 80 * S, &readings[2], NULL));
    assert_false(readings[2].has_bins);
    assert_true(g_str_has_prefix(fake->log->str, ZERO "state=off;"));
    fakedamon_expect(fake, ZERO "contexts/0/monitoring_attrs/intervals/sample_us", "400000");
    fakedamon_expect(fake, ZERO "state", "on");
    assert_true(working_set_damon.step(state, &fake->target, 95 * S, &readings[3], NULL));
    assert_int_equal(readings[3].horizon_us, 10 * S);
    working_set_damon.close(state, &fake->target);
}

static void
a_monitor_that_takes_more_than_its_share_samples_less_often(void **unused)
{
    static const struct {
        const char *when;
        unsigned others;       /* domains beside it */
        uint64_t after_us;     /* its first step */
        const char *schedstat; /* of its thread then; it was 5 ms at first */
        const char *sample_us; /* at which it begins anew; NULL: it goes on */
    } rows[] = {
        { "half a percent of a minute", 0, 60 * S, "305000000 1 1\n", NULL },
        { "more than that", 0, 60 * S, "305001000 1 1\n", "200000" },
        { "half of it for one of two", 1, 60 * S, "155000000 1 1\n", NULL },
        { "more for one of two", 1, 60 * S, "155001000 1 1\n", "200000" },
        { "after seconds nobody knows", 0, 29 * S, "305001000 1 1\n", NULL },
        { "a kernel that does not count", 0, 60 * S, "\n", NULL },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = fakedamon_new();
        WorkingSetReading readings[2] = { 0 };
        gpointer state = NULL;
        bool is_anew;

        assert_true(working_set_damon.open(&fake->target, &state, NULL));
        add_others(fake, rows[i].others > 0 ? rows[i].others + 1 : 0);
        assert_true(working_set_damon.step(state, &fake->target, 100 * S, &readings[0], NULL));
        fakeroot_write(fake->root, "proc/77/schedstat", "%s", rows[i].schedstat);
        g_string_truncate(fake->log, 0);
        assert_true(working_set_damon.step(state, &fake->target, 100 * S + rows[i].after_us,
                                           &readings[1], NULL));
        is_anew = g_str_has_prefix(fake->log->str, ZERO "state=off;");
        if (is_anew != (rows[i].sample_us != NULL) || is_anew == readings[1].has_bins)
            fail_msg("%s: %s", rows[i].when, fake->log->str);
        if (is_anew)
            fakedamon_expect(fake, ZERO "contexts/0/monitoring_attrs/intervals/sample_us",
                             rows[i].sample_us);
        working_set_damon.close(state, &fake->target);
    }
}

static void
what_it_takes_is_added_up_over_steps_that_are_short(void **unused)
{
    g_autoptr(FakeTarget) fake = fakedamon_new();
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_damon.open(&fake->target, &state, NULL));
    for (unsigned i = 0; i <= 4; i++) {
        WorkingSetReading reading = { 0 };

        /* 0.51 % of the time. */
        fakeroot_write(fake->root, "proc/77/schedstat", "%u 1 1\n", 5000000 + i * 51000000);
        assert_true(
            working_set_damon.step(state, &fake->target, 100 * S + i * 10 * S, &reading, NULL));
        if (reading.has_bins != (i == 1 || i == 2 || i == 4))
            fail_msg("step %u has %s bins", i, reading.has_bins ? "" : "no");
    }
    fakedamon_expect(fake, ZERO "contexts/0/monitoring_attrs/intervals/sample_us", "200000");
    working_set_damon.close(state, &fake->target);
}

static void
a_monitor_that_is_too_dear_at_any_interval_fails(void **unused)
{
    g_autoptr(FakeTarget) fake = fakedamon_new();
    g_autoptr(GError) error = NULL;
    gpointer state = NULL;
    bool works = true;
    unsigned steps = 0;
    (void)unused;

    assert_true(working_set_damon.open(&fake->target, &state, NULL));
    for (; works && steps < 20; steps++) {
        WorkingSetReading reading = { 0 };

        /* A new thread after each step, which has had seconds of CPU time since. */
        fakeroot_write(fake->root, "proc/77/schedstat", "%u000000000 1 1\n", steps);
        works = working_set_damon.step(state, &fake->target, 100 * S + steps * 60 * S, &reading,
                                       &error);
    }
    assert_false(works);
    assert_non_null(strstr(error->message, "[working_set] budget"));
    fakedamon_expect(fake, ZERO "contexts/0/monitoring_attrs/intervals/sample_us", "6400000");
    assert_null(strstr(fake->log->str, "intervals/sample_us=12800000"));
    working_set_damon.close(state, &fake->target);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_monitor_is_set_up_for_the_process_and_counts_only),
        cmocka_unit_test(regions_are_counted_up_to_what_the_monitor_has_lived_through),
        cmocka_unit_test(holes_are_not_counted),
        cmocka_unit_test(two_domains_have_a_monitor_each),
        cmocka_unit_test(says_why_it_cannot_be_used),
        cmocka_unit_test(what_a_killed_agent_has_left_is_taken_over),
        cmocka_unit_test(what_a_killed_agent_has_left_is_given_back),
        cmocka_unit_test(what_a_monitor_has_stays_while_it_runs),
        cmocka_unit_test(monitors_of_a_program_that_has_come_since_are_left_alone),
        cmocka_unit_test(a_kernel_that_does_not_tell_bytes_ends_it),
        cmocka_unit_test(monitors_of_many_domains_sample_less_often),
        cmocka_unit_test(a_monitor_begins_anew_when_there_are_more),
        cmocka_unit_test(a_monitor_that_takes_more_than_its_share_samples_less_often),
        cmocka_unit_test(what_it_takes_is_added_up_over_steps_that_are_short),
        cmocka_unit_test(a_monitor_that_is_too_dear_at_any_interval_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
