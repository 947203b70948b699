/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tracefile.h - a trace in memory, as "virtksm trace record" would write it */
#ifndef TEST_SUPPORT_TRACEFILE_H
#define TEST_SUPPORT_TRACEFILE_H

#include "agent/trace/trace_writer.h"

#include <glib.h>

/** tracefile_new() - no decisions yet; g_byte_array_unref() it */
GByteArray *tracefile_new(void);

/** tracefile_add() - the next message; freed here */
void tracefile_add(GByteArray *file, Virtksm__V1__TraceResponse *message);

/** tracefile_add_bytes() - the next message, whatever it is */
void tracefile_add_bytes(GByteArray *file, const uint8_t *bytes, size_t n);

#endif
