/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change.h - one value of a running domain, changed through libvirt only if it is what we think
 *
 * Between the reading of a figure and its change somebody else may have set it. So the value in
 * force is read again in the worker, next to the change, and what is neither of the values that
 * we know of is left as it is.
 */
#ifndef AGENT_VIRT_CHANGE_H
#define AGENT_VIRT_CHANGE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct VirtConn VirtConn; /* agent/virt/conn.h */

/* Room for a uuid as text. */
#define CHANGE_UUID_BYTES 37

typedef enum {
    CHANGE_BALLOON,      /* what the balloon is to leave to the guest */
    CHANGE_LIMIT,        /* soft_limit: memory.high of its cgroup; LIMIT_NONE: none */
    CHANGE_STATS_PERIOD, /* seconds between two balloon statistics of the guest; 0: none */
    CHANGE_MERGE,        /* whether its memory may be merged, see merge.h */
    CHANGE_KIND_COUNT,
} ChangeKind;

/* The values that we know of, in bytes unless its kind says otherwise. A balloon is on its way from
 * one of ours to the next, so all between the least and the most is ours as well. */
typedef struct {
    uint64_t found_bytes; /* before our first change */
    uint64_t least_bytes; /* that may be in force on our account */
    uint64_t most_bytes;  /* likewise */
    uint64_t wrote_bytes; /* what we changed it to */
} ChangeKnown;

/* Whether a change that was asked for has begun; shared by the asker and the worker. */
typedef struct ChangeTurn ChangeTurn;

typedef struct {
    ChangeKind kind;
    char uuid[CHANGE_UUID_BYTES]; /* of the domain */
    int id;                       /* libvirt's number of the start that is meant */
    ChangeKnown known;            /* anything else in force is somebody else's */
    uint64_t want_bytes;          /* to be put into force */
    ChangeTurn *turn;             /* borrowed; NULL: it is not going to be withdrawn */
} Change;

typedef enum {
    CHANGE_DONE,    /* libvirt has taken it; a balloon still has to move */
    CHANGE_FOREIGN, /* somebody else has set it; left alone */
    CHANGE_GONE,    /* that start of the domain has ended */
    CHANGE_BUSY,    /* the domain is busy with something else, or libvirt is away: try again */
    CHANGE_REFUSED, /* the domain, the driver or the permissions do not allow it */
    CHANGE_FAILED,  /* anything else; it may have happened or not */
    CHANGE_RESULT_COUNT,
} ChangeResult;

/* What became of a change. */
typedef struct {
    ChangeResult result;
    uint64_t found_bytes; /* in force before; VALUE_UNKNOWN: not read */
    char *detail;         /* owned; what libvirt said; NULL: nothing to say */
} ChangeOutcome;

/* @change, @outcome: borrowed. */
typedef void (*ChangeDone)(const Change *change, const ChangeOutcome *outcome, gpointer user);

/** change_turn_new() - of a change that is still to be asked for; change_turn_unref() it */
ChangeTurn *change_turn_new(void);

/** change_turn_ref() - accepts NULL */
ChangeTurn *change_turn_ref(ChangeTurn *turn);

/** change_turn_unref() - accepts NULL */
void change_turn_unref(ChangeTurn *turn);

/** change_turn_begin() - whoever carries it out begins; Return: false: it was withdrawn */
bool change_turn_begin(ChangeTurn *turn);

/**
 * change_turn_withdraw() - do not begin with it
 *
 * Return: whether it has not begun and never will; false: it is in the hands of libvirt.
 */
bool change_turn_withdraw(ChangeTurn *turn);

/** change_turn_is_withdrawn() - whether nobody waits for its answer */
bool change_turn_is_withdrawn(ChangeTurn *turn);

/**
 * change_is_known() - whether a value in force is one of those that we know of
 * @kind:  which value
 * @known: ours
 * @bytes: in force
 *
 * A balloon may be anywhere between two of our values, give or take the page size of a guest. A
 * limit is set at once. Merging that is on in parts may be ours once we have switched it off.
 *
 * Return: whether nobody else need have set it.
 */
bool change_is_known(ChangeKind kind, const ChangeKnown *known, uint64_t bytes);

/**
 * change_is_reached() - whether a value in force is as good as another
 * @kind:       which value
 * @bytes:      in force
 * @want_bytes: the other
 *
 * Return: whether they are the same, give or take the page size of a guest.
 */
bool change_is_reached(ChangeKind kind, uint64_t bytes, uint64_t want_bytes);

/**
 * change_ask() - change it, in the connection's worker
 * @conn:   NULL: libvirt is not used
 * @change: copied
 * @done:   called on the loop; not called if the change was withdrawn, nor once @conn was freed
 * @user:   for @done; must live until then
 *
 * Source: libvirt's API reference, virDomainSetMemoryFlags(), virDomainSetMemoryParameters() with
 * VIR_DOMAIN_MEMORY_SOFT_LIMIT (memory.high, tried with libvirt 9.0 on cgroup v2), both with
 * VIR_DOMAIN_AFFECT_LIVE: the definition on disk stays as it is. Sizes are KiB.
 * virDomainSetMemoryStatsPeriod(), and the definition of a running domain for what is in force.
 * Return: whether it was asked; @done is called only then.
 */
bool change_ask(VirtConn *conn, const Change *change, ChangeDone done, gpointer user);

/* Several, for a process that has no other business. */
typedef struct {
    const char *uri; /* borrowed; to connect to */
    GArray *changes; /* borrowed; of Change */
    gint64 limit_us; /* longest wait, of all together */
} ChangeBatch;

/**
 * change_all_now() - change several, over a connection of its own, and wait
 * @wishes: virt_prepare() must have been called
 * @done:   called for each that has been tried, before the function returns
 * @user:   for @done
 * @error:  AGENT_ERROR_VIRT: no connection, or no answer in time; then it may have happened or not
 *
 * Runs the default main context meanwhile.
 *
 * Return: whether all have been tried.
 */
bool change_all_now(const ChangeBatch *wishes, ChangeDone done, gpointer user, GError **error);

/** change_outcome_clear() - free what an outcome owns */
void change_outcome_clear(ChangeOutcome *outcome);

#endif
