/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_merge_test.c - whether KSM can merge a domain, and the first reason why not */
#include "agent/virt/domain_xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/domaintext.h"

#define PCI "<hostdev mode='subsystem' type='pci'/>"

static const struct {
    const char *when;
    const char *text;
    DomainMerge want;
    uint32_t want_bp; /* share that can merge */
} cases[] = {
    { "plain", DOMAIN(""), DOMAIN_MERGE_YES, 10000 },
    { "locked", BACKED("<locked/>"), DOMAIN_MERGE_YES, 10000 },
    { "private memfd", BACKED("<source type='memfd'/><access mode='private'/>"), DOMAIN_MERGE_YES,
      10000 },
    { "a quarter shared", CELLS("<cell memory='65536' memAccess='shared'/><cell memory='196608'/>"),
      DOMAIN_MERGE_YES, 7500 },
    { "nearly all shared",
      CELLS("<cell memory='1' unit='b'/><cell memory='196608' memAccess='shared'/>"),
      DOMAIN_MERGE_YES, 1 },
    { "nosharepages", BACKED("<nosharepages/>"), DOMAIN_MERGE_NOSHAREPAGES, 0 },
    { "huge pages", BACKED("<hugepages/>"), DOMAIN_MERGE_HUGE_PAGES, 0 },
    { "memfd", BACKED("<source type='memfd'/>"), DOMAIN_MERGE_SHARED, 0 },
    { "PCI passthrough", DEVICE(PCI), DOMAIN_MERGE_PINNED, 0 },
    { "mediated device", DEVICE("<hostdev mode='subsystem' type='mdev' model='vfio-pci'/>"),
      DOMAIN_MERGE_YES, 10000 },
    { "USB and SCSI", DEVICE("<hostdev type='usb'/><hostdev type='scsi'/>"), DOMAIN_MERGE_YES,
      10000 },
    { "encrypted", DOMAIN("<launchSecurity type='sev-snp'/>"), DOMAIN_MERGE_CONFIDENTIAL, 0 },
    { "protected in a way to come", DOMAIN("<launchSecurity type='cca'/>"),
      DOMAIN_MERGE_CONFIDENTIAL, 0 },
    { "mem-merge=off", ARGS(ARG("-machine") ARG("q35,mem-merge=off")), DOMAIN_MERGE_MEM_MERGE_OFF,
      0 },
    { "mem-merge=on after all",
      HEAD "<memory>1</memory><memoryBacking><nosharepages/></memoryBacking>"
           "<qemu:commandline>" ARG("-M") ARG("mem_merge=on") "</qemu:commandline></domain>",
      DOMAIN_MERGE_YES, 10000 },
    { "all switches and devices at once",
      DOMAIN("<memoryBacking><nosharepages/></memoryBacking><devices>" PCI "</devices>"
             "<qemu:commandline>" ARG("-M") ARG("mem-merge=off") "</qemu:commandline>"),
      DOMAIN_MERGE_PINNED, 0 },
    { "nosharepages and huge pages", BACKED("<hugepages/><nosharepages/>"), DOMAIN_MERGE_HUGE_PAGES,
      0 },
};

static void
says_whether_memory_can_merge_or_the_first_reason_why_not(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(DomainXml) xml = domaintext_parse(cases[i].when, cases[i].text);
        DomainMerge merge = domain_xml_mergeable(&xml);
        uint32_t bp = domain_xml_mergeable_bp(&xml);

        if (merge != cases[i].want || bp != cases[i].want_bp)
            fail_msg("%s: %s, %u bp", cases[i].when, domain_merge_name(merge), bp);
    }
}

static void
reads_what_libvirt_writes_of_real_definitions(void **unused)
{
    static const struct {
        const char *name; /* of the fixture */
        DomainMerge want;
        uint32_t want_bp; /* share that can merge */
    } rows[] = {
        { "plain.xml", DOMAIN_MERGE_YES, 10000 },
        { "numa_one_cell_shared.xml", DOMAIN_MERGE_YES, 5000 },
        { "shared_dimm.xml", DOMAIN_MERGE_YES, 8000 },
        { "nosharepages.xml", DOMAIN_MERGE_NOSHAREPAGES, 0 },
        { "qemu_arguments.xml", DOMAIN_MERGE_YES, 10000 },
        { "passthrough.xml", DOMAIN_MERGE_SHARED, 0 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(DomainXml) xml = domaintext_fixture(rows[i].name);

        if (domain_xml_mergeable(&xml) != rows[i].want ||
            domain_xml_mergeable_bp(&xml) != rows[i].want_bp)
            fail_msg("%s: %s, %u bp", rows[i].name, domain_merge_name(domain_xml_mergeable(&xml)),
                     domain_xml_mergeable_bp(&xml));
    }
}

static void
has_a_name_for_every_outcome(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < DOMAIN_MERGE_COUNT; i++)
        assert_true(strlen(domain_merge_name((DomainMerge)i)) > 0);
    assert_string_equal(domain_merge_name(DOMAIN_MERGE_YES), "can merge");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_whether_memory_can_merge_or_the_first_reason_why_not),
        cmocka_unit_test(reads_what_libvirt_writes_of_real_definitions),
        cmocka_unit_test(has_a_name_for_every_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
