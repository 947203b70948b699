/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process_find.c - which process is the QEMU of a domain
 *
 * The proof is the argument pair "-uuid", UUID, which libvirt gives to every QEMU it starts. Any
 * local user can start a program with such arguments, and any QEMU can take them on. So the pid
 * files of libvirt come first, and where they are, a domain of libvirt's that has none has no QEMU
 * yet. Where there are none to be had (a container without /run/libvirt, or with processes of its
 * own), whoever fools the search has a program of his own looked at in the place of the domain's
 * QEMU: its figures in reports, and with [tenancy] enforce, its mappings, by which the domain may
 * count as switched off.
 *
 * Each candidate is opened before it is looked at, so what was proved holds for what is returned.
 */
#define _GNU_SOURCE
#include "agent/facts/process.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* libvirt writes -uuid behind the machine, CPU, memory and NUMA arguments: some KiB at most. */
#define CMDLINE_BYTES (64 * 1024)
/* One number; a longer file is none of libvirt's. */
#define PID_FILE_BYTES 64

/* What a search is after. */
typedef struct {
    const char *uuid; /* borrowed */
    char *cmdline;    /* borrowed; CMDLINE_BYTES */
} Wanted;

/* The argument after @text, both within @end; NULL if @text is the last or is cut off. */
static const char *
next_argument(const char *text, const char *end)
{
    const char *nul = memchr(text, '\0', (size_t)(end - text));

    return nul && nul + 1 < end ? nul + 1 : NULL;
}

/* Whether arguments that are separated by NUL have "-uuid" followed by @uuid. */
static bool
has_uuid(const char *cmdline, size_t length, const char *uuid)
{
    const char *end = cmdline + length;
    const char *argument = length > 0 ? cmdline : NULL;

    while (argument) {
        const char *value = next_argument(argument, end);

        /* A value without its NUL within the buffer is cut off: it proves nothing. */
        if (value && memchr(value, '\0', (size_t)(end - value)) && strcmp(argument, "-uuid") == 0 &&
            g_ascii_strcasecmp(value, uuid) == 0)
            return true;
        argument = value;
    }
    return false;
}

static bool
is_wanted(int dir_fd, void *data)
{
    const Wanted *wanted = data;
    size_t length;

    if (procfile_read_bytes(dir_fd, "cmdline", wanted->cmdline, CMDLINE_BYTES, &length) !=
        PROCFILE_READ)
        return false;
    return has_uuid(wanted->cmdline, length, wanted->uuid);
}

/* The process of that number, if it is the wanted one: its directory, or -1. */
static int
open_wanted(int root_fd, uint64_t pid, Wanted *wanted)
{
    int dir_fd = pid <= INT_MAX ? procfile_open_pid(root_fd, (pid_t)pid) : -1;

    if (dir_fd >= 0 && !is_wanted(dir_fd, wanted)) {
        close(dir_fd);
        dir_fd = -1;
    }
    return dir_fd;
}

/* What the pid files of a domain say. */
typedef struct {
    int dir_fd;    /* of the process; -1: they name none that is the wanted one */
    pid_t pid;     /* of it */
    bool has_dir;  /* a directory of libvirt's for them is there */
    bool has_file; /* there is one of the domain, whatever it says */
} Named;

/* @dir: where pid files are; NULL or no path from the root: nowhere */
static void
look_in(int root_fd, const char *dir, const char *name, Wanted *wanted, Named *named)
{
    const char *below_root = dir ? g_path_skip_root(dir) : NULL;
    g_autofree char *path = NULL;
    char text[PID_FILE_BYTES];
    ProcfileResult result;
    uint64_t pid;

    if (!below_root || faccessat(root_fd, below_root, F_OK, 0) < 0)
        return;
    path = g_strconcat(below_root, "/", name, ".pid", NULL);
    result = procfile_read_text(root_fd, path, text, sizeof(text));
    named->has_dir = true;
    named->has_file = named->has_file || result != PROCFILE_ABSENT;
    if (result != PROCFILE_READ || !procfile_parse_u64(text, &pid))
        return;
    named->dir_fd = open_wanted(root_fd, pid, wanted);
    named->pid = (pid_t)pid;
}
/* Tries the directory of the system daemon, then that of a session daemon. */
static Named
look_for_name(int root_fd, const char *name, Wanted *wanted)
{
    const char *runtime = g_getenv("XDG_RUNTIME_DIR");
    g_autofree char *session =
        g_strconcat(runtime ? runtime : g_get_user_cache_dir(), "/libvirt/qemu/run", NULL);
    const char *const dirs[] = { "/run/libvirt/qemu", session };
    Named named = { .dir_fd = -1 };

    /* With a slash it would not be a name in these directories; libvirt allows none either. */
    if (strchr(name, '/'))
        return named;
    for (size_t i = 0; i < G_N_ELEMENTS(dirs) && named.dir_fd < 0; i++)
        look_in(root_fd, dirs[i], name, wanted, &named);
    return named;
}

bool
process_find(int root_fd, const ProcessWanted *whose, Process *ret_process, GError **error)
{
    g_autofree char *cmdline = g_malloc(CMDLINE_BYTES);
    Wanted wanted = { whose->uuid, cmdline };
    Named named;

    if (!g_uuid_string_is_valid(whose->uuid)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "'%s' is not a uuid",
                    whose->uuid);
        return false;
    }
    named = look_for_name(root_fd, whose->name, &wanted);
    if (named.dir_fd < 0 && whose->is_libvirts && named.has_dir && !named.has_file) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "libvirt has no pid file of %s yet",
                    whose->name);
        return false;
    }
    if (named.dir_fd < 0)
        named.dir_fd = procfile_find_pid(root_fd, is_wanted, &wanted, &named.pid);
    if (named.dir_fd < 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "no process was started with -uuid %s",
                    whose->uuid);
        return false;
    }
    /* the caller owns it from here */
    *ret_process = (Process){ .pid = named.pid, .dir_fd = named.dir_fd };
    return true;
}
