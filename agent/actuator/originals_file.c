/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * originals_file.c - the file of the record: its frame, and how it is read without being trusted
 *
 * The checksum tells a whole file of ours from half of one and from what somebody has edited. What
 * has our name but is no plain file, a pipe that would let us wait or a link to somebody else's
 * file, is not read.
 */
#define _GNU_SOURCE
#include "agent/actuator/originals_file.h"

#include "agent/actuator/state_dir.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUM_PREFIX "# sha256 "
/* "# sha256 ", the digits, the newline. */
#define SUM_LINE_BYTES (sizeof(SUM_PREFIX) - 1 + 64 + 1)
/* Some hundred bytes for each domain: far more than any host has. */
#define MOST_BYTES (16 << 20)

char *
originals_file_seal(const char *text)
{
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);

    return g_strconcat(text, SUM_PREFIX, sum, "\n", NULL);
}

const char *
originals_file_fault(const char *text, gsize len)
{
    g_autofree char *sum = NULL;
    const char *line;

    if (len == 0)
        return "the file is empty";
    if (len < SUM_LINE_BYTES || text[len - 1] != '\n')
        return "the end is missing";
    line = text + len - SUM_LINE_BYTES;
    if (strncmp(line, SUM_PREFIX, sizeof(SUM_PREFIX) - 1) != 0)
        return "the last line is not a checksum";
    sum =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text, len - SUM_LINE_BYTES);
    if (strncmp(line + sizeof(SUM_PREFIX) - 1, sum, 64) != 0)
        return "the checksum does not match";
    return NULL;
}

static int
open_plain(const char *path, gsize *ret_len, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0) {
        state_dir_fail("open", path, error);
    } else if (!S_ISREG(status.st_mode) || status.st_size > MOST_BYTES) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s is no file of ours: not read",
                    path);
    } else {
        *ret_len = (gsize)status.st_size;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

bool
originals_file_read(const char *path, char **ret_text, gsize *ret_len, GError **error)
{
    gsize len = 0;
    int fd = open_plain(path, &len, error);
    g_autofree char *text = NULL;
    ssize_t n;

    if (fd < 0)
        return false;
    text = g_malloc(len + 1);
    n = read(fd, text, len);
    if (n < 0)
        state_dir_fail("read", path, error);
    close(fd);
    if (n < 0)
        return false;
    text[n] = '\0';
    *ret_len = (gsize)n;
    *ret_text = g_steal_pointer(&text); /* the caller owns it from here */
    return true;
}

/* Whether @name is that of a file half written: "originals." and six capitals or digits. */
static bool
is_cut_write(const char *name)
{
    const char *end = name + sizeof(ORIGINALS_FILE ".") - 1;

    return g_str_has_prefix(name, ORIGINALS_FILE ".") && strlen(end) == 6 &&
           strspn(end, G_CSET_A_2_Z G_CSET_DIGITS) == 6;
}

/*
 * Removes what writers that were killed have left beside the file. The directory is ours alone by
 * now, so nobody is still writing one. What cannot be removed is never read, and no reason to stop.
 *
 * Source: g_file_set_contents_full() and g_mkstemp(), names of temporary files
 */
void
originals_file_sweep(const char *path, int dir_fd)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        if (is_cut_write(name))
            unlinkat(dir_fd, name, 0);
}
