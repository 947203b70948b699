/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procfile.h - small kernel text files: read them whole, take the numbers out
 *
 * Every number comes back as uint64_t, and VALUE_UNKNOWN stands for "no such line", "not a
 * number" and "too large", because whoever asks does the same in all three cases: without it.
 */
#ifndef AGENT_FACTS_PROCFILE_H
#define AGENT_FACTS_PROCFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum {
    PROCFILE_READ,       /* the contents are in the buffer */
    PROCFILE_ABSENT,     /* no such file: older kernel, or a process that was reaped */
    PROCFILE_GONE,       /* the process behind the file exited before the read */
    PROCFILE_REFUSED,    /* there is one, but not for us */
    PROCFILE_UNREADABLE, /* longer than the buffer, not text, or an I/O error */
    PROCFILE_BUSY,       /* not read: its process has not let go of a lock in time */
    PROCFILE_COUNT,
} ProcfileResult;

/* Digits, a sign, the newline and then some: a longer file does not hold just a number. */
#define PROCFILE_NUMBER_BYTES 64
/* proc/meminfo: about 2 KiB today; it grows by a few lines in each kernel. */
#define PROCFILE_MEMINFO_BYTES 8192
/* proc/vmstat: about 5 KiB in Linux 6.18. */
#define PROCFILE_VMSTAT_BYTES 65536
/* proc/PID/maps: 65,530 mappings, the kernel's usual limit, with names of ordinary length. */
#define PROCFILE_MAPS_BYTES ((size_t)16 << 20)
/* proc/PID/smaps: some 700 bytes for each of them. */
#define PROCFILE_SMAPS_BYTES ((size_t)64 << 20)
/* proc/PID/stat: 52 numbers of at most 20 digits. */
#define PROCFILE_STAT_BYTES 1536

/**
 * procfile_result_of_errno() - why a file could not be opened or read
 * @code: errno of open(2) or read(2)
 *
 * Return: what happened, never PROCFILE_READ.
 */
ProcfileResult procfile_result_of_errno(int code);

/**
 * procfile_may() - whether a file may be used
 * @dir_fd: directory that @path is relative to (borrowed)
 * @path:   e.g. "memory.reclaim"
 * @mode:   of access(2): R_OK and W_OK; F_OK: it is enough that it is there
 *
 * Asked with the rights that it would be opened with: for the real user, whom access(2) asks for,
 * the kernel drops the capabilities that the unit gives, and what is root's seems to be refused.
 *
 * Source: access(2), AT_EACCESS; fs/open.c, access_override_creds()
 * Return: false with errno set.
 */
bool procfile_may(int dir_fd, const char *path, int mode);

/**
 * procfile_read_bytes() - read the beginning of a kernel file
 * @dir_fd:     directory that @path is relative to (borrowed)
 * @path:       e.g. "cmdline"
 * @buffer:     @size bytes, owned by the caller
 * @size:       at least 1
 * @ret_length: bytes read; equal to @size if there may be more. Only for PROCFILE_READ.
 *
 * One read call: the kernel files we want are rendered whole at the first read, and a second one
 * could show another moment.
 *
 * Source: Documentation/filesystems/seq_file.rst
 * Return: what happened; never waits, not even for a FIFO in the file's place.
 */
ProcfileResult procfile_read_bytes(int dir_fd, const char *path, void *buffer, size_t size,
                                   size_t *ret_length);

/**
 * procfile_end_text() - make a text of what was read of a kernel file
 * @buffer: @size bytes, owned by the caller; terminated only for PROCFILE_READ
 * @length: bytes that were read
 * @size:   of the buffer, at least @length
 *
 * Return: PROCFILE_UNREADABLE if the buffer is full, so that there may be more, or holds a NUL.
 */
ProcfileResult procfile_end_text(char *buffer, size_t length, size_t size);

/**
 * procfile_read_text() - read a whole kernel text file
 * @dir_fd: directory that @path is relative to (borrowed)
 * @path:   e.g. "proc/meminfo"
 * @buffer: @size bytes, owned by the caller; holds a terminated text only for PROCFILE_READ
 * @size:   larger than the file can be
 *
 * Return: what happened; a file that fills the buffer or holds a NUL is PROCFILE_UNREADABLE.
 */
ProcfileResult procfile_read_text(int dir_fd, const char *path, char *buffer, size_t size);

/**
 * procfile_read_long() - read a text file that the kernel makes line by line
 * @dir_fd:   directory that @path is relative to (borrowed)
 * @path:     e.g. "maps": one read call gives a page of it at most
 * @most:     bytes; a longer file is PROCFILE_UNREADABLE
 * @ret_text: terminated, owned by the caller (g_free); written only for PROCFILE_READ
 *
 * The lines are of slightly different moments.
 *
 * Source: fs/seq_file.c, seq_read_iter()
 * Return: what happened; a file that holds a NUL is PROCFILE_UNREADABLE.
 */
