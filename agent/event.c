/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.c - from what a source saw to the table of domains, the watchers and KSM
 *
 *   source --event_post()--> count --> table --> tick_now(): KSM moves, this turn --> watchers
 *                                                tick_want(): facts follow, soon
 *
 * Identity is the uuid and libvirt's number of the start. A start that two sources report is one
 * domain: whoever knows the number fills it in, whoever comes second changes nothing. Each source
 * tells things in their order, but one may be behind another: the news of a start can come when
 * another source has reported its end already, and the next start. libvirt counts its starts, so
 * the number of the last end is remembered for a moment; not for longer, because libvirtd counts
 * anew when it has been restarted.
 */
#include "agent/event.h"
#include "agent/agent.h"
#include "agent/gather.h"
#include "agent/log.h"
#include "policy/tenancy.h"

#include <string.h>

/* An event's facts are wanted soon, but a burst of events is one question to libvirt. */
#define FACTS_DELAY_MS 100
/* How far one source may be behind another. */
#define LATE_US 10000000

typedef struct {
    EventWatcher watcher; /* NULL: unwatched while others were being told */
    gpointer user;        /* for watcher */
} Watch;

/* The newest end of a domain. */
typedef struct {
    char *source;     /* owned; who reported it */
    int id;           /* number of the start; never DOMAIN_ID_UNKNOWN */
    uint64_t time_us; /* CLOCK_MONOTONIC */
} Ended;

static const char *const kind_names[] = {
    [EVENT_CREATING] = "creating",     [EVENT_CREATED] = "created",     [EVENT_CHANGED] = "changed",
    [EVENT_DESTROYING] = "destroying", [EVENT_DESTROYED] = "destroyed", [EVENT_KICK] = "kick",
};
G_STATIC_ASSERT(G_N_ELEMENTS(kind_names) == EVENT_COUNT);

const char *
event_kind_name(EventKind kind)
{
    return (unsigned)kind < EVENT_COUNT ? kind_names[kind] : "unknown";
}

static void
ended_free(gpointer data)
{
    Ended *ended = data;

    g_free(ended->source);
    g_free(ended);
}

void
event_hub_init(EventHub *hub)
{
    hub->ended = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, ended_free);
    hub->counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    hub->watchers = g_ptr_array_new_with_free_func(g_free);
    hub->sequence = 0;
}

