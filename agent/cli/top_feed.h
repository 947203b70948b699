/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top_feed.h - where "virtksm top" has its figures from: report and status, asked again and again
 *
 * Asking runs the feed's main context, so that keys and signals are heard meanwhile, and can be
 * given up from there.
 */
#ifndef AGENT_CLI_TOP_FEED_H
#define AGENT_CLI_TOP_FEED_H

#include "agent/cli/cli.h"
#include "proto/virtksm.pb-c.h"

typedef struct TopFeed TopFeed;

/** top_feed_new() - does not ask yet; @cli names the socket. Return: owned by the caller. */
TopFeed *top_feed_new(const Cli *cli);

/** top_feed_free() - accepts NULL */
void top_feed_free(TopFeed *feed);

/** top_feed_context() - the context that runs while it asks; borrowed */
GMainContext *top_feed_context(const TopFeed *feed);

/**
 * top_feed_ask() - ask, and wait for the answers
 * @feed:  who asks
 * @error: CLI_ERROR; then the answers of before stay
 */
bool top_feed_ask(TopFeed *feed, GError **error);

/** top_feed_give_up() - nobody waits any more: top_feed_ask() fails, that of now and later ones */
void top_feed_give_up(TopFeed *feed);

/** top_feed_report() - the last report; NULL: none so far */
const Virtksm__V1__ReportResponse *top_feed_report(const TopFeed *feed);

/** top_feed_status() - the status of that moment */
const Virtksm__V1__StatusResponse *top_feed_status(const TopFeed *feed);

/** top_feed_message() - the last report as any message, for those who know no type */
const ProtobufCMessage *top_feed_message(const TopFeed *feed);

/** top_feed_age_ms() - time since that report came */
uint64_t top_feed_age_ms(const TopFeed *feed);

/** top_feed_clock() - when it came, "14:02:11" */
const char *top_feed_clock(const TopFeed *feed);

#endif
