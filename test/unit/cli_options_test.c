/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_options_test.c - command lines, right and wrong */
#include "agent/cli/command.h"
#include "agent/cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A command line in one string; words are parted by a single blank. */
static bool
parse(const char *line, Cli *ret_cli, GError **error)
{
    g_auto(GStrv) argv = g_strsplit(line, " ", -1);

    return options_parse(argv, ret_cli, error);
}

static void
options_may_stand_before_and_behind_the_command(void **unused)
{
    static const struct {
        const char *line;
        const char *command;
        const char *argument; /* NULL: none */
        const char *socket;
        Format format;
    } rows[] = {
        { "virtksm status", "status", NULL, CLI_SOCKET_DEFAULT, FORMAT_TABLE },
        { "virtksm --socket /x report --format csv web", "report", "web", "/x", FORMAT_CSV },
        { "virtksm report web --socket=/x --format=json", "report", "web", "/x", FORMAT_JSON },
        { "virtksm report -- --help", "report", "--help", CLI_SOCKET_DEFAULT, FORMAT_TABLE },
        { "virtksm --format json --format table list", "list", NULL, CLI_SOCKET_DEFAULT,
          FORMAT_TABLE },
        { "virtksm history web --since 7d --by day", "history", "web", CLI_SOCKET_DEFAULT,
          FORMAT_TABLE },
        { "virtksm mode auto", "mode", "auto", CLI_SOCKET_DEFAULT, FORMAT_TABLE },
        { "virtksm events --format csv", "events", NULL, CLI_SOCKET_DEFAULT, FORMAT_CSV },
        { "virtksm report -o /x --format html", "report", NULL, CLI_SOCKET_DEFAULT, FORMAT_HTML },
        { "virtksm --interval 2 top --format json", "top", NULL, CLI_SOCKET_DEFAULT, FORMAT_JSON },
        { "virtksm set web ksm.weight=1", "set", "web", CLI_SOCKET_DEFAULT, FORMAT_TABLE },
        { "virtksm set --persist web a=1 b= --format json", "set", "web", CLI_SOCKET_DEFAULT,
          FORMAT_JSON },
    };

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Cli) cli = { 0 };
        g_autoptr(GError) error = NULL;

        if (!parse(rows[i].line, &cli, &error))
            fail_msg("%s: %s", rows[i].line, error->message);
        if (g_strcmp0(cli.command->name, rows[i].command) != 0 ||
            g_strcmp0(cli.argument, rows[i].argument) != 0 ||
            g_strcmp0(cli.socket, rows[i].socket) != 0 || cli.format != rows[i].format)
            fail_msg("%s: command %s, argument %s, socket %s, format %d", rows[i].line,
                     cli.command->name, cli.argument, cli.socket, (int)cli.format);
    }
}

static void
wrong_usage_is_refused_with_a_hint(void **unused)
{
    static const struct {
        const char *line;
        const char *want; /* within the message */
    } rows[] = {
        { "virtksm", "no command; see 'virtksm --help'" },
        { "virtksm reprot", "unknown command 'reprot'; see 'virtksm --help'" },
        { "virtksm --colour status", "--colour; see 'virtksm --help'" },
        { "virtksm status --format", "--format; see 'virtksm --help'" },
        { "virtksm status --format yaml", "expected table, json, csv or html" },
        { "virtksm status --format csv", "'status' has no rows to print as csv" },
        { "virtksm kick --format csv", "'kick' has no rows to print as csv" },
        { "virtksm mode --format csv", "'mode' has no rows to print as csv" },
        { "virtksm list --format html", "only 'report' can be printed as html, not 'list'" },
        { "virtksm top --format csv", "'top' has no rows to print as csv" },
        { "virtksm set", "'set' needs DOMAIN KEY=VALUE...; see 'virtksm set --help'" },
        { "virtksm set web", "'set' needs DOMAIN KEY=VALUE...; see 'virtksm set --help'" },
        { "virtksm set web ", "'set' needs words in UTF-8; see 'virtksm set --help'" },
        { "virtksm set web a=\xff", "'set' needs words in UTF-8; see 'virtksm set --help'" },
        { "virtksm set web a=1 --format csv", "'set' has no rows to print as csv" },
        { "virtksm list --persist", "'list' takes no --persist; see 'virtksm list --help'" },
        { "virtksm report web db", "'db' is one word too many for 'report'" },
        { "virtksm list -o x", "'list' takes no --output; see 'virtksm list --help'" },
        { "virtksm report --output ", "--output needs FILE; see 'virtksm report --help'" },
        { "virtksm report --count 3", "'report' takes no --count" },
        { "virtksm list --since 7d", "'list' takes no --since" },
        { "virtksm kick now", "'now' is one word too many for 'kick'" },
        { "virtksm report a b", "'b' is one word too many for 'report'" },
        { "virtksm status --since 1h", "'status' takes no --since" },
        { "virtksm report --by day", "'report' takes no --by" },
        { "virtksm history --since", "--since; see" },
        { "virtksm report ", "'report' needs a word" },
        { "virtksm report a\xff", "in UTF-8" },
    };

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Cli) cli = { 0 };
        g_autoptr(GError) error = NULL;

        if (parse(rows[i].line, &cli, &error))
            fail_msg("%s: was taken", rows[i].line);
        if (!g_error_matches(error, CLI_ERROR, CLI_USAGE) || !strstr(error->message, rows[i].want))
            fail_msg("%s: %s", rows[i].line, error->message);
        assert_null(cli.command);
        assert_null(cli.socket);
    }
}

