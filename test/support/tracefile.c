/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tracefile.c - the format of proto/trace.proto, written a second time */
#include "test/support/tracefile.h"

#include <string.h>

GByteArray *
tracefile_new(void)
{
    GByteArray *file = g_byte_array_new();

    g_byte_array_append(file, (const uint8_t *)TRACE_MAGIC, (guint)strlen(TRACE_MAGIC));
    return file;
}

void
tracefile_add_bytes(GByteArray *file, const uint8_t *bytes, size_t n)
{
    const uint8_t head[] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
                             (uint8_t)n };

    g_byte_array_append(file, head, sizeof(head));
    g_byte_array_append(file, bytes, (guint)n);
}

void
tracefile_add(GByteArray *file, Virtksm__V1__TraceResponse *message)
{
    size_t n = virtksm__v1__trace_response__get_packed_size(message);
    g_autofree uint8_t *bytes = g_malloc(MAX(n, 1));

    virtksm__v1__trace_response__pack(message, bytes);
    tracefile_add_bytes(file, bytes, n);
    virtksm__v1__trace_response__free_unpacked(message, NULL);
}
