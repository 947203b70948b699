/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold.h - values of running domains that we have changed, and the way back
 *
 * One table for each kind of value (the balloon, the limit of the cgroup); the actuators are two
 * ways of filling it.
 */
#ifndef AGENT_ACTUATOR_HOLD_H
#define AGENT_ACTUATOR_HOLD_H

#include "agent/actuator/actuator.h"
#include "agent/actuator/originals.h"
#include "agent/virt/change.h"

#include <glib.h>

typedef enum {
    HOLD_IDLE,    /* nothing of ours is in force */
    HOLD_OURS,    /* changed by us; what was found is recorded */
    HOLD_LEFT,    /* changed by an earlier run that was killed; to be put back */
    HOLD_FOREIGN, /* somebody else has changed it after us: left alone until told */
    HOLD_ENDED,   /* ours when that start ended; the next may come with it (hold_look.c) */
    HOLD_STATE_COUNT,
} HoldState;

/* What has become of one value of one start of a domain. Memory in bytes; LIMIT_NONE: no limit. */
typedef struct {
    char *uuid; /* owned; of the domain */
    char *name; /* owned; the same as uuid while the domain has not been seen */
    int id;     /* libvirt's number of the start */
    HoldState state;
    ChangeKnown known;      /* ours; nothing in HOLD_IDLE */
    uint64_t foreign_bytes; /* set by somebody else, or found at a first change instead of what it
                               was thought to be; VALUE_UNKNOWN: nobody has */
    uint64_t kept_bytes;    /* left in force at the way back, as the guest has grown into it;
                               VALUE_UNKNOWN: as found */
    uint64_t wish_bytes;    /* wanted last, and not passed on yet; VALUE_UNKNOWN: nothing is */
    ApplyResult result;     /* of the last attempt; APPLY_UNCHANGED before the first */
    char *detail;           /* owned; why it failed; NULL: it did not */
    unsigned failures;      /* attempts that failed, since the last that worked */
    uint64_t resume_us;     /* CLOCK_MONOTONIC; left alone until then; 0: it is not */
    uint64_t lease_us;      /* limits: lifted at this CLOCK_MONOTONIC unless renewed; 0: not set */
    uint64_t changed_us;    /* CLOCK_MONOTONIC of the last change that worked, or, of merging that
                               was found off, of the first look; 0: none so far */
    uint64_t reclaimed_bytes; /* limits: taken through memory.reclaim so far */
    uint64_t looked_us;  /* merging: changed_us of the change whose mappings were seen; 0: none */
    uint32_t pieces;     /* merging: of memory that were seen then */
    uint64_t seen_scans; /* merging: full passes of ksmd then, until a second look was taken;
                            VALUE_UNKNOWN: it was */
    uint64_t seen_pages; /* merging: the least that KSM has had records of since; VALUE_UNKNOWN */
    /* private: */
    char *cgroup;         /* owned; limits: path below the mount point; NULL: not known */
    ChangeKnown before;   /* as known, before the change under way */
    uint64_t want_bytes;  /* of the change under way */
    ChangeTurn *turn;     /* owned; of the change under way; NULL: not asked for yet */
    uint64_t asked_us;    /* CLOCK_MONOTONIC when it was asked for; merging: or looked at */
    uint64_t odd_us;      /* Subject.told_us of a figure that is not ours; 0: there was none */
    uint64_t rebooted_us; /* as in Subject */
    uint64_t risen_us;    /* CLOCK_MONOTONIC when its driver was first there since; 0: not */
    uint64_t full_bytes;  /* Subject.maximum_bytes when what is known was noted; 0: not known */
    bool deflates;        /* as in Subject */
    bool is_busy;         /* a change is under way */
    bool is_late;         /* and its answer too: others do not wait for it any more */
    bool is_new;          /* it is the first */
    bool goes_on;         /* wished at the last decision: may be asked for between two */
    bool is_way_back;     /* it gives back */
    bool is_unsure;       /* the last may have happened or not */
    bool is_reclaiming;   /* limits: memory.reclaim is being written */
    bool is_looking;      /* merging: its mappings are being looked at */
    bool is_awaited;      /* HOLD_LEFT, and whether it is to go back will be decided */
    bool is_seen;         /* among the subjects of this apply */
    bool is_loaded;       /* of an earlier run, and has not been among any subjects yet */
    bool is_given_up;     /* at a stop: did not work */
    bool is_told;         /* the agent knows that it is HOLD_FOREIGN */
} Hold;

