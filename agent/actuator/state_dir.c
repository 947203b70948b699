/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state_dir.c - one agent for one state directory
 *
 * The lock is on the directory itself, so that nothing is left behind that would have to be told
 * from a lock that is held. A lock of that kind does not say whose it is, but /proc/locks does,
 * except on file systems whose device has another number there, and across namespaces of pids.
 */
#define _GNU_SOURCE
#include "agent/actuator/state_dir.h"

#include "agent/facts/procfile.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* In front of the pid, in the line of a lock that flock() has taken. */
#define LOCK_WORDS "FLOCK  ADVISORY  WRITE "

bool
state_dir_fail(const char *what, const char *path, GError **error)
{
    int code = errno;

    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(code), "cannot %s %s: %s", what,
                path, g_strerror(code));
    return false;
}

/*
 * Who has the lock; 0: cannot be seen.
 *
 * Source: proc(5), "/proc/locks"; fs/locks.c, lock_get_status()
 */
static long
find_holder(int dir_fd)
{
    struct stat status;
    g_autofree char *locks = NULL;
    g_autofree char *place = NULL;
    g_auto(GStrv) lines = NULL;

    if (fstat(dir_fd, &status) < 0 || !g_file_get_contents("/proc/locks", &locks, NULL, NULL))
        return 0;
    place = g_strdup_printf(" %02x:%02x:%" G_GUINT64_FORMAT " ", major(status.st_dev),
                            minor(status.st_dev), (guint64)status.st_ino);
    lines = g_strsplit(locks, "\n", -1);
    for (size_t i = 0; lines[i]; i++) {
        const char *words = strstr(lines[i], LOCK_WORDS);

        if (words && strstr(words, place))
            return strtol(words + strlen(LOCK_WORDS), NULL, 10);
    }
    return 0;
}

bool
state_dir_lock(int dir_fd, const char *dir, const char *advice, GError **error)
{
    g_autofree char *who = NULL;
    long pid;

    if (flock(dir_fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno != EWOULDBLOCK)
        return state_dir_fail("lock", dir, error);
    pid = find_holder(dir_fd);
    who = pid > 0 ? g_strdup_printf(" (pid %ld)", pid) : g_strdup("");
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN, "another virtksmd%s is using %s: %s", who,
                dir, advice);
    return false;
}

int
state_dir_open(const char *dir, GError **error)
{
    int dir_fd;

    if (g_mkdir_with_parents(dir, 0700) < 0) {
        state_dir_fail("create state directory", dir, error);
        return -1;
    }
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        state_dir_fail("open state directory", dir, error);
        return -1;
    }
    if (!procfile_may(dir_fd, ".", W_OK))
        state_dir_fail("write in state directory", dir, error);
    else if (state_dir_lock(dir_fd, dir, "stop it, or choose another state directory", error))
        return dir_fd;
    close(dir_fd);
    return -1;
}
