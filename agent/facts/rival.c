/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rival.c - who else on this host writes the settings of KSM
 *
 * The kernel does not say who wrote a file of sysfs. But few programs do it, each is a daemon of
 * a known name, and hardly any host runs two of them.
 */
#define _GNU_SOURCE
#include "agent/facts/rival.h"

#include "agent/facts/procfile.h"

#include <glib.h>
#include <string.h>
#include <unistd.h>

/* The kernel keeps 15 bytes of a name. */
#define COMM_BYTES 64

/* Programs that write KSM's settings, the likeliest first: tuned stands last because it runs on
 * many hosts where its profile leaves KSM alone. */
static const Rival rivals[] = {
    { "ksmtuned", "ksmtuned", 0, false },
    { "momd", "MOM (momd)", 0, false },
    { "mom-vdsm", "MOM (mom-vdsm)", 0, false },
    { "vdsmd", "VDSM (vdsmd)", 0, false },
    { "ksm-throttler", "Kata's ksm-throttler", 0, false },
    { "kata-ksm-thrott", "Kata's ksm-throttler", 0, false },
    { "tuned", "tuned", 0, true },
};

static bool
read_comm(int dir_fd, char comm[COMM_BYTES])
{
    if (procfile_read_text(dir_fd, "comm", comm, COMM_BYTES) != PROCFILE_READ)
        return false;
    g_strchomp(comm);
    return true;
}

/* @data: the lowest row seen so far, size_t. */
static bool
note_best(int dir_fd, void *data)
{
    size_t *best = data;
    char comm[COMM_BYTES];

    if (!read_comm(dir_fd, comm))
        return false;
    for (size_t row = 0; row < *best; row++)
        if (strcmp(comm, rivals[row].comm) == 0)
            *best = row;
    return false; /* to the end: a likelier one may follow */
}

/* @data: the name. */
static bool
is_named(int dir_fd, void *data)
{
    char comm[COMM_BYTES];

    return read_comm(dir_fd, comm) && strcmp(comm, data) == 0;
}

bool
rival_look(int root_fd, Rival *ret_rival)
{
    size_t best = G_N_ELEMENTS(rivals);
    char comm[COMM_BYTES];
    pid_t pid;
    int fd;

    procfile_find_pid(root_fd, note_best, &best, &pid);
    if (best == G_N_ELEMENTS(rivals))
        return false;
    g_strlcpy(comm, rivals[best].comm, sizeof(comm));
    fd = procfile_find_pid(root_fd, is_named, comm, &pid);
    if (fd < 0)
        return false;
    close(fd);
    *ret_rival = rivals[best];
    ret_rival->pid = pid;
    return true;
}

char *
rival_find(int root_fd)
{
    Rival rival;

    if (!rival_look(root_fd, &rival))
        return NULL;
    return g_strdup_printf("%s (process %ld)", rival.name, (long)rival.pid);
}
