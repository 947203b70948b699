/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* notify.c - sd_notify(3) where libsystemd was there at build time */
#include "agent/notify.h"
#include "agent/config.h"

#if HAVE_SYSTEMD

#include <inttypes.h>
#include <stdint.h>
#include <systemd/sd-daemon.h>

void
notify_ready(void)
{
    sd_notify(0, "READY=1");
}

void
notify_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, g_get_monotonic_time());
}

void
notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void
notify_status(const char *text)
{
    sd_notifyf(0, "STATUS=%s", text);
}

static gboolean
pat(gpointer data)
{
    (void)data;
    sd_notify(0, "WATCHDOG=1");
    return G_SOURCE_CONTINUE;
}

guint
notify_watchdog_start(void)
{
    uint64_t usec = 0;

    if (sd_watchdog_enabled(0, &usec) <= 0)
        return 0;
    /* Half the time limit, as sd_watchdog_enabled(3) advises. */
    return g_timeout_add((guint)MAX(usec / 2000, 1), pat, NULL);
}

#else

void
notify_ready(void)
{
}

void
notify_reloading(void)
{
}

void
notify_stopping(void)
{
}

void
notify_status(const char *text)
{
    (void)text;
}

guint
notify_watchdog_start(void)
{
    return 0;
}

#endif
