/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conf_line.c - where in a file something stands, which GLib does not say */
#include "agent/conf_line.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

static bool
is_section_line(const char *line, const char *section)
{
    size_t length = strlen(section);

    return line[0] == '[' && strncmp(line + 1, section, length) == 0 && line[length + 1] == ']';
}

unsigned
conf_line_of(const char *text, const char *section, const char *key, unsigned *ret_line)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    bool inside = false;
    unsigned found = 0;

    for (unsigned i = 0; lines[i] != NULL; i++) {
        char *line = g_strstrip(lines[i]);
        char *equals = strchr(line, '=');
        bool hit = false;

        if (line[0] == '[')
            hit = (inside = is_section_line(line, section)) && !key;
        else if (inside && key && equals && line[0] != '#')
            hit = g_str_equal(g_strchomp((*equals = '\0', line)), key);
        if (hit) {
            *ret_line = i + 1;
            found++;
        }
    }
    return found;
}

unsigned
conf_broken_line(const char *text)
{
    unsigned line = 1;

    for (const char *p = strchr(text, '\n'); p != NULL; p = strchr(p + 1, '\n'), line++) {
        g_autoptr(GKeyFile) file = g_key_file_new();

        if (!g_key_file_load_from_data(file, text, (gsize)(p - text), G_KEY_FILE_NONE, NULL))
            return line;
    }
    return line;
}
