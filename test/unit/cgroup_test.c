/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup_test.c - which cgroup is a domain's, what it uses, and what zswap holds of it */
#include "agent/facts/cgroup.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "policy/sample.h"
#include "test/support/fakehost.h"

#define U VALUE_UNKNOWN

typedef struct {
    FakeRoot *root;
    Process process;
} Fixture;

static int
setup(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    fixture->root = fakehost_new(FAKEHOST_LINUX_5_10);
    fakehost_add_qemu(fixture->root);
    assert_true(process_find(fakeroot_fd(fixture->root),
                             &(ProcessWanted){ "web", FAKEHOST_QEMU_UUID, false },
                             &fixture->process, NULL));
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    Fixture *fixture = *state;

    process_done(&fixture->process);
    fakeroot_free(fixture->root);
    g_free(fixture);
    return 0;
}

static void
the_part_of_the_path_that_is_the_domains_is_found(void **state)
{
    static const struct {
        const char *when;
        const char *text;
        const char *want; /* NULL: none */
    } rows[] = {
        { "systemd", "0::/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator\n",
          "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope" },
        { "without systemd", "0::/machine/qemu-1-web.libvirt-qemu/emulator\n",
          "/machine/qemu-1-web.libvirt-qemu" },
        { "the group itself", "0::/machine/qemu-1-web.libvirt-qemu\n",
          "/machine/qemu-1-web.libvirt-qemu" },
        { "behind those of version 1",
          "4:memory:/machine/qemu-9-other.libvirt-qemu\n0::/machine/qemu-1-web.libvirt-qemu\n",
          "/machine/qemu-1-web.libvirt-qemu" },
        { "version 1 alone", "4:memory:/machine/qemu-1-web.libvirt-qemu\n", NULL },
        { "a slice that many are in", "0::/machine.slice\n", NULL },
        { "a service", "0::/system.slice/libvirtd.service\n", NULL },
        { "a scope of somebody else", "0::/user.slice/session-1.scope\n", NULL },
        { "outside of what we see", "0::/../machine/qemu-1-web.libvirt-qemu\n", NULL },
        { "none", "0::/\n", NULL },
        { "nothing", "", NULL },
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *have = NULL;

        fakeroot_write(fixture->root, "proc/42/cgroup", "%s", rows[i].text);
        have = cgroup_find(&fixture->process, CGROUP_V2);
        if (g_strcmp0(have, rows[i].want) != 0)
            fail_msg("%s: %s, want %s", rows[i].when, have ? have : "none",
                     rows[i].want ? rows[i].want : "none");
    }
}

static void
a_process_that_is_gone_has_none(void **state)
{
    Fixture *fixture = *state;
    const Process none = { 0 };

    assert_null(cgroup_find(&fixture->process, CGROUP_V2)); /* no such file */
    fakeroot_remove(fixture->root, "proc/42");
    assert_null(cgroup_find(&fixture->process, CGROUP_V2));
    assert_null(cgroup_find(&none, CGROUP_V2));
}

static void
zswap_is_told_by_kernels_that_know(void **state)
{
    static const struct {
        const char *when;
        const char *stat; /* NULL: no such file */
        uint64_t zswapped;
        uint64_t zswap;
    } rows[] = {
        { "6.1", "anon 5\nzswap 1000\nzswapped 4000\nworkingset 3\n", 4000, 1000 },
        { "5.10", "anon 5\nfile 3\n", U, U },
        { "minus one", "zswap -1\nzswapped 18446744073709551615\n", U, U },
        { "version 1", NULL, U, U },
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("sys/fs/cgroup/m%zu/memory.stat", i);
        g_autofree char *cgroup = g_strdup_printf("/m%zu", i);
        CgroupZswap zswap;

        if (rows[i].stat)
            fakeroot_write(fixture->root, path, "%s", rows[i].stat);
        cgroup_read_zswap(fakeroot_fd(fixture->root), cgroup, &zswap);
        if (zswap.zswapped_bytes != rows[i].zswapped || zswap.zswap_bytes != rows[i].zswap)
            fail_msg("%s: zswapped %" PRIu64 ", zswap %" PRIu64, rows[i].when, zswap.zswapped_bytes,
                     zswap.zswap_bytes);
    }
}

static void
without_a_cgroup_nothing_is_known(void **state)
{
    Fixture *fixture = *state;
    CgroupZswap zswap;

    fakeroot_write(fixture->root, "sys/fs/cgroup/memory.stat", "zswap 1\nzswapped 2\n");
    cgroup_read_zswap(fakeroot_fd(fixture->root), NULL, &zswap);
    assert_true(zswap.zswapped_bytes == U && zswap.zswap_bytes == U);
}

