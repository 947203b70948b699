/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host_test.c - the host as kernels of several ages, and broken ones, show it */
#define _GNU_SOURCE

#include "agent/facts/host.h"

#include <fcntl.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/descriptors.h"
#include "test/support/fakehost.h"
#include "test/support/value.h"

#define KSM              "sys/kernel/mm/ksm/"
#define MINUS_ONE_AS_U64 "18446744073709551615\n"

/* The fields of KsmCounters by name, for messages. */
static const struct {
    const char *name;
    size_t offset;
} counters[] = {
    { "full_scans", offsetof(KsmCounters, full_scans) },
    { "pages_shared", offsetof(KsmCounters, pages_shared) },
    { "pages_sharing", offsetof(KsmCounters, pages_sharing) },
    { "pages_unshared", offsetof(KsmCounters, pages_unshared) },
    { "pages_volatile", offsetof(KsmCounters, pages_volatile) },
    { "ksm_zero_pages", offsetof(KsmCounters, ksm_zero_pages) },
    { "pages_scanned", offsetof(KsmCounters, pages_scanned) },
    { "pages_skipped", offsetof(KsmCounters, pages_skipped) },
    { "general_profit", offsetof(KsmCounters, general_profit) },
    { "merge_across_nodes", offsetof(KsmCounters, merge_across_nodes) },
};

static HostSample
sample_of(const FakeRoot *root)
{
    HostSample sample = { 0 };
    HostFacts facts;

    host_init(&facts, fakeroot_fd(root));
    host_read(&facts, &sample);
    host_done(&facts);
    return sample;
}

static uint64_t
value_at(const void *base, size_t offset)
{
    uint64_t value;

    memcpy(&value, (const char *)base + offset, sizeof(value));
    return value;
}

static void
assert_counters(const char *when, const KsmCounters *have, const KsmCounters *want)
{
    for (size_t i = 0; i < G_N_ELEMENTS(counters); i++)
        assert_value(when, counters[i].name, value_at(have, counters[i].offset),
                     value_at(want, counters[i].offset));
}

static void
reads_what_each_kernel_has_and_knows_what_it_has_not(void **unused)
{
    KsmCounters want = {
        .full_scans = 101,
        .pages_shared = 102,
        .pages_sharing = 103,
        .pages_unshared = 104,
        .pages_volatile = 105,
        .ksm_zero_pages = VALUE_UNKNOWN,
        .pages_scanned = VALUE_UNKNOWN,
        .pages_skipped = VALUE_UNKNOWN,
        .general_profit = VALUE_UNKNOWN,
        .merge_across_nodes = 0,
    };
    g_autoptr(FakeRoot) old_root = fakehost_new(FAKEHOST_LINUX_5_10);
    g_autoptr(FakeRoot) new_root = fakehost_new(FAKEHOST_LINUX_6_18);
    HostSample sample = sample_of(old_root);
    (void)unused;

    assert_counters("5.10", &sample.ksm, &want);
    assert_value("5.10", "advisor", sample.knobs.advisor, VALUE_UNKNOWN);
    assert_value("5.10", "smart_scan", sample.knobs.smart_scan, VALUE_UNKNOWN);
    assert_value("5.10", "use_zero_pages", sample.knobs.use_zero_pages, 1);

    sample = sample_of(new_root);
    want.ksm_zero_pages = 106;
    want.pages_scanned = 107;
    want.pages_skipped = 108;
    want.general_profit = (uint64_t)-6400;
    assert_counters("6.18", &sample.ksm, &want);
    assert_value("6.18", "advisor", sample.knobs.advisor, 1);
    assert_value("6.18", "smart_scan", sample.knobs.smart_scan, 1);
}

