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

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* libvirt writes -uuid behind the machine, CPU, memory and NUMA arguments: some KiB at most. */
#define CMDLINE_BYTES (64 * 1024)
/* One number; a longer file is none of libvirt's. */
#define PID_FILE_BYTES 64
/* Where the libvirt of the system writes them. */
#define SYSTEM_DIR "run/libvirt/qemu"

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

/* The process that a pid file names, if it is the wanted one: its directory, or -1. */
static int
open_by_pid_file(int root_fd, const char *path, Wanted *wanted, pid_t *ret_pid)
{
    char text[PID_FILE_BYTES];
    uint64_t pid;
    int dir_fd;

    if (procfile_read_text(root_fd, path, text, sizeof(text)) != PROCFILE_READ ||
        !procfile_parse_u64(text, &pid) || pid > INT_MAX)
        return -1;
    dir_fd = procfile_open_pid(root_fd, (pid_t)pid);
    if (dir_fd < 0)
        return -1;
    if (!is_wanted(dir_fd, wanted)) {
        close(dir_fd);
        return -1;
    }
    *ret_pid = (pid_t)pid;
    return dir_fd;
}

/* Tries the pid file of the system daemon, then that of a session daemon. */
static int
open_by_name(int root_fd, const char *name, Wanted *wanted, pid_t *ret_pid)
{
    const char *session = g_getenv("XDG_RUNTIME_DIR");
    const char *const prefixes[] = { "/" SYSTEM_DIR, session };
    const char *const suffixes[] = { "", "/libvirt/qemu/run" };
    int dir_fd = -1;

    /* With a slash it would not be a name in these directories; libvirt allows none either. */
    if (strchr(name, '/'))
        return -1;
    for (size_t i = 0; i < G_N_ELEMENTS(prefixes) && dir_fd < 0; i++) {
        const char *below_root = prefixes[i] ? g_path_skip_root(prefixes[i]) : NULL;
        g_autofree char *path = NULL;

        if (!below_root)
            continue;
        path = g_strconcat(below_root, suffixes[i], "/", name, ".pid", NULL);
        dir_fd = open_by_pid_file(root_fd, path, wanted, ret_pid);
    }
    return dir_fd;
}

/* Whether libvirt has begun no QEMU for it: the directory is there, and no file of that name. */
static bool
is_to_come(int root_fd, const char *name)
{
    g_autofree char *path = g_strconcat(SYSTEM_DIR "/", name, ".pid", NULL);

    return faccessat(root_fd, SYSTEM_DIR, F_OK, 0) == 0 && faccessat(root_fd, path, F_OK, 0) < 0 &&
           errno == ENOENT;
}

bool
process_find(int root_fd, const ProcessWanted *whose, Process *ret_process, GError **error)
{
    g_autofree char *cmdline = g_malloc(CMDLINE_BYTES);
    Wanted wanted = { whose->uuid, cmdline };
    pid_t pid = 0;
    int dir_fd;

    if (!g_uuid_string_is_valid(whose->uuid)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "'%s' is not a uuid",
                    whose->uuid);
        return false;
    }
    if (whose->is_systems && is_to_come(root_fd, whose->name)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "libvirt has no pid file of %s yet",
                    whose->name);
        return false;
    }
    dir_fd = open_by_name(root_fd, whose->name, &wanted, &pid);
    if (dir_fd < 0)
        dir_fd = procfile_find_pid(root_fd, is_wanted, &wanted, &pid);
    if (dir_fd < 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "no process was started with -uuid %s",
                    whose->uuid);
        return false;
    }
    *ret_process = (Process){ .pid = pid, .dir_fd = dir_fd }; /* the caller owns it from here */
    return true;
}
