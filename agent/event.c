/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.c - from what a source saw to the table of domains, the watchers and KSM
 *
 *   source --event_post()--> count --> table --> watchers --> tick_now(): KSM moves, this turn
 *                                                             tick_want(): facts follow, soon
 *
 * Identity is the uuid and libvirt's number of the start. A start that two sources report is one
 * domain: whoever knows the number fills it in, whoever comes second changes nothing.
 */
#include "agent/event.h"
#include "agent/agent.h"
#include "agent/log.h"

#include <string.h>

/* An event's facts are wanted soon, but a burst of events is one question to libvirt. */
#define FACTS_DELAY_MS 100

typedef struct {
    EventWatcher watcher; /* NULL: unwatched while others were being told */
    gpointer user;        /* for watcher */
} Watch;

static const char *const kind_names[] = {
    [EVENT_CREATED] = "created",     [EVENT_CHANGED] = "changed", [EVENT_DESTROYING] = "destroying",
    [EVENT_DESTROYED] = "destroyed", [EVENT_KICK] = "kick",
};
G_STATIC_ASSERT(G_N_ELEMENTS(kind_names) == EVENT_COUNT);

const char *
event_kind_name(EventKind kind)
{
    return (unsigned)kind < EVENT_COUNT ? kind_names[kind] : "unknown";
}

void
event_hub_init(EventHub *hub)
{
    hub->counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    hub->watchers = g_ptr_array_new_with_free_func(g_free);
    hub->sequence = 0;
}

void
event_hub_done(EventHub *hub)
{
    g_clear_pointer(&hub->counts, g_hash_table_destroy);
    g_clear_pointer(&hub->watchers, g_ptr_array_unref);
}

SourceCount
event_hub_count(const EventHub *hub, const char *source)
{
    const SourceCount *count = g_hash_table_lookup(hub->counts, source);

    return count ? *count : (SourceCount){ 0, 0 };
}

void
event_watch(EventHub *hub, EventWatcher watcher, gpointer user)
{
    Watch *watch = g_new(Watch, 1);

    *watch = (Watch){ watcher, user };
    g_ptr_array_add(hub->watchers, watch);
}

/* Those who left while events were being told are taken out when nobody is. */
static void
sweep_watchers(EventHub *hub)
{
    for (guint i = hub->watchers->len; i > 0 && !hub->telling; i--)
        if (!((const Watch *)g_ptr_array_index(hub->watchers, i - 1))->watcher)
            g_ptr_array_remove_index(hub->watchers, i - 1);
}

void
event_unwatch(EventHub *hub, gpointer user)
{
    for (guint i = 0; hub->watchers && i < hub->watchers->len; i++) {
        Watch *watch = g_ptr_array_index(hub->watchers, i);

        if (watch->user == user)
            watch->watcher = NULL;
    }
    if (hub->watchers)
        sweep_watchers(hub);
}

static void
count_event(EventHub *hub, const char *source, uint64_t now_us)
{
    SourceCount *count = g_hash_table_lookup(hub->counts, source);

    if (!count) {
        count = g_new0(SourceCount, 1);
        g_hash_table_insert(hub->counts, g_strdup(source), count);
    }
    count->events++;
    count->last_us = now_us;
}

static void
tell_watchers(EventHub *hub, const Event *event)
{
    SeenEvent seen = { ++hub->sequence, g_get_real_time(), *event };

    hub->telling = true;
    for (guint i = 0; i < hub->watchers->len; i++) {
        const Watch *watch = g_ptr_array_index(hub->watchers, i);

        if (watch->watcher)
            watch->watcher(&seen, watch->user);
    }
    hub->telling = false;
    sweep_watchers(hub);
}

static bool
is_same_start(const Domain *domain, const Event *event)
{
    return domain->id == DOMAIN_ID_UNKNOWN || event->id == DOMAIN_ID_UNKNOWN ||
           domain->id == event->id;
}

/* Return: whether this start was known already. */
static bool
note_created(Agent *agent, const Event *event, uint64_t now_us)
{
    Domain *domain = domain_table_get(&agent->domains, event->uuid);

    if (domain && is_same_start(domain, event)) {
        if (event->id != DOMAIN_ID_UNKNOWN)
            domain->id = event->id;
        if (event->name)
            domain_rename(domain, event->name);
        return true;
    }
    if (domain)
        agent->tick.departures++;
    domain_table_add(&agent->domains, event->uuid, event->name ? event->name : event->uuid,
                     event->id, now_us);
    return false;
}

/* Return: what the event is in the light of what is known. */
static EventKind
keep_table(Agent *agent, const Event *event, uint64_t now_us)
{
    Domain *domain = event->uuid ? domain_table_get(&agent->domains, event->uuid) : NULL;
    bool is_about_it = domain && is_same_start(domain, event);

    if (event->kind == EVENT_CREATED)
        return note_created(agent, event, now_us) ? EVENT_CHANGED : EVENT_CREATED;
    if (event->kind == EVENT_DESTROYED && is_about_it) {
        domain_table_remove(&agent->domains, event->uuid);
        agent->tick.departures++;
    } else if (event->kind == EVENT_DESTROYING && is_about_it) {
        domain->state = DOMAIN_STOPPING;
    }
    return event->kind;
}

void
event_post(Agent *agent, const Event *event)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    Event seen = *event;

    if (agent->closing)
        return;
    count_event(&agent->events, seen.source, now_us);
    seen.kind = keep_table(agent, event, now_us);
    if (seen.scan || seen.kind == EVENT_CREATED || seen.kind == EVENT_KICK)
        agent->tick.triggers++;
    if (agent->tick.triggers > 0)
        tick_now(agent);
    if (agent->tick.decided_us >= now_us)
        agent->tick.reaction_us = (uint64_t)g_get_monotonic_time() - now_us;
    if (seen.kind != EVENT_CHANGED || seen.scan)
        tick_want(agent, FACTS_DELAY_MS);
    log_debug("%s: %s %s %s", seen.source, event_kind_name(seen.kind), seen.name ? seen.name : "",
              seen.detail ? seen.detail : "");
    tell_watchers(&agent->events, &seen);
}
