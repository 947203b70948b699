/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ledger_memory_test.c - where the memory of a domain is, as far as it can be told */
#define _GNU_SOURCE
#include "agent/report/ledger_memory.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/fakehost.h"

#define U   VALUE_UNKNOWN
#define MIB (UINT64_C(1) << 20)

typedef struct {
    FakeRoot *root;
    DomainTable domains;
    Domain *domain;
    Ledger ledger; /* of a host with pages of 4 KiB and cgroups of version 2 */
    LedgerRow row;
} Fixture;

/* A domain of 1000 MiB; 100 ballooned, 310 resident, 10 of them QEMU's, 50 swapped, 1 of zeros. */
static int
setup(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    Domain *domain;

    fixture->root = fakehost_new(FAKEHOST_LINUX_6_18);
    fakehost_add_qemu(fixture->root);
    fakeroot_write(fixture->root, "proc/42/status", "VmSwap: %d kB\nHugetlbPages: 0 kB\n",
                   50 * 1024);
    fakeroot_write(fixture->root, "proc/42/cgroup", "0::/machine/qemu-1-web.libvirt-qemu\n");
    fakeroot_write(fixture->root, "sys/fs/cgroup/machine/qemu-1-web.libvirt-qemu/memory.stat",
                   "zswap 1000\nzswapped 4000\n");
    domain_table_init(&fixture->domains);
    domain = domain_table_add(&fixture->domains, FAKEHOST_QEMU_UUID, "web", 1, 0);
    assert_true(process_find(fakeroot_fd(fixture->root),
                             &(ProcessWanted){ "web", FAKEHOST_QEMU_UUID, false }, &domain->process,
                             NULL));
    domain->has_process = true;
    domain->maximum_bytes = 1000 * MIB;
    domain->balloon_bytes = 900 * MIB;
    domain->overhead.bytes = 10 * MIB;
    domain->overhead.peak_bytes = 40 * MIB;
    fixture->domain = domain;
    fixture->ledger.page_bytes = 4096;
    fixture->ledger.has_cgroup_v2 = true;
    fixture->ledger.vm.zswapped_bytes = 4000;
    fixture->row = (LedgerRow){ .domain = domain, .resident_bytes = 310 * MIB, .zero_pages = 256 };
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    Fixture *fixture = *state;

    domain_table_done(&fixture->domains);
    fakeroot_free(fixture->root);
    g_free(fixture);
    return 0;
}

static const LedgerRow *
fill(Fixture *fixture)
{
    ledger_fill_memory(fakeroot_fd(fixture->root), &fixture->ledger, &fixture->row);
    return &fixture->row;
}

static void
the_places_add_up_to_the_maximum(void **state)
{
    Fixture *fixture = *state;
    const LedgerRow *row = fill(fixture);

    assert_int_equal(row->ballooned_bytes, 100 * MIB);
    assert_int_equal(row->swapped_bytes, 50 * MIB);
    assert_int_equal(row->resident_bytes, 310 * MIB);
    assert_int_equal(row->untouched_bytes, (1000 - 100 - 50 - 300 - 1) * MIB);
    assert_int_equal(row->zswapped_bytes, 4000);
    assert_int_equal(row->zswap_bytes, 1000);
}

static void
huge_pages_are_resident(void **state)
{
    Fixture *fixture = *state;
    const LedgerRow *row;

    fakeroot_write(fixture->root, "proc/42/status", "VmSwap: 0 kB\nHugetlbPages: %d kB\n",
                   900 * 1024);
    fixture->row.resident_bytes = 10 * MIB;
    fixture->row.zero_pages = U;
    fixture->domain->balloon_bytes = 1000 * MIB;
    row = fill(fixture);
    assert_int_equal(row->resident_bytes, 910 * MIB);
    assert_int_equal(row->untouched_bytes, 100 * MIB);
}

/* U stays U. */
static uint64_t
bytes(uint64_t mib)
{
    return is_known(mib) ? mib * MIB : U;
}

