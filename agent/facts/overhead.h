/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* overhead.h - what QEMU itself uses, beside the memory of its guest */
#ifndef AGENT_FACTS_OVERHEAD_H
#define AGENT_FACTS_OVERHEAD_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Resident memory of a QEMU process that is not the guest's, by what it is for. */
typedef struct {
    uint64_t video_bytes;       /* memory of devices, most of it video memory */
    uint64_t translation_bytes; /* guest code that TCG has translated */
    uint64_t heap_bytes;        /* malloc's */
    uint64_t stack_bytes;       /* of threads and coroutines */
    uint64_t other_bytes;       /* programs, libraries, files */
    uint64_t swapped_bytes;     /* not resident: of all of these, what is swapped out */
} Overhead;

/**
 * overhead_read() - measure it
 * @dir_fd:     directory of the process in /proc (borrowed)
 * @backends:   sizes of the domain's memory backends, bytes
 * @n:          how many there are
 * @ret_sample: written only on success
 * @error:      G_IO_ERROR; what was expected and not found
 *
 * Costs time in proportion to what QEMU has mapped beside guest memory, whatever the guest has:
 * some milliseconds at most. May wait while the process changes its mappings, so it is for a worker
 * thread. Needs the owner's rights or CAP_SYS_PTRACE.
 *
 * Source: Documentation/admin-guide/mm/pagemap.rst
 * Return: false if the process has exited, may not be looked into, or has no such backends.
 */
bool overhead_read(int dir_fd, const uint64_t *backends, size_t n, Overhead *ret_sample,
                   GError **error);

/** overhead_total() - resident bytes of all kinds */
uint64_t overhead_total(const Overhead *sample);

#endif
