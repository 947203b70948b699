/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lifecycle.c - the table of lifecycle events and their details */
#include "agent/virt/lifecycle.h"
#include "agent/virt/virt.h"

static const char *const started_details[] = {
    [VIR_DOMAIN_EVENT_STARTED_BOOTED] = "booted",
    [VIR_DOMAIN_EVENT_STARTED_MIGRATED] = "migrated in",
    [VIR_DOMAIN_EVENT_STARTED_RESTORED] = "restored",
    [VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT] = "from snapshot",
    [VIR_DOMAIN_EVENT_STARTED_WAKEUP] = "woken up",
};

static const char *const stopped_details[] = {
    [VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN] = "shut down",
    [VIR_DOMAIN_EVENT_STOPPED_DESTROYED] = "destroyed",
    [VIR_DOMAIN_EVENT_STOPPED_CRASHED] = "crashed",
    [VIR_DOMAIN_EVENT_STOPPED_MIGRATED] = "migrated out",
    [VIR_DOMAIN_EVENT_STOPPED_SAVED] = "saved",
    [VIR_DOMAIN_EVENT_STOPPED_FAILED] = "failed",
    [VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT] = "from snapshot",
};

typedef struct {
    LifecycleKind kind;
    bool scan;                  /* see Lifecycle */
    const char *word;           /* see Lifecycle */
    const char *const *details; /* NULL: none worth telling */
    int detail_count;           /* rows of details */
} Row;

#define DETAILS(table) table, G_N_ELEMENTS(table)

static const Row rows[] = {
    [VIR_DOMAIN_EVENT_DEFINED] = { LIFECYCLE_IGNORED, false, "defined", NULL, 0 },
    [VIR_DOMAIN_EVENT_UNDEFINED] = { LIFECYCLE_IGNORED, false, "undefined", NULL, 0 },
    [VIR_DOMAIN_EVENT_STARTED] = { LIFECYCLE_STARTED, true, "started", DETAILS(started_details) },
    [VIR_DOMAIN_EVENT_SUSPENDED] = { LIFECYCLE_SUSPENDED, false, "suspended", NULL, 0 },
    [VIR_DOMAIN_EVENT_RESUMED] = { LIFECYCLE_RESUMED, true, "resumed", NULL, 0 },
    [VIR_DOMAIN_EVENT_STOPPED] = { LIFECYCLE_ENDED, false, "stopped", DETAILS(stopped_details) },
    [VIR_DOMAIN_EVENT_SHUTDOWN] = { LIFECYCLE_ENDING, false, "shutdown", NULL, 0 },
    [VIR_DOMAIN_EVENT_PMSUSPENDED] = { LIFECYCLE_CHANGED, false, "pmsuspended", NULL, 0 },
    [VIR_DOMAIN_EVENT_CRASHED] = { LIFECYCLE_CHANGED, false, "crashed", NULL, 0 },
};

/* QEMU that is gone without a word is "failed" to libvirt, a guest that panicked "crashed". */
static bool
is_failure(int event, int detail)
{
    return event == VIR_DOMAIN_EVENT_STOPPED && (detail == VIR_DOMAIN_EVENT_STOPPED_CRASHED ||
                                                 detail == VIR_DOMAIN_EVENT_STOPPED_FAILED);
}

Lifecycle
virt_lifecycle(int event, int detail)
{
    const Row *row;
    bool scan;

    if (event < 0 || event >= (int)G_N_ELEMENTS(rows))
        return (Lifecycle){ LIFECYCLE_IGNORED, false, "unknown", "", false };
    row = &rows[event];
    /* One that was merely stopped has what it had. */
    scan = row->scan &&
           (row->kind != LIFECYCLE_RESUMED || detail != VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
    return (Lifecycle){ row->kind, scan, row->word,
                        detail >= 0 && detail < row->detail_count ? row->details[detail] : "",
                        is_failure(event, detail) };
}