static void
the_path_of_version_1_is_that_of_the_memory_controller(void **state)
{
    static const struct {
        const char *when;
        const char *text;
        const char *want; /* NULL: none */
    } rows[] = {
        { "without systemd",
          "9:cpu:/machine/qemu-2-b.libvirt-qemu/emulator\n"
          "4:memory:/machine/qemu-1-web.libvirt-qemu\n0::/\n",
          "/machine/qemu-1-web.libvirt-qemu" },
        { "systemd", "12:memory:/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt\n",
          "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope" },
        { "version 2 alone", "0::/machine/qemu-1-web.libvirt-qemu\n", NULL },
        { "a named hierarchy", "1:name=memory:/machine/qemu-1-web.libvirt-qemu\n", NULL },
        { "no number", ":memory:/machine/qemu-1-web.libvirt-qemu\n", NULL },
        { "with another controller", "4:cpuset,memory:/machine/qemu-1-web.libvirt-qemu/emulator\n",
          "/machine/qemu-1-web.libvirt-qemu" },
        { "colons in the path", "4:memory:/a:b/qemu-1-web.libvirt-qemu\n",
          "/a:b/qemu-1-web.libvirt-qemu" },
        { "a group of nobody", "4:memory:/\n0::/machine/qemu-1-web.libvirt-qemu\n", NULL },
        { "damaged", "memory\n4:memory\n", NULL },
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *have = NULL;

        fakeroot_write(fixture->root, "proc/42/cgroup", "%s", rows[i].text);
        have = cgroup_find(&fixture->process, CGROUP_V1);
        if (g_strcmp0(have, rows[i].want) != 0)
            fail_msg("%s: %s, want %s", rows[i].when, have ? have : "none",
                     rows[i].want ? rows[i].want : "none");
    }
}

#define SCOPE            "machine.slice/machine-qemu\\x2d1\\x2dweb.scope/"
#define AS_U64_MINUS_ONE "18446744073709551615\n"
/* What memory.events tells in most rows. */
#define EVENTS 5, 6, 7

static void
assert_figures(const char *when, const CgroupSample *have, const CgroupSample *want)
{
    if (memcmp(have, want, sizeof(*have)) != 0)
        fail_msg("%s: bytes %" PRIu64 ", file %" PRIu64 ", stall %" PRIu64 ", refaults %" PRIu64
                 ", limit %" PRIu64 ", events %" PRIu64 " %" PRIu64 " %" PRIu64,
                 when, have->bytes, have->file_bytes, have->stall_us, have->refaults,
                 have->limit_bytes, have->high_events, have->max_events, have->oom_events);
}

/* Opens and reads the cgroup of the process. Return: whether there is one. */
static bool
read_cgroup(Fixture *fixture, Cgroup *cgroup, CgroupSample *sample)
{
    return cgroup_open(cgroup, fakeroot_fd(fixture->root), &fixture->process) &&
           cgroup_read(cgroup, sample);
}

static void
figures_of_version_2_are_those_of_libvirts_own_group(void **state)
{
    static const FakeFile files[] = {
        { "proc/42/cgroup", "0::/" SCOPE "libvirt/emulator\n" },
        { "sys/fs/cgroup/cgroup.controllers", "memory\n" },
        { "sys/fs/cgroup/" SCOPE "memory.current", "1\n" },
        { "sys/fs/cgroup/" SCOPE "libvirt/memory.current", "1000\n" },
        { "sys/fs/cgroup/" SCOPE "libvirt/memory.stat",
          "anon 5\nactive_file 10\ninactive_file 20\nworkingset_refault_anon 3\n"
          "workingset_refault_file 4\n" },
        { "sys/fs/cgroup/" SCOPE "libvirt/memory.high", "2000\n" },
        { "sys/fs/cgroup/" SCOPE "libvirt/memory.reclaim", "" },
        { "sys/fs/cgroup/" SCOPE "libvirt/memory.pressure",
          "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 "
          "avg300=0.00 total=9\n" },
        { "sys/fs/cgroup/" SCOPE "libvirt/memory.events",
          "low 1\nhigh 5\nmax 6\noom 4\noom_kill 3\noom_group_kill 9\n" },
    };
    static const CgroupSample want = { 1000, 30, 77, 7, 2000, EVENTS };
    Fixture *fixture = *state;
    Cgroup cgroup = { 0 };
    CgroupSample sample = { 0 };

    fakeroot_write_table(fixture->root, files, G_N_ELEMENTS(files));
    assert_true(read_cgroup(fixture, &cgroup, &sample));
    assert_figures("all there", &sample, &want);
    assert_int_equal(cgroup.version, CGROUP_V2);
    assert_true(cgroup.can_reclaim && cgroup.can_limit);
    cgroup_close(&cgroup);
    assert_int_equal(cgroup.version, CGROUP_NONE);
    cgroup_close(&cgroup);
}

