/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmpressure.c - what a memory cgroup of version 1 tells of its domains: low, medium, critical
 *
 * The kernel looks at how much of what it scanned it could reclaim, and signals an eventfd for each
 * level that is reached: critical wakes those of medium and low as well. So what comes within a few
 * milliseconds is one event, of the worst level that was signalled.
 *
 * Watched is the group that all domains are in. That has a limit of its own where domains are kept
 * out of the rest of the host's memory; pressure of the whole host is what PSI tells. With version
 * 2 there is no such file: PSI alone tells. Where no mechanism of reclaim is enabled and nobody
 * follows working sets, nobody would act on it, and nothing is watched.
 *
 * Source: Documentation/admin-guide/cgroup-v1/memory.rst, "Memory Pressure": the registration is
 * "eventfd, descriptor of memory.pressure_level, level", and is over when the eventfd is closed;
 * the eventfds are signalled once more when the group is removed.
 */
/* needs: write /sys/fs/cgroup/memory */
#define _GNU_SOURCE
#include "agent/agent.h"
#include "agent/facts/cgroup.h"
#include "agent/facts/procfile.h"
#include "agent/log.h"
#include "agent/source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CONTROLLER    CGROUP_MOUNT_POINT "/memory"
#define LEVEL_FILE    "memory.pressure_level"
#define REGISTRY_FILE "cgroup.event_control"

#define RETRY_S       30
/* Signals this close to each other are of one event. */
#define SETTLE_MS 5

struct VmpressureSource {
    Agent *agent;               /* borrowed */
    int dir_fd;                 /* owned; the group that is watched; -1: none is */
    int fds[ALARM_COUNT];       /* owned; eventfds of the levels; -1: none */
    guint watches[ALARM_COUNT]; /* GSources of these; 0: none */
    MemoryAlarm worst;          /* signalled since the last event */
    guint settle;               /* GSource that makes an event of it; 0: nothing was signalled */
    guint retry;                /* GSource of the next attempt; 0: none */
    bool is_absent;             /* this host has no memory cgroups of version 1 */
    char *fault;                /* owned; why nothing is watched; NULL: it is */
};

/* In the order of registration: the kernel goes through them from the last to the first. */
static const char *const level_words[] = {
    [ALARM_LOW] = "low",
    [ALARM_MEDIUM] = "medium",
    [ALARM_CRITICAL] = "critical",
};
G_STATIC_ASSERT(G_N_ELEMENTS(level_words) == ALARM_COUNT);

/* What libvirt makes for machines, with systemd and without. */
static const char *const groups[] = { CONTROLLER "/machine.slice", CONTROLLER "/machine" };

static void start(VmpressureSource *self);

static gboolean
try_again(gpointer data)
{
    VmpressureSource *self = data;

    self->retry = 0;
    start(self);
    return G_SOURCE_REMOVE;
}

static void
stop(VmpressureSource *self)
{
    g_clear_handle_id(&self->settle, g_source_remove);
    for (MemoryAlarm level = ALARM_LOW; level < ALARM_COUNT; level++) {
        g_clear_handle_id(&self->watches[level], g_source_remove);
        if (self->fds[level] >= 0)
            close(self->fds[level]);
        self->fds[level] = -1;
    }
    if (self->dir_fd >= 0)
        close(self->dir_fd);
    self->dir_fd = -1;
    self->worst = ALARM_NONE;
}

/* Takes over @why. */
static void
give_up_for_now(VmpressureSource *self, char *why)
{
    stop(self);
    if (g_strcmp0(self->fault, why) != 0)
        log_debug("vmpressure: %s", why);
    g_free(self->fault);
    self->fault = why;
    self->retry = g_timeout_add_seconds(RETRY_S, try_again, self);
}

static gboolean
settled(gpointer data)
{
    VmpressureSource *self = data;
    MemoryAlarm worst = self->worst;

    self->settle = 0;
    self->worst = ALARM_NONE;
    if (!procfile_may(self->dir_fd, LEVEL_FILE, F_OK))
        give_up_for_now(self, g_strdup("the cgroup of the domains has been removed"));
    else
        event_memory_alarm(self->agent, vmpressure_source.name, worst);
    return G_SOURCE_REMOVE;
}

