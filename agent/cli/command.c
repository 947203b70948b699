/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* command.c - the table of commands */
#include "agent/cli/command.h"

static const Command commands[] = {
    { "status", "", "What the daemon is doing, and with what",
      "Mode and phase, KSM's settings now and as they were found, where events come from, and\n"
      "whether libvirt is connected.",
      false, false, status_run },
    { "list", "", "The domains that the daemon knows",
      "With libvirt's number, the process, and whether KSM may merge its memory.", false, true,
      list_run },
    { "report", "[DOMAIN]", "What each domain saves and costs",
      "DOMAIN is a name or a uuid; without it every domain is shown.\n"
      "\n"
      "  MAX       memory it was defined with\n"
      "  BALLOON   of this, what its balloon leaves to it\n"
      "  RESIDENT  memory that its QEMU process holds\n"
      "  MERGED    its memory that KSM has merged\n"
      "  SAVED     its fair share of what merging saves on the host\n"
      "  COST      KSM's records about its memory\n"
      "  NET       saved less cost\n"
      "  AGE       of MAX and BALLOON, which come from libvirt\n"
      "\n"
      "SAVED of all domains and of other processes together is the host's, which is the\n"
      "kernel's own figure. CSV has a row for each, told apart by the column \"kind\".\n"
      "\n"
      "--format html makes a page that needs nothing but a browser, for the screen, the phone and\n"
      "paper: where the memory of each domain is, what was saved over time, and what it costs.",
      true, true, report_run },
    { "explain", "[DOMAIN]", "Why KSM has the settings it has",
      "The last decision with what went into it, and what each domain brings to it.\n"
      "DOMAIN is a name or a uuid; without it every domain is shown. CSV has a row for the host\n"
      "and one for each domain, told apart by the column \"kind\".",
      true, true, explain_run },
    { "history", "[DOMAIN]", "What was saved over time, to charge or to credit",
      "DOMAIN is a name or a uuid, also of a domain that is gone. Without it there is a row for "
      "each\n"
      "interval of the host, and a total for each domain that ran. Intervals and times are UTC.\n"
      "\n"
      "  RUNNING   time in which it was there\n"
      "  SAVED     its fair share of what merging saved, in GiB-hours: 2 GiB for half an hour are "
      "1\n"
      "  COST      KSM's records about its memory, in GiB-hours\n"
      "  NET       saved less cost\n"
      "  RESIDENT  memory that its QEMU process held, in GiB-hours\n"
      "  KSMD      run time of ksmd\n"
      "\n"
      "TIME is a length of time before now (90m, 24h, 7d, 4w) or a moment (2026-01-31,\n"
      "2026-01-31T12:00, with +01:00 behind it if it is not UTC). Without --since it is the last "
      "24\n"
      "hours. CSV tells intervals and totals apart by the column \"kind\".",
      true, true, history_run },
    { "top", "", "The report as it changes, on the whole screen",
      "Sorted and in the units that you choose; the last line of the screen says with which keys.\n"
      "The columns are those of the report, and what is ballooned away, swapped out and was never\n"
      "touched; KSMD is the time that ksmd spent on a domain, BROKEN how many merges it broke.\n"
      "\n"
      "When the daemon goes away, the last figures stay until it is back. Where standard output "
      "or\n"
      "input is no terminal, and with --format json, it prints a report each time.",
      false, false, top_run },
    { "kick", "", "Scan now, as after the start of a domain", "Prints the settings after the kick.",
      false, false, kick_run },
    { "mode", "[MODE]", "Print the mode, or set it until the daemon ends",
      "MODE is auto, classic, fixed, observe or off. Setting a mode also makes the daemon drive\n"
      "KSM again if it had yielded to another program.",
      true, false, mode_run },
    { "events", "", "Follow what happens to domains, until interrupted",
      "One line for each event from now on; JSON is one object per line. Ends with exit code 0\n"
      "when interrupted or when its reader goes away, and with 1 when the daemon goes away.",
      false, true, events_run },
};

G_DEFINE_QUARK(virtksm - cli - error - quark, cli_error)

const Command *
command_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (g_str_equal(commands[i].name, name))
            return &commands[i];
    }
    return NULL;
}

char *
command_list(void)
{
    GString *out = g_string_new("Commands:");

    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *usage = g_strdup_printf("%s %s", commands[i].name, commands[i].arguments);

        g_string_append_printf(out, "\n  %-18s %s", usage, commands[i].help);
    }
    g_string_append(out, "\n\n'virtksm COMMAND --help' tells more about a command.");
    return g_string_free(out, FALSE);
}

void
cli_done(Cli *cli)
{
    g_free(cli->argument);
    g_free(cli->socket);
    g_free(cli->output);
    g_free(cli->since);
    g_free(cli->until);
    g_free(cli->interval);
    *cli = (Cli){ 0 };
}
