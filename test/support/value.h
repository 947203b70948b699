/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* value.h - figures in tables of rows; to be included after cmocka.h */
#ifndef TEST_SUPPORT_VALUE_H
#define TEST_SUPPORT_VALUE_H

#include <inttypes.h>

/** assert_value() - fails unless they are equal, and says in which row (@when) of which figure */
static inline void
assert_value(const char *when, const char *what, uint64_t have, uint64_t want)
{
    if (have != want)
        fail_msg("%s: %s=%" PRIu64 ", want %" PRIu64, when, what, have, want);
}

#endif
