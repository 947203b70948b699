/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysfile_test.c - the one writer of kernel files, on plain files and on a kernel that says no */
#define _GNU_SOURCE
#include "agent/actuator/sysfile.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/fakeroot.h"

#define KNOB "sys/kernel/mm/ksm/pages_to_scan"

/* What the wrapped calls do; all zero: what the system does. */
static struct {
    int open_errno;  /* for opening the file for writing */
    int read_errno;  /* for reading */
    int write_errno; /* for writing */
    size_t take;     /* bytes that a write takes; 0: all */
    unsigned writes; /* calls so far */
} kernel;

int __real_openat(int dir_fd, const char *path, int flags, ...);
int __wrap_openat(int dir_fd, const char *path, int flags, ...);
ssize_t __real_pread(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t offset);
ssize_t __real_pwrite(int fd, const void *buffer, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t size, off_t offset);

int
__wrap_openat(int dir_fd, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    if (kernel.open_errno != 0 && (flags & O_ACCMODE) == O_WRONLY) {
        errno = kernel.open_errno;
        return -1;
    }
    va_start(args, flags);
    if (flags & O_CREAT)
        mode = va_arg(args, mode_t);
    va_end(args);
    return __real_openat(dir_fd, path, flags, mode);
}

ssize_t
__wrap_pread(int fd, void *buffer, size_t size, off_t offset)
{
    if (kernel.read_errno != 0) {
        errno = kernel.read_errno;
        return -1;
    }
    return __real_pread(fd, buffer, size, offset);
}

ssize_t
__wrap_pwrite(int fd, const void *buffer, size_t size, off_t offset)
{
    kernel.writes++;
    if (kernel.write_errno != 0) {
        errno = kernel.write_errno;
        return -1;
    }
    if (kernel.take != 0)
        size = kernel.take;
    return __real_pwrite(fd, buffer, size, offset);
}

static int
setup(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    return fakeroot_setup(state);
}

static int
teardown(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    return fakeroot_teardown(state);
}

static char *
content(const FakeRoot *root, const char *path)
{
    g_autofree char *full = g_build_filename(fakeroot_path(root), path, NULL);
    char *text = NULL;

    assert_true(g_file_get_contents(full, &text, NULL, NULL));
    return text;
}

static void
assert_holds(const FakeRoot *root, const char *path, const char *want)
{
    g_autofree char *text = content(root, path);

    assert_string_equal(text, want);
}

static void
writes_a_number_only_if_the_file_shows_another(void **state)
{
    static const struct {
        const char *when;
        const char *before;
        uint64_t value;
        ApplyResult want;
        const char *after;
    } rows[] = {
        { "equal, as the kernel prints it", "100\n", 100, APPLY_UNCHANGED, "100\n" },
        { "equal without a newline", "100", 100, APPLY_UNCHANGED, "100" },
        { "equal, written otherwise", "0100\n", 100, APPLY_UNCHANGED, "0100\n" },
        { "another number", "100\n", 101, APPLY_DONE, "101\n" },
        { "a longer number before", "100000\n", 7, APPLY_DONE, "7\n" },
        { "a longer number after", "7\n", 100000, APPLY_DONE, "100000\n" },
        { "a number that starts alike", "1000\n", 100, APPLY_DONE, "100\n" },
        { "zero for one", "1\n", 0, APPLY_DONE, "0\n" },
        { "the largest", "0\n", UINT64_MAX, APPLY_DONE, "18446744073709551615\n" },
        { "the largest in place", "18446744073709551615\n", UINT64_MAX, APPLY_UNCHANGED,
          "18446744073709551615\n" },
        { "one too large for a number", "18446744073709551616\n", 0, APPLY_DONE, "0\n" },
        { "a word", "max\n", 4096, APPLY_DONE, "4096\n" },
        { "an empty file", "", 0, APPLY_DONE, "0\n" },
        { "a negative number", "-1\n", UINT64_MAX, APPLY_DONE, "18446744073709551615\n" },
        { "two numbers", "100 200\n", 100, APPLY_DONE, "100\n" },
    };
    FakeRoot *root = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *after = NULL;
        ApplyResult result;

        kernel.writes = 0;
        fakeroot_write(root, KNOB, "%s", rows[i].before);
        result = sysfile_set_u64(fakeroot_fd(root), KNOB, rows[i].value, &error);
        after = content(root, KNOB);
        if (result != rows[i].want || error || strcmp(after, rows[i].after) != 0 ||
            kernel.writes != (rows[i].want == APPLY_DONE ? 1 : 0))
            fail_msg("%s: %s, holds \"%s\" after %u writes", rows[i].when,
                     apply_result_name(result), after, kernel.writes);
    }
}

