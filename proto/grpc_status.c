/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_status.c - status on the wire: grpc-status, grpc-message, and what HTTP/2 says instead
 */
#include "proto/grpc_status.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <string.h>

/* Longest text sent; encoded it is at most three times that. */
#define TEXT_BYTES 512

static const char *const status_names[] = {
    [GRPC_STATUS_OK] = "OK",
    [GRPC_STATUS_CANCELLED] = "CANCELLED",
    [GRPC_STATUS_UNKNOWN] = "UNKNOWN",
    [GRPC_STATUS_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [GRPC_STATUS_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [GRPC_STATUS_NOT_FOUND] = "NOT_FOUND",
    [GRPC_STATUS_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [GRPC_STATUS_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [GRPC_STATUS_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [GRPC_STATUS_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [GRPC_STATUS_ABORTED] = "ABORTED",
    [GRPC_STATUS_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [GRPC_STATUS_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [GRPC_STATUS_INTERNAL] = "INTERNAL",
    [GRPC_STATUS_UNAVAILABLE] = "UNAVAILABLE",
    [GRPC_STATUS_DATA_LOSS] = "DATA_LOSS",
    [GRPC_STATUS_UNAUTHENTICATED] = "UNAUTHENTICATED",
};
static_assert(G_N_ELEMENTS(status_names) == GRPC_STATUS_COUNT,
              "status_names[] and GrpcStatus differ");

G_DEFINE_QUARK(virtksm - grpc - error - quark, grpc_error)

const char *
grpc_status_name(GrpcStatus status)
{
    unsigned index = (unsigned)status;

    return status_names[index < GRPC_STATUS_COUNT ? index : GRPC_STATUS_UNKNOWN];
}

GrpcStatus
grpc_status_parse(const char *text)
{
    guint64 number;

    if (!g_ascii_string_to_unsigned(text, 10, 0, GRPC_STATUS_COUNT - 1, &number, NULL))
        return GRPC_STATUS_UNKNOWN;
    return (GrpcStatus)number;
}

char *
grpc_status_encode(const char *text)
{
    GString *out = g_string_new(NULL);

    for (size_t i = 0; i < TEXT_BYTES && text[i]; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte >= 0x20 && byte <= 0x7e && byte != '%')
            g_string_append_c(out, text[i]);
        else
            g_string_append_printf(out, "%%%02X", byte);
    }
    return g_string_free(out, FALSE);
}

char *
grpc_status_decode(const char *text)
{
    g_autoptr(GString) out = g_string_new(NULL);

    for (size_t i = 0; text[i]; i++) {
        bool is_escape =
            text[i] == '%' && g_ascii_isxdigit(text[i + 1]) && g_ascii_isxdigit(text[i + 2]);

        if (!is_escape) {
            g_string_append_c(out, text[i]);
            continue;
        }
        g_string_append_c(out, (char)(g_ascii_xdigit_value(text[i + 1]) << 4 |
                                      g_ascii_xdigit_value(text[i + 2])));
        i += 2;
    }
    return g_utf8_make_valid(out->str, (gssize)out->len);
}

GrpcStatus
grpc_status_of_http(unsigned http_status)
{
    switch (http_status) {
    case 400:
        return GRPC_STATUS_INTERNAL;
    case 401:
        return GRPC_STATUS_UNAUTHENTICATED;
    case 403:
        return GRPC_STATUS_PERMISSION_DENIED;
    case 404:
        return GRPC_STATUS_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_STATUS_UNAVAILABLE;
    default:
        return GRPC_STATUS_UNKNOWN;
    }
}

GrpcStatus
grpc_status_of_reset(uint32_t h2_error)
{
    switch (h2_error) {
    case NGHTTP2_REFUSED_STREAM:
        return GRPC_STATUS_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return GRPC_STATUS_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return GRPC_STATUS_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return GRPC_STATUS_PERMISSION_DENIED;
    default:
        return GRPC_STATUS_INTERNAL;
    }
}
