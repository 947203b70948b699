/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_setting.c - the settings of KSM that this project moves: names, and what their files say
 *
 * Facts and actuator read the same files, one held open for each decision, the other as it writes.
 * That somebody else has written is told by comparing the two, so there is one reading of them.
 */
#include "agent/facts/ksm_setting.h"

#include <assert.h>
#include <glib.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset;  /* within KsmKnobs */
    uint64_t limit; /* highest that the kernel can have */
} rows[] = {
    /* 0 and 1 stand for the words in advisor_words[]. */
    [KSM_KNOB_ADVISOR] = { "advisor_mode", offsetof(KsmKnobs, advisor), 1 },
    [KSM_KNOB_SMART_SCAN] = { "smart_scan", offsetof(KsmKnobs, smart_scan), 1 },
    [KSM_KNOB_ZERO_PAGES] = { "use_zero_pages", offsetof(KsmKnobs, use_zero_pages), 1 },
    [KSM_KNOB_PAGES] = { "pages_to_scan", offsetof(KsmKnobs, pages_to_scan), UINT32_MAX },
    [KSM_KNOB_SLEEP] = { "sleep_millisecs", offsetof(KsmKnobs, sleep_ms), UINT32_MAX },
    [KSM_KNOB_RUN] = { "run", offsetof(KsmKnobs, run), KSM_RUN_UNMERGE },
};
static_assert(G_N_ELEMENTS(rows) == KSM_KNOB_COUNT, "rows[] and KsmKnob differ");
static_assert(KSM_KNOB_COUNT == sizeof(KsmKnobs) / sizeof(uint64_t), "KsmKnob and KsmKnobs differ");

/* Source: Documentation/admin-guide/mm/ksm.rst, "advisor_mode" */
static const char *const advisor_words[] = { "none", "scan-time" };

const char *
ksm_knob_name(KsmKnob knob)
{
    return rows[knob].name;
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
