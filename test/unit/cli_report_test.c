/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_report_test.c - "virtksm report", the real program on a daemon that says what we tell it */
#include "agent/cli/text.h"
#include "agent/report/figure.h"
#include "proto/virtksm.pb-c.h"
#include "test/support/fakedaemon.h"

#include <json-glib/json-glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MIB UINT64_C(1048576)

/* Two domains, other processes and a host whose figures add up. */
typedef struct {
    FakeDaemon *daemon; /* owned */
    Virtksm__V1__DomainReport web;
    Virtksm__V1__DomainReport odd; /* of which little is known */
    Virtksm__V1__DomainReport *domains[2];
    Virtksm__V1__OthersReport others;
    Virtksm__V1__HostReport host;
    Virtksm__V1__ReportResponse report;
} World;

static char web_name[] = "web";
static char web_uuid[] = "11111111-2222-4333-8444-555555555555";
static char odd_name[] = "a \"b\",\n\xc3\xbc\xe4\xb8\xad";

static void
fill_domains(World *world)
{
    Virtksm__V1__DomainReport *web = &world->web;

    virtksm__v1__domain_report__init(web);
    virtksm__v1__domain_report__init(&world->odd);
    web->name = web_name;
    web->uuid = web_uuid;
    web->has_pid = web->has_merging_pages = web->has_saved_pages = web->has_metadata_bytes = true;
    web->has_net_saved_bytes = web->has_maximum_bytes = web->has_balloon_bytes = true;
    web->has_resident_bytes = web->has_stats_age_ms = true;
    web->pid = 4711;
    web->merging_pages = 40 * MIB / 4096;
    web->saved_pages = 30 * MIB / 4096;
    web->metadata_bytes = MIB + MIB / 2;
    web->net_saved_bytes = (int64_t)(28 * MIB + MIB / 2);
    web->maximum_bytes = 1024 * MIB;
    web->balloon_bytes = 512 * MIB;
    web->resident_bytes = 700 * MIB;
    web->stats_age_ms = 800;
    world->odd.name = odd_name;
    world->odd.has_net_saved_bytes = true;
    world->odd.net_saved_bytes = -4096;
}

static void
fill_host(World *world)
{
    virtksm__v1__host_report__init(&world->host);
    virtksm__v1__others_report__init(&world->others);
    world->others.has_merging_pages = world->others.has_saved_pages = true;
    world->others.merging_pages = 20 * MIB / 4096;
    world->others.saved_pages = 10 * MIB / 4096;
    world->host.has_pages_shared = world->host.has_pages_sharing = true;
    world->host.has_saved_pages = world->host.has_metadata_bytes = true;
    world->host.has_net_saved_bytes = true;
    world->host.pages_shared = 20 * MIB / 4096;
    world->host.pages_sharing = world->host.saved_pages = 40 * MIB / 4096;
    world->host.metadata_bytes = 2 * MIB;
    world->host.net_saved_bytes = (int64_t)(38 * MIB);
}

static int
setup(void **state)
{
    World *world = g_new0(World, 1);

    fill_domains(world);
    fill_host(world);
    virtksm__v1__report_response__init(&world->report);
    world->domains[0] = &world->web;
    world->domains[1] = &world->odd;
    world->report.has_page_size = world->report.has_steady = true;
    world->report.page_size = 4096;
    world->report.steady = true;
    world->report.host = &world->host;
    world->report.others = &world->others;
    world->report.domains = world->domains;
    world->report.n_domains = 2;
    world->daemon = fakedaemon_new();
    fakedaemon_answer(world->daemon, "Report", &world->report.base);
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
the_table_shows_domains_then_other_processes_then_the_host(void **state)
{
    World *world = *state;
    g_autofree char *out = fakedaemon_output(world->daemon, "report");

    assert_string_equal(
        out,
        "DOMAIN               MAX   RESIDENT     SAVED  BALLOONED  SWAPPED  UNTOUCHED  OVERHEAD\n"
        "web              1.0 GiB  700.0 MiB  30.0 MiB          -        -          -         -\n"
        "a \"b\",\\n\xc3\xbc\xe4\xb8\xad            -          -         -          -        -   "
        "       -         -\n"
        "other processes        -          -  10.0 MiB          -        -          -         -\n"
        "host                   -          -  40.0 MiB          -        -          -         -\n");
}

/* Fails unless every line of a text fits into so many columns. */
static void
assert_width(const char *text, size_t most)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (size_t i = 0; lines[i]; i++)
        if (text_width(lines[i]) > most)
            fail_msg("%zu columns: %s", text_width(lines[i]), lines[i]);
}

