/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_knob.c - the settings of KSM that we write: files, ranges, texts */
/* needs: write /sys/kernel/mm/ksm */
#include "agent/actuator/ksm_knob.h"

#include "agent/facts/procfile.h"
#include "policy/arith.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* Unmerging may take this share of the available memory: the rest is for what happens meanwhile. */
#define UNMERGE_SHARE_BP 9000

static const struct {
    const char *name;
    const char *path;
    size_t offset;  /* within KsmKnobs */
    uint64_t min;   /* lowest that policy may want; the kernel itself takes 0 */
    uint64_t max;   /* highest that policy may want */
    uint64_t limit; /* highest that the kernel can have */
} rows[] = {
    /* 0 and 1 stand for the words in advisor_words[]. */
    [KSM_KNOB_ADVISOR] = { "advisor_mode", KSM_KNOB_DIR "advisor_mode", offsetof(KsmKnobs, advisor),
                           0, 1, 1 },
    [KSM_KNOB_SMART_SCAN] = { "smart_scan", KSM_KNOB_DIR "smart_scan",
                              offsetof(KsmKnobs, smart_scan), 0, 1, 1 },
    [KSM_KNOB_ZERO_PAGES] = { "use_zero_pages", KSM_KNOB_DIR "use_zero_pages",
                              offsetof(KsmKnobs, use_zero_pages), 0, 1, 1 },
    /* A batch of 0 pages is accepted by the kernel and never ends a pass. */
    [KSM_KNOB_PAGES] = { "pages_to_scan", KSM_KNOB_DIR "pages_to_scan",
                         offsetof(KsmKnobs, pages_to_scan), 1, UINT32_MAX, UINT32_MAX },
    [KSM_KNOB_SLEEP] = { "sleep_millisecs", KSM_KNOB_DIR "sleep_millisecs",
                         offsetof(KsmKnobs, sleep_ms), 0, UINT32_MAX, UINT32_MAX },
    [KSM_KNOB_RUN] = { "run", KSM_KNOB_DIR "run", offsetof(KsmKnobs, run), KSM_RUN_STOP,
                       KSM_RUN_MERGE, KSM_RUN_UNMERGE },
};
static_assert(G_N_ELEMENTS(rows) == KSM_KNOB_COUNT, "rows[] and KsmKnob differ");

/* Source: Documentation/admin-guide/mm/ksm.rst, "advisor_mode" */
static const char *const advisor_words[] = { "none", "scan-time" };

const char *
ksm_knob_name(KsmKnob knob)
{
    return rows[knob].name;
}

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

uint64_t
ksm_knob_of(const KsmKnobs *knobs, KsmKnob knob)
{
    uint64_t value;

    memcpy(&value, (const char *)knobs + rows[knob].offset, sizeof(value));
    return value;
}

void
ksm_knob_put(KsmKnobs *knobs, KsmKnob knob, uint64_t value)
{
    memcpy((char *)knobs + rows[knob].offset, &value, sizeof(value));
}

char *
ksm_knob_text(KsmKnob knob, uint64_t value)
{
    assert(value <= rows[knob].limit);

    if (knob == KSM_KNOB_ADVISOR)
        return g_strdup(advisor_words[value]);
    return g_strdup_printf("%" PRIu64, value);
}

bool
ksm_knob_parse(KsmKnob knob, const char *text, uint64_t *ret_value)
{
    guint64 value;

    if (knob == KSM_KNOB_ADVISOR) {
        for (value = 0; value < G_N_ELEMENTS(advisor_words); value++) {
            if (strcmp(text, advisor_words[value]) == 0)
                break;
        }
        if (value == G_N_ELEMENTS(advisor_words))
            return false;
    } else if (!g_ascii_string_to_unsigned(text, 10, 0, rows[knob].limit, &value, NULL)) {
        return false;
    }
    *ret_value = value;
    return true;
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
    if (knob == KSM_KNOB_ADVISOR)
        return sysfile_set_text(root_fd, rows[knob].path, advisor_words[value], error);
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
                    rows[knob].name, value, rows[knob].min, rows[knob].max);
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