ProcfileResult procfile_read_long(int dir_fd, const char *path, size_t most, char **ret_text);

/**
 * procfile_choose() - the word in brackets of a file that shows a choice
 * @text: "[none] scan-time" becomes "none"; one without brackets stays as it is
 *
 * Return: whether there were brackets.
 */
bool procfile_choose(char *text);

/**
 * procfile_parse_u64() - a text that is one decimal number
 * @text:      e.g. "100\n"; no sign, nothing but blanks after the digits
 * @ret_value: the number, below VALUE_UNKNOWN; written only on success
 *
 * Return: false for anything else.
 */
bool procfile_parse_u64(const char *text, uint64_t *ret_value);

/**
 * procfile_u64() - value of a file that holds one number
 * @dir_fd: directory that @path is relative to (borrowed)
 * @path:   e.g. "pages_sharing"
 * @most:   the largest number that this file can hold
 *
 * Return: the number; VALUE_UNKNOWN if it cannot be read, is not a number or exceeds @most.
 */
uint64_t procfile_u64(int dir_fd, const char *path, uint64_t most);

/**
 * procfile_parse_i64() - a text that begins with a line of one number with a sign
 * @text: e.g. "-6400\n"
 *
 * Return: the number converted to uint64_t (convert it back to int64_t); VALUE_UNKNOWN if there
 * is none, which is also how -1 reads.
 */
uint64_t procfile_parse_i64(const char *text);

/**
 * procfile_key_u64() - number on the line of a key
 * @text: lines such as "ksm_rmap_items 12" or "Threads:  3"
 * @key:  without the colon; the first line of that key counts
 *
 * Return: the number, or VALUE_UNKNOWN.
 */
uint64_t procfile_key_u64(const char *text, const char *key);

/**
 * procfile_key_i64() - number with a sign on the line of a key
 * @text: as for procfile_key_u64()
 * @key:  as for procfile_key_u64()
 *
 * Return: as procfile_parse_i64().
 */
uint64_t procfile_key_i64(const char *text, const char *key);

/**
 * procfile_key_bytes() - quantity on the line of a key that counts in "kB"
 * @text: lines such as "MemTotal:   24684084 kB"
 * @key:  as for procfile_key_u64()
 *
 * Source: Documentation/filesystems/proc.rst, "meminfo": kB means 1024 bytes there
 * Return: bytes, or VALUE_UNKNOWN.
 */
uint64_t procfile_key_bytes(const char *text, const char *key);

/**
 * procfile_field() - number in a line of fields separated by blanks
 * @text:   e.g. "113498 3112032 21\n"
 * @number: counted from 1
 *
 * Return: the number, or VALUE_UNKNOWN.
 */
uint64_t procfile_field(const char *text, unsigned number);

/**
 * procfile_count_list() - how many numbers a list of ranges has
 * @text: e.g. "0-3,8\n"
 *
 * Source: Documentation/core-api/printk-formats.rst, "bitmap and its derivatives", list form
 * Return: 5 for the example; 0 for an empty list; VALUE_UNKNOWN if it is no list.
 */
uint64_t procfile_count_list(const char *text);

/**
 * procfile_stat_field() - number in a /proc/PID/stat line
 * @stat:   the line; the name in parentheses may hold blanks and parentheses itself
 * @number: as in the manual page, e.g. 22 for the start time; 4 or more
 *
 * Source: Documentation/filesystems/proc.rst, "Contents of the stat fields"
 * Return: the number, or VALUE_UNKNOWN.
 */
uint64_t procfile_stat_field(const char *stat, unsigned number);

/**
 * procfile_stat_is_named() - whether a /proc/PID/stat line is that of a certain command
 * @stat: the line
 * @comm: e.g. "ksmd"
 *
 * Return: whether exactly @comm stands in the parentheses.
 */
bool procfile_stat_is_named(const char *stat, const char *comm);

/* Looks at the process whose directory is @dir_fd (borrowed); true ends the search with it. */
typedef bool (*ProcfileMatch)(int dir_fd, void *data);

/**
 * procfile_open_pid() - hold the directory of a process
 * @root_fd: "/" or a test's fake root (borrowed)
 * @pid:     any number
 *
 * What is opened below the descriptor belongs to this very process: once it has been reaped,
 * nothing opens there any more, not even when its pid is in use again.
 *
 * Return: a descriptor that the caller closes, or -1 if there is no such process.
 */
int procfile_open_pid(int root_fd, pid_t pid);

/**
 * procfile_find_pid() - first process, by pid, that a predicate accepts
 * @root_fd: "/" or a test's fake root (borrowed)
 * @match:   the predicate
 * @data:    for @match
 * @ret_pid: its pid; written only if one is found
 *
 * Costs a few microseconds for each process of the host: not for the event path.
 *
 * Return: as procfile_open_pid(); -1 if no process matches.
 */
int procfile_find_pid(int root_fd, ProcfileMatch match, void *data, pid_t *ret_pid);

#endif
