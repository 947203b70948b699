/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup_test.c - which cgroup is a domain's, and what zswap holds of it */
#include "agent/facts/cgroup.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/arith.h"
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
    assert_true(process_find(fakeroot_fd(fixture->root), "web", FAKEHOST_QEMU_UUID,
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
        have = cgroup_find(&fixture->process);
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

    assert_null(cgroup_find(&fixture->process)); /* no such file */
    fakeroot_remove(fixture->root, "proc/42");
    assert_null(cgroup_find(&fixture->process));
    assert_null(cgroup_find(&none));
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
        ON_FIXTURE(version_2_is_known_by_its_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
