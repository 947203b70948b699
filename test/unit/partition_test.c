/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* partition_test.c - the cgroup that all domains live in, and the memory that it leaves to them */
#include "agent/facts/partition.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test/support/fakeroot.h"

#define U     VALUE_UNKNOWN
#define MOUNT "sys/fs/cgroup"
#define V1    MOUNT "/memory/machine/"

static const PolicyConf tenth = { .memory_tight_bp = 1000 };

static void
join(Partition *partition, CgroupVersion version, const char *parent)
{
    g_autofree char *copy = g_strdup(parent);
    const Cgroup cgroup = { .version = version, .dir_fd = -1, .parent = copy };

    partition_join(partition, &cgroup);
}

static void
what_all_domains_are_in_is_found_in_whole_names(void **state)
{
    static const struct {
        const char *when;
        const char *parents[3]; /* NULL: no such domain; "?": a domain without a group */
        const char *want;       /* NULL: no domain */
    } rows[] = {
        { "no domain", { NULL }, NULL },
        { "one", { "/machine" }, "/machine" },
        { "in one place", { "/machine", "/machine", "/machine" }, "/machine" },
        { "some deeper", { "/machine/web", "/machine", "/machine/db" }, "/machine" },
        { "the shallow one last", { "/machine/web", "/machine/web/a", "/machine" }, "/machine" },
        { "names that begin alike", { "/machine/web", "/machine/web2" }, "/machine" },
        { "a name that goes on", { "/machine", "/machine2" }, "" },
        { "nothing in common", { "/machine", "/other" }, "" },
        { "at the top", { "/" }, "/" },
        { "one at the top", { "/machine", "/" }, "" },
        { "one that is not known", { "/machine", "?", "/machine" }, "" },
        { "the first is not known", { "?", "/machine" }, "" },
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Partition partition = { 0 };

        for (size_t k = 0; k < 3 && rows[i].parents[k]; k++) {
            bool is_known = rows[i].parents[k][0] != '?';

            join(&partition, is_known ? CGROUP_V2 : CGROUP_NONE,
                 is_known ? rows[i].parents[k] : NULL);
        }
        if (g_strcmp0(partition.path, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].when, partition.path ? partition.path : "none");
        partition_clear(&partition);
    }
}

static void
assert_bound(const char *when, const Partition *partition, const HostSample *have,
             const HostSample *want, const char *path)
{
    if (have->mem_total_bytes != want->mem_total_bytes ||
        have->mem_available_bytes != want->mem_available_bytes ||
        g_strcmp0(partition->bound_path, path) != 0)
        fail_msg("%s: total %" PRIu64 ", available %" PRIu64 ", by %s", when, have->mem_total_bytes,
                 have->mem_available_bytes, partition->bound_path ? partition->bound_path : "none");
}

static void
the_tightest_of_limit_and_host_counts_in_version_2(void **state)
{
    static const struct {
        const char *when;
        const char *file;
        const char *text; /* NULL: no such file */
        HostSample want;
        const char *path; /* NULL: the host itself */
    } rows[] = {
        { "memory.max",
          "a/memory.max",
          "4000\n",
          { .mem_total_bytes = 4000, .mem_available_bytes = 1300 },
          "/a" },
        { "memory.high",
          "a/memory.high",
          "3500\n",
          { .mem_total_bytes = 3500, .mem_available_bytes = 800 },
          "/a" },
        { "more than it may use",
          "a/memory.max",
          "1000\n",
          { .mem_total_bytes = 1000, .mem_available_bytes = 300 },
          "/a" },
        { "the host has less available",
          "a/memory.max",
          "9999\n",
          { .mem_total_bytes = 10000, .mem_available_bytes = 5000 },
          NULL },
        { "as much as the host has",
          "a/memory.max",
          "10000\n",
          { .mem_total_bytes = 10000, .mem_available_bytes = 5000 },
          NULL },
        { "no limit",
          "a/memory.max",
          "max\n",
          { .mem_total_bytes = 10000, .mem_available_bytes = 5000 },
          NULL },
        { "a limit of nonsense",
          "a/memory.max",
          "much\n",
          { .mem_total_bytes = 10000, .mem_available_bytes = 5000 },
          NULL },
        { "a kernel without limits",
          "a/memory.max",
          NULL,
          { .mem_total_bytes = 10000, .mem_available_bytes = 5000 },
          NULL },
        { "around it",
          "a/b/memory.max",
          "4000\n",
          { .mem_total_bytes = 4000, .mem_available_bytes = 3590 },
          "/a/b" },
        { "of other domains",
          "a/c/memory.max",
          "4000\n",
          { .mem_total_bytes = 10000, .mem_available_bytes = 5000 },
          NULL },
    };
    static const FakeFile files[] = {
        { MOUNT "/a/memory.current", "3000\n" },
        { MOUNT "/a/memory.max", "max\n" },
        { MOUNT "/a/memory.high", "max\n" },
        { MOUNT "/a/memory.stat", "active_file 100\ninactive_file 200\n" },
        { MOUNT "/a/b/memory.current", "500\n" },
        { MOUNT "/a/b/memory.stat", "active_file 30\ninactive_file 60\n" },
        { MOUNT "/a/c/memory.current", "500\n" },
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strconcat(MOUNT "/", rows[i].file, NULL);
        FakeRoot *root = fakeroot_new();
        Partition partition = { 0 };
        HostSample sample = { .mem_total_bytes = 10000, .mem_available_bytes = 5000 };

        fakeroot_write_table(root, files, G_N_ELEMENTS(files));
        if (rows[i].text)
            fakeroot_write(root, path, "%s", rows[i].text);
        else
            fakeroot_remove(root, path);
        join(&partition, CGROUP_V2, "/a/b");
        partition_bound(&partition, fakeroot_fd(root), &tenth, &sample);
        assert_bound(rows[i].when, &partition, &sample, &rows[i].want, rows[i].path);
        partition_clear(&partition);
        fakeroot_free(root);
    }
}

