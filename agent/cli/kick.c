/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kick.c - "virtksm kick": scan everything once, now */
#include "agent/cli/call.h"
#include "agent/cli/command.h"
#include "agent/cli/result.h"
#include "agent/cli/settings.h"
#include "agent/cli/text.h"
#include "proto/virtksm.pb-c.h"

static const CallMethod kick_method = { "/virtksm.v1.Agent/Kick",
                                        &virtksm__v1__kick_response__descriptor, false };

static void
append_kick(const Cli *cli, const ProtobufCMessage *message, GString *out)
{
    const Virtksm__V1__KickResponse *kick = (const Virtksm__V1__KickResponse *)message;
    g_autofree char *ksm = settings_text(kick->ksm);

    (void)cli;
    text_append_line(out, "KSM", ksm);
    text_append_line(out, "phase", kick->phase);
    text_append_line(out, "reason", kick->reason);
    if (kick->hint)
        text_append_line(out, "hint", kick->hint);
}

bool
kick_run(const Cli *cli, GError **error)
{
    static const ResultPrinter printer = { .table = append_kick };
    Virtksm__V1__KickRequest request = VIRTKSM__V1__KICK_REQUEST__INIT;
    g_autoptr(ProtobufCMessage) response = call_unary(cli, &kick_method, &request.base, error);

    return response && result_print(cli, response, &printer, error);
}