static void
a_table_of_large_domains_fits_a_hundred_columns(void **state)
{
    World *world = *state;
    Virtksm__V1__DomainReport *web = &world->web;
    g_autofree char *all = NULL;
    g_autofree char *one = NULL;

    web->has_ballooned_bytes = web->has_swapped_bytes = web->has_untouched_bytes = true;
    web->has_overhead_bytes = web->has_profit_bytes = true;
    web->maximum_bytes = web->resident_bytes = web->swapped_bytes = 1023 * MIB * 1024;
    web->ballooned_bytes = web->untouched_bytes = web->overhead_bytes = 1023 * MIB * 1024;
    web->saved_pages = web->merging_pages = 1023 * MIB * 1024 / 4096;
    web->profit_bytes = -(int64_t)(1023 * MIB * 1024);
    all = fakedaemon_output(world->daemon, "report");
    assert_width(all, 100);
    world->report.n_domains = 1;
    one = fakedaemon_output(world->daemon, "report web");
    assert_width(one, 100);
}

/* The line of a figure begins so. */
static void
assert_figure(const char *out, const char *name, const char *value)
{
    g_autofree char *line = g_strdup_printf("\n%-26s  %*s  ", name, 19, value);

    if (!strstr(out, line))
        fail_msg("no line begins with \"%s\" in:\n%s", line + 1, out);
}

static void
one_domain_is_shown_figure_by_figure_with_what_it_is_a_part_of(void **state)
{
    World *world = *state;
    g_autofree char *out = NULL;

    world->report.n_domains = 1;
    world->web.has_profit_bytes = world->web.has_ksmd_cpu_us = true;
    world->web.profit_bytes = -4096;
    world->web.ksmd_cpu_us = 61000000;
    out = fakedaemon_output(world->daemon, "report web");
    assert_string_equal(fakedaemon_asked(world->daemon), "Report web");
    assert_non_null(strstr(out, "Name of the domain.\n"));
    assert_non_null(strstr(out, "11111111-2222-4333-8444-555555555555\n"));
    assert_figure(out, "pid", "4711");
    assert_figure(out, "maximum_bytes", "1.0 GiB");
    assert_figure(out, "merging_pages", "10240 = 40.0 MiB");
    assert_figure(out, "net_saved_bytes", "28.5 MiB");
    assert_figure(out, "profit_bytes", "-4.0 KiB");
    assert_figure(out, "ksmd_cpu_us", "1 min");
    assert_figure(out, "overhead_bytes", "-");
    assert_figure(out, "stats_age_ms", "0.8 s");
    assert_true(g_str_has_suffix(
        out, "\nWhat web saves is 75.0 % of the 40.0 MiB that KSM saves on this host.\n"));
}

static void
assert_names(const ProtobufCMessageDescriptor *type, FigureScope scope)
{
    size_t n;
    const Figure *figures = figure_list(scope, &n);

    for (size_t i = 0; i < n; i++)
        if (!protobuf_c_message_descriptor_get_field_by_name(type, figures[i].name))
            fail_msg("%s of figure.c is no field of %s", figures[i].name, type->name);
    if (n != type->n_fields)
        fail_msg("%s has %u fields, of which %zu are explained", type->name, type->n_fields, n);
}

static void
every_figure_is_explained(void **unused)
{
    (void)unused;
    assert_names(&virtksm__v1__domain_report__descriptor, FIGURE_DOMAIN);
    assert_names(&virtksm__v1__host_report__descriptor, FIGURE_HOST);
}

static void
what_would_be_needed_is_held_against_what_is_available(void **state)
{
    World *world = *state;
    g_autofree char *enough = NULL;
    g_autofree char *little = NULL;
    g_autofree char *unknown = fakedaemon_output(world->daemon, "report");

    world->host.has_total_bytes = world->host.has_available_bytes = true;
    world->host.has_unshare_bytes = true;
    world->host.total_bytes = 1024 * MIB;
    world->host.available_bytes = world->host.unshare_bytes = 40 * MIB;
    enough = fakedaemon_output(world->daemon, "report");
    world->host.available_bytes = 39 * MIB;
    little = fakedaemon_output(world->daemon, "report");
    assert_non_null(strstr(enough, "\nOf 1.0 GiB of memory 40.0 MiB is available; if all sharing "
                                   "broke, 40.0 MiB would be needed.\n"));
    assert_non_null(strstr(little, " 40.0 MiB would be needed: too much.\n"));
    assert_null(strstr(unknown, "sharing broke"));
}

