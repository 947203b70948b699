/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_knob.h - the settings of KSM that we write: files, ranges, texts
 */
#ifndef AGENT_ACTUATOR_KSM_KNOB_H
#define AGENT_ACTUATOR_KSM_KNOB_H

#include "agent/actuator/sysfile.h"
#include "policy/sample.h"

#include <stdbool.h>

/* Where the kernel's files of KSM are, below the root folder. */
#define KSM_KNOB_DIR "sys/kernel/mm/ksm/"

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
 * ksm_knob_path() - path of the kernel's file, relative to the root
 * @knob: below KSM_KNOB_COUNT
 *
 * Return: static text.
 */
const char *ksm_knob_path(KsmKnob knob);

/**
 * ksm_knob_is_optional() - whether KSM can be driven without this setting
 * @knob: below KSM_KNOB_COUNT
 *
 * Not every kernel has the file, and not every record of originals has the key: one that an
 * earlier version of this program left may be older than the knob.
 *
 * Source: Documentation/admin-guide/mm/ksm.rst, "use_zero_pages", "smart_scan" (since
 * 6.7) and "advisor_mode" (since 6.8)
 * Return: true for those three.
 */
bool ksm_knob_is_optional(KsmKnob knob);

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
 * @text:      e.g. "100"
 * @ret_value: written only on success
 *
 * Return: whether @text is a value that the kernel can have.
 */
bool ksm_knob_parse(KsmKnob knob, const char *text, uint64_t *ret_value);

/**
 * ksm_knob_read() - value in force
 * @root_fd:   "/" or a test's fake root (borrowed)
 * @knob:      below KSM_KNOB_COUNT
 * @ret_value: written only on success
 * @error:     as for sysfile_get_u64()
 *
 * Return: as sysfile_get_u64().
 */
ApplyResult ksm_knob_read(int root_fd, KsmKnob knob, uint64_t *ret_value, GError **error);

/**
 * ksm_knob_write() - put a value into force, if it is not
 * @root_fd: "/" or a test's fake root (borrowed)
 * @knob:    below KSM_KNOB_COUNT
 * @value:   not VALUE_UNKNOWN; for the advisor 0 or 1
 * @error:   as for sysfile_set_u64()
 *
 * Return: as sysfile_set_u64().
 */
ApplyResult ksm_knob_write(int root_fd, KsmKnob knob, uint64_t value, GError **error);

/**
 * ksm_knobs_read() - all values in force
 * @root_fd:   "/" or a test's fake root (borrowed)
 * @ret_knobs: written only on success; an optional one is VALUE_UNKNOWN where the kernel lacks it
 *             or shows a value that we do not know
 * @error:     as for sysfile_get_u64()
 *
 * Return: as sysfile_get_u64().
 */
ApplyResult ksm_knobs_read(int root_fd, KsmKnobs *ret_knobs, GError **error);

/**
 * ksm_knobs_check() - whether policy may want these values
 * @wanted: members may be VALUE_UNKNOWN
 * @error:  names setting, value and range
 *
 * Return: false if any known member is out of range. Unmerging (run 2) always is.
 */
bool ksm_knobs_check(const KsmKnobs *wanted, GError **error);

/**
 * ksm_unmerge_fits() - whether memory can hold every merged page on its own
 * @root_fd: "/" or a test's fake root (borrowed)
 *
 * Source: Documentation/admin-guide/mm/ksm.rst, "run" and "pages_sharing";
 * Documentation/filesystems/proc.rst, "MemAvailable"
 * Return: false also if the figures cannot be had.
 */
bool ksm_unmerge_fits(int root_fd);

#endif
