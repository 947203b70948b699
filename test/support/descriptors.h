/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* descriptors.h - count open descriptors, to find leaks of them */
#ifndef TEST_SUPPORT_DESCRIPTORS_H
#define TEST_SUPPORT_DESCRIPTORS_H

#include <glib.h>

/** descriptors_open() - how many this process has now */
static inline unsigned
descriptors_open(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    unsigned n = 0;

    while (g_dir_read_name(dir))
        n++;
    return n;
}

#endif
