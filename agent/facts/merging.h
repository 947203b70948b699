/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* merging.h - whether the kernel may merge the memory of a guest: what its mappings say */
#ifndef AGENT_FACTS_MERGING_H
#define AGENT_FACTS_MERGING_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * merging_read() - whether any of a guest's memory is marked as mergeable
 * @dir_fd:   directory of its QEMU in /proc (borrowed)
 * @backends: sizes of the domain's memory backends, bytes
 * @n:        how many there are
 * @ret_any:  written only on success
 * @error:    G_IO_ERROR; what was expected and not found
 *
 * Reads smaps, which walks over all memory of the guest: for a worker thread, and only after a
 * change. The memory of QEMU's devices is not the guest's: QEMU marks video memory and ROMs by
 * itself, and has no way to take that back. With usual devices that is less than 256 MiB: if more
 * is marked, and at least as much as the smallest backend, it counts as the guest's.
 *
 * Source: Documentation/filesystems/proc.rst, "VmFlags" ("mg"); QEMU softmmu/physmem.c
 * Return: false if the process has exited, may not be looked into, or has no such backends.
 */
bool merging_read(int dir_fd, const uint64_t *backends, size_t n, bool *ret_any, GError **error);

#endif
