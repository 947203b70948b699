/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * set.c - "virtksm set": what a domain asks of the daemon, changed
 *
 * The daemon knows which keys there are and what they may be; what it refuses is wrong usage.
 */
#include "agent/cli/call.h"
#include "agent/cli/command.h"
#include "agent/cli/result.h"
#include "agent/cli/text.h"
#include "proto/virtksm.pb-c.h"

static const CallMethod set_method = { "/virtksm.v1.Agent/Set",
                                       &virtksm__v1__set_response__descriptor, false };

static void
append_set(const Cli *cli, const ProtobufCMessage *message, GString *out)
{
    const Virtksm__V1__SetResponse *set = (const Virtksm__V1__SetResponse *)message;

    (void)cli;
    text_append_line(out, "domain", set->name);
    for (size_t i = 0; i < set->n_settings; i++)
        text_append_line(out, "set", set->settings[i]);
    text_append_line(out, "holds",
                     set->persist ? "now, and when it starts again" : "until it ends");
    if (set->fault)
        text_append_line(out, "mistake", set->fault);
}

bool
set_run(const Cli *cli, GError **error)
{
    static const ResultPrinter printer = { .table = append_set };
    Virtksm__V1__SetRequest request = VIRTKSM__V1__SET_REQUEST__INIT;
    g_autoptr(ProtobufCMessage) response = NULL;

    request.domain = cli->argument;
    request.settings = cli->more;
    request.n_settings = g_strv_length(cli->more);
    request.has_persist = request.persist = cli_option(cli, "persist") != NULL;
    response = call_unary(cli, &set_method, &request.base, error);
    return response && result_print(cli, response, &printer, error);
}
