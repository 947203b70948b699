/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_basics.c - elements of a definition: who the domain is, its memory, what backs it
 *
 * QEMU arguments of the definition's own come after all of libvirt's, and QEMU takes the last
 * value it is given: mem-merge=on undoes nosharepages (tried with QEMU 7.2). -mem-path, -set and
 * -global are not looked at: QEMU refuses or ignores them for the memory backends of libvirt.
 *
 * Source: libvirt formatdomain and domaincommon.rng.
 */
#include "agent/virt/domain_element.h"

#include <assert.h>

static const char *const source_names[] = {
    [DOMAIN_SOURCE_ANONYMOUS] = "anonymous",
    [DOMAIN_SOURCE_FILE] = "file",
    [DOMAIN_SOURCE_MEMFD] = "memfd",
};
static_assert(G_N_ELEMENTS(source_names) == DOMAIN_SOURCE_COUNT, "source_names[] has gaps");

static const char *const security_names[] = {
    [DOMAIN_SECURITY_NONE] = NULL,         [DOMAIN_SECURITY_SEV] = "sev",
    [DOMAIN_SECURITY_SEV_SNP] = "sev-snp", [DOMAIN_SECURITY_TDX] = "tdx",
    [DOMAIN_SECURITY_S390_PV] = "s390-pv",
};
static_assert(G_N_ELEMENTS(security_names) == DOMAIN_SECURITY_OTHER, "security_names[] has gaps");

static void
set_flag(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    bool *flag = domain_element_field(reading, element->field);

    (void)attributes;
    *flag = true;
}

static void
keep_text(DomainReading *reading, const DomainElement *element, char *text)
{
    char **field = domain_element_field(reading, element->field);

    *field = text[0] != '\0' ? g_strdup(text) : NULL;
}

static void
keep_uuid(DomainReading *reading, const DomainElement *element, char *text)
{
    g_strstrip(text);
    if (!g_uuid_string_is_valid(text))
        domain_element_fail(reading, element, "a UUID");
    reading->xml.uuid = g_ascii_strdown(text, -1);
}

static void
keep_size(DomainReading *reading, const DomainElement *element, char *text)
{
    uint64_t *field = domain_element_field(reading, element->field);

    *field = domain_element_size(reading, element, g_strstrip(text), reading->unit);
}

static void
open_domain(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    reading->xml.type = g_strdup(domain_element_attribute(attributes, "type"));
    if (!reading->xml.type)
        domain_element_fail(reading, element, "a hypervisor type");
}

/* Without <page> all memory is on huge pages; the first <page> corrects that. */
static void
open_hugepages(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    (void)element;
    (void)attributes;
    reading->memory.huge_default = true;
}

static void
open_page(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    uint64_t page_bytes =
        domain_element_size(reading, element, domain_element_attribute(attributes, "size"),
                            domain_element_attribute(attributes, "unit"));
    GError **error = domain_element_error(reading);

    if (!domain_memory_add_pages(&reading->memory, page_bytes,
                                 domain_element_attribute(attributes, "nodeset"), error))
        g_prefix_error(error, "%s: ", element->path);
}

static void
open_source(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    const char *type = domain_element_attribute(attributes, "type");
    size_t i = type ? domain_element_choice(type, source_names, DOMAIN_SOURCE_COUNT)
                    : DOMAIN_SOURCE_ANONYMOUS;

    if (i == DOMAIN_SOURCE_COUNT)
        domain_element_fail(reading, element, "type 'anonymous', 'file' or 'memfd'");
    reading->xml.source = (DomainSource)i;
}

static void
open_access(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    reading->xml.access =
        domain_element_access(reading, element, domain_element_attribute(attributes, "mode"));
}

