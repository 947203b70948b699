/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_xml_test.c - what a definition says, from libvirt's own output and from rows of snippets
 */
#include "agent/virt/domain_xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/domaintext.h"

#define MIB (UINT64_C(1) << 20)

static void
reads_who_the_domain_is_and_what_memory_it_has(void **unused)
{
    g_auto(DomainXml) xml = domaintext_fixture("test_driver.xml");
    (void)unused;

    assert_string_equal(xml.type, "test");
    assert_string_equal(xml.name, "test");
    assert_string_equal(xml.uuid, "6695eb01-f6a4-8304-79aa-97f2502e193f");
    assert_null(xml.title);
    assert_int_equal(xml.maximum_bytes, 8192 * MIB);
    assert_int_equal(xml.current_bytes, 2048 * MIB);
    assert_int_equal(xml.ram_bytes, 8192 * MIB);
    assert_int_equal(xml.balloon, DOMAIN_BALLOON_VIRTIO);
    assert_int_equal(xml.stats_period_s, 0);
}

static void
reads_texts_and_limits_as_they_are_written(void **unused)
{
    g_auto(DomainXml) xml = domaintext_parse(
        "all at once", DOMAIN("<uuid>6695EB01-F6A4-8304-79AA-97F2502E193F</uuid>"
                              "<title>caf\xc3\xa9 &amp; <![CDATA[<bar>]]></title>"
                              "<memtune><hard_limit unit='G'>1</hard_limit>"
                              "<min_guarantee unit='MB'>4</min_guarantee></memtune>"
                              "<currentMemory unit='MiB'>100</currentMemory>"));
    (void)unused;

    assert_string_equal(xml.uuid, "6695eb01-f6a4-8304-79aa-97f2502e193f");
    assert_string_equal(xml.title, "caf\xc3\xa9 & <bar>");
    assert_int_equal(xml.hard_limit_bytes, 1024 * MIB);
    assert_int_equal(xml.min_guarantee_bytes, 4000000);
    assert_int_equal(xml.current_bytes, 100 * MIB);
}

