/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set_test.c - the best backend that works is used, and the report says why not a better */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/faketarget.h"

#define S       FAKETARGET_S

#define MARKS   "proc/42/clear_refs"
#define SMAPS   "proc/42/smaps"
#define LRU_GEN "sys/kernel/debug/lru_gen"
#define ENABLED "sys/kernel/mm/lru_gen/enabled"
#define MEMORY  "7f0000000000-7f0040000000 rw-p 00000000 00:00 0 \n"

static void
add_marks(FakeTarget *fake)
{
    fakeroot_write(fake->root, MARKS, " ");
    fakeroot_write(fake->root, SMAPS, MEMORY "Rss: 400 kB\nReferenced: 100 kB\n");
}

static void
add_generations(FakeTarget *fake)
{
    fakeroot_write(fake->root, ENABLED, "0x0007\n");
    fakeroot_write(fake->root, LRU_GEN, "memcg 29 /vm\n node 0\n 1 9 10 0\n 2 9 0 0\n");
}

static WorkingSetMeter *
meter_of(FakeTarget *fake)
{
    return working_set_meter_new(&fake->host, FAKETARGET_PID, fake->target.dir_fd, "/vm", true);
}

static void
add_word(WorkingSetMeter *meter, uint64_t told_us)
{
    WorkingSetGuest guest = {
        1000, 100, 300, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, told_us
    };

    working_set_meter_set_guest(meter, &guest);
}

static int
take(FakeTarget *fake, const char *path, const char *text)
{
    (void)fake;
    (void)text;
    return g_str_equal(path, LRU_GEN) ? 0 : -1;
}