static void
how_short_of_memory_the_host_is_stands_below_the_table(void **state)
{
    char level[] = "tight", reason[] = "it is\nso";
    World *world = *state;
    g_autofree char *unknown = fakedaemon_output(world->daemon, "report");
    g_autofree char *known = NULL;

    world->host.memory_level = level;
    world->host.memory_reason = reason;
    known = fakedaemon_output(world->daemon, "report");
    assert_non_null(strstr(known, "\nMemory is tight: it is\\nso.\n"));
    assert_null(strstr(unknown, "Memory is"));
}

static void
one_domain_of_a_host_that_saves_nothing_is_no_share_of_it(void **state)
{
    World *world = *state;
    g_autofree char *out = NULL;

    world->report.n_domains = 1;
    world->host.saved_pages = 0;
    world->web.saved_pages = 0;
    out = fakedaemon_output(world->daemon, "report web");
    assert_non_null(strstr(out, "\nKSM saves nothing on this host at present.\n"));
    assert_null(strstr(out, "%"));
}

static void
a_sample_that_moved_is_said_to_have_moved(void **state)
{
    World *world = *state;
    g_autofree char *steady = fakedaemon_output(world->daemon, "report");
    g_autofree char *unsteady = NULL;

    world->report.steady = false;
    unsteady = fakedaemon_output(world->daemon, "report");
    assert_null(strstr(steady, "Note:"));
    assert_non_null(strstr(unsteady, "\nNote: KSM was merging while the domains were read"));
}

static void
a_host_without_ksm_is_said_to_be_one(void **state)
{
    World *world = *state;
    g_autofree char *out = NULL;

    world->report.host = NULL;
    world->report.others = NULL;
    world->report.n_domains = 0;
    out = fakedaemon_output(world->daemon, "report");
    assert_string_equal(
        out, "DOMAIN           MAX  RESIDENT  SAVED  BALLOONED  SWAPPED  UNTOUCHED  OVERHEAD\n"
             "other processes    -         -      -          -        -          -         -\n"
             "host               -         -      -          -        -          -         -\n"
             "Note: there are no figures of KSM. Is it in this kernel, and may the daemon read "
             "/sys/kernel/mm/ksm?\n");
}

static void
pages_without_a_page_size_are_not_known(void **state)
{
    World *world = *state;
    g_autofree char *out = NULL;

    world->report.has_page_size = false;
    world->report.n_domains = 1;
    out = fakedaemon_output(world->daemon, "report web");
    assert_figure(out, "merging_pages", "10240");
    g_free(out);
    out = fakedaemon_output(world->daemon, "report");
    assert_non_null(strstr(out, "700.0 MiB      -          -"));
}

static void
csv_has_a_row_of_raw_figures_for_each(void **state)
{
    World *world = *state;
    g_autofree char *out = fakedaemon_output(world->daemon, "report --format csv");

    assert_string_equal(fakedaemon_asked(world->daemon), "Report");
    assert_string_equal(
        out,
        "kind,page_size,steady,name,uuid,pid,merging_pages,saved_pages,ksm_zero_pages,"
        "metadata_bytes,net_saved_bytes,maximum_bytes,balloon_bytes,resident_bytes,"
        "overhead_bytes,stats_age_ms,profit_bytes,ballooned_bytes,swapped_bytes,"
        "zswapped_bytes,zswap_bytes,untouched_bytes,guest_free_bytes,unshare_bytes,"
        "overhead_peak_bytes,overhead_sampled_ago_ms,overhead_video_bytes,"
        "overhead_translation_bytes,overhead_heap_bytes,overhead_stack_bytes,"
        "overhead_other_bytes,hard_limit_advice_bytes,ksmd_cpu_us,merges_broken_pages,"
        "need_bytes,floor_bytes,ceiling_bytes,shares,balloon_mode,balloon_target_bytes,"
        "balloon_reason,high_mode,limit_bytes,reclaim_bytes,high_reason,group,"
        "merging,merge_reason\n"
        "domain,4096,true,web,11111111-2222-4333-8444-555555555555,4711,10240,7680,,"
        "1572864,29884416,1073741824,536870912,734003200,,800,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n"
        "domain,4096,true,\"a "
        "\"\"b\"\",\n\xc3\xbc\xe4\xb8\xad\",,,,,,,-4096,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n"
        "others,4096,true,,,,5120,2560,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n"
        "host,4096,true,,,,15360,10240,,2097152,39845888,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n");
}