/* One figure is taken away or made absurd; the rest is as in setup(). */
static void
what_is_never_touched_needs_all_its_parts(void **state)
{
    static const struct {
        const char *when;
        uint64_t maximum_mib; /* U: not known; likewise below */
        uint64_t balloon_mib;
        uint64_t resident_mib;
        uint64_t overhead_mib;
        uint64_t overhead_swapped_mib;
        uint64_t want_mib;
    } rows[] = {
        { "all is known", 1000, 900, 310, 10, 0, 549 },
        { "what is swapped is QEMU's", 1000, 900, 310, 10, 50, 599 },
        { "the maximum is not known", U, 900, 310, 10, 0, U },
        { "the balloon is not known", 1000, U, 310, 10, 0, U },
        { "the resident set is not known", 1000, 900, U, 10, 0, U },
        { "QEMU was not measured", 1000, 900, 310, U, 0, U },
        { "QEMU has shrunk since", 1000, 900, 5, 10, 0, 849 },
        { "a balloon that freed nothing", 1000, 100, 1010, 10, 0, 0 },
        { "a balloon above the maximum", 1000, 2000, 310, 10, 0, 649 },
        { "a resident set beyond all reason", 1000, 900, UINT64_MAX / MIB, 10, 0, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Fixture *fixture;
        uint64_t want = bytes(rows[i].want_mib);
        const LedgerRow *row;

        setup(state);
        fixture = *state;
        fixture->domain->maximum_bytes = bytes(rows[i].maximum_mib);
        fixture->domain->balloon_bytes = bytes(rows[i].balloon_mib);
        fixture->domain->overhead.bytes = bytes(rows[i].overhead_mib);
        fixture->domain->overhead.last.swapped_bytes = bytes(rows[i].overhead_swapped_mib);
        fixture->row.resident_bytes = bytes(rows[i].resident_mib);
        row = fill(fixture);
        if (row->untouched_bytes != want)
            fail_msg("%s: %" PRIu64 " bytes", rows[i].when, row->untouched_bytes);
        teardown(state);
    }
}

static void
zero_pages_that_nobody_counts_make_what_is_never_touched_unknown(void **state)
{
    static const struct {
        const char *when;
        uint64_t zero_pages;
        bool may_have;
        uint64_t want_mib;
    } rows[] = {
        { "counted", 256, true, 549 },
        { "counted, and none", 0, false, 550 },
        { "not counted, and none are made", U, false, 550 },
        { "not counted, but made", U, true, U },
    };
    Fixture *fixture = *state;

    fixture->domain->unused_bytes = 600 * MIB;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const LedgerRow *row;

        fixture->row.resident_bytes = 310 * MIB;
        fixture->row.zero_pages = rows[i].zero_pages;
        fixture->ledger.may_have_zero_pages = rows[i].may_have;
        row = fill(fixture);
        if (row->untouched_bytes != bytes(rows[i].want_mib) ||
            is_known(row->guest_free_bytes) != is_known(rows[i].want_mib))
            fail_msg("%s: %" PRIu64, rows[i].when, row->untouched_bytes);
    }
}

static void
what_is_swapped_of_shared_memory_is_not_told_as_never_touched(void **state)
{
    static const struct {
        const char *when;
        bool has_definition;
        uint64_t shared_mib;
        uint64_t host_swapped; /* bytes; U: not known */
        uint64_t swapped_mib;
        uint64_t untouched_mib;
    } rows[] = {
        { "private memory, on a host that has swapped", true, 0, 1, 50, 549 },
        { "no definition", false, 1000, 1, 50, 549 },
        { "shared memory, on a host that has not", true, 1000, 0, 50, 549 },
        { "shared memory, on a host that has", true, 1000, 1, U, U },
        { "a part of it is shared", true, 1, 1, U, U },
        { "the host does not tell", true, 1000, U, U, U },
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const LedgerRow *row;

        fixture->row.resident_bytes = 310 * MIB;
        fixture->domain->has_xml = rows[i].has_definition;
        fixture->domain->xml.shared_bytes = rows[i].shared_mib * MIB;
        fixture->ledger.vm.swapped_bytes = rows[i].host_swapped;
        row = fill(fixture);
        if (row->swapped_bytes != bytes(rows[i].swapped_mib) ||
            row->untouched_bytes != bytes(rows[i].untouched_mib))
            fail_msg("%s: swapped %" PRIu64 ", untouched %" PRIu64, rows[i].when,
                     row->swapped_bytes, row->untouched_bytes);
    }
}

