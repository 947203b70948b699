/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* procfile_test.c - numbers out of kernel text files, and everything that is not one */
#define _GNU_SOURCE

#include "agent/facts/procfile.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/fakeroot.h"

#define TWO_TO_64        "18446744073709551616"
#define TWO_TO_64_LESS_1 "18446744073709551615"
#define TWO_TO_64_LESS_2 "18446744073709551614"

/* How many reads to come are interrupted by a signal. */
static int interruptions;

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);

ssize_t
__wrap_read(int fd, void *buffer, size_t size)
{
    if (interruptions > 0) {
        interruptions--;
        errno = EINTR;
        return -1;
    }
    return __real_read(fd, buffer, size);
}

static void
assert_value(const char *when, uint64_t have, uint64_t want)
{
    if (have != want)
        fail_msg("%s: %" PRIu64 ", want %" PRIu64, when, have, want);
}

static void
takes_only_plain_numbers(void **unused)
{
    static const struct {
        const char *text;
        uint64_t want; /* VALUE_UNKNOWN: refused */
    } rows[] = {
        { "0\n", 0 },
        { "100", 100 },
        { "  100\n", 100 },
        { "100 \n", 100 },
        { TWO_TO_64_LESS_2, UINT64_MAX - 1 },
        { TWO_TO_64_LESS_1, VALUE_UNKNOWN },
        { TWO_TO_64, VALUE_UNKNOWN },
        { "99999999999999999999999999", VALUE_UNKNOWN },
        { "-1", VALUE_UNKNOWN },
        { "+1", VALUE_UNKNOWN },
        { "0x10", VALUE_UNKNOWN },
        { "1e3", VALUE_UNKNOWN },
        { "12abc", VALUE_UNKNOWN },
        { "1 2", VALUE_UNKNOWN },
        { "1\n2\n", VALUE_UNKNOWN },
        { "", VALUE_UNKNOWN },
        { "\n", VALUE_UNKNOWN },
        { "\n5", VALUE_UNKNOWN },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t value = VALUE_UNKNOWN;
        bool taken = procfile_parse_u64(rows[i].text, &value);

        assert_value(rows[i].text, value, rows[i].want);
        if (taken != is_known(rows[i].want))
            fail_msg("'%s': taken=%d", rows[i].text, taken);
    }
}

static void
finds_a_number_by_its_key(void **unused)
{
    static const char text[] = "ksm_rmap_items 12\n"
                               "Threads:\t3\n"
                               "MemFree:      77 kB\n"
                               "MemFreeMore: 5 kB\n"
                               "ksm_merge_any: no\n"
                               "ksm_rmap_items 99\n"
                               "huge " TWO_TO_64 "\n"
                               "minus -1\n"
                               "HugeKiB: 18014398509481984 kB\n"
                               "FitsKiB: 18014398509481983 kB\n"
                               "empty\n"
                               "last 8";
    (void)unused;

    assert_value("first of two", procfile_key_u64(text, "ksm_rmap_items"), 12);
    assert_value("colon and tab", procfile_key_u64(text, "Threads"), 3);
    assert_value("kB where a plain number is wanted", procfile_key_u64(text, "MemFree"),
                 VALUE_UNKNOWN);
    assert_value("kB", procfile_key_bytes(text, "MemFree"), 77 * 1024);
    assert_value("plain number where kB is wanted", procfile_key_bytes(text, "Threads"),
                 VALUE_UNKNOWN);
    assert_value("beginning of a key", procfile_key_bytes(text, "Mem"), VALUE_UNKNOWN);
    assert_value("end of a key", procfile_key_u64(text, "rmap_items"), VALUE_UNKNOWN);
    assert_value("word", procfile_key_u64(text, "ksm_merge_any"), VALUE_UNKNOWN);
    assert_value("too large", procfile_key_u64(text, "huge"), VALUE_UNKNOWN);
    assert_value("minus one", procfile_key_u64(text, "minus"), VALUE_UNKNOWN);
    assert_value("too many bytes", procfile_key_bytes(text, "HugeKiB"), VALUE_UNKNOWN);
    assert_value("just fits", procfile_key_bytes(text, "FitsKiB"), UINT64_MAX - 1023);
    assert_value("key without value", procfile_key_u64(text, "empty"), VALUE_UNKNOWN);
    assert_value("no newline at the end", procfile_key_u64(text, "last"), 8);
    assert_value("empty text", procfile_key_u64("", "last"), VALUE_UNKNOWN);
}

