/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakeagent.c - an Agent on a fabricated host */
#define _GNU_SOURCE
#include "test/support/fakeagent.h"

#include <string.h>

#include "agent/log.h"
#include "agent/reclaim.h"
#include "test/support/await.h"
#include "test/support/fakehost.h"

#define BOOT "11111111-2222-3333-4444-555555555555"

/* The agent and the tree that it looks at, freed together. */
typedef struct {
    Agent agent; /* first: *state is a pointer to it */
    FakeRoot *root;
} FakeAgent;

int
fakeagent_setup(void **state)
{
    static const KsmActuatorOptions options = { .dry_run = false, .take_over = false };
    static const FakeFile files[] = {
        { FAKEAGENT_KSM "run", "0\n" },
        { FAKEAGENT_KSM "pages_to_scan", "100\n" },
        { FAKEAGENT_KSM "sleep_millisecs", "20\n" },
    };
    FakeAgent *fake = g_new0(FakeAgent, 1);
    Agent *agent = &fake->agent;
    g_autofree char *state_dir = NULL;

    log_open(LOG_LEVEL_ERROR);
    fake->root = fakehost_new(FAKEHOST_LINUX_5_10);
    fakeroot_write_table(fake->root, files, G_N_ELEMENTS(files));
    state_dir = g_build_filename(fakeroot_path(fake->root), "state", NULL);
    agent->conf = conf_new();
    agent->root_fd = fakeroot_fd(fake->root);
    agent->ksmd_cpu_percent = -1;
    domain_table_init(&agent->domains);
    event_hub_init(&agent->events);
    tick_init(&agent->tick);
    trace_hub_init(&agent->traces);
    measure_init(&agent->measure);
    policy_init(&agent->policy);
    tenant_init(&agent->window);
    host_init(&agent->host_facts, agent->root_fd);
    originals_init(&agent->originals);
    originals_open(&agent->originals, state_dir, BOOT, NULL);
    ksm_actuator_init(&agent->ksm, agent->root_fd, &agent->originals, &options);
    nodes_init(&agent->nodes, agent->root_fd, &agent->originals, &agent->ksm);
    agent->contexts[ACTUATOR_KSM] = &agent->ksm;
    agent->contexts[ACTUATOR_NODES] = &agent->nodes;
    reclaim_open(agent);
    if (ksm_actuator_open(&agent->ksm) != KSM_ACTUATOR_READY)
        fail_msg("%s", ksm_actuator_text(&agent->ksm));
    *state = agent;
    return 0;
}

int
fakeagent_setup_web(void **state)
{
    Agent *agent;

    fakeagent_setup(state);
    agent = *state;
    fakehost_add_qemu(fakeagent_root(agent));
    domain_table_add(&agent->domains, FAKEHOST_QEMU_UUID, "web", 1, 0)->is_libvirts = true;
    return 0;
}

Domain *
fakeagent_web(Agent *agent)
{
    return domain_table_get(&agent->domains, FAKEHOST_QEMU_UUID);
}

int
fakeagent_teardown(void **state)
{
    FakeAgent *fake = *state;
    Agent *agent = &fake->agent;

    tick_done(&agent->tick);
    trace_hub_done(&agent->traces);
    partition_clear(&agent->partition);
    measure_close(agent);
    measure_done(&agent->measure);
    reclaim_close(agent);
    ksm_actuator_done(&agent->ksm);
    originals_done(&agent->originals);
    host_done(&agent->host_facts);
    event_hub_done(&agent->events);
    domain_table_done(&agent->domains);
    conf_free(agent->conf);
    fakeroot_free(fake->root);
    g_free(fake);
    return 0;
}

FakeRoot *
fakeagent_root(Agent *agent)
{
    return ((FakeAgent *)(gpointer)agent)->root;
}

guint64
fakeagent_ksm(Agent *agent, const char *name)
{
    g_autofree char *path =
        g_build_filename(fakeroot_path(fakeagent_root(agent)), FAKEAGENT_KSM, name, NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    if (!g_file_get_contents(path, &text, NULL, &error))
        fail_msg("%s", error->message);
    return g_ascii_strtoull(text, NULL, 10);
}

void
fakeagent_expect_source(const Agent *agent, const Source *source, const char *when,
                        SourceState state, const char *detail)
{
    const char *said = NULL;
    SourceState have = source->state(agent, &said);

    if (have != state)
        fail_msg("%s: %s (%s)", when, source_state_name(have), said ? said : "no detail");
    if (detail ? !said || !strstr(said, detail) : said != NULL)
        fail_msg("%s: \"%s\", want \"%s\"", when, said ? said : "", detail);
}

void
fakeagent_tick(Agent *agent)
{
    uint64_t before = agent->tick.count;

    tick_want(agent, 0);
    AWAIT(agent->tick.count > before && !agent->host.is_quick);
}

static gboolean
end_run(gpointer over)
{
    *(gboolean *)over = TRUE;
    return G_SOURCE_REMOVE;
}

void
fakeagent_run(guint duration_ms)
{
    gboolean over = FALSE;

    g_timeout_add(duration_ms, end_run, &over);
    while (!over)
        g_main_context_iteration(NULL, TRUE);
}
