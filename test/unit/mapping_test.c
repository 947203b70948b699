/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mapping_test.c - what each mapping of a QEMU is for, and which are the guest's */
#include "agent/facts/mapping.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PAGE UINT64_C(4096)
#define MIB  (UINT64_C(1) << 20)

/* As QEMU 7.2 has them, with emulation, 96 MiB, and a VGA; shortened. */
static const char qemu_maps[] =
    "556ddaf2e000-556ddb335000 r--p 00000000 fe:00 10977381       /usr/bin/qemu-system-x86_64\n"
    "556ddb335000-556ddb8cc000 r-xp 00407000 fe:00 10977381       /usr/bin/qemu-system-x86_64\n"
    "556ddc0bb000-556ddc0ee000 rw-p 00000000 00:00 0 \n"
    "556dde6f7000-556ddf8fd000 rw-p 00000000 00:00 0              [heap]\n"
    "7f6758000000-7f675837a000 rw-p 00000000 00:00 0 \n"
    "7f675837a000-7f675c000000 ---p 00000000 00:00 0 \n"
    "7f6764a00000-7f6765a00000 rw-p 00000000 00:00 0 \n"
    "7f6765a00000-7f6765a01000 ---p 00000000 00:00 0 \n"
    "7f6765e00000-7f676be00000 rw-p 00000000 00:00 0 \n"
    "7f676be00000-7f676be01000 ---p 00000000 00:00 0 \n"
    "7f67703bd000-7f67703be000 ---p 00000000 00:00 0 \n"
    "7f67703be000-7f6770bbe000 rw-p 00000000 00:00 0 \n"
    "7f6770bbe000-7f6770bbf000 ---p 00000000 00:00 0 \n"
    "7f6770bbf000-7f67713bf000 rw-p 00000000 00:00 0 \n"
    "7f6771400000-7f6771bff000 rwxp 00000000 00:00 0 \n"
    "7f6771bff000-7f6771c00000 ---p 00000000 00:00 0 \n"
    "7f6771c1b000-7f6771cfe000 rw-p 00000000 00:00 0 \n"
    "7f6773138000-7f677328e000 r-xp 00026000 fe:00 10945218       /usr/lib/libc.so.6\n"
    "7f6774553000-7f6774557000 r--p 00000000 00:00 0              [vvar]\n"
    "7ffce2ba2000-7ffce2bc3000 rw-p 00000000 00:00 0              [stack]\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0      [vsyscall]\n";

static GArray *
read_maps(const char *text)
{
    g_autofree char *copy = g_strdup(text);

    return mappings_read(copy, PAGE);
}

/* A letter for each mapping. */
static char *
uses(const GArray *mappings)
{
    static const char letters[MAPPING_USE_COUNT] = {
        [MAPPING_OTHER] = 'o',       [MAPPING_HEAP] = 'h',   [MAPPING_STACK] = 's',
        [MAPPING_TRANSLATION] = 't', [MAPPING_DEVICE] = 'd', [MAPPING_GUEST] = 'G',
        [MAPPING_NONE] = '-',
    };
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < mappings->len; i++)
        g_string_append_c(out, letters[g_array_index(mappings, Mapping, i).use]);
    return g_string_free(out, FALSE);
}

static void
a_qemu_is_told_apart(void **unused)
{
    const uint64_t backend = 96 * MIB;
    g_autoptr(GArray) mappings = read_maps(qemu_maps);
    g_autofree char *before = uses(mappings);
    g_autofree char *after = NULL;
    (void)unused;

    assert_string_equal(before, "oohhh-d-d--s-st-ho-s-");
    assert_true(mappings_find_guest(mappings, &backend, 1));
    after = uses(mappings);
    assert_string_equal(after, "oohhh-d-G--s-st-ho-s-");
    assert_true(g_array_index(mappings, Mapping, 8).start == 0x7f6765e00000);
    assert_true(g_array_index(mappings, Mapping, 8).end == 0x7f676be00000);
}