static void
whichever_level_is_nearest_to_being_tight_bounds(void **unused)
{
    static const struct {
        const char *when;
        const char *used; /* by the outer group; the inner one uses 500 */
        const char *outer;
        const char *inner;
        HostSample want;
        const char *path;
    } rows[] = {
        { "inside",
          "600",
          "4000",
          "2000",
          { .mem_total_bytes = 2000, .mem_available_bytes = 1500 },
          "/a/b" },
        { "outside, with the larger limit",
          "3900",
          "4000",
          "2000",
          { .mem_total_bytes = 4000, .mem_available_bytes = 100 },
          "/a" },
        { "outside, with the smaller limit",
          "3900",
          "800",
          "2000",
          { .mem_total_bytes = 800, .mem_available_bytes = 0 },
          "/a" },
        { "outside, and no limit inside",
          "3900",
          "4000",
          "max",
          { .mem_total_bytes = 4000, .mem_available_bytes = 100 },
          "/a" },
        { "outside, which leaves more, of much more",
          "2450",
          "4000",
          "2000",
          { .mem_total_bytes = 4000, .mem_available_bytes = 1550 },
          "/a" },
        { "inside, which leaves less, of little",
          "2200",
          "4000",
          "2000",
          { .mem_total_bytes = 2000, .mem_available_bytes = 1500 },
          "/a/b" },
        { "outside, as much as the host has",
          "9999",
          "10000",
          "2000",
          { .mem_total_bytes = 2000, .mem_available_bytes = 1500 },
          "/a/b" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        HostSample sample = { .mem_total_bytes = 10000, .mem_available_bytes = 5000 };
        g_autoptr(FakeRoot) root = fakeroot_new();
        Partition partition = { 0 };

        fakeroot_write(root, MOUNT "/a/memory.current", "%s\n", rows[i].used);
        fakeroot_write(root, MOUNT "/a/memory.max", "%s\n", rows[i].outer);
        fakeroot_write(root, MOUNT "/a/memory.stat", "\n");
        fakeroot_write(root, MOUNT "/a/b/memory.current", "500\n");
        fakeroot_write(root, MOUNT "/a/b/memory.max", "%s\n", rows[i].inner);
        fakeroot_write(root, MOUNT "/a/b/memory.stat", "\n");
        join(&partition, CGROUP_V2, "/a/b");
        partition_bound(&partition, fakeroot_fd(root), &tenth, &sample);
        assert_bound(rows[i].when, &partition, &sample, &rows[i].want, rows[i].path);
        assert_int_equal(partition.limit_bytes, rows[i].want.mem_total_bytes);
        partition_clear(&partition);
    }
}

static void
version_1_has_a_limit_of_its_own_kind(void **state)
{
    static const HostSample want = { .mem_total_bytes = 4000, .mem_available_bytes = 1030 };
    static const HostSample none = { .mem_total_bytes = U, .mem_available_bytes = U };
    HostSample sample = { .mem_total_bytes = 10000, .mem_available_bytes = 5000 };
    HostSample unknown = none;
    Partition partition = { 0 };
    FakeRoot *root = *state;

    fakeroot_write(root, V1 "memory.usage_in_bytes", "3000\n");
    fakeroot_write(root, V1 "memory.limit_in_bytes", "9223372036854771712\n");
    fakeroot_write(root, V1 "memory.stat", "total_active_file 10\ntotal_inactive_file 20\n");
    join(&partition, CGROUP_V1, "/machine");
    partition_bound(&partition, fakeroot_fd(root), &tenth, &sample);
    assert_null(partition.bound_path);
    assert_int_equal(sample.mem_available_bytes, 5000);
    fakeroot_write(root, V1 "memory.limit_in_bytes", "4000\n");
    partition_bound(&partition, fakeroot_fd(root), &tenth, &sample);
    assert_bound("a limit", &partition, &sample, &want, "/machine");
    fakeroot_remove(root, MOUNT);
    partition_bound(&partition, fakeroot_fd(root), &tenth, &unknown);
    assert_bound("gone", &partition, &unknown, &none, NULL);
    partition_clear(&partition);
}

static void
remnants_of_huge_pages_are_available(void **state)
{
    static const struct {
        const char *when;
        CgroupVersion version;
        const char *stat; /* behind the figures of files, which are 30 in all */
        const char *kmem; /* NULL: no such file */
        uint64_t want;
    } rows[] = {
        { "version 1", CGROUP_V1, "total_rss 2000\ntotal_cache 100\n", "50\n", 1030 + 850 },
        { "version 1, none", CGROUP_V1, "total_rss 2900\ntotal_cache 100\n", "50\n", 1030 },
        { "version 1, no kernel", CGROUP_V1, "total_rss 2000\ntotal_cache 100\n", NULL, 1030 },
        { "version 1, no cache", CGROUP_V1, "total_rss 2000\n", "50\n", 1030 },
        { "version 2", CGROUP_V2, "anon 2000\nfile 100\nkernel 50\n", NULL, 1030 + 850 },
        { "version 2, none", CGROUP_V2, "anon 2900\nfile 100\nkernel 50\n", NULL, 1030 },
        { "version 2, no kernel", CGROUP_V2, "anon 2000\nfile 100\n", NULL, 1030 },
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        FakeRoot *root = fakeroot_new();
        HostSample sample = { .mem_total_bytes = 10000, .mem_available_bytes = 5000 };
        const HostSample want = { .mem_total_bytes = 4000, .mem_available_bytes = rows[i].want };
        Partition partition = { 0 };

        fakeroot_write(root, V1 "memory.usage_in_bytes", "3000\n");
        fakeroot_write(root, V1 "memory.limit_in_bytes", "4000\n");
        fakeroot_write(root, V1 "memory.stat", "total_active_file 10\ntotal_inactive_file 20\n%s",
                       rows[i].stat);
        fakeroot_write(root, MOUNT "/machine/memory.current", "3000\n");
        fakeroot_write(root, MOUNT "/machine/memory.max", "4000\n");
        fakeroot_write(root, MOUNT "/machine/memory.stat", "active_file 10\ninactive_file 20\n%s",
                       rows[i].stat);
        if (rows[i].kmem)
            fakeroot_write(root, V1 "memory.kmem.usage_in_bytes", "%s", rows[i].kmem);
        join(&partition, rows[i].version, "/machine");
        partition_bound(&partition, fakeroot_fd(root), &tenth, &sample);
        assert_bound(rows[i].when, &partition, &sample, &want, "/machine");
        partition_clear(&partition);
        fakeroot_free(root);
    }
}

static void
nobody_is_bound_by_what_cannot_be_read(void **state)
{
    const HostSample host = { .mem_total_bytes = 10000, .mem_available_bytes = 5000 };
    HostSample sample = host;
    Partition partition = { 0 };
    FakeRoot *root = *state;

    partition_bound(&partition, fakeroot_fd(root), &tenth, &sample);
    assert_bound("no domain", &partition, &sample, &host, NULL);
    fakeroot_write(root, V1 "memory.usage_in_bytes", "-1\n");
    fakeroot_write(root, V1 "memory.limit_in_bytes", "4000\n");
    fakeroot_write(root, V1 "memory.stat", "total_active_file 10\ntotal_inactive_file 20\n");
    join(&partition, CGROUP_V1, "/machine");
    partition_bound(&partition, fakeroot_fd(root), &tenth, &sample);
    assert_bound("usage of minus one", &partition, &sample, &host, NULL);
    partition_clear(&partition);
    partition_clear(&partition);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_all_domains_are_in_is_found_in_whole_names),
        cmocka_unit_test(the_tightest_of_limit_and_host_counts_in_version_2),
        cmocka_unit_test(whichever_level_is_nearest_to_being_tight_bounds),
        FAKEROOT_TEST(version_1_has_a_limit_of_its_own_kind),
        cmocka_unit_test(remnants_of_huge_pages_are_available),
        FAKEROOT_TEST(nobody_is_bound_by_what_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
