/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fakeagent.h - an Agent on a fabricated host: no libvirt, no sockets, nothing decided yet
 *
 * Add ${CMAKE_SOURCE_DIR}/test/support/fakeagent.c, fakehost.c and fakeroot.c to the SOURCES of
 * the test, and link the target agent.
 */
#ifndef TEST_SUPPORT_FAKEAGENT_H
#define TEST_SUPPORT_FAKEAGENT_H

#include "agent/agent.h"
#include "agent/source/source.h"
#include "test/support/fakeroot.h"

#define FAKEAGENT_KSM "sys/kernel/mm/ksm/"

/**
 * fakeagent_setup() - for cmocka_unit_test_setup_teardown(); *state is an Agent
 *
 * Linux 6.1 without the advisor; KSM is stopped, with 100 pages and 20 ms. All domains' knowledge
 * comes from events. Settings are the defaults, to be changed at will.
 */
int fakeagent_setup(void **state);

/** fakeagent_setup_web() - likewise, and the QEMU of fakehost.h runs: libvirt's domain "web" */
int fakeagent_setup_web(void **state);

/** fakeagent_web() - the domain of the QEMU of fakehost.h; NULL: it is not in the table */
Domain *fakeagent_web(Agent *agent);

/** fakeagent_teardown() - the counterpart; frees everything */
int fakeagent_teardown(void **state);

/** fakeagent_root() - the tree the agent looks at; borrowed */
FakeRoot *fakeagent_root(Agent *agent);

/**
 * fakeagent_ksm() - what a file of KSM holds now
 * @name: "run"
 *
 * Return: its number.
 */
guint64 fakeagent_ksm(Agent *agent, const char *name);

/**
 * fakeagent_expect_source() - fails unless a source has a state, and says why
 * @when:   for the message
 * @detail: words of what it says; NULL: it must say nothing
 */
void fakeagent_expect_source(const Agent *agent, const Source *source, const char *when,
                             SourceState state, const char *detail);

/** fakeagent_tick() - wish for a full tick, and run the loop until there was one */
void fakeagent_tick(Agent *agent);

/** fakeagent_run() - run the loop for a while in which nothing may happen; see await.h for the rest
 */
void fakeagent_run(guint duration_ms);

#endif
