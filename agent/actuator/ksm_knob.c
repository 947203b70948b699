/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_knob.c - reading and writing the settings of KSM: files and ranges */
/* needs: write /sys/kernel/mm/ksm */
#include "agent/actuator/ksm_knob.h"

#include "agent/facts/procfile.h"
#include "policy/arith.h"

#include <assert.h>
#include <inttypes.h>
#include <unistd.h>

/* Unmerging may take this share of the available memory: the rest is for what happens meanwhile. */
#define UNMERGE_SHARE_BP 9000

static const struct {
    const char *path;
    uint64_t min; /* lowest that policy may want; the kernel itself takes 0 */
    uint64_t max; /* highest that policy may want */
} rows[] = {
    [KSM_KNOB_ADVISOR] = { KSM_KNOB_DIR "advisor_mode", 0, 1 },
    [KSM_KNOB_SMART_SCAN] = { KSM_KNOB_DIR "smart_scan", 0, 1 },
    [KSM_KNOB_ZERO_PAGES] = { KSM_KNOB_DIR "use_zero_pages", 0, 1 },
    /* A batch of 0 pages is accepted by the kernel and never ends a pass. */
    [KSM_KNOB_PAGES] = { KSM_KNOB_DIR "pages_to_scan", 1, UINT32_MAX },
    [KSM_KNOB_SLEEP] = { KSM_KNOB_DIR "sleep_millisecs", 0, UINT32_MAX },
    [KSM_KNOB_RUN] = { KSM_KNOB_DIR "run", KSM_RUN_STOP, KSM_RUN_MERGE },
};
static_assert(G_N_ELEMENTS(rows) == KSM_KNOB_COUNT, "rows[] and KsmKnob differ");

const char *
ksm_knob_path(KsmKnob knob)
{
    return rows[knob].path;
}

bool
ksm_knob_is_optional(KsmKnob knob)
{
    return knob == KSM_KNOB_ADVISOR || knob == KSM_KNOB_SMART_SCAN || knob == KSM_KNOB_ZERO_PAGES;
}

ApplyResult
ksm_knob_read(int root_fd, KsmKnob knob, uint64_t *ret_value, GError **error)
{
    char text[SYSFILE_TEXT_BYTES];
    ApplyResult result = sysfile_get_choice(root_fd, rows[knob].path, text, error);

    if (result != APPLY_UNCHANGED)
        return result;
    if (!ksm_knob_parse(knob, text, ret_value)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "/%s holds \"%.40s\"", rows[knob].path,
                    text);
        return APPLY_REFUSED;
    }
    return APPLY_UNCHANGED;
}

ApplyResult
ksm_knob_write(int root_fd, KsmKnob knob, uint64_t value, GError **error)
{
    g_autofree char *text = ksm_knob_text(knob, value);

    if (knob == KSM_KNOB_ADVISOR)
        return sysfile_set_text(root_fd, rows[knob].path, text, error);
    return sysfile_set_u64(root_fd, rows[knob].path, value, error);
}

ApplyResult
ksm_knobs_read(int root_fd, KsmKnobs *ret_knobs, GError **error)
{
    KsmKnobs knobs;

    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++) {
        bool is_optional = ksm_knob_is_optional(knob);
        uint64_t value = VALUE_UNKNOWN;
        ApplyResult result = ksm_knob_read(root_fd, knob, &value, is_optional ? NULL : error);

        if (result != APPLY_UNCHANGED && !is_optional)
            return result;
        ksm_knob_put(&knobs, knob, value);
    }
    *ret_knobs = knobs;
    return APPLY_UNCHANGED;
}

bool
ksm_knobs_check(const KsmKnobs *wanted, GError **error)
{
    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++) {
        uint64_t value = ksm_knob_of(wanted, knob);

        if (!is_known(value) || (value >= rows[knob].min && value <= rows[knob].max))
            continue;
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "%s %" PRIu64 " is not written: only %" PRIu64 " to %" PRIu64 " is allowed",
                    ksm_knob_name(knob), value, rows[knob].min, rows[knob].max);
        return false;
    }
    return true;
}

/* MemAvailable in bytes, or 0. */
static uint64_t
available_bytes(int root_fd)
{
    char text[SYSFILE_TEXT_BYTES];

    if (sysfile_get_text(root_fd, "proc/meminfo", text, NULL) != APPLY_UNCHANGED)
        return 0;
    return known_or(procfile_key_bytes(text, "MemAvailable"), 0);
}

bool
ksm_unmerge_fits(int root_fd)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t zero_pages = 0;
    uint64_t pages;

    if (sysfile_get_u64(root_fd, KSM_KNOB_DIR "pages_sharing", &pages, NULL) != APPLY_UNCHANGED)
        return false;
    /* Kernels without the file place no zero pages of their own accord. */
    if (sysfile_get_u64(root_fd, KSM_KNOB_DIR "ksm_zero_pages", &zero_pages, NULL) ==
        APPLY_UNCHANGED)
        pages = sat_add(pages, zero_pages);
    return mul_div(pages, page_bytes, 1) <=
           mul_div(available_bytes(root_fd), UNMERGE_SHARE_BP, BP_ONE);
}
