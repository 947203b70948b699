/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_referenced_test.c - marks that are taken off and come back
 *
 * The last test measures the test program itself, below the real /proc.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/faketarget.h"
#include "test/support/machine.h"

#define S FAKETARGET_S

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUEST  "7f0000000000-7f0040000000 rw-p 00000000 00:00 0 \n"
#define MEMFD  "7e0000000000-7e0040000000 rw-s 00000000 00:01 7 /memfd:ram (deleted)\n"
#define BINARY "55d000000000-55d000100000 r-xp 00000000 fe:00 9 /usr/bin/qemu-system-x86_64\n"
#define VCPU   "7d0000000000-7d0000003000 rw-s 00000000 00:0e 12 anon_inode:kvm-vcpu:0\n"
#define REST   "Pss: 1 kB\nAnonymous: 5 kB\nVmFlags: rd wr\n"

static void
show(FakeTarget *fake, unsigned rss_kib, unsigned used_kib)
{
    fakeroot_write(fake->root, "proc/42/smaps",
                   BINARY "Rss: 50 kB\nReferenced: 20 kB\n" REST GUEST
                          "Size: 9999 kB\nRss: %u kB\nReferenced: %u kB\n" REST,
                   rss_kib, used_kib);
}

static FakeTarget *
process_with_marks(void)
{
    FakeTarget *fake = faketarget_new();

    fakeroot_write(fake->root, "proc/42/clear_refs", " ");
    show(fake, 100, 100);
    return fake;
}

static void
one_clearing_serves_windows_of_all_lengths(void **unused)
{
    static const uint64_t first[4] = { 10, 0, 0, 90 };
    static const uint64_t second[4] = { 10, 20, 0, 70 };
    g_autoptr(FakeTarget) fake = process_with_marks();
    WorkingSetReading readings[4] = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_referenced.open(&fake->target, &state, NULL));
    assert_true(working_set_referenced.step(state, &fake->target, 5 * S, &readings[0], NULL));
    assert_string_equal(fake->log->str, "proc/42/clear_refs=1;");
    assert_false(readings[0].has_bins);
    assert_true(readings[0].goes_on);
    assert_int_equal(readings[0].next_us, 6 * S);

    show(fake, 100, 10);
    assert_true(working_set_referenced.step(state, &fake->target, 6 * S, &readings[1], NULL));
    faketarget_expect_bins("after a second", &readings[1], 0, first);
    assert_int_equal(faketarget_kib(&readings[1], 0, 0, WORKING_SET_FILE), 20);
    assert_int_equal(faketarget_kib(&readings[1], 0, 3, WORKING_SET_FILE), 30);
    assert_int_equal(readings[1].horizon_us, S);
    assert_int_equal(readings[1].next_us, 15 * S);

    show(fake, 100, 30);
    assert_true(working_set_referenced.step(state, &fake->target, 15 * S, &readings[2], NULL));
    faketarget_expect_bins("after ten", &readings[2], 0, second);
    assert_int_equal(readings[2].horizon_us, 10 * S);
    assert_false(readings[2].goes_on);
    assert_string_equal(fake->log->str, "proc/42/clear_refs=1;");

    assert_true(working_set_referenced.step(state, &fake->target, 80 * S, &readings[3], NULL));
    assert_string_equal(fake->log->str, "proc/42/clear_refs=1;proc/42/clear_refs=1;");
    working_set_referenced.close(state, &fake->target);
}

static void
shared_memory_counts_as_the_guests(void **unused)
{
    g_autoptr(FakeTarget) fake = process_with_marks();
    WorkingSetReading readings[2] = { 0 };
    gpointer state = NULL;
    (void)unused;

    fakeroot_write(fake->root, "proc/42/smaps", MEMFD "Rss: 80 kB\nReferenced: 8 kB\n" REST);
    assert_true(working_set_referenced.open(&fake->target, &state, NULL));
    assert_true(working_set_referenced.step(state, &fake->target, 5 * S, &readings[0], NULL));
    assert_true(working_set_referenced.step(state, &fake->target, 6 * S, &readings[1], NULL));
    assert_int_equal(faketarget_kib(&readings[1], 0, 0, WORKING_SET_ANON), 8);
    assert_int_equal(faketarget_kib(&readings[1], 0, 3, WORKING_SET_ANON), 72);
    working_set_referenced.close(state, &fake->target);
}

static void
several_nodes_are_not_told_apart(void **unused)
{
    g_autoptr(FakeTarget) fake = process_with_marks();
    WorkingSetReading readings[2] = { 0 };
    gpointer state = NULL;
    (void)unused;

    fakeroot_write(fake->root, "sys/devices/system/node/online", "0-1\n");
    assert_true(working_set_referenced.open(&fake->target, &state, NULL));
    assert_true(working_set_referenced.step(state, &fake->target, 5 * S, &readings[0], NULL));
    assert_true(working_set_referenced.step(state, &fake->target, 6 * S, &readings[1], NULL));
    assert_int_equal(faketarget_kib(&readings[1], WORKING_SET_NODE_UNKNOWN, 0, WORKING_SET_ANON),
                     100);
    working_set_referenced.close(state, &fake->target);
}

