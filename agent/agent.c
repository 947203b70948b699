/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent.c - the map of the daemon: what there is, in the order in which it comes and goes
 *
 *    libvirt callback   gRPC Kick          (source/: what happens)
 *            \            /
 *            event_post()                  (event.c: table of domains; watchers, after the tick)
 *                 |
 *            tick_now(), tick_want()       (tick.c: facts/ in, decision out)
 *                 |
 *            policy_decide()               (policy/: wanted settings, reason)
 *                 |
 *            actuator                      (actuator/: originals first, then the kernel's files)
 *
 *    recorder.c samples report/ for the history; its database is for a thread.
 *    rpc/ and report/ read all of this for whoever asks; virt/ has libvirt, its calls in threads.
 *
 * Everything but those calls runs on one GLib main loop and hangs on one Agent; there are no
 * locks. Opening goes from what may refuse the start (configuration, sockets of a live agent) to
 * what may not (libvirt, KSM): once it runs, it runs on what is there.
 */
#define _GNU_SOURCE
#include "agent/agent.h"
#include "agent/conf_keep.h"
#include "agent/confine.h"
#include "agent/error.h"
#include "agent/facts/working_set.h"
#include "agent/log_event.h"
#include "agent/notify.h"
#include "agent/reclaim.h"
#include "agent/recorder.h"
#include "agent/report/metrics.h"
#include "agent/report/metrics_address.h"
#include "agent/rpc/server.h"
#include "agent/source/source.h"
#include "agent/tenant.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <unistd.h>

static bool
check_kata_socket(const Conf *conf, GError **error)
{
    if (*conf->kata_socket == '\0' || g_path_is_absolute(conf->kata_socket))
        return true;
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF,
                "%s[rpc] kata_socket = %s: expected an absolute path",
                conf_place(conf, "rpc", "kata_socket"), conf->kata_socket);
    return false;
}

bool
agent_load_conf(const AgentOptions *options, Conf **ret_conf, GError **error)
{
    const struct {
        const char *option;
        const char *section;
        const char *key;
        const char *value;
    } rows[] = {
        { "--connect", "libvirt", "uri", options->uri },
        { "--mode", "ksm", "mode", options->mode },
        { "--log-level", "agent", "log_level", options->log_level },
    };
    g_autoptr(Conf) conf = NULL;

    if (!conf_load(options->config, &conf, error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].value && !conf_set(conf, rows[i].section, rows[i].key, rows[i].value, error)) {
            g_prefix_error(error, "%s: ", rows[i].option);
            return false;
        }
    }
    if (!metrics_address_check(conf->metrics_listen, error)) {
        g_prefix_error(error, "%s", conf_place(conf, "metrics", "listen"));
        return false;
    }
    if (!tenant_check(conf, error) || !check_kata_socket(conf, error))
        return false;
    *ret_conf = g_steal_pointer(&conf); /* the caller owns it from here */
    return true;
}

static bool
make_folder(const char *path, GError **error)
{
    if (g_mkdir_with_parents(path, 0755) == 0)
        return true;
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_RUNTIME, "cannot create %s: %s", path,
                g_strerror(errno));
    return false;
}

static bool
open_root(Agent *agent, GError **error)
{
    const char *root = agent->options.root;

    agent->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (agent->root_fd >= 0)
        return true;
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_RUNTIME, "cannot open the root folder %s: %s", root,
                g_strerror(errno));
    return false;
}

static KsmActuatorOptions
actuator_options(const Conf *conf)
{
    return (KsmActuatorOptions){ .dry_run = conf->policy.mode == KSM_MODE_OBSERVE,
                                 .take_over = conf->take_over };
}

static void
restore_one(Agent *agent, ActuatorId id)
{
    g_autofree char *note = NULL;
    g_autoptr(GError) error = NULL;

    if (!actuators[id]->restore(agent->contexts[id], &note, &error))
        log_event(LOG_EVENT_NOT_RESTORED, "putting %s back: %s", actuators[id]->name,
                  error->message);
    else if (note)
        log_info("%s: %s", actuators[id]->name, note);
}

/* In reverse: what was moved last goes back first. What was taken from domains goes back however
 * the agent is configured: without it nobody would give them more when they need it. Merging is
 * switched on only after KSM is as it was found, and stays off if KSM stays as it is. */
static void
restore_all(Agent *agent)
{
    for (int id = ACTUATOR_COUNT - 1; id >= 0; id--)
        if (id != ACTUATOR_KSM && id != ACTUATOR_NODES && id != ACTUATOR_MERGE)
            restore_one(agent, (ActuatorId)id);
    if (!agent->conf->restore_at_stop)
        return;
    restore_one(agent, ACTUATOR_NODES);
    restore_one(agent, ACTUATOR_KSM);
    restore_one(agent, ACTUATOR_MERGE);
}