static gboolean
on_signal(gint fd, GIOCondition condition, gpointer data)
{
    VmpressureSource *self = data;
    uint64_t count;

    (void)condition;
    if (read(fd, &count, sizeof(count)) != sizeof(count))
        return G_SOURCE_CONTINUE;
    for (MemoryAlarm level = ALARM_LOW; level < ALARM_COUNT; level++)
        if (self->fds[level] == fd)
            self->worst = MAX(self->worst, level);
    if (self->settle == 0)
        self->settle = g_timeout_add(SETTLE_MS, settled, self);
    return G_SOURCE_CONTINUE;
}

static bool
is_kernels(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP_SUPER_MAGIC;
}

/* Return: whether the kernel will signal @eventfd; errno says why not. */
static bool
enrol(int registry_fd, int level_fd, int eventfd, const char *word)
{
    g_autofree char *line = g_strdup_printf("%d %d %s", eventfd, level_fd, word);

    return write(registry_fd, line, strlen(line)) == (ssize_t)strlen(line);
}

static bool
watch_level(VmpressureSource *self, MemoryAlarm level, int registry_fd, int level_fd)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    self->fds[level] = fd;
    if (fd < 0 || !enrol(registry_fd, level_fd, fd, level_words[level]))
        return false;
    self->watches[level] = g_unix_fd_add(fd, G_IO_IN, on_signal, self);
    return true;
}

/* Return: whether all levels are watched; errno says why not. */
static bool
watch_levels(VmpressureSource *self)
{
    int registry_fd = openat(self->dir_fd, REGISTRY_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    int level_fd = openat(self->dir_fd, LEVEL_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok = registry_fd >= 0 && level_fd >= 0;
    int code;

    for (MemoryAlarm level = ALARM_LOW; level < ALARM_COUNT && ok; level++)
        ok = watch_level(self, level, registry_fd, level_fd);
    code = errno;
    if (registry_fd >= 0)
        close(registry_fd);
    if (level_fd >= 0)
        close(level_fd);
    errno = code;
    return ok;
}

static void
start(VmpressureSource *self)
{
    for (size_t i = 0; i < G_N_ELEMENTS(groups) && self->dir_fd < 0; i++)
        self->dir_fd = openat(self->agent->root_fd, groups[i],
                              O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (self->dir_fd < 0)
        give_up_for_now(self, g_strdup("libvirt has made no cgroup for domains yet"));
    else if (!is_kernels(self->dir_fd))
        give_up_for_now(self, g_strdup("the cgroup of the domains is not the kernel's"));
    else if (!watch_levels(self))
        give_up_for_now(self, g_strdup_printf("cannot watch the cgroup of the domains: %s",
                                              g_strerror(errno)));
    else
        g_clear_pointer(&self->fault, g_free);
}

static void
source_open(Agent *agent)
{
    VmpressureSource *self;

    if (!event_alarm_matters(agent))
        return;
    self = g_new0(VmpressureSource, 1);
    self->agent = agent;
    self->dir_fd = -1;
    for (MemoryAlarm level = 0; level < ALARM_COUNT; level++)
        self->fds[level] = -1;
    self->is_absent = !procfile_may(agent->root_fd, CONTROLLER "/" REGISTRY_FILE, F_OK);
    if (self->is_absent)
        self->fault = g_strdup("no memory cgroups of version 1");
    else
        start(self);
    agent->vmpressure = self; /* the agent holds it until source_close() */
}

static void
source_close(Agent *agent)
{
    VmpressureSource *self = g_steal_pointer(&agent->vmpressure);

    if (!self)
        return;
    stop(self);
    g_clear_handle_id(&self->retry, g_source_remove);
    g_free(self->fault);
    g_free(self);
}

static void
source_adopt(Agent *agent)
{
    if (!event_alarm_matters(agent))
        source_close(agent);
    else if (!agent->vmpressure)
        source_open(agent);
}

static SourceState
source_state(const Agent *agent, const char **ret_detail)
{
    const VmpressureSource *self = agent->vmpressure;

    if (!self) {
        if (!event_alarm_matters(agent))
            *ret_detail = SOURCE_NO_MATTER;
        return SOURCE_CLOSED;
    }
    *ret_detail = self->fault;
    if (self->is_absent)
        return SOURCE_CLOSED;
    return self->fault ? SOURCE_WAITING : SOURCE_OPEN;
}

const Source vmpressure_source = { "vmpressure", source_open, source_close, source_adopt,
                                   source_state };
