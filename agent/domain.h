/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain.h - the domains that run, as far as the agent knows
 *
 * A domain is one start of one uuid: a restart is another domain, with another key. Whatever is
 * known about it hangs here; who finds a fact out is named beside it.
 */
#ifndef AGENT_DOMAIN_H
#define AGENT_DOMAIN_H

#include "agent/decision.h"
#include "agent/facts/cgroup.h"
#include "agent/facts/overhead.h"
#include "agent/facts/process.h"
#include "agent/facts/working_set.h"
#include "agent/virt/domain_xml.h"
#include "agent/virt/guest_stats.h"
#include "policy/policy.h"

#include <glib.h>

/* libvirt's number of a start is not known (seen by the hook or a gRPC client only). */
#define DOMAIN_ID_UNKNOWN (-1)

typedef enum {
    DOMAIN_RUNNING,
    DOMAIN_PAUSED,
    DOMAIN_STOPPING,
    DOMAIN_STATE_COUNT,
} DomainState;

/* What QEMU uses beside the memory of its guest; see agent/sampler.h. */
typedef struct {
    Overhead last;        /* filled if bytes is known */
    uint64_t bytes;       /* of the last sample, all kinds; VALUE_UNKNOWN: there is none */
    uint64_t peak_bytes;  /* of all samples; VALUE_UNKNOWN: there is none */
    uint64_t measured_us; /* CLOCK_MONOTONIC of the last sample */
    uint64_t tried_us;    /* CLOCK_MONOTONIC of the last attempt */
    unsigned tries;       /* so far */
    bool is_held_up;      /* a measurement of it hangs */
} DomainOverhead;

/* What KSM costs for it; see agent/report/cost.h. */
typedef struct {
    uint64_t ksmd_ns;        /* share of ksmd's CPU time; VALUE_UNKNOWN: cannot be told */
    uint64_t broken_pages;   /* merges that were lost; VALUE_UNKNOWN: cannot be told */
    uint64_t merging_pages;  /* at the last look; VALUE_UNKNOWN: there was none */
    uint64_t resident_bytes; /* at the last look */
    uint64_t spare_pages;    /* by which it had shrunk at the last look, beyond what it lost */
    bool unmerging;          /* at the last look KSM was told to unmerge */
} DomainCost;

