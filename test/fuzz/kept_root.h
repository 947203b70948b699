/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kept_root.h - a fabricated tree that is kept between inputs */
#ifndef TEST_FUZZ_KEPT_ROOT_H
#define TEST_FUZZ_KEPT_ROOT_H

#include "test/support/fakeroot.h"

/**
 * kept_root() - the one tree of a fuzz target
 * @make: called at the first input only, as making a tree costs more than most inputs do
 *
 * Return: it; freed when the program ends.
 */
FakeRoot *kept_root(FakeRoot *(*make)(void));

#endif
