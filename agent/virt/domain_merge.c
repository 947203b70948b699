/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_merge.c - what a definition, once read, means for KSM; declared in domain_xml.h */
#include "agent/virt/domain_xml.h"

#include "policy/arith.h"

#include <assert.h>

static const char *const merge_names[] = {
    [DOMAIN_MERGE_YES] = "can merge",
    [DOMAIN_MERGE_CONFIDENTIAL] = "confidential guest",
    [DOMAIN_MERGE_HUGE_PAGES] = "huge pages",
    [DOMAIN_MERGE_SHARED] = "shared memory",
    [DOMAIN_MERGE_PINNED] = "pinned by passthrough",
    [DOMAIN_MERGE_MEM_MERGE_OFF] = "mem-merge=off",
    [DOMAIN_MERGE_NOSHAREPAGES] = "nosharepages",
};
static_assert(G_N_ELEMENTS(merge_names) == DOMAIN_MERGE_COUNT, "merge_names[] has gaps");

/* What is left of the RAM that a page of another domain could be merged with. */
static uint64_t
private_bytes(const DomainXml *xml)
{
    return sat_sub(xml->ram_bytes, sat_add(xml->huge_bytes, xml->shared_bytes));
}

DomainMerge
domain_xml_mergeable(const DomainXml *xml)
{
    if (xml->security != DOMAIN_SECURITY_NONE)
        return DOMAIN_MERGE_CONFIDENTIAL;
    if (private_bytes(xml) == 0)
        return xml->huge_bytes > 0 ? DOMAIN_MERGE_HUGE_PAGES : DOMAIN_MERGE_SHARED;
    if (xml->pinning_devices > 0)
        return DOMAIN_MERGE_PINNED;
    if (xml->merge == DOMAIN_SWITCH_OFF)
        return DOMAIN_MERGE_MEM_MERGE_OFF;
    if (xml->nosharepages && xml->merge != DOMAIN_SWITCH_ON)
        return DOMAIN_MERGE_NOSHAREPAGES;
    return DOMAIN_MERGE_YES;
}

uint32_t
domain_xml_mergeable_bp(const DomainXml *xml)
{
    if (domain_xml_mergeable(xml) != DOMAIN_MERGE_YES)
        return 0;
    return (uint32_t)max_u64(1, mul_div(private_bytes(xml), BP_ONE, xml->ram_bytes));
}

const char *
domain_merge_name(DomainMerge merge)
{
    return merge_names[merge];
}
