/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* command.c - the table of commands */
#include "agent/cli/command.h"

static const Command commands[] = {
    {
        .name = "status",
        .arguments = "",
        .help = "What the daemon is doing, and with what",
        .details = "Mode and phase, KSM's settings now and as they were found, where events come "
                   "from, and\n"
                   "whether libvirt is connected.",
        .run = status_run,
    },
    {
        .name = "list",
        .arguments = "",
        .help = "The domains that the daemon knows",
        .details = "With libvirt's number, the process, and whether KSM may merge its memory.",
        .has_csv = true,
        .run = list_run,
    },
    {
        .name = "report",
        .arguments = "[DOMAIN]",
        .help = "Where memory is, and what KSM saves of it",
        .details =
            "DOMAIN is a name or a uuid: all figures of that domain, with what they mean. Without\n"
            "it, one line for every domain, for other processes and for the host:\n"
            "\n"
            "  MAX        memory that it is defined with\n"
            "  RESIDENT   in memory for its QEMU process now, merged pages too\n"
            "  SAVED      its fair share of what merging saves on the host\n"
            "  BALLOONED  given up through its balloon\n"
            "  SWAPPED    swapped out of its QEMU process\n"
            "  UNTOUCHED  never touched\n"
            "  OVERHEAD   what QEMU itself has resident beside the guest's memory\n"
            "\n"
            "MAX is BALLOONED, SWAPPED, UNTOUCHED, RESIDENT less OVERHEAD, and zero pages of KSM.\n"
            "SAVED of all domains and of other processes together is the host's, which is the\n"
            "kernel's own figure. JSON and CSV have every figure; CSV tells the rows apart by the\n"
            "column \"kind\".\n"
            "\n"
            "--format html makes a page that needs nothing but a browser, for the screen, the "
            "phone\n"
            "and paper: where the memory of each domain is, what was saved over time, and what it\n"
            "costs.",
        .has_argument = true,
        .has_csv = true,
        .has_html = true,
        .run = report_run,
        .options = { { "output", 'o', "FILE", "Write to FILE, not to standard output" } },
    },
    {
        .name = "explain",
        .arguments = "[DOMAIN]",
        .help = "Why KSM has its settings, and domains their memory",
        .details = "The last decision with what went into it, the bound that held, what would "
                   "change it, what\n"
                   "each domain brings to it, and the decisions before it, as far as they differ; "
                   "and what is\n"
                   "done, or in mode observe would be done, by balloon and memory.high. Of one "
                   "domain with\n"
                   "what was decided before.\n"
                   "DOMAIN is a name or a uuid; without it every domain is shown. CSV has a row "
                   "for the host\n"
                   "and one for each domain, told apart by the column \"kind\".",
        .has_argument = true,
        .has_csv = true,
        .run = explain_run,
    },
    {
        .name = "doctor",
        .arguments = "[DOMAIN]",
        .help = "What keeps memory from being merged or reclaimed",
        .details =
            "Checks the host and every domain, or just DOMAIN, a name or a uuid. Each finding has "
            "a\n"
            "severity, what was seen and where, what to do, and in brackets an id that stays the "
            "same.\n"
            "\n"
            "Exit codes of this command:\n"
            "  0  nothing is wrong; what is merely good to know (info) does not count\n"
            "  1  there are warnings or errors\n"
            "  2  the daemon could not be asked; the finding is what can be seen of it from here\n"
            "  3  no such domain",
        .has_argument = true,
        .has_csv = true,
        .has_exit_codes = true,
        .run = doctor_run,
    },
    {
        .name = "working-set",
        .arguments = "[DOMAIN]",
        .help = "How much memory each domain has used lately",
        .details =
            "DOMAIN is a name or a uuid: its memory by the time since it was last used, on each "
            "NUMA\n"
            "node. Without it, one line for every domain:\n"
            "\n"
            "  STATE        measured; guest: only what the guest says of itself; warming: not "
            "enough\n"
            "               was seen yet; none: there is no means; off: not measured\n"
            "  BACKEND      what it was measured with, the best that works here\n"
            "  SURE         share of the memory whose age is told right; \"~\": an estimate\n"
            "  AGE          of the measurement\n"
            "  WORKING SET  used within [working_set] age; \">=\": the guest swaps, and needs "
            "more\n"
            "  COLD         the rest of what is resident\n"
            "\n"
            "CSV has a row for each age on each node. With --follow there is a line when a working "
            "set moves,\n"
            "and one for each domain when the host comes under pressure, until interrupted.",
        .has_argument = true,
        .has_csv = true,
        .run = working_set_run,
        .options = { { "follow", 0, NULL, "Go on with reports as they come" } },
    },
    {
        .name = "history",
        .arguments = "[DOMAIN]",
        .help = "What was saved over time, to charge or to credit",
        .details =
            "DOMAIN is a name or a uuid, also of a domain that is gone. Without it there is a row "
            "for each\n"
            "interval of the host, and a total for each domain that ran. Intervals and times are "
            "UTC.\n"
            "\n"
            "  RUNNING   time in which it was there\n"
            "  SAVED     its fair share of what merging saved, in GiB-hours: 2 GiB for half an "
            "hour are 1\n"
            "  COST      KSM's records about its memory, in GiB-hours\n"
            "  NET       saved less cost\n"
            "  RESIDENT  memory that its QEMU process held, in GiB-hours\n"
            "  KSMD      its share of the run time of ksmd\n"
            "\n"
            "TIME is a length of time before now (90m, 24h, 7d, 4w) or a moment (2026-01-31,\n"
            "2026-01-31T12:00, with +01:00 behind it if it is not UTC). Without --since it is the "
            "last 24\n"
            "hours. Intervals count as a whole: let times to charge for begin and end with a day, "
            "or with\n"
            "an hour or a minute while those are kept.\n"
            "CSV tells intervals and totals apart by the column \"kind\".",
        .has_argument = true,
        .has_csv = true,
        .run = history_run,
        .options = { { "since", 0, "TIME", "From this moment on" },
                     { "until", 0, "TIME", "Up to this moment" },
                     { "by", 0, "INTERVAL",
                       "minute, hour or day (default: what suits the time)" } },
    },
    {
        .name = "top",
        .arguments = "",
        .help = "The report as it changes, on the whole screen",
        .details =
            "Sorted and in the units that you choose; the last line of the screen says with which\n"
            "keys. The columns are those of the report; NET is SAVED less COST, KSM's records; "
            "KSMD\n"
            "is the time that ksmd spent on a domain, BROKEN how many of its merges it broke, AGE\n"
            "how old the figures of libvirt are; NEED is what a guest is thought to need, TARGET "
            "what its\n"
            "balloon is to leave to it, or would be in mode observe.\n"
            "\n"
            "When the daemon goes away, the last figures stay until it is back. Where standard\n"
            "output or input is no terminal, and with --format json, it prints a report each time.",
        .run = top_run,
        .options = { { "interval", 0, "SECONDS", "Time between two reports (default: 2)" },
                     { "count", 0, "N", "End after N reports" } },
    },
    {
        .name = "kick",
        .arguments = "",
        .help = "Scan everything once, now",
        .details = "Prints the settings after the kick. In the modes off and observe nothing is "
                   "scanned, which\n"
                   "is said.",
        .run = kick_run,
    },
    {
        .name = "mode",
        .arguments = "[MODE]",
        .help = "Print the mode, or set it until the daemon ends",
        .details = "MODE is auto, classic, fixed, observe or off. It holds until the daemon ends, "
                   "whatever the\n"
                   "configuration says when it is read again. Setting auto, classic or fixed also "
                   "makes the\n"
                   "daemon drive KSM again if it had yielded to another program.",
        .has_argument = true,
        .run = mode_run,
    },
    {
        .name = "set",
        .arguments = "DOMAIN KEY=VALUE...",
        .help = "Change what a domain asks of the daemon",
        .details =
            "Writes the domain's metadata in libvirt, where 'virsh metadata DOMAIN\n"
            "urn:virtksm:domain:1' shows it; 'KEY=' takes a setting out. It holds at once. If "
            "somebody\n"
            "else had changed the balloon or the limit of the domain, so that the daemon left it "
            "alone,\n"
            "it goes on. It is for domains that run; for one that is shut off there is\n"
            "'virsh metadata DOMAIN urn:virtksm:domain:1 --config', see virtksm-domain(7).\n"
            "\n"
            "  ksm.weight            how much its memory counts for KSM, percent of normal, 0 to "
            "10000\n"
            "  ksm.latency_critical  yes: ksmd gives way when it waits for a CPU; no\n"
            "  ksm.group             name of those that trust each other, for [tenancy]\n"
            "  ksm.merge             no: never merged, yes: merged by rule listed of [tenancy]\n"
            "  balloon.mode          off, observe or on, as far as [balloon] enable allows it\n"
            "  balloon.floor         MiB that are left to it, also by memory.high\n"
            "  balloon.ceiling       MiB that its balloon leaves to it at most\n"
            "  balloon.shares        how much of what is short is its, percent of normal, 0 to "
            "10000\n"
            "  memory_high.mode      off, observe or on, as far as [memory_high] enable allows it",
        .has_argument = true,
        .needs_argument = true,
        .has_more = true,
        .run = set_run,
        .options = { { "persist", 0, NULL, "Also for its next start, as virsh --config does" } },
    },
    {
        .name = "events",
        .arguments = "",
        .help = "Follow what happens to domains, until interrupted",
        .details =
            "One line for each event from now on; JSON is one object per line. Ends with exit code "
            "0\n"
            "when interrupted or when its reader goes away, and with 1 when the daemon goes away.",
        .has_csv = true,
        .run = events_run,
    },
    {
        .name = "trace",
        .arguments = "record",
        .help = "Record every decision, with all that goes into it",
        .details =
            "Writes a file for 'virtksm simulate' until it is interrupted. It holds amounts of\n"
            "memory of every domain, but no names. An existing file is left alone.",
        .has_argument = true,
        .needs_argument = true,
        .run = trace_run,
        .options = { { "output", 'o', "FILE", "Write to FILE (default: virtksm.trace)" },
                     { "seconds", 0, "N", "End after N seconds" } },
    },
    {
        .name = "simulate",
        .arguments = "TRACE",
        .help = "Decide again on recorded facts, also with other settings",
        .details =
            "TRACE is a file of 'virtksm trace record'. Needs no daemon. Prints when the plan for "
            "KSM\n"
            "changed and why; DEBT and SAVED in pages, times in seconds; then what it wanted of\n"
            "balloons, memory.high and memory.reclaim of each domain, if anything. Fails if the "
            "policy\n"
            "of this version decides otherwise than was recorded. CSV has a row for each change "
            "of\n"
            "the plan for KSM.",
        .has_argument = true,
        .needs_argument = true,
        .has_csv = true,
        .run = simulate_run,
        .options = { { "config", 'c', "FILE", "Compare with the settings in FILE" } },
    },
};

G_DEFINE_QUARK(virtksm - cli - error - quark, cli_error)

const Command *
command_row(size_t index)
{
    return index < G_N_ELEMENTS(commands) ? &commands[index] : NULL;
}

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

        g_string_append_printf(out, "\n  %-23s %s", usage, commands[i].help);
    }
    g_string_append(out, "\n\n'virtksm COMMAND --help' tells more about a command.");
    return g_string_free(out, FALSE);
}

const char *
cli_option(const Cli *cli, const char *name)
{
    return cli->options ? g_hash_table_lookup(cli->options, name) : NULL;
}

void
cli_done(Cli *cli)
{
    g_clear_pointer(&cli->options, g_hash_table_unref);
    g_free(cli->argument);
    g_strfreev(cli->more);
    g_free(cli->socket);
    *cli = (Cli){ 0 };
}
