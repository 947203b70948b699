/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook_starts.c - the life of a start as the hook tells it
 *
 *   [migrate|restore] --> prepare --> start --> started ... stopped --> release
 *        creating         creating              created     destroying  destroyed
 *
 * libvirt gives the definition with each call. Until "started" it holds the number of the start,
 * afterwards it does not, so the number is kept here: with it the end of one start is not taken for
 * that of the next, whichever source tells first. "reconnect" and "attach" are starts that have
 * been running for a while.
 *
 * Source: libvirt docs/hooks; the order and the numbers seen with libvirt 9.0
 */
#include "agent/source/hook_starts.h"
#include "agent/agent.h"
#include "agent/source/source.h"

#include <gio/gio.h>

/* More domains than a host has; an end that is never told must not take memory for ever. */
#define STARTS_MAX 4096
/* A start that was announced and of which nothing has been seen since is forgotten. */
#define FORGET_US (G_USEC_PER_SEC * 600)
/* How long a start that was announced is waited for. */
#define COMING_US (G_USEC_PER_SEC * 60)

typedef struct {
    char *name;         /* owned */
    int id;             /* libvirt's number of it; DOMAIN_ID_UNKNOWN */
    const char *origin; /* static; "restore" or "migrate"; NULL: neither */
    uint64_t told_us;   /* CLOCK_MONOTONIC of the last message */
    bool seen;          /* its process was there */
    bool is_coming;     /* announced, and nothing was told of it since */
} HookStart;

static const struct {
    EventKind kind;
    bool posts; /* an event follows from it */
} effects[] = {
    [HOOK_PREPARE] = { EVENT_CREATING, true },  [HOOK_START] = { EVENT_CREATING, false },
    [HOOK_STARTED] = { EVENT_CREATED, true },   [HOOK_STOPPED] = { EVENT_DESTROYING, true },
    [HOOK_RELEASE] = { EVENT_DESTROYED, true }, [HOOK_MIGRATE] = { EVENT_CREATING, true },
    [HOOK_RESTORE] = { EVENT_CREATING, true },  [HOOK_RECONNECT] = { EVENT_CREATED, true },
    [HOOK_ATTACH] = { EVENT_CREATED, true },    [HOOK_OTHER] = { EVENT_CHANGED, false },
};
G_STATIC_ASSERT(G_N_ELEMENTS(effects) == HOOK_OPERATION_COUNT);

static void
start_free(gpointer data)
{
    HookStart *start = data;

    g_free(start->name);
    g_free(start);
}

void
hook_starts_init(HookStarts *starts)
{
    starts->by_uuid = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, start_free);
}

void
hook_starts_done(HookStarts *starts)
{
    g_clear_pointer(&starts->by_uuid, g_hash_table_destroy);
}

/* Return: borrowed; NULL: there are too many. */
static HookStart *
get_start(HookStarts *starts, const HookMessage *message)
{
    HookStart *start = g_hash_table_lookup(starts->by_uuid, message->uuid);

    if (start || g_hash_table_size(starts->by_uuid) >= STARTS_MAX)
        return start;
    start = g_new0(HookStart, 1);
    start->name = g_strdup(message->name);
    start->id = DOMAIN_ID_UNKNOWN;
    g_hash_table_insert(starts->by_uuid, g_strdup(message->uuid), start);
    return start;
}

/* A new number is another start, and what was known of the last one goes. */
static void
note_message(HookStart *start, const HookMessage *message)
{
    bool is_announced = message->operation == HOOK_MIGRATE || message->operation == HOOK_RESTORE;

    if (is_announced || (message->id != DOMAIN_ID_UNKNOWN && message->id != start->id)) {
        start->seen = false;
        start->origin = start->id == DOMAIN_ID_UNKNOWN ? start->origin : NULL;
        start->id = message->id;
    }
    if (is_announced)
        start->origin = hook_operation_name(message->operation);
    start->is_coming = effects[message->operation].kind == EVENT_CREATING;
    start->told_us = (uint64_t)g_get_monotonic_time();
}

static char *
detail_text(const HookMessage *message, const HookStart *start)
{
    const char *name = hook_operation_name(message->operation);
    bool is_later = message->operation == HOOK_PREPARE || message->operation == HOOK_STARTED;
    const char *origin = start && is_later ? start->origin : NULL;

    return g_strconcat(name, origin ? " after " : "", origin ? origin : "",
                       message->extra ? ", " : "", message->extra ? message->extra : "", NULL);
}

