/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_policy_test.c - what the metadata of a definition asks of us, and what is made of mistakes
 */
#include "agent/virt/domain_xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NS "xmlns:v='urn:virtksm:domain:1'"
/* A definition that keeps out of merging, so that the test sees that the rest of it is read. */
#define DOMAIN(metadata)                                                                           \
    "<domain type='kvm'><name>n</name>" metadata                                                   \
    "<memory>262144</memory><memoryBacking><nosharepages/></memoryBacking></domain>"
#define METADATA(body) DOMAIN("<metadata>" body "</metadata>")
#define POLICY(body)   METADATA("<v:policy " NS ">" body "</v:policy>")
#define KSM(values)    POLICY("<v:ksm " values "/>")
#define BALLOON(v)     POLICY("<v:balloon " v "/>")
#define HIGH(values)   POLICY("<v:memory_high " values "/>")
#define MIB            UINT64_C(1048576)

/* What the tenant wrote and no message may repeat. */
#define SECRET "hunter2"

/* A definition with a policy, whatever is wrong with it, is understood. */
static DomainXml
parse(const char *text)
{
    DomainXml xml = { 0 };
    g_autoptr(GError) error = NULL;

    if (!domain_xml_parse(text, strlen(text), &xml, &error))
        fail_msg("%s: %s", text, error->message);
    if (xml.maximum_bytes != UINT64_C(262144) * 1024 || !xml.nosharepages)
        fail_msg("%s: the rest was not read", text);
    return xml;
}

static void
reads_weight_and_latency_wherever_the_namespace_is_named(void **unused)
{
    static const struct {
        const char *text;
        uint32_t weight;
        bool is_critical;
    } rows[] = {
        { DOMAIN(""), 100, false },
        { DOMAIN("<metadata/>"), 100, false },
        { METADATA("<v:policy " NS "/>"), 100, false },
        { POLICY("<v:ksm/>"), 100, false },
        { KSM("weight='50'"), 50, false },
        { KSM("weight='0' latency_critical='no'"), 0, false },
        { KSM("weight='10000' latency_critical='yes'"), 10000, true },
        { KSM("latency_critical='yes'"), 100, true },
        { KSM("weight='&#53;0'"), 50, false },
        { METADATA("<policy xmlns='urn:virtksm:domain:1'><ksm weight='7'/></policy>"), 7, false },
        { METADATA("<x:policy xmlns:x='urn:virtksm:domain:1'><y:ksm xmlns:y='urn:virtksm:domain:1'"
                   " weight='8'/></x:policy>"),
          8, false },
        { METADATA("<a:app xmlns:a='urn:a'><a:policy/></a:app><v:policy " NS ">\n  <!-- c -->\n"
                   "  <v:ksm weight='9'>\n  </v:ksm></v:policy><a:policy xmlns:a='urn:a'>"
                   "<a:ksm weight='1'/></a:policy>"),
          9, false },
        { KSM("weight='50' a:weight='70' xml:lang='en' xmlns:a='urn:a'"), 50, false },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(DomainXml) xml = parse(rows[i].text);

        if (xml.policy.weight != rows[i].weight ||
            xml.policy.latency_critical != rows[i].is_critical || xml.policy.fault ||
            xml.policy.faults != 0)
            fail_msg("%s: weight %u, critical %d, %s", rows[i].text, xml.policy.weight,
                     xml.policy.latency_critical, xml.policy.fault);
    }
}

#define EXPECT_WEIGHT  "virtksm:ksm: attribute weight: expected a whole number from 0 to 10000"
#define EXPECT_LATENCY "virtksm:ksm: attribute latency_critical: expected 'no' or 'yes'"
#define EXPECT_NAMES                                                                               \
    "virtksm:ksm: expected no attribute but weight, latency_critical, group and merge"
#define EXPECT_ONE    "virtksm:ksm: expected one such element, not two"
#define EXPECT_KSM    "virtksm:policy: expected no element but ksm, balloon and memory_high, in the"
#define EXPECT_POLICY "domain/metadata: expected no element of urn:virtksm:domain:1 but policy"