static void
figures_of_version_1_are_those_of_all_groups_below(void **state)
{
    static const FakeFile files[] = {
        { "proc/42/cgroup", "4:memory:/machine/qemu-1-web.libvirt-qemu\n0::/\n" },
        { "sys/fs/cgroup/memory/machine/qemu-1-web.libvirt-qemu/memory.usage_in_bytes", "1000\n" },
        { "sys/fs/cgroup/memory/machine/qemu-1-web.libvirt-qemu/memory.stat",
          "active_file 1\ninactive_file 2\n"
          "total_workingset_refault_anon 3\ntotal_workingset_refault_file 4\n"
          "total_inactive_file 20\ntotal_active_file 10\n" },
    };
    static const CgroupSample want = { 1000, 30, U, 7, U, U, U, U };
    Fixture *fixture = *state;
    Cgroup cgroup = { 0 };
    CgroupSample sample = { 0 };

    fakeroot_write_table(fixture->root, files, G_N_ELEMENTS(files));
    assert_true(read_cgroup(fixture, &cgroup, &sample));
    assert_figures("all there", &sample, &want);
    assert_int_equal(cgroup.version, CGROUP_V1);
    assert_false(cgroup.can_reclaim || cgroup.can_limit);
    fakeroot_remove(fixture->root, "sys/fs/cgroup/memory/machine");
    assert_false(cgroup_read(&cgroup, &sample));
    assert_true(sample.bytes == U && sample.refaults == U);
    cgroup_close(&cgroup);
}

static void
what_is_absent_or_makes_no_sense_is_unknown(void **state)
{
    static const struct {
        const char *when;
        const char *file;
        const char *text; /* NULL: no such file */
        CgroupSample want;
    } rows[] = {
        { "no limit", "memory.high", "max\n", { 1000, 30, 77, 7, LIMIT_NONE, EVENTS } },
        { "a kernel without limits", "memory.high", NULL, { 1000, 30, 77, 7, U, EVENTS } },
        { "a limit of minus one", "memory.high", "-1\n", { 1000, 30, 77, 7, U, EVENTS } },
        { "a limit of nonsense", "memory.high", "maximum\n", { 1000, 30, 77, 7, U, EVENTS } },
        { "a limit beyond all limits",
          "memory.high",
          "18446744073709551614\n",
          { 1000, 30, 77, 7, U, EVENTS } },
        { "usage of minus one",
          "memory.current",
          AS_U64_MINUS_ONE,
          { U, 30, 77, 7, 2000, EVENTS } },
        { "usage beyond all memory",
          "memory.current",
          "9223372036854775808\n",
          { U, 30, 77, 7, 2000, EVENTS } },
        { "the most that can be",
          "memory.current",
          "9223372036854775807\n",
          { INT64_MAX, 30, 77, 7, 2000, EVENTS } },
        { "usage with a unit", "memory.current", "1000 kB\n", { U, 30, 77, 7, 2000, EVENTS } },
        { "no PSI", "memory.pressure", NULL, { 1000, 30, U, 7, 2000, EVENTS } },
        { "damaged PSI", "memory.pressure", "some total=\n", { 1000, 30, U, 7, 2000, EVENTS } },
        { "nothing in stat", "memory.stat", "", { 1000, U, 77, U, 2000, EVENTS } },
        { "half of the sums",
          "memory.stat",
          "active_file 10\nworkingset_refault_file 4\n",
          { 1000, U, 77, U, 2000, EVENTS } },
        { "sums of minus one",
          "memory.stat",
          "active_file 18446744073709551615\ninactive_file 1\nworkingset_refault_anon -1\n"
          "workingset_refault_file 4\n",
          { 1000, U, 77, U, 2000, EVENTS } },
        { "a file of binary", "memory.current", "\001\377\n", { U, 30, 77, 7, 2000, EVENTS } },
        { "a kernel that counts no events",
          "memory.events",
          NULL,
          { 1000, 30, 77, 7, 2000, U, U, U } },
        { "half of the events",
          "memory.events",
          "max 6\noom 4\n",
          { 1000, 30, 77, 7, 2000, U, 6, U } },
        { "events of nonsense",
          "memory.events",
          "high many\nmax -1\noom 4\noom_kill 3\n",
          { 1000, 30, 77, 7, 2000, U, U, 7 } },
        { "more events than can be counted",
          "memory.events",
          "high 5\nmax 6\noom 18446744073709551614\noom_kill 3\n",
          { 1000, 30, 77, 7, 2000, 5, 6, U } },
    };
    static const FakeFile good[] = {
        { "sys/fs/cgroup/cgroup.controllers", "memory\n" },
        { "proc/42/cgroup", "0::/machine/qemu-1-web.libvirt-qemu/emulator\n" },
        { "sys/fs/cgroup/machine/qemu-1-web.libvirt-qemu/memory.current", "1000\n" },
        { "sys/fs/cgroup/machine/qemu-1-web.libvirt-qemu/memory.stat",
          "active_file 10\ninactive_file 20\nworkingset_refault_anon 3\n"
          "workingset_refault_file 4\n" },
        { "sys/fs/cgroup/machine/qemu-1-web.libvirt-qemu/memory.pressure",
          "some avg10=0.00 total=77\n" },
        { "sys/fs/cgroup/machine/qemu-1-web.libvirt-qemu/memory.high", "2000\n" },
        { "sys/fs/cgroup/machine/qemu-1-web.libvirt-qemu/memory.events",
          "low 1\nhigh 5\nmax 6\noom 4\noom_kill 3\noom_group_kill 9\n" },
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path =
            g_strconcat("sys/fs/cgroup/machine/qemu-1-web.libvirt-qemu/", rows[i].file, NULL);
        Cgroup cgroup = { 0 };
        CgroupSample sample = { 0 };

        fakeroot_write_table(fixture->root, good, G_N_ELEMENTS(good));
        assert_true(cgroup_open(&cgroup, fakeroot_fd(fixture->root), &fixture->process));
        if (rows[i].text)
            fakeroot_write(fixture->root, path, "%s", rows[i].text);
        else
            fakeroot_remove(fixture->root, path);
        assert_true(cgroup_read(&cgroup, &sample));
        assert_figures(rows[i].when, &sample, &rows[i].want);
        cgroup_close(&cgroup);
    }
}