/* Whether an orderly end can have left what is on record; what was taken from domains it gives
 * back. */
static bool
is_left_by_order(const Agent *agent)
{
    const Originals *originals = &agent->originals;

    return !agent->conf->restore_at_stop &&
           !originals_has_group(originals, balloon_actuator.name) &&
           !originals_has_group(originals, memory_high_actuator.name) &&
           !originals_has_group(originals, stats_period_actuator.name);
}

/* What a run that was killed has left goes back in any mode, also in one that writes nothing. For
 * that of domains libvirt is needed: their actuators see to it as soon as it is connected. */
static void
restore_leftovers(Agent *agent)
{
    KsmActuatorOptions write = { .dry_run = false, .take_over = agent->conf->take_over };
    g_autoptr(GError) error = NULL;

    if (!working_set_give_back(agent->root_fd, &error))
        log_event(LOG_EVENT_NOT_RESTORED, "cannot restore: %s", error->message);
    if (!actuators_have_left(&agent->originals))
        return;
    if (is_left_by_order(agent))
        log_info(
            "KSM is still as the last run has set it (restore_at_stop = false): putting it back "
            "as it was found");
    else
        log_event(LOG_EVENT_LEFT_BEHIND,
                  "the last run did not end cleanly: putting things back as they were found");
    ksm_actuator_set_options(&agent->ksm, &write);
    restore_one(agent, ACTUATOR_KSM);
}

/* Without KSM, or without the right to write it, the agent still reports, and says why. */
static bool
open_actuators(Agent *agent, GError **error)
{
    KsmActuatorOptions options = actuator_options(agent->conf);
    g_autofree char *boot_id = NULL;

    originals_init(&agent->originals);
    if (!originals_read_boot_id(agent->root_fd, &boot_id, error))
        return false;
    /* A damaged record is the actuator's state, told there and in every status. */
    originals_open(&agent->originals, agent->options.state_dir, boot_id, NULL);
    if (!originals_claim(&agent->originals, error)) {
        originals_done(&agent->originals);
        return false;
    }
    agent->is_resumed = actuators_have_left(&agent->originals);
    ksm_actuator_init(&agent->ksm, agent->root_fd, &agent->originals, &options);
    nodes_init(&agent->nodes, agent->root_fd, &agent->originals, &agent->ksm);
    agent->contexts[ACTUATOR_KSM] = &agent->ksm;
    agent->contexts[ACTUATOR_NODES] = &agent->nodes;
    ksm_actuator_open(&agent->ksm);
    restore_leftovers(agent);
    ksm_actuator_set_options(&agent->ksm, &options);
    reclaim_open(agent);
    return true;
}

static void
open_sources(Agent *agent)
{
    size_t n;
    const Source *const *sources = source_list(&n);

    for (size_t i = 0; i < n; i++)
        sources[i]->open(agent);
}

static void
tell_sources(Agent *agent)
{
    size_t n;
    const Source *const *sources = source_list(&n);

    for (size_t i = 0; i < n; i++)
        if (sources[i]->adopt)
            sources[i]->adopt(agent);
}

static void
close_sources(Agent *agent)
{
    size_t n;
    const Source *const *sources = source_list(&n);

    for (size_t i = n; i > 0; i--)
        sources[i - 1]->close(agent);
}

/* What cannot be given up is no reason not to run. */
static void
give_up_rights(const Agent *agent)
{
    g_autoptr(GError) error = NULL;

    if (agent->conf->confine && !confine(agent->conf->working_set, &error))
        log_warning("%s: going on with more rights than needed", error->message);
}

bool
agent_open(Agent *agent, const AgentOptions *options, GError **error)
{
    *agent = (Agent){ .options = *options, .root_fd = -1, .ksmd_cpu_percent = -1 };
    domain_table_init(&agent->domains);
    event_hub_init(&agent->events);
    tick_init(&agent->tick);
    trace_hub_init(&agent->traces);
    measure_init(&agent->measure);
    sampler_init(&agent->sampler, &agent->domains);
    policy_init(&agent->policy);
    tenant_init(&agent->window);
    agent->started_us = (uint64_t)g_get_monotonic_time();
    agent->loop = g_main_loop_new(NULL, FALSE);

    if (!agent_load_conf(options, &agent->conf, error))
        return false;
    log_open(agent->conf->log_level);
    if (!open_root(agent, error) || !make_folder(options->runtime_dir, error))
        return false;
    agent->server = server_new(agent, error);
    if (!agent->server)
        return false;
    give_up_rights(agent); /* the sockets have their owner; nothing has begun a thread */
    if (!open_actuators(agent, error))
        return false;
    host_init(&agent->host_facts, agent->root_fd);
    measure_open(agent);
    agent->opened = true;
    agent->metrics = metrics_new(agent);
    open_sources(agent);
    if (agent->conf->history_enable)
        agent->recorder = recorder_open(agent);
    return true;
}

