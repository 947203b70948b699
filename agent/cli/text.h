/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.h - figures and names as people read them; programs get JSON or CSV
 */
#ifndef AGENT_CLI_TEXT_H
#define AGENT_CLI_TEXT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What stands for a figure that is not known. */
#define TEXT_UNKNOWN "-"

/** text_or_unknown() - @text; TEXT_UNKNOWN where there is none, or it is empty */
const char *text_or_unknown(const char *text);

/**
 * text_escape() - a text that cannot break the line or fool the reader
 * @text: from anywhere, any bytes; NULL is not known
 *
 * Control characters, line breaks and characters that change the direction of writing come out
 * as \n, \t, \x1b or \u202e, bytes that are no UTF-8 as \xff; the rest as it is.
 *
 * Return: owned by the caller; valid UTF-8.
 */
char *text_escape(const char *text);

/** text_width() - columns that valid UTF-8 takes on a terminal */
size_t text_width(const char *text);

/** text_bytes() - "1.5 GiB": one decimal, binary units from KiB on; the caller frees it */
char *text_bytes(uint64_t bytes);

/** text_net_bytes() - as text_bytes(), with a sign where it is negative */
char *text_net_bytes(int64_t bytes);

/** text_duration() - "0.3 s", "12 min", "3 d 4 h"; @ms in milliseconds; the caller frees it */
char *text_duration(uint64_t ms);

/** text_percent() - "12.5 %"; @part of @whole, 0 if there is no whole; the caller frees it */
char *text_percent(uint64_t part, uint64_t whole);

/** text_pages_to_bytes() - saturates at UINT64_MAX */
uint64_t text_pages_to_bytes(uint64_t pages, uint64_t page_size);

/**
 * text_append_line() - one line "key:  value" of a block of such lines
 * @out:   appended to
 * @key:   at most 11 columns, so that values stand below each other
 * @value: escaped here; NULL or "" is not known
 */
void text_append_line(GString *out, const char *key, const char *value);

#endif
