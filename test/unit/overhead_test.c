/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overhead_test.c - what QEMU uses beside its guest, from fabricated maps and pagemap
 *
 * The last test measures the test program itself, below the real /proc.
 */
#define _GNU_SOURCE
#include "agent/facts/overhead.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/fakeroot.h"
#include "test/support/machine.h"

#define PRESENT   (UINT64_C(1) << 63)
#define SWAPPED   (UINT64_C(1) << 62)
#define FILE_PAGE (UINT64_C(1) << 61)
#define EXCLUSIVE (UINT64_C(1) << 56)
#define OWN       (PRESENT | EXCLUSIVE)

/* A program, malloc, four pages of guest, a device, a stack, translated code, registers. */
static const char maps[] = "10000-14000 r-xp 0 fe:00 9 /usr/bin/qemu\n"
                           "20000-24000 rw-p 0 00:00 0 [heap]\n"
                           "200000-204000 rw-p 0 00:00 0\n"
                           "204000-205000 ---p 0 00:00 0\n"
                           "400000-402000 rw-p 0 00:00 0\n"
                           "402000-403000 ---p 0 00:00 0\n"
                           "500000-501000 ---p 0 00:00 0\n"
                           "501000-503000 rw-p 0 00:00 0\n"
                           "600000-602000 rwxp 0 00:00 0\n"
                           "700000-702000 rw-s 0 00:0f 7 anon_inode:[vfio-device]\n"
                           "710000-712000 rw-s 0 00:0f 7 /dev/some-device\n";

#define GUEST_PAGES 4

typedef struct {
    FakeRoot *root;
    int dir_fd;      /* of the process */
    uint64_t page;   /* bytes */
    uint64_t *words; /* pagemap; n of them */
    size_t n;
} Fixture;

static int
setup(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    fixture->page = (uint64_t)sysconf(_SC_PAGESIZE);
    fixture->n = 0x712000 / fixture->page;
    fixture->words = g_new0(uint64_t, fixture->n);
    fixture->root = fakeroot_new();
    fakeroot_write(fixture->root, "proc/42/maps", "%s", maps);
    fixture->dir_fd =
        openat(fakeroot_fd(fixture->root), "proc/42", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(fixture->dir_fd >= 0);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    Fixture *fixture = *state;

    close(fixture->dir_fd);
    fakeroot_free(fixture->root);
    g_free(fixture->words);
    g_free(fixture);
    return 0;
}

static void
set_word(Fixture *fixture, uint64_t address, uint64_t word)
{
    fixture->words[address / fixture->page] = word;
}

/* Writes pagemap, up to an address, and measures. */
static bool
measure(Fixture *fixture, uint64_t end, Overhead *overhead, GError **error)
{
    const uint64_t backend = GUEST_PAGES * fixture->page;

    fakeroot_write_bytes(fixture->root, "proc/42/pagemap", fixture->words,
                         end / fixture->page * sizeof(uint64_t));
    return overhead_read(fixture->dir_fd, &backend, 1, overhead, error);
}

static void
pages_are_counted_by_what_they_are_for(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    Overhead overhead;

    set_word(fixture, 0x10000, PRESENT | FILE_PAGE);
    set_word(fixture, 0x11000, PRESENT | FILE_PAGE | EXCLUSIVE);
    set_word(fixture, 0x20000, OWN);
    set_word(fixture, 0x21000, OWN);
    set_word(fixture, 0x22000, OWN);
    set_word(fixture, 0x23000, SWAPPED);
    set_word(fixture, 0x400000, OWN);
    set_word(fixture, 0x502000, OWN);
    set_word(fixture, 0x600000, OWN);
    set_word(fixture, 0x601000, OWN);
    if (!measure(fixture, 0x712000, &overhead, &error))
        fail_msg("%s", error->message);
    assert_int_equal(overhead.other_bytes, 2 * fixture->page);
    assert_int_equal(overhead.heap_bytes, 3 * fixture->page);
    assert_int_equal(overhead.video_bytes, 1 * fixture->page);
    assert_int_equal(overhead.stack_bytes, 1 * fixture->page);
    assert_int_equal(overhead.translation_bytes, 2 * fixture->page);
    assert_int_equal(overhead.swapped_bytes, 1 * fixture->page);
    assert_int_equal(overhead_total(&overhead), 9 * fixture->page);
}

static void
what_is_not_qemus_own_memory_does_not_count(void **state)
{
    static const struct {
        const char *when;
        uint64_t address;
        uint64_t word;
    } rows[] = {
        { "guest memory", 0x200000, OWN },
        { "guest memory, swapped", 0x201000, SWAPPED },
        { "registers of a device", 0x700000, OWN },
        { "a page of a device without a name that tells", 0x710000, PRESENT },
        { "the kernel's zero page", 0x20000, PRESENT },
        { "a merged page of video memory", 0x400000, PRESENT },
        { "a page that is nowhere", 0x20000, EXCLUSIVE | FILE_PAGE },
        { "a guard", 0x402000, OWN },
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        Overhead overhead;

        set_word(fixture, rows[i].address, rows[i].word);
        if (!measure(fixture, 0x712000, &overhead, &error))
            fail_msg("%s: %s", rows[i].when, error->message);
        if (overhead_total(&overhead) != 0 || overhead.swapped_bytes != 0)
            fail_msg("%s: %" PRIu64 " bytes", rows[i].when, overhead_total(&overhead));
        set_word(fixture, rows[i].address, 0);
    }
}

static void
a_process_that_exits_while_it_is_read_shows_nothing(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) cut = NULL;
    g_autoptr(GError) empty = NULL;
    g_autoptr(GError) reaped = NULL;
    Overhead overhead = { .heap_bytes = 12345 };

    assert_false(measure(fixture, 0x501000, &overhead, &cut));
    assert_non_null(strstr(cut->message, "pagemap to cover"));
    fakeroot_write(fixture->root, "proc/42/maps", "%s", "");
    assert_false(measure(fixture, 0x712000, &overhead, &empty));
    assert_string_equal(empty->message, "its maps cannot be read");
    fakeroot_remove(fixture->root, "proc/42");
    assert_false(overhead_read(fixture->dir_fd, &overhead.heap_bytes, 1, &overhead, &reaped));
    assert_int_equal(overhead.heap_bytes, 12345);
}

