/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history_step.c - minutes, hours, days: how finely the history divides time */
#include "agent/report/history.h"

static const struct {
    const char *name;
    int64_t length_s;
} steps[] = {
    [HISTORY_MINUTE] = { "minute", 60 },
    [HISTORY_HOUR] = { "hour", 3600 },
    [HISTORY_DAY] = { "day", 86400 },
};
G_STATIC_ASSERT(G_N_ELEMENTS(steps) == HISTORY_STEP_COUNT);

int64_t
history_step_s(HistoryStep step)
{
    return steps[step].length_s;
}

const char *
history_step_name(HistoryStep step)
{
    return steps[step].name;
}
