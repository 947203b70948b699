/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * psi_trigger.c - to be woken by the kernel when memory is waited for
 *
 * A trigger is a line written to a pressure file: "some 100000 1000000" wakes whoever polls that
 * very descriptor when tasks have waited for 100 ms within any second. The kernel cuts off the last
 * byte of what is written, so it is a NUL.
 *
 * Source: kernel/sched/psi.c, psi_write(), psi_trigger_poll()
 */
/* needs: write /proc/pressure/memory */
#define _GNU_SOURCE
#include "agent/source/psi_trigger.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <linux/magic.h>
#include <stdint.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

struct PsiTrigger {
    int fd;         /* owned; the trigger lives as long as it is open */
    guint watch;    /* GSource; 0: none */
    PsiKind kind;   /* see PsiFile */
    PsiFired fired; /* who is told */
    gpointer user;  /* for fired */
};

/* Shorter ones first: they are told sooner. The last is for those who lack CAP_SYS_RESOURCE. */
static const guint windows_us[] = { 1000000, 2000000 };

/* The kernel's. */
static const char *const words[] = { [PSI_SOME] = "some", [PSI_FULL] = "full" };
G_STATIC_ASSERT(G_N_ELEMENTS(words) == PSI_KIND_COUNT);

/* Return: 0, or an errno. */
static int
write_line(int fd, const PsiFile *file, guint window_us)
{
    g_autofree char *line =
        g_strdup_printf("%s %u %u", words[file->kind], window_us / 100 * file->percent, window_us);
    size_t size = strlen(line) + 1;

    return write(fd, line, size) == (ssize_t)size ? 0 : errno;
}

/* Return: 0, or an errno. */
static int
set_trigger(int fd, const PsiFile *file)
{
    int code = EINVAL;

    for (size_t i = 0; i < G_N_ELEMENTS(windows_us) && (code == EINVAL || code == EPERM); i++)
        code = write_line(fd, file, windows_us[i]);
    return code;
}

static bool
is_kernels(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 &&
           (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC);
}

/* @code: an errno; 0: it is not the kernel's file */
static void
fail(const char *path, int code, GError **error)
{
    bool is_absent = code == 0 || code == ENOENT || code == ENODEV || code == EOPNOTSUPP;

    g_set_error(error, G_FILE_ERROR,
                is_absent ? G_FILE_ERROR_NOENT : (int)g_file_error_from_errno(code),
                "cannot watch %s: %s", path, code == 0 ? "not the kernel's" : g_strerror(code));
}

/* Return: a descriptor that the caller owns; -1 with @error set. */
static int
open_file(const PsiFile *file, GError **error)
{
    int fd = openat(file->dir_fd, file->path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    bool is_right = fd >= 0 && is_kernels(fd);
    int code = fd < 0 ? errno : 0;

    if (is_right)
        code = set_trigger(fd, file);
    if (is_right && code == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    fail(file->path, code, error);
    return -1;
}

static gboolean
on_ready(gint fd, GIOCondition condition, gpointer data)
{
    PsiTrigger *trigger = data;
    bool is_gone = (condition & G_IO_ERR) != 0;

    (void)fd;
    if (is_gone)
        trigger->watch = 0;
    trigger->fired(trigger->kind, is_gone, trigger->user); /* may free it */
    return is_gone ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

PsiTrigger *
psi_trigger_new(const PsiFile *file, PsiFired fired, gpointer user, GError **error)
{
    int fd = open_file(file, error);
    PsiTrigger *trigger;

    if (fd < 0)
        return NULL;
    trigger = g_new(PsiTrigger, 1);
    *trigger = (PsiTrigger){ .fd = fd, .kind = file->kind, .fired = fired, .user = user };
    trigger->watch = g_unix_fd_add(fd, G_IO_PRI | G_IO_ERR, on_ready, trigger);
    return trigger;
}

void
psi_trigger_free(PsiTrigger *trigger)
{
    if (!trigger)
        return;
    g_clear_handle_id(&trigger->watch, g_source_remove);
    close(trigger->fd);
    g_free(trigger);
}
