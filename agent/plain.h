/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plain.h - characters that show as what they are, for texts that people read
 *
 * Names of domains and what clients ask for may hold anything. Letters of all scripts, signs and
 * emoji are plain; what is invisible, begins another line, or turns the direction of what follows
 * is not, and neither is what has no meaning that everybody agrees on. So a zero width joiner is
 * shown, too: better an emoji in parts than two names that look the same.
 */
#ifndef AGENT_PLAIN_H
#define AGENT_PLAIN_H

#include <glib.h>
#include <stdbool.h>

/** plain_is() - whether a character shows as what it is */
bool plain_is(gunichar c);

/** plain_append_escape() - "\x1b", "\u202e" or "\U000e0041" in place of one that does not */
void plain_append_escape(GString *out, gunichar c);

#endif
