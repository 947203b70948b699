/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - virtksmd's command line; the daemon itself begins in agent.c */
#define _GNU_SOURCE
#include "agent/agent.h"
#include "agent/config.h"
#include "agent/error.h"
#include "agent/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define RUNTIME_DIR_DEFAULT "/run/virtksm"
#define STATE_DIR_DEFAULT   "/var/lib/virtksm"

typedef struct {
    AgentOptions agent;
    gboolean check_config; /* say whether the configuration is right, and exit */
    gboolean restore;      /* put back what a killed agent left, and exit */
    gboolean version;      /* print the version, and exit */
} Arguments;

static bool
parse_arguments(int *argc, char ***argv, Arguments *args, GError **error)
{
    AgentOptions *agent = &args->agent;
    const GOptionEntry entries[] = {
        { "config", 'c', 0, G_OPTION_ARG_FILENAME, &agent->config,
          "Configuration (default " CONF_FILE_DEFAULT ")", "FILE" },
        { "connect", 0, 0, G_OPTION_ARG_STRING, &agent->uri,
          "libvirt connection, or none (default qemu:///system)", "URI" },
        { "mode", 0, 0, G_OPTION_ARG_STRING, &agent->mode,
          "auto, classic, fixed, observe or off (default auto)", "MODE" },
        { "root", 0, 0, G_OPTION_ARG_FILENAME, &agent->root,
          "Folder that /sys, /proc and /run/libvirt are looked for in (default /)", "DIR" },
        { "runtime-dir", 0, 0, G_OPTION_ARG_FILENAME, &agent->runtime_dir,
          "Folder of the sockets (default " RUNTIME_DIR_DEFAULT ")", "DIR" },
        { "state-dir", 0, 0, G_OPTION_ARG_FILENAME, &agent->state_dir,
          "Folder of what must survive (default " STATE_DIR_DEFAULT ")", "DIR" },
        { "log-level", 0, 0, G_OPTION_ARG_STRING, &agent->log_level,
          "error, warning, info or debug (default info)", "LEVEL" },
        { "check-config", 0, 0, G_OPTION_ARG_NONE, &args->check_config,
          "Say whether the configuration is right, and exit", NULL },
        { "restore", 0, 0, G_OPTION_ARG_NONE, &args->restore,
          "Put back what an agent that was killed has left, and exit", NULL },
        { "version", 0, 0, G_OPTION_ARG_NONE, &args->version, "Print the version, and exit", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- drives KSM for libvirt domains");

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return false;
    if (*argc > 1) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "unexpected argument %s",
                    (*argv)[1]);
        return false;
    }
    agent->root = agent->root ? agent->root : "/";
    agent->runtime_dir = agent->runtime_dir ? agent->runtime_dir : RUNTIME_DIR_DEFAULT;
    agent->state_dir = agent->state_dir ? agent->state_dir : STATE_DIR_DEFAULT;
    return true;
}

static int
check_config(const AgentOptions *options)
{
    g_autoptr(Conf) conf = NULL;
    g_autoptr(GError) error = NULL;

    if (!agent_load_conf(options, &conf, &error)) {
        log_error("%s", error->message);
        return EX_CONFIG;
    }
    printf("configuration is right\n");
    return EXIT_SUCCESS;
}

static int
restore(const AgentOptions *options)
{
    g_autofree char *boot_id = NULL;
    g_autofree char *note = NULL;
    g_autoptr(GError) error = NULL;
    int root_fd = open(options->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    Originals originals;
    bool done = false;

    originals_init(&originals);
    if (originals_read_boot_id(root_fd, &boot_id, &error)) {
        originals_open(&originals, options->state_dir, boot_id, NULL);
        done = ksm_actuator_restore_from_disk(root_fd, &originals, &note, &error);
    }
    if (done)
        printf("%s\n", note);
    else
        log_error("cannot restore: %s", error->message);
    originals_done(&originals);
    if (root_fd >= 0)
        close(root_fd);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
serve(const AgentOptions *options)
{
    g_autoptr(GError) error = NULL;
    Agent agent;
    int status = EXIT_SUCCESS;

    if (agent_open(&agent, options, &error)) {
        log_info("virtksmd " VIRTKSM_VERSION " runs");
        agent_run(&agent);
    } else {
        log_error("%s", error->message);
        status = g_error_matches(error, AGENT_ERROR, AGENT_ERROR_CONF) ? EX_CONFIG : EXIT_FAILURE;
    }
    agent_close(&agent);
    return status;
}

int
main(int argc, char **argv)
{
    Arguments args = { 0 };
    g_autoptr(GError) error = NULL;

    log_open(LOG_LEVEL_INFO);
    if (!parse_arguments(&argc, &argv, &args, &error)) {
        log_error("%s (see --help)", error->message);
        return EX_USAGE;
    }
    if (args.version) {
        printf("virtksmd " VIRTKSM_VERSION "\n");
        return EXIT_SUCCESS;
    }
    if (args.check_config)
        return check_config(&args.agent);
    if (args.restore)
        return restore(&args.agent);
    return serve(&args.agent);
}
