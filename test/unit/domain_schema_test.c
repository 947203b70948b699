/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_schema_test.c - the schemas that are installed refuse what the parser calls a mistake, and
 * nothing else */
#include "agent/virt/domain_setting.h"
#include "test/support/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <glib/gstdio.h>

#define SCHEMA       TEST_SOURCE_DIR "/../packaging/schema/virtksm-domain."
#define ROOT(values) "<v:policy xmlns:v='urn:virtksm:domain:1' xmlns:a='urn:a' " values ">"
#define POLICY(body) ROOT("") body "</v:policy>"
#define KSM(values)  POLICY("<v:ksm " values "/>")
#define BALLOON(v)   POLICY("<v:balloon " v "/>")
#define HIGH(values) POLICY("<v:memory_high " values "/>")
#define GROUP_64     "0123456789012345678901234567890123456789012345678901234567890123"

static const struct {
    const char *text;
    bool is_good;
} samples[] = {
    { POLICY(""), true },
    { POLICY(" <!-- nothing --> "), true },
    { POLICY("<v:ksm/><v:balloon/><v:memory_high/>"), true },
    { POLICY("<v:memory_high mode='on'/><v:ksm weight='0'/><v:balloon mode='off'/>"), true },
    { "<policy xmlns='urn:virtksm:domain:1'><ksm weight='7'/></policy>", true },
    { POLICY("<v:ksm weight='9'>\n </v:ksm>"), true },
    { ROOT("a:b='c' xml:lang='en'") "<v:ksm a:weight='x'/></v:policy>", true },
    { ROOT("weight='1'") "</v:policy>", false },
    { ROOT("v:weight='1'") "</v:policy>", false },
    { POLICY("text"), false },
    { POLICY("<![CDATA[text]]>"), false },
    { POLICY("<v:other/>"), false },
    { POLICY("<ksm/>"), false },
    { POLICY("<a:ksm/>"), false },
    { POLICY("<v:Balloon/>"), false },
    { POLICY("<v:ksm/><v:ksm/>"), false },
    { POLICY("<v:balloon/><v:ksm/><v:balloon/>"), false },
    { POLICY("<v:memory_high/><v:memory_high/>"), false },
    { POLICY("<v:ksm>50</v:ksm>"), false },
    { POLICY("<v:balloon><v:ksm/></v:balloon>"), false },
    { POLICY("<v:balloon><a:ksm/></v:balloon>"), false },
    { POLICY("<v:balloon><n:x xmlns:n='urn:virtksm:none'/></v:balloon>"), false },

    { KSM("weight='10000' latency_critical='yes' group='a.B-9_'"), true },
    { KSM("weight='000' latency_critical='no' group='" GROUP_64 "'"), true },
    { KSM("weight='00010000'"), true },
    { KSM("weight='&#53;0'"), true },
    { KSM("weight='10001'"), false },
    { KSM("weight=''"), false },
    { KSM("weight=' 5'"), false },
    { KSM("weight='-1'"), false },
    { KSM("weight='+1'"), false },
    { KSM("weight='1.0'"), false },
    { KSM("weight='0x10'"), false },
    { KSM("latency_critical='1'"), false },
    { KSM("latency_critical='Yes'"), false },
    { KSM("latency_critical=' yes'"), false },
    { KSM("merge='yes' group='a'"), true },
    { KSM("merge='no'"), true },
    { KSM("merge='off'"), false },
    { KSM("merge=''"), false },
    { KSM("group=''"), false },
    { KSM("group='a b'"), false },
    { KSM("group='a/b'"), false },
    { KSM("group='\xc3\xa9'"), false },
    { KSM("group='" GROUP_64 "x'"), false },
    { KSM("mode='on'"), false },
    { KSM("Weight='50'"), false },
    { KSM("v:weight='50'"), false },

    { BALLOON("mode='off'"), true },
    { BALLOON("mode='observe' floor='1' ceiling='9999999999' shares='10000'"), true },
    { BALLOON("mode='on' floor='0512' ceiling='256' shares='0'"), true },
    { BALLOON("mode='inherit'"), false },
    { BALLOON("mode=''"), false },
    { BALLOON("mode='ON'"), false },
    { BALLOON("floor='0'"), false },
    { BALLOON("floor='000'"), false },
    { BALLOON("floor='512MiB'"), false },
    { BALLOON("floor='1.5'"), false },
    { BALLOON("floor='10000000000'"), false },
    { BALLOON("ceiling='0'"), false },
    { BALLOON("ceiling='18446744073709551617'"), false },
    { BALLOON("shares='10001'"), false },
    { BALLOON("shares='100%'"), false },
    { BALLOON("weight='100'"), false },

    { HIGH("mode='on'"), true },
    { HIGH("mode='observe'"), true },
    { HIGH("mode='yes'"), false },
    { HIGH("floor='512'"), false },
};

