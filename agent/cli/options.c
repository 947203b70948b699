/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.c - GOption reads the options, the table of commands the rest */
#include "agent/cli/options.h"
#include "agent/cli/command.h"

/* What GOption fills, before it is checked. */
typedef struct {
    char *socket;     /* owned */
    char *format;     /* owned */
    GHashTable *own;  /* owned; options of single commands: name -> text */
    char **words;     /* owned; what is no option */
    gboolean help;    /* of everything, or of the command that follows */
    gboolean version; /* of the project */
} Raw;

static const char *const format_words[] = {
    [FORMAT_TABLE] = "table",
    [FORMAT_JSON] = "json",
    [FORMAT_CSV] = "csv",
    [FORMAT_HTML] = "html",
};
G_STATIC_ASSERT(G_N_ELEMENTS(format_words) == FORMAT_COUNT);

static const char exit_codes[] =
    "Exit codes:\n"
    "  0  done\n"
    "  1  no daemon answers, the call failed, or the output could not be written\n"
    "  2  wrong usage\n"
    "  3  no such domain\n"
    "doctor has its own: see 'virtksm doctor --help'.\n"
    "\n"
    "Commands that change nothing also work on the read-only socket, virtksmd-ro.sock beside\n"
    "PATH; it is taken when PATH may not be opened.";

static void
raw_done(Raw *raw)
{
    g_free(raw->socket);
    g_free(raw->format);
    g_clear_pointer(&raw->own, g_hash_table_unref);
    g_strfreev(raw->words);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Raw, raw_done)

/* Option @index of those that @command has; without a command, of all. NULL: behind the last. */
static const CommandOption *
own_option(const Command *command, size_t index)
{
    for (size_t i = 0; command ? i < 1 : command_row(i) != NULL; i++) {
        const Command *row = command ? command : command_row(i);

        for (size_t k = 0; row->options[k].name; k++)
            if (index-- == 0)
                return &row->options[k];
    }
    return NULL;
}

static const CommandOption *
find_own_option(const Command *command, const char *name)
{
    const CommandOption *option;

    for (size_t i = 0; (option = own_option(command, i)) != NULL; i++)
        if (g_str_equal(option->name, name) || (option->letter == name[0] && !name[1]))
            return option;
    return NULL;
}

static gboolean
take_own_option(const char *dashed, const char *value, gpointer data, GError **error)
{
    Raw *raw = data;
    const CommandOption *option = find_own_option(NULL, dashed + strspn(dashed, "-"));

    (void)error;
    g_hash_table_insert(raw->own, g_strdup(option->name), g_strdup(value ? value : "yes"));
    return TRUE;
}

/* Nobody knows the command before the options are read, so the parser takes those of all. */
static void
add_own_options(GOptionGroup *group, const Command *command)
{
    const CommandOption *option;

    for (size_t i = 0; (option = own_option(command, i)) != NULL; i++) {
        int flags = option->argument ? G_OPTION_FLAG_FILENAME : G_OPTION_FLAG_NO_ARG;
        const GOptionEntry entries[] = {
            { option->name, option->letter, flags, G_OPTION_ARG_CALLBACK,
              (gpointer)(gsize)take_own_option, option->help, option->argument },
            { 0 },
        };

        if (command || find_own_option(NULL, option->name) == option)
            g_option_group_add_entries(group, entries);
    }
}

/* The options of all commands. @raw must outlive the context. */
static GOptionContext *
make_context(const char *parameters, Raw *raw)
{
    GOptionContext *context = g_option_context_new(parameters);
    GOptionGroup *group = g_option_group_new(NULL, NULL, NULL, raw, NULL);
    const GOptionEntry entries[] = {
        { "socket", 0, 0, G_OPTION_ARG_FILENAME, &raw->socket,
          "Socket of the daemon (default: " CLI_SOCKET_DEFAULT ")", "PATH" },
        { "format", 0, 0, G_OPTION_ARG_STRING, &raw->format,
          "table (default), json, csv where the result has rows, or html of the report", "FORMAT" },
        { "help", 'h', 0, G_OPTION_ARG_NONE, &raw->help, "Print this help", NULL },
        { "version", 0, 0, G_OPTION_ARG_NONE, &raw->version, "Print the version", NULL },
        { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &raw->words, NULL, NULL },
        { 0 },
    };

    g_option_context_set_help_enabled(context, FALSE);
    raw->own = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_option_group_add_entries(group, entries);
    g_option_context_set_main_group(context, group);
    return context;
}

static bool
set_format(Cli *cli, const char *word, GError **error)
{
    for (int i = 0; word && i < FORMAT_COUNT; i++) {
        if (g_str_equal(format_words[i], word)) {
            cli->format = (Format)i;
            return true;
        }
    }
    if (!word)
        return true;
    g_set_error(error, CLI_ERROR, CLI_USAGE,
                "unknown format '%s': expected table, json, csv or html", word);
    return false;
}

