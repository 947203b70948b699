/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.c - KSM's settings in words */
#include "agent/cli/settings.h"

#include <glib.h>
#include <inttypes.h>

/* A pause that long is no pause between batches: the daemon wakes ksmd when it wants a pass. */
#define PARKED_MS 3600000

static char *
run_text(uint64_t run)
{
    static const char *const words[] = { "stopped", "merging", "unmerging" };

    if (run < G_N_ELEMENTS(words))
        return g_strdup(words[run]);
    return g_strdup_printf("run %" PRIu64, run);
}

char *
settings_text(const Virtksm__V1__KsmSettings *ksm)
{
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);

    if (!ksm)
        return NULL;
    if (ksm->has_run)
        g_ptr_array_add(parts, run_text(ksm->run));
    if (ksm->has_sleep_millisecs && ksm->sleep_millisecs >= PARKED_MS)
        g_ptr_array_add(parts, g_strdup("standing still until woken"));
    else if (ksm->has_pages_to_scan && ksm->has_sleep_millisecs)
        g_ptr_array_add(parts, g_strdup_printf("%" PRIu64 " pages every %" PRIu64 " ms",
                                               ksm->pages_to_scan, ksm->sleep_millisecs));
    else if (ksm->has_pages_to_scan)
        g_ptr_array_add(parts, g_strdup_printf("%" PRIu64 " pages a batch", ksm->pages_to_scan));
    else if (ksm->has_sleep_millisecs)
        g_ptr_array_add(parts,
                        g_strdup_printf("a batch every %" PRIu64 " ms", ksm->sleep_millisecs));
    if (ksm->advisor_mode)
        g_ptr_array_add(parts, g_strdup_printf("advisor %s", ksm->advisor_mode));
    if (ksm->has_smart_scan)
        g_ptr_array_add(parts, g_strdup(ksm->smart_scan ? "smart scan on" : "smart scan off"));
    if (ksm->has_use_zero_pages)
        g_ptr_array_add(parts, g_strdup(ksm->use_zero_pages ? "zero pages on" : "zero pages off"));
    if (parts->len == 0)
        return NULL;
    g_ptr_array_add(parts, NULL);
    return g_strjoinv(", ", (char **)parts->pdata);
}
