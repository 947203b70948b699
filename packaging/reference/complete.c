/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * complete.c - what can be typed next, for three shells
 *
 * bash and zsh share functions that print words: of a command, of its options, of what follows an
 * option. Where only the host knows them (domains, files) there is a word in capitals.
 */
#include "agent/cli/command.h"
#include "agent/report/history.h"
#include "agent/virt/domain_setting.h"
#include "packaging/reference/reference.h"
#include "policy/conf.h"

#include <string.h>

/* What every command takes: name, what its value is, help. --format differs from one to another. */
static const char *const common[][3] = {
    { "socket", "FILE", "Socket of the daemon" },
    { "help", NULL, "Print help" },
    { "version", NULL, "Print the version" },
};

static void
append_words(GString *out, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        g_string_append_printf(out, "%s%s", i > 0 ? " " : "", words[i]);
}

/* Words for the first argument of a command; "" where it takes none. The caller frees it. */
static char *
argument_of(const Command *command)
{
    GString *out = g_string_new(NULL);

    if (strstr(command->arguments, "DOMAIN"))
        g_string_append(out, "DOMAIN");
    else if (strstr(command->arguments, "[MODE]"))
        append_words(out, ksm_mode_words);
    else if (strstr(command->arguments, "TRACE"))
        g_string_append(out, "FILE");
    else
        g_string_append(out, command->arguments);
    return g_string_free(out, FALSE);
}

static char *
formats_of(const Command *command)
{
    return g_strdup_printf("table json%s%s", command->has_csv ? " csv" : "",
                           command->has_html ? " html" : "");
}

/* Words for the value of an option; NULL: it has none. The caller frees it. */
static char *
value_of(const char *name, const char *argument)
{
    GString *out;

    if (!argument)
        return NULL;
    out = g_string_new(NULL);
    if (g_str_equal(name, "by"))
        for (HistoryStep step = 0; step < HISTORY_STEP_COUNT; step++)
            g_string_append_printf(out, "%s%s", step > 0 ? " " : "", history_step_name(step));
    else if (g_str_equal(argument, "FILE"))
        g_string_append(out, argument);
    return g_string_free(out, FALSE);
}

/* KEY= of every setting, with spaces between; the caller frees it. */
static char *
settings(void)
{
    GString *out = g_string_new(NULL);
    size_t n;
    const DomainSetting *rows = domain_setting_list(&n);

    for (size_t i = 0; i < n; i++)
        g_string_append_printf(out, "%s%s.%s=", i > 0 ? " " : "", rows[i].element, rows[i].name);
    return g_string_free(out, FALSE);
}

static void
write_commands(GString *out)
{
    g_string_append(out, "_virtksm_commands() {\n    echo \"");
    for (size_t i = 0; command_row(i); i++)
        g_string_append_printf(out, "%s%s", i > 0 ? " " : "", command_row(i)->name);
    g_string_append(out, "\"\n}\n");
}

static void
write_arguments(GString *out)
{
    g_autofree char *keys = settings();

    g_string_append(out, "_virtksm_arguments() {\n    case $1 in\n");
    for (size_t i = 0; command_row(i); i++) {
        g_autofree char *words = argument_of(command_row(i));

        if (*words)
            g_string_append_printf(out, "    %s) echo \"%s\" ;;\n", command_row(i)->name, words);
    }
    g_string_append_printf(out, "    esac\n}\n_virtksm_settings() {\n    echo \"%s\"\n}\n", keys);
}

static void
write_options(GString *out)
{
    g_string_append(out, "_virtksm_options() {\n    case $1 in\n");
    for (size_t i = 0; command_row(i); i++) {
        const Command *command = command_row(i);

        g_string_append_printf(out, "    %s) echo \"", command->name);
        for (const CommandOption *option = command->options; option->name; option++)
            g_string_append_printf(out, "--%s%s ", option->name, option->argument ? "=" : "");
        g_string_append(out, "--socket= --format= --help\" ;;\n");
    }
    g_string_append(out, "    *) echo \"--socket= --format= --help --version\" ;;\n    esac\n}\n");
}

/* Words behind "--OPTION=", of a command. */
static void
write_values(GString *out)
{
    g_string_append(out, "_virtksm_values() {\n    case $1$2 in\n");
    for (size_t i = 0; command_row(i); i++) {
        const Command *command = command_row(i);
        g_autofree char *formats = formats_of(command);

        g_string_append_printf(out, "    %s--format) echo \"%s\" ;;\n", command->name, formats);
        for (const CommandOption *option = command->options; option->name; option++) {
            g_autofree char *words = value_of(option->name, option->argument);

            if (words && *words)
                g_string_append_printf(out, "    %s--%s) echo \"%s\" ;;\n", command->name,
                                       option->name, words);
        }
    }
    g_string_append(out, "    *--format) echo \"table json\" ;;\n"
                         "    *--socket) echo \"FILE\" ;;\n    esac\n}\n");
    g_string_append(out, "# Whether a word, behind a command, has its value in the next one.\n"
                         "_virtksm_takes_value() {\n    [[ $2 == --* && "
                         "\" $(_virtksm_options \"$1\") \" == *\" $2= \"* ]]\n}\n");
}

void
complete_write_words(GString *out, const Material *material)
{
    (void)material;
    write_commands(out);
    write_arguments(out);
    write_options(out);
    write_values(out);
}

/* One "complete" of fish. @words: "" for anything; NULL: the option takes no value. */
static void
write_fish_option(GString *out, const char *command, const char *name, const char *help,
                  const char *words)
{
    g_autofree char *quoted = g_shell_quote(help);

    g_string_append(out, "complete -c virtksm");
    if (command)
        g_string_append_printf(out, " -n '__fish_seen_subcommand_from %s'", command);
    g_string_append_printf(out, " -l %s -d %s", name, quoted);
    if (words && g_str_equal(words, "FILE"))
        g_string_append(out, " -r");
    else if (words)
        g_string_append_printf(out, " -x%s%s%s", *words ? " -a '" : "", words, *words ? "'" : "");
    g_string_append_c(out, '\n');
}

static void
write_fish_command(GString *out, const Command *command)
{
    g_autofree char *help = g_shell_quote(command->help);
    g_autofree char *formats = formats_of(command);
    g_autofree char *words = argument_of(command);
    g_autofree char *keys = settings();

    g_string_append_printf(out, "complete -c virtksm -n __fish_use_subcommand -f -a %s -d %s\n",
                           command->name, help);
    g_string_append_printf(out, "complete -c virtksm -n '__fish_seen_subcommand_from %s'",
                           command->name);
    if (g_str_equal(words, "DOMAIN"))
        g_string_append_printf(out, " -f -a '(__virtksm_domains)%s%s'\n",
                               command->has_more ? " " : "", command->has_more ? keys : "");
    else if (g_str_equal(words, "FILE"))
        g_string_append(out, " -F\n");
    else
        g_string_append_printf(out, " -f -a '%s'\n", words);
    write_fish_option(out, command->name, "format", "How to print", formats);
    for (const CommandOption *option = command->options; option->name; option++) {
        g_autofree char *value = value_of(option->name, option->argument);

        write_fish_option(out, command->name, option->name, option->help, value);
    }
}

void
complete_write_fish(GString *out, const Material *material)
{
    (void)material;
    for (size_t i = 0; i < G_N_ELEMENTS(common); i++)
        write_fish_option(out, NULL, common[i][0], common[i][2], common[i][1]);
    for (size_t i = 0; command_row(i); i++)
        write_fish_command(out, command_row(i));
}