static gboolean
on_quit(gpointer data)
{
    GMainLoop *loop = ((Agent *)data)->loop;

    if (g_main_loop_is_running(loop))
        log_info("told to end");
    g_main_loop_quit(loop);
    return G_SOURCE_CONTINUE;
}

/* What moves with the mode beside policy: whether writing is allowed at all. */
static void
adopt_mode(Agent *agent, KsmMode before)
{
    KsmActuatorOptions options = actuator_options(agent->conf);

    /* For a mode that begins, the domains that run are as new as if they had just started. */
    if (agent->conf->policy.mode != before && domain_table_size(&agent->domains) > 0)
        agent->tick.triggers++;
    /* What another program has set since stays as it is. */
    if (!ksm_mode_drives((KsmMode)agent->conf->policy.mode)) {
        restore_one(agent, ACTUATOR_NODES);
        restore_one(agent, ACTUATOR_KSM);
    }
    ksm_actuator_set_options(&agent->ksm, &options);
    reclaim_adopt(agent);
    tick_decide(agent);
    tick_want(agent, 0);
}

void
agent_set_mode(Agent *agent, KsmMode mode)
{
    KsmMode before = (KsmMode)agent->conf->policy.mode;

    if (agent->closing)
        return;
    log_info("mode %s, by a client", ksm_mode_words[mode]);
    agent->mode_override = ksm_mode_words[mode];
    agent->conf->policy.mode = mode;
    if (ksm_mode_drives(mode))
        ksm_actuator_take_over(&agent->ksm);
    adopt_mode(agent, before);
}

static gboolean
on_reload(gpointer data)
{
    Agent *agent = data;
    AgentOptions options = agent->options;
    g_autoptr(GError) error = NULL;
    g_autoptr(Conf) conf = NULL;
    KsmMode before;

    notify_reloading();
    if (agent->mode_override)
        options.mode = agent->mode_override;
    if (agent_load_conf(&options, &conf, &error)) {
        before = (KsmMode)agent->conf->policy.mode;
        conf_keep(conf, agent->conf);
        conf_free(agent->conf);
        agent->conf = g_steal_pointer(&conf); /* in force from here */
        log_open(agent->conf->log_level);
        log_info("configuration read again");
        if (agent->mode_override)
            log_info("the mode stays %s, as a client has set it", agent->mode_override);
        tenant_forget(agent);
        tell_sources(agent);
        adopt_mode(agent, before);
    } else {
        agent->bad_reloads++;
        log_event(LOG_EVENT_CONF_REFUSED, "keeping the old configuration: %s", error->message);
    }
    notify_ready();
    return G_SOURCE_CONTINUE;
}

void
agent_run(Agent *agent)
{
    /* Caught for good: a second SIGTERM must not interrupt what the first has begun. */
    g_unix_signal_add(SIGTERM, on_quit, agent);
    g_unix_signal_add(SIGINT, on_quit, agent);
    g_unix_signal_add(SIGHUP, on_reload, agent);
    agent->watchdog = notify_watchdog_start();
    tick_want(agent, 0);
    notify_ready();
    g_main_loop_run(agent->loop);
    notify_stopping();
}

void
agent_close(Agent *agent)
{
    g_clear_handle_id(&agent->watchdog, g_source_remove);
    agent->closing = true;
    g_clear_pointer(&agent->metrics, metrics_free);
    if (agent->opened) {
        server_shutdown(agent->server);
        restore_all(agent);                                /* may wait a moment for libvirt */
        g_clear_pointer(&agent->recorder, recorder_close); /* may wait a moment for the disk */
        close_sources(agent);                              /* may wait a moment for libvirt */
        measure_close(agent);                              /* may wait a moment for the kernel */
        reclaim_close(agent);
        ksm_actuator_done(&agent->ksm);
        originals_done(&agent->originals);
        host_done(&agent->host_facts);
        agent->opened = false;
    }
    sampler_done(&agent->sampler);
    g_clear_pointer(&agent->server, server_free);
    tick_done(&agent->tick);
    trace_hub_done(&agent->traces);
    partition_clear(&agent->partition);
    measure_done(&agent->measure);
    domain_table_done(&agent->domains);
    event_hub_done(&agent->events);
    g_clear_pointer(&agent->conf, conf_free);
    g_clear_pointer(&agent->loop, g_main_loop_unref);
    if (agent->root_fd >= 0)
        close(agent->root_fd);
    agent->root_fd = -1;
}
