/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.h - from the command line to a Cli, and the help texts
 */
#ifndef AGENT_CLI_OPTIONS_H
#define AGENT_CLI_OPTIONS_H

#include "agent/cli/cli.h"

/**
 * options_parse() - read the command line
 * @argv:    NULL-terminated, from the program's name on; left alone
 * @ret_cli: owned by the caller, end with cli_done(); written only on success
 * @error:   CLI_USAGE, with a hint
 *
 * With --help or --version, a command need not be named.
 */
bool options_parse(char **argv, Cli *ret_cli, GError **error);

/**
 * options_help() - what --help prints
 * @command: whose help; NULL: of the program
 *
 * Return: owned by the caller.
 */
char *options_help(const Command *command);

#endif
