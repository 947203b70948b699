/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.h - everything that happens to domains, whoever noticed it
 *
 * A source turns what it sees into an Event and posts it. Posting keeps the table of domains, moves
 * KSM and then tells the watchers: in the same turn of the loop, without asking anybody.
 */
#ifndef AGENT_EVENT_H
#define AGENT_EVENT_H

#include "policy/sample.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Agent Agent;

typedef enum {
    EVENT_CREATING,   /* a domain is about to run */
    EVENT_CREATED,    /* a domain runs */
    EVENT_CHANGED,    /* something about it is different */
    EVENT_DESTROYING, /* it is on its way out */
    EVENT_DESTROYED,  /* it is gone */
    EVENT_KICK,       /* no domain: somebody asks for scanning */
    EVENT_COUNT,
} EventKind;

typedef struct {
    EventKind kind;
    const char *source; /* borrowed; name of a row of source_list(), or "grpc:CLIENT" */
    const char *uuid;   /* borrowed; NULL for a kick */
    const char *name;   /* borrowed; NULL when not known */
    const char *detail; /* borrowed; what exactly: "started booted"; NULL: nothing to add */
    int id;             /* libvirt's number of the start; DOMAIN_ID_UNKNOWN */
    bool scan;          /* there is memory that KSM has not seen */
    bool look;          /* figures may be about to change: they are worth a look soon */
    bool claim;         /* the word of one who does not speak for libvirt, see event_post() */
} Event;

/* An event as watchers see it; pointers are valid during the call only. */
typedef struct {
    uint64_t sequence; /* from 1 */
    int64_t time_us;   /* wall clock */
    Event event;
    bool is_news; /* nobody has told it before; true as well where that cannot be known */
} SeenEvent;

typedef void (*EventWatcher)(const SeenEvent *seen, gpointer user);

/* What there is to say of a source. */
typedef struct {
    uint64_t events;  /* posted since the start */
    uint64_t last_us; /* CLOCK_MONOTONIC of the last; 0: none */
} SourceCount;

typedef struct {
    GHashTable *counts;  /* owned; source name -> SourceCount */
    GHashTable *ended;   /* owned; uuid -> Ended (event.c): the last end of each, for a while */
    GPtrArray *watchers; /* owned; of Watch (event.c) */
    uint64_t sequence;   /* of the last event */
    bool telling;        /* watchers are being told right now */
} EventHub;

/** event_kind_name() - "created", ... */
const char *event_kind_name(EventKind kind);

/** event_hub_init() - no events yet; event_hub_done() it */
void event_hub_init(EventHub *hub);

/** event_hub_done() - drops the watchers; leaves @hub reusable */
void event_hub_done(EventHub *hub);

/** event_hub_count() - what a source has posted; zeroes when nothing */
SourceCount event_hub_count(const EventHub *hub, const char *source);

/** event_hub_forget() - drop the count of a source that will not come back */
void event_hub_forget(EventHub *hub, const char *source);

/**
 * event_watch() - be told of every event from now on
 * @watcher: called on the loop, in the turn of the event
 * @user:    passed on; must live until event_unwatch()
 */
void event_watch(EventHub *hub, EventWatcher watcher, gpointer user);

/** event_unwatch() - the watcher that was given with @user is told no more */
void event_unwatch(EventHub *hub, gpointer user);

/**
 * event_post() - something happened
 * @agent: the one
 * @event: copied as far as needed
 *
 * CREATED of a start that is known already (same uuid, same id) is a CHANGED: whoever comes first
 * wins, and no domain is doubled. So is CREATED of a start whose end another source has reported a
 * moment ago: it is late news. DESTROYED of an unknown domain, or of an earlier start of a known
 * one, is counted and does no harm; CREATING is only told. A source that was told the number of a
 * start should give it with the end as well. @event's uuid must not be the table's own text.
 *
 * libvirt and its hook see every domain of libvirt, so the end that they report is the end. Clients
 * and folders speak for themselves: their events are claims. A claimed end ends a domain only when
 * libvirt does not know it and nobody else claims that it runs; otherwise it is a CHANGED.
 */
void event_post(Agent *agent, const Event *event);

/**
 * event_alarm_matters() - whether anybody acts on it when the kernel says that memory is short
 *
 * Reclaim does, and whoever follows working sets wants to hear of them then. KSM alone is not in
 * such a hurry: stalls are among the facts of its regular decisions.
 */
bool event_alarm_matters(const Agent *agent);

/**
 * event_memory_alarm() - the kernel says that memory is short; nothing happens if it does not
 * matter
 * @source: name of a row of source_list()
 * @alarm:  how short the host is; ALARM_NONE: it is not, but a domain under a limit of ours waits
 *
 * Counted as an event of the source; nobody is told, because there can be many a second, and all
 * that follows is a decision: see tick_alarm().
 */
void event_memory_alarm(Agent *agent, const char *source, MemoryAlarm alarm);

#endif
