/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command.h - the commands of virtksm; a command is one row and one function
 */
#ifndef AGENT_CLI_COMMAND_H
#define AGENT_CLI_COMMAND_H

#include "agent/cli/cli.h"

/* An option that only some commands take. */
typedef struct {
    const char *name;     /* behind "--" */
    char letter;          /* behind "-"; 0: none */
    const char *argument; /* what its text is, for the help; NULL: it has none */
    const char *help;     /* one line */
} CommandOption;

/* Options of a command, at most. */
#define COMMAND_OPTIONS 4

struct Command {
    const char *name;                            /* as typed */
    const char *arguments;                       /* for the usage line; "" when it takes none */
    const char *help;                            /* one line, in the list of commands */
    const char *details;                         /* more, in its own --help */
    bool has_argument;                           /* takes one word */
    bool needs_argument;                         /* which may not be left out */
    bool has_more;                               /* and one or more words behind it */
    bool has_csv;                                /* its result has rows */
    bool has_exit_codes;                         /* of its own, in its details */
    bool has_html;                               /* its result can be a page */
    bool (*run)(const Cli *cli, GError **error); /* asks, and prints */
    CommandOption options[COMMAND_OPTIONS + 1];  /* of its own, up to one without a name */
};

/** command_row() - every command, one after the other from 0; NULL behind the last */
const Command *command_row(size_t index);

/** command_find() - the row of a word; NULL: there is no such command */
const Command *command_find(const char *name);

/**
 * command_list() - every command with its help line, for --help
 *
 * Return: owned by the caller.
 */
char *command_list(void);

/*
 * The commands. Each asks the daemon, prints to standard output in @cli->format what its row
 * describes, and fails with CLI_ERROR.
 */

/** status_run() - what the daemon does, and with what */
bool status_run(const Cli *cli, GError **error);

/** list_run() - the running domains */
bool list_run(const Cli *cli, GError **error);

/** report_run() - what each domain saves and costs */
bool report_run(const Cli *cli, GError **error);

/** explain_run() - the last decision and its reasons */
bool explain_run(const Cli *cli, GError **error);

/** doctor_run() - what keeps memory from being merged; fails with CLI_FOUND if anything does */
bool doctor_run(const Cli *cli, GError **error);

/** working_set_run() - how much memory each domain has used lately */
bool working_set_run(const Cli *cli, GError **error);

/** history_run() - what was saved, and when */
bool history_run(const Cli *cli, GError **error);

/** kick_run() - scan now */
bool kick_run(const Cli *cli, GError **error);

/** mode_run() - show or set the mode */
bool mode_run(const Cli *cli, GError **error);

/** set_run() - change what a domain asks of the daemon */
bool set_run(const Cli *cli, GError **error);

/** trace_run() - write decisions to a file, until it is interrupted */
bool trace_run(const Cli *cli, GError **error);

/** simulate_run() - decide again on what was recorded */
bool simulate_run(const Cli *cli, GError **error);

/** top_run() - the report, live */
bool top_run(const Cli *cli, GError **error);

/** events_run() - everything that happens, until it is interrupted */
bool events_run(const Cli *cli, GError **error);

#endif
