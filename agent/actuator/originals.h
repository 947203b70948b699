/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * originals.h - what the host looked like before our first write, kept where a crash cannot reach
 */
#ifndef AGENT_ACTUATOR_ORIGINALS_H
#define AGENT_ACTUATOR_ORIGINALS_H

#include <glib.h>
#include <stdbool.h>

/* What was found in the state directory. */
typedef enum {
    ORIGINALS_EMPTY,      /* nothing: the last run ended cleanly, or there was none */
    ORIGINALS_LOADED,     /* left by an earlier run of this boot that did not end cleanly */
    ORIGINALS_OLD_BOOT,   /* left by an earlier boot: the reboot has reset what it describes */
    ORIGINALS_LASTING,    /* likewise, but for what it says of domains: they may have been saved */
    ORIGINALS_DAMAGED,    /* not what we wrote: nothing may be written to the kernel */
    ORIGINALS_UNREADABLE, /* there is a file and we may not read it */
    ORIGINALS_COUNT,
} OriginalsOutcome;

/* The groups of what a reboot resets. All others are of domains, with their uuids for keys. */
#define ORIGINALS_KERNEL "ksm"
#define ORIGINALS_NODES  "nodes"

/*
 * One per agent, shared by all actuators; each has its own group ("ksm", "memory_high"), with a
 * key per thing it changes ("run", a domain's uuid) and the value found as text.
 */
typedef struct {
    OriginalsOutcome outcome; /* of originals_open(); read by anyone, written by none */
    /* private: */
    char *fault;       /* owned; why nothing may be written; NULL: nothing is wrong */
    char *dir;         /* owned; the state directory; NULL before originals_open() */
    char *path;        /* owned; the file in it */
    char *boot_id;     /* owned; of the running kernel */
    GKeyFile *entries; /* owned */
    int dir_fd;        /* owned; locked state directory; -1: not held */
    bool dirty;        /* entries differ from the file */
} Originals;

/**
 * originals_read_boot_id() - what tells this boot from all others
 * @root_fd:     directory that proc/ is found in (borrowed)
 * @ret_boot_id: text of proc/sys/kernel/random/boot_id (the caller frees it)
 * @error:       set on failure
 *
 * Source: random(4), "/proc interfaces"
 * Return: whether it could be read and looks like one.
 */
bool originals_read_boot_id(int root_fd, char **ret_boot_id, GError **error);

/**
 * originals_init() - an empty record that is attached to no directory
 * @originals: filled
 */
void originals_init(Originals *originals);

/**
 * originals_open() - read what an earlier run may have left
 * @originals: initialised; read again from the start if it was open already
 * @state_dir: e.g. "/var/lib/virtksm"; need not exist
 * @boot_id:   of the running kernel, see originals_read_boot_id()
 * @error:     set for ORIGINALS_DAMAGED and ORIGINALS_UNREADABLE: what is wrong with the file and
 *             what the operator should do
 *
 * Writes nothing. Entries are there only after ORIGINALS_LOADED, and those of domains after
 * ORIGINALS_LASTING. A file from an earlier boot stays until originals_discard() or the next
 * originals_save().
 *
 * Return: what was found; the same is left in @originals->outcome.
 */
OriginalsOutcome originals_open(Originals *originals, const char *state_dir, const char *boot_id,
                                GError **error);

/**
 * originals_claim() - keep others out of the state directory from the start
 * @originals: just opened
 * @error:     set on failure: who is using it
 *
 * Creates the state directory and holds its lock until originals_done(), as originals_prepare()
 * does, also where nothing is to be written. A directory that cannot be had for other reasons is no
 * failure: originals_prepare() tells them when there is something to write. Outcome and entries are
 * read afresh with the lock held.
 *
 * Return: false if another process has the directory.
 */
bool originals_claim(Originals *originals, GError **error);

/**
 * originals_prepare() - make sure that a record could be kept, before there is one
 * @originals: open
 * @error:     set on failure
 *
 * Creates the state directory (0700) and holds its lock until originals_done(), so that no second
 * agent and no --restore works on the same record. The lock goes with the process. Who held it
 * before may have changed the file, so outcome and entries are read afresh with the lock held.
 *
 * Return: whether the record may be written; false for a damaged or unreadable one, with the text
 * that originals_open() gave.
 */
bool originals_prepare(Originals *originals, GError **error);

/**
 * originals_get() - the value that was found
 * @originals: open
 * @group:     of the actuator
 * @key:       of the thing
 *
 * Return: text (the caller frees it), or NULL if there is no such entry.
 */
char *originals_get(const Originals *originals, const char *group, const char *key);

/**
 * originals_keys() - the things that an actuator has recorded
 * @originals: open
 * @group:     of the actuator
 *
 * Return: NULL-terminated (the caller frees it with g_strfreev()); empty if there are none.
 */
char **originals_keys(const Originals *originals, const char *group);

/**
 * originals_has_group() - whether an actuator has anything to restore
 * @originals: open
 * @group:     of the actuator
 *
 * Return: whether there is an entry in @group.
 */
bool originals_has_group(const Originals *originals, const char *group);

/**
 * originals_set() - remember the value that was found
 * @originals: prepared
 * @group:     of the actuator; not "originals"
 * @key:       of the thing: letters, digits, '-', '_' and '.'
 * @value:     as found (copied)
 *
 * An entry that is there already stays: only the first value found is the original. Nothing is on
 * disk before originals_save().
 */
void originals_set(Originals *originals, const char *group, const char *key, const char *value);

/**
 * originals_drop() - forget entries, because they have been restored
 * @originals: prepared
 * @group:     of the actuator
 * @key:       of the thing; NULL: the whole group
 */
void originals_drop(Originals *originals, const char *group, const char *key);

/**
 * originals_is_dirty() - whether the file lags behind the entries
 * @originals: open
 *
 * Return: whether originals_save() has anything to do.
 */
bool originals_is_dirty(const Originals *originals);

/**
 * originals_save() - bring the file in line with the entries, durably
 * @originals: prepared
 * @error:     set on failure: the file is what it was before
 *
 * When it returns true, file and directory have been synced. Costs three calls if nothing changed.
 * Without an entry left the file is removed. A state directory that is gone, or another one by
 * now, is made and taken anew, and a file that somebody has removed is written again; that is
 * logged.
 *
 * Return: whether the file says what the entries say.
 */
bool originals_save(Originals *originals, GError **error);

/**
 * originals_discard() - forget everything and remove the file
 * @originals: prepared; so it is not damaged: only the operator may remove a damaged file
 * @error:     set on failure
 *
 * Return: whether the file is gone; true also if there was none.
 */
bool originals_discard(Originals *originals, GError **error);

/**
 * originals_done() - let go of memory and of the lock; the file stays as it is
 * @originals: initialised, in any state; may be opened again afterwards
 */
void originals_done(Originals *originals);

#endif
