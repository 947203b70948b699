/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fakedamon.h - a target on a kernel that has DAMON with two monitors
 *
 * They are there before they are asked for, as files cannot come by themselves. Add faketarget.c
 * and what that needs.
 */
#ifndef TEST_SUPPORT_FAKEDAMON_H
#define TEST_SUPPORT_FAKEDAMON_H

#include "test/support/faketarget.h"

#define FAKEDAMON_ADMIN "sys/kernel/mm/damon/admin/kdamonds/"

/** fakedamon_new() - monitors that nobody uses, their thread 77 with 5 ms of CPU time; free it with
 * faketarget_free() */
FakeTarget *fakedamon_new(void);

/** fakedamon_count() - what a scheme of the first monitor counts */
void fakedamon_count(FakeTarget *fake, unsigned scheme, unsigned kib);

/** fakedamon_expect() - fails unless @text was written to @file */
void fakedamon_expect(FakeTarget *fake, const char *file, const char *text);

#endif
