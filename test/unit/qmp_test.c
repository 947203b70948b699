/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qmp_test.c - an answer of QEMU's is what was asked for, or is refused */
#include "agent/virt/qmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define KIND              "memory-backend-"
#define CHILD(name, type) "{\"name\":\"" name "\",\"type\":\"child<" type ">\"}"

static void
memory_backends_are_told_from_other_objects(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        const char *names; /* NULL: refused */
    } rows[] = {
        { "a usual machine",
          "{\"return\":[{\"name\":\"type\",\"type\":\"string\"},"
          "{\"name\":\"masterKey0\",\"type\":\"child<secret>\"}," CHILD(
              "pc.ram", "memory-backend-ram") "],"
                                              "\"id\":\"libvirt-417\"}",
          "pc.ram" },
        { "cells and a DIMM, in any order",
          "{\"return\":[" CHILD("ram-node1", "memory-backend-memfd") "," CHILD(
              "memdimm0", "memory-backend-file") "," CHILD("ram-node0", "memory-backend-ram") "]}",
          "memdimm0 ram-node0 ram-node1" },
        { "an old machine type", "{\"return\":[{\"name\":\"type\",\"type\":\"string\"}]}", "" },
        { "a member that is no object", "{\"return\":[7,null,\"x\"]}", "" },
        { "a name that ends the command",
          "{\"return\":[" CHILD("a\\\"}", "memory-backend-ram") "]}", NULL },
        { "a name that leaves the folder", "{\"return\":[" CHILD("a/b", "memory-backend-ram") "]}",
          NULL },
        { "no name", "{\"return\":[{\"type\":\"child<memory-backend-ram>\"}]}", NULL },
        { "a name that is a number",
          "{\"return\":[{\"name\":1,\"type\":\"child<memory-backend-ram>\"}]}", NULL },
        { "no list", "{\"return\":{}}", NULL },
        { "an error", "{\"error\":{\"class\":\"DeviceNotFound\",\"desc\":\"gone\"}}", NULL },
        { "an error that is a number", "{\"error\":7}", NULL },
        { "neither", "{\"id\":\"libvirt-1\"}", NULL },
        { "a list", "[]", NULL },
        { "nothing", "", NULL },
        { "no JSON", "{\"return\":[", NULL },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) names = NULL;
        g_autofree char *detail = NULL;
        g_autofree char *joined = NULL;
        bool is_read = qmp_read_children(rows[i].text, KIND, &names, &detail);

        if (is_read != (rows[i].names != NULL) || (detail != NULL) == is_read)
            fail_msg("%s: %s", rows[i].when, is_read ? "taken" : detail);
        joined = is_read ? g_strjoinv(" ", names) : g_strdup("");
        if (is_read && !g_str_equal(joined, rows[i].names))
            fail_msg("%s: \"%s\"", rows[i].when, joined);
    }
}

static void
an_answer_without_bounds_is_refused(void **unused)
{
    g_autoptr(GString) deep = g_string_new("{\"return\":");
    g_autoptr(GString) many = g_string_new("{\"return\":[");
    g_autoptr(GString) large = g_string_new("{\"return\":[],\"id\":\"");
    const GString *texts[] = { deep, many, large };
    (void)unused;

    for (unsigned i = 0; i < 100000; i++)
        g_string_append_c(deep, '[');
    for (unsigned i = 0; i <= QMP_NAMES_MAX; i++)
        g_string_append_printf(many, "%s" CHILD("m%u", "memory-backend-ram"), i > 0 ? "," : "", i);
    g_string_append(many, "]}");
    for (unsigned i = 0; i < 2 * 1024 * 1024; i++)
        g_string_append_c(large, 'x');
    g_string_append(large, "\"}");
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_auto(GStrv) names = NULL;
        g_autofree char *detail = NULL;

        if (qmp_read_children(texts[i]->str, KIND, &names, &detail))
            fail_msg("text %zu was taken", i);
    }
}

static void
a_flag_is_true_or_false_and_nothing_else(void **unused)
{
    static const struct {
        const char *text;
        int flag; /* -1: refused */
    } rows[] = {
        { "{\"return\":true,\"id\":\"libvirt-3\"}", 1 },
        { "{\"return\":false}", 0 },
        { "{\"return\":1}", -1 },
        { "{\"return\":\"true\"}", -1 },
        { "{\"return\":null}", -1 },
        { "{\"return\":{}}", -1 },
        { "{\"error\":{\"desc\":\"Property 'pc.ram.merge' not found\"}}", -1 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *detail = NULL;
        bool flag = false;
        bool is_read = qmp_read_flag(rows[i].text, &flag, &detail);

        if ((is_read ? flag : -1) != rows[i].flag)
            fail_msg("%s: %s", rows[i].text, is_read ? "another value" : detail);
    }
}

static void
qemus_words_are_repeated_cut_and_without_control_letters(void **unused)
{
    g_autofree char *detail = NULL;
    g_autofree char *long_detail = NULL;
    g_autofree char *long_desc = g_strnfill(5000, 'x');
    g_autofree char *long_text = g_strdup_printf("{\"error\":{\"desc\":\"%s\"}}", long_desc);
    (void)unused;

    assert_true(qmp_read_nothing("{\"return\":{}}", &detail));
    assert_false(qmp_read_nothing("{\"error\":{\"desc\":\"no\\nluck\"}}", &detail));
    assert_string_equal(detail, "QEMU: no\\nluck");
    assert_false(qmp_read_nothing(long_text, &long_detail));
    assert_true(strlen(long_detail) < 300);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_backends_are_told_from_other_objects),
        cmocka_unit_test(an_answer_without_bounds_is_refused),
        cmocka_unit_test(a_flag_is_true_or_false_and_nothing_else),
        cmocka_unit_test(qemus_words_are_repeated_cut_and_without_control_letters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
