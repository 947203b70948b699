/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_metadata_test.c - settings go into the text that is there, and nothing else changes */
#include "agent/virt/domain_foreign.h"
#include "agent/virt/domain_metadata.h"
#include "agent/virt/domain_setting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LONG "012345678901234567890123456789012345678901234567890123456789"
/* What the tenant wrote and no message may repeat. */
#define SECRET "hunter2"

static char *
edit(const char *text, const char *settings, GError **error)
{
    g_auto(GStrv) words = g_strsplit(settings, " ", -1);
    char *result = NULL;

    assert_true(domain_metadata_check((const char *const *)words, NULL));
    if (!domain_metadata_edit(text, (const char *const *)words, &result, error))
        assert_non_null(*error);
    return result;
}

static void
settings_change_and_all_else_stays(void **unused)
{
    static const struct {
        const char *when;
        const char *text;     /* NULL: none */
        const char *settings; /* parted by blanks */
        const char *want;     /* NULL: none */
    } rows[] = {
        { "the first of all", NULL, "balloon.floor=512",
          "<policy><balloon floor=\"512\"/></policy>" },
        { "several at once", NULL, "ksm.weight=50 memory_high.mode=on ksm.group=a",
          "<policy><ksm weight=\"50\" group=\"a\"/><memory_high mode=\"on\"/></policy>" },
        { "another value", "<policy><ksm weight=\"50\"/></policy>", "ksm.weight=60",
          "<policy><ksm weight=\"60\"/></policy>" },
        { "the last of two counts", "<policy/>", "ksm.weight=60 ksm.weight=70",
          "<policy><ksm weight=\"70\"/></policy>" },
        { "beside others", "<policy><balloon mode=\"on\"/></policy>", "balloon.shares=200",
          "<policy><balloon mode=\"on\" shares=\"200\"/></policy>" },
        { "taken out, others stay", "<policy><balloon mode=\"on\" floor=\"1\"/></policy>",
          "balloon.floor=", "<policy><balloon mode=\"on\"/></policy>" },
        { "the element goes with its last", "<policy><balloon floor=\"1\"/><ksm/></policy>",
          "balloon.floor=", "<policy><ksm/></policy>" },
        { "all goes with the last", "<policy> <balloon floor=\"1\"/> </policy>",
          "balloon.floor=", NULL },
        { "what is not there", NULL, "balloon.floor=", NULL },
        { "nor in its element", "<policy><balloon mode=\"on\"/></policy>",
          "balloon.floor=", "<policy><balloon mode=\"on\"/></policy>" },
        { "what we do not know",
          "<policy x=\"1\"><future a=\"b\">t</future><ksm y=\"2\"/></policy>", "ksm.weight=5",
          "<policy x=\"1\"><future a=\"b\">t</future><ksm y=\"2\" weight=\"5\"/></policy>" },
        { "also when all known goes", "<policy><future/><ksm weight=\"5\"/></policy>",
          "ksm.weight=", "<policy><future/></policy>" },
        { "elements of others", "<policy xmlns:a=\"urn:a\"><a:ksm weight=\"1\"/></policy>",
          "ksm.weight=5",
          "<policy xmlns:a=\"urn:a\"><a:ksm weight=\"1\"/><ksm weight=\"5\"/></policy>" },
        { "attributes of others",
          "<policy xmlns:a=\"urn:a\"><ksm a:weight=\"1\" weight=\"2\"/></policy>",
          "ksm.weight=", "<policy xmlns:a=\"urn:a\"><ksm a:weight=\"1\"/></policy>" },
        { "the first of two elements", "<policy><ksm weight=\"1\"/><ksm weight=\"2\"/></policy>",
          "ksm.weight=3", "<policy><ksm weight=\"3\"/><ksm weight=\"2\"/></policy>" },
        { "with our namespace on it",
          "<v:policy xmlns:v=\"urn:virtksm:domain:1\"><v:ksm weight=\"1\"/></v:policy>",
          "ksm.weight=2 balloon.mode=off",
          "<v:policy xmlns:v=\"urn:virtksm:domain:1\"><v:ksm weight=\"2\"/>"
          "<v:balloon mode=\"off\"/></v:policy>" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *result = edit(rows[i].text, rows[i].settings, &error);

        if (error || g_strcmp0(result, rows[i].want) != 0)
            fail_msg("%s: %s, want %s", rows[i].when, error ? error->message : result,
                     rows[i].want);
    }
}

static void
what_is_written_is_what_the_parser_reads(void **unused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *result =
        edit(NULL,
             "ksm.weight=7 ksm.latency_critical=yes ksm.group=g balloon.mode=observe "
             "balloon.floor=3 balloon.ceiling=4 balloon.shares=5 memory_high.mode=off",
             &error);
    g_autofree char *text = NULL;
    g_auto(DomainXml) xml = { 0 };
    (void)unused;

    result[strlen("<policy")] = '\0';
    text = g_strdup_printf("<domain type='kvm'><name>n</name><memory>1</memory><metadata>%s"
                           " xmlns='urn:virtksm:domain:1'>%s</metadata></domain>",
                           result, result + strlen("<policy>"));
    assert_true(domain_xml_parse(text, strlen(text), &xml, NULL));
    assert_int_equal(xml.policy.faults, 0);
    assert_int_equal(xml.policy.weight, 7);
    assert_true(xml.policy.latency_critical);
    assert_string_equal(xml.policy.group, "g");
    assert_int_equal(xml.policy.balloon_mode, MECHANISM_OBSERVE);
    assert_int_equal(xml.policy.floor_bytes, 3 << 20);
    assert_int_equal(xml.policy.ceiling_bytes, 4 << 20);
    assert_int_equal(xml.policy.shares, 5);
    assert_int_equal(xml.policy.high_mode, MECHANISM_OFF);
}

static void
what_is_no_policy_is_left_alone(void **unused)
{
    static const char *const rows[] = {
        "<" SECRET "/>",
        "<a:policy xmlns:a='urn:" SECRET "'/>",
        "<policy><" SECRET "></policy>",
        SECRET,
        "",
        "<!DOCTYPE policy [<!ENTITY e '" SECRET "'>]><policy>&e;</policy>",
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *result = edit(rows[i], "ksm.weight=1", &error);

        if (result || !strstr(error->message, "virsh metadata --remove") ||
            strstr(error->message, SECRET))
            fail_msg("%s: %s", rows[i], error->message);
    }
}

static void
what_cannot_be_written_is_named(void **unused)
{
    static const struct {
        const char *settings; /* parted by blanks */
        const char *want;     /* part of the error; NULL: none */
    } rows[] = {
        { "ksm.weight=0", NULL },
        { "ksm.weight=10000 balloon.floor= memory_high.mode=", NULL },
        { "balloon.ceiling=9999999999 ksm.group=a.b-c_9", NULL },
        { "ksm.weight=10001", "ksm.weight: expected a whole number from 0 to 10000" },
        { "ksm.weight=1 balloon.floor=0", "balloon.floor: expected a whole number of MiB" },
        { "balloon.floor=512MiB", "balloon.floor: expected a whole number of MiB, from 1 to" },
        { "balloon.ceiling=x", "balloon.ceiling: expected a whole number of MiB" },
        { "balloon.shares=-1", "balloon.shares: expected a whole number from 0 to 10000" },
        { "balloon.mode=yes", "balloon.mode: expected 'off', 'observe' or 'on'" },
        { "memory_high.mode=1", "memory_high.mode: expected 'off', 'observe' or 'on'" },
        { "ksm.latency_critical=true", "ksm.latency_critical: expected 'no' or 'yes'" },
        { "ksm.merge=no", NULL },
        { "ksm.merge=never", "ksm.merge: expected 'no' or 'yes'" },
        { "ksm.group=a/b", "ksm.group: expected 1 to 64 of A-Z" },
        { "ksm.group=" LONG "12345", "ksm.group: expected" },
        { "weight=1", "expected one of ksm.weight, ksm.latency_critical, ksm.group, ksm.merge, "
                      "balloon.mode, "
                      "balloon.floor, balloon.ceiling, balloon.shares, memory_high.mode" },
        { "ksm.=1", "there is no such key" },
        { ".weight=1", "there is no such key" },
        { "ksm.weigh=1", "there is no such key" },
        { "ksm.weights=1", "there is no such key" },
        { "=1", "there is no such key" },
        { "ksm.weight", "expected key=value" },
        { "ksm.weight:5", "expected key=value" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) words = g_strsplit(rows[i].settings, " ", -1);
        g_autoptr(GError) error = NULL;
        bool valid = domain_metadata_check((const char *const *)words, &error);

        if (valid != !rows[i].want ||
            (error && rows[i].want && !strstr(error->message, rows[i].want)))
            fail_msg("%s: %s", rows[i].settings, error ? error->message : "accepted");
    }
}

static void
nothing_is_not_a_change(void **unused)
{
    g_autoptr(GError) error = NULL;
    (void)unused;

    assert_false(domain_metadata_check((const char *const[]){ NULL }, &error));
    assert_non_null(strstr(error->message, "at least one key=value"));
}

static void
attributes_are_counted_before_they_are_compared(void **unused)
{
    g_autoptr(GString) text = g_string_new("<policy");
    g_autoptr(GError) error = NULL;
    (void)unused;

    for (unsigned i = 0; i <= DOMAIN_ATTRIBUTES_MAX; i++)
        g_string_append_printf(text, " a%u='1'", i);
    g_string_append(text, "/>");
    assert_null(edit(text->str, "ksm.weight=1", &error));
    assert_non_null(strstr(error->message, "virsh metadata --remove"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_change_and_all_else_stays),
        cmocka_unit_test(what_is_written_is_what_the_parser_reads),
        cmocka_unit_test(what_is_no_policy_is_left_alone),
        cmocka_unit_test(attributes_are_counted_before_they_are_compared),
        cmocka_unit_test(what_cannot_be_written_is_named),
        cmocka_unit_test(nothing_is_not_a_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