static void
reads_settings_memory_and_processors(void **unused)
{
    g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_6_18);
    HostSample sample = sample_of(root);
    (void)unused;

    assert_true(sample.has_ksm);
    assert_value("full tree", "ksmd", sample.ksmd_cpu_us, 113498);
    assert_value("full tree", "run", sample.knobs.run, KSM_RUN_MERGE);
    assert_value("full tree", "pages_to_scan", sample.knobs.pages_to_scan, 1001);
    assert_value("full tree", "sleep_ms", sample.knobs.sleep_ms, 21);
    assert_value("full tree", "total", sample.mem_total_bytes, UINT64_C(24684084) * 1024);
    assert_value("full tree", "available", sample.mem_available_bytes, UINT64_C(24402780) * 1024);
    assert_value("full tree", "anon", sample.anon_bytes, 25124 * 1024);
    assert_value("full tree", "cpu stall", sample.cpu_stall_us, 2145663694);
    assert_value("full tree", "memory stall", sample.memory_stall_us, 1234567);
    assert_value("full tree", "steal", sample.steal_us,
                 UINT64_C(744) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK));
    assert_value("full tree", "cpus", sample.cpus, 7);
    assert_value("full tree", "page", sample.page_bytes, (uint64_t)sysconf(_SC_PAGESIZE));
}

static void
leaves_alone_what_others_fill(void **unused)
{
    static const KsmKnobs initial = { 11, 12, 13, 14, 15, 16 };
    g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_6_18);
    HostSample sample = { .now_us = 1, .initial = initial, .triggers = 2, .departures = 3 };
    HostFacts facts;
    (void)unused;

    host_init(&facts, fakeroot_fd(root));
    host_read(&facts, &sample);
    host_done(&facts);
    assert_value("after", "now_us", sample.now_us, 1);
    assert_memory_equal(&sample.initial, &initial, sizeof(initial));
    assert_value("after", "triggers", sample.triggers, 2);
    assert_value("after", "departures", sample.departures, 3);
}

static void
takes_nothing_hostile_for_a_figure(void **unused)
{
    static const struct {
        const char *file;
        const char *content;
        size_t offset; /* in HostSample */
        uint64_t want;
    } rows[] = {
        { "run", "3\n", offsetof(HostSample, knobs.run), VALUE_UNKNOWN },
        { "run", "2\n", offsetof(HostSample, knobs.run), KSM_RUN_UNMERGE },
        { "run", "", offsetof(HostSample, knobs.run), VALUE_UNKNOWN },
        { "pages_to_scan", "4294967295\n", offsetof(HostSample, knobs.pages_to_scan), UINT32_MAX },
        { "pages_to_scan", "4294967296\n", offsetof(HostSample, knobs.pages_to_scan),
          VALUE_UNKNOWN },
        { "sleep_millisecs", "-1\n", offsetof(HostSample, knobs.sleep_ms), VALUE_UNKNOWN },
        { "pages_sharing", "-1\n", offsetof(HostSample, ksm.pages_sharing), VALUE_UNKNOWN },
        { "pages_sharing", MINUS_ONE_AS_U64, offsetof(HostSample, ksm.pages_sharing),
          VALUE_UNKNOWN },
        { "pages_shared", "12 pages\n", offsetof(HostSample, ksm.pages_shared), VALUE_UNKNOWN },
        { "full_scans", "99999999999999999999\n", offsetof(HostSample, ksm.full_scans),
          VALUE_UNKNOWN },
        { "general_profit", "-1\n", offsetof(HostSample, ksm.general_profit), VALUE_UNKNOWN },
        { "general_profit", "9223372036854775808\n", offsetof(HostSample, ksm.general_profit),
          VALUE_UNKNOWN },
        { "smart_scan", "0\n", offsetof(HostSample, knobs.smart_scan), 0 },
        { "smart_scan", "2\n", offsetof(HostSample, knobs.smart_scan), VALUE_UNKNOWN },
        { "use_zero_pages", "yes\n", offsetof(HostSample, knobs.use_zero_pages), VALUE_UNKNOWN },
        { "use_zero_pages", "2\n", offsetof(HostSample, knobs.use_zero_pages), VALUE_UNKNOWN },
        { "merge_across_nodes", "7\n", offsetof(HostSample, ksm.merge_across_nodes),
          VALUE_UNKNOWN },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_6_18);
        g_autofree char *path = g_strconcat(KSM, rows[i].file, NULL);
        HostSample sample;

        fakeroot_write(root, path, "%s", rows[i].content);
        sample = sample_of(root);
        assert_value(rows[i].file, rows[i].content, value_at(&sample, rows[i].offset),
                     rows[i].want);
    }
}

