/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set.h - what the two views of working sets share */
#ifndef AGENT_CLI_WORKING_SET_H
#define AGENT_CLI_WORKING_SET_H

#include "agent/cli/cli.h"
#include "proto/virtksm.pb-c.h"

/**
 * working_set_size_text() - how large it is
 *
 * A guest that swaps would use more if it had it: ">= 1.0 GiB".
 *
 * Return: owned by the caller; NULL: it is not known.
 */
char *working_set_size_text(const Virtksm__V1__WorkingSet *set);

/**
 * working_set_bar_text() - its share of what is resident, as a small bar
 *
 * Return: owned by the caller; NULL: it is not known.
 */
char *working_set_bar_text(const Virtksm__V1__WorkingSet *set);

/** working_set_follow() - print reports as they come, until interrupted; @error: CLI_ERROR */
bool working_set_follow(const Cli *cli, GError **error);

#endif
