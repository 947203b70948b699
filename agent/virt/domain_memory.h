/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_memory.h - the pieces that guest memory is made of, and what backs each */
#ifndef AGENT_VIRT_DOMAIN_MEMORY_H
#define AGENT_VIRT_DOMAIN_MEMORY_H

#include "agent/virt/domain_value.h"

typedef enum {
    BLOCK_CELL,       /* memory of a guest NUMA node */
    BLOCK_DEVICE_RAM, /* memory device of ordinary memory: dimm, virtio-mem */
    BLOCK_DEVICE,     /* any other: persistent memory, enclaves; no RAM to merge */
    BLOCK_KIND_COUNT,
} BlockKind;

typedef struct {
    BlockKind kind;
    DomainAccess access; /* its own access mode */
    uint64_t bytes;      /* size */
    uint64_t page_bytes; /* own page size; 0: not said */
    uint64_t node;       /* guest NUMA node that it is or belongs to */
} MemoryBlock;

typedef struct {
    GArray *blocks;       /* owned; MemoryBlock */
    NodeSet huge_nodes;   /* guest nodes on huge pages */
    NodeSet normal_nodes; /* guest nodes that are said to be on pages of normal size */
    bool has_pages;       /* a page size was given */
    bool huge_default;    /* all other memory is on huge pages */
    /* private: access mode of the cell that is a node; DEFAULT where there is none */
    DomainAccess node_access[DOMAIN_XML_MAX_NODES];
} DomainMemory;

/** domain_memory_init() - no memory yet; domain_memory_done() it */
void domain_memory_init(DomainMemory *memory);

/** domain_memory_done() - free the list of blocks */
void domain_memory_done(DomainMemory *memory);

/** domain_memory_last() - the block that was added last, NULL if none; valid until the next */
MemoryBlock *domain_memory_last(const DomainMemory *memory);

/**
 * domain_memory_add_pages() - a page size for some or all of the memory
 * @memory:     changed
 * @page_bytes: the host's normal size means no huge pages
 * @nodeset:    guest nodes that it is for; NULL: all that no other call names
 * @error:      DOMAIN_XML_ERROR_CONTENT: what was expected
 */
bool domain_memory_add_pages(DomainMemory *memory, uint64_t page_bytes, const char *nodeset,
                             GError **error);

/**
 * domain_memory_finish() - add all blocks up
 * @memory: complete
 * @xml:    its maximum, source and access are read; sums of devices, cells and RAM are written,
 *          and the list of backends
 * @error:  DOMAIN_XML_ERROR_CONTENT: the sizes make no sense
 */
bool domain_memory_finish(DomainMemory *memory, DomainXml *xml, GError **error);

#endif