static void
knows_which_mode_the_advisor_is_in(void **unused)
{
    static const struct {
        const char *content;
        uint64_t want;
    } rows[] = {
        { "[none] scan-time\n", 0 },
        { "none [scan-time]\n", 1 },
        { "[scan-time] none\n", 1 },
        { "none scan-time\n", VALUE_UNKNOWN },
        { "none [scan-time-2]\n", VALUE_UNKNOWN },
        { "none scan-time [other]\n", VALUE_UNKNOWN },
        /* As the actuator reads them. */
        { "scan-time\n", 1 },
        { "[none] [scan-time]\n", 0 },
        { "", VALUE_UNKNOWN },
    };
    g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_6_18);
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        fakeroot_write(root, KSM "advisor_mode", "%s", rows[i].content);
        assert_value(rows[i].content, "advisor", sample_of(root).knobs.advisor, rows[i].want);
    }
}

static void
notices_ksm_coming_and_going(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    HostMerged merged;
    HostSample sample;
    HostFacts facts;
    (void)unused;

    host_init(&facts, fakeroot_fd(root));
    host_read(&facts, &sample);
    assert_false(sample.has_ksm);
    assert_value("no KSM", "run", sample.knobs.run, VALUE_UNKNOWN);
    for (size_t i = 0; i < G_N_ELEMENTS(counters); i++)
        assert_value("no KSM", counters[i].name, value_at(&sample.ksm, counters[i].offset),
                     VALUE_UNKNOWN);

    fakeroot_write(root, KSM "run", "1\n");
    fakeroot_write(root, KSM "pages_sharing", "103\n");
    host_read_merged(&facts, &merged);
    assert_value("KSM came", "pages_sharing", merged.pages_sharing, 103);
    host_read(&facts, &sample);
    assert_true(sample.has_ksm);
    assert_value("KSM came", "run", sample.knobs.run, KSM_RUN_MERGE);

    fakeroot_write(root, KSM "run", "0\n");
    fakeroot_write(root, KSM "pages_sharing", "104\n");
    host_read_knobs(&facts, &sample);
    assert_value("settings alone", "run", sample.knobs.run, KSM_RUN_STOP);
    assert_value("settings alone", "pages_sharing", sample.ksm.pages_sharing, 103);

    fakeroot_remove(root, "sys/kernel/mm/ksm");
    host_read(&facts, &sample);
    assert_false(sample.has_ksm);
    assert_value("KSM went", "pages_shared", sample.ksm.pages_shared, VALUE_UNKNOWN);

    fakeroot_write(root, KSM "run", "2\n");
    host_read(&facts, &sample);
    assert_true(sample.has_ksm);
    assert_value("KSM came again", "run", sample.knobs.run, KSM_RUN_UNMERGE);
    host_done(&facts);
}

static void
reads_the_three_counters_of_the_saving_alone(void **unused)
{
    g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_6_18);
    HostMerged merged;
    HostFacts facts;
    (void)unused;

    host_init(&facts, fakeroot_fd(root));
    host_read_merged(&facts, &merged);
    assert_value("first", "pages_shared", merged.pages_shared, 102);
    assert_value("first", "pages_sharing", merged.pages_sharing, 103);
    assert_value("first", "ksm_zero_pages", merged.ksm_zero_pages, 106);

    fakeroot_write(root, KSM "pages_sharing", "203\n");
    fakeroot_remove(root, KSM "ksm_zero_pages");
    host_read_merged(&facts, &merged);
    assert_value("second", "pages_sharing", merged.pages_sharing, 203);
    assert_value("second", "ksm_zero_pages", merged.ksm_zero_pages, VALUE_UNKNOWN);
    host_done(&facts);
}

