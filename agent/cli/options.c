/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.c - GOption reads the options, the table of commands the rest */
#include "agent/cli/options.h"
#include "agent/cli/command.h"

/* What GOption fills, before it is checked. */
typedef struct {
    char *socket;     /* owned */
    char *format;     /* owned */
    char *since;      /* owned */
    char *until;      /* owned */
    char *interval;   /* owned */
    char **words;     /* owned; what is no option */
    gboolean help;    /* of everything, or of the command that follows */
    gboolean version; /* of the project */
} Raw;

static const char *const format_words[] = {
    [FORMAT_TABLE] = "table",
    [FORMAT_JSON] = "json",
    [FORMAT_CSV] = "csv",
};
G_STATIC_ASSERT(G_N_ELEMENTS(format_words) == FORMAT_COUNT);

static const char exit_codes[] =
    "Exit codes:\n"
    "  0  done\n"
    "  1  no daemon answers, the call failed, or the output could not be written\n"
    "  2  wrong usage\n"
    "  3  no such domain\n"
    "\n"
    "Commands that change nothing also work on the read-only socket, virtksmd-ro.sock beside\n"
    "PATH; it is taken when PATH may not be opened.";

static void
raw_done(Raw *raw)
{
    g_free(raw->socket);
    g_free(raw->format);
    g_free(raw->since);
    g_free(raw->until);
    g_free(raw->interval);
    g_strfreev(raw->words);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Raw, raw_done)

/* @raw must outlive the context. */
static GOptionContext *
make_context(const char *parameters, Raw *raw)
{
    GOptionContext *context = g_option_context_new(parameters);
    const GOptionEntry entries[] = {
        { "socket", 0, 0, G_OPTION_ARG_FILENAME, &raw->socket,
          "Socket of the daemon (default: " CLI_SOCKET_DEFAULT ")", "PATH" },
        { "format", 0, 0, G_OPTION_ARG_STRING, &raw->format,
          "table (default), json, or csv where the result has rows", "FORMAT" },
        { "since", 0, 0, G_OPTION_ARG_STRING, &raw->since, "history: from when on", "TIME" },
        { "until", 0, 0, G_OPTION_ARG_STRING, &raw->until, "history: until when", "TIME" },
        { "by", 0, 0, G_OPTION_ARG_STRING, &raw->interval,
          "history: minute, hour or day (default: what suits the time)", "INTERVAL" },
        { "help", 'h', 0, G_OPTION_ARG_NONE, &raw->help, "Print this help", NULL },
        { "version", 0, 0, G_OPTION_ARG_NONE, &raw->version, "Print the version", NULL },
        { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &raw->words, NULL, NULL },
        { 0 },
    };

    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_add_main_entries(context, entries, NULL);
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
    g_set_error(error, CLI_ERROR, CLI_USAGE, "unknown format '%s': expected table, json or csv",
                word);
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
    if (n_words > (cli->command->has_argument ? 2 : 1)) {
        g_set_error(error, CLI_ERROR, CLI_USAGE,
                    "'%s' is one word too many for '%s'; see 'virtksm %s --help'",
                    words[n_words - 1], words[0], words[0]);
        return false;
    }
    cli->argument = g_strdup(words[1]);
    return true;
}

/* What is right by itself, but not together. An empty DOMAIN would ask the daemon for all. */
static bool
check(const Cli *cli, GError **error)
{
    if (cli->help || cli->version)
        return true;
    if (!cli->command) {
        g_set_error_literal(error, CLI_ERROR, CLI_USAGE, "no command; see 'virtksm --help'");
        return false;
    }
    if (cli->format == FORMAT_CSV && !cli->command->has_csv) {
        g_set_error(error, CLI_ERROR, CLI_USAGE,
                    "'%s' has no rows to print as csv: expected table or json", cli->command->name);
        return false;
    }
    if ((cli->since || cli->until || cli->interval) && !cli->command->has_period) {
        g_set_error(error, CLI_ERROR, CLI_USAGE,
                    "'%s' is of now: --since, --until and --by are for history",
                    cli->command->name);
        return false;
    }
    if (cli->argument && (!*cli->argument || !g_utf8_validate(cli->argument, -1, NULL))) {
        g_set_error(error, CLI_ERROR, CLI_USAGE,
                    "'%s' needs a word in UTF-8; see 'virtksm %s --help'", cli->command->name,
                    cli->command->name);
        return false;
    }
    return true;
}

bool
options_parse(char **argv, Cli *ret_cli, GError **error)
{
    g_auto(Raw) raw = { 0 };
    g_auto(Cli) cli = { 0 };
    g_autoptr(GOptionContext) context = make_context(NULL, &raw);
    g_autoptr(GError) reason = NULL;
    g_auto(GStrv) copy = g_strdupv(argv);

    if (!g_option_context_parse_strv(context, &copy, &reason)) {
        g_set_error(error, CLI_ERROR, CLI_USAGE, "%s; see 'virtksm --help'", reason->message);
        return false;
    }
    cli.socket = g_strdup(raw.socket ? raw.socket : CLI_SOCKET_DEFAULT);
    cli.since = g_steal_pointer(&raw.since);
    cli.until = g_steal_pointer(&raw.until);
    cli.interval = g_steal_pointer(&raw.interval);
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

    g_option_context_set_summary(context, summary);
    g_option_context_set_description(context, exit_codes);
    return g_option_context_get_help(context, TRUE, NULL);
}