static void
the_first_that_works_is_used(void **unused)
{
    static const struct {
        const char *when;
        bool has_generations, has_marks, has_word;
        const char *backend;
        WorkingSetState state;
        const char *reason; /* a part of it */
    } rows[] = {
        { "everything", true, true, true, "lru_gen", WORKING_SET_WARMING,
          "page_age: this kernel has no working set reports" },
        { "no generations", false, true, true, "referenced", WORKING_SET_WARMING,
          "; lru_gen: this kernel has no multi-gen LRU; damon: this kernel has no DAMON with files "
          "in "
          "sysfs; idle: this kernel has no idle page tracking" },
        { "the guest alone", false, false, true, "guest", WORKING_SET_GUEST,
          "referenced: its smaps cannot be read" },
        { "nothing", false, false, false, "none", WORKING_SET_NONE,
          "guest: it has told no balloon statistics" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = faketarget_new();
        g_autoptr(WorkingSetMeter) meter = meter_of(fake);
        const WorkingSetReport *report = working_set_meter_report(meter);

        fake->hook = take;
        if (rows[i].has_generations)
            add_generations(fake);
        if (rows[i].has_marks)
            add_marks(fake);
        if (rows[i].has_word)
            add_word(meter, S);
        working_set_meter_step(meter, S);
        if (!g_str_equal(report->backend, rows[i].backend) || report->state != rows[i].state)
            fail_msg("%s: %s, %s", rows[i].when, report->backend,
                     working_set_state_name(report->state));
        if (!strstr(report->reason, rows[i].reason))
            fail_msg("%s: %s", rows[i].when, report->reason);
        assert_true(report->confidence_bp == 0 || report->state == WORKING_SET_GUEST);
        assert_true(report->is_estimate == (report->state == WORKING_SET_GUEST));
    }
}

static void
a_backend_that_fails_is_left_and_tried_again_later(void **unused)
{
    g_autoptr(FakeTarget) fake = faketarget_new();
    g_autoptr(WorkingSetMeter) meter = meter_of(fake);
    const WorkingSetReport *report = working_set_meter_report(meter);
    (void)unused;

    fake->hook = take;
    add_generations(fake);
    add_marks(fake);
    working_set_meter_step(meter, S);
    assert_string_equal(report->backend, "lru_gen");

    /* Its memory cgroup vanishes: the next one takes over within the same step. */
    fakeroot_write(fake->root, LRU_GEN, "memcg 30 /other\n node 0\n 1 9 10 0\n");
    working_set_meter_step(meter, 2 * S);
    assert_string_equal(report->backend, "referenced");
    assert_int_equal(report->state, WORKING_SET_WARMING);
    assert_non_null(strstr(report->reason, "lru_gen: its memory cgroup is not in"));
    assert_true(working_set_meter_turn(meter).is_under_way);

    /* That one fails too, and nothing is left. */
    fakeroot_remove(fake->root, SMAPS);
    working_set_meter_step(meter, 3 * S);
    assert_string_equal(report->backend, "none");
    assert_int_equal(report->state, WORKING_SET_NONE);
    assert_int_equal(report->confidence_bp, 0);
    assert_true(report->working_set_bytes == VALUE_UNKNOWN);
    assert_true(report->resident_bytes == VALUE_UNKNOWN);
    assert_int_equal(working_set_meter_turn(meter).due_us, 603 * S);
    assert_false(working_set_meter_turn(meter).is_under_way);

    /* Both are back, but the time has not come; then the better one is used again. */
    add_generations(fake);
    add_marks(fake);
    working_set_meter_step(meter, 4 * S);
    assert_string_equal(report->backend, "none");
    working_set_meter_step(meter, 603 * S);
    assert_string_equal(report->backend, "lru_gen");
}

static void
a_measurement_becomes_a_report(void **unused)
{
    g_autoptr(FakeTarget) fake = faketarget_new();
    g_autoptr(WorkingSetMeter) meter = meter_of(fake);
    const WorkingSetReport *report = working_set_meter_report(meter);
    (void)unused;

    add_marks(fake);
    working_set_meter_step(meter, S);
    assert_int_equal(working_set_meter_turn(meter).due_us, 2 * S);
    working_set_meter_step(meter, 2 * S);
    assert_int_equal(report->state, WORKING_SET_MEASURED);
    assert_int_equal(report->confidence_bp, working_set_referenced.confidence_bp);
    assert_true(report->working_set_bytes == VALUE_UNKNOWN); /* the age is ten seconds */
    assert_int_equal(report->resident_bytes, 400 * 1024);
    fakeroot_write(fake->root, SMAPS, MEMORY "Rss: 400 kB\nReferenced: 150 kB\n");
    add_word(meter, 10 * S);
    working_set_meter_step(meter, 11 * S);
    assert_int_equal(report->moment_us, 11 * S);
    assert_int_equal(report->horizon_us, 10 * S);
    assert_int_equal(report->nodes[0].bins[0].bytes[WORKING_SET_ANON], 100 * 1024);
    assert_int_equal(report->nodes[0].bins[1].bytes[WORKING_SET_ANON], 50 * 1024);
    assert_int_equal(report->working_set_bytes, 900); /* the guest has no more in use */
    assert_int_equal(report->working_set_bytes + report->cold_bytes, report->resident_bytes);
    assert_false(working_set_meter_turn(meter).is_under_way);
    assert_int_equal(working_set_meter_turn(meter).due_us, 71 * S);
    assert_int_equal(working_set_meter_turn(meter).expect_us, report->cpu_us);
}

static void
memory_is_put_on_the_nodes_of_a_host_that_has_several(void **unused)
{
    g_autoptr(FakeTarget) fake = faketarget_new();
    g_autoptr(WorkingSetMeter) meter = meter_of(fake);
    const WorkingSetReport *report = working_set_meter_report(meter);
    (void)unused;

    fakeroot_write(fake->root, "sys/devices/system/node/online", "0-1\n");
    fakeroot_write(fake->root, "proc/42/numa_maps",
                   "7f0000000000 default anon=100 N0=75 N1=25 kernelpagesize_kB=4\n");
    add_marks(fake);
    working_set_meter_step(meter, S);
    working_set_meter_step(meter, 2 * S);
    assert_int_equal(report->n_nodes, 2);
    assert_true(report->nodes[0].node == 0 && report->nodes[1].node == 1);
    assert_int_equal(report->nodes[0].bins[0].bytes[WORKING_SET_ANON], 75 * 1024);
    assert_int_equal(report->nodes[1].bins[0].bytes[WORKING_SET_ANON], 25 * 1024);
    assert_int_equal(report->nodes[1].bins[3].bytes[WORKING_SET_ANON], 75 * 1024);
    assert_int_equal(report->resident_bytes, 400 * 1024);
}

static void
many_nodes_fit(void **unused)
{
    g_autofree WorkingSetReading *reading = g_new0(WorkingSetReading, 1);
    (void)unused;

    for (int64_t node = 0; node < 40; node++)
        working_set_node(reading, node)->bytes[WORKING_SET_ANON]++;
    assert_int_equal(reading->n_nodes, WORKING_SET_NODES_MAX);
    assert_int_equal(reading->nodes[15].node, WORKING_SET_NODE_UNKNOWN);
    assert_int_equal(reading->nodes[15].bins[0].bytes[WORKING_SET_ANON], 25);
}

static void
only_a_single_node_is_known_without_asking(void **unused)
{
    static const struct {
        const char *when;
        const char *online; /* NULL: no such file */
        int32_t want;
    } rows[] = {
        { "one", "0\n", 0 },
        { "one, but not the first", "3\n", 3 },
        { "two", "0-1\n", WORKING_SET_NODE_UNKNOWN },
        { "a kernel without NUMA", NULL, 0 },
        { "damaged", "many\n", WORKING_SET_NODE_UNKNOWN },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = faketarget_new();

        fakeroot_remove(fake->root, "sys");
        if (rows[i].online)
            fakeroot_write(fake->root, "sys/devices/system/node/online", "%s", rows[i].online);
        if (working_set_only_node(fakeroot_fd(fake->root)) != rows[i].want)
            fail_msg("%s: %" PRId32, rows[i].when, working_set_only_node(fakeroot_fd(fake->root)));
    }
}

/* What the referenced bits have found out is kept until the generations have begun to tell. */
static void
a_better_backend_is_used_as_soon_as_it_works(void **unused)
{
    g_autoptr(FakeTarget) fake = faketarget_new();
    g_autoptr(WorkingSetMeter) meter = meter_of(fake);
    const WorkingSetReport *report = working_set_meter_report(meter);
    (void)unused;

    fake->hook = take;
    add_marks(fake);
    working_set_meter_step(meter, S);
    working_set_meter_step(meter, 2 * S);
    working_set_meter_step(meter, 11 * S);
    assert_string_equal(report->backend, "referenced");
    assert_false(report->has_fallen_back);
    assert_false(report->is_estimate);
    add_generations(fake);
    working_set_meter_step(meter, 71 * S); /* the ten minutes are not over */
    working_set_meter_step(meter, 72 * S);
    working_set_meter_step(meter, 601 * S); /* nor is this measurement */
    assert_string_equal(report->backend, "referenced");
    assert_int_equal(report->state, WORKING_SET_MEASURED);
    assert_false(working_set_meter_turn(meter).is_under_way);

    /* It is there, and of a form that is not known: the one in use stays. */
    fakeroot_write(fake->root, LRU_GEN, "memcg 29 /vm\n node 0\n 1 9 hot 0\n");
    working_set_meter_step(meter, 700 * S);
    assert_string_equal(report->backend, "referenced");
    assert_int_equal(report->state, WORKING_SET_MEASURED);
    assert_true(report->has_fallen_back);
    assert_non_null(strstr(report->reason, "lru_gen: " LRU_GEN " has another form"));

    add_generations(fake);
    working_set_meter_step(meter, 1300 * S);
    while (working_set_meter_turn(meter).is_under_way)
        working_set_meter_step(meter, working_set_meter_turn(meter).due_us);
    working_set_meter_step(meter, 1400 * S);
    assert_string_equal(report->backend, "lru_gen");
    assert_int_equal(report->state, WORKING_SET_WARMING);
    assert_int_equal(report->n_nodes, 0);
    assert_false(report->has_fallen_back);
    assert_null(strstr(report->reason, "lru_gen"));
}

/* A bin of a longer age is of later, and does not make the working set any newer. */
static void
the_moment_is_that_at_which_the_working_set_was_seen(void **unused)
{
    g_autoptr(FakeTarget) fake = faketarget_new();
    g_autoptr(WorkingSetMeter) meter = meter_of(fake);
    const WorkingSetReport *report = working_set_meter_report(meter);
    uint64_t now_us = S;
    uint64_t seen_us = 0;
    unsigned longer = 0;
    (void)unused;

    add_marks(fake);
    working_set_meter_step(meter, now_us);
    for (unsigned i = 0; i < 40; i++) {
        uint64_t began_us = now_us;
        bool was_under_way = working_set_meter_turn(meter).is_under_way;

        now_us = working_set_meter_turn(meter).due_us;
        working_set_meter_step(meter, now_us);
        if (was_under_way &&
            now_us - began_us == 9 * S) /* of the second that is over to the tenth */
            seen_us = now_us;
        longer += was_under_way && now_us - began_us == 50 * S;
        if (seen_us > 0 && report->moment_us != seen_us)
            fail_msg("step %u: %" PRIu64 " s, not %" PRIu64 " s", i, report->moment_us / S,
                     seen_us / S);
    }
    assert_in_range(longer, 2, 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_works_is_used),
        cmocka_unit_test(a_backend_that_fails_is_left_and_tried_again_later),
        cmocka_unit_test(a_measurement_becomes_a_report),
        cmocka_unit_test(memory_is_put_on_the_nodes_of_a_host_that_has_several),
        cmocka_unit_test(many_nodes_fit),
        cmocka_unit_test(only_a_single_node_is_known_without_asking),
        cmocka_unit_test(a_better_backend_is_used_as_soon_as_it_works),
        cmocka_unit_test(the_moment_is_that_at_which_the_working_set_was_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
