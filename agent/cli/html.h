/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * html.h - the report as one page that needs nothing else: no script, no network
 *
 *     html.c          what is asked, and the frame of the page
 *       html_summary.c   what the figures mean, in sentences
 *       html_picture.c   where the memory of each domain is, in bars
 *       html_history.c   what was saved over time, in columns
 *       html_cost.c      what KSM takes for it
 *       html_table.c     every figure of every domain
 *         html_parts.c     parts of memory that do not overlap
 *         html_text.c      escapes, units
 *       html_style.c     made from html.css
 */
#ifndef AGENT_CLI_HTML_H
#define AGENT_CLI_HTML_H

#include "agent/cli/cli.h"
#include "proto/virtksm.pb-c.h"

/* Domains that are seen at once; the rest is folded away, but for paper. */
#define HTML_SHOWN 30

/* What the page is made from; all borrowed. */
typedef struct {
    const Virtksm__V1__ReportResponse *report;   /* never NULL */
    const Virtksm__V1__StatusResponse *status;   /* NULL: could not be had */
    const Virtksm__V1__HistoryResponse *history; /* NULL: there is none, or it could not be had */
    const GPtrArray *domains;                    /* those of @report, the largest first */
    const char *host;                            /* name of this host */
    const char *time;                            /* of the report, for people */
    const char *only;                            /* the domain that was asked for; NULL: all */
} HtmlFacts;

/**
 * html_page() - the whole page
 *
 * Return: owned by the caller; UTF-8.
 */
char *html_page(const HtmlFacts *facts);

/**
 * html_print() - ask what else the page needs, and write it
 * @cli:    says where to
 * @report: a ReportResponse
 * @error:  CLI_FAILED if it could not be written
 */
bool html_print(const Cli *cli, const ProtobufCMessage *report, GError **error);

/** html_append_summary() - a section: what the figures mean */
void html_append_summary(GString *out, const HtmlFacts *facts);

/** html_append_picture() - a section: where the memory is */
void html_append_picture(GString *out, const HtmlFacts *facts);

/** html_append_history() - a section: what was saved over time; nothing without a history */
void html_append_history(GString *out, const HtmlFacts *facts);

/** html_append_cost() - a section: what KSM costs, and what it would take to end it */
void html_append_cost(GString *out, const HtmlFacts *facts);

/** html_append_tables() - a section: every domain with its figures */
void html_append_tables(GString *out, const HtmlFacts *facts);

/** html_style() - the style sheet; static text */
const char *html_style(void);

#endif