static const struct {
    const char *text;
    const char *want; /* part of the first fault */
    uint32_t weight;
    uint32_t faults;
} mistakes[] = {
    { KSM("weight=''"), EXPECT_WEIGHT, 100, 1 },
    { KSM("weight='-1'"), EXPECT_WEIGHT, 100, 1 },
    { KSM("weight=' 5'"), EXPECT_WEIGHT, 100, 1 },
    { KSM("weight='5%'"), EXPECT_WEIGHT, 100, 1 },
    { KSM("weight='1.5'"), EXPECT_WEIGHT, 100, 1 },
    { KSM("weight='10001'"), EXPECT_WEIGHT, 100, 1 },
    { KSM("weight='18446744073709551666'"), EXPECT_WEIGHT, 100, 1 },
    { KSM("weight='" SECRET "'"), EXPECT_WEIGHT, 100, 1 },
    { KSM("weight='" SECRET "' latency_critical='" SECRET "'"), EXPECT_WEIGHT, 100, 2 },
    { KSM("weight='50' latency_critical=''"), EXPECT_LATENCY, 50, 1 },
    { KSM("weight='50' latency_critical='1'"), EXPECT_LATENCY, 50, 1 },
    { KSM("weight='50' latency_critical='Yes'"), EXPECT_LATENCY, 50, 1 },
    { KSM("weight='50' latency_critical='" SECRET "'"), EXPECT_LATENCY, 50, 1 },
    { KSM("Weight='50'"), EXPECT_NAMES, 100, 1 },
    { KSM("weight='50' " SECRET "='1'"), EXPECT_NAMES, 50, 1 },
    { KSM("v:weight='50'"), EXPECT_NAMES, 100, 1 },
    { KSM("latency='yes' wait='1'"), EXPECT_NAMES, 100, 2 },
    { POLICY("<v:ksm weight='50'/><v:ksm weight='60'/>"), EXPECT_ONE, 50, 1 },
    { METADATA("<v:policy " NS "><v:ksm weight='50'/></v:policy>"
               "<v:policy " NS "><v:ksm weight='60'/></v:policy>"),
      EXPECT_ONE, 50, 1 },
    { METADATA("<v:policy " NS " weight='50'/>"), "virtksm:policy: expected no attribute", 100, 1 },
    { POLICY("<v:" SECRET "/>"), EXPECT_KSM, 100, 1 },
    { POLICY("<ksm weight='50'/>"), EXPECT_KSM, 100, 1 },
    { POLICY("<a:ksm weight='50' xmlns:a='urn:a'/>"), EXPECT_KSM, 100, 1 },
    { POLICY("<v:policy><v:ksm weight='50'/></v:policy>"), EXPECT_KSM, 100, 1 },
    { POLICY("<v:ksm weight='50'><v:ksm weight='60'/></v:ksm>"),
      "virtksm:ksm: expected no element in it", 50, 1 },
    { METADATA("<v:ksm " NS " weight='50'/>"), EXPECT_POLICY, 100, 1 },
    { METADATA("<v:" SECRET " " NS "/>"), EXPECT_POLICY, 100, 1 },
};

static void
a_mistake_is_named_and_leaves_its_default_and_all_else_in_force(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(mistakes); i++) {
        g_auto(DomainXml) xml = parse(mistakes[i].text);
        const DomainXmlPolicy *policy = &xml.policy;

        if (policy->faults != mistakes[i].faults || !policy->fault ||
            !strstr(policy->fault, mistakes[i].want))
            fail_msg("%s: %u: %s", mistakes[i].text, policy->faults, policy->fault);
        if (policy->weight != mistakes[i].weight || policy->latency_critical)
            fail_msg("%s: weight %u, critical %d", mistakes[i].text, policy->weight,
                     policy->latency_critical);
        if (policy->fault && (strstr(policy->fault, SECRET) || strlen(policy->fault) > 200))
            fail_msg("%s: repeats the text: %s", mistakes[i].text, policy->fault);
    }
}

static void
reads_what_is_asked_of_reclaim(void **unused)
{
    static const struct {
        const char *text;
        MechanismMode balloon;
        MechanismMode high;
        uint64_t floor_mib;
        uint64_t ceiling_mib;
        uint32_t shares;
        const char *group;
    } rows[] = {
        { DOMAIN(""), MECHANISM_INHERIT, MECHANISM_INHERIT, 0, 0, 100, NULL },
        { POLICY("<v:balloon/><v:memory_high/>"), MECHANISM_INHERIT, MECHANISM_INHERIT, 0, 0, 100,
          NULL },
        { BALLOON("mode='off'"), MECHANISM_OFF, MECHANISM_INHERIT, 0, 0, 100, NULL },
        { BALLOON("mode='observe'"), MECHANISM_OBSERVE, MECHANISM_INHERIT, 0, 0, 100, NULL },
        { BALLOON("mode='on' floor='512' ceiling='2048' shares='0'"), MECHANISM_ON,
          MECHANISM_INHERIT, 512, 2048, 0, NULL },
        { BALLOON("floor='9999999999' shares='10000'"), MECHANISM_INHERIT, MECHANISM_INHERIT,
          UINT64_C(9999999999), 0, 10000, NULL },
        { HIGH("mode='on'"), MECHANISM_INHERIT, MECHANISM_ON, 0, 0, 100, NULL },
        { HIGH("mode='off'"), MECHANISM_INHERIT, MECHANISM_OFF, 0, 0, 100, NULL },
        { KSM("group='a.B-9_'"), MECHANISM_INHERIT, MECHANISM_INHERIT, 0, 0, 100, "a.B-9_" },
        { POLICY("<v:memory_high mode='observe'/><v:balloon mode='on' shares='7'/>"), MECHANISM_ON,
          MECHANISM_OBSERVE, 0, 0, 7, NULL },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(DomainXml) xml = parse(rows[i].text);
        const DomainXmlPolicy *policy = &xml.policy;

        if (policy->faults != 0 || policy->balloon_mode != rows[i].balloon ||
            policy->high_mode != rows[i].high || policy->shares != rows[i].shares ||
            policy->floor_bytes != rows[i].floor_mib * MIB ||
            policy->ceiling_bytes != rows[i].ceiling_mib * MIB ||
            g_strcmp0(policy->group, rows[i].group) != 0)
            fail_msg("%s: %s", rows[i].text, policy->fault ? policy->fault : "other values");
    }
}