static void
open_cell(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    MemoryBlock cell = { .kind = BLOCK_CELL, .node = reading->xml.numa_cells++ };
    const char *id = domain_element_attribute(attributes, "id");

    if (id || cell.node >= DOMAIN_XML_MAX_NODES)
        cell.node = domain_element_number(reading, element, id, DOMAIN_XML_MAX_NODES - 1);
    cell.bytes =
        domain_element_size(reading, element, domain_element_attribute(attributes, "memory"),
                            domain_element_attribute(attributes, "unit"));
    if (cell.bytes == 0)
        domain_element_fail(reading, element, "memory above 0");
    cell.access =
        domain_element_access(reading, element, domain_element_attribute(attributes, "memAccess"));
    g_array_append_val(reading->memory.blocks, cell);
}

static void
open_security(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    const char *type = domain_element_attribute(attributes, "type");

    (void)element;
    reading->xml.security =
        type ? (DomainSecurity)domain_element_choice(type, security_names, DOMAIN_SECURITY_OTHER)
             : DOMAIN_SECURITY_OTHER;
}

/* What the argument that is read now sets, if the one before it was such an option. */
static DomainSwitch
find_switch(const DomainReading *reading, const char *const options[], const char *name,
            const char *value)
{
    if (!value || !reading->argument || !g_strv_contains(options, reading->argument))
        return DOMAIN_SWITCH_UNSET;
    return domain_value_switch(value, name);
}

static void
open_argument(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    static const char *const machine[] = { "-machine", "--machine", "-M", "--M", NULL };
    static const char *const overcommit[] = { "-overcommit", "--overcommit", NULL };
    const char *value = domain_element_attribute(attributes, "value");
    DomainSwitch merge = find_switch(reading, machine, "mem-merge", value);
    DomainSwitch lock = find_switch(reading, overcommit, "mem-lock", value);

    (void)element;
    if (merge != DOMAIN_SWITCH_UNSET)
        reading->xml.merge = merge;
    if (lock != DOMAIN_SWITCH_UNSET)
        reading->xml.locked = lock == DOMAIN_SWITCH_ON;
    g_free(reading->argument);
    reading->argument = g_strdup(value);
}

/* --- the table -------------------------------------------------------------------------- */

#define FIELD(name) offsetof(DomainXml, name)

static const DomainElement rows[] = {
    { "domain", open_domain, NULL, 0, false },
    { "domain/name", NULL, keep_text, FIELD(name), false },
    { "domain/uuid", NULL, keep_uuid, 0, false },
    { "domain/title", NULL, keep_text, FIELD(title), false },
    { "domain/memory", NULL, keep_size, FIELD(maximum_bytes), false },
    { "domain/currentMemory", NULL, keep_size, FIELD(current_bytes), false },
    { "domain/memoryBacking", NULL, NULL, 0, false },
    { "domain/memoryBacking/hugepages", open_hugepages, NULL, 0, false },
    { "domain/memoryBacking/hugepages/page", open_page, NULL, 0, true },
    { "domain/memoryBacking/nosharepages", set_flag, NULL, FIELD(nosharepages), false },
    { "domain/memoryBacking/locked", set_flag, NULL, FIELD(locked), false },
    { "domain/memoryBacking/source", open_source, NULL, 0, false },
    { "domain/memoryBacking/access", open_access, NULL, 0, false },
    { "domain/memtune", NULL, NULL, 0, false },
    { "domain/memtune/hard_limit", NULL, keep_size, FIELD(hard_limit_bytes), false },
    { "domain/memtune/min_guarantee", NULL, keep_size, FIELD(min_guarantee_bytes), false },
    { "domain/cpu", NULL, NULL, 0, false },
    { "domain/cpu/numa", NULL, NULL, 0, false },
    { "domain/cpu/numa/cell", open_cell, NULL, 0, true },
    { "domain/launchSecurity", open_security, NULL, 0, false },
    { "domain/qemu:commandline", NULL, NULL, 0, false },
    { "domain/qemu:commandline/qemu:arg", open_argument, NULL, 0, true },
};

const DomainElementTable domain_basics = { rows, G_N_ELEMENTS(rows) };
