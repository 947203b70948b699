/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* setup.c - small files that say how a host is set up */
#include "agent/facts/setup.h"

#include "agent/facts/cgroup.h"
#include "agent/facts/working_set_backend.h"
#include "policy/arith.h"

#include <glib.h>
#include <string.h>
#include <unistd.h>

/* "0-3,8-11", or a few words. */
#define LINE_BYTES 1024
/* The flags of the first processor end within 3 KiB; thousands of processors may follow. */
#define CPUINFO_BYTES 8192

/* The word in brackets: "always [madvise] never". */
static void
read_chosen(int root_fd, const char *path, char word[SETUP_WORD_BYTES])
{
    char text[LINE_BYTES];

    word[0] = '\0';
    if (procfile_read_text(root_fd, path, text, sizeof(text)) == PROCFILE_READ &&
        procfile_choose(text))
        g_strlcpy(word, text, SETUP_WORD_BYTES);
}

static void
read_line(int root_fd, const char *path, char word[SETUP_WORD_BYTES])
{
    char text[LINE_BYTES];

    word[0] = '\0';
    if (procfile_read_text(root_fd, path, text, sizeof(text)) == PROCFILE_READ)
        g_strlcpy(word, g_strstrip(text), SETUP_WORD_BYTES);
}

static uint64_t
read_nodes(int root_fd)
{
    char list[LINE_BYTES];

    if (procfile_read_text(root_fd, "sys/devices/system/node/online", list, sizeof(list)) !=
        PROCFILE_READ)
        return VALUE_UNKNOWN;
    return procfile_count_list(list);
}

static uint64_t
read_balancing(int root_fd)
{
    char text[LINE_BYTES];
    guint64 value;

    if (procfile_read_text(root_fd, "proc/sys/kernel/numa_balancing", text, sizeof(text)) !=
            PROCFILE_READ ||
        !g_ascii_string_to_unsigned(g_strstrip(text), 10, 0, UINT32_MAX, &value, NULL))
        return VALUE_UNKNOWN;
    return value;
}

static bool
is_numad(int dir_fd, void *data)
{
    char comm[SETUP_WORD_BYTES];

    (void)data;
    return procfile_read_text(dir_fd, "comm", comm, sizeof(comm)) == PROCFILE_READ &&
           strcmp(g_strstrip(comm), "numad") == 0;
}

static bool
find_numad(int root_fd)
{
    pid_t pid;
    int fd = procfile_find_pid(root_fd, is_numad, NULL, &pid);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static uint64_t
read_swap(int root_fd)
{
    char meminfo[PROCFILE_MEMINFO_BYTES];

    if (procfile_read_text(root_fd, "proc/meminfo", meminfo, sizeof(meminfo)) != PROCFILE_READ)
        return VALUE_UNKNOWN;
    return procfile_key_bytes(meminfo, "SwapTotal");
}

static bool
has_word(const char *text, const char *word)
{
    g_auto(GStrv) words = g_strsplit_set(text, " \t\n", -1);

    return g_strv_contains((const char *const *)words, word);
}

static SetupCgroup
read_cgroup(int root_fd)
{
    char controllers[LINE_BYTES];

    if (procfile_read_text(root_fd, CGROUP_MOUNT_POINT "/cgroup.controllers", controllers,
                           sizeof(controllers)) == PROCFILE_READ &&
        has_word(controllers, "memory"))
        return SETUP_CGROUP_V2;
    if (procfile_may(root_fd, CGROUP_MOUNT_POINT "/memory/memory.usage_in_bytes", F_OK))
        return SETUP_CGROUP_V1;
    return SETUP_CGROUP_NONE;
}

static bool
read_lru_gen_hidden(int root_fd)
{
    char word[LINE_BYTES];

    return procfile_read_text(root_fd, "sys/kernel/mm/lru_gen/enabled", word, sizeof(word)) ==
               PROCFILE_READ &&
           (g_ascii_strtoull(word, NULL, 16) & 1) != 0 &&
           !procfile_may(root_fd, "sys/kernel/debug/lru_gen", F_OK);
}

static bool
read_is_guest(int root_fd)
{
    char cpuinfo[CPUINFO_BYTES];
    size_t length;
    char *flags;
    char *end;

    if (procfile_read_bytes(root_fd, "proc/cpuinfo", cpuinfo, sizeof(cpuinfo) - 1, &length) !=
        PROCFILE_READ)
        return false;
    cpuinfo[length] = '\0';
    flags = strstr(cpuinfo, "\nflags");
    end = flags ? strchr(flags + 1, '\n') : NULL;
    if (end)
        *end = '\0';
    return flags && has_word(flags + 1, "hypervisor");
}

void
setup_read(int root_fd, HostSetup *ret_setup)
{
    char pressure[LINE_BYTES];

    *ret_setup = (HostSetup){ 0 };
    ret_setup->numa_nodes = read_nodes(root_fd);
    ret_setup->numa_balancing = read_balancing(root_fd);
    ret_setup->has_numad = find_numad(root_fd);
    read_chosen(root_fd, "sys/kernel/mm/transparent_hugepage/enabled", ret_setup->thp);
    ret_setup->swap_bytes = read_swap(root_fd);
    ret_setup->pressure =
        procfile_read_text(root_fd, "proc/pressure/memory", pressure, sizeof(pressure));
    ret_setup->cgroup = read_cgroup(root_fd);
    ret_setup->lru_gen_hidden = read_lru_gen_hidden(root_fd);
    ret_setup->damon_user = working_set_damon_user(root_fd);
    ret_setup->is_guest = read_is_guest(root_fd);
    read_line(root_fd, "sys/class/dmi/id/product_name", ret_setup->product);
    ret_setup->has_rival = rival_look(root_fd, &ret_setup->rival);
    setup_read_hook(root_fd, ret_setup);
}
