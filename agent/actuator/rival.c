/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rival.c - who else on this host writes the settings of KSM
 *
 * The kernel does not say who wrote a file of sysfs. But few programs do it, each is a daemon of
 * a known name, and hardly any host runs two of them.
 */
#define _GNU_SOURCE
#include "agent/actuator/rival.h"

#include "agent/actuator/sysfile.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Programs that write KSM's settings, the likeliest first: tuned stands last because it runs on
 * many hosts where its profile leaves KSM alone. The kernel keeps 15 bytes of a name. */
static const struct {
    const char *comm; /* as in /proc/PID/comm */
    const char *name; /* for people */
} rivals[] = {
    { "ksmtuned", "ksmtuned" },
    { "momd", "MOM (momd)" },
    { "mom-vdsm", "MOM (mom-vdsm)" },
    { "vdsmd", "VDSM (vdsmd)" },
    { "ksm-throttler", "Kata's ksm-throttler" },
    { "kata-ksm-thrott", "Kata's ksm-throttler" },
    { "tuned", "tuned" },
};

static DIR *
open_proc(int root_fd)
{
    int fd = openat(root_fd, "proc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

/* Row of rivals[] that the process called @pid belongs to, or their number. */
static size_t
rival_of(int root_fd, const char *pid)
{
    g_autofree char *path = g_strdup_printf("proc/%s/comm", pid);
    char comm[SYSFILE_TEXT_BYTES];
    size_t row = 0;

    if (sysfile_get_text(root_fd, path, comm, NULL) != APPLY_UNCHANGED)
        return G_N_ELEMENTS(rivals);
    while (row < G_N_ELEMENTS(rivals) && strcmp(comm, rivals[row].comm) != 0)
        row++;
    return row;
}

char *
rival_find(int root_fd)
{
    DIR *dir = open_proc(root_fd);
    size_t best = G_N_ELEMENTS(rivals);
    g_autofree char *best_pid = NULL;
    const struct dirent *entry;

    if (!dir)
        return NULL;
    while ((entry = readdir(dir)) != NULL) {
        size_t row;

        if (!g_ascii_isdigit(entry->d_name[0]))
            continue;
        row = rival_of(root_fd, entry->d_name);
        if (row < best) {
            best = row;
            g_free(best_pid);
            best_pid = g_strdup(entry->d_name);
        }
    }
    closedir(dir);
    return best_pid ? g_strdup_printf("%s (process %s)", rivals[best].name, best_pid) : NULL;
}