static void
what_is_free_in_the_guest_is_what_it_leaves_of_what_it_touched(void **state)
{
    static const struct {
        const char *when;
        uint64_t unused_mib;
        uint64_t resident_mib;
        uint64_t overhead_mib;
        uint64_t want_mib;
    } rows[] = {
        { "549 were never touched", 600, 310, 10, 51 },
        { "more than is resident of the guest", 900, 310, 10, 300 },
        { "less than was never touched", 500, 310, 10, 0 },
        { "QEMU was not measured", 900, 310, U, U },
        { "the guest does not tell", U, 310, 10, U },
        { "the resident set is not known", 900, U, 10, U },
        { "more than there can be", UINT64_MAX / MIB, 310, 10, 300 },
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const LedgerRow *row;

        fixture->domain->unused_bytes = bytes(rows[i].unused_mib);
        fixture->domain->overhead.bytes = bytes(rows[i].overhead_mib);
        fixture->row.resident_bytes = bytes(rows[i].resident_mib);
        row = fill(fixture);
        if (row->guest_free_bytes != bytes(rows[i].want_mib))
            fail_msg("%s: %" PRIu64, rows[i].when, row->guest_free_bytes);
    }
}

static void
zswap_is_told_where_it_can_be(void **state)
{
    static const struct {
        const char *when;
        bool is_v2;
        uint64_t host; /* what zswap has of all */
        bool has_cgroup;
        uint64_t zswapped;
        uint64_t zswap;
    } rows[] = {
        { "version 2", true, 4000, true, 4000, 1000 },
        { "version 2, and nothing in zswap", true, 0, true, 0, 0 },
        { "version 2, the host is silent", true, U, true, 4000, 1000 },
        { "version 2, in no domain's cgroup", true, 0, false, U, U },
        { "version 1", false, 4000, true, U, U },
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const LedgerRow *row;

        fixture->ledger.has_cgroup_v2 = rows[i].is_v2;
        fixture->ledger.vm.zswapped_bytes = rows[i].host;
        fakeroot_write(fixture->root, "proc/42/cgroup", "%s",
                       rows[i].has_cgroup ? "0::/machine/qemu-1-web.libvirt-qemu\n" : "0::/\n");
        row = fill(fixture);
        if (row->zswapped_bytes != rows[i].zswapped || row->zswap_bytes != rows[i].zswap)
            fail_msg("%s: zswapped %" PRIu64 ", zswap %" PRIu64, rows[i].when, row->zswapped_bytes,
                     row->zswap_bytes);
    }
}

static void
advice_leaves_room_above_maximum_and_peak(void **state)
{
    static const struct {
        const char *when;
        uint64_t maximum;
        uint64_t peak;
        uint64_t want;
    } rows[] = {
        { "usual", 1024 * MIB, 40 * MIB, (1024 + 4 + 60 + 64) * MIB },
        { "rounded up to MiB", 1024 * MIB + 1, 40 * MIB, (1024 + 4 + 60 + 64 + 1) * MIB },
        { "not measured", 1024 * MIB, U, U },
        { "maximum not known", U, 40 * MIB, U },
        { "more than there can be", U - 1, 40 * MIB, U },
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const LedgerRow *row;

        fixture->domain->maximum_bytes = rows[i].maximum;
        fixture->domain->overhead.peak_bytes = rows[i].peak;
        row = fill(fixture);
        if (row->limit_bytes != rows[i].want)
            fail_msg("%s: %" PRIu64 ", want %" PRIu64, rows[i].when, row->limit_bytes,
                     rows[i].want);
    }
}

static void
a_process_that_is_gone_has_nothing_swapped_that_could_be_told(void **state)
{
    Fixture *fixture = *state;
    const LedgerRow *row;

    fakeroot_remove(fixture->root, "proc/42");
    fixture->row.resident_bytes = U;
    row = fill(fixture);
    assert_true(row->swapped_bytes == U && row->zswapped_bytes == U && row->untouched_bytes == U);
    assert_int_equal(row->ballooned_bytes, 100 * MIB); /* libvirt's last word */
}

#define ON_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FIXTURE(the_places_add_up_to_the_maximum),
        ON_FIXTURE(huge_pages_are_resident),
        cmocka_unit_test(what_is_never_touched_needs_all_its_parts),
        ON_FIXTURE(zero_pages_that_nobody_counts_make_what_is_never_touched_unknown),
        ON_FIXTURE(what_is_swapped_of_shared_memory_is_not_told_as_never_touched),
        ON_FIXTURE(what_is_free_in_the_guest_is_what_it_leaves_of_what_it_touched),
        ON_FIXTURE(zswap_is_told_where_it_can_be),
        ON_FIXTURE(advice_leaves_room_above_maximum_and_peak),
        ON_FIXTURE(a_process_that_is_gone_has_nothing_swapped_that_could_be_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
