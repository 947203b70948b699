/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * child.h - run a program beside the main loop of the test, and see what it prints
 *
 *     g_autoptr(Child) child = child_start((const char *const[]){ "/bin/echo", "x", NULL });
 *     assert_int_equal(child_wait(child), 0);
 *     assert_string_equal(child_out(child), "x\n");
 *
 * While a function here waits, the default main context runs: a server in the test answers. What
 * does not come within 20 s fails the test.
 */
#ifndef TEST_SUPPORT_CHILD_H
#define TEST_SUPPORT_CHILD_H

#include <glib.h>
#include <stdbool.h>

typedef struct Child Child;

/** child_start() - run a program; argv[0] is its path, or is looked for in PATH */
Child *child_start(const char *const *argv);

/** child_free() - ends the program if it still runs; NULL is fine */
void child_free(Child *child);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Child, child_free)

/** child_await() - wait until standard output contains a text */
void child_await(Child *child, const char *text);

/** child_wait() - wait until it ends and its output, unless on hold, is read; Return: exit code,
 * 128 + number of the signal that did it */
int child_wait(Child *child);

/** child_signal() - send it a signal */
void child_signal(Child *child, int number);

/** child_hold_out() - leave its standard output open, but do not read it; or read on */
void child_hold_out(Child *child, bool hold);

/** child_close_out() - read no more of its standard output */
void child_close_out(Child *child);

/** child_out(), child_err() - what it has printed so far; belong to @child */
const char *child_out(const Child *child);
const char *child_err(const Child *child);

#endif