static void
keeps_the_sign_of_a_profit(void **unused)
{
    static const struct {
        const char *text;
        uint64_t want;
    } rows[] = {
        { "profit 4096\n", 4096 },
        { "profit -64\n", (uint64_t)-64 },
        { "profit -1\n", VALUE_UNKNOWN },
        { "profit -0\n", 0 },
        { "profit 9223372036854775807\n", INT64_MAX },
        { "profit 9223372036854775808\n", VALUE_UNKNOWN },
        { "profit -9223372036854775808\n", (uint64_t)INT64_MAX + 1 },
        { "profit -9223372036854775809\n", VALUE_UNKNOWN },
        { "profit - 5\n", VALUE_UNKNOWN },
        { "profit --5\n", VALUE_UNKNOWN },
        { "profit -\n", VALUE_UNKNOWN },
        { "loss -64\n", VALUE_UNKNOWN },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_value(rows[i].text, procfile_key_i64(rows[i].text, "profit"), rows[i].want);
}

static void
takes_fields_by_number(void **unused)
{
    (void)unused;

    assert_value("first", procfile_field("113498 3112032 21\n", 1), 113498);
    assert_value("last", procfile_field("113498 3112032 21\n", 3), 21);
    assert_value("one too many", procfile_field("113498 3112032 21\n", 4), VALUE_UNKNOWN);
    assert_value("word", procfile_field("1 no 3", 2), VALUE_UNKNOWN);
    assert_value("after a word", procfile_field("1 no 3", 3), 3);
    assert_value("negative", procfile_field("1 -1 3", 2), VALUE_UNKNOWN);
    assert_value("several blanks", procfile_field("  1 \t 2", 2), 2);
    assert_value("next line", procfile_field("1\n2\n", 2), VALUE_UNKNOWN);
    assert_value("empty", procfile_field("", 1), VALUE_UNKNOWN);
}

static void
counts_stat_fields_from_behind_the_name(void **unused)
{
    static const char plain[] = "37 (ksmd) S 2 0 0 0 -1 2097216 0 0 0 0 11 22 0 0 25 5 1 0 29 0 0";
    static const char nasty[] = "9 (a) S 2 (ksmd) R 1 0 0 0 -1 6 0 0 0 0 33 44 0 0 25 5 1 0 77 0";
    (void)unused;

    assert_value("parent", procfile_stat_field(plain, 4), 2);
    assert_value("user time", procfile_stat_field(plain, 14), 11);
    assert_value("system time", procfile_stat_field(plain, 15), 22);
    assert_value("start time", procfile_stat_field(plain, 22), 29);
    assert_value("beyond the end", procfile_stat_field(plain, 99), VALUE_UNKNOWN);
    assert_value("parent, nasty name", procfile_stat_field(nasty, 4), 1);
    assert_value("start time, nasty name", procfile_stat_field(nasty, 22), 77);
    assert_value("no name", procfile_stat_field("1 2 3 4 5", 4), VALUE_UNKNOWN);

    assert_true(procfile_stat_is_named(plain, "ksmd"));
    assert_false(procfile_stat_is_named(plain, "ksm"));
    assert_false(procfile_stat_is_named(plain, "ksmdx"));
    assert_false(procfile_stat_is_named(nasty, "ksmd"));
    assert_true(procfile_stat_is_named(nasty, "a) S 2 (ksmd"));
    assert_false(procfile_stat_is_named(") (", "ksmd"));
    assert_false(procfile_stat_is_named("", ""));
}

static void
counts_the_numbers_in_a_list(void **unused)
{
    static const struct {
        const char *text;
        uint64_t want;
    } rows[] = {
        { "0\n", 1 },
        { "0-3\n", 4 },
        { "0-3,8,10-11\n", 7 },
        { "\n", 0 },
        { "", 0 },
        { "3-0\n", VALUE_UNKNOWN },
        { "0-\n", VALUE_UNKNOWN },
        { "0,\n", VALUE_UNKNOWN },
        { ",0\n", VALUE_UNKNOWN },
        { "-1\n", VALUE_UNKNOWN },
        { "0-3;5\n", VALUE_UNKNOWN },
        { "all\n", VALUE_UNKNOWN },
        { "0-" TWO_TO_64_LESS_1 ",7\n", VALUE_UNKNOWN },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_value(rows[i].text, procfile_count_list(rows[i].text), rows[i].want);
}

static void
says_why_a_file_was_not_read(void **unused)
{
    static const struct {
        const char *path;
        ProcfileResult want;
    } rows[] = {
        { "fits", PROCFILE_READ },
        { "empty", PROCFILE_READ },
        { "fills", PROCFILE_UNREADABLE },
        { "nul", PROCFILE_UNREADABLE },
        { "directory", PROCFILE_UNREADABLE },
        { "nothing", PROCFILE_ABSENT },
        { "fits/below", PROCFILE_ABSENT },
        { "fifo", PROCFILE_READ },
    };
    g_autoptr(FakeRoot) root = fakeroot_new();
    (void)unused;

    fakeroot_write(root, "fits", "1234567");
    fakeroot_write(root, "fills", "12345678");
    fakeroot_write(root, "empty", "%s", "");
    fakeroot_write_bytes(root, "nul",
                         "12\0"
                         "34",
                         5);
    fakeroot_write(root, "directory/file", "1");
    assert_int_equal(mkfifoat(fakeroot_fd(root), "fifo", 0600), 0);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        char buffer[8];
        ProcfileResult result =
            procfile_read_text(fakeroot_fd(root), rows[i].path, buffer, sizeof(buffer));

        if (result != rows[i].want)
            fail_msg("%s: %d, want %d", rows[i].path, (int)result, (int)rows[i].want);
    }
}

static void
reads_a_file_that_comes_in_pieces_to_its_end(void **unused)
{
    static const struct {
        const char *when;
        size_t length;
        size_t most;
        ProcfileResult want;
    } rows[] = {
        { "empty", 0, 100, PROCFILE_READ },
        { "one piece", 4096, 10000, PROCFILE_READ },
        { "some pieces", 9999, 10000, PROCFILE_READ },
        { "as much as may be", 10000, 10000, PROCFILE_READ },
        { "a byte more", 10001, 10000, PROCFILE_UNREADABLE },
        { "much more", 50000, 10, PROCFILE_UNREADABLE },
    };
    g_autoptr(FakeRoot) root = fakeroot_new();
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *content = g_strnfill(rows[i].length, 'x');
        g_autofree char *text = NULL;
        ProcfileResult result;

        fakeroot_write(root, "long", "%s", content);
        interruptions = 2;
        result = procfile_read_long(fakeroot_fd(root), "long", rows[i].most, &text);
        if (result != rows[i].want)
            fail_msg("%s: %d, want %d", rows[i].when, (int)result, (int)rows[i].want);
        if (result == PROCFILE_READ)
            assert_string_equal(text, content);
        else
            assert_null(text);
    }
    interruptions = 0;
}

