/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* command.c - commands and options, as a manual */
#include "agent/cli/command.h"
#include "packaging/reference/reference.h"

#include <string.h>

static void
write_own_options(GString *out, const Command *command)
{
    for (const CommandOption *option = command->options; option->name; option++) {
        g_string_append(out, ".TP\n");
        if (option->letter)
            g_string_append_printf(out, "\\fB\\-%c\\fR, ", option->letter);
        g_string_append_printf(out, "\\fB\\-\\-%s\\fR", option->name);
        if (option->argument)
            g_string_append_printf(out, "=\\fI%s\\fR", option->argument);
        g_string_append_c(out, '\n');
        roff_append(out, option->help);
    }
}

void
command_write_manual(GString *out, const Material *material)
{
    const Command *command;
    (void)material;

    for (size_t i = 0; (command = command_row(i)) != NULL; i++) {
        g_autofree char *usage = g_strdup_printf("%s %s", command->name, command->arguments);
        g_autofree char *help = g_strdup_printf("%s.", command->help);

        g_string_append(out, ".SS ");
        roff_append(out, g_strchomp(usage));
        roff_append(out, help);
        g_string_append(out, ".PP\n");
        roff_append_block(out, command->details);
        write_own_options(out, command);
    }
}

/* "  -c, --config=FILE     Configuration": the option, and what it does. */
static void
write_option_line(GString *out, char *line)
{
    char *text = strstr(line, "  ");
    char *equals = strchr(line, '=');

    if (!text)
        return;
    *text = '\0';
    if (equals && equals < text)
        *equals++ = '\0';
    else
        equals = NULL;
    g_string_append(out, ".TP\n\\fB");
    for (const char *p = line; *p; p++)
        g_string_append(out, *p == '-' ? "\\-" : (char[]){ *p, '\0' });
    g_string_append_printf(out, "\\fR%s\\fI%s\\fR\n", equals ? "=" : "", equals ? equals : "");
    roff_append(out, g_strchug(text + 1));
}

void
command_write_options(GString *out, const Material *material)
{
    g_auto(GStrv) lines = g_strsplit(material->help, "\n", -1);

    for (size_t i = 0; lines[i]; i++)
        if (g_str_has_prefix(lines[i], "  -"))
            write_option_line(out, lines[i] + 2);
}
