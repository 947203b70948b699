/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answer_fuzz.c - any bytes as what somebody at the socket answers the client
 *
 * The first byte picks the message, any that is sent by the daemon. What can be decoded is printed
 * as the client prints it: as JSON, and a report also as a table and as a page.
 */
#include <assert.h>
#include <stdint.h>

#include "agent/cli/html.h"
#include "agent/cli/json.h"
#include "agent/cli/report.h"
#include "proto/grpc_unpack.h"
#include "proto/trace.pb-c.h"
#include "proto/virtksm.pb-c.h"

/* More than a message of a megabyte takes. */
#define BOUND_BYTES (8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
    &virtksm__v1__report_response__descriptor,
    &virtksm__v1__status_response__descriptor,
    &virtksm__v1__list_response__descriptor,
    &virtksm__v1__explain_response__descriptor,
    &virtksm__v1__doctor_response__descriptor,
    &virtksm__v1__history_response__descriptor,
    &virtksm__v1__working_set_response__descriptor,
    &virtksm__v1__watch_working_set_response__descriptor,
    &virtksm__v1__watch_response__descriptor,
    &virtksm__v1__kick_response__descriptor,
    &virtksm__v1__set_mode_response__descriptor,
    &virtksm__v1__set_response__descriptor,
    &virtksm__v1__trace_response__descriptor,
    &virtksm__v1__simulation__descriptor,
};

static void
check_json(const ProtobufCMessage *message, JsonStyle style)
{
    g_autofree char *json = json_from_message(message, style);

    assert(g_utf8_validate(json, -1, NULL));
    assert(json[0] == '{' && g_str_has_suffix(json, "}\n"));
}

static void
check_report(const ProtobufCMessage *message)
{
    const Virtksm__V1__ReportResponse *report = (const Virtksm__V1__ReportResponse *)message;
    g_autoptr(GString) table = g_string_new(NULL);
    g_autoptr(GPtrArray) domains = g_ptr_array_new();
    const Cli cli = { 0 };
    HtmlFacts facts = { .report = report, .domains = domains, .host = "host", .time = "now" };
    g_autofree char *page = NULL;

    for (size_t i = 0; i < report->n_domains; i++)
        g_ptr_array_add(domains, report->domains[i]);
    report_append_table(&cli, message, table);
    page = html_page(&facts);
    assert(g_utf8_validate(table->str, -1, NULL));
    assert(g_utf8_validate(page, -1, NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ProtobufCMessageDescriptor *type;
    GrpcUnpacked unpacked;

    if (size == 0)
        return 0;
    type = types[data[0] % G_N_ELEMENTS(types)];
    if (grpc_unpack(type, (GrpcSlice){ data + 1, size - 1 }, BOUND_BYTES, &unpacked) !=
        GRPC_UNPACK_DONE)
        return 0;
    check_json(unpacked.message, JSON_LINE);
    check_json(unpacked.message, JSON_PAGE);
    if (type == &virtksm__v1__report_response__descriptor)
        check_report(unpacked.message);
    grpc_unpack_free(&unpacked);
    return 0;
}
