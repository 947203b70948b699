/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_working_set_test.c - "virtksm working-set", by the real program */
#include "proto/virtksm.pb-c.h"
#include "test/support/fakedaemon.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define GIB (UINT64_C(1) << 30)

/* One domain that is measured, one of which nothing is known. */
typedef struct {
    FakeDaemon *daemon;
    Virtksm__V1__WorkingSetResponse response;
    Virtksm__V1__WorkingSet web, odd;
    Virtksm__V1__WorkingSet *domains[2];
    Virtksm__V1__WorkingSetNode node;
    Virtksm__V1__WorkingSetNode *nodes[1];
    Virtksm__V1__WorkingSetBin young, middle, old;
    Virtksm__V1__WorkingSetBin *bins[3];
    Virtksm__V1__WorkingSetGuest guest;
} World;

/* protobuf-c wants writable texts and only reads them. */
static char *
text(const char *words)
{
    return (char *)(uintptr_t)words;
}

/* The second is not told apart from the last. */
static void
fill_bins(World *world)
{
    virtksm__v1__working_set_node__init(&world->node);
    virtksm__v1__working_set_bin__init(&world->young);
    virtksm__v1__working_set_bin__init(&world->middle);
    virtksm__v1__working_set_bin__init(&world->old);
    world->young.has_from_s = world->young.has_to_s = world->old.has_from_s = true;
    world->middle.has_from_s = world->middle.has_to_s = true;
    world->young.to_s = world->middle.from_s = 300;
    world->middle.to_s = world->old.from_s = 1200;
    world->young.has_anon_bytes = world->young.has_file_bytes = true;
    world->old.has_anon_bytes = world->old.has_file_bytes = true;
    world->young.anon_bytes = GIB;
    world->old.anon_bytes = 2 * GIB;
    world->old.file_bytes = GIB;
    world->bins[0] = &world->young;
    world->bins[1] = &world->middle;
    world->bins[2] = &world->old;
    world->node.bins = world->bins;
    world->node.n_bins = 3;
    world->node.has_node = true;
    world->nodes[0] = &world->node;
}

static void
fill_guest(Virtksm__V1__WorkingSetGuest *guest)
{
    virtksm__v1__working_set_guest__init(guest);
    guest->has_total_bytes = guest->has_unused_bytes = guest->has_disk_caches_bytes = true;
    guest->has_age_ms = true;
    guest->total_bytes = 4 * GIB;
    guest->unused_bytes = 2 * GIB;
    guest->disk_caches_bytes = GIB;
    guest->age_ms = 2000;
}

static void
fill_web(World *world)
{
    Virtksm__V1__WorkingSet *web = &world->web;

    virtksm__v1__working_set__init(web);
    web->name = text("web");
    web->uuid = text("1-2-3");
    web->state = text("measured");
    web->backend = text("idle");
    web->reason = text("lru_gen: no debugfs");
    web->has_confidence_bp = web->has_age_ms = web->has_cpu_us = web->has_resident_bytes = true;
    web->has_working_set_bytes = web->has_cold_bytes = true;
    web->confidence_bp = 9000;
    web->age_ms = 12000;
    web->cpu_us = 1500;
    web->resident_bytes = 4 * GIB;
    web->working_set_bytes = GIB;
    web->cold_bytes = 3 * GIB;
    web->nodes = world->nodes;
    web->n_nodes = 1;
}

static int
setup(void **state)
{
    World *world = g_new0(World, 1);

    world->daemon = fakedaemon_new();
    virtksm__v1__working_set_response__init(&world->response);
    virtksm__v1__working_set__init(&world->odd);
    fill_bins(world);
    fill_guest(&world->guest);
    fill_web(world);
    world->odd.name = text("a\nb");
    world->odd.state = text("none");
    world->domains[0] = &world->web;
    world->domains[1] = &world->odd;
    world->response.has_enabled = world->response.enabled = true;
    world->response.has_age_s = world->response.has_budget_bp = world->response.has_cpu_us = true;
    world->response.age_s = 300;
    world->response.budget_bp = 50;
    world->response.cpu_us = 2500000;
    world->response.domains = world->domains;
    world->response.n_domains = 2;
    fakedaemon_answer(world->daemon, "WorkingSet", &world->response.base);
    *state = world;
    return 0;
}

static int
teardown(void **state)
{
    World *world = *state;

    fakedaemon_free(world->daemon);
    g_free(world);
    return 0;
}

static void
there_is_a_line_with_a_bar_for_each_domain(void **state)
{
    World *world = *state;

    fakedaemon_expect(world->daemon, "working-set",
                      "DOMAIN  STATE     BACKEND  SURE   AGE  WORKING SET     COLD  "
                      "OF WHAT IS RESIDENT   RESIDENT\n"
                      "web     measured  idle     90 %  12 s      1.0 GiB  3.0 GiB  "
                      "#####...............   4.0 GiB\n"
                      "a\\nb    none      -           -     -            -        -  "
                      "-                            -\n"
                      "\n"
                      "The working set was used within 5 min. Measuring has taken 2.5 s of CPU "
                      "time, and may take 0.5 % of one CPU.\n");
    assert_string_equal(fakedaemon_asked(world->daemon), "WorkingSet");
}

