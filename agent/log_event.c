/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log_event.c - the table of ids; packaging/systemd/virtksm.catalog has a text for each */
#include "agent/log_event.h"

static const struct {
    LogLevel level;
    const char *id; /* MESSAGE_ID in the journal; never changed, never used again */
} events[] = {
    [LOG_EVENT_STARTED] = { LOG_LEVEL_INFO, "97118668e37156129d0e89c2b75038b8" },
    [LOG_EVENT_LEFT_BEHIND] = { LOG_LEVEL_WARNING, "eba5d7a8e2e55fca9f599890dfaf9464" },
    [LOG_EVENT_NOT_RESTORED] = { LOG_LEVEL_ERROR, "62083a82213850eb8bd63d54f984be68" },
    [LOG_EVENT_CONF_REFUSED] = { LOG_LEVEL_ERROR, "3d8bc68617355bceaee838247f92da6b" },
    [LOG_EVENT_NOT_APPLIED] = { LOG_LEVEL_WARNING, "958293c12edb59d785b3e4f611460889" },
    [LOG_EVENT_FOREIGN_CHANGE] = { LOG_LEVEL_WARNING, "c2139cfa045554fcbcd0a3d49452ee13" },
    [LOG_EVENT_LIBVIRT_UP] = { LOG_LEVEL_INFO, "9bdae7f7fcd75e6e80b23c7afbed9406" },
    [LOG_EVENT_LIBVIRT_DOWN] = { LOG_LEVEL_WARNING, "10f58821d6cb5ba185956330976020c1" },
    [LOG_EVENT_METADATA] = { LOG_LEVEL_WARNING, "b67b425312b85d188b476948e71eeb99" },
    [LOG_EVENT_GUARD_LIFTS] = { LOG_LEVEL_WARNING, "b284cff33f6b58eaa6da1915350bf814" },
    [LOG_EVENT_METRICS_DOWN] = { LOG_LEVEL_ERROR, "7a8fd211750c5c319e457ebe4d0c1848" },
    [LOG_EVENT_HISTORY_DOWN] = { LOG_LEVEL_WARNING, "b388b49812b15bd09fe09339ce0d4962" },
    [LOG_EVENT_DOMAIN_FAILED] = { LOG_LEVEL_WARNING, "20456fdb79784ee0ba997b9357710fd5" },
    [LOG_EVENT_STOOD_STILL] = { LOG_LEVEL_WARNING, "d61e796e67604e829cfdaf1316480c66" },
};
G_STATIC_ASSERT(G_N_ELEMENTS(events) == LOG_EVENT_COUNT);

void
log_event(LogEvent event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_message(events[event].level, events[event].id, format, args);
    va_end(args);
}