static void
says_why_a_long_file_was_not_read(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    int fd = fakeroot_fd(root);
    char *text = NULL;
    (void)unused;

    fakeroot_write_bytes(root, "nul", "12\0", 3);
    fakeroot_write(root, "directory/file", "1");
    assert_int_equal(procfile_read_long(fd, "nul", 10, &text), PROCFILE_UNREADABLE);
    assert_int_equal(procfile_read_long(fd, "directory", 10, &text), PROCFILE_UNREADABLE);
    assert_int_equal(procfile_read_long(fd, "nothing", 10, &text), PROCFILE_ABSENT);
    assert_null(text);
}

static void
gives_the_beginning_of_a_file_that_is_longer_than_the_buffer(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    char buffer[4];
    size_t length = 0;
    (void)unused;

    fakeroot_write_bytes(root, "cmdline",
                         "a\0"
                         "bcdef",
                         7);
    assert_int_equal(procfile_read_bytes(fakeroot_fd(root), "cmdline", buffer, sizeof(buffer),
                                         &length),
                     PROCFILE_READ);
    assert_int_equal(length, 4);
    assert_memory_equal(buffer,
                        "a\0"
                        "bc",
                        4);
}

static void
reads_again_when_a_signal_interrupts(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    (void)unused;

    fakeroot_write(root, "run", "1\n");
    interruptions = 3;
    assert_value("after three signals", procfile_u64(fakeroot_fd(root), "run", 2), 1);
    assert_int_equal(interruptions, 0);
}

