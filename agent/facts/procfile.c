/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procfile.c - small kernel text files: read them whole, take the numbers out
 *
 * All parsing is by hand, because strtoull() takes blanks, signs and wrap-around for numbers:
 * it reads "-1" as 2^64-1, which is just the kind of value that must not become a figure.
 */
#define _GNU_SOURCE

#include "agent/facts/procfile.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy/arith.h"

/* What the kernel gives at once of a file that it makes line by line. */
#define LONG_READ_BYTES 4096
/* O_PATH needs no permission on the directory; files below it are checked one by one. */
#define PID_DIR_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)

ProcfileResult
procfile_result_of_errno(int code)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
        return PROCFILE_ABSENT;
    case ESRCH:
        return PROCFILE_GONE;
    case EACCES:
    case EPERM:
        return PROCFILE_REFUSED;
    default:
        return PROCFILE_UNREADABLE;
    }
}

bool
procfile_may(int dir_fd, const char *path, int mode)
{
    return faccessat(dir_fd, path, mode, AT_EACCESS) == 0;
}

/* One call of read(2), which a signal does not end; -1: see errno. */
static ssize_t
read_once(int fd, void *buffer, size_t size)
{
    ssize_t n;

    do
        n = read(fd, buffer, size);
    while (n < 0 && errno == EINTR);
    return n;
}

ProcfileResult
procfile_read_bytes(int dir_fd, const char *path, void *buffer, size_t size, size_t *ret_length)
{
    ssize_t n;
    int code;
    int fd;

    fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return procfile_result_of_errno(errno);

    n = read_once(fd, buffer, size);
    code = errno;
    close(fd);
    if (n < 0)
        return procfile_result_of_errno(code);
    *ret_length = (size_t)n;
    return PROCFILE_READ;
}

ProcfileResult
procfile_end_text(char *buffer, size_t length, size_t size)
{
    if (length == size || memchr(buffer, '\0', length))
        return PROCFILE_UNREADABLE;
    buffer[length] = '\0';
    return PROCFILE_READ;
}

ProcfileResult
procfile_read_text(int dir_fd, const char *path, char *buffer, size_t size)
{
    ProcfileResult result;
    size_t length;

    result = procfile_read_bytes(dir_fd, path, buffer, size, &length);
    return result == PROCFILE_READ ? procfile_end_text(buffer, length, size) : result;
}

/* To the end of the file, or a byte more than @most. */
static ProcfileResult
read_to_end(int fd, size_t most, GByteArray *out)
{
    guint8 piece[LONG_READ_BYTES];
    ssize_t n;

    while (out->len <= most && (n = read_once(fd, piece, sizeof(piece))) != 0) {
        if (n < 0)
            return procfile_result_of_errno(errno);
        g_byte_array_append(out, piece, (guint)n);
    }
    return out->len <= most && (out->len == 0 || !memchr(out->data, '\0', out->len))
               ? PROCFILE_READ
               : PROCFILE_UNREADABLE;
}

ProcfileResult
procfile_read_long(int dir_fd, const char *path, size_t most, char **ret_text)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ProcfileResult result = fd < 0 ? procfile_result_of_errno(errno) : read_to_end(fd, most, bytes);

    if (fd >= 0)
        close(fd);
    if (result != PROCFILE_READ)
        return result;
    g_byte_array_append(bytes, (const guint8 *)"", 1);
    *ret_text = (char *)g_byte_array_free(g_steal_pointer(&bytes), FALSE);
    return PROCFILE_READ;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *
skip_blanks(const char *text)
{
    while (is_blank(*text))
        text++;
    return text;
}

/* Digits at @text; returns what follows them, NULL if there are none or too many. */
static const char *
take_u64(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (!is_digit(*text))
        return NULL;
    for (; is_digit(*text); text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (value > (UINT64_MAX - digit) / 10)
            return NULL;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return text;
}

/* The number that a line starts with, if nothing but @unit (may be empty) follows it there. */
static uint64_t
line_u64(const char *line, const char *unit)
{
    uint64_t value;
    const char *rest = take_u64(skip_blanks(line), &value);

    if (!rest)
        return VALUE_UNKNOWN;
    rest = skip_blanks(rest);
    if (strncmp(rest, unit, strlen(unit)) != 0)
        return VALUE_UNKNOWN;
    rest = skip_blanks(rest + strlen(unit));
    return *rest == '\0' || *rest == '\n' ? value : VALUE_UNKNOWN;
}

static uint64_t
line_i64(const char *line)
{
    const char *number = skip_blanks(line);
    bool negative = *number == '-';
    uint64_t size = line_u64(number + negative, "");

    /* A blank between sign and digits is no number. */
    if (!is_known(size) || (negative && !is_digit(number[1])))
        return VALUE_UNKNOWN;
    if (size > (uint64_t)INT64_MAX + negative)
        return VALUE_UNKNOWN;
    return negative ? 0 - size : size;
}

bool
procfile_choose(char *text)
{
    char *begin = strchr(text, '[');
    char *end = begin ? strchr(begin, ']') : NULL;

    if (!end)
        return false;
    *end = '\0';
    memmove(text, begin + 1, (size_t)(end - begin));
    return true;
}

bool
procfile_parse_u64(const char *text, uint64_t *ret_value)
{
    const char *newline = strchr(text, '\n');
    uint64_t value = line_u64(text, "");

    if (!is_known(value) || (newline && newline[1] != '\0'))
        return false;
    *ret_value = value;
    return true;
}

uint64_t
procfile_u64(int dir_fd, const char *path, uint64_t most)
{
    char text[PROCFILE_NUMBER_BYTES];
    uint64_t value;

    if (procfile_read_text(dir_fd, path, text, sizeof(text)) != PROCFILE_READ)
        return VALUE_UNKNOWN;
    if (!procfile_parse_u64(text, &value) || value > most)
        return VALUE_UNKNOWN;
    return value;
}

uint64_t
procfile_parse_i64(const char *text)
{
    return line_i64(text);
}

/* What follows "key", a colon or a blank on its line; NULL if there is no such line. */
static const char *
find_key(const char *text, const char *key)
{
    size_t length = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n')
            line++;
        if (strncmp(line, key, length) == 0 && (line[length] == ':' || is_blank(line[length])))
            return line + length + 1;
    }
    return NULL;
}

