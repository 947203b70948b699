/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_foreign_test.c - whatever others keep in the metadata, the rest of a definition is read */
#include "agent/virt/domain_xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/domaintext.h"

#define OURS     "<v:policy xmlns:v='urn:virtksm:domain:1'><v:ksm group='blue' weight='7'/></v:policy>"
#define METADATA "<metadata>" OURS

/* @head, @part so often, @tail and the rest of a definition. A '#' in the part is a number. */
static char *
repeat(const char *head, const char *part, unsigned times, const char *tail)
{
    GString *text = g_string_new(HEAD);

    g_string_append(text, head);
    for (unsigned n = 0; n < times; n++) {
        g_auto(GStrv) pieces = g_strsplit(part, "#", 2);

        g_string_append(text, pieces[0]);
        if (pieces[1])
            g_string_append_printf(text, "%x%s", n, pieces[1]);
    }
    g_string_append(text, tail);
    g_string_append(text, "<memory>262144</memory></domain>");
    return g_string_free(text, FALSE);
}

static const struct {
    const char *when;
    const char *head;
    const char *part;
    unsigned times;
    const char *tail;
} foreign[] = {
    { "text that looks like attributes", METADATA "<x:a xmlns:x='urn:x'>", "=\"", 2000,
      "</x:a></metadata>" },
    { "the same in our sight", METADATA, "='", 2000, "</metadata>" },
    { "and outside of the metadata", "<description>", "=\"", 2000,
      "</description>" METADATA "</metadata>" },
    { "text that looks like attributes in a value", METADATA "<x a=\"", "='", 2000,
      "\"/></metadata>" },
    { "and in a comment", METADATA "<!--", "='", 2000, "--></metadata>" },
    { "and in a section", METADATA "<![CDATA[<", "='", 2000, "]]></metadata>" },
    { "and in an instruction", METADATA "<?p ", "='", 2000, "?></metadata>" },
    { "attributes", METADATA "<x:a xmlns:x='urn:x' ", "a#='' ", 2000, "/></metadata>" },
    { "attributes before the namespace", METADATA "<x:a ", "a#='' ", 2000,
      "xmlns:x = 'urn:x'/></metadata>" },
    { "attributes further down", METADATA "<x:a xmlns:x='urn:x'><b ", "a#='' ", 2000,
      "/></x:a></metadata>" },
    { "namespaces in one element", METADATA "<x:a xmlns:x='urn:x' ", "xmlns:a#='u' ", 300,
      "/></metadata>" },
    { "namespaces further down", METADATA "<a xmlns='urn:x'>", "<b xmlns:a#='u'/>", 300,
      "</a></metadata>" },
    { "namespaces of many", METADATA, "<a xmlns='urn:#'/>", 300, "</metadata>" },
    { "no end tag of its own", METADATA "<a xmlns='urn:x'>", "<b/>", 300, "</a></metadata>" },
    { "what looks like its end",
      METADATA
      "<x:a xmlns:x='urn:x'><!-- </x:a> --><?p </x:a> ?><![CDATA[</x:a>]]><b c='/>' d=\"'>\"/>",
      "<e f='/'></e>", 1, "</x:a></metadata>" },
    { "another before ours", "<metadata><x:a xmlns:x='urn:x'>", "<b c='/>'/>", 300,
      "</x:a>" OURS "</metadata>" },
};

static void
reads_what_stands_beside(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(foreign); i++) {
        g_autofree char *text =
            repeat(foreign[i].head, foreign[i].part, foreign[i].times, foreign[i].tail);
        g_auto(DomainXml) xml = domaintext_parse(foreign[i].when, text);

        if (g_strcmp0(xml.policy.group, "blue") != 0 || xml.policy.weight != 7 ||
            xml.policy.faults != 0 || xml.maximum_bytes != UINT64_C(256) << 20)
            fail_msg("%s: group %s, %s", foreign[i].when, xml.policy.group, xml.policy.fault);
    }
}

