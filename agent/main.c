/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - virtksmd's command line; the daemon itself begins in agent.c */
#define _GNU_SOURCE
#include "agent/agent.h"
#include "agent/config.h"
#include "agent/error.h"
#include "agent/facts/working_set.h"
#include "agent/log_event.h"
#include "agent/reclaim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#define RUNTIME_DIR_DEFAULT "/run/virtksm"
#define STATE_DIR_DEFAULT   "/var/lib/virtksm"

/* The command line; texts are owned, NULL where not given and there is no default. */
typedef struct {
    char *config;          /* main configuration file */
    char *uri;             /* libvirt connection */
    char *mode;            /* word for KsmMode */
    char *log_level;       /* word for LogLevel */
    char *root;            /* folder that /sys, /proc and /run/libvirt are below */
    char *runtime_dir;     /* of the sockets */
    char *state_dir;       /* of what must survive */
    gboolean check_config; /* say whether the configuration is right, and exit */
    gboolean restore;      /* put back what a killed agent left, and exit */
    gboolean guard;        /* lift limits when the agent at the other end cannot any more */
    gboolean version;      /* print the version, and exit */
    gboolean wants_help;   /* print help, and exit */
    char *help;            /* the text, if it is wanted */
} Arguments;

static void
arguments_clear(Arguments *args)
{
    g_free(args->config);
    g_free(args->uri);
    g_free(args->mode);
    g_free(args->log_level);
    g_free(args->root);
    g_free(args->runtime_dir);
    g_free(args->state_dir);
    g_free(args->help);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

static AgentOptions
agent_options(const Arguments *args)
{
    return (AgentOptions){ args->config, args->uri,         args->mode,     args->log_level,
                           args->root,   args->runtime_dir, args->state_dir };
}

static bool
parse_arguments(int *argc, char ***argv, Arguments *args, GError **error)
{
    const GOptionEntry entries[] = {
        { "config", 'c', 0, G_OPTION_ARG_FILENAME, &args->config,
          "Configuration (default " CONF_FILE_DEFAULT ")", "FILE" },
        { "connect", 0, 0, G_OPTION_ARG_STRING, &args->uri,
          "libvirt connection, or none, in place of [libvirt] uri", "URI" },
        { "mode", 0, 0, G_OPTION_ARG_STRING, &args->mode,
          "auto, classic, fixed, observe or off, in place of [ksm] mode", "MODE" },
        { "root", 0, 0, G_OPTION_ARG_FILENAME, &args->root,
          "Folder that /sys, /proc, /run/libvirt and watched folders are in (default /)", "DIR" },
        { "runtime-dir", 0, 0, G_OPTION_ARG_FILENAME, &args->runtime_dir,
          "Folder of the sockets (default " RUNTIME_DIR_DEFAULT ")", "DIR" },
        { "state-dir", 0, 0, G_OPTION_ARG_FILENAME, &args->state_dir,
          "Folder of what must survive (default " STATE_DIR_DEFAULT ")", "DIR" },
        { "log-level", 0, 0, G_OPTION_ARG_STRING, &args->log_level,
          "error, warning, info or debug, in place of [agent] log_level", "LEVEL" },
        { "check-config", 0, 0, G_OPTION_ARG_NONE, &args->check_config,
          "Say whether the configuration is right, and exit", NULL },
        { "restore", 0, 0, G_OPTION_ARG_NONE, &args->restore,
          "Put back what an agent that was killed has left, and exit", NULL },
        { "guard", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &args->guard,
          "Lift limits when the agent on standard input is gone", NULL },
        { "version", 0, 0, G_OPTION_ARG_NONE, &args->version, "Print the version, and exit", NULL },
        { "help", 'h', 0, G_OPTION_ARG_NONE, &args->wants_help, "Print this help, and exit", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- drives KSM for libvirt domains");

    /* GLib prints its help in the character set of a locale, which is not set here. */
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return false;
    if (args->wants_help)
        args->help = g_option_context_get_help(context, TRUE, NULL);
    if (*argc > 1) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "unexpected argument %s",
                    (*argv)[1]);
        return false;
    }
    args->root = args->root ? args->root : g_strdup("/");
    args->runtime_dir = args->runtime_dir ? args->runtime_dir : g_strdup(RUNTIME_DIR_DEFAULT);
    args->state_dir = args->state_dir ? args->state_dir : g_strdup(STATE_DIR_DEFAULT);
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

/* Configured or not, what is on record can be put back. */
static char *
find_uri(const AgentOptions *options)
{
    g_autoptr(Conf) conf = NULL;
    g_autoptr(GError) error = NULL;

    if (agent_load_conf(options, &conf, &error))
        return g_strdup(conf->uri);
    conf = conf_new();
    log_warning("%s; libvirt is asked at %s", error->message,
                options->uri ? options->uri : conf->uri);
    return g_strdup(options->uri ? options->uri : conf->uri);
}

/* What is put back, and what there is to say of it. */
typedef struct {
    const AgentOptions *options; /* borrowed */
    int root_fd;                 /* borrowed; the folder --root */
    Originals originals;         /* locked, where there are any */
    GString *notes;              /* borrowed; whole lines for people */
} Restoring;

/* @note: NULL: there is nothing to say */
static void
add_line(GString *notes, const char *note)
{
    if (note)
        g_string_append_printf(notes, "%s\n", note);
}

static bool
restore_ksm(Restoring *restoring, GError **error)
{
    g_autofree char *note = NULL;
    g_autofree char *nodes_note = NULL;
    Originals *originals = &restoring->originals;
    bool done;

    /* The first also lets go of what an earlier boot has left. */
    done = ksm_actuator_restore_from_disk(restoring->root_fd, originals, &note, error) &&
           nodes_restore(restoring->root_fd, originals, &nodes_note, error);
    add_line(restoring->notes, note);
    add_line(restoring->notes, nodes_note);
    return done;
}

/* Limits, balloons, merging and periods of statistics. */
static bool
restore_domains(Restoring *restoring, GError **error)
{
    g_autofree char *uri = NULL;
    g_autofree char *notes = NULL;
    Originals *originals = &restoring->originals;
    HighGuarded guarded = { restoring->root_fd, restoring->options->state_dir, NULL };

    if (!originals_has_group(originals, memory_high_actuator.name) &&
        !originals_has_group(originals, balloon_actuator.name) &&
        !originals_has_group(originals, merge_actuator.name) &&
        !originals_has_group(originals, stats_period_actuator.name))
        return true;
    uri = find_uri(restoring->options);
    guarded.uri = uri;
    if (!originals_prepare(originals, error) ||
        !reclaim_restore_now(&guarded, originals, &notes, error))
        return false;
    g_string_append(restoring->notes, notes ? notes : "");
    return true;
}

/* What measured working sets. */
static bool
restore_measuring(Restoring *restoring, GError **error)
{
    return working_set_give_back(restoring->root_fd, error);
}

static bool
restore_all(Restoring *restoring)
{
    static const struct {
        bool (*restore)(Restoring *restoring, GError **error); /* whether nothing of ours is left */
        const char *fault;                                     /* what is said before why not */
    } parts[] = {
        /* First, since domains that are marked again must not be merged meanwhile. */
        { restore_ksm, "cannot restore" },
        { restore_domains, "domains cannot be restored" },
        { restore_measuring, "cannot restore" },
    };
    bool done = true;

    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autoptr(GError) error = NULL;

        if (parts[i].restore(restoring, &error))
            continue;
        log_event(LOG_EVENT_NOT_RESTORED, "%s: %s", parts[i].fault, error->message);
        done = false;
    }
    return done;
}

/* In the place of the service that has ended, systemd tells how. The next start finds nothing to
 * tell of, as it is put back now. */
static void
tell_left_behind(const Originals *originals)
{
    const char *result = g_getenv("SERVICE_RESULT");

    if (result && !g_str_equal(result, "success") && actuators_have_left(originals))
        log_event(LOG_EVENT_LEFT_BEHIND,
                  "virtksmd did not end cleanly (%s): putting things back as they were found",
                  result);
}

/* Whether nobody else works here. Without a state directory nobody does, and none is made. */
static bool
claim_for_restore(const AgentOptions *options, Originals *originals, GError **error)
{
    return !g_file_test(options->state_dir, G_FILE_TEST_IS_DIR) ||
           originals_claim(originals, error);
}

static int
restore(const AgentOptions *options)
{
    g_autoptr(GString) notes = g_string_new(NULL);
    g_autofree char *boot_id = NULL;
    g_autoptr(GError) error = NULL;
    int root_fd = open(options->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    Restoring restoring = { .options = options, .root_fd = root_fd, .notes = notes };
    bool done = false;

    originals_init(&restoring.originals);
    if (root_fd < 0)
        g_set_error(&error, AGENT_ERROR, AGENT_ERROR_RUNTIME, "cannot open the root folder %s: %s",
                    options->root, g_strerror(errno));
    else if (originals_read_boot_id(root_fd, &boot_id, &error))
        originals_open(&restoring.originals, options->state_dir, boot_id, NULL);
    if (!error && claim_for_restore(options, &restoring.originals, &error)) {
        tell_left_behind(&restoring.originals);
        done = restore_all(&restoring);
    } else {
        log_event(LOG_EVENT_NOT_RESTORED, "cannot restore: %s", error->message);
    }
    printf("%s", notes->str);
    originals_done(&restoring.originals);
    if (root_fd >= 0)
        close(root_fd);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* See agent/actuator/memory_high_guard.c. */
static int
guard(const AgentOptions *options)
{
    int root_fd = open(options->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    const HighGuarded guarded = { root_fd, options->state_dir, options->uri };

    if (root_fd < 0 || !options->uri)
        return EXIT_FAILURE;
    high_guard_serve(STDIN_FILENO, &guarded);
    close(root_fd);
    return EXIT_SUCCESS;
}

/*
 * Some files of each domain are held open, so the 1024 descriptors that a service is given at first
 * are used up by a few hundred domains. That is for programs that use select(), which this is not.
 */
static void
allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int
serve(const AgentOptions *options)
{
    g_autoptr(GError) error = NULL;
    Agent agent;
    int status = EXIT_SUCCESS;

    allow_descriptors();
    if (agent_open(&agent, options, &error)) {
        log_event(LOG_EVENT_STARTED, "virtksmd " VIRTKSM_VERSION " runs");
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
    g_auto(Arguments) args = { 0 };
    g_autoptr(GError) error = NULL;
    AgentOptions options;

    log_open(LOG_LEVEL_INFO);
    /* libvirt's library writes to a connection that libvirtd may just have closed. */
    signal(SIGPIPE, SIG_IGN);
    if (!parse_arguments(&argc, &argv, &args, &error)) {
        log_error("%s (see --help)", error->message);
        return EX_USAGE;
    }
    options = agent_options(&args);
    if (args.help) {
        printf("%s", args.help);
        return EXIT_SUCCESS;
    }
    if (args.version) {
        printf("virtksmd " VIRTKSM_VERSION "\n");
        return EXIT_SUCCESS;
    }
    if (args.check_config)
        return check_config(&options);
    if (args.restore)
        return restore(&options);
    if (args.guard)
        return guard(&options);
    return serve(&options);
}
