/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conf_line.h - where in a configuration file something stands, for messages */
#ifndef AGENT_CONF_LINE_H
#define AGENT_CONF_LINE_H

/**
 * conf_line_of() - where a key stands
 * @text:     of the file
 * @section:  that it is in
 * @key:      NULL: the section itself
 * @ret_line: the last such line, from 1; written only if there is one
 *
 * Return: how often it stands there.
 */
unsigned conf_line_of(const char *text, const char *section, const char *key, unsigned *ret_line);

/**
 * conf_broken_line() - the line that GLib could not read
 * @text: of a file that g_key_file_load_from_data() refuses
 *
 * GLib names it by its text; its number is found by reading ever more.
 *
 * Return: from 1.
 */
unsigned conf_broken_line(const char *text);

#endif
