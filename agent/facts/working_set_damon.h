/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_damon.h - DAMON's monitors, as the files that know of them share it
 */
#ifndef AGENT_FACTS_WORKING_SET_DAMON_H
#define AGENT_FACTS_WORKING_SET_DAMON_H

#include "agent/facts/working_set_backend.h"

#define WORKING_SET_DAMON_ADMIN      "sys/kernel/mm/damon/admin/kdamonds/"
#define WORKING_SET_DAMON_COUNT_FILE WORKING_SET_DAMON_ADMIN "nr_kdamonds"
/* Monitors that we ask for; as many fit into the bits of damon_slots. */
#define WORKING_SET_DAMON_SLOTS 61

/**
 * working_set_damon_count() - how many monitors there are, of anybody
 * @root_fd: "/" or a test's fake root (borrowed)
 *
 * Source: Documentation/admin-guide/mm/damon/usage.rst, "kdamonds/"
 * Return: VALUE_UNKNOWN: a kernel without DAMON, or without its files in sysfs.
 */
uint64_t working_set_damon_count(int root_fd);

/**
 * working_set_damon_is_ours() - whether there are monitors of this agent or of one before
 * @root_fd: "/" or a test's fake root (borrowed)
 *
 * Return: as many as we make are ours.
 */
bool working_set_damon_is_ours(int root_fd);

#endif