static void
a_domain_without_a_memory_cgroup_has_none_to_hold(void **state)
{
    Fixture *fixture = *state;
    Cgroup cgroup = { 0 };

    assert_false(cgroup_open(&cgroup, fakeroot_fd(fixture->root), &fixture->process));
    fakeroot_write(fixture->root, "proc/42/cgroup", "4:memory:/machine/qemu-1-web.libvirt-qemu\n");
    assert_false(cgroup_open(&cgroup, fakeroot_fd(fixture->root), &fixture->process));
    fakeroot_write(fixture->root, "sys/fs/cgroup/memory/machine/qemu-1-web.libvirt-qemu/tasks",
                   "42\n");
    assert_false(cgroup_open(&cgroup, fakeroot_fd(fixture->root), &fixture->process));
    assert_int_equal(cgroup.version, CGROUP_NONE);
}

static void
version_2_is_known_by_its_root(void **state)
{
    Fixture *fixture = *state;

    assert_false(cgroup_is_v2(fakeroot_fd(fixture->root)));
    fakeroot_write(fixture->root, "sys/fs/cgroup/unified/cgroup.controllers", "\n");
    assert_false(cgroup_is_v2(fakeroot_fd(fixture->root)));
    fakeroot_write(fixture->root, "sys/fs/cgroup/cgroup.controllers", "memory\n");
    assert_true(cgroup_is_v2(fakeroot_fd(fixture->root)));
}

#define ON_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FIXTURE(the_part_of_the_path_that_is_the_domains_is_found),
        ON_FIXTURE(a_process_that_is_gone_has_none),
        ON_FIXTURE(zswap_is_told_by_kernels_that_know),
        ON_FIXTURE(without_a_cgroup_nothing_is_known),
        ON_FIXTURE(the_path_of_version_1_is_that_of_the_memory_controller),
        ON_FIXTURE(figures_of_version_2_are_those_of_libvirts_own_group),
        ON_FIXTURE(figures_of_version_1_are_those_of_all_groups_below),
        ON_FIXTURE(what_is_absent_or_makes_no_sense_is_unknown),
        ON_FIXTURE(a_domain_without_a_memory_cgroup_has_none_to_hold),
        ON_FIXTURE(version_2_is_known_by_its_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
