/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_feed.c - the machines of each client, and the order in which they live
 *
 *   unknown --creating--> creating --created--> running --destroying--> stopping
 *      |                     |                     |                       |
 *      '----created----------|--------> running    '------destroyed--------'--> unknown
 *
 * A word that has no arrow changes nothing: it is counted and told as a change, so that who follows
 * the events sees it. A client that lost the end of a machine cannot be told from one that repeats
 * itself, so only its own word or the end of its stream ends a machine of its own.
 */
#include "agent/source/grpc_feed.h"
#include "agent/agent.h"
#include "agent/log.h"

#include <string.h>

/* Bytes of a client's name, and of a machine's id. */
#define NAME_MAX_BYTES 64
#define ID_MAX_BYTES   128
/* More than a host has programs that start machines, and machines of one of them. */
#define CONNECTED_MAX 16
#define MACHINES_MAX  1024
/* Clients that are gone and still shown. */
#define GONE_MAX 16

typedef enum {
    MACHINE_UNKNOWN, /* never in the table */
    MACHINE_ANNOUNCED,
    MACHINE_RUNNING,
    MACHINE_STOPPING,
    MACHINE_STATE_COUNT,
} MachineState;

/* What a word means in a state. */
typedef struct {
    MachineState next;
    EventKind kind;     /* CHANGED: it changes nothing */
    const char *detail; /* NULL: the kind says it all */
} Step;

static const Step steps[MACHINE_STATE_COUNT][MACHINE_WORD_COUNT] = {
    [MACHINE_UNKNOWN] = {
        [MACHINE_CREATING]   = { MACHINE_ANNOUNCED, EVENT_CREATING, NULL },
        [MACHINE_CREATED]    = { MACHINE_RUNNING, EVENT_CREATED, NULL },
        [MACHINE_DESTROYING] = { MACHINE_UNKNOWN, EVENT_CHANGED, "destroying, not created before" },
        [MACHINE_DESTROYED]  = { MACHINE_UNKNOWN, EVENT_CHANGED, "destroyed, not created before" },
    },
    [MACHINE_ANNOUNCED] = {
        [MACHINE_CREATING]   = { MACHINE_ANNOUNCED, EVENT_CHANGED, "creating again" },
        [MACHINE_CREATED]    = { MACHINE_RUNNING, EVENT_CREATED, NULL },
        [MACHINE_DESTROYING] = { MACHINE_STOPPING, EVENT_DESTROYING, "before it ran" },
        [MACHINE_DESTROYED]  = { MACHINE_UNKNOWN, EVENT_DESTROYED, "before it ran" },
    },
    [MACHINE_RUNNING] = {
        [MACHINE_CREATING]   = { MACHINE_RUNNING, EVENT_CHANGED, "creating, runs already" },
        [MACHINE_CREATED]    = { MACHINE_RUNNING, EVENT_CHANGED, "created again" },
        [MACHINE_DESTROYING] = { MACHINE_STOPPING, EVENT_DESTROYING, NULL },
        [MACHINE_DESTROYED]  = { MACHINE_UNKNOWN, EVENT_DESTROYED, NULL },
    },
    [MACHINE_STOPPING] = {
        [MACHINE_CREATING]   = { MACHINE_STOPPING, EVENT_CHANGED, "creating, not destroyed yet" },
        [MACHINE_CREATED]    = { MACHINE_STOPPING, EVENT_CHANGED, "created, not destroyed yet" },
        [MACHINE_DESTROYING] = { MACHINE_STOPPING, EVENT_CHANGED, "destroying again" },
        [MACHINE_DESTROYED]  = { MACHINE_UNKNOWN, EVENT_DESTROYED, NULL },
    },
};

/* --- who -------------------------------------------------------------------------------- */

static void
feed_free(gpointer data)
{
    GrpcFeed *feed = data;

    g_hash_table_destroy(feed->machines);
    g_free(feed->source);
    g_free(feed);
}

/* It goes into events, tables and the log. */
static bool
is_plain_text(const char *text, size_t max_bytes)
{
    size_t length = strlen(text);

    if (length == 0 || length > max_bytes || !g_utf8_validate(text, -1, NULL))
        return false;
    for (const char *p = text; *p; p = g_utf8_find_next_char(p, NULL))
        if (g_unichar_iscntrl(g_utf8_get_char(p)))
            return false;
    return true;
}

static GrpcFeed *
find_feed(const Agent *agent, const char *source)
{
    for (guint i = 0; i < grpc_feed_count(agent); i++) {
        GrpcFeed *feed = agent->feeds->pdata[i];

        if (g_str_equal(feed->source, source))
            return feed;
    }
    return NULL;
}

static guint
count_feeds(const Agent *agent, bool connected)
{
    guint n = 0;

    for (guint i = 0; i < grpc_feed_count(agent); i++)
        n += grpc_feed_at(agent, i)->connected == connected;
    return n;
}

static GrpcFeed *
add_feed(Agent *agent, char *source)
{
    GrpcFeed *feed = g_new0(GrpcFeed, 1);

    if (!agent->feeds)
        agent->feeds = g_ptr_array_new_with_free_func(feed_free);
    feed->agent = agent;
    feed->source = source; /* the feed owns it from here */
    feed->machines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_ptr_array_add(agent->feeds, feed);
    return feed;
}

