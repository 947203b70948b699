/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_setting.h - the settings of KSM that this project moves: names, and what their files say
 */
#ifndef AGENT_FACTS_KSM_SETTING_H
#define AGENT_FACTS_KSM_SETTING_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/sample.h"

/* One member of KsmKnobs. */
typedef enum {
    KSM_KNOB_ADVISOR, /* first: while it is on, the kernel moves KSM_KNOB_PAGES */
    KSM_KNOB_SMART_SCAN,
    KSM_KNOB_ZERO_PAGES,
    KSM_KNOB_PAGES,
    KSM_KNOB_SLEEP,
    KSM_KNOB_RUN,
    KSM_KNOB_COUNT,
} KsmKnob;

/**
 * ksm_knob_name() - name of the kernel's file: "pages_to_scan"
 * @knob: below KSM_KNOB_COUNT
 *
 * Return: static text.
 */
const char *ksm_knob_name(KsmKnob knob);

/**
 * ksm_knob_of() - the member of @knobs that @knob stands for
 * @knobs: in the units of KsmKnobs
 * @knob:  below KSM_KNOB_COUNT
 *
 * Return: value, or VALUE_UNKNOWN.
 */
uint64_t ksm_knob_of(const KsmKnobs *knobs, KsmKnob knob);

/**
 * ksm_knob_put() - set the member of @knobs that @knob stands for
 * @knobs: changed
 * @knob:  below KSM_KNOB_COUNT
 * @value: in the units of KsmKnobs, or VALUE_UNKNOWN
 */
void ksm_knob_put(KsmKnobs *knobs, KsmKnob knob, uint64_t value);

/**
 * ksm_knob_text() - a value as the kernel writes it: "100", "scan-time"
 * @knob:  below KSM_KNOB_COUNT
 * @value: not VALUE_UNKNOWN; for the advisor 0 or 1
 *
 * Return: text (the caller frees it).
 */
char *ksm_knob_text(KsmKnob knob, uint64_t value);

/**
 * ksm_knob_parse() - a value from the kernel's text or from the record of originals
 * @knob:      below KSM_KNOB_COUNT
 * @text:      e.g. "100"; the word alone where the kernel shows a choice: procfile_choose()
 * @ret_value: written only on success
 *
 * Return: whether @text is a value that the kernel can have.
 */
bool ksm_knob_parse(KsmKnob knob, const char *text, uint64_t *ret_value);

#endif