static void
parser_and_samples_agree(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
        g_autofree char *text = g_strdup_printf("<domain type='kvm'><name>n</name><metadata>%s"
                                                "</metadata><memory>262144</memory></domain>",
                                                samples[i].text);
        g_autoptr(GError) error = NULL;
        g_auto(DomainXml) xml = { 0 };

        if (!domain_xml_parse(text, strlen(text), &xml, &error))
            fail_msg("%s: %s", text, error->message);
        if ((xml.policy.faults == 0) != samples[i].is_good)
            fail_msg("%s: %u faults: %s", samples[i].text, xml.policy.faults, xml.policy.fault);
    }
}

/* The samples as files "0", "1", ...: arguments for xmllint behind the first four. */
static char **
write_samples(const char *folder)
{
    char **words = g_new0(char *, 4 + G_N_ELEMENTS(samples) + 1);

    for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
        words[4 + i] = g_strdup_printf("%s/%zu", folder, i);
        assert_true(g_file_set_contents(words[4 + i], samples[i].text, -1, NULL));
    }
    return words;
}

static void
remove_samples(const char *folder, char **words)
{
    for (size_t i = 0; i < G_N_ELEMENTS(samples); i++)
        g_unlink(words[4 + i]);
    assert_int_equal(g_rmdir(folder), 0);
}

/* What xmllint says of all the samples at once. */
static void
assert_schema_agrees(const char *option, const char *schema)
{
    g_autofree char *folder = g_dir_make_tmp("schema-XXXXXX", NULL);
    g_auto(GStrv) words = write_samples(folder);
    g_autoptr(Child) child = NULL;

    words[0] = g_strdup("xmllint");
    words[1] = g_strdup("--noout");
    words[2] = g_strdup(option);
    words[3] = g_strdup(schema);
    child = child_start((const char *const *)words);
    child_wait(child);
    for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
        g_autofree char *yes = g_strdup_printf("%s validates\n", words[4 + i]);
        g_autofree char *no = g_strdup_printf("%s fails to validate\n", words[4 + i]);
        bool is_valid = strstr(child_err(child), yes) != NULL;

        if (is_valid == (strstr(child_err(child), no) != NULL))
            fail_msg("%s: xmllint said neither: %s", samples[i].text, child_err(child));
        if (is_valid != samples[i].is_good)
            fail_msg("%s: %s", samples[i].text, is_valid ? "accepted" : "refused");
    }
    remove_samples(folder, words);
}

static void
relax_ng_and_samples_agree(void **unused)
{
    (void)unused;
    assert_schema_agrees("--relaxng", SCHEMA "rng");
}

static void
xml_schema_and_samples_agree(void **unused)
{
    (void)unused;
    assert_schema_agrees("--schema", SCHEMA "xsd");
}

static void
every_setting_is_in_both_schemas(void **unused)
{
    size_t n;
    const DomainSetting *settings = domain_setting_list(&n);
    g_autofree char *rng = NULL;
    g_autofree char *xsd = NULL;
    (void)unused;

    assert_true(g_file_get_contents(SCHEMA "rng", &rng, NULL, NULL));
    assert_true(g_file_get_contents(SCHEMA "xsd", &xsd, NULL, NULL));
    for (size_t i = 0; i < n; i++) {
        g_autofree char *element = g_strdup_printf("<element name=\"%s\">", settings[i].element);
        g_autofree char *type = g_strdup_printf("Type name=\"%s\">", settings[i].element);
        g_autofree char *attribute =
            g_strdup_printf("<attribute name=\"%s\" ns=\"\">", settings[i].name);
        g_autofree char *other = g_strdup_printf("attribute name=\"%s\"", settings[i].name);

        if (!strstr(rng, element) || !strstr(strstr(rng, element), attribute))
            fail_msg("%s.%s: not in the RELAX NG schema", settings[i].element, settings[i].name);
        if (!strstr(xsd, type) || !strstr(strstr(xsd, type), other))
            fail_msg("%s.%s: not in the W3C schema", settings[i].element, settings[i].name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parser_and_samples_agree),
        cmocka_unit_test(relax_ng_and_samples_agree),
        cmocka_unit_test(xml_schema_and_samples_agree),
        cmocka_unit_test(every_setting_is_in_both_schemas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