static void
refuses_a_number_that_the_file_cannot_hold(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    (void)unused;

    fakeroot_write(root, "run", "2\n");
    assert_value("at the limit", procfile_u64(fakeroot_fd(root), "run", 2), 2);
    assert_value("over the limit", procfile_u64(fakeroot_fd(root), "run", 1), VALUE_UNKNOWN);
    assert_value("no such directory", procfile_u64(-1, "run", 2), VALUE_UNKNOWN);
}

static bool
is_called_wanted(int dir_fd, void *data)
{
    char text[16];
    int *looked_at = data;

    (*looked_at)++;
    return procfile_read_text(dir_fd, "comm", text, sizeof(text)) == PROCFILE_READ &&
           strcmp(text, "wanted\n") == 0;
}

static void
searches_directories_that_are_pids_and_nothing_else(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    int looked_at = 0;
    pid_t pid = 0;
    int fd;
    (void)unused;

    assert_int_equal(procfile_find_pid(fakeroot_fd(root), is_called_wanted, &looked_at, &pid), -1);
    fakeroot_write(root, "proc/self/comm", "wanted\n");
    fakeroot_write(root, "proc/99999999999/comm", "wanted\n");
    fakeroot_write(root, "proc/0/comm", "wanted\n");
    fakeroot_write(root, "proc/7", "wanted\n");
    fakeroot_write(root, "proc/8/comm", "other\n");
    assert_int_equal(procfile_find_pid(fakeroot_fd(root), is_called_wanted, &looked_at, &pid), -1);
    assert_int_equal(looked_at, 1);
    assert_int_equal(pid, 0);

    fakeroot_write(root, "proc/9/comm", "wanted\n");
    fd = procfile_find_pid(fakeroot_fd(root), is_called_wanted, &looked_at, &pid);
    assert_true(fd >= 0);
    assert_int_equal(pid, 9);
    close(fd);
}

static void
tells_what_is_there_from_what_is_not(void **unused)
{
    static const struct {
        const char *when;
        const char *path;
        int mode;
        int code; /* errno; 0: it may be used */
    } rows[] = {
        { "a file", "sys/one", F_OK, 0 },
        { "one to read and write", "sys/one", R_OK | W_OK, 0 },
        { "one to run", "sys/one", X_OK, EACCES },
        { "a folder", "sys", F_OK, 0 },
        { "nothing", "sys/two", F_OK, ENOENT },
        { "a file for a folder", "sys/one/two", F_OK, ENOTDIR },
    };
    g_autoptr(FakeRoot) root = fakeroot_new();
    (void)unused;

    fakeroot_write(root, "sys/one", "1\n");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bool may = procfile_may(fakeroot_fd(root), rows[i].path, rows[i].mode);

        if (may != (rows[i].code == 0) || (!may && errno != rows[i].code))
            fail_msg("%s: %d, errno %d, want %d", rows[i].when, may, errno, rows[i].code);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_only_plain_numbers),
        cmocka_unit_test(finds_a_number_by_its_key),
        cmocka_unit_test(keeps_the_sign_of_a_profit),
        cmocka_unit_test(takes_fields_by_number),
        cmocka_unit_test(counts_stat_fields_from_behind_the_name),
        cmocka_unit_test(counts_the_numbers_in_a_list),
        cmocka_unit_test(says_why_a_file_was_not_read),
        cmocka_unit_test(reads_a_file_that_comes_in_pieces_to_its_end),
        cmocka_unit_test(says_why_a_long_file_was_not_read),
        cmocka_unit_test(gives_the_beginning_of_a_file_that_is_longer_than_the_buffer),
        cmocka_unit_test(reads_again_when_a_signal_interrupts),
        cmocka_unit_test(refuses_a_number_that_the_file_cannot_hold),
        cmocka_unit_test(searches_directories_that_are_pids_and_nothing_else),
        cmocka_unit_test(tells_what_is_there_from_what_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
