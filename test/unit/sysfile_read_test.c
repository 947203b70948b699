/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysfile_read_test.c - what is read from kernel files, and where no path leads */
#define _GNU_SOURCE
#include "agent/actuator/sysfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/fakeroot.h"

#define KNOB "sys/kernel/mm/ksm/pages_to_scan"

static void
no_path_leads_out_of_the_root(void **state)
{
    static const char *const paths[] = {
        "/etc/hostname", "../outside/file", "sys/../../outside/file",
        "sys/..",        "sys//run",        "",
        "sys/",          "linkdir/file",    "sys/linkfile",
        "sys/run/below",
    };
    FakeRoot *outside = fakeroot_new();
    g_autofree char *target = g_build_filename(fakeroot_path(outside), "file", NULL);
    g_autofree char *text = NULL;
    int root_fd = fakeroot_fd(*state);

    fakeroot_write(outside, "file", "1\n");
    fakeroot_write(*state, "sys/run", "1\n");
    assert_int_equal(symlinkat(fakeroot_path(outside), root_fd, "linkdir"), 0);
    assert_int_equal(symlinkat(target, root_fd, "sys/linkfile"), 0);
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(GError) error = NULL;
        ApplyResult result = sysfile_set_u64(root_fd, paths[i], 2, &error);

        if (result != APPLY_REFUSED || !error)
            fail_msg("\"%s\": %s", paths[i], apply_result_name(result));
    }
    assert_true(g_file_get_contents(target, &text, NULL, NULL));
    assert_string_equal(text, "1\n");
    fakeroot_free(outside);
}

static void
reads_numbers_and_leaves_the_output_alone_otherwise(void **state)
{
    static const struct {
        const char *text;
        ApplyResult want;
        uint64_t value;
    } rows[] = {
        { "0\n", APPLY_UNCHANGED, 0 },    { "12345\n", APPLY_UNCHANGED, 12345 },
        { "7", APPLY_UNCHANGED, 7 },      { "", APPLY_REFUSED, 99 },
        { "seven\n", APPLY_REFUSED, 99 }, { "+7\n", APPLY_REFUSED, 99 },
        { " 7\n", APPLY_REFUSED, 99 },    { "7 \n", APPLY_REFUSED, 99 },
        { "7\n8\n", APPLY_REFUSED, 99 },  { "0x7\n", APPLY_REFUSED, 99 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        uint64_t value = 99;
        ApplyResult result;

        fakeroot_write(*state, KNOB, "%s", rows[i].text);
        result = sysfile_get_u64(fakeroot_fd(*state), KNOB, &value, &error);
        if (result != rows[i].want || value != rows[i].value || !error != (result != APPLY_REFUSED))
            fail_msg("\"%s\": %s", rows[i].text, apply_result_name(result));
    }
}

static void
a_text_longer_than_a_page_is_cut(void **state)
{
    g_autofree char *text = g_strnfill(2 * SYSFILE_TEXT_BYTES, 'x');
    char read[SYSFILE_TEXT_BYTES];

    fakeroot_write(*state, KNOB, "%s", text);
    assert_int_equal(sysfile_get_text(fakeroot_fd(*state), KNOB, read, NULL), APPLY_UNCHANGED);
    assert_int_equal(strlen(read), SYSFILE_TEXT_BYTES - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FAKEROOT_TEST(no_path_leads_out_of_the_root),
        FAKEROOT_TEST(reads_numbers_and_leaves_the_output_alone_otherwise),
        FAKEROOT_TEST(a_text_longer_than_a_page_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