void
event_hub_done(EventHub *hub)
{
    g_clear_pointer(&hub->ended, g_hash_table_destroy);
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
event_hub_forget(EventHub *hub, const char *source)
{
    g_hash_table_remove(hub->counts, source);
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
tell_watchers(EventHub *hub, const Event *event, bool is_news)
{
    SeenEvent seen = { ++hub->sequence, g_get_real_time(), *event, is_news };

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

static gboolean
is_long_ago(gpointer uuid, gpointer value, gpointer now_us)
{
    (void)uuid;
    return *(const uint64_t *)now_us - ((const Ended *)value)->time_us > LATE_US;
}

/* Remembers the newest end, until another source tells of it as well: then nobody is behind. */
static void
note_end(EventHub *hub, const Event *event, int id, uint64_t now_us)
{
    const Ended *known;
    bool is_others;
    Ended *ended;

    g_hash_table_foreach_remove(hub->ended, is_long_ago, &now_us);
    known = g_hash_table_lookup(hub->ended, event->uuid);
    is_others = known && !g_str_equal(known->source, event->source);
    if (is_others && id != DOMAIN_ID_UNKNOWN && id == known->id && event->name && event->detail)
        log_info("%s: %s, says %s", event->name, event->detail, event->source);
    if (id == DOMAIN_ID_UNKNOWN || (is_others && id == known->id)) {
        g_hash_table_remove(hub->ended, event->uuid);
        return;
    }
    if (is_others && id < known->id)
        return; /* this source is behind by more than one start */
    ended = g_new(Ended, 1);
    *ended = (Ended){ g_strdup(event->source), id, now_us };
    g_hash_table_replace(hub->ended, g_strdup(event->uuid), ended);
}

/* Whether a source tells of a start that another one has got past. */
static bool
is_late_news(const EventHub *hub, const Event *event, uint64_t now_us)
{
    const Ended *ended = g_hash_table_lookup(hub->ended, event->uuid);

    return ended && event->id != DOMAIN_ID_UNKNOWN && event->id <= ended->id &&
           now_us - ended->time_us <= LATE_US && !g_str_equal(ended->source, event->source);
}

/* A claim changes nothing about a domain that libvirt knows. */
static bool
may_change(const Domain *domain, const Event *event)
{
    return !event->claim || !domain->is_libvirts;
}

static void
note_witness(Domain *domain, const Event *event)
{
    if (event->claim)
        domain_claim(domain, event->source);
    else
        domain->is_libvirts = true;
}

static void
rename_domain(Domain *domain, const Event *event)
{
    if (g_str_equal(domain->name, event->name))
        return;
    log_info("%s: is called %s now (%s)", domain->name, event->name, event->source);
    domain_rename(domain, event->name);
}

/* Return: whether this start is new. */
static bool
note_created(Agent *agent, const Event *event, uint64_t now_us)
{
    Domain *domain = domain_table_get(&agent->domains, event->uuid);

    if (domain && is_same_start(domain, event)) {
        if (event->id != DOMAIN_ID_UNKNOWN)
            domain->id = event->id;
        if (event->name && may_change(domain, event))
            rename_domain(domain, event);
        note_witness(domain, event);
        return false;
    }
    if (is_late_news(&agent->events, event, now_us))
        return false;
    if (domain) {
        log_info("%s: an earlier start of it has ended", domain->name);
        agent->tick.departures++;
    }
    domain = domain_table_add(&agent->domains, event->uuid, event->name ? event->name : event->uuid,
                              event->id, now_us);
    note_witness(domain, event);
    return true;
}

static bool
note_destroying(Domain *domain, const Event *event, uint64_t now_us)
{
    if (!domain || !may_change(domain, event))
        return false;
    domain->stopping_us = now_us;
    if (domain->state == DOMAIN_STOPPING)
        return false;
    domain->state = DOMAIN_STOPPING;
    return true;
}

/* Return: whether a domain has ended with it. */
static bool
note_destroyed(Agent *agent, const Event *event, Domain *domain, uint64_t now_us)
{
    bool has_number = !domain || event->id != DOMAIN_ID_UNKNOWN;

    if (!event->claim)
        note_end(&agent->events, event, has_number ? event->id : domain->id, now_us);
    if (!domain || (event->claim && !domain_unclaim(domain, event->source)))
        return false;
    domain_table_remove(&agent->domains, event->uuid);
    agent->tick.departures++;
    return true;
}

/* Return: what the event is in the light of what is known; @ret_news: whether it was not known. */
static EventKind
keep_table(Agent *agent, const Event *event, uint64_t now_us, bool *ret_news)
{
    Domain *domain = event->uuid ? domain_table_get(&agent->domains, event->uuid) : NULL;

    if (domain && event->kind != EVENT_CREATED && !is_same_start(domain, event))
        domain = NULL; /* it is about an earlier one */
    *ret_news = true;
    if (event->kind == EVENT_CREATING) {
        *ret_news = !domain;
    } else if (event->kind == EVENT_CREATED) {
        *ret_news = note_created(agent, event, now_us);
        return *ret_news ? EVENT_CREATED : EVENT_CHANGED;
    } else if (event->kind == EVENT_DESTROYING) {
        *ret_news = note_destroying(domain, event, now_us);
    } else if (event->kind == EVENT_DESTROYED && event->uuid) {
        *ret_news = note_destroyed(agent, event, domain, now_us);
        return domain && !*ret_news ? EVENT_CHANGED : EVENT_DESTROYED;
    }
    return event->kind;
}

/* Starts and ends are what everything else in the log hangs on, but what clients and folders claim
 * may come by the thousand. Logged after the decision, which has to be quick. */
static void
tell_log(const Event *seen, const char *name, bool is_news)
{
    const char *detail = seen->detail ? seen->detail : "";

    if (is_news && !seen->claim && seen->kind == EVENT_CREATED)
        log_info("%s: runs (%s: %s)", name, seen->source, detail);
    else if (is_news && !seen->claim && seen->kind == EVENT_DESTROYED)
        log_info("%s: has ended (%s: %s)", name, seen->source, detail);
    else
        log_debug("%s: %s %s %s", seen->source, event_kind_name(seen->kind), name, detail);
}

/* As it is called before it may be gone; the caller frees it. */
static char *
name_of(const DomainTable *domains, const Event *event)
{
    const Domain *domain = event->uuid ? domain_table_get(domains, event->uuid) : NULL;

    if (event->name)
        return g_strdup(event->name);
    return g_strdup(domain ? domain->name : event->uuid ? event->uuid : "");
}

void
event_post(Agent *agent, const Event *event)
{
    g_autofree char *name = NULL;
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    Event seen = *event;
    bool is_news;

    if (agent->closing)
        return;
    name = name_of(&agent->domains, event);
    count_event(&agent->events, seen.source, now_us);
    seen.kind = keep_table(agent, event, now_us, &is_news);
    if (seen.scan || seen.kind == EVENT_CREATED || seen.kind == EVENT_KICK) {
        agent->tick.triggers++;
        agent->tick.kicks += seen.kind == EVENT_KICK;
    }
    /* What is about to run is not to be merged before it is decided on. */
    if (agent->tick.triggers > 0 ||
        (seen.kind == EVENT_CREATING && tenancy_is_enforced(&agent->conf->policy)))
        tick_now(agent);
    if (agent->tick.decided_us >= now_us)
        agent->tick.reaction_us = (uint64_t)g_get_monotonic_time() - now_us;
    if (seen.kind != EVENT_CHANGED || seen.scan || seen.look)
        tick_want(agent, FACTS_DELAY_MS);
    tell_log(&seen, name, is_news);
    tell_watchers(&agent->events, &seen, is_news);
}

bool
event_alarm_matters(const Agent *agent)
{
    return gather_is_reclaiming(agent) || measure_is_followed(&agent->measure);
}

void
event_memory_alarm(Agent *agent, const char *source, MemoryAlarm alarm)
{
    if (agent->closing || !event_alarm_matters(agent))
        return;
    count_event(&agent->events, source, (uint64_t)g_get_monotonic_time());
    tick_alarm(agent, alarm);
}
