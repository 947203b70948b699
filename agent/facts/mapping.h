/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mapping.h - what a QEMU process has mapped, and what each mapping is for */
#ifndef AGENT_FACTS_MAPPING_H
#define AGENT_FACTS_MAPPING_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
    MAPPING_OTHER,       /* programs, libraries, files */
    MAPPING_HEAP,        /* malloc's: the heap, arenas, large pieces */
    MAPPING_STACK,       /* of threads and coroutines */
    MAPPING_TRANSLATION, /* code that TCG has generated */
    MAPPING_DEVICE,      /* memory of devices, video memory above all, and ROMs */
    MAPPING_GUEST,       /* memory of the guest */
    MAPPING_NONE,        /* nothing of its own is resident in it: guards, windows onto devices */
    MAPPING_USE_COUNT,
} MappingUse;

/* A part of the address space. */
typedef struct {
    uint64_t start;    /* address; a multiple of the page size */
    uint64_t end;      /* address behind it; above start */
    bool is_anonymous; /* private, of no file */
    bool is_guard;     /* anonymous, and may not be touched */
    bool is_writable;  /* may be written */
    MappingUse use;
} Mapping;

/**
 * mappings_load() - what /proc has on the mappings of a process
 * @dir_fd: its folder there (borrowed)
 * @file:   "maps" or "smaps"
 * @most:   bytes; a longer one cannot be read
 * @error:  G_IO_ERROR_PERMISSION_DENIED, or G_IO_ERROR_CLOSED: it is gone, or has no memory any
 * more
 *
 * Return: for mappings_read(), owned by the caller; NULL with @error set.
 */
char *mappings_load(int dir_fd, const char *file, size_t most, GError **error);

/**
 * mappings_read() - take the mappings of a process out of its "maps"
 * @text:       its whole content; changed
 * @page_bytes: size of a page
 *
 * Lines that are no mappings, or lie before the one above them, are left out. What a mapping is
 * for is told from its name, its rights and its neighbours. Guest memory is not told:
 * see mappings_find_guest().
 *
 * Source: Documentation/filesystems/proc.rst, "/proc/PID/maps"
 * Return: array of Mapping by address, owned by the caller.
 */
GArray *mappings_read(char *text, uint64_t page_bytes);

/**
 * mappings_find_guest() - which mappings are the guest's memory
 * @mappings: from mappings_read(); those of the guest become MAPPING_GUEST
 * @backends: sizes of the domain's memory backends, bytes; those of NUMA nodes first
 * @n:        how many there are
 *
 * QEMU maps a backend at once, but the kernel may have cut it since: neighbours count as one. Of
 * several that fit, that at the highest address is taken, because QEMU makes guest memory first
 * and the kernel maps downwards. Machine types up to 5.0 have all nodes in one backend
 * (-numa node,mem=), whatever the definition says: if they are not there one by one, the first few
 * may be one piece.
 *
 * Return: whether all of them are there; @mappings stays as it is otherwise.
 */
bool mappings_find_guest(GArray *mappings, const uint64_t *backends, size_t n);

#endif