static void
writes_a_word_only_if_the_file_shows_another(void **state)
{
    static const struct {
        const char *when;
        const char *before;
        const char *value;
        ApplyResult want;
        const char *after;
    } rows[] = {
        { "chosen already", "[none] scan-time\n", "none", APPLY_UNCHANGED, "[none] scan-time\n" },
        { "another is chosen", "none [scan-time]\n", "none", APPLY_DONE, "none\n" },
        { "the last of three is chosen", "a b [c]\n", "c", APPLY_UNCHANGED, "a b [c]\n" },
        { "a plain word in place", "max\n", "max", APPLY_UNCHANGED, "max\n" },
        { "a word that starts alike", "maximum\n", "max", APPLY_DONE, "max\n" },
        { "an open bracket only", "[none\n", "none", APPLY_DONE, "none\n" },
    };
    FakeRoot *root = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *after = NULL;
        ApplyResult result;

        fakeroot_write(root, KNOB, "%s", rows[i].before);
        result = sysfile_set_text(fakeroot_fd(root), KNOB, rows[i].value, &error);
        after = content(root, KNOB);
        if (result != rows[i].want || error || strcmp(after, rows[i].after) != 0)
            fail_msg("%s: %s, holds \"%s\"", rows[i].when, apply_result_name(result), after);
    }
}

static void
sorts_what_the_kernel_answers_to_a_write(void **state)
{
    static const struct {
        int code;
        const char *name;
        ApplyResult want;
    } rows[] = {
        { EBUSY, "EBUSY", APPLY_RETRY },
        { EINTR, "EINTR", APPLY_RETRY },
        { EAGAIN, "EAGAIN", APPLY_RETRY },
        { ENOMEM, "ENOMEM", APPLY_RETRY },
        { EMFILE, "EMFILE", APPLY_RETRY },
        { ENFILE, "ENFILE", APPLY_RETRY },
        { ENOENT, "ENOENT", APPLY_GONE },
        { ENODEV, "ENODEV", APPLY_GONE },
        { ESRCH, "ESRCH", APPLY_GONE },
        { EACCES, "EACCES", APPLY_REFUSED },
        { EPERM, "EPERM", APPLY_REFUSED },
        { EROFS, "EROFS", APPLY_REFUSED },
        { EINVAL, "EINVAL", APPLY_REFUSED },
        { ENOSYS, "ENOSYS", APPLY_REFUSED },
        { EOPNOTSUPP, "EOPNOTSUPP", APPLY_REFUSED },
        { EIO, "unexpected", APPLY_REFUSED },
    };
    FakeRoot *root = *state;

    fakeroot_write(root, KNOB, "100\n");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int *const where[] = { &kernel.write_errno, &kernel.open_errno };

        for (size_t w = 0; w < G_N_ELEMENTS(where); w++) {
            g_autoptr(GError) error = NULL;
            g_autofree char *name = g_strdup_printf("(%s)", rows[i].name);
            ApplyResult result;

            *where[w] = rows[i].code;
            result = sysfile_set_u64(fakeroot_fd(root), KNOB, 4321, &error);
            *where[w] = 0;
            if (result != rows[i].want || !error)
                fail_msg("%s: %s", rows[i].name, apply_result_name(result));
            if (!strstr(error->message, "/" KNOB) || !strstr(error->message, "4321") ||
                !strstr(error->message, name) || !strstr(error->message, g_strerror(rows[i].code)))
                fail_msg("%s: the message is \"%s\"", rows[i].name, error->message);
        }
    }
    assert_holds(root, KNOB, "100\n");
}

static void
a_write_that_is_taken_in_part_is_tried_again_later(void **state)
{
    g_autoptr(GError) error = NULL;

    fakeroot_write(*state, KNOB, "1\n");
    kernel.take = 2;
    assert_int_equal(sysfile_set_u64(fakeroot_fd(*state), KNOB, 300, &error), APPLY_RETRY);
    assert_int_equal(kernel.writes, 1);
    assert_non_null(strstr(error->message, "2 of 4 bytes"));
}

static void
a_file_that_cannot_be_read_is_written_all_the_same(void **state)
{
    fakeroot_write(*state, KNOB, "100\n");
    kernel.read_errno = EIO;
    assert_int_equal(sysfile_set_u64(fakeroot_fd(*state), KNOB, 100, NULL), APPLY_DONE);
    assert_int_equal(kernel.writes, 1);
}