GrpcFeedResult
grpc_feed_register(Agent *agent, const char *name, pid_t pid, GrpcFeed **ret_feed)
{
    g_autofree char *source = NULL;
    GrpcFeed *feed;

    if (!is_plain_text(name, NAME_MAX_BYTES))
        return GRPC_FEED_BAD_TEXT;
    source = g_strconcat(grpc_source.name, ":", name, NULL);
    feed = find_feed(agent, source);
    if (feed && feed->connected) {
        feed->refused++;
        return GRPC_FEED_TAKEN;
    }
    if (count_feeds(agent, true) >= CONNECTED_MAX)
        return GRPC_FEED_FULL;
    if (!feed)
        feed = add_feed(agent, g_steal_pointer(&source));
    feed->connected = true;
    feed->pid = pid;
    log_debug("%s: registered by process %d", feed->source, (int)pid);
    *ret_feed = feed;
    return GRPC_FEED_DONE;
}

bool
grpc_feed_has_name(const GrpcFeed *feed, const char *name)
{
    return g_str_equal(feed->source + strlen(grpc_source.name) + 1, name);
}

/* Those that are gone, the longest known first, are dropped when there are too many. */
static void
drop_gone(Agent *agent)
{
    for (guint i = 0; count_feeds(agent, false) > GONE_MAX; i++) {
        GrpcFeed *feed = agent->feeds->pdata[i];

        if (feed->connected)
            continue;
        event_hub_forget(&agent->events, feed->source);
        g_ptr_array_remove_index(agent->feeds, i--);
    }
}

void
grpc_feed_leave(GrpcFeed *feed)
{
    log_debug("%s: has left", feed->source);
    feed->connected = false;
    drop_gone(feed->agent);
}

/* --- what ------------------------------------------------------------------------------- */

void
grpc_feed_begin(GrpcFeed *feed)
{
    feed->streaming = true;
}

static void
post(GrpcFeed *feed, const Step *step, const char *id)
{
    Event event = { .kind = step->kind,
                    .source = feed->source,
                    .uuid = id,
                    .detail = step->detail,
                    .id = DOMAIN_ID_UNKNOWN,
                    .claim = true };

    event_post(feed->agent, &event);
}

GrpcFeedResult
grpc_feed_post(GrpcFeed *feed, MachineWord word, const char *id)
{
    g_autofree char *own_id = NULL;
    MachineState state;
    const Step *step;

    if (!is_plain_text(id, ID_MAX_BYTES))
        return GRPC_FEED_BAD_TEXT;
    own_id = g_uuid_string_is_valid(id) ? g_ascii_strdown(id, -1) : g_strdup(id);
    state = (MachineState)GPOINTER_TO_INT(g_hash_table_lookup(feed->machines, own_id));
    step = &steps[state][word];
    if (state == MACHINE_UNKNOWN && step->next != state &&
        g_hash_table_size(feed->machines) >= MACHINES_MAX)
        return GRPC_FEED_FULL;
    feed->repeats += step->kind == EVENT_CHANGED;
    post(feed, step, own_id);
    if (step->next == MACHINE_UNKNOWN)
        g_hash_table_remove(feed->machines, own_id);
    else
        g_hash_table_replace(feed->machines, g_steal_pointer(&own_id), GINT_TO_POINTER(step->next));
    return GRPC_FEED_DONE;
}

void
grpc_feed_end(GrpcFeed *feed)
{
    static const Step left = { MACHINE_UNKNOWN, EVENT_DESTROYED, "its client has left" };
    GHashTableIter iter;
    gpointer id;

    feed->streaming = false;
    g_hash_table_iter_init(&iter, feed->machines);
    while (g_hash_table_iter_next(&iter, &id, NULL))
        post(feed, &left, id);
    g_hash_table_remove_all(feed->machines);
}

/* --- status ----------------------------------------------------------------------------- */

guint
grpc_feed_count(const Agent *agent)
{
    return agent->feeds ? agent->feeds->len : 0;
}

const GrpcFeed *
grpc_feed_at(const Agent *agent, guint index)
{
    return agent->feeds->pdata[index];
}

SourceState
grpc_feed_state(const GrpcFeed *feed)
{
    if (feed->streaming)
        return SOURCE_OPEN;
    return feed->connected ? SOURCE_WAITING : SOURCE_CLOSED;
}

static void
add_number(GString *text, const char *what, uint64_t number)
{
    g_autofree char *digits = g_strdup_printf("%" G_GUINT64_FORMAT, (guint64)number);

    if (number == 0)
        return;
    g_string_append(text, text->len > 0 ? ", " : "");
    g_string_append(text, what);
    g_string_append(text, digits);
}

char *
grpc_feed_detail(const GrpcFeed *feed)
{
    GString *text = g_string_new(NULL);

    if (feed->connected)
        add_number(text, "process ", (uint64_t)feed->pid);
    add_number(text, "machines ", g_hash_table_size(feed->machines));
    add_number(text, "repeated or out of order ", feed->repeats);
    add_number(text, "lost by reading slowly ", feed->lost);
    add_number(text, "name refused to others ", feed->refused);
    return g_string_free(text, FALSE);
}