static void
says_why_it_cannot_be_used(void **unused)
{
    static const struct {
        const char *when;
        const char *maps;  /* NULL: no such file */
        const char *smaps; /* NULL: no such file */
        const char *why;
    } rows[] = {
        { "it has exited", NULL, NULL, "its maps cannot be read" },
        { "it exits", GUEST, NULL, "its smaps cannot be read" },
        { "it is about to be reaped", "", "", "it has no memory any more" },
        { "KVM", GUEST VCPU, GUEST "Rss: 80 kB\nReferenced: 8 kB\n" REST, "runs under KVM" },
        { "nobody can tell", NULL, GUEST "Rss: 80 kB\nReferenced: 8 kB\n" REST,
          "its maps cannot be read" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = process_with_marks();

        fakeroot_remove(fake->root, "proc/42/maps");
        fakeroot_remove(fake->root, "proc/42/smaps");
        if (rows[i].maps)
            fakeroot_write(fake->root, "proc/42/maps", "%s", rows[i].maps);
        if (rows[i].smaps)
            fakeroot_write(fake->root, "proc/42/smaps", "%s", rows[i].smaps);
        faketarget_expect_refusal(rows[i].when, fake, &working_set_referenced, rows[i].why);
        assert_string_equal(fake->log->str, "");
    }
}

/* QEMU makes its processors some time after it has started. */
static void
a_guest_that_has_come_under_kvm_is_measured_no_more(void **unused)
{
    g_autoptr(FakeTarget) fake = process_with_marks();
    g_autoptr(GError) error = NULL;
    WorkingSetReading readings[4] = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_referenced.open(&fake->target, &state, NULL));
    assert_true(working_set_referenced.step(state, &fake->target, 5 * S, &readings[0], NULL));
    assert_true(working_set_referenced.step(state, &fake->target, 6 * S, &readings[1], NULL));
    assert_true(working_set_referenced.step(state, &fake->target, 15 * S, &readings[2], NULL));
    assert_false(readings[2].goes_on);
    fakeroot_write(fake->root, "proc/42/maps", GUEST VCPU);
    assert_false(working_set_referenced.step(state, &fake->target, 75 * S, &readings[3], &error));
    assert_non_null(strstr(error->message, "runs under KVM"));
    assert_string_equal(fake->log->str, "proc/42/clear_refs=1;");
    working_set_referenced.close(state, &fake->target);
}

static void
marks_that_may_not_be_taken_off_end_it(void **unused)
{
    g_autoptr(FakeTarget) fake = process_with_marks();
    g_autoptr(GError) error = NULL;
    WorkingSetReading reading = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_referenced.open(&fake->target, &state, NULL));
    fakeroot_remove(fake->root, "proc/42/clear_refs");
    assert_false(working_set_referenced.step(state, &fake->target, S, &reading, &error));
    assert_non_null(strstr(error->message, "clear_refs"));
    working_set_referenced.close(state, &fake->target);
}

/* Uses a quarter of its memory between the two steps. */
static void
our_own_use_of_memory_is_seen(void **unused)
{
    static const size_t bytes = (size_t)64 << 20;
    g_autoptr(FakeTarget) fake = NULL;
    WorkingSetReading readings[2] = { 0 };
    gpointer state = NULL;
    uint64_t used, cold;
    char *memory;
    int own_fd;
    (void)unused;

#ifdef VIRTKSM_SANITIZED
    skip_because_machine("what the sanitizer has mapped takes longer to walk than is allowed");
#endif
    fake = process_with_marks();
    own_fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(own_fd >= 0);
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    memset(memory, 1, bytes);
    close(fake->target.dir_fd);
    fake->target.dir_fd = own_fd;
    assert_true(working_set_referenced.open(&fake->target, &state, NULL));
    assert_true(working_set_referenced.step(state, &fake->target, 5 * S, &readings[0], NULL));
    memset(memory, 2, bytes / 4);
    assert_true(working_set_referenced.step(state, &fake->target, 6 * S, &readings[1], NULL));
    used = faketarget_kib(&readings[1], 0, 0, WORKING_SET_ANON) / 1024;
    cold = faketarget_kib(&readings[1], 0, 3, WORKING_SET_ANON) / 1024;
    if (used < 16 || used > 24 || cold < 46)
        fail_msg("%" PRIu64 " MiB used, %" PRIu64 " not", used, cold);
    working_set_referenced.close(state, &fake->target);
    munmap(memory, bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_clearing_serves_windows_of_all_lengths),
        cmocka_unit_test(shared_memory_counts_as_the_guests),
        cmocka_unit_test(several_nodes_are_not_told_apart),
        cmocka_unit_test(says_why_it_cannot_be_used),
        cmocka_unit_test(a_guest_that_has_come_under_kvm_is_measured_no_more),
        cmocka_unit_test(marks_that_may_not_be_taken_off_end_it),
        cmocka_unit_test(our_own_use_of_memory_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
