/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rotation.h - the working sets of all domains, measured in turn, within a budget
 */
#ifndef AGENT_ROTATION_H
#define AGENT_ROTATION_H

#include "agent/facts/working_set.h"

#include <glib.h>

typedef struct Rotation Rotation;

/* A domain was looked at: @report is what is known of it now, and valid for the call. It may not
 * add or remove domains. */
typedef void (*RotationTold)(uint64_t key, const WorkingSetReport *report, gpointer user);

/**
 * rotation_new() - no domains yet
 * @setup: copied; root_fd is borrowed until rotation_free(); what meters keep there is 0
 *
 * Return: for rotation_free().
 */
Rotation *rotation_new(const WorkingSetHost *setup);

/**
 * rotation_free() - measure no more
 * @rotation: accepts NULL
 *
 * Undoes what was set up in the kernel; waits for that, and for a measurement under way, two
 * seconds at most.
 */
void rotation_free(Rotation *rotation);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rotation, rotation_free)

/**
 * rotation_add() - measure a domain too
 * @key:    of its start, not added yet
 * @pid:    of its QEMU
 * @dir_fd: directory of that process in /proc; a duplicate is kept
 * @cgroup: from cgroup_find(); NULL: none
 * @is_v2:  of version 2
 */
void rotation_add(Rotation *rotation, uint64_t key, pid_t pid, int dir_fd, const char *cgroup,
                  bool is_v2);

/** rotation_remove() - forget the domain of @key, if it is there; a step under way ends first */
void rotation_remove(Rotation *rotation, uint64_t key);

/** rotation_listen() - @told is called on the loop, with @user (borrowed), after each step */
void rotation_listen(Rotation *rotation, RotationTold told, gpointer user);

/**
 * rotation_held_up_by() - whose measurement takes too long, and holds up all others
 *
 * What the meters share is the thread's that measures, so no other can go on in its place.
 *
 * Return: key of a start that may have ended; 0: none takes longer than thirty seconds.
 */
uint64_t rotation_held_up_by(const Rotation *rotation);

/** rotation_has() - whether the domain of @key is measured */
bool rotation_has(const Rotation *rotation, uint64_t key);

/** rotation_keep() - forget all domains but those of @keys: a set of uint64_t (g_int64_hash) */
void rotation_keep(Rotation *rotation, GHashTable *keys);

/** rotation_set_guest() - what the guest of @key has said last; counts from the next step on */
void rotation_set_guest(Rotation *rotation, uint64_t key, const WorkingSetGuest *guest);

/** rotation_spent_us() - CPU time that measuring has taken so far */
uint64_t rotation_spent_us(const Rotation *rotation);

#endif
