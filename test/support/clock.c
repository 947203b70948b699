/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clock.c - virtksmd with a wall clock that a test sets
 *
 * Linked into the daemon in front of g_get_real_time(). The file that VIRTKSM_CLOCK names has the
 * seconds by which the clock is wrong; without it, the clock is right.
 */
#include <glib.h>
#include <stdlib.h>

gint64 __real_g_get_real_time(void);
gint64 __wrap_g_get_real_time(void);

gint64
__wrap_g_get_real_time(void)
{
    const char *path = getenv("VIRTKSM_CLOCK");
    g_autofree char *text = NULL;
    gint64 wrong_s = 0;

    if (path && g_file_get_contents(path, &text, NULL, NULL))
        wrong_s = g_ascii_strtoll(text, NULL, 10);
    return __real_g_get_real_time() + wrong_s * G_USEC_PER_SEC;
}
