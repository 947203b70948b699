/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mode.c - "virtksm mode": print the mode, or set it
 *
 * The daemon knows which modes there are; a word that it refuses is wrong usage. Reading the mode
 * asks for the status, which the read-only socket answers too, and prints the same message.
 */
#include "agent/cli/call.h"
#include "agent/cli/command.h"
#include "agent/cli/result.h"
#include "agent/cli/text.h"
#include "proto/virtksm.pb-c.h"

static const CallMethod status_method = { "/virtksm.v1.Agent/Status",
                                          &virtksm__v1__status_response__descriptor, true };
static const CallMethod set_mode_method = { "/virtksm.v1.Agent/SetMode",
                                            &virtksm__v1__set_mode_response__descriptor, false };

/* The word alone when it was asked for, so that a script can use it as it is. */
static void
append_mode(const Cli *cli, const ProtobufCMessage *message, GString *out)
{
    const Virtksm__V1__SetModeResponse *mode = (const Virtksm__V1__SetModeResponse *)message;
    g_autofree char *word = text_escape(mode->mode);

    if (!cli->argument) {
        g_string_append_printf(out, "%s\n", word);
        return;
    }
    text_append_line(out, "mode", mode->mode);
    text_append_line(out, "phase", mode->phase);
    text_append_line(out, "reason", mode->reason);
    if (mode->hint)
        text_append_line(out, "hint", mode->hint);
}

static const ResultPrinter printer = { .table = append_mode };

static bool
read_mode(const Cli *cli, GError **error)
{
    Virtksm__V1__StatusRequest request = VIRTKSM__V1__STATUS_REQUEST__INIT;
    Virtksm__V1__SetModeResponse mode = VIRTKSM__V1__SET_MODE_RESPONSE__INIT;
    g_autoptr(ProtobufCMessage) response = call_unary(cli, &status_method, &request.base, error);
    const Virtksm__V1__StatusResponse *status = (const Virtksm__V1__StatusResponse *)response;

    if (!response)
        return false;
    mode.mode = status->mode;
    mode.phase = status->phase;
    mode.reason = status->reason;
    return result_print(cli, &mode.base, &printer, error);
}

bool
mode_run(const Cli *cli, GError **error)
{
    Virtksm__V1__SetModeRequest request = VIRTKSM__V1__SET_MODE_REQUEST__INIT;
    g_autoptr(ProtobufCMessage) response = NULL;

    if (!cli->argument)
        return read_mode(cli, error);
    request.mode = cli->argument;
    response = call_unary(cli, &set_mode_method, &request.base, error);
    return response && result_print(cli, response, &printer, error);
}