static void
an_equal_value_is_found_equal_where_nothing_may_be_written(void **state)
{
    fakeroot_write(*state, KNOB, "100\n");
    kernel.open_errno = EROFS;
    assert_int_equal(sysfile_set_u64(fakeroot_fd(*state), KNOB, 100, NULL), APPLY_UNCHANGED);
    assert_int_equal(sysfile_set_u64(fakeroot_fd(*state), KNOB, 101, NULL), APPLY_REFUSED);
}

static void
a_missing_file_is_gone_and_is_not_made(void **state)
{
    g_autofree char *full = g_build_filename(fakeroot_path(*state), KNOB, NULL);
    g_autoptr(GError) error = NULL;
    uint64_t value = 42;

    fakeroot_write(*state, "sys/kernel/mm/ksm/run", "0\n");
    assert_int_equal(sysfile_set_u64(fakeroot_fd(*state), KNOB, 1, NULL), APPLY_GONE);
    assert_int_equal(sysfile_probe(fakeroot_fd(*state), KNOB, NULL), APPLY_GONE);
    assert_int_equal(sysfile_get_u64(fakeroot_fd(*state), KNOB, &value, &error), APPLY_GONE);
    assert_int_equal(value, 42);
    assert_true(g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT));
    assert_false(g_file_test(full, G_FILE_TEST_EXISTS));
}

static void
only_one_line_of_text_is_written(void **state)
{
    static const char *const values[] = { "", "a\nb", "a\n", "\n" };

    fakeroot_write(*state, KNOB, "x\n");
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
        assert_int_equal(sysfile_set_text(fakeroot_fd(*state), KNOB, values[i], NULL),
                         APPLY_REFUSED);
    assert_int_equal(kernel.writes, 0);
}

static void
probing_tells_a_read_only_tree_from_missing_privileges(void **state)
{
    g_autoptr(GError) read_only = NULL;
    g_autoptr(GError) not_ours = NULL;

    fakeroot_write(*state, KNOB, "100\n");
    assert_int_equal(sysfile_probe(fakeroot_fd(*state), KNOB, NULL), APPLY_UNCHANGED);
    kernel.open_errno = EROFS;
    assert_int_equal(sysfile_probe(fakeroot_fd(*state), KNOB, &read_only), APPLY_REFUSED);
    assert_true(g_error_matches(read_only, G_FILE_ERROR, G_FILE_ERROR_ROFS));
    kernel.open_errno = EACCES;
    assert_int_equal(sysfile_probe(fakeroot_fd(*state), KNOB, &not_ours), APPLY_REFUSED);
    assert_true(g_error_matches(not_ours, G_FILE_ERROR, G_FILE_ERROR_ACCES));
    assert_holds(*state, KNOB, "100\n");
}

static void
leaves_no_descriptor_open(void **state)
{
    int before = dup(0);
    int after;

    close(before);
    fakeroot_write(*state, KNOB, "1\n");
    sysfile_set_u64(fakeroot_fd(*state), KNOB, 2, NULL);
    sysfile_set_u64(fakeroot_fd(*state), "sys/kernel/none", 2, NULL);
    kernel.write_errno = EBUSY;
    sysfile_set_u64(fakeroot_fd(*state), KNOB, 3, NULL);
    kernel.read_errno = EIO;
    sysfile_set_u64(fakeroot_fd(*state), KNOB, 3, NULL);
    after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

static void
every_result_has_a_word_and_other_numbers_have_one_too(void **unused)
{
    static const char *const words[] = { "done", "unchanged", "retry", "gone", "refused" };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        assert_string_equal(apply_result_name((ApplyResult)i), words[i]);
    assert_string_equal(apply_result_name(APPLY_COUNT), "unknown");
}

#define ON_ROOT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ROOT(writes_a_number_only_if_the_file_shows_another),
        ON_ROOT(writes_a_word_only_if_the_file_shows_another),
        ON_ROOT(sorts_what_the_kernel_answers_to_a_write),
        ON_ROOT(a_write_that_is_taken_in_part_is_tried_again_later),
        ON_ROOT(a_file_that_cannot_be_read_is_written_all_the_same),
        ON_ROOT(an_equal_value_is_found_equal_where_nothing_may_be_written),
        ON_ROOT(a_missing_file_is_gone_and_is_not_made),
        ON_ROOT(only_one_line_of_text_is_written),
        ON_ROOT(probing_tells_a_read_only_tree_from_missing_privileges),
        ON_ROOT(leaves_no_descriptor_open),
        cmocka_unit_test(every_result_has_a_word_and_other_numbers_have_one_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