static void
does_without_memory_figures_that_make_no_sense(void **unused)
{
    static const struct {
        const char *when;
        const char *meminfo;
        uint64_t available_bytes;
    } rows[] = {
        { "as it should be", "MemTotal: 8 kB\nMemAvailable:  4 kB\n", 4096 },
        { "without the line", "MemTotal: 8 kB\nMemFree:  4 kB\n", VALUE_UNKNOWN },
        { "without unit", "MemTotal: 8 kB\nMemAvailable:  4\n", VALUE_UNKNOWN },
        { "other unit", "MemTotal: 8 kB\nMemAvailable:  4 MB\n", VALUE_UNKNOWN },
        { "negative", "MemTotal: 8 kB\nMemAvailable:  -4 kB\n", VALUE_UNKNOWN },
        { "overflow", "MemAvailable:  18446744073709551615 kB\n", VALUE_UNKNOWN },
        { "overflow in bytes", "MemAvailable:  18014398509481984 kB\n", VALUE_UNKNOWN },
        { "empty", "", VALUE_UNKNOWN },
    };
    g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_6_18);
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        fakeroot_write(root, "proc/meminfo", "%s", rows[i].meminfo);
        assert_value(rows[i].when, "available", sample_of(root).mem_available_bytes,
                     rows[i].available_bytes);
    }
    fakeroot_remove(root, "proc/meminfo");
    assert_value("no file", "total", sample_of(root).mem_total_bytes, VALUE_UNKNOWN);
}

static void
the_pool_of_huge_pages_is_no_memory_that_may_become_available(void **unused)
{
    static const struct {
        const char *when;
        const char *meminfo;
        uint64_t total_bytes;
    } rows[] = {
        { "two sizes",
          "MemTotal: 9000 kB\nHugePages_Total: 1\nHugepagesize: 2048 kB\nHugetlb: 8000 kB\n",
          1000 * 1024 },
        { "an old kernel", "MemTotal: 9000 kB\nHugePages_Total: 2\nHugepagesize: 2048 kB\n",
          (9000 - 4096) * 1024 },
        { "an empty pool", "MemTotal: 9000 kB\nHugePages_Total: 0\nHugetlb: 0 kB\n", 9000 * 1024 },
        { "no pool", "MemTotal: 9000 kB\n", 9000 * 1024 },
        { "pages of no size", "MemTotal: 9000 kB\nHugePages_Total: 2\n", 9000 * 1024 },
        { "as much as there is", "MemTotal: 9000 kB\nHugetlb: 9000 kB\n", 9000 * 1024 },
        { "more than a number holds",
          "MemTotal: 9000 kB\nHugePages_Total: 18446744073709551614\nHugepagesize: 2048 kB\n",
          9000 * 1024 },
        { "minus one", "MemTotal: 9000 kB\nHugetlb: 18446744073709551615 kB\n", 9000 * 1024 },
        { "no total", "HugePages_Total: 2\nHugepagesize: 2048 kB\nHugetlb: 4096 kB\n",
          VALUE_UNKNOWN },
    };
    g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_6_18);
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        fakeroot_write(root, "proc/meminfo", "%s", rows[i].meminfo);
        assert_value(rows[i].when, "total", sample_of(root).mem_total_bytes, rows[i].total_bytes);
    }
}

static void
always_has_a_number_of_processors(void **unused)
{
    uint64_t real = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    const struct {
        const char *list;
        uint64_t want;
    } rows[] = {
        { "0\n", 1 },           { "0-63\n", 64 },      { "0-3,8-11,40\n", 9 },
        { "\n", real },         { "garbage\n", real }, { "0-4294967295\n", real },
        { "0-65535\n", 65536 }, { "0-65536\n", real },
    };
    g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_6_18);
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        fakeroot_write(root, "sys/devices/system/cpu/online", "%s", rows[i].list);
        assert_value(rows[i].list, "cpus", sample_of(root).cpus, rows[i].want);
    }
    fakeroot_remove(root, "sys");
    assert_value("no file", "cpus", sample_of(root).cpus, real);
}

static void
gives_back_every_descriptor(void **unused)
{
    g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_6_18);
    unsigned before = descriptors_open();
    unsigned after_first = 0;
    HostFacts never_used = { 0 };
    HostSample sample;
    HostFacts facts;
    (void)unused;

    host_init(&facts, fakeroot_fd(root));
    for (int i = 0; i < 5; i++) {
        fakeroot_remove(root, "sys/kernel/mm/ksm");
        host_read(&facts, &sample);
        fakeroot_write(root, KSM "run", "1\n");
        host_read(&facts, &sample);
        if (i == 0)
            after_first = descriptors_open();
    }
    assert_int_equal(descriptors_open(), after_first);
    host_done(&facts);
    host_done(&facts);
    host_done(&never_used);
    host_done(NULL);
    assert_int_equal(descriptors_open(), before);
}