static HookFault
take_definition(Agent *agent, const HookMessage *message)
{
    Domain *domain = domain_table_get(&agent->domains, message->uuid);
    g_auto(DomainXml) xml = { 0 };

    if (!domain || domain->has_xml || !message->xml)
        return HOOK_FINE;
    if (!domain_xml_parse(message->xml, message->xml_length, &xml, NULL))
        return HOOK_BAD_DEFINITION;
    if (!xml.uuid || !g_str_equal(xml.uuid, domain->uuid))
        return HOOK_BAD_DEFINITION;
    domain->xml = xml; /* the domain owns what it points to from here */
    xml = (DomainXml){ 0 };
    domain->has_xml = true;
    if (!is_known(domain->maximum_bytes))
        domain->maximum_bytes = domain->xml.maximum_bytes;
    tick_want(agent, 0);
    return HOOK_FINE;
}

HookFault
hook_starts_tell(Agent *agent, HookStarts *starts, const HookMessage *message)
{
    HookStart *start = get_start(starts, message);
    Event event = { .kind = effects[message->operation].kind,
                    .source = hook_source.name,
                    .uuid = message->uuid,
                    .name = message->name };
    g_autofree char *detail = NULL;
    HookFault fault = HOOK_FINE;

    if (start)
        note_message(start, message);
    detail = detail_text(message, start);
    event.id = start ? start->id : message->id;
    event.detail = detail;
    if (effects[message->operation].posts)
        event_post(agent, &event);
    if (event.kind == EVENT_CREATED)
        fault = take_definition(agent, message);
    if (event.kind == EVENT_DESTROYED)
        g_hash_table_remove(starts->by_uuid, message->uuid);
    return fault;
}

uint32_t
hook_starts_coming(const Agent *agent, const HookStarts *starts)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    GHashTableIter iter;
    gpointer uuid;
    gpointer value;
    uint32_t n = 0;

    g_hash_table_iter_init(&iter, starts->by_uuid);
    while (g_hash_table_iter_next(&iter, &uuid, &value)) {
        const HookStart *start = value;

        n += start->is_coming && now_us - start->told_us < COMING_US &&
             !domain_table_get(&agent->domains, uuid);
    }
    return n;
}

/* --- what datagrams have not told ------------------------------------------------------- */

/* @ret_found: whether its process is there. Return: false if that cannot be told now. */
static bool
find_process(const Agent *agent, const char *uuid, const HookStart *start, bool *ret_found)
{
    const Domain *domain = domain_table_get(&agent->domains, uuid);
    const ProcessWanted wanted = { start->name, uuid, true };
    g_auto(Process) process = { 0 };
    g_autoptr(GError) error = NULL;

    *ret_found = (domain && domain->has_process) ||
                 process_find_in_time(agent->root_fd, &wanted, &process, &error);
    return !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
}

static void
post_found(Agent *agent, const char *uuid, const HookStart *start, EventKind kind)
{
    Event event = { .kind = kind,
                    .source = hook_source.name,
                    .uuid = uuid,
                    .name = start->name,
                    .detail = kind == EVENT_CREATED ? "process found" : "process is gone",
                    .id = start->id };

    event_post(agent, &event);
}

/* Return: whether there is nothing more to expect of the start. */
static bool
check_start(Agent *agent, const char *uuid, HookStart *start, uint64_t now_us)
{
    const Domain *domain = domain_table_get(&agent->domains, uuid);
    bool found;

    if (!find_process(agent, uuid, start, &found))
        return false;
    start->seen = start->seen || found;
    if (found && !domain)
        post_found(agent, uuid, start, EVENT_CREATED);
    if (found || (!start->seen && now_us - start->told_us < FORGET_US))
        return false;
    if (domain && start->seen)
        post_found(agent, uuid, start, EVENT_DESTROYED);
    return true;
}

void
hook_starts_check(Agent *agent, HookStarts *starts)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    GHashTableIter iter;
    gpointer uuid;
    gpointer start;

    g_hash_table_iter_init(&iter, starts->by_uuid);
    while (g_hash_table_iter_next(&iter, &uuid, &start))
        if (check_start(agent, uuid, start, now_us))
            g_hash_table_iter_remove(&iter);
}