static void
commands_check_what_their_options_say(void **unused)
{
    static const struct {
        const char *line;
        const char *want; /* within the message */
    } rows[] = {
        { "virtksm top --interval 0.09", "--interval '0.09': expected 0.1 to 3600 seconds" },
        { "virtksm top --interval 3601", "expected 0.1 to 3600 seconds" },
        { "virtksm top --interval nan", "expected 0.1 to 3600 seconds" },
        { "virtksm top --interval 2s", "expected 0.1 to 3600 seconds" },
        { "virtksm top --count 0", "--count '0': expected a whole number from 1 on" },
        { "virtksm top --count -1", "expected a whole number" },
        { "virtksm top --count 2.5", "expected a whole number" },
        { "virtksm trace record --seconds 0",
          "--seconds '0': expected a number from 1 to 31536000" },
        { "virtksm history --since tomorrow", "tomorrow" },
    };

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Cli) cli = { 0 };
        g_autoptr(GError) error = NULL;

        assert_true(parse(rows[i].line, &cli, NULL));
        if (cli.command->run(&cli, &error))
            fail_msg("%s: was taken", rows[i].line);
        if (!g_error_matches(error, CLI_ERROR, CLI_USAGE) || !strstr(error->message, rows[i].want))
            fail_msg("%s: %s", rows[i].line, error->message);
    }
}

static void
options_of_one_command_get_to_it(void **unused)
{
    g_auto(Cli) plain = { 0 };
    g_auto(Cli) top = { 0 };
    g_auto(Cli) report = { 0 };

    (void)unused;
    assert_true(parse("virtksm top", &plain, NULL));
    assert_null(cli_option(&plain, "interval"));
    assert_true(
        parse("virtksm top --interval=0.25 --count 7 --count 18446744073709551615", &top, NULL));
    assert_string_equal(cli_option(&top, "interval"), "0.25");
    assert_string_equal(cli_option(&top, "count"), "18446744073709551615");
    assert_true(parse("virtksm report -o page.html", &report, NULL));
    assert_string_equal(cli_option(&report, "output"), "page.html");
}

static void
words_behind_the_argument_and_a_flag_get_to_their_command(void **unused)
{
    g_auto(Cli) with = { 0 };
    g_auto(Cli) without = { 0 };
    (void)unused;

    assert_true(parse("virtksm set web a=1 --persist b=", &with, NULL));
    assert_non_null(cli_option(&with, "persist"));
    assert_int_equal(g_strv_length(with.more), 2);
    assert_string_equal(with.more[0], "a=1");
    assert_string_equal(with.more[1], "b=");
    assert_true(parse("virtksm set web a=1", &without, NULL));
    assert_null(cli_option(&without, "persist"));
}

static void
the_help_of_a_command_shows_its_own_options(void **unused)
{
    g_autofree char *top = options_help(command_find("top"));
    g_autofree char *report = options_help(command_find("report"));
    g_autofree char *all = options_help(NULL);

    (void)unused;
    assert_non_null(strstr(top, "--interval=SECONDS"));
    assert_non_null(strstr(top, "--count=N"));
    assert_null(strstr(top, "--output"));
    assert_non_null(strstr(report, "-o, --output=FILE"));
    assert_null(strstr(report, "--count"));
    assert_null(strstr(all, "--output"));
}

static void
help_and_version_need_no_command(void **unused)
{
    g_auto(Cli) help = { 0 };
    g_auto(Cli) of_report = { 0 };
    g_auto(Cli) version = { 0 };

    (void)unused;
    assert_true(parse("virtksm --help", &help, NULL));
    assert_true(help.help);
    assert_null(help.command);
    assert_true(parse("virtksm report -h", &of_report, NULL));
    assert_true(of_report.help);
    assert_string_equal(of_report.command->name, "report");
    assert_true(parse("virtksm --version", &version, NULL));
    assert_true(version.version);
}

static void
the_help_names_every_command_option_and_exit_code(void **unused)
{
    static const char *const wants[] = {
        "Usage:",
        "status ",
        "list ",
        "report [DOMAIN]",
        "explain [DOMAIN]",
        "doctor [DOMAIN]",
        "history [DOMAIN]",
        "kick ",
        "mode [MODE]",
        "set DOMAIN KEY=VALUE...",
        "events ",
        "--socket=PATH",
        CLI_SOCKET_DEFAULT,
        "--format=FORMAT",
        "--version",
        "--help",
        "  1  no daemon",
        "  2  wrong usage",
        "  3  no such domain",
        "doctor has its own",
        "virtksmd-ro.sock",
    };
    g_autofree char *help = options_help(NULL);

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(wants); i++) {
        if (!strstr(help, wants[i]))
            fail_msg("\"%s\" is not in: %s", wants[i], help);
    }
}

static void
a_command_has_help_of_its_own(void **unused)
{
    g_autofree char *report = options_help(command_find("report"));
    g_autofree char *mode = options_help(command_find("mode"));

    (void)unused;
    assert_non_null(strstr(report, "report [DOMAIN]\n"));
    assert_non_null(strstr(report, "  SAVED "));
    assert_non_null(strstr(report, "Exit codes:"));
    assert_null(strstr(report, "kick"));
    assert_non_null(strstr(mode, "mode [MODE]\n"));
    assert_non_null(strstr(mode, "auto, classic, fixed, observe or off"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_stand_before_and_behind_the_command),
        cmocka_unit_test(wrong_usage_is_refused_with_a_hint),
        cmocka_unit_test(commands_check_what_their_options_say),
        cmocka_unit_test(options_of_one_command_get_to_it),
        cmocka_unit_test(words_behind_the_argument_and_a_flag_get_to_their_command),
        cmocka_unit_test(the_help_of_a_command_shows_its_own_options),
        cmocka_unit_test(help_and_version_need_no_command),
        cmocka_unit_test(the_help_names_every_command_option_and_exit_code),
        cmocka_unit_test(a_command_has_help_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