/* How changes are asked for: change_ask(), or a test. */
typedef struct {
    /* As change_ask(). */
    bool (*ask)(gpointer user, const Change *change, ChangeDone done, gpointer done_user);
    gpointer user; /* for ask */
} Changer;

typedef struct {
    const char *group; /* static; in the record of originals */
    const char *noun;  /* static; for messages: "balloon" */
    ChangeKind kind;
    gint64 restore_us;    /* how long a stop waits for libvirt */
    const char *after;    /* static; at the end, group of the record that must
                             have gone back before; NULL: none */
    bool is_last;         /* that holds now as well */
    uint64_t again_us;    /* a domain is left alone for so long after
                             failures; 0: as after a refusal */
    Originals *originals; /* borrowed */
    Changer changer;      /* what is in it is borrowed */
    bool (*lift)(int root_fd, const Hold *hold); /* before each way back; NULL: nothing to do */
    int root_fd;                                 /* borrowed; for lift */
    GHashTable *by_uuid;                         /* owned; uuid -> Hold (owned) */
    GPtrArray *pending;                          /* owned; of Hold: to be asked for */
    guint flush_id;                              /* source that does so; 0: none */
    guint busy;                                  /* changes under way that are not late */
    bool closing;                                /* what is given back is forgotten at once */
    bool adopts;                                 /* what somebody else has set is gone on from */
    bool is_reader;                              /* the record is somebody else's to write */
} HoldTable;

/** hold_table_init() - no value held; the rest of @table is the caller's to fill */
void hold_table_init(HoldTable *table);

/** hold_table_load() - hold what a killed run has left; after originals_open() */
void hold_table_load(HoldTable *table);

/** hold_table_done() - let go of memory; restores nothing */
void hold_table_done(HoldTable *table);

/** hold_table_is_idle() - whether nothing is held, nor has anything to be put on disk */
bool hold_table_is_idle(const HoldTable *table);

/** hold_find() - what is known of a domain's value; NULL: it was never touched; borrowed */
Hold *hold_find(const HoldTable *table, const char *uuid);

/** hold_need() - as hold_find(), but there is one; @subject must have a number of its start */
Hold *hold_need(HoldTable *table, const Subject *subject);

/**
 * hold_look() - hold a domain's value against what is in force
 * @subject: of this moment
 * @bytes:   in force, as the facts have it; VALUE_UNKNOWN
 *
 * Notices a restart, the end of a way back, and that somebody else has set the value. The last
 * takes two readings, because one may be older than our last change.
 *
 * Return: as hold_find().
 */
Hold *hold_look(HoldTable *table, const Subject *subject, uint64_t bytes);

/**
 * hold_wish() - want a value to be put into force
 * @bytes: in force; known
 * @want:  within the bounds of the domain, which the caller has checked
 *
 * Asked for by hold_flush(). Nothing happens if it is in force already, while a change is under
 * way, or while the domain is left alone: what is still wanted then has to be wished again. More
 * for a balloon is asked for of itself as soon as the change under way is over.
 *
 * Return: whether it will be asked for.
 */
bool hold_wish(HoldTable *table, Hold *hold, uint64_t bytes, uint64_t want);

/** hold_unwish() - what was wished last is not wanted any more; @hold may be NULL */
void hold_unwish(Hold *hold);

/** hold_waits() - whether what was wished last has not been passed on yet; @hold may be NULL */
bool hold_waits(const Hold *hold);

/** hold_is_driven() - whether it is as we want it, or on its way there; @hold may be NULL */
bool hold_is_driven(const Hold *hold);

/** hold_goes_back() - whether a balloon that is at @bytes is being given back; @hold may be NULL */
bool hold_goes_back(const Hold *hold, uint64_t bytes);

/** hold_is_refused() - whether wishing is of no use for now, after failures; @hold may be NULL */
bool hold_is_refused(const Hold *hold);

/**
 * hold_give_back() - ask for what was found; asked for at once; harmless if nothing is ours
 *
 * A guest that has got more than was found keeps it: it may need all of it by now.
 */
void hold_give_back(HoldTable *table, Hold *hold);

/**
 * hold_flush() - bring the record up to date, then ask for what is wanted
 * @error: the record cannot be kept; then nothing is asked for
 */
bool hold_flush(HoldTable *table, GError **error);

/** hold_drop_pending() - instead of hold_flush(): ask for nothing after all */
void hold_drop_pending(HoldTable *table);

/** hold_sweep() - after hold_look() on all: forget who has ended, give back what was left */
void hold_sweep(HoldTable *table, const Decided *decided);

