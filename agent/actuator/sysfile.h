/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysfile.h - the only way to write a kernel file
 */
#ifndef AGENT_ACTUATOR_SYSFILE_H
#define AGENT_ACTUATOR_SYSFILE_H

#include <glib.h>
#include <stdint.h>

/* What became of one wish. */
typedef enum {
    APPLY_DONE,      /* the kernel took a new value */
    APPLY_UNCHANGED, /* it was already in place; nothing written */
    APPLY_RETRY,     /* busy or interrupted: try at the next tick */
    APPLY_GONE,      /* the file went away: forget what it belonged to */
    APPLY_REFUSED,   /* not permitted or not supported: stop trying */
    APPLY_COUNT,
} ApplyResult;

/* Room for the text of a kernel file, final NUL included. Attribute files show at most a page. */
#define SYSFILE_TEXT_BYTES 4096

/**
 * apply_result_name() - word for a result: "done"
 * @result: any value; out of range gives "unknown"
 *
 * Return: static text.
 */
const char *apply_result_name(ApplyResult result);

/**
 * sysfile_set_u64() - make a kernel file hold a number
 * @root_fd: directory the path is relative to; "/" or a test's fake root (borrowed)
 * @path:    e.g. "sys/kernel/mm/ksm/pages_to_scan"; no symbolic link, no ".." in it
 * @value:   number in the file's own unit
 * @error:   set for APPLY_RETRY, APPLY_GONE and APPLY_REFUSED, otherwise left alone; names the
 *           file, the value and what the kernel said
 *
 * Reads first and writes only if the value differs, in a single write call, because kernel
 * attribute files take one value per write. A file that cannot be read or shows no number is
 * taken to differ.
 *
 * Source: Documentation/filesystems/sysfs.rst, "Reading/Writing Attribute Data"
 * Return: what happened; never blocks on anything but the kernel's own handler.
 */
ApplyResult sysfile_set_u64(int root_fd, const char *path, uint64_t value, GError **error);

/**
 * sysfile_set_text() - make a kernel file hold a word
 * @root_fd: as for sysfile_set_u64()
 * @path:    as for sysfile_set_u64()
 * @value:   one line without its newline, not empty
 * @error:   as for sysfile_set_u64()
 *
 * Where the kernel shows a choice ("[none] scan-time"), the word in brackets is what the file
 * holds.
 *
 * Return: as sysfile_set_u64().
 */
ApplyResult sysfile_set_text(int root_fd, const char *path, const char *value, GError **error);

/**
 * sysfile_order_u64() - write a number to a file that is an order and holds nothing
 * @root_fd: as for sysfile_set_u64()
 * @path:    e.g. ".../memory.reclaim"
 * @value:   as for sysfile_set_u64()
 * @error:   as for sysfile_set_u64()
 *
 * Does not read first. The kernel may carry the order out before it returns: not for the loop.
 *
 * Return: as sysfile_set_u64(), never APPLY_UNCHANGED.
 */
ApplyResult sysfile_order_u64(int root_fd, const char *path, uint64_t value, GError **error);

/**
 * sysfile_get_u64() - number that a kernel file holds
 * @root_fd:   as for sysfile_set_u64()
 * @path:      as for sysfile_set_u64()
 * @ret_value: the number, in the file's own unit
 * @error:     as for sysfile_set_u64()
 *
 * Return: APPLY_UNCHANGED when @ret_value was written; APPLY_REFUSED for a file without a number;
 * APPLY_RETRY, APPLY_GONE or APPLY_REFUSED when it could not be read.
 */
ApplyResult sysfile_get_u64(int root_fd, const char *path, uint64_t *ret_value, GError **error);

/**
 * sysfile_get_text() - everything that a kernel file shows
 * @root_fd:  as for sysfile_set_u64()
 * @path:     as for sysfile_set_u64()
 * @ret_text: SYSFILE_TEXT_BYTES of room (caller's); trailing newlines are taken off; text beyond
 *            that is cut
 * @error:    as for sysfile_set_u64()
 *
 * Return: as sysfile_get_u64().
 */
ApplyResult sysfile_get_text(int root_fd, const char *path, char *ret_text, GError **error);

/**
 * sysfile_get_choice() - word that a kernel file holds: "none" for "[none] scan-time"
 * @root_fd:  as for sysfile_set_u64()
 * @path:     as for sysfile_set_u64()
 * @ret_text: SYSFILE_TEXT_BYTES of room (caller's); the whole line where there are no brackets
 * @error:    as for sysfile_set_u64()
 *
 * Return: as sysfile_get_u64().
 */
ApplyResult sysfile_get_choice(int root_fd, const char *path, char *ret_text, GError **error);

/**
 * sysfile_probe() - whether a kernel file may be written, found out without writing
 * @root_fd: as for sysfile_set_u64()
 * @path:    as for sysfile_set_u64()
 * @error:   as for sysfile_set_u64(); G_FILE_ERROR_ROFS tells a read-only file system from
 *           missing privileges
 *
 * Return: APPLY_UNCHANGED when it may; otherwise why not.
 */
ApplyResult sysfile_probe(int root_fd, const char *path, GError **error);

#endif