static void
names_rights_and_neighbours_tell_the_use(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        const char *want;
    } rows[] = {
        { "named by prctl", "1000-2000 rw-p 0 00:00 0 [anon:glibc: malloc]\n", "h" },
        { "shared without a file", "1000-2000 rw-s 0 00:01 7 /dev/zero (deleted)\n", "o" },
        { "two views of translated code",
          "1000-2000 rw-s 0 00:01 7 /memfd:tcg-jit (deleted)\n"
          "3000-4000 r-xs 0 00:01 7 /memfd:tcg-jit (deleted)\n",
          "tt" },
        { "registers of a device", "1000-2000 rw-s 0 00:0f 7 anon_inode:[vfio-device]\n", "-" },
        { "registers of a device, by its file", "1000-2000 rw-s 0 00:05 7 /dev/vfio/devices/0\n",
          "-" },
        { "aligned, without a guard", "200000-300000 rw-p 0 00:00 0\n", "h" },
        { "aligned, guard elsewhere",
          "200000-300000 rw-p 0 00:00 0\n301000-302000 ---p 0 00:00 0\n", "h-" },
        { "aligned, and a long guard",
          "200000-300000 rw-p 0 00:00 0\n300000-302000 ---p 0 00:00 0\n", "h-" },
        { "not aligned, with a guard",
          "201000-300000 rw-p 0 00:00 0\n300000-301000 ---p 0 00:00 0\n", "h-" },
        { "a stack that is aligned and has another above it",
          "1ff000-200000 ---p 0 00:00 0\n200000-300000 rw-p 0 00:00 0\n"
          "300000-301000 ---p 0 00:00 0\n301000-400000 rw-p 0 00:00 0\n",
          "-s-s" },
        { "the guard of a device is no stack's",
          "200000-300000 rw-p 0 00:00 0\n300000-301000 ---p 0 00:00 0\n"
          "301000-400000 rw-p 0 00:00 0\n",
          "d-h" },
        { "a file that is called like the heap", "1000-2000 rw-p 0 fe:00 9 /tmp/[heap]\n", "o" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GArray) mappings = read_maps(rows[i].text);
        g_autofree char *have = uses(mappings);

        if (strcmp(have, rows[i].want) != 0)
            fail_msg("%s: %s, want %s", rows[i].when, have, rows[i].want);
    }
}

static void
lines_that_are_no_mappings_are_left_out(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
    } rows[] = {
        { "nothing", "" },
        { "empty lines", "\n\n" },
        { "no range", "banana rw-p 0 00:00 0\n" },
        { "no end", "1000- rw-p 0 00:00 0\n" },
        { "a sign", "-1000-2000 rw-p 0 00:00 0\n" },
        { "behind itself", "2000-1000 rw-p 0 00:00 0\n" },
        { "nothing in it", "1000-1000 rw-p 0 00:00 0\n" },
        { "more than 64 bits", "1000-fffffffffffffffffff rw-p 0 00:00 0\n" },
        { "cut off", "1000-2000 rw-p 0" },
        { "odd rights", "1000-2000 rw 0 00:00 0\n" },
        { "more behind the range", "1000-2000x rw-p 0 00:00 0\n" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GArray) mappings = read_maps(rows[i].text);

        if (mappings->len != 0)
            fail_msg("%s: %u mappings", rows[i].when, mappings->len);
    }
}

static void
what_lies_before_the_line_above_is_left_out(void **unused)
{
    g_autoptr(GArray) mappings = read_maps("5000-7000 rw-p 0 00:00 0\n6000-8000 rw-p 0 00:00 0\n"
                                           "1000-2000 rw-p 0 00:00 0\n9000-a000 rw-p 0 00:00 0");
    (void)unused;

    assert_int_equal(mappings->len, 2);
    assert_true(g_array_index(mappings, Mapping, 1).start == 0x9000);
}

