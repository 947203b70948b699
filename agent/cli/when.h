/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* when.h - moments as people write them */
#ifndef AGENT_CLI_WHEN_H
#define AGENT_CLI_WHEN_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * when_parse() - a moment
 * @text:  "now"; a length of time before now: "90m", "24h", "7d", "4w"; or a date, alone or with a
 *         time as ISO 8601 has it, UTC unless it says otherwise: "2026-01-31", "2026-01-31T12:00"
 * @now_s: since 1970
 * @ret_s: since 1970; written only on success
 *
 * Return: whether it is one of these.
 */
bool when_parse(const char *text, int64_t now_s, int64_t *ret_s);

#endif
