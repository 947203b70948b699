/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* highhost.c - a MemoryHigh on a HoldHost */
#define _GNU_SOURCE
#include "test/support/highhost.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

const char *const highhost_waiting[] = { "/bin/sh", "sh", "-c", "exec cat >/dev/null", NULL };

void
highhost_start(HoldHost *host, HighHost *fixture, const char *const *guard_run)
{
    static const MemoryHighOptions options = { true, 2500 };
    const MemoryHighNeeds needs = { fakeroot_fd(host->root), &host->originals, host->changer,
                                    guard_run };

    fixture->host = host;
    fakeroot_write(host->root, "proc/42/cgroup", "0::" HIGHHOST_CGROUP "/libvirt/emulator\n");
    fakeroot_write(host->root, HIGHHOST_FOLDER "/libvirt/memory.high", "max\n");
    fakeroot_write(host->root, HIGHHOST_FOLDER "/libvirt/memory.current", "%lu\n",
                   (unsigned long)HIGHHOST_USED);
    fakeroot_write(host->root, HIGHHOST_FOLDER "/memory.reclaim", "%s", "");
    fixture->process =
        (Process){ .pid = 42,
                   .dir_fd = openat(fakeroot_fd(host->root), "proc/42", O_PATH | O_DIRECTORY) };
    host->subjects[0].process = &fixture->process;
    memory_high_init(&fixture->high, &needs);
    memory_high_set_options(&fixture->high, &options);
}

void
highhost_stop(HighHost *fixture)
{
    memory_high_done(&fixture->high);
    close(fixture->process.dir_fd);
}

ApplyResult
highhost_apply(HighHost *fixture)
{
    g_autoptr(GError) error = NULL;
    ApplyResult result = memory_high_apply(&fixture->high, &fixture->host->decided, &error);

    if (error)
        fail_msg("%s", error->message);
    return result;
}

const Hold *
highhost_hold(const HighHost *fixture)
{
    return hold_find(&fixture->high.holds, fixture->host->subjects[0].uuid);
}
