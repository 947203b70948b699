/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cli.h - what the pieces of virtksm share: the request of this run, and how it can fail
 *
 *     main.c -> options.c   argv becomes a Cli
 *            -> command.c   the row of the command; also what --help prints
 *            -> report.c, status.c, ...   one command each:
 *                   call.c     asks the daemon, and says in one line why that failed
 *                   json.c     message -> JSON     \
 *                   csv.c      message -> CSV       > field.c reads any field of any message
 *                   table.c    rows for people     /  text.c: units, escapes
 *                   output.c   writes it, and notices when that fails
 *
 * Commands return a GError in CLI_ERROR; its code is the exit code.
 */
#ifndef AGENT_CLI_CLI_H
#define AGENT_CLI_CLI_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The socket that is asked when --socket names none. */
#define CLI_SOCKET_DEFAULT "/run/virtksm/virtksmd.sock"

/* Exit codes; scripts rely on them. */
typedef enum {
    CLI_DONE = 0,
    CLI_FAILED = 1,    /* no daemon answers, the call failed, or output could not be written */
    CLI_USAGE = 2,     /* unknown command, option, format or mode */
    CLI_NO_DOMAIN = 3, /* no domain has this name or uuid */
    CLI_FOUND = 1,     /* doctor: there are warnings or errors */
    CLI_NOT_ASKED = 2, /* doctor: what is CLI_FAILED elsewhere */
} CliExit;

/* Error domain of everything in agent/cli/; the code is a CliExit and never CLI_DONE. */
#define CLI_ERROR (cli_error_quark())

/** cli_error_quark() - the GError domain of CliExit */
GQuark cli_error_quark(void);

typedef enum {
    FORMAT_TABLE, /* for people: units, escapes, notes */
    FORMAT_JSON,  /* the message as it came; null for what could not be had */
    FORMAT_CSV,   /* quoted as RFC 4180 says; empty for what could not be had */
    FORMAT_HTML,  /* one page that needs nothing else */
    FORMAT_COUNT,
} Format;

typedef struct Command Command;

/* One run of virtksm. */
typedef struct {
    const Command *command; /* borrowed, static; NULL: none was named (--help, --version) */
    char *argument;         /* owned; the word behind the command; NULL: none */
    char **more;            /* owned; the words behind that; NULL: none */
    GHashTable *options;    /* owned; of the command's own options those given: name -> text */
    char *socket;           /* owned; path of the daemon's full socket */
    Format format;          /* of what goes to standard output */
    gboolean help;          /* --help */
    gboolean version;       /* --version */
} Cli;

/** cli_option() - text of one of the command's own options, owned by @cli; NULL: not given */
const char *cli_option(const Cli *cli, const char *name);

/** cli_done() - let go of what @cli owns; leaves it empty */
void cli_done(Cli *cli);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Cli, cli_done)

#endif
