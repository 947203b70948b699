/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp.h - what QEMU answers on its monitor, held to what was asked
 *
 * QEMU belongs to its guest as soon as that has broken out of it, so an answer is read as a
 * tenant's text: bounds on its size and depth, and names only of letters that a command may repeat.
 */
#ifndef AGENT_VIRT_QMP_H
#define AGENT_VIRT_QMP_H

#include <glib.h>
#include <stdbool.h>

/* Objects of one kind that a machine may have; memory backends are its nodes and its DIMMs. */
#define QMP_NAMES_MAX 512

/**
 * qmp_read_children() - the objects that an answer to qom-list tells of
 * @text:       the answer, as virDomainQemuMonitorCommand() gave it
 * @kind:       "memory-backend-": beginning of the types that count
 * @ret_names:  owned by the caller; sorted; never NULL, empty where there is none
 * @ret_detail: why it failed, for people, owned by the caller; QEMU's own words if it has some
 *
 * Source: QEMU docs, QMP Reference, qom-list (ObjectPropertyInfo)
 * Return: whether the answer is one.
 */
bool qmp_read_children(const char *text, const char *kind, char ***ret_names, char **ret_detail);

/** qmp_read_flag() - likewise, the yes or no that qom-get answers */
bool qmp_read_flag(const char *text, bool *ret_flag, char **ret_detail);

/** qmp_read_nothing() - likewise, the empty answer of a command that only does something */
bool qmp_read_nothing(const char *text, char **ret_detail);

#endif
