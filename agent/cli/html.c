/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* html.c - the frame of the page */
#include "agent/cli/html.h"
#include "agent/cli/call.h"
#include "agent/cli/html_text.h"
#include "agent/cli/result.h"

static const CallMethod status_method = { "/virtksm.v1.Agent/Status",
                                          &virtksm__v1__status_response__descriptor, true };

/* Should something get past the escapes, no browser will run or fetch it. */
static const char head_begin[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" "
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Memory of ";

static void
append_head(GString *out, const HtmlFacts *facts)
{
    g_string_append(out, head_begin);
    html_text(out, facts->host);
    g_string_append(out, ", ");
    html_text(out, facts->time);
    g_string_append(out, "</title>\n<style>\n");
    g_string_append(out, html_style());
    g_string_append(out, "</style>\n</head>\n<body>\n<header>\n<h1>Where the memory of ");
    html_name(out, facts->only ? facts->only : facts->host);
    g_string_append(out, " is</h1>\n<p class=\"meta\">");
    if (facts->only) {
        g_string_append(out, "A domain on ");
        html_name(out, facts->host);
        g_string_append(out, ". ");
    }
    g_string_append(out, "As of <time>");
    html_text(out, facts->time);
    g_string_append(out, "</time>, by virtksmd");
    if (facts->status && facts->status->version) {
        g_string_append_c(out, ' ');
        html_text(out, facts->status->version);
    }
    g_string_append(out, ".</p>\n</header>\n<main>\n");
}

char *
html_page(const HtmlFacts *facts)
{
    GString *out = g_string_new(NULL);

    append_head(out, facts);
    html_append_summary(out, facts);
    html_append_picture(out, facts);
    html_append_cost(out, facts);
    html_append_tables(out, facts);
    g_string_append(out, "</main>\n</body>\n</html>\n");
    return g_string_free(out, FALSE);
}

bool
html_print(const Cli *cli, const ProtobufCMessage *report, GError **error)
{
    Virtksm__V1__StatusRequest for_status = VIRTKSM__V1__STATUS_REQUEST__INIT;
    g_autoptr(ProtobufCMessage) status = call_unary(cli, &status_method, &for_status.base, NULL);
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *time = g_date_time_format(now, "%Y-%m-%d %H:%M:%S %z");
    const HtmlFacts facts = { .report = (const Virtksm__V1__ReportResponse *)report,
                              .status = (const Virtksm__V1__StatusResponse *)status,
                              .host = g_get_host_name(),
                              .time = time,
                              .only = cli->argument };
    g_autofree char *page = html_page(&facts);

    return result_write(cli, page, error);
}
