/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_memory.c - the pieces that guest memory is made of, and what backs each
 *
 * Elements may come in any order, so what depends on several of them is worked out at the end, by
 * the rules that libvirt's QEMU driver follows when it makes a memory backend per piece. They were
 * compared with the arguments that libvirt 9.0 generates and with QEMU 7.2's mappings:
 *
 * - the access mode of a NUMA cell or memory device wins over that of <memoryBacking>; a device
 *   without one has that of its cell;
 * - without any access mode QEMU's own default holds: memfd is shared, file and ram are private;
 * - <access mode='shared'/> makes even an anonymous source a shared file;
 * - <page nodeset=> is about these guest nodes, a <page> without, or no <page>, about all others;
 *   a page of the host's normal size is no huge page; a device may have a page size of its own.
 *
 * <memory> counts memory devices in: without NUMA cells, main memory is the rest.
 *
 * Source: libvirt formatdomain, "Memory Backing", "CPU model and topology", "Memory devices".
 */
#include "agent/virt/domain_memory.h"

#include <unistd.h>

void
domain_memory_init(DomainMemory *memory)
{
    *memory = (DomainMemory){ .blocks = g_array_new(FALSE, TRUE, sizeof(MemoryBlock)) };
}

void
domain_memory_done(DomainMemory *memory)
{
    g_clear_pointer(&memory->blocks, g_array_unref);
}

MemoryBlock *
domain_memory_last(const DomainMemory *memory)
{
    guint n = memory->blocks->len;

    return n > 0 ? &g_array_index(memory->blocks, MemoryBlock, n - 1) : NULL;
}

static bool
is_huge_size(uint64_t page_bytes)
{
    return page_bytes != (uint64_t)sysconf(_SC_PAGESIZE);
}

bool
domain_memory_add_pages(DomainMemory *memory, uint64_t page_bytes, const char *nodeset,
                        GError **error)
{
    bool huge = is_huge_size(page_bytes);

    /* <hugepages> alone is for all memory, until a <page> tells for which. */
    if (!memory->has_pages)
        memory->huge_default = false;
    memory->has_pages = true;
    if (nodeset)
        return domain_value_nodes(nodeset, huge ? &memory->huge_nodes : &memory->normal_nodes,
                                  error);
    memory->huge_default = huge;
    return true;
}

static bool
is_huge(const DomainMemory *memory, const MemoryBlock *block)
{
    if (block->page_bytes > 0)
        return is_huge_size(block->page_bytes);
    if (memory->huge_nodes.has[block->node])
        return true;
    return memory->huge_default && !memory->normal_nodes.has[block->node];
}

static bool
is_shared(const DomainMemory *memory, const MemoryBlock *block, const DomainXml *xml)
{
    DomainAccess access = block->access;

    if (access == DOMAIN_ACCESS_DEFAULT)
        access = memory->node_access[block->node];
    if (access == DOMAIN_ACCESS_DEFAULT)
        access = xml->access;
    if (access == DOMAIN_ACCESS_DEFAULT)
        return xml->source == DOMAIN_SOURCE_MEMFD;
    return access == DOMAIN_ACCESS_SHARED;
}

static bool
add_bytes(uint64_t *sum, uint64_t bytes, GError **error)
{
    guint64 total;

    if (!g_uint64_checked_add(&total, *sum, bytes)) {
        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT,
                    "domain: expected memory sizes that add up to less than 16 EiB");
        return false;
    }
    *sum = total;
    return true;
}

static bool
count_device(const MemoryBlock *block, DomainXml *xml, GError **error)
{
    if (block->bytes == 0) {
        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT,
                    "domain/devices/memory: expected target/size above 0");
        return false;
    }
    return add_bytes(&xml->memory_device_bytes, block->bytes, error);
}

static bool
count_ram(const DomainMemory *memory, const MemoryBlock *block, DomainXml *xml, GError **error)
{
    if (!add_bytes(&xml->ram_bytes, block->bytes, error))
        return false;
    /* Parts of a sum that does not overflow do not overflow. */
    if (is_huge(memory, block))
        xml->huge_bytes += block->bytes;
    else if (is_shared(memory, block, xml))
        xml->shared_bytes += block->bytes;
    return true;
}

/* A definition without NUMA cells has one piece of main memory. */
static bool
add_main_memory(DomainMemory *memory, const DomainXml *xml, GError **error)
{
    MemoryBlock block = { .kind = BLOCK_CELL };

    if (xml->maximum_bytes <= xml->memory_device_bytes) {
        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT,
                    "domain/memory: expected more than the memory devices have");
        return false;
    }
    block.bytes = xml->maximum_bytes - xml->memory_device_bytes;
    g_array_append_val(memory->blocks, block);
    return true;
}

/* Those that are cells, or those that are not, in their order. */
static void
list_some(const DomainMemory *memory, bool is_cell, DomainXml *xml)
{
    for (guint i = 0; i < memory->blocks->len; i++) {
        const MemoryBlock *block = &g_array_index(memory->blocks, MemoryBlock, i);

        if ((block->kind == BLOCK_CELL) == is_cell)
            xml->backends[xml->n_backends++] = block->bytes;
    }
}

static void
list_backends(const DomainMemory *memory, DomainXml *xml)
{
    xml->n_backends = 0;
    xml->backends = g_new(uint64_t, memory->blocks->len);
    list_some(memory, true, xml);
    list_some(memory, false, xml);
}

bool
domain_memory_finish(DomainMemory *memory, DomainXml *xml, GError **error)
{
    for (guint i = 0; i < memory->blocks->len; i++) {
        const MemoryBlock *block = &g_array_index(memory->blocks, MemoryBlock, i);

        if (block->kind == BLOCK_CELL)
            memory->node_access[block->node] = block->access;
        else if (!count_device(block, xml, error))
            return false;
    }
    if (xml->numa_cells == 0 && !add_main_memory(memory, xml, error))
        return false;
    for (guint i = 0; i < memory->blocks->len; i++) {
        const MemoryBlock *block = &g_array_index(memory->blocks, MemoryBlock, i);

        if (block->kind != BLOCK_DEVICE && !count_ram(memory, block, xml, error))
            return false;
    }
    list_backends(memory, xml);
    return true;
}