static void
a_domain_is_shown_by_node_and_age(void **state)
{
    World *world = *state;

    world->response.n_domains = 1;
    world->web.has_is_short = world->web.is_short = true;
    world->web.guest = &world->guest;
    world->web.has_confidence_is_estimate = world->web.confidence_is_estimate = true;
    fakedaemon_answer(world->daemon, "WorkingSet", &world->response.base);
    fakedaemon_expect(world->daemon, "working-set web",
                      "domain:      web\n"
                      "state:       measured\n"
                      "backend:     idle\n"
                      "not used:    lru_gen: no debugfs\n"
                      "sure:        ~ 90 %, an estimate\n"
                      "measured:    12 s ago\n"
                      "cost:        1.5 ms of CPU time\n"
                      "resident:    4.0 GiB\n"
                      "working set: >= 1.0 GiB\n"
                      "cold:        3.0 GiB\n"
                      "short:       its guest swaps, or reads back what it had to drop: it needs "
                      "more than it has\n"
                      "guest:       has 4.0 GiB, usable -, unused 2.0 GiB, disk caches 1.0 GiB, as "
                      "it said 2.0 s ago\n"
                      "\n"
                      "NODE  LAST USED       ANONYMOUS     FILE  SHARE\n"
                      "0     below 5 min       1.0 GiB      0 B  "
                      "##########..............................\n"
                      "0     5 min and more    2.0 GiB  1.0 GiB  "
                      "##############################..........\n"
                      "\n"
                      "The working set was used within 5 min. Measuring has taken 2.5 s of CPU "
                      "time, and may take 0.5 % of one CPU.\n");
    assert_string_equal(fakedaemon_asked(world->daemon), "WorkingSet web");
}

static void
csv_has_a_row_for_each_age_and_nothing_for_what_is_not_known(void **state)
{
    World *world = *state;

    fakedaemon_expect(world->daemon, "working-set --format csv",
                      "name,uuid,state,backend,confidence_bp,working_set_bytes,node,from_s,to_s,"
                      "anon_bytes,file_bytes\n"
                      "web,1-2-3,measured,idle,9000,1073741824,0,0,300,1073741824,0\n"
                      "web,1-2-3,measured,idle,9000,1073741824,0,300,1200,,\n"
                      "web,1-2-3,measured,idle,9000,1073741824,0,1200,,2147483648,1073741824\n"
                      "\"a\nb\",,none,,,,,,,,\n");
}

static void
who_has_switched_it_off_is_reminded(void **state)
{
    World *world = *state;

    world->response.enabled = false;
    world->response.n_domains = 0;
    fakedaemon_answer(world->daemon, "WorkingSet", &world->response.base);
    fakedaemon_expect(
        world->daemon, "working-set",
        "DOMAIN  STATE  BACKEND  SURE  AGE  WORKING SET  COLD  OF WHAT IS RESIDENT  "
        "RESIDENT\n"
        "\nNothing is measured: [working_set] enable is false, or the mode is off.\n");
}

/* The program, when it follows and has printed its header. */
static Child *
follow(World *world, const char *format, const char *header)
{
    const char *const words[] = { "working-set", "web", "--follow", "--format", format, NULL };
    Child *child = fakedaemon_client(world->daemon, words);

    fakedaemon_await_watcher(world->daemon);
    assert_string_equal(fakedaemon_asked(world->daemon), "WatchWorkingSet web");
    child_await(child, header);
    return child;
}

/* A report that comes is printed as @want. */
static void
check_followed(World *world, const char *format, const char *header, const char *want)
{
    g_autoptr(Child) child = follow(world, format, header);
    Virtksm__V1__WatchWorkingSetResponse report = VIRTKSM__V1__WATCH_WORKING_SET_RESPONSE__INIT;

    report.cause = text("moved");
    report.memory_level = text("tight");
    report.has_lost = true;
    report.lost = 3;
    report.working_set = &world->web;
    assert_true(fakedaemon_send(world->daemon, &report.base));
    child_await(child, want);
    child_signal(child, SIGINT);
    assert_int_equal(child_wait(child), 0);
}

static void
a_report_that_is_followed_is_a_row(void **state)
{
    check_followed(*state, "table", "RESIDENT\n",
                   "(3 reports were lost here: they came faster than they were read)\n"
                   "-                        moved     tight     web                       "
                   "1.0 GiB     3.0 GiB  idle        #####...............\n");
}

static void
a_report_that_is_followed_is_a_row_of_csv(void **state)
{
    check_followed(*state, "csv", "confidence_is_estimate\n",
                   ",moved,tight,3,web,1-2-3,measured,idle,lru_gen: no debugfs,9000,12000,1500,,"
                   "4294967296,1073741824,3221225472,,\n");
}

static void
a_report_that_is_followed_is_an_object(void **state)
{
    check_followed(*state, "json", "",
                   "{\"time_us\":null,\"cause\":\"moved\",\"memory_level\":\"tight\",\"lost\":3,"
                   "\"working_set\":{\"name\":\"web\",");
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(there_is_a_line_with_a_bar_for_each_domain),
        IN_WORLD(a_domain_is_shown_by_node_and_age),
        IN_WORLD(csv_has_a_row_for_each_age_and_nothing_for_what_is_not_known),
        IN_WORLD(a_report_that_is_followed_is_a_row),
        IN_WORLD(a_report_that_is_followed_is_a_row_of_csv),
        IN_WORLD(a_report_that_is_followed_is_an_object),
        IN_WORLD(who_has_switched_it_off_is_reminded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