static void
what_is_missing_is_named(void **state)
{
    Fixture *fixture = *state;
    const uint64_t wrong = 3 * fixture->page;
    g_autoptr(GError) size = NULL;
    g_autoptr(GError) pagemap = NULL;
    g_autoptr(GError) most = NULL;
    Overhead overhead;

    assert_false(overhead_read(fixture->dir_fd, &wrong, 1, &overhead, &size));
    assert_non_null(strstr(size->message, "sizes of the domain's memory"));
    assert_false(overhead_read(fixture->dir_fd, &(uint64_t){ GUEST_PAGES * fixture->page }, 1,
                               &overhead, &pagemap));
    assert_string_equal(pagemap->message, "its pagemap cannot be opened");
    fakeroot_write(fixture->root, "proc/42/maps",
                   "200000-204000 rw-p 0 00:00 0\n800000000-c10000000 rw-s 0 fe:00 5 /big\n");
    assert_false(measure(fixture, 0x712000, &overhead, &most));
    assert_non_null(strstr(most->message, "less than 16 GiB"));
}

static void
memory_of_this_program_is_counted_to_the_page(void **unused)
{
    enum { PAGES = 1000 };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int dir_fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    uint64_t guest_bytes = 777 * page;
    Overhead before;
    Overhead after;
    g_autoptr(GError) error = NULL;
    char *guest =
        mmap(NULL, guest_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *own =
        mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)unused;

    assert_true(guest != MAP_FAILED && own != MAP_FAILED && dir_fd >= 0);
    assert_int_equal(madvise(own, PAGES * page, MADV_NOHUGEPAGE), 0);
    if (!overhead_read(dir_fd, &guest_bytes, 1, &before, &error)) {
        /* A sanitizer's shadow takes terabytes of addresses. */
        if (strstr(error->message, "less than 16 GiB"))
            skip_because_machine("a sanitizer fills the address space");
        fail_msg("%s", error->message);
    }
    memset(own, 1, PAGES * page);
    memset(guest, 1, guest_bytes);
    if (!overhead_read(dir_fd, &guest_bytes, 1, &after, &error))
        fail_msg("%s", error->message);
    /* Measuring allocates a little itself. */
    assert_in_range(overhead_total(&after) - overhead_total(&before), PAGES * page,
                    (PAGES + 100) * page);
    munmap(guest, guest_bytes);
    munmap(own, PAGES * page);
    close(dir_fd);
}

#define ON_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FIXTURE(pages_are_counted_by_what_they_are_for),
        ON_FIXTURE(what_is_not_qemus_own_memory_does_not_count),
        ON_FIXTURE(a_process_that_exits_while_it_is_read_shows_nothing),
        ON_FIXTURE(what_is_missing_is_named),
        cmocka_unit_test(memory_of_this_program_is_counted_to_the_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
