/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_memory_test.c - which part of a guest's memory is on huge pages, and which is shared */
#include "agent/virt/domain_xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/domaintext.h"

#define MIB (UINT64_C(1) << 20)

#define TWO_CELLS                                                                                  \
    "<cpu><numa><cell id='0' memory='64' unit='MiB'/><cell id='1' memory='192' unit='MiB'/>"       \
    "</numa></cpu>"
#define DIMM(model, more)                                                                          \
    "<memory model='" model "'" more "<target><size unit='MiB'>64</size><node>0</node></target>"   \
    "</memory>"

static const struct {
    const char *when;
    const char *text;
    unsigned ram_mib;    /* guest RAM */
    unsigned huge_mib;   /* on huge pages */
    unsigned shared_mib; /* mapped shared */
} pieces[] = {
    { "nothing said", DOMAIN(""), 256, 0, 0 },
    { "all on huge pages", BACKED("<hugepages/>"), 256, 256, 0 },
    { "2 MiB pages for all", BACKED("<hugepages><page size='2' unit='M'/></hugepages>"), 256, 256,
      0 },
    { "huge for node 1",
      DOMAIN("<memoryBacking><hugepages><page size='2048' nodeset='1'/></hugepages>"
             "</memoryBacking>" TWO_CELLS),
      256, 192, 0 },
    { "huge for all but node 1",
      DOMAIN("<memoryBacking><hugepages><page size='2048' nodeset='0-3, ^1'/></hugepages>"
             "</memoryBacking>" TWO_CELLS),
      256, 64, 0 },
    { "hugepages after the cells",
      DOMAIN(TWO_CELLS "<memoryBacking><hugepages><page size='2048' nodeset='1'/></hugepages>"
                       "</memoryBacking>"),
      256, 192, 0 },
    { "memfd is shared by default", BACKED("<source type='memfd'/>"), 256, 0, 256 },
    { "private memfd", BACKED("<source type='memfd'/><access mode='private'/>"), 256, 0, 0 },
    { "file is private by default", BACKED("<source type='file'/>"), 256, 0, 0 },
    { "shared file", BACKED("<source type='file'/><access mode='shared'/>"), 256, 0, 256 },
    { "shared without a source", BACKED("<access mode='shared'/>"), 256, 0, 256 },
    { "huge and shared counts once", BACKED("<hugepages/><access mode='shared'/>"), 256, 256, 0 },
    { "one of two cells shared",
      CELLS("<cell memory='64' unit='MiB' memAccess='shared'/><cell memory='192' unit='M'/>"), 256,
      0, 64 },
    { "a cell's word wins",
      DOMAIN("<memoryBacking><access mode='shared'/></memoryBacking><cpu><numa>"
             "<cell memory='65536' memAccess='private'/><cell memory='196608'/></numa></cpu>"),
      256, 0, 192 },
    { "dimm is part of the memory", DEVICE(DIMM("dimm", ">")), 256, 0, 0 },
    { "shared dimm", DEVICE(DIMM("dimm", " access='shared'>")), 256, 0, 64 },
    { "virtio-mem on huge pages",
      DEVICE(DIMM("virtio-mem", "><source><pagesize unit='M'>2</pagesize></source>")), 256, 64, 0 },
    { "dimm of a shared cell",
      DOMAIN("<cpu><numa><cell id='0' memory='192' unit='M' memAccess='shared'/></numa></cpu>"
             "<devices>" DIMM("dimm", ">") "</devices>"),
      256, 0, 256 },
    { "nvdimm is no RAM", DEVICE(DIMM("nvdimm", "><source><path>/x</path></source>")), 192, 0, 0 },
};

static void
adds_up_memory_by_what_backs_it(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++) {
        g_auto(DomainXml) xml = domaintext_parse(pieces[i].when, pieces[i].text);

        if (xml.ram_bytes != pieces[i].ram_mib * MIB ||
            xml.huge_bytes != pieces[i].huge_mib * MIB ||
            xml.shared_bytes != pieces[i].shared_mib * MIB)
            fail_msg("%s: ram %" G_GUINT64_FORMAT ", huge %" G_GUINT64_FORMAT
                     ", shared %" G_GUINT64_FORMAT " MiB",
                     pieces[i].when, xml.ram_bytes / MIB, xml.huge_bytes / MIB,
                     xml.shared_bytes / MIB);
    }
}

static void
takes_pages_of_the_host_s_normal_size_for_no_huge_pages(void **unused)
{
    long normal = sysconf(_SC_PAGESIZE);
    g_autofree char *all =
        g_strdup_printf(BACKED("<hugepages><page size='%ld' unit='b'/></hugepages>"), normal);
    g_autofree char *some = g_strdup_printf(
        DOMAIN("<memoryBacking><hugepages><page size='2' unit='M'/>"
               "<page size='%ld' unit='b' nodeset='0'/></hugepages></memoryBacking>" TWO_CELLS),
        normal);
    g_auto(DomainXml) none_huge = domaintext_parse("normal size for all", all);
    g_auto(DomainXml) some_huge = domaintext_parse("normal size for node 0", some);
    (void)unused;

    assert_int_equal(none_huge.huge_bytes, 0);
    assert_int_equal(some_huge.huge_bytes, 192 * MIB);
}

static void
lists_the_backends_that_qemu_makes(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        unsigned want_mib[4]; /* up to one of 0 */
    } rows[] = {
        { "main memory", DOMAIN(""), { 256 } },
        { "cells", DOMAIN(TWO_CELLS), { 64, 192 } },
        { "main memory and a dimm", DEVICE(DIMM("dimm", ">")), { 192, 64 } },
        { "cells and devices",
          DOMAIN(TWO_CELLS "<devices>" DIMM("virtio-mem", ">")
                     DIMM("nvdimm", "><source><path>/x</path></source>") "</devices>"),
          { 64, 192, 64, 64 } },
        { "a dimm that is listed before the cells",
          DOMAIN("<devices>" DIMM("dimm", ">") "</devices>" TWO_CELLS),
          { 64, 192, 64 } },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(DomainXml) xml = domaintext_parse(rows[i].when, rows[i].text);
        uint32_t n = 0;

        while (n < 4 && rows[i].want_mib[n] != 0)
            n++;
        if (xml.n_backends != n)
            fail_msg("%s: %u backends, want %u", rows[i].when, xml.n_backends, n);
        for (uint32_t k = 0; k < n; k++)
            if (xml.backends[k] != rows[i].want_mib[k] * MIB)
                fail_msg("%s: backend %u of %" G_GUINT64_FORMAT " MiB", rows[i].when, k,
                         xml.backends[k] / MIB);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_up_memory_by_what_backs_it),
        cmocka_unit_test(takes_pages_of_the_host_s_normal_size_for_no_huge_pages),
        cmocka_unit_test(lists_the_backends_that_qemu_makes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