static void
json_is_the_message_with_null_for_what_is_not_known(void **state)
{
    World *world = *state;
    g_autofree char *out = NULL;
    g_autoptr(JsonNode) root = NULL;
    g_autoptr(JsonNode) odd = NULL;
    g_autoptr(JsonNode) want = json_from_string(
        "{\"name\":\"a \\\"b\\\",\\n\xc3\xbc\xe4\xb8\xad\",\"uuid\":null,\"pid\":null,"
        "\"merging_pages\":null,\"saved_pages\":null,\"ksm_zero_pages\":null,"
        "\"metadata_bytes\":null,\"net_saved_bytes\":-4096,\"maximum_bytes\":null,"
        "\"balloon_bytes\":null,\"resident_bytes\":null,\"overhead_bytes\":null,"
        "\"stats_age_ms\":null,\"profit_bytes\":null,\"ballooned_bytes\":null,\"swapped_bytes\":"
        "null,\"zswapped_bytes\":null,\"zswap_bytes\":null,\"untouched_bytes\":null,\"guest_free_"
        "bytes\":null,\"unshare_bytes\":null,\"overhead_peak_bytes\":null,\"overhead_sampled_ago_"
        "ms\":null,\"overhead_video_bytes\":null,\"overhead_translation_bytes\":null,\"overhead_"
        "heap_bytes\":null,\"overhead_stack_bytes\":null,\"overhead_other_bytes\":null,\"hard_"
        "limit_advice_bytes\":null,\"ksmd_cpu_us\":null,\"merges_broken_pages\":null,"
        "\"need_bytes\":null,\"floor_bytes\":null,\"ceiling_bytes\":null,\"shares\":null,"
        "\"balloon_mode\":null,\"balloon_target_bytes\":null,\"balloon_reason\":null,"
        "\"high_mode\":null,\"limit_bytes\":null,\"reclaim_bytes\":null,\"high_reason\":null,"
        "\"group\":null,\"merging\":null,\"merge_reason\":null}",
        NULL);

    world->host.has_ksm_zero_pages = true;
    world->host.ksm_zero_pages = (uint64_t)1 << 63;
    out = fakedaemon_output(world->daemon, "report --format json");
    assert_non_null(strstr(out, "\"ksm_zero_pages\": 9223372036854775808,\n"));
    assert_non_null(strstr(out, "\"page_size\": 4096,\n"));
    assert_non_null(strstr(out, "\"steady\": true\n"));
    assert_non_null(strstr(out, "\"others\": {\n    \"merging_pages\": 5120,\n"));
    root = json_from_string(out, NULL);
    assert_non_null(root);
    odd = json_path_query("$.domains[1]", root, NULL);
    assert_non_null(odd);
    assert_true(json_node_equal(json_array_get_element(json_node_get_array(odd), 0), want));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_table_shows_domains_then_other_processes_then_the_host,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            one_domain_is_shown_figure_by_figure_with_what_it_is_a_part_of, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_of_large_domains_fits_a_hundred_columns, setup,
                                        teardown),
        cmocka_unit_test(every_figure_is_explained),
        cmocka_unit_test_setup_teardown(what_would_be_needed_is_held_against_what_is_available,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(how_short_of_memory_the_host_is_stands_below_the_table,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(one_domain_of_a_host_that_saves_nothing_is_no_share_of_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_sample_that_moved_is_said_to_have_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(a_host_without_ksm_is_said_to_be_one, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_without_a_page_size_are_not_known, setup, teardown),
        cmocka_unit_test_setup_teardown(csv_has_a_row_of_raw_figures_for_each, setup, teardown),
        cmocka_unit_test_setup_teardown(json_is_the_message_with_null_for_what_is_not_known, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
