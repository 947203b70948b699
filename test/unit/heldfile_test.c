/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* heldfile_test.c - what is read is what the name stands for now, and is read from one descriptor
 */
#define _GNU_SOURCE

#include "agent/facts/heldfile.h"

#include <glib.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/descriptors.h"
#include "test/support/fakeroot.h"

#define PATH "sys/number"

static void
change(FakeRoot *root, const char *text)
{
    if (text)
        fakeroot_write(root, PATH, "%s", text);
    else
        fakeroot_remove(root, PATH);
}

static void
shows_what_is_under_the_name_at_each_reading(void **unused)
{
    static const struct {
        const char *when;
        const char *text; /* NULL: the file is removed */
        uint64_t want;
    } rows[] = {
        { "at first", "12\n", 12 },         { "another number", "345\n", 345 },
        { "a shorter one", "6\n", 6 },      { "not a number", "six\n", VALUE_UNKNOWN },
        { "a number again", "7\n", 7 },     { "too large", "1001\n", VALUE_UNKNOWN },
        { "removed", NULL, VALUE_UNKNOWN }, { "made anew", "8\n", 8 },
    };
    g_autoptr(FakeRoot) root = fakeroot_new();
    HeldFile file = { 0 };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t have;

        change(root, rows[i].text);
        have = heldfile_u64(&file, fakeroot_fd(root), PATH, 1000);
        if (have != rows[i].want)
            fail_msg("%s: %" PRIu64 ", want %" PRIu64, rows[i].when, have, rows[i].want);
    }
    heldfile_close(&file);
}

static void
follows_the_name_when_another_file_takes_its_place(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    HeldFile file = { 0 };
    (void)unused;

    fakeroot_write(root, PATH, "1\n");
    assert_int_equal(heldfile_u64(&file, fakeroot_fd(root), PATH, UINT64_MAX), 1);
    fakeroot_write(root, "sys/other", "2\n");
    assert_int_equal(renameat(fakeroot_fd(root), "sys/other", fakeroot_fd(root), PATH), 0);
    assert_int_equal(heldfile_u64(&file, fakeroot_fd(root), PATH, UINT64_MAX), 2);
    heldfile_close(&file);
}

static void
tells_why_there_is_nothing_to_read(void **unused)
{
    static const struct {
        const char *when;
        const char *path;
        size_t size; /* of the buffer */
        ProcfileResult want;
    } rows[] = {
        { "whole", PATH, 16, PROCFILE_READ },
        { "fills the buffer", PATH, 3, PROCFILE_UNREADABLE },
        { "not there", "sys/nothing", 16, PROCFILE_ABSENT },
        { "a directory", "sys", 16, PROCFILE_UNREADABLE },
    };
    g_autoptr(FakeRoot) root = fakeroot_new();
    (void)unused;

    fakeroot_write(root, PATH, "12\n");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        HeldFile file = { 0 };
        char text[16];
        ProcfileResult have =
            heldfile_read_text(&file, fakeroot_fd(root), rows[i].path, text, rows[i].size);

        heldfile_close(&file);
        if (have != rows[i].want)
            fail_msg("%s: %d, want %d", rows[i].when, have, rows[i].want);
    }
}

static void
holds_one_descriptor_and_gives_it_back(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    HeldFile file = { 0 };
    unsigned before;
    (void)unused;

    fakeroot_write(root, PATH, "12\n");
    before = descriptors_open();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(heldfile_u64(&file, fakeroot_fd(root), PATH, UINT64_MAX), 12);
        assert_int_equal(descriptors_open(), before + 1);
    }
    fakeroot_remove(root, PATH);
    assert_true(heldfile_u64(&file, fakeroot_fd(root), PATH, UINT64_MAX) == VALUE_UNKNOWN);
    assert_int_equal(descriptors_open(), before);
    heldfile_close(&file);
    assert_int_equal(descriptors_open(), before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_what_is_under_the_name_at_each_reading),
        cmocka_unit_test(follows_the_name_when_another_file_takes_its_place),
        cmocka_unit_test(tells_why_there_is_nothing_to_read),
        cmocka_unit_test(holds_one_descriptor_and_gives_it_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