static void
guest_memory_is_found_by_its_size(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        uint64_t backends[3]; /* pages; up to one of 0 */
        bool found;
        const char *want;
    } rows[] = {
        { "of two the one that is higher",
          "200000-204000 rw-p 0 00:00 0\n600000-604000 rw-p 0 00:00 0\n",
          { 4 },
          true,
          "hG" },
        { "both, when there are two",
          "200000-204000 rw-p 0 00:00 0\n600000-604000 rw-p 0 00:00 0\n",
          { 4, 4 },
          true,
          "GG" },
        { "of a file that is shared",
          "1000-5000 rw-s 0 00:01 3 /memfd:memory-backend-memfd\n",
          { 4 },
          true,
          "G" },
        { "in pieces",
          "1000-2000 rw-p 0 00:00 0\n2000-4000 rw-p 0 00:00 0\n4000-5000 rw-p 0 00:00 0\n",
          { 4 },
          true,
          "GGG" },
        { "pieces of another size",
          "1000-2000 rw-p 0 00:00 0\n2000-5000 rw-p 0 00:00 0\n5000-6000 rw-p 0 00:00 0\n",
          { 2 },
          false,
          NULL },
        { "pieces that are apart",
          "1000-3000 rw-p 0 00:00 0\n4000-6000 rw-p 0 00:00 0\n",
          { 4 },
          false,
          NULL },
        { "cannot be written", "1000-5000 r--p 0 00:00 0\n", { 4 }, false, NULL },
        { "can be executed", "1000-5000 rwxp 0 00:00 0\n", { 4 }, false, NULL },
        { "one is missing", "1000-5000 rw-p 0 00:00 0\n", { 4, 2 }, false, NULL },
        { "nodes in one piece, and a memory device",
          "200000-201000 rw-p 0 00:00 0\n600000-604000 rw-p 0 00:00 0\n",
          { 1, 3, 1 },
          true,
          "GG" },
        { "a node that is there, and others that are not, in one piece or alone",
          "200000-201000 rw-p 0 00:00 0\n600000-605000 rw-p 0 00:00 0\n",
          { 1, 3, 2 },
          false,
          "hh" },
        { "a part of many neighbours, the highest that fits",
          "1000-2000 rw-p 0 00:00 0\n2000-5000 rw-p 0 00:00 0\n5000-6000 rw-p 0 00:00 0\n"
          "6000-b000 rw-p 0 00:00 0\nb000-c000 rw-p 0 00:00 0\n",
          { 4 },
          true,
          "hGGhh" },
        { "neighbours that fit beside one that is too large",
          "1000-3000 rw-p 0 00:00 0\n3000-5000 rw-p 0 00:00 0\n5000-c000 rw-p 0 00:00 0\n",
          { 4 },
          true,
          "GGh" },
        { "not over a hole, nor over what cannot be written",
          "1000-3000 rw-p 0 00:00 0\n4000-6000 rw-p 0 00:00 0\n6000-7000 r--p 0 00:00 0\n"
          "7000-9000 rw-p 0 00:00 0\n",
          { 4 },
          false,
          "hhhh" },
        { "no backend is known", "1000-5000 rw-p 0 00:00 0\n", { 0 }, false, NULL },
        { "no mapping at all", "", { 4 }, false, NULL },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GArray) mappings = read_maps(rows[i].text);
        uint64_t bytes[3];
        size_t n = 0;
        g_autofree char *have = NULL;

        for (; n < 3 && rows[i].backends[n] != 0; n++)
            bytes[n] = rows[i].backends[n] * PAGE;
        if (mappings_find_guest(mappings, bytes, n) != rows[i].found)
            fail_msg("%s: found %d", rows[i].when, !rows[i].found);
        have = uses(mappings);
        if (rows[i].want && strcmp(have, rows[i].want) != 0)
            fail_msg("%s: %s, want %s", rows[i].when, have, rows[i].want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_qemu_is_told_apart),
        cmocka_unit_test(names_rights_and_neighbours_tell_the_use),
        cmocka_unit_test(lines_that_are_no_mappings_are_left_out),
        cmocka_unit_test(what_lies_before_the_line_above_is_left_out),
        cmocka_unit_test(guest_memory_is_found_by_its_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
