/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup.c - the memory cgroup of a domain, where the host has version 2
 *
 * QEMU itself runs in a group below that of its domain ("libvirt/emulator"), so the path is cut
 * behind the part that is the domain's: "machine-qemu\x2d1\x2dNAME.scope", or without systemd
 * "qemu-1-NAME.libvirt-qemu".
 */
#define _GNU_SOURCE

#include "agent/facts/cgroup.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "policy/arith.h"

#define MOUNT_POINT "sys/fs/cgroup"
/* A line for each hierarchy of version 1, with a path each. */
#define CGROUP_BYTES 16384
/* About 1.5 KiB in Linux 6.18. */
#define STAT_BYTES 16384
/* The line of version 2. */
#define V2_LINE "0::"

bool
cgroup_is_v2(int root_fd)
{
    return faccessat(root_fd, MOUNT_POINT "/cgroup.controllers", F_OK, 0) == 0;
}

static bool
is_domains(const char *name)
{
    return g_str_has_suffix(name, ".libvirt-qemu") ||
           (g_str_has_prefix(name, "machine-qemu") && g_str_has_suffix(name, ".scope"));
}

/* The path up to the part that is a domain's; NULL: there is none, or it leads outside. */
static char *
cut_behind_domain(const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    g_autoptr(GString) cut = g_string_new(NULL);

    for (size_t i = 0; names[i] && !g_str_equal(names[i], ".."); i++) {
        g_string_append_printf(cut, "%s%s", i > 0 ? "/" : "", names[i]);
        if (is_domains(names[i]))
            return g_strdup(cut->str);
    }
    return NULL;
}

char *
cgroup_find(const Process *process)
{
    char text[CGROUP_BYTES];
    g_auto(GStrv) lines = NULL;

    if (process->pid == 0 ||
        procfile_read_text(process->dir_fd, "cgroup", text, sizeof(text)) != PROCFILE_READ)
        return NULL;
    lines = g_strsplit(text, "\n", -1);
    for (size_t i = 0; lines[i]; i++)
        if (g_str_has_prefix(lines[i], V2_LINE))
            return cut_behind_domain(lines[i] + strlen(V2_LINE));
    return NULL;
}

void
cgroup_read_zswap(int root_fd, const char *cgroup, CgroupZswap *ret_zswap)
{
    g_autofree char *path = g_strconcat(MOUNT_POINT, cgroup, "/memory.stat", NULL);
    char stat[STAT_BYTES];

    if (!cgroup || procfile_read_text(root_fd, path, stat, sizeof(stat)) != PROCFILE_READ)
        stat[0] = '\0';
    *ret_zswap = (CgroupZswap){
        .zswapped_bytes = procfile_key_u64(stat, "zswapped"),
        .zswap_bytes = procfile_key_u64(stat, "zswap"),
    };
}
