/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_write.c - what is written so that the kernel counts the use of pages
 *
 * Knobs of the host are written by the actuators alone, by decision of the policy. These writes
 * are of another kind: asking the kernel to age pages, to unmark them or to watch them is the
 * measurement itself.
 */
#define _GNU_SOURCE

#include "agent/facts/working_set_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int
open_existing(int dir_fd, const char *path, int flags)
{
    return openat(dir_fd, path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
}

bool
working_set_write(int dir_fd, const char *path, const char *text, GError **error)
{
    int fd = open_existing(dir_fd, path, O_WRONLY);
    size_t length = strlen(text);
    int failure = errno;
    ssize_t n;

    if (fd < 0)
        return working_set_fail(error, "cannot open %s for writing: %s", path, g_strerror(failure));
    /* Not pwrite(): files of debugfs that are made line by line refuse it. */
    n = write(fd, text, length);
    failure = n < 0 ? errno : EIO;
    close(fd);
    if (n != (ssize_t)length) /* a reason is one line, what is written ends with a newline */
        return working_set_fail(error, "cannot write %.*s to %s: %s", (int)strcspn(text, "\n"),
                                text, path, g_strerror(failure));
    return true;
}

bool
working_set_write_word(int fd, uint64_t offset, uint64_t word)
{
    return pwrite(fd, &word, sizeof(word), (off_t)offset) == (ssize_t)sizeof(word);
}

int
working_set_open_words(int root_fd, const char *path)
{
    return open_existing(root_fd, path, O_RDWR);
}
