/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_xml_hostile_test.c - definitions that are wrong, huge, or meant to do harm */
#define _GNU_SOURCE
#include "agent/virt/domain_xml.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/domaintext.h"

/* A text of four MiB may take this long, under sanitizers on a busy machine. */
#define PATIENCE_US (20 * G_USEC_PER_SEC)

/* What the tenant wrote and no message may repeat. */
#define SECRET "hunter2"

static void
expect_refusal(const char *when, const char *text, size_t length, DomainXmlError code,
               const char *part)
{
    /* A copy that ends where the text does: reading on is an error that sanitizers see. */
    g_autofree char *exact = g_memdup2(text, length);
    DomainXml xml = { .name = (char *)(uintptr_t)1 };
    g_autoptr(GError) error = NULL;

    if (domain_xml_parse(exact, length, &xml, &error))
        fail_msg("%s: accepted", when);
    if (!g_error_matches(error, DOMAIN_XML_ERROR, (int)code) || !strstr(error->message, part))
        fail_msg("%s: %d: %s", when, error->code, error->message);
    if (strstr(error->message, SECRET) || strlen(error->message) > 200)
        fail_msg("%s: the message repeats the text: %s", when, error->message);
    assert_ptr_equal(xml.name, (char *)(uintptr_t)1); /* written only on success */
}

static const struct {
    const char *text;
    const char *want; /* part of the message */
} mistakes[] = {
    { "<domainsnapshot/>", "expected <domain> as the root" },
    { "<domain type='kvm' xmlns='urn:x'/>", "expected <domain> as the root" },
    { "<domain><name>n</name><memory>1</memory></domain>", "domain: expected a hypervisor" },
    { "<domain type='kvm'><memory>1</memory></domain>", "domain: expected a name" },
    { "<domain type='kvm'><name/><memory>1</memory></domain>", "domain: expected a name" },
    { HEAD "</domain>", "domain: expected memory above 0" },
    { HEAD "<memory>0</memory></domain>", "domain: expected memory above 0" },
    { HEAD "<memory></memory></domain>", "domain/memory: expected a whole number" },
    { HEAD "<memory>-1</memory></domain>", "domain/memory: expected a whole number" },
    { HEAD "<memory>+1</memory></domain>", "domain/memory: expected a whole number" },
    { HEAD "<memory>1.5</memory></domain>", "domain/memory: expected a whole number" },
    { HEAD "<memory>0x10</memory></domain>", "domain/memory: expected a whole number" },
    { HEAD "<memory>1 2</memory></domain>", "domain/memory: expected a whole number" },
    { HEAD "<memory>" SECRET "</memory></domain>", "domain/memory: expected a whole number" },
    { HEAD "<memory>18446744073709551616</memory></domain>", "domain/memory: expected a whole" },
    { HEAD "<memory>18446744073709551615</memory></domain>", "domain/memory: expected a size" },
    { HEAD "<memory unit='EiB'>16</memory></domain>", "domain/memory: expected a size below" },
    { HEAD "<memory unit='" SECRET "'>1</memory></domain>", "domain/memory: expected a unit" },
    { HEAD "<memory unit='kk'>1</memory></domain>", "domain/memory: expected a unit" },
    { HEAD "<memory unit='\xc3\xa9'>1</memory></domain>", "domain/memory: expected a unit" },
    { DOMAIN("<memory>1</memory>"), "domain/memory: expected one such element, not two" },
    { DOMAIN("<name>m</name>"), "domain/name: expected one such element, not two" },
    { DOMAIN("<devices/><devices/>"), "domain/devices: expected one such element" },
    { DEVICE("<memballoon model='none'/><memballoon model='virtio'/>"),
      "domain/devices/memballoon: expected one such element" },
    { DOMAIN("<uuid>" SECRET "</uuid>"), "domain/uuid: expected a UUID" },
    { BACKED("<source type='" SECRET "'/>"), "domain/memoryBacking/source: expected type" },
    { BACKED("<access mode='both'/>"), "domain/memoryBacking/access: expected access mode" },
    { BACKED("<hugepages><page/></hugepages>"), "hugepages/page: expected a whole number" },
    { BACKED("<hugepages><page size='2' nodeset='1-'/></hugepages>"), "list of nodes" },
    { BACKED("<hugepages><page size='2' nodeset='128'/></hugepages>"), "list of nodes" },
    { BACKED("<hugepages><page size='2' nodeset='3-1'/></hugepages>"), "list of nodes" },
    { BACKED("<hugepages><page size='2' nodeset=''/></hugepages>"), "list of nodes" },
    { DOMAIN("<cpu><numa><cell id='128' memory='1'/></numa></cpu>"), "numa/cell: expected a" },
    { DOMAIN("<cpu><numa><cell id='0'/></numa></cpu>"), "numa/cell: expected a whole number" },
    { DOMAIN("<cpu><numa><cell memory='0'/></numa></cpu>"), "numa/cell: expected memory above" },
    { DOMAIN("<cpu><numa><cell memory='1' memAccess='x'/></numa></cpu>"), "access mode" },
    { DOMAIN("<cpu><numa><cell memory='8' unit='EiB'/><cell memory='8' unit='EiB'/></numa>"
             "</cpu>"),
      "domain: expected memory sizes that add up" },
    { DEVICE("<memballoon model='virtio' autodeflate='yes'/>"), "'off' or 'on'" },
    { DEVICE("<memballoon model='virtio'><stats period='4294967296'/></memballoon>"),
      "domain/devices/memballoon/stats: expected a whole number" },
    { DEVICE("<memory model='dimm'/>"), "domain/devices/memory: expected target/size" },
    { DEVICE("<memory model='dimm'><target><size unit='M'>256</size></target></memory>"),
      "domain/memory: expected more than the memory devices have" },
};

