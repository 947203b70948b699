/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - virtksm, the command line client of virtksmd
 *
 * Results go to standard output, what went wrong to standard error, in one line. The locale is
 * left at "C", so figures look the same everywhere.
 */
#include "agent/cli/command.h"
#include "agent/cli/options.h"
#include "agent/cli/output.h"
#include "agent/cli/text.h"
#include "agent/config.h"

#include <stdio.h>

static bool
run(char **argv, GError **error)
{
    g_auto(Cli) cli = { 0 };
    g_autofree char *help = NULL;

    if (!options_parse(argv, &cli, error))
        return false;
    if (cli.version)
        return output_write("virtksm " VIRTKSM_VERSION "\n", error);
    if (cli.help) {
        help = options_help(cli.command);
        return output_write(help, error);
    }
    return cli.command->run(&cli, error);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *message = NULL;

    (void)argc;
    output_prepare();
    g_set_prgname("virtksm");
    if (run(argv, &error))
        return CLI_DONE;
    message = text_escape(error->message);
    fprintf(stderr, "virtksm: %s\n", message);
    return error->code;
}
