/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_xml_fuzz.c - any bytes as the definition of a domain: refused with a reason, or understood
 *
 * What is understood must make sense, because policy and reports calculate with it.
 */
#include "agent/virt/domain_xml.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_sense(const DomainXml *xml)
{
    DomainMerge merge = domain_xml_mergeable(xml);
    uint32_t bp = domain_xml_mergeable_bp(xml);

    assert(xml->type && xml->name && xml->name[0] != '\0');
    assert(xml->maximum_bytes > 0);
    assert(xml->current_bytes > 0 && xml->current_bytes <= xml->maximum_bytes);
    assert(xml->ram_bytes > 0);
    assert(xml->huge_bytes <= xml->ram_bytes);
    assert(xml->shared_bytes <= xml->ram_bytes - xml->huge_bytes);
    assert((merge == DOMAIN_MERGE_YES) == (bp > 0) && bp <= 10000);
    assert(domain_merge_name(merge));
    assert(xml->policy.weight <= 10000);
    assert((xml->policy.faults > 0) == (xml->policy.fault != NULL));
    assert(!xml->policy.fault || strlen(xml->policy.fault) < 200);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_auto(DomainXml) xml = { 0 };
    g_autoptr(GError) error = NULL;

    if (domain_xml_parse((const char *)data, size, &xml, &error)) {
        check_sense(&xml);
    } else {
        assert(error && error->domain == DOMAIN_XML_ERROR);
        assert(strlen(error->message) < 200);
        assert(!xml.name);
    }
    return 0;
}
