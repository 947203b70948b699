/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_knob.h - reading and writing the settings of KSM: files and ranges
 */
#ifndef AGENT_ACTUATOR_KSM_KNOB_H
#define AGENT_ACTUATOR_KSM_KNOB_H

#include "agent/actuator/sysfile.h"
#include "agent/facts/ksm_setting.h"

#include <stdbool.h>

/* Where the kernel's files of KSM are, below the root folder. */
#define KSM_KNOB_DIR "sys/kernel/mm/ksm/"

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
