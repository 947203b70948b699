/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * psi.c - the kernel tells when tasks wait for memory: of the host, and of domains under a limit
 *
 * Of the host there are two triggers. "some" means that a task waits, "full" that all who could run
 * do: then work stands still. A kernel without PSI will not get it while it runs; whatever else is
 * in the way may pass, so it is tried again. Where no mechanism of reclaim is enabled and nobody
 * follows working sets, nobody would act on it, and nothing is watched.
 */
#include "agent/agent.h"
#include "agent/log.h"
#include "agent/source/psi_domain.h"
#include "agent/source/psi_trigger.h"
#include "agent/source/source.h"

#define HOST_FILE "proc/pressure/memory"
#define RETRY_S   30

struct PsiSource {
    Agent *agent;                         /* borrowed */
    PsiTrigger *triggers[PSI_KIND_COUNT]; /* owned; of the host; all or none */
    char *fault;                          /* owned; why there are none; NULL: there are */
    bool is_absent;                       /* this kernel has no PSI */
    guint retry;                          /* GSource of the next attempt; 0: none */
    PsiDomains domains;                   /* of domains under a limit */
    char *detail;                         /* owned; what is to be said of those; NULL: nothing */
};

/* A host with memory to spare has next to nothing of either. */
static const struct {
    guint percent;     /* see PsiFile */
    MemoryAlarm alarm; /* what more than that is */
} kinds[] = {
    [PSI_SOME] = { 10, ALARM_MEDIUM },
    [PSI_FULL] = { 5, ALARM_CRITICAL },
};
G_STATIC_ASSERT(G_N_ELEMENTS(kinds) == PSI_KIND_COUNT);

static void start(PsiSource *self);

static gboolean
try_again(gpointer data)
{
    PsiSource *self = data;

    self->retry = 0;
    start(self);
    return G_SOURCE_REMOVE;
}

/* Takes over @error. */
static void
give_up_for_now(PsiSource *self, GError *error)
{
    for (PsiKind kind = 0; kind < PSI_KIND_COUNT; kind++)
        g_clear_pointer(&self->triggers[kind], psi_trigger_free);
    if (g_strcmp0(self->fault, error->message) != 0)
        log_info("psi: %s", error->message);
    g_free(self->fault);
    self->fault = g_strdup(error->message);
    self->is_absent = g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
    if (!self->is_absent)
        self->retry = g_timeout_add_seconds(RETRY_S, try_again, self);
    g_error_free(error);
}

static void
on_host(PsiKind kind, bool is_gone, gpointer data)
{
    PsiSource *self = data;

    if (is_gone)
        give_up_for_now(self, g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_IO,
                                                  "the kernel has ended the watch of " HOST_FILE));
    else
        event_memory_alarm(self->agent, psi_source.name, kinds[kind].alarm);
}

/* It is the domain that is short, not the host: what is to be done, its figures say. */
static void
on_domain(gpointer data)
{
    event_memory_alarm(((PsiSource *)data)->agent, psi_source.name, ALARM_NONE);
}

static void
start(PsiSource *self)
{
    PsiFile file = { .dir_fd = self->agent->root_fd, .path = HOST_FILE };
    GError *error = NULL;

    for (PsiKind kind = 0; kind < PSI_KIND_COUNT && !error; kind++) {
        file.kind = kind;
        file.percent = kinds[kind].percent;
        self->triggers[kind] = psi_trigger_new(&file, on_host, self, &error);
    }
    if (error)
        give_up_for_now(self, error);
    else
        g_clear_pointer(&self->fault, g_free);
}

static void
source_open(Agent *agent)
{
    PsiSource *self;

    if (!event_alarm_matters(agent))
        return;
    self = g_new0(PsiSource, 1);
    self->agent = agent;
    psi_domains_init(&self->domains, on_domain, self);
    start(self);
    agent->psi = self; /* the agent holds it until source_close() */
}

static void
source_close(Agent *agent)
{
    PsiSource *self = g_steal_pointer(&agent->psi);

    if (!self)
        return;
    g_clear_handle_id(&self->retry, g_source_remove);
    for (PsiKind kind = 0; kind < PSI_KIND_COUNT; kind++)
        psi_trigger_free(self->triggers[kind]);
    psi_domains_done(&self->domains);
    g_free(self->fault);
    g_free(self->detail);
    g_free(self);
}

static void
source_adopt(Agent *agent)
{
    if (!event_alarm_matters(agent))
        source_close(agent);
    else if (!agent->psi)
        source_open(agent);
}

static SourceState
source_state(const Agent *agent, const char **ret_detail)
{
    PsiSource *self = agent->psi;
    guint unwatched;

    if (!self) {
        if (!event_alarm_matters(agent))
            *ret_detail = SOURCE_NO_MATTER;
        return SOURCE_CLOSED;
    }
    if (self->fault) {
        *ret_detail = self->fault;
        return self->is_absent ? SOURCE_CLOSED : SOURCE_WAITING;
    }
    g_clear_pointer(&self->detail, g_free);
    unwatched = psi_domains_unwatched(&self->domains);
    if (unwatched > 0)
        self->detail = g_strdup_printf("%u domains under a limit are not watched, but looked at "
                                       "regularly",
                                       unwatched);
    *ret_detail = self->detail;
    return SOURCE_OPEN;
}

void
psi_source_follow(PsiSource *source, const GPtrArray *domains)
{
    if (source)
        psi_domains_follow(&source->domains, domains);
}

const Source psi_source = { "psi", source_open, source_close, source_adopt, source_state };