static bool
set_command(Cli *cli, char **words, GError **error)
{
    guint n_words = words ? g_strv_length(words) : 0;

    if (n_words == 0)
        return true;
    cli->command = command_find(words[0]);
    if (!cli->command) {
        g_set_error(error, CLI_ERROR, CLI_USAGE, "unknown command '%s'; see 'virtksm --help'",
                    words[0]);
        return false;
    }
    if (n_words > (cli->command->has_argument ? 2 : 1) && !cli->command->has_more) {
        g_set_error(error, CLI_ERROR, CLI_USAGE,
                    "'%s' is one word too many for '%s'; see 'virtksm %s --help'",
                    words[n_words - 1], words[0], words[0]);
        return false;
    }
    cli->argument = g_strdup(words[1]);
    if (n_words > 2)
        cli->more = g_strdupv(words + 2);
    return true;
}

static bool
check_own_options(const Cli *cli, GError **error)
{
    GHashTableIter iter;
    gpointer name;
    gpointer text;

    g_hash_table_iter_init(&iter, cli->options);
    while (g_hash_table_iter_next(&iter, &name, &text)) {
        const CommandOption *option = find_own_option(cli->command, name);

        if (option && *(const char *)text)
            continue;
        if (option) {
            g_set_error(error, CLI_ERROR, CLI_USAGE, "--%s needs %s; see 'virtksm %s --help'",
                        option->name, option->argument, cli->command->name);
            return false;
        }
        g_set_error(error, CLI_ERROR, CLI_USAGE, "'%s' takes no --%s; see 'virtksm %s --help'",
                    cli->command->name, (const char *)name, cli->command->name);
        return false;
    }
    return true;
}

static bool
check_format(const Cli *cli, GError **error)
{
    if (cli->format == FORMAT_CSV && !cli->command->has_csv) {
        g_set_error(error, CLI_ERROR, CLI_USAGE,
                    "'%s' has no rows to print as csv: expected table or json", cli->command->name);
        return false;
    }
    if (cli->format == FORMAT_HTML && !cli->command->has_html) {
        g_set_error(error, CLI_ERROR, CLI_USAGE, "only 'report' can be printed as html, not '%s'",
                    cli->command->name);
        return false;
    }
    return true;
}

/* Empty, or nothing that could be sent. */
static bool
is_no_word(const char *word)
{
    return !*word || !g_utf8_validate(word, -1, NULL);
}

/* An empty DOMAIN would ask the daemon for all. */
static bool
check_words(const Cli *cli, GError **error)
{
    const Command *command = cli->command;
    bool is_bad = cli->argument && is_no_word(cli->argument);

    for (size_t i = 0; cli->more && cli->more[i]; i++)
        is_bad |= is_no_word(cli->more[i]);
    if (is_bad)
        g_set_error(error, CLI_ERROR, CLI_USAGE, "'%s' needs %s in UTF-8; see 'virtksm %s --help'",
                    command->name, command->has_more ? "words" : "a word", command->name);
    else if ((command->needs_argument && !cli->argument) || (command->has_more && !cli->more))
        g_set_error(error, CLI_ERROR, CLI_USAGE, "'%s' needs %s; see 'virtksm %s --help'",
                    command->name, command->arguments, command->name);
    else
        return true;
    return false;
}

/* What is right by itself, but not together. */
static bool
check(const Cli *cli, GError **error)
{
    if (cli->help || cli->version)
        return true;
    if (!cli->command) {
        g_set_error_literal(error, CLI_ERROR, CLI_USAGE, "no command; see 'virtksm --help'");
        return false;
    }
    return check_format(cli, error) && check_words(cli, error) && check_own_options(cli, error);
}

bool
options_parse(char **argv, Cli *ret_cli, GError **error)
{
    g_auto(Raw) raw = { 0 };
    g_auto(Cli) cli = { 0 };
    g_autoptr(GOptionContext) context = make_context(NULL, &raw);
    g_autoptr(GError) reason = NULL;
    g_auto(GStrv) copy = g_strdupv(argv);

    add_own_options(g_option_context_get_main_group(context), NULL);
    if (!g_option_context_parse_strv(context, &copy, &reason)) {
        g_set_error(error, CLI_ERROR, CLI_USAGE, "%s; see 'virtksm --help'", reason->message);
        return false;
    }
    cli.socket = g_strdup(raw.socket ? raw.socket : CLI_SOCKET_DEFAULT);
    cli.options = g_steal_pointer(&raw.own);
    cli.help = raw.help;
    cli.version = raw.version;
    if (!set_format(&cli, raw.format, error) || !set_command(&cli, raw.words, error) ||
        !check(&cli, error))
        return false;
    *ret_cli = cli; /* the caller owns it from here */
    cli = (Cli){ 0 };
    return true;
}

char *
options_help(const Command *command)
{
    g_autofree char *usage = command ? g_strdup_printf("%s %s", command->name, command->arguments)
                                     : g_strdup("COMMAND [ARGUMENT]");
    g_autofree char *summary =
        command ? g_strdup_printf("%s.\n\n%s", command->help, command->details) : command_list();
    g_auto(Raw) unused = { 0 };
    g_autoptr(GOptionContext) context = make_context(g_strchomp(usage), &unused);

    if (command)
        add_own_options(g_option_context_get_main_group(context), command);
    g_option_context_set_summary(context, summary);
    if (!command || !command->has_exit_codes)
        g_option_context_set_description(context, exit_codes);
    return g_option_context_get_help(context, TRUE, NULL);
}