/**
 * hold_end_apply() - the end of an Actuator.apply: hold_sweep(), then hold_flush()
 * @decided:   of the apply
 * @has_asked: something has been wished
 * @error:     as for hold_flush()
 *
 * Return: APPLY_DONE, APPLY_UNCHANGED; APPLY_RETRY with @error.
 */
ApplyResult hold_end_apply(HoldTable *table, const Decided *decided, bool has_asked,
                           GError **error);

/** hold_forget_foreign() - go on from the value that somebody else has set */
void hold_forget_foreign(HoldTable *table, const char *uuid);

/**
 * hold_fail() - note, and say once, that something did not work
 * @result: APPLY_RETRY, APPLY_REFUSED
 * @detail: for people; copied
 *
 * After three failures, or one refusal, the domain is left alone for a while: five minutes, after
 * failures the time that @table says.
 */
void hold_fail(HoldTable *table, Hold *hold, ApplyResult result, const char *detail);

/** hold_succeed() - the counterpart: what has failed before is over */
void hold_succeed(Hold *hold);

/** hold_may_try() - whether the domain is not left alone after failures */
bool hold_may_try(const Hold *hold);

/**
 * hold_table_restore() - give everything back, and wait
 * @limit_us: longest wait; runs the default main context meanwhile
 * @ret_note: what is left alone and why (the caller frees it); NULL: nothing
 * @error:    names a domain that is not as it was found; the record keeps it
 */
bool hold_table_restore(HoldTable *table, gint64 limit_us, char **ret_note, GError **error);

/** hold_row_restore() - Actuator.restore of a @context that begins with its HoldTable */
bool hold_row_restore(void *context, char **ret_note, GError **error);

/**
 * hold_table_restore_now() - give everything back, without an agent
 * @table:     after hold_table_load(); the record is locked, unless @table only reads it
 * @uri:       of libvirt
 * @ret_count: domains that are as they were found
 * @ret_note:  as for hold_table_restore()
 */
bool hold_table_restore_now(HoldTable *table, const char *uri, guint *ret_count, char **ret_note,
                            GError **error);

/* --- shared by the files of this room --- */

/** hold_value_text() - a value of @table for people: "512 MiB", "2 s" (the caller frees it) */
char *hold_value_text(const HoldTable *table, uint64_t value);

/** hold_bytes_text() - "512 MiB", "none" (the caller frees it) */
char *hold_bytes_text(uint64_t bytes);

/** hold_record_put() - make the record say what @hold says; on disk after hold_record_save() */
void hold_record_put(HoldTable *table, const Hold *hold);

/**
 * hold_record_confirm() - whether what a run has left is ours to give back
 * @hold: HOLD_LEFT; forgotten if the record does not have it any more, else as recorded
 *
 * The run may be alive: then it has the record locked, and what it has done is in good hands.
 *
 * Return: false as well if @hold was forgotten, and freed.
 */
bool hold_record_confirm(HoldTable *table, Hold *hold);

/** hold_record_drop() - the record says nothing of @hold any more */
void hold_record_drop(HoldTable *table, const Hold *hold);

/** hold_record_save() - onto the disk, if anything has changed */
bool hold_record_save(HoldTable *table, GError **error);

/** hold_remove() - forget a value, in the record as well; @hold is freed */
void hold_remove(HoldTable *table, Hold *hold);

/** hold_is_early() - whether something must go back before those of @table do, and has not */
bool hold_is_early(const HoldTable *table);

/**
 * hold_is_own_doing() - look whether the guest itself can have made its balloon larger than we did
 * @hold:  of the domain; that it is larger after a reboot is noted there
 * @bytes: what it is now
 *
 * Return: whether it can.
 */
bool hold_is_own_doing(const HoldTable *table, Hold *hold, uint64_t bytes);

/** hold_end() - that start of the domain is over; Return: whether @hold is still there */
bool hold_end(HoldTable *table, Hold *hold);

/** hold_end_change() - no change is under way any more */
void hold_end_change(HoldTable *table, Hold *hold);

/** hold_look_late() - let nobody wait for an answer that takes long */
void hold_look_late(HoldTable *table, Hold *hold);

/** hold_enter_foreign() - somebody else has set it, to @bytes: say so, and leave it alone for now
 */
void hold_enter_foreign(HoldTable *table, Hold *hold, uint64_t bytes);

/** hold_take_outcome() - what became of a change; a ChangeDone, @user is the table */
void hold_take_outcome(const Change *change, const ChangeOutcome *outcome, gpointer user);

/** hold_change_back() - the change that gives @hold back */
Change hold_change_back(const HoldTable *table, const Hold *hold);

#endif