static void
names_the_element_and_what_was_expected(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(mistakes); i++)
        expect_refusal(mistakes[i].text, mistakes[i].text, strlen(mistakes[i].text),
                       DOMAIN_XML_ERROR_CONTENT, mistakes[i].want);
}

static void
refuses_what_is_not_a_whole_document(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
    } rows[] = {
        { "nothing", "" },
        { "blanks", "  \n" },
        { "no XML", "domain" },
        { "cut off", "<domain type='kvm'><name>n</name><memory>1</memory>" },
        { "cut off in a tag", "<domain type='kvm'><name>n</name><memory>1</memory><x a='" },
        { "wrong end tag", "<domain type='kvm'><" SECRET "></x></domain>" },
        { "two roots", DOMAIN("") DOMAIN("") },
        { "text behind the end", DOMAIN("") SECRET },
        { "same attribute twice", "<domain type='kvm' type='qemu'/>" },
        { "undeclared entity", DOMAIN("<title>&" SECRET ";</title>") },
        { "character that XML forbids", DOMAIN("<title>&#1;</title>") },
        { "invalid UTF-8", DOMAIN("<title>\xc0\xaf</title>") },
        { "UTF-16 in disguise", "\xff\xfe<\0d\0" },
        { "other encoding", "<?xml version='1.0' encoding='UTF-7'?>+ADw-domain/+AD4-" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        expect_refusal(rows[i].when, rows[i].text, strlen(rows[i].text), DOMAIN_XML_ERROR_NOT_XML,
                       "expected");
    expect_refusal("NUL byte", "<domain>\0</domain>", 18, DOMAIN_XML_ERROR_NOT_XML, "NUL");
}

static void
reads_utf8_whatever_the_document_claims_to_be(void **unused)
{
    const char *text =
        "<?xml version='1.0' encoding='ISO-8859-1'?>" DOMAIN("<title>caf\xc3\xa9</title>");
    g_auto(DomainXml) xml = { 0 };
    (void)unused;

    assert_true(domain_xml_parse(text, strlen(text), &xml, NULL));
    assert_string_equal(xml.title, "caf\xc3\xa9");
}

static char *
laughs(void)
{
    GString *text = g_string_new("<!DOCTYPE domain [<!ENTITY l0 \"" SECRET "\">");

    for (int i = 1; i < 10; i++) {
        g_string_append_printf(text, "<!ENTITY l%d \"", i);
        for (int n = 0; n < 10; n++)
            g_string_append_printf(text, "&l%d;", i - 1);
        g_string_append(text, "\">");
    }
    g_string_append(text, "]>" DOMAIN("<title>&l9;</title>"));
    return g_string_free(text, FALSE);
}

static char *
quadratic(void)
{
    GString *text = g_string_new("<!DOCTYPE domain [<!ENTITY a \"");

    for (int i = 0; i < 50000; i++)
        g_string_append_c(text, 'a');
    g_string_append(text, "\">]>" HEAD "<title>");
    for (int i = 0; i < 50000; i++)
        g_string_append(text, "&a;");
    g_string_append(text, "</title></domain>");
    return g_string_free(text, FALSE);
}

static void
refuses_every_document_type_before_it_can_do_anything(void **unused)
{
    g_autofree char *billion = laughs();
    g_autofree char *square = quadratic();
    const struct {
        const char *when;
        const char *text;
    } rows[] = {
        { "billion laughs", billion },
        { "quadratic blowup", square },
        { "external entity", "<!DOCTYPE domain [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" DOMAIN(
                                 "<title>&x;</title>") },
        { "parameter entity", "<!DOCTYPE domain [<!ENTITY % x SYSTEM 'file:///etc/passwd'> %x;]>"
                              "<domain/>" },
        { "external subset", "<!DOCTYPE domain SYSTEM 'http://127.0.0.1:1/x.dtd'><domain/>" },
        { "harmless", "<!DOCTYPE domain>" DOMAIN("") },
        { "behind a declaration", "<?xml version='1.0'?><!-- x --><!DOCTYPE domain>" DOMAIN("") },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        expect_refusal(rows[i].when, rows[i].text, strlen(rows[i].text), DOMAIN_XML_ERROR_REFUSED,
                       "document type");
}

/* @head, @part as often as it takes to come to @bytes, @tail. A '#' in the part is a number. */
static char *
blow_up(const char *head, const char *part, const char *tail, size_t bytes)
{
    GString *text = g_string_sized_new(bytes);
    const char *number = strchr(part, '#');
    size_t before = number ? (size_t)(number - part) : strlen(part);
    size_t most = bytes - strlen(part) - strlen(tail) - 8;

    g_string_append(text, head);
    for (unsigned n = 0; text->len <= most; n++) {
        g_string_append_len(text, part, (gssize)before);
        if (number)
            g_string_append_printf(text, "%x%s", n, number + 1);
    }
    g_string_append(text, tail);
    return g_string_free(text, FALSE);
}

static void
bounds_what_a_large_text_can_cost(void **unused)
{
#define FULL DOMAIN_XML_MAX_BYTES
    static const struct {
        const char *when;
        const char *head;
        const char *part; /* repeated */
        const char *tail;
        size_t bytes;     /* altogether */
        const char *want; /* part of the message */
    } rows[] = {
        { "10 MB of comments", DOMAIN("") "<!--", "x", "-->", 10000000, "at most 4194304 bytes" },
        { "attributes in one tag", HEAD "<x ", "a#='' ", "/></domain>", FULL, "attributes" },
        { "namespaces in one tag", HEAD "<x ", "xmlns:a#='u' ", "/></domain>", FULL, "attributes" },
        { "namespaces in many tags", HEAD, "<x xmlns:a#='u'/>", "</domain>", FULL, "namespaces" },
        { "deep nesting", HEAD, "<x>", "", 8000, "nested" },
        { "deep nesting without end", HEAD, "<x>", "", FULL, "nested" },
        { "long title", HEAD "<title>", "long ", "</title></domain>", FULL, "domain/title" },
        { "long number", HEAD "<memory>", "0", "1</memory></domain>", FULL, "domain/memory" },
        { "long nodeset", HEAD "<memoryBacking><hugepages><page size='2' nodeset='", "0-127,",
          "x'/></hugepages></memoryBacking></domain>", FULL, "list of nodes" },
        { "memory devices", HEAD "<memory>1</memory><devices>",
          "<memory model='dimm'><target><size>1</size></target></memory>", "</devices></domain>",
          FULL, "more than the memory devices" },
        { "many small elements", HEAD, "<x/>", "</domain>", FULL, "memory above 0" },
        { "one long QEMU argument",
          "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
          "<qemu:commandline><qemu:arg value='-M'/><qemu:arg value='",
          "mem-merge=off,", "'/></qemu:commandline></domain>", FULL, "a name" },
        { "many comments", HEAD, "<!---->", "</domain>", FULL, "memory above 0" },
        { "many instructions", HEAD, "<?a?>", "</domain>", FULL, "memory above 0" },
        { "many references", HEAD, "&amp;&gt;", "</domain>", FULL, "memory above 0" },
        { "tags full of attributes", HEAD,
          "<x a='' b='' c='' d='' e='' f='' g='' h='' i='' j='' k='' l='' m='' n='' o='' p=''/>",
          "</domain>", FULL, "memory above 0" },
        { "one long attribute", HEAD "<x a='", "> ", "'/></domain>", FULL, "memory above 0" },
        { "one long section", HEAD "<![CDATA[", "<x a='' b=''>", "]]></domain>", FULL,
          "memory above 0" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = blow_up(rows[i].head, rows[i].part, rows[i].tail, rows[i].bytes);
        gint64 start_us = g_get_monotonic_time();
        g_auto(DomainXml) xml = { 0 };
        g_autoptr(GError) error = NULL;

        if (domain_xml_parse(text, strlen(text), &xml, &error) ||
            !strstr(error->message, rows[i].want))
            fail_msg("%s: %s", rows[i].when, error ? error->message : "accepted");
        if (g_get_monotonic_time() - start_us > PATIENCE_US)
            fail_msg("%s: took more than %ld us", rows[i].when, (long)PATIENCE_US);
    }
}

static void
reads_a_domain_with_all_that_libvirt_allows(void **unused)
{
    g_autofree char *chain = blow_up(HEAD "<memory>1</memory><devices><disk type='file'>",
                                     "<backingStore type='file'>", "", 5500);
    GString *text = g_string_new(chain);
    size_t depth = (text->len - strlen(HEAD)) / strlen("<backingStore type='file'>");
    g_auto(DomainXml) xml = { 0 };
    g_autoptr(GError) error = NULL;
    (void)unused;

    assert_true(depth > 200);
    for (const char *p = chain; (p = strstr(p, "<backingStore")); p++)
        g_string_append(text, "</backingStore>");
    g_string_append(text, "</disk></devices></domain>");
    if (!domain_xml_parse(text->str, text->len, &xml, &error))
        fail_msg("%s", error->message);
    g_string_free(text, TRUE);
}

/* Runs a test with standard error in a file, and wants nothing in it. */
static void
prints_nothing_of_its_own(void **unused)
{
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "virtksm-stderr-XXXXXX", NULL);
    int saved_fd = dup(STDERR_FILENO);
    int file_fd = g_mkstemp(path);
    off_t printed;

    assert_true(saved_fd >= 0 && file_fd >= 0);
    assert_true(dup2(file_fd, STDERR_FILENO) >= 0);
    refuses_what_is_not_a_whole_document(unused);
    refuses_every_document_type_before_it_can_do_anything(unused);
    printed = lseek(file_fd, 0, SEEK_END);
    assert_true(dup2(saved_fd, STDERR_FILENO) >= 0);
    close(saved_fd);
    close(file_fd);
    unlink(path);
    assert_int_equal(printed, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_element_and_what_was_expected),
        cmocka_unit_test(refuses_what_is_not_a_whole_document),
        cmocka_unit_test(reads_utf8_whatever_the_document_claims_to_be),
        cmocka_unit_test(refuses_every_document_type_before_it_can_do_anything),
        cmocka_unit_test(bounds_what_a_large_text_can_cost),
        cmocka_unit_test(reads_a_domain_with_all_that_libvirt_allows),
        cmocka_unit_test(prints_nothing_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
