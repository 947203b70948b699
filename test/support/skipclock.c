/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* skipclock.c - clocks that a test can let jump ahead, instead of waiting */
#include "test/support/skipclock.h"

static _Atomic gint64 skipped_us; /* so far; threads look at the clock too */

gint64 __real_g_get_monotonic_time(void);
gint64 __wrap_g_get_monotonic_time(void);
gint64 __real_g_get_real_time(void);
gint64 __wrap_g_get_real_time(void);

gint64
__wrap_g_get_monotonic_time(void)
{
    return __real_g_get_monotonic_time() + skipped_us;
}

gint64
__wrap_g_get_real_time(void)
{
    return __real_g_get_real_time() + skipped_us;
}

void
skipclock_pass(gint64 us)
{
    skipped_us += us;
}
