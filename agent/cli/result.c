/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* result.c - printing what a call returned: one message, one write */
#include "agent/cli/result.h"
#include "agent/cli/json.h"
#include "agent/cli/output.h"

bool
result_write(const Cli *cli, const char *text, GError **error)
{
    const char *path = cli_option(cli, "output");

    return path ? output_file(path, text, error) : output_write(text, error);
}

bool
result_print(const Cli *cli, const ProtobufCMessage *message, const ResultPrinter *printer,
             GError **error)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree char *json = NULL;

    switch (cli->format) {
    case FORMAT_JSON:
        json = json_from_message(message, JSON_PAGE);
        return result_write(cli, json, error);
    case FORMAT_CSV:
        printer->csv(message, out);
        return result_write(cli, out->str, error);
    default:
        printer->table(cli, message, out);
        return result_write(cli, out->str, error);
    }
}
