/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * template_test.c - the shape of a unit test: copy it to MODULE_test.c and fill in
 *
 * Its subject is test/support/fakeroot.c, which other tests stand on. What to keep:
 *
 * - one test file per module, registered with virtksm_test() in CMakeLists.txt beside it;
 * - setup and teardown give every test a world of its own, so that any may run alone;
 * - the name of a test is a sentence that is true when it passes;
 * - cases of one kind are rows of a table with a `when`, and a failure says which row;
 * - what comes later is waited for by AWAIT() of test/support/await.h, never for a time;
 * - look at effects (what is in the file now), not at calls; break the code once to see it fail.
 */
#define _GNU_SOURCE
#include "test/support/fakeroot.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define KNOB "sys/kernel/mm/ksm/run"

static int
setup(void **state)
{
    *state = fakeroot_new();
    return 0;
}

static int
teardown(void **state)
{
    fakeroot_free(*state);
    return 0;
}

/* Bytes that a reader who opens the file now gets; -1: there is no such file. */
static ssize_t
read_now(FakeRoot *root, const char *path, char *buffer, size_t size)
{
    int fd = openat(fakeroot_fd(root), path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, buffer, size);
    close(fd);
    return n;
}

static void
a_file_holds_what_was_written_last(void **state)
{
    static const struct {
        const char *when;
        const char *path;
        const char *text;
    } rows[] = {
        { "new, directories missing", KNOB, "1\n" },
        { "shorter than before", KNOB, "0" },
        { "empty", KNOB, "" },
        { "directory already there", "sys/kernel/mm/ksm/sleep_millisecs", "20\n" },
        { "at the top", "version", "6.1\n" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        char have[64];
        ssize_t n;

        fakeroot_write(*state, rows[i].path, "%s", rows[i].text);
        n = read_now(*state, rows[i].path, have, sizeof(have));
        if (n != (ssize_t)strlen(rows[i].text) || memcmp(have, rows[i].text, (size_t)n) != 0)
            fail_msg("%s: %s has %zd bytes, want \"%s\"", rows[i].when, rows[i].path, n,
                     rows[i].text);
    }
}

static void
a_reader_who_came_before_keeps_the_old_text(void **state)
{
    char have[8] = "";
    int fd;

    fakeroot_write(*state, KNOB, "1\n");
    fd = openat(fakeroot_fd(*state), KNOB, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    fakeroot_write(*state, KNOB, "2\n");

    assert_int_equal(pread(fd, have, sizeof(have) - 1, 0), 2);
    assert_string_equal(have, "1\n");
    close(fd);
}

static void
bytes_may_hold_a_nul(void **state)
{
    static const char cmdline[] = "qemu\0-name\0a";
    char have[sizeof(cmdline) + 1];

    fakeroot_write_bytes(*state, "proc/7/cmdline", cmdline, sizeof(cmdline));
    assert_int_equal(read_now(*state, "proc/7/cmdline", have, sizeof(have)), sizeof(cmdline));
    assert_memory_equal(have, cmdline, sizeof(cmdline));
}

static void
a_removed_directory_takes_its_files_along(void **state)
{
    char have[8];

    fakeroot_write(*state, KNOB, "1\n");
    fakeroot_remove(*state, "sys/kernel");
    assert_int_equal(read_now(*state, KNOB, have, sizeof(have)), -1);
}

static void
a_new_tree_has_nothing_of_another(void **state)
{
    g_autoptr(FakeRoot) other = fakeroot_new();
    char have[8];

    fakeroot_write(*state, KNOB, "1\n");
    assert_int_equal(read_now(other, KNOB, have, sizeof(have)), -1);
}

static void
nothing_is_left_on_disk(void **unused)
{
    FakeRoot *root = fakeroot_new();
    g_autofree char *path = g_strdup(fakeroot_path(root));
    (void)unused;

    fakeroot_write(root, KNOB, "1\n");
    fakeroot_free(root);
    assert_int_equal(access(path, F_OK), -1);
}

#define ON_ROOT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ROOT(a_file_holds_what_was_written_last),
        ON_ROOT(a_reader_who_came_before_keeps_the_old_text),
        ON_ROOT(bytes_may_hold_a_nul),
        ON_ROOT(a_removed_directory_takes_its_files_along),
        ON_ROOT(a_new_tree_has_nothing_of_another),
        cmocka_unit_test(nothing_is_left_on_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
