/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * heldfile.h - a small kernel text file that is read again and again
 */
#ifndef AGENT_FACTS_HELDFILE_H
#define AGENT_FACTS_HELDFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/facts/procfile.h"

/* A zeroed struct is one that holds nothing. */
typedef struct {
    /* private: */
    int fd;       /* owned while @is_open */
    bool is_open; /* whether @fd is a descriptor */
} HeldFile;

/**
 * heldfile_read_bytes() - read the beginning of a kernel file, and keep it open for the next time
 * @file:       holds nothing, or @path from an earlier call
 * @dir_fd:     directory that @path is relative to (borrowed)
 * @path:       the same in each call, e.g. "proc/stat"
 * @buffer:     @size bytes, owned by the caller
 * @size:       at least 1
 * @ret_length: bytes read; equal to @size if there may be more. Only for PROCFILE_READ.
 *
 * What is read is of the moment of the call. A file that was removed, or replaced, is looked for
 * under its name again; one that is not there is looked for at each call.
 *
 * Source: fs/seq_file.c, seq_read_iter(): a read at offset 0 makes the text anew
 * Return: as procfile_read_bytes().
 */
ProcfileResult heldfile_read_bytes(HeldFile *file, int dir_fd, const char *path, void *buffer,
                                   size_t size, size_t *ret_length);

/**
 * heldfile_read_text() - read a whole kernel text file, and keep it open for the next time
 * @file:   as for heldfile_read_bytes()
 * @dir_fd: directory that @path is relative to (borrowed)
 * @path:   the same in each call, e.g. "proc/meminfo"
 * @buffer: @size bytes, owned by the caller; holds a terminated text only for PROCFILE_READ
 * @size:   larger than the file can be
 *
 * Return: as procfile_read_text().
 */
ProcfileResult heldfile_read_text(HeldFile *file, int dir_fd, const char *path, char *buffer,
                                  size_t size);

/**
 * heldfile_u64() - value of a file that holds one number
 * @file:   as for heldfile_read_bytes()
 * @dir_fd: directory that @path is relative to (borrowed)
 * @path:   the same in each call
 * @most:   the largest number that this file can hold
 *
 * Return: as procfile_u64().
 */
uint64_t heldfile_u64(HeldFile *file, int dir_fd, const char *path, uint64_t most);

/**
 * heldfile_close() - hold nothing any more
 * @file: holds a file or nothing
 */
void heldfile_close(HeldFile *file);

#endif
