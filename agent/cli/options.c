/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.c - GOption reads the options, the table of commands the rest */
#include "agent/cli/options.h"
#include "agent/cli/command.h"

#include <errno.h>
#include <math.h>

/* Seconds between two reports of top: what a person can follow, up to what is no longer live. */
#define INTERVAL_DEFAULT "2"
#define INTERVAL_MIN_S   0.1
#define INTERVAL_MAX_S   3600

/* What GOption fills, before it is checked. */
typedef struct {
    char *socket;     /* owned */
    char *format;     /* owned */
    char *since;      /* owned */
    char *until;      /* owned */
    char *interval;   /* owned; of --by */
    char *output;     /* owned */
    char *every;      /* owned; seconds */
    char *count;      /* owned; a whole number */
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
    g_free(raw->output);
    g_free(raw->every);
    g_free(raw->count);
    g_strfreev(raw->words);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Raw, raw_done)

/* An option of one command; the others do not take it, and do not show it in their help. */
typedef struct {
    const char *command;  /* that takes it */
    const char *name;     /* behind "--" */
    char letter;          /* behind "-"; 0: none */
    size_t value;         /* offset in Raw of its text */
    const char *help;     /* one line */
    const char *argument; /* what the text is, in the help */
} OwnOption;

static const OwnOption own_options[] = {
    { "history", "since", 0, offsetof(Raw, since), "From when on (default: 24h)", "TIME" },
    { "history", "until", 0, offsetof(Raw, until), "Until when (default: now)", "TIME" },
    { "history", "by", 0, offsetof(Raw, interval),
      "minute, hour or day (default: what suits the time)", "INTERVAL" },
    { "report", "output", 'o', offsetof(Raw, output), "Write to FILE, not to standard output",
      "FILE" },
    { "top", "interval", 0, offsetof(Raw, every),
      "Time between two reports (default: " INTERVAL_DEFAULT ")", "SECONDS" },
    { "top", "count", 0, offsetof(Raw, count), "End after N reports", "N" },
};

static char **
own_value(const OwnOption *option, Raw *raw)
{
    return (char **)((char *)raw + option->value);
}

/* Those of @command; NULL: all, as nobody knows the command before the options are read. */
static void
add_own_options(GOptionContext *context, const Command *command, Raw *raw)
{
    for (size_t i = 0; i < G_N_ELEMENTS(own_options); i++) {
        const OwnOption *option = &own_options[i];
        const GOptionEntry entries[] = {
            { option->name, option->letter, 0, G_OPTION_ARG_FILENAME, own_value(option, raw),
              option->help, option->argument },
            { 0 },
        };

        if (!command || g_str_equal(option->command, command->name))
            g_option_context_add_main_entries(context, entries, NULL);
    }
}

/* @raw must outlive the context. */
static GOptionContext *
make_context(const char *parameters, Raw *raw)
{
    GOptionContext *context = g_option_context_new(parameters);
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
    if (n_words > (cli->command->has_argument ? 2 : 1)) {
        g_set_error(error, CLI_ERROR, CLI_USAGE,
                    "'%s' is one word too many for '%s'; see 'virtksm %s --help'",
                    words[n_words - 1], words[0], words[0]);
        return false;
    }
    cli->argument = g_strdup(words[1]);
    return true;
}

static bool
set_interval(Cli *cli, const char *text, GError **error)
{
    char *end = NULL;
    double seconds = g_ascii_strtod(text ? text : INTERVAL_DEFAULT, &end);

    /* Not "seconds < MIN", which is false for what is not a number. */
    if (*end || !(seconds >= INTERVAL_MIN_S && seconds <= INTERVAL_MAX_S)) {
        g_set_error(error, CLI_ERROR, CLI_USAGE, "--interval '%s': expected %g to %d seconds", text,
                    INTERVAL_MIN_S, INTERVAL_MAX_S);
        return false;
    }
    cli->interval_ms = (unsigned)lround(seconds * 1000);
    return true;
}

static bool
set_count(Cli *cli, const char *text, GError **error)
{
    if (!text || g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT64, &cli->count, NULL))
        return true;
    g_set_error(error, CLI_ERROR, CLI_USAGE, "--count '%s': expected a whole number from 1 on",
                text);
    return false;
}

static bool
check_own_options(const Cli *cli, Raw *raw, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(own_options); i++) {
        const OwnOption *option = &own_options[i];

        if (!cli->command || !*own_value(option, raw) ||
            g_str_equal(option->command, cli->command->name))
            continue;
        g_set_error(error, CLI_ERROR, CLI_USAGE, "'%s' has no option --%s; '%s' has",
                    cli->command->name, option->name, option->command);
        return false;
    }
    return true;
}

static bool
check_format(const Cli *cli, GError **error)
{
    bool has_html = g_str_equal(cli->command->name, "report");

    if (cli->format == FORMAT_CSV && !cli->command->has_csv) {
        g_set_error(error, CLI_ERROR, CLI_USAGE,
                    "'%s' has no rows to print as csv: expected table or json", cli->command->name);
        return false;
    }
    if (cli->format == FORMAT_HTML && !has_html) {
        g_set_error(error, CLI_ERROR, CLI_USAGE, "only 'report' can be printed as html, not '%s'",
                    cli->command->name);
        return false;
    }
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
    if (!check_format(cli, error))
        return false;
    if (cli->output && !*cli->output) {
        g_set_error_literal(error, CLI_ERROR, CLI_USAGE, "--output needs the name of a file");
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

    add_own_options(context, NULL, &raw);
    if (!g_option_context_parse_strv(context, &copy, &reason)) {
        g_set_error(error, CLI_ERROR, CLI_USAGE, "%s; see 'virtksm --help'", reason->message);
        return false;
    }
    cli.socket = g_strdup(raw.socket ? raw.socket : CLI_SOCKET_DEFAULT);
    cli.since = g_strdup(raw.since);
    cli.until = g_strdup(raw.until);
    cli.interval = g_strdup(raw.interval);
    cli.output = g_strdup(raw.output);
    cli.help = raw.help;
    cli.version = raw.version;
    if (!set_format(&cli, raw.format, error) || !set_command(&cli, raw.words, error) ||
        !check_own_options(&cli, &raw, error) || !set_interval(&cli, raw.every, error) ||
        !set_count(&cli, raw.count, error) || !check(&cli, error))
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
        add_own_options(context, command, &unused);
    g_option_context_set_summary(context, summary);
    g_option_context_set_description(context, exit_codes);
    return g_option_context_get_help(context, TRUE, NULL);
}
