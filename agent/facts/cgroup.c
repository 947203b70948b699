/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup.c - the memory cgroup of a domain
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

#include "agent/facts/stall.h"
#include "policy/arith.h"
#include "policy/sample.h"

#define MOUNT_POINT_V1 CGROUP_MOUNT_POINT "/memory"
/* A line for each hierarchy of version 1, with a path each. */
#define CGROUP_BYTES 16384
/* About 1.5 KiB in Linux 6.18. */
#define STAT_BYTES 16384
/* Six lines in Linux 6.18. */
#define EVENTS_BYTES 1024
/* What libvirt makes below a scope of systemd. */
#define OWN_GROUP "libvirt"
/* Counters of the kernel hold no more: pages of a signed long, in bytes. */
#define MOST_BYTES ((uint64_t)INT64_MAX)
/* What is written where there is no limit. */
#define NO_LIMIT         "max"
#define LIMIT_TEXT_BYTES 32

bool
cgroup_is_v2(int root_fd)
{
    return procfile_may(root_fd, CGROUP_MOUNT_POINT "/cgroup.controllers", F_OK);
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

/* Whether version 1 has the memory controller in the hierarchy of "cpuset,memory". */
static bool
has_memory(const char *controllers)
{
    g_auto(GStrv) names = g_strsplit(controllers, ",", -1);

    return g_strv_contains((const char *const *)names, "memory");
}

/* The path on a line "4:cpuset,memory:/machine"; NULL: the line is of another hierarchy. */
static const char *
path_on(const char *line, CgroupVersion version)
{
    g_auto(GStrv) fields = g_strsplit(line, ":", 3);

    if (g_strv_length(fields) < 3 || fields[0][0] == '\0')
        return NULL;
    if (version == CGROUP_V2 ? fields[1][0] != '\0' : !has_memory(fields[1]))
        return NULL;
    return line + strlen(fields[0]) + strlen(fields[1]) + 2;
}

char *
cgroup_find(const Process *process, CgroupVersion version)
{
    char text[CGROUP_BYTES];
    g_auto(GStrv) lines = NULL;

    if (process->pid == 0 ||
        procfile_read_text(process->dir_fd, "cgroup", text, sizeof(text)) != PROCFILE_READ)
        return NULL;
    lines = g_strsplit(text, "\n", -1);
    for (size_t i = 0; lines[i]; i++) {
        const char *path = path_on(lines[i], version);

        if (path)
            return cut_behind_domain(path);
    }
    return NULL;
}

/* Return: descriptor of a group with the file @probe in it, owned by the caller; -1. */
static int
open_group(int dir_fd, const char *path, const char *probe)
{
    int fd = openat(dir_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0 && procfile_may(fd, probe, F_OK))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static const char *
usage_file(CgroupVersion version)
{
    return version == CGROUP_V2 ? "memory.current" : "memory.usage_in_bytes";
}

int
cgroup_open_path(int root_fd, CgroupVersion version, const char *path)
{
    g_autofree char *full =
        g_strconcat(version == CGROUP_V2 ? CGROUP_MOUNT_POINT : MOUNT_POINT_V1, path, NULL);

    return open_group(root_fd, full, usage_file(version));
}

bool
cgroup_open(Cgroup *cgroup, int root_fd, const Process *process)
{
    CgroupVersion version = cgroup_is_v2(root_fd) ? CGROUP_V2 : CGROUP_V1;
    g_autofree char *path = cgroup_find(process, version);
    int scope_fd = path ? cgroup_open_path(root_fd, version, path) : -1;
    int own_fd = scope_fd >= 0 ? open_group(scope_fd, OWN_GROUP, usage_file(version)) : -1;

    if (scope_fd < 0)
        return false;
    if (own_fd >= 0)
        close(scope_fd);
    *cgroup = (Cgroup){ .version = version,
                        .dir_fd = own_fd >= 0 ? own_fd : scope_fd,
                        .parent = g_path_get_dirname(path) };
    if (version == CGROUP_V2) {
        cgroup->can_reclaim = procfile_may(cgroup->dir_fd, "memory.reclaim", W_OK);
        cgroup->can_limit = procfile_may(cgroup->dir_fd, "memory.high", F_OK);
    }
    return true;
}

void
cgroup_close(Cgroup *cgroup)
{
    if (cgroup->version != CGROUP_NONE)
        close(cgroup->dir_fd);
    g_free(cgroup->parent);
    *cgroup = (Cgroup){ .version = CGROUP_NONE };
}

void
cgroup_sample_clear(CgroupSample *sample)
{
    const uint64_t u = VALUE_UNKNOWN;

    *sample = (CgroupSample){ u, u, u, u, u, u, u, u };
}

/* A figure of bytes in memory.stat. */
static uint64_t
stat_bytes(const char *stat, const char *key)
{
    uint64_t bytes = procfile_key_u64(stat, key);

    return bytes <= MOST_BYTES ? bytes : VALUE_UNKNOWN;
}

static uint64_t
sum(uint64_t a, uint64_t b)
{
    return is_known(a) && is_known(b) ? sat_add(a, b) : VALUE_UNKNOWN;
}

uint64_t
cgroup_limit(int dir_fd, const char *name)
{
    char text[LIMIT_TEXT_BYTES];
    uint64_t bytes;

    if (procfile_read_text(dir_fd, name, text, sizeof(text)) != PROCFILE_READ)
        return VALUE_UNKNOWN;
    if (g_str_equal(g_strchomp(text), NO_LIMIT))
        return LIMIT_NONE;
    return procfile_parse_u64(text, &bytes) && bytes <= MOST_BYTES ? bytes : VALUE_UNKNOWN;
}

static void
read_events(int dir_fd, CgroupSample *sample)
{
    char events[EVENTS_BYTES];

    if (procfile_read_text(dir_fd, "memory.events", events, sizeof(events)) != PROCFILE_READ)
        return;
    sample->high_events = procfile_key_u64(events, "high");
    sample->max_events = procfile_key_u64(events, "max");
    sample->oom_events = sum(procfile_key_u64(events, "oom"), procfile_key_u64(events, "oom_kill"));
}

static void
read_v2(int dir_fd, const char *stat, CgroupSample *sample)
{
    sample->bytes = procfile_u64(dir_fd, "memory.current", MOST_BYTES);
    sample->file_bytes = sum(stat_bytes(stat, "active_file"), stat_bytes(stat, "inactive_file"));
    sample->stall_us = stall_us(dir_fd, "memory.pressure");
    sample->refaults = sum(procfile_key_u64(stat, "workingset_refault_anon"),
                           procfile_key_u64(stat, "workingset_refault_file"));
    sample->limit_bytes = cgroup_limit(dir_fd, "memory.high");
    read_events(dir_fd, sample);
}

static void
read_v1(int dir_fd, const char *stat, CgroupSample *sample)
{
    sample->bytes = procfile_u64(dir_fd, "memory.usage_in_bytes", MOST_BYTES);
    sample->file_bytes =
        sum(stat_bytes(stat, "total_active_file"), stat_bytes(stat, "total_inactive_file"));
    sample->refaults = sum(procfile_key_u64(stat, "total_workingset_refault_anon"),
                           procfile_key_u64(stat, "total_workingset_refault_file"));
}

bool
cgroup_read(const Cgroup *cgroup, CgroupSample *sample)
{
    char stat[STAT_BYTES];
    ProcfileResult result = procfile_read_text(cgroup->dir_fd, "memory.stat", stat, sizeof(stat));

    cgroup_sample_clear(sample);
    if (result == PROCFILE_ABSENT || result == PROCFILE_GONE)
        return false;
    if (result != PROCFILE_READ)
        stat[0] = '\0';
    if (cgroup->version == CGROUP_V2)
        read_v2(cgroup->dir_fd, stat, sample);
    else
        read_v1(cgroup->dir_fd, stat, sample);
    return true;
}

uint64_t
cgroup_remnants(const Cgroup *cgroup, uint64_t charged_bytes)
{
    bool is_v1 = cgroup->version == CGROUP_V1;
    char stat[STAT_BYTES];
    uint64_t kernel_bytes;
    uint64_t told_bytes;

    if (procfile_read_text(cgroup->dir_fd, "memory.stat", stat, sizeof(stat)) != PROCFILE_READ)
        return VALUE_UNKNOWN;
    kernel_bytes = is_v1 ? procfile_u64(cgroup->dir_fd, "memory.kmem.usage_in_bytes", MOST_BYTES)
                         : stat_bytes(stat, "kernel");
    told_bytes = sum(kernel_bytes, sum(stat_bytes(stat, is_v1 ? "total_rss" : "anon"),
                                       stat_bytes(stat, is_v1 ? "total_cache" : "file")));
    return is_known(told_bytes) ? sat_sub(charged_bytes, told_bytes) : VALUE_UNKNOWN;
}

void
cgroup_read_zswap(int root_fd, const char *cgroup, CgroupZswap *ret_zswap)
{
    g_autofree char *path = g_strconcat(CGROUP_MOUNT_POINT, cgroup, "/memory.stat", NULL);
    char stat[STAT_BYTES];

    if (!cgroup || procfile_read_text(root_fd, path, stat, sizeof(stat)) != PROCFILE_READ)
        stat[0] = '\0';
    *ret_zswap = (CgroupZswap){
        .zswapped_bytes = procfile_key_u64(stat, "zswapped"),
        .zswap_bytes = procfile_key_u64(stat, "zswap"),
    };
}