static void
reads_sizes_in_every_unit_of_libvirt(void **unused)
{
    static const struct {
        const char *memory; /* element */
        uint64_t want;      /* bytes */
    } rows[] = {
        { "<memory>7</memory>", 7 * 1024 },
        { "<memory unit=''>7</memory>", 7 * 1024 },
        { "<memory unit='b'>7</memory>", 7 },
        { "<memory unit='byte'>7</memory>", 7 },
        { "<memory unit='bytes'>7</memory>", 7 },
        { "<memory unit='KB'>7</memory>", 7000 },
        { "<memory unit='k'>7</memory>", 7 * 1024 },
        { "<memory unit='KiB'>7</memory>", 7 * 1024 },
        { "<memory unit='MB'>7</memory>", 7000000 },
        { "<memory unit='M'>7</memory>", 7 * MIB },
        { "<memory unit='mib'>7</memory>", 7 * MIB },
        { "<memory unit='GB'>7</memory>", UINT64_C(7000000000) },
        { "<memory unit='G'>7</memory>", UINT64_C(7) << 30 },
        { "<memory unit='TB'>7</memory>", UINT64_C(7000000000000) },
        { "<memory unit='TiB'>7</memory>", UINT64_C(7) << 40 },
        { "<memory unit='PiB'>7</memory>", UINT64_C(7) << 50 },
        { "<memory unit='EiB'>7</memory>", UINT64_C(7) << 60 },
        { "<memory unit='bytes'>18446744073709551615</memory>", UINT64_MAX },
        { "<memory>\n  7 <!-- KiB -->\n</memory>", 7 * 1024 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strconcat(HEAD, rows[i].memory, "</domain>", NULL);
        g_auto(DomainXml) xml = domaintext_parse(rows[i].memory, text);

        if (xml.maximum_bytes != rows[i].want || xml.current_bytes != rows[i].want)
            fail_msg("%s: %" G_GUINT64_FORMAT " bytes", rows[i].memory, xml.maximum_bytes);
    }
}

static void
counts_devices_by_what_they_do_to_memory(void **unused)
{
    g_auto(DomainXml) xml = domaintext_fixture("passthrough.xml");
    (void)unused;

    assert_int_equal(xml.pinning_devices, 4);    /* hostdev, interfaces hostdev and vdpa, NVMe */
    assert_int_equal(xml.mediated_devices, 1);   /* vGPU */
    assert_int_equal(xml.vhost_user_devices, 3); /* interface, disk, virtiofs */
    assert_int_equal(xml.balloon, DOMAIN_BALLOON_VIRTIO);
    assert_true(xml.balloon_autodeflate);
    assert_true(xml.balloon_reports_free);
    assert_int_equal(xml.stats_period_s, 5);
}

static void
takes_a_balloon_that_is_not_there_or_too_large_for_all_memory(void **unused)
{
    static const char *const rows[] = {
        DOMAIN(""),
        DOMAIN("<currentMemory>0</currentMemory>"),
        DOMAIN("<currentMemory>262145</currentMemory>"),
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(DomainXml) xml = domaintext_parse(rows[i], rows[i]);

        if (xml.current_bytes != 256 * MIB)
            fail_msg("%s: %" G_GUINT64_FORMAT " bytes", rows[i], xml.current_bytes);
    }
}

static void
reads_every_balloon_model(void **unused)
{
    static const struct {
        const char *text;
        DomainBalloon want;
    } rows[] = {
        { DOMAIN(""), DOMAIN_BALLOON_ABSENT },
        { DEVICE("<memballoon model='none'/>"), DOMAIN_BALLOON_NONE },
        { DEVICE("<memballoon model='virtio'/>"), DOMAIN_BALLOON_VIRTIO },
        { DEVICE("<memballoon model='virtio-transitional'/>"), DOMAIN_BALLOON_VIRTIO_TRANSITIONAL },
        { DEVICE("<memballoon model='virtio-non-transitional'/>"),
          DOMAIN_BALLOON_VIRTIO_NON_TRANSITIONAL },
        { DEVICE("<memballoon model='xen'/>"), DOMAIN_BALLOON_XEN },
        { DEVICE("<memballoon model='of-the-future'/>"), DOMAIN_BALLOON_OTHER },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(DomainXml) xml = domaintext_parse(rows[i].text, rows[i].text);

        if (xml.balloon != rows[i].want)
            fail_msg("%s: %d", rows[i].text, xml.balloon);
    }
}

static void
takes_the_last_word_of_the_qemu_arguments(void **unused)
{
    static const struct {
        const char *text;
        DomainSwitch want;
        bool want_locked;
    } rows[] = {
        { ARGS(ARG("-machine") ARG("mem-merge=off") ARG("-machine") ARG("mem-merge=on")),
          DOMAIN_SWITCH_ON, false },
        { ARGS(ARG("-machine") ARG("mem-merge=on,mem-merge=no")), DOMAIN_SWITCH_OFF, false },
        { ARGS(ARG("-machine") ARG("firmware=a,,mem-merge=off")), DOMAIN_SWITCH_UNSET, false },
        { ARGS(ARG("-fw_cfg") ARG("mem-merge=off")), DOMAIN_SWITCH_UNSET, false },
        { ARGS(ARG("mem-merge=off")), DOMAIN_SWITCH_UNSET, false },
        { ARGS(ARG("-overcommit") ARG("mem-lock=on")), DOMAIN_SWITCH_UNSET, true },
        { ARGS(ARG("-overcommit") ARG("cpu-pm=on,mem-lock")), DOMAIN_SWITCH_UNSET, true },
        { ARGS(ARG("-overcommit") ARG("mem-lock=on,mem-lock=off")), DOMAIN_SWITCH_UNSET, false },
        { DOMAIN("<commandline><arg value='-M'/><arg value='mem-merge=off'/></commandline>"),
          DOMAIN_SWITCH_UNSET, false },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(DomainXml) xml = domaintext_parse(rows[i].text, rows[i].text);

        if (xml.merge != rows[i].want || xml.locked != rows[i].want_locked)
            fail_msg("%s: %d, locked %d", rows[i].text, xml.merge, xml.locked);
    }
}

static void
skips_what_it_does_not_know(void **unused)
{
    g_auto(DomainXml) xml = domaintext_parse(
        "foreign elements with known names",
        DOMAIN("<metadata><a:memory xmlns:a='urn:a'>x</a:memory><memoryBacking><nosharepages/>"
               "</memoryBacking></metadata><memoryBacking xmlns='urn:b'><nosharepages/>"
               "</memoryBacking><memoryBacking a:x='1' xmlns:a='urn:a'><source a:type='file'"
               " type='memfd' xmlns:a='urn:a'/></memoryBacking><b:nosharepages/>"
               "<nosharepages/><devices><memory model='dimm'><target><size unit='M'>1</size>"
               "<label><size>7</size></label></target></memory></devices>"));
    (void)unused;

    assert_false(xml.nosharepages);
    assert_int_equal(xml.source, DOMAIN_SOURCE_MEMFD);
    assert_int_equal(xml.memory_device_bytes, MIB);
}

static void
clears_twice_without_harm(void **unused)
{
    DomainXml xml = domaintext_fixture("plain.xml");
    (void)unused;

    domain_xml_clear(&xml);
    assert_null(xml.name);
    domain_xml_clear(&xml);
    domain_xml_clear(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_who_the_domain_is_and_what_memory_it_has),
        cmocka_unit_test(reads_texts_and_limits_as_they_are_written),
        cmocka_unit_test(reads_sizes_in_every_unit_of_libvirt),
        cmocka_unit_test(counts_devices_by_what_they_do_to_memory),
        cmocka_unit_test(takes_a_balloon_that_is_not_there_or_too_large_for_all_memory),
        cmocka_unit_test(reads_every_balloon_model),
        cmocka_unit_test(takes_the_last_word_of_the_qemu_arguments),
        cmocka_unit_test(skips_what_it_does_not_know),
        cmocka_unit_test(clears_twice_without_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