static void
a_mistake_switches_off_what_it_may_have_been_about(void **unused)
{
    static const struct {
        const char *text;
        const char *want; /* part of the first fault */
        bool balloon_off;
        bool high_off;
    } rows[] = {
        { POLICY("<v:ksm weight='x'/><v:balloon mode='on'/>"), EXPECT_WEIGHT, false, false },
        { KSM("group='a b'"), "attribute group: expected 1 to 64 of", false, false },
        { KSM("group='" SECRET "/'"), "attribute group: expected 1 to 64 of", false, false },
        { BALLOON("mode='yes'"),
          "attribute mode: expected 'off', 'observe' or 'on'; reclaim is off", true, true },
        { BALLOON("mode='on' floor='" SECRET "'"),
          "virtksm:balloon: attribute floor: expected a whole number of MiB, from 1 to", true,
          true },
        { BALLOON("mode='on' ceiling='0'"), "attribute ceiling: expected a whole number", true,
          true },
        { BALLOON("mode='on' shares='10001'"), "attribute shares: expected", true, true },
        { BALLOON("mode='on' flor='512'"),
          "virtksm:balloon: expected no attribute but mode, floor, ceiling and shares", true,
          true },
        { POLICY("<v:balloon mode='on'/><v:balloon floor='9'/>"), "expected one such element", true,
          true },
        { POLICY("<v:balloon mode='on'/><v:memory_high mode='" SECRET "'/>"),
          "virtksm:memory_high: attribute mode: expected 'off', 'observe' or 'on'; memory.high",
          false, true },
        { POLICY("<v:balloon mode='on'/><v:memory_high high='on'/>"),
          "virtksm:memory_high: expected no attribute but mode", false, true },
        { POLICY("<v:ballon floor='9'/><v:memory_high mode='on'/>"), EXPECT_KSM, true, true },
        { POLICY("<v:balloon mode='on'>" SECRET "</v:balloon>"), "balloon: expected no text", true,
          true },
        { POLICY("floor=512<v:balloon mode='on'/>"), "policy: expected no text", true, true },
        { METADATA("<v:balloon " NS " mode='on'/>"), EXPECT_POLICY, true, true },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(DomainXml) xml = parse(rows[i].text);
        const DomainXmlPolicy *policy = &xml.policy;

        if (policy->faults != 1 || !policy->fault || !strstr(policy->fault, rows[i].want) ||
            strstr(policy->fault, SECRET) || strlen(policy->fault) > 200)
            fail_msg("%s: %u: %s", rows[i].text, policy->faults, policy->fault);
        if ((policy->balloon_mode == MECHANISM_OFF) != rows[i].balloon_off ||
            (policy->high_mode == MECHANISM_OFF) != rows[i].high_off)
            fail_msg("%s: balloon %d, memory.high %d", rows[i].text, policy->balloon_mode,
                     policy->high_mode);
    }
}

static void
elsewhere_our_names_mean_nothing(void **unused)
{
    static const char *const rows[] = {
        DOMAIN("<v:policy " NS "><v:ksm weight='50'/></v:policy>"),
        METADATA("<a:app xmlns:a='urn:a'><v:policy " NS "><v:ksm weight='50'/></v:policy></a:app>"),
        METADATA("<policy><ksm weight='50'/></policy>"),
        METADATA("<v:policy xmlns:v='urn:virtksm:domain:2'><v:ksm weight='50'/></v:policy>"),
        METADATA("<virtksm:policy><virtksm:ksm weight='50'/></virtksm:policy>"),
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(DomainXml) xml = parse(rows[i]);

        if (xml.policy.weight != 100 || xml.policy.faults != 0)
            fail_msg("%s: weight %u, %s", rows[i], xml.policy.weight, xml.policy.fault);
    }
}

static void
any_number_of_mistakes_is_one_message(void **unused)
{
    g_autoptr(GString) text = g_string_new(NULL);
    (void)unused;

    for (unsigned i = 0; i < 10000; i++)
        g_string_append(text, "<v:x/>");
    {
        g_autofree char *whole = g_strdup_printf(POLICY("%s"), text->str);
        g_auto(DomainXml) xml = parse(whole);

        assert_int_equal(xml.policy.faults, 10000);
        assert_true(strlen(xml.policy.fault) < 200);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_weight_and_latency_wherever_the_namespace_is_named),
        cmocka_unit_test(a_mistake_is_named_and_leaves_its_default_and_all_else_in_force),
        cmocka_unit_test(reads_what_is_asked_of_reclaim),
        cmocka_unit_test(a_mistake_switches_off_what_it_may_have_been_about),
        cmocka_unit_test(elsewhere_our_names_mean_nothing),
        cmocka_unit_test(any_number_of_mistakes_is_one_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