/* Of what is not foreign for certain nothing is left out. */
static const struct {
    const char *when;
    const char *metadata;
} ours[] = {
    { "declared around it", "<metadata xmlns:v='urn:virtksm:domain:1'><v:policy><v:ksm group='g'/>"
                            "</v:policy></metadata>" },
    { "with references", "<metadata><v:policy xmlns:v='urn:virtksm&#58;domain:1'><v:ksm group='g'/>"
                         "</v:policy></metadata>" },
    { "behind another of its kind",
      "<metadata><policy xmlns:policy='urn:x' xmlns='urn:virtksm:domain:1'><ksm group='g'/>"
      "</policy></metadata>" },
    { "a longer prefix", "<metadata><v:policy xmlns:vv='urn:x' xmlns:v='urn:virtksm:domain:1'>"
                         "<v:ksm group='g'/></v:policy></metadata>" },
};

static void
keeps_what_may_be_ours(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(ours); i++) {
        g_autofree char *text = repeat(ours[i].metadata, "", 0, "");
        g_auto(DomainXml) xml = domaintext_parse(ours[i].when, text);

        if (g_strcmp0(xml.policy.group, "g") != 0)
            fail_msg("%s: group %s", ours[i].when, xml.policy.group);
    }
}

/* What is bounded for libxml2's sake stays so wherever it is given to libxml2. */
static const struct {
    const char *when;
    const char *head;
    const char *part;
    const char *tail;
    const char *want; /* part of the message */
} bounded[] = {
    { "ours", "<metadata><v:policy xmlns:v='urn:virtksm:domain:1' ", "a#='' ", "/></metadata>",
      "attributes" },
    { "declared around it", "<metadata xmlns:x='urn:x'><x:a ", "a#='' ", "/></metadata>",
      "attributes" },
    { "not in the metadata", "<x:a xmlns:x='urn:x' ", "a#='' ", "/>", "attributes" },
    { "behind the metadata", "<metadata/><x:a xmlns:x='urn:x' ", "a#='' ", "/>", "attributes" },
    { "of a namespace that we know", "<metadata><x:a xmlns:x='http://kubevirt.io' ", "a#='' ",
      "/></metadata>", "attributes" },
    { "behind what is no comment", "<metadata/><!--> <x ", "a#='' ", "/>", "well-formed" },
    { "in an element without end", "<metadata><x:a xmlns:x='urn:x'><b ", "a#='' ", "/>",
      "well-formed" },
    { "behind a mistake", "<x b=c d='<' e ", "a#='' ", "/>", "attributes" },
};

static void
bounds_what_is_left(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(bounded); i++) {
        g_autofree char *text = repeat(bounded[i].head, bounded[i].part, 2000, bounded[i].tail);
        g_auto(DomainXml) xml = { 0 };
        g_autoptr(GError) error = NULL;

        if (domain_xml_parse(text, strlen(text), &xml, &error) ||
            !strstr(error->message, bounded[i].want))
            fail_msg("%s: %s", bounded[i].when, error ? error->message : "accepted");
    }
}

/* Of each text every beginning, in memory that ends where it does. */
static void
reads_no_further_than_the_text(void **unused)
{
    g_autofree char *text = repeat("<metadata><x:a xmlns:x='urn:x' b=\"'>\"><!-- - --><c/>",
                                   "<d e='#'/>", 2, "<![CDATA[ ] ]]><?p ? ?></x:a></metadata>");
    (void)unused;

    for (size_t length = 0; length < strlen(text); length++) {
        g_autofree char *part = g_memdup2(text, length);
        g_auto(DomainXml) xml = { 0 };

        assert_false(domain_xml_parse(part, length, &xml, NULL));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_stands_beside),
        cmocka_unit_test(keeps_what_may_be_ours),
        cmocka_unit_test(bounds_what_is_left),
        cmocka_unit_test(reads_no_further_than_the_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