uint64_t
procfile_key_u64(const char *text, const char *key)
{
    const char *value = find_key(text, key);

    return value ? line_u64(value, "") : VALUE_UNKNOWN;
}

uint64_t
procfile_key_i64(const char *text, const char *key)
{
    const char *value = find_key(text, key);

    return value ? line_i64(value) : VALUE_UNKNOWN;
}

uint64_t
procfile_key_bytes(const char *text, const char *key)
{
    const char *value = find_key(text, key);
    uint64_t kib = value ? line_u64(value, "kB") : VALUE_UNKNOWN;

    return kib > UINT64_MAX / 1024 ? VALUE_UNKNOWN : kib * 1024;
}

static bool
ends_field(char c)
{
    return is_blank(c) || c == '\n' || c == '\0';
}

uint64_t
procfile_field(const char *text, unsigned number)
{
    const char *field = skip_blanks(text);
    const char *rest;
    uint64_t value;

    for (unsigned i = 1; i < number; i++) {
        while (!ends_field(*field))
            field++;
        field = skip_blanks(field);
    }
    rest = take_u64(field, &value);
    return rest && ends_field(*rest) ? value : VALUE_UNKNOWN;
}

uint64_t
procfile_count_list(const char *text)
{
    uint64_t count = 0;
    uint64_t first = 0;
    uint64_t last;

    if (*text == '\0' || *text == '\n')
        return 0;
    for (;; text++) {
        text = take_u64(text, &first);
        last = first;
        if (text && *text == '-')
            text = take_u64(text + 1, &last);
        if (!text || last < first)
            return VALUE_UNKNOWN;
        count = sat_add(count, sat_add(last - first, 1));
        if (*text != ',')
            return ends_field(*text) ? count : VALUE_UNKNOWN;
    }
}

uint64_t
procfile_stat_field(const char *stat, unsigned number)
{
    const char *name_end = strrchr(stat, ')');

    assert(number >= 4);
    /* Field 2 is the name; only blanks and numbers and one letter come after it. */
    return name_end ? procfile_field(name_end + 1, number - 2) : VALUE_UNKNOWN;
}

bool
procfile_stat_is_named(const char *stat, const char *comm)
{
    const char *name = strchr(stat, '(');
    const char *name_end = strrchr(stat, ')');
    size_t length = strlen(comm);

    return name && name_end == name + 1 + length && strncmp(name + 1, comm, length) == 0;
}

int
procfile_open_pid(int root_fd, pid_t pid)
{
    char path[PROCFILE_NUMBER_BYTES];

    if (pid <= 0)
        return -1;
    snprintf(path, sizeof(path), "proc/%ld", (long)pid);
    return openat(root_fd, path, PID_DIR_FLAGS);
}

static DIR *
open_proc(int root_fd)
{
    int fd = openat(root_fd, "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *proc = fd < 0 ? NULL : fdopendir(fd);

    if (!proc && fd >= 0)
        close(fd);
    return proc;
}

int
procfile_find_pid(int root_fd, ProcfileMatch match, void *data, pid_t *ret_pid)
{
    DIR *proc = open_proc(root_fd);
    const struct dirent *entry;
    int found_fd = -1;

    while (proc && found_fd < 0 && (entry = readdir(proc))) {
        uint64_t pid;
        int fd;

        if (!procfile_parse_u64(entry->d_name, &pid) || pid == 0 || pid > INT_MAX)
            continue;
        fd = openat(dirfd(proc), entry->d_name, PID_DIR_FLAGS);
        if (fd >= 0 && match(fd, data)) {
            *ret_pid = (pid_t)pid;
            found_fd = fd;
        } else if (fd >= 0) {
            close(fd);
        }
    }
    if (proc)
        closedir(proc);
    return found_fd;
}