typedef struct {
    char *uuid;               /* owned */
    char *name;               /* owned */
    int id;                   /* libvirt's number of this start; DOMAIN_ID_UNKNOWN */
    uint64_t key;             /* of this start, never used twice */
    uint64_t seen_us;         /* CLOCK_MONOTONIC when this start was first seen */
    DomainState state;        /* as events and statistics say */
    bool is_libvirts;         /* libvirt or its hook knows it: what they say holds for everybody */
    GHashTable *claims;       /* owned; set of names: who else says that it runs; NULL: nobody */
    bool has_xml;             /* xml is filled */
    DomainXml xml;            /* owned; definition of the running domain */
    char *unread;             /* owned; why libvirt's present definition is not understood, so that
                                 xml, if there is one, is an older one; NULL: it is understood */
    bool is_xml_wanted;       /* there is one that libvirt has not answered with yet */
    unsigned xml_asks;        /* questions since its last answer */
    unsigned xml_failures;    /* of these, those that libvirt said no to */
    uint64_t xml_asked_us;    /* CLOCK_MONOTONIC of the last; 0: none */
    bool has_group;           /* group was found for the definition in force */
    char *group;              /* owned; trust group; NULL: none */
    uint64_t group_number;    /* the same for all of its group; 0: none */
    bool was_off;             /* merging of it was seen to be off at the last decision */
    bool is_start_noted;      /* how long it could be scanned before anybody had a say */
    uint64_t maximum_bytes;   /* libvirt: defined memory; VALUE_UNKNOWN */
    uint64_t balloon_bytes;   /* libvirt: memory left by the balloon; VALUE_UNKNOWN */
    uint64_t balloon_us;      /* CLOCK_MONOTONIC when that was first told; 0: it was not */
    uint64_t balloon_moved_s; /* wall clock when balloon_bytes last changed; 0: it did not */
    uint64_t guest_stats_s;   /* wall clock of the guest's last balloon statistics; 0: none so
                                 far; VALUE_UNKNOWN: libvirt does not tell */
    uint64_t told_us;         /* CLOCK_MONOTONIC of the guest's word that was measured with last */
    uint64_t told_s;          /* its guest_stats_s; 0: there was none */
    uint64_t unused_bytes;    /* libvirt: what the guest does not use; VALUE_UNKNOWN, also if old */
    GuestStats guest;         /* libvirt: what the guest said then */
    uint64_t stats_period_s;  /* at which the guest is asked, by us or others; 0: it is not */
    uint64_t redefined_us;    /* CLOCK_MONOTONIC of our last change of that period after which xml
                                 was asked for again; 0: none so far */
    bool has_job;             /* libvirt: it is being migrated or saved */
    uint64_t silent_us;       /* CLOCK_MONOTONIC since when its QEMU has not answered libvirt;
                                 0: it answers */
    uint64_t stats_us;        /* CLOCK_MONOTONIC of the figures above; 0: never */
    uint64_t stopping_us;     /* CLOCK_MONOTONIC when it was last told to be stopping; 0: never */
    uint64_t rebooted_us;     /* CLOCK_MONOTONIC when its guest last rebooted; 0: it did not */
    uint64_t rebooted_s;      /* the same by the wall clock, as guest_stats_s is */

    bool has_process;       /* process is open */
    Process process;        /* owned; its QEMU */
    uint64_t search_us;     /* CLOCK_MONOTONIC of the next search for the process */
    uint64_t search_gap_us; /* between the last search and the next; 0: there was none */
    bool is_search_told;    /* that the search takes too long */
    uint64_t busy_us;       /* CLOCK_MONOTONIC since when it could not be read in time; 0: it can */
    bool is_busy;           /* for so long that it is told of */
    bool is_busy_told;      /* and it was told */
    ProcessSample sample;   /* of the last reading */
    uint64_t read_us;       /* CLOCK_MONOTONIC of that; 0: there was none of this process */
    uint64_t wait_us;       /* of its threads for a CPU, where latency-critical; VALUE_UNKNOWN */
    Cgroup cgroup;          /* owned; open only while reclaim is configured */
    CgroupSample cgroup_sample; /* of the last reading */

    WorkingSetReport *working_set; /* owned; of the last look; NULL: there was none */

    DomainOverhead overhead;
    DomainCost cost;

    bool balloon_foreign; /* somebody else set its balloon: hands off until told */
    bool limit_foreign;   /* likewise its memory.high */

    DomainTrack track;   /* policy's memory of it */
    DomainPlan plan;     /* policy's last word on it */
    ReclaimRing reclaim; /* its last words on balloon and memory.high that differ */
} Domain;

typedef struct {
    GHashTable *by_uuid; /* owned; uuid -> Domain (owned) */
    uint64_t next_key;   /* from 1 */
} DomainTable;

/** domain_state_name() - "running", "paused", "stopping" */
const char *domain_state_name(DomainState state);

/** domain_table_init() - an empty table; domain_table_done() it */
void domain_table_init(DomainTable *table);

/** domain_table_done() - forget every domain; leaves @table reusable by domain_table_init() */
void domain_table_done(DomainTable *table);

/**
 * domain_table_add() - a domain has started
 * @table:  changed; an older start of the same uuid is forgotten
 * @uuid:   copied
 * @name:   copied
 * @id:     libvirt's number of this start, DOMAIN_ID_UNKNOWN
 * @now_us: CLOCK_MONOTONIC
 *
 * Return: the new domain, owned by the table.
 */
Domain *domain_table_add(DomainTable *table, const char *uuid, const char *name, int id,
                         uint64_t now_us);

/** domain_table_get() - the domain of a uuid, owned by the table; NULL: none runs */
Domain *domain_table_get(const DomainTable *table, const char *uuid);

/**
 * domain_table_find() - what a person calls a domain
 * @word: name or uuid; the domain that has a uuid wins over one that is called so
 *
 * Return: owned by the table; NULL: none.
 */
Domain *domain_table_find(const DomainTable *table, const char *word);

