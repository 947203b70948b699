/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* missing.c - the last sample against this one, figure by figure */
#include "agent/missing.h"

#include "agent/log.h"
#include "policy/arith.h"

#include <glib.h>

/* How often the loss of one is told: one that comes and goes is not to fill the log. */
#define TOLD_MAX 5
/* Rows that are none of KsmCounters. */
#define HOST_ROWS 8

/* By the kernel's names. ksmd's time has a line of its own (tick.c); what is swapped is not always
 * read. */
static const struct {
    const char *name;
    size_t offset; /* of the figure in HostSample */
} rows[] = {
    { "MemTotal", offsetof(HostSample, mem_total_bytes) },
    { "MemAvailable", offsetof(HostSample, mem_available_bytes) },
    { "AnonPages", offsetof(HostSample, anon_bytes) },
    { "SwapTotal", offsetof(HostSample, swap_total_bytes) },
    { "SwapFree", offsetof(HostSample, swap_free_bytes) },
    { "/proc/pressure/cpu", offsetof(HostSample, cpu_stall_us) },
    { "/proc/pressure/memory", offsetof(HostSample, memory_stall_us) },
    { "steal of /proc/stat", offsetof(HostSample, steal_us) },
    { "full_scans", offsetof(HostSample, ksm.full_scans) },
    { "pages_shared", offsetof(HostSample, ksm.pages_shared) },
    { "pages_sharing", offsetof(HostSample, ksm.pages_sharing) },
    { "pages_unshared", offsetof(HostSample, ksm.pages_unshared) },
    { "pages_volatile", offsetof(HostSample, ksm.pages_volatile) },
    { "ksm_zero_pages", offsetof(HostSample, ksm.ksm_zero_pages) },
    { "pages_scanned", offsetof(HostSample, ksm.pages_scanned) },
    { "pages_skipped", offsetof(HostSample, ksm.pages_skipped) },
    { "general_profit", offsetof(HostSample, ksm.general_profit) },
    { "merge_across_nodes", offsetof(HostSample, ksm.merge_across_nodes) },
};
G_STATIC_ASSERT(G_N_ELEMENTS(rows) == MISSING_ROWS);
G_STATIC_ASSERT(MISSING_ROWS == HOST_ROWS + sizeof(KsmCounters) / sizeof(uint64_t));

static uint32_t
find_known(const HostSample *sample)
{
    uint32_t known = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const uint64_t *value = (const void *)((const char *)sample + rows[i].offset);

        known |= (uint32_t)is_known(*value) << i;
    }
    return known;
}

static char *
names_of(uint32_t figures)
{
    GString *names = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (figures >> i & 1)
            g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", rows[i].name);
    return g_string_free(names, FALSE);
}

/* Which of @gone are to be told; @ret_often: those of which that is told no more, from now on. */
static uint32_t
count_told(Missing *missing, uint32_t gone, uint32_t *ret_often)
{
    uint32_t lost = 0;

    *ret_often = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint32_t bit = UINT32_C(1) << i;

        if (!(gone & bit) || missing->told[i] > TOLD_MAX)
            continue;
        if (missing->told[i]++ < TOLD_MAX)
            lost |= bit;
        else
            *ret_often |= bit;
    }
    return lost;
}

void
missing_look(Missing *missing, const HostSample *sample)
{
    uint32_t known = find_known(sample);
    uint32_t often;
    uint32_t lost = count_told(missing, missing->known & ~known, &often);
    uint32_t back = missing->lost & known;

    if (lost != 0) {
        g_autofree char *names = names_of(lost);

        log_warning("the kernel gives no number any more for %s: what depends on it is not known",
                    names);
    }
    if (often != 0) {
        g_autofree char *names = names_of(often);

        log_warning("the kernel gives numbers for %s now and then: that is told no more", names);
    }
    if (back != 0) {
        g_autofree char *names = names_of(back);

        log_info("the kernel gives a number again for %s", names);
    }
    missing->known = known;
    missing->lost = (missing->lost | lost) & ~back;
}
