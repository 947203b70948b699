/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* warned.h - what the code under test has warned of; register the test with WRAP log_warning */
#ifndef TEST_SUPPORT_WARNED_H
#define TEST_SUPPORT_WARNED_H

#include <glib.h>

static guint warnings;     /* so far */
static char *last_warning; /* owned; NULL: there was none */

/** __wrap_log_warning() - in place of log_warning(): counts, and keeps the text */
void __wrap_log_warning(const char *format, ...) G_GNUC_PRINTF(1, 2);

/** __wrap_log_warning() - see above */
void
__wrap_log_warning(const char *format, ...)
{
    va_list args;

    warnings++;
    g_free(last_warning);
    va_start(args, format);
    last_warning = g_strdup_vprintf(format, args);
    va_end(args);
}

#endif