/** domain_table_by_key() - a start, owned by the table; NULL: it has ended */
Domain *domain_table_by_key(const DomainTable *table, uint64_t key);

/** domain_rename() - @name is copied; nothing happens when it has that name */
void domain_rename(Domain *domain, const char *name);

/**
 * domain_set_balloon() - what its balloon leaves to it now
 * @bytes: VALUE_UNKNOWN
 *
 * If that is news, what the guest said of its memory before is void: it was of another size.
 */
void domain_set_balloon(Domain *domain, uint64_t bytes);

/**
 * domain_claim() - somebody whose word is his own says that a domain runs
 * @source: name of a source or of one of its clients; copied
 */
void domain_claim(Domain *domain, const char *source);

/**
 * domain_unclaim() - who has claimed a domain says that it ended
 * @source: as given to domain_claim(); another one changes nothing
 *
 * Return: whether nobody is left who says that it runs.
 */
bool domain_unclaim(Domain *domain, const char *source);

/** domain_table_remove() - a domain has ended; returns whether there was one */
bool domain_table_remove(DomainTable *table, const char *uuid);

/** domain_table_size() - number of domains */
guint domain_table_size(const DomainTable *table);

/**
 * domain_table_sorted() - every domain, by name
 *
 * Return: array of borrowed Domain pointers, valid until the table changes; the caller frees it.
 */
GPtrArray *domain_table_sorted(const DomainTable *table);

/** domain_merge_text() - "can merge", or why not; or that its definition is not (yet) known */
const char *domain_merge_text(const Domain *domain);

/** domain_mergeable_bp() - share of its memory that KSM may merge, basis points */
uint32_t domain_mergeable_bp(const Domain *domain);

/** domain_weight() - what its metadata says, percent; normal without a definition */
uint32_t domain_weight(const Domain *domain);

/** domain_has_balloon() - whether it has a balloon device; false without a definition */
bool domain_has_balloon(const Domain *domain);

/**
 * domain_is_pinned() - devices of the host write to its memory, so it must stay where it is
 *
 * Mediated devices pin what their driver asks for, which can be all. Return: false without a
 * definition.
 */
bool domain_is_pinned(const Domain *domain);

/**
 * domain_is_fixed() - nothing of its memory could be taken, whoever may want it
 *
 * Locked, on huge pages, or not the host's to touch (confidential guests). A part is as good as
 * all: which one is taken is not ours to choose. Return: true without a definition, as it may be.
 */
bool domain_is_fixed(const Domain *domain);

/** domain_is_still() - nothing of it may move now: paused, on its way out, or it has a job */
bool domain_is_still(const Domain *domain);

/**
 * domain_table_with_jobs() - uuids of the domains that had a job when last heard of
 *
 * Return: a set of owned texts; the caller unrefs it.
 */
GHashTable *domain_table_with_jobs(const DomainTable *table);

/** domain_is_latency_critical() - whether its metadata says so */
bool domain_is_latency_critical(const Domain *domain);

/**
 * domain_floor_bytes() - what reclaim leaves to it at least
 *
 * Return: of its metadata, else of <memtune><min_guarantee>; VALUE_UNKNOWN: neither says.
 */
uint64_t domain_floor_bytes(const Domain *domain);

/** domain_ceiling_bytes() - of its metadata, what its balloon may leave to it; VALUE_UNKNOWN */
uint64_t domain_ceiling_bytes(const Domain *domain);

/**
 * domain_tell_wishes() - what is asked for in its definition, for policy
 * @sample: floor, ceiling, shares and modes are written
 *
 * Without a definition, or with one that is out of date, the mechanisms are off: it may be one that
 * must be left alone.
 */
void domain_tell_wishes(const Domain *domain, DomainSample *sample);

/**
 * domain_mode_word() - what becomes of a mechanism for a domain
 * @kind: the mechanism
 * @conf: may allow less than the domain asks for, never more
 *
 * Return: "off", "observe" or "on"; static.
 */
const char *domain_mode_word(const Domain *domain, ReclaimKind kind, const PolicyConf *conf);

/** domain_forget_foreign() - whoever has changed its balloon or limit: we are told to go on */
void domain_forget_foreign(Domain *domain);

#endif
