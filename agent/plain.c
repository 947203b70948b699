/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plain.c - characters that show as what they are, by their general category
 *
 * Source: The Unicode Standard, section 4.5, "General Category"
 */
#include "agent/plain.h"

bool
plain_is(gunichar c)
{
    switch (g_unichar_type(c)) {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_UNASSIGNED:
    case G_UNICODE_PRIVATE_USE:
    case G_UNICODE_SURROGATE:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
        return false;
    default:
        return true;
    }
}

void
plain_append_escape(GString *out, gunichar c)
{
    if (c < 0x100)
        g_string_append_printf(out, "\\x%02x", c);
    else if (c < 0x10000)
        g_string_append_printf(out, "\\u%04x", c);
    else
        g_string_append_printf(out, "\\U%08x", c);
}
