/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_xml_fuzz.c - any bytes as the definition of a domain: refused with a reason, or understood
 *
 * What is understood must make sense, because policy and reports calculate with it. The same bytes
 * are given to who changes the metadata in a definition: refused, or changed as was asked.
 */
#include "agent/virt/domain_metadata.h"
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
    assert(xml->policy.weight <= 10000 && xml->policy.shares <= 10000);
    assert(xml->policy.balloon_mode < MECHANISM_COUNT && xml->policy.high_mode < MECHANISM_COUNT);
    assert(!xml->policy.group || (*xml->policy.group && strlen(xml->policy.group) <= 64));
    assert((xml->policy.faults > 0) == (xml->policy.fault != NULL));
    assert(!xml->policy.fault || strlen(xml->policy.fault) < 200);
}

static void
check_metadata(const char *text)
{
    static const char *const settings[] = { "balloon.floor=5", "ksm.weight=", NULL };
    g_autoptr(GError) error = NULL;
    g_autofree char *edited = NULL;

    if (domain_metadata_edit(text, settings, &edited, &error))
        assert(strstr(edited, "floor=\"5\""));
    else
        assert(error && strlen(error->message) < 200);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(DomainXml) xml = { 0 };
    g_autoptr(GError) error = NULL;

    if (domain_xml_parse((const char *)data, size, &xml, &error)) {
        check_sense(&xml);
    } else {
        assert(error && error->domain == DOMAIN_XML_ERROR);
        assert(strlen(error->message) < 200);
        assert(!xml.name);
    }
    check_metadata(text);
    return 0;
}
