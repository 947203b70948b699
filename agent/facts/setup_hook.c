/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * setup_hook.c - whether libvirt has our hook, and can have seen it
 *
 * libvirt looks for hooks when it starts or reloads, so one that was put there later is not
 * called. When that was is the time of the last change of the file's inode: copying or renaming a
 * file keeps its older modification time.
 */
#define _GNU_SOURCE
#include "agent/facts/setup.h"

#include "agent/config.h"
#include "policy/arith.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a hook of this version has in its file. */
#define MARK "virtksm-hook " VIRTKSM_VERSION
/* What a script that calls it has in its text. */
#define NAME "virtksm"
/* Linked statically it has about 1 MB. */
#define HOOK_MAX_BYTES (INT64_C(8) << 20)
/* The lines of hundreds of processors stand before "btime". */
#define PROC_STAT_BYTES (256u * 1024)
#define START_FIELD     22

/* Daemons that call the QEMU driver's hooks; a host runs one of them. */
static const char *const daemons[] = { "virtqemud", "libvirtd" };

/* The daemon that was found so far. */
typedef struct {
    const char *name; /* static; NULL: none */
    uint64_t ticks;   /* when it started, clock ticks since boot; VALUE_UNKNOWN */
} Found;

/* The file that @st is of. */
static bool
has_bytes(int root_fd, const char *path, const struct stat *st, const void *bytes, size_t size)
{
    size_t most = (size_t)CLAMP(st->st_size, 1, HOOK_MAX_BYTES);
    g_autofree char *content = g_malloc(most);
    size_t length;

    return procfile_read_bytes(root_fd, path, content, most, &length) == PROCFILE_READ &&
           memmem(content, length, bytes, size);
}

/* With its NUL: "0.1.0" begins other versions too. */
static bool
has_mark(int root_fd, const char *path, const struct stat *st)
{
    return has_bytes(root_fd, path, st, MARK, sizeof(MARK));
}

static SetupHook
judge(int root_fd, const char *path, const struct stat *st)
{
    if (!(st->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
        return SETUP_HOOK_NOT_EXECUTABLE;
    return has_mark(root_fd, path, st) ? SETUP_HOOK_OURS : SETUP_HOOK_OTHER;
}

static SetupHook
read_hook(int root_fd, uint64_t *ret_changed_s)
{
    SetupHook hook = SETUP_HOOK_ABSENT;
    struct stat st;

    if (fstatat(root_fd, SETUP_HOOK_PATH, &st, 0) == 0)
        hook = judge(root_fd, SETUP_HOOK_PATH, &st);
    else if (fstatat(root_fd, SETUP_ONLY_HOOK, &st, 0) == 0 &&
             has_bytes(root_fd, SETUP_ONLY_HOOK, &st, NAME, strlen(NAME)))
        hook = has_mark(root_fd, SETUP_ONLY_HOOK, &st) ? judge(root_fd, SETUP_ONLY_HOOK, &st)
                                                       : SETUP_HOOK_SCRIPT;
    *ret_changed_s = hook == SETUP_HOOK_ABSENT ? VALUE_UNKNOWN : (uint64_t)st.st_ctim.tv_sec;
    return hook;
}

static bool
is_daemon(int dir_fd, void *data)
{
    Found *found = data;
    char stat[PROCFILE_STAT_BYTES];

    if (procfile_read_text(dir_fd, "stat", stat, sizeof(stat)) != PROCFILE_READ)
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(daemons) && !found->name; i++) {
        if (procfile_stat_is_named(stat, daemons[i])) {
            found->name = daemons[i];
            found->ticks = procfile_stat_field(stat, START_FIELD);
        }
    }
    return found->name != NULL;
}

/* Source: Documentation/filesystems/proc.rst, "btime": seconds since 1970 at which we booted */
static uint64_t
wall_clock_s(int root_fd, uint64_t ticks)
{
    g_autofree char *stat = g_malloc(PROC_STAT_BYTES);
    uint64_t boot_s = VALUE_UNKNOWN;

    if (procfile_read_text(root_fd, "proc/stat", stat, PROC_STAT_BYTES) == PROCFILE_READ)
        boot_s = procfile_key_u64(stat, "btime");
    if (!is_known(boot_s) || !is_known(ticks))
        return VALUE_UNKNOWN;
    return sat_add(boot_s, ticks / (uint64_t)sysconf(_SC_CLK_TCK));
}

void
setup_read_hook(int root_fd, HostSetup *setup)
{
    Found found = { NULL, VALUE_UNKNOWN };
    pid_t pid;
    int fd = procfile_find_pid(root_fd, is_daemon, &found, &pid);

    if (fd >= 0)
        close(fd);
    setup->hook = read_hook(root_fd, &setup->hook_changed_s);
    setup->libvirtd_started_s = wall_clock_s(root_fd, found.ticks);
    g_strlcpy(setup->libvirtd, found.name ? found.name : "", sizeof(setup->libvirtd));
}