static void
reads_the_host_it_runs_on(void **unused)
{
    int root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    HostSample sample;
    HostFacts facts;
    (void)unused;

    host_init(&facts, root_fd);
    host_read(&facts, &sample);
    host_done(&facts);
    close(root_fd);
    assert_int_equal(sample.has_ksm, access("/sys/kernel/mm/ksm/run", F_OK) == 0);
    assert_int_equal(is_known(sample.knobs.run), sample.has_ksm);
    assert_int_equal(sample.cpus, sysconf(_SC_NPROCESSORS_ONLN));
    assert_true(is_known(sample.mem_total_bytes) && sample.mem_total_bytes > 1024 * 1024);
    assert_true(sample.mem_available_bytes <= sample.mem_total_bytes);
    assert_true(sample.anon_bytes <= sample.mem_total_bytes);
}

static void
swap_is_told_and_how_much_goes_there(void **unused)
{
    static const struct {
        const char *when;
        const char *meminfo; /* behind MemTotal */
        const char *vmstat;  /* NULL: no such file */
        uint64_t total;
        uint64_t free;
        uint64_t in;
        uint64_t out;
    } rows[] = {
        { "swapping", "SwapTotal: 8 kB\nSwapFree: 3 kB\n", "pgpgin 1\npswpin 5\npswpout 6\n", 8192,
          3072, 5, 6 },
        { "no swap", "SwapTotal: 0 kB\nSwapFree: 0 kB\n", "pswpin 0\npswpout 0\n", 0, 0, 0, 0 },
        { "more free than there is", "SwapTotal: 8 kB\nSwapFree: 9 kB\n", "pswpin 5\n", 8192,
          VALUE_UNKNOWN, 5, VALUE_UNKNOWN },
        { "a kernel without swap", "", "pgpgin 1\n", VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN,
          VALUE_UNKNOWN },
        { "minus one", "SwapTotal: 18446744073709551615 kB\nSwapFree: -1 kB\n",
          "pswpin 18446744073709551615\npswpout -1\n", VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN,
          VALUE_UNKNOWN },
        { "no vmstat", "SwapTotal: 8 kB\nSwapFree: 3 kB\n", NULL, 8192, 3072, VALUE_UNKNOWN,
          VALUE_UNKNOWN },
    };
    g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_6_18);
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        HostSample sample;
        HostFacts facts;

        fakeroot_write(root, "proc/meminfo", "MemTotal: 1 kB\n%s", rows[i].meminfo);
        if (rows[i].vmstat)
            fakeroot_write(root, "proc/vmstat", "%s", rows[i].vmstat);
        else
            fakeroot_remove(root, "proc/vmstat");
        sample = sample_of(root);
        assert_value(rows[i].when, "not asked for", sample.swap_in_pages, VALUE_UNKNOWN);
        host_init(&facts, fakeroot_fd(root));
        host_read_swapping(&facts, &sample);
        host_done(&facts);
        assert_value(rows[i].when, "total", sample.swap_total_bytes, rows[i].total);
        assert_value(rows[i].when, "free", sample.swap_free_bytes, rows[i].free);
        assert_value(rows[i].when, "in", sample.swap_in_pages, rows[i].in);
        assert_value(rows[i].when, "out", sample.swap_out_pages, rows[i].out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_each_kernel_has_and_knows_what_it_has_not),
        cmocka_unit_test(reads_settings_memory_and_processors),
        cmocka_unit_test(leaves_alone_what_others_fill),
        cmocka_unit_test(takes_nothing_hostile_for_a_figure),
        cmocka_unit_test(knows_which_mode_the_advisor_is_in),
        cmocka_unit_test(notices_ksm_coming_and_going),
        cmocka_unit_test(reads_the_three_counters_of_the_saving_alone),
        cmocka_unit_test(does_without_memory_figures_that_make_no_sense),
        cmocka_unit_test(the_pool_of_huge_pages_is_no_memory_that_may_become_available),
        cmocka_unit_test(always_has_a_number_of_processors),
        cmocka_unit_test(gives_back_every_descriptor),
        cmocka_unit_test(reads_the_host_it_runs_on),
        cmocka_unit_test(swap_is_told_and_how_much_goes_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
