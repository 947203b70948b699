/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* share.h - what there is only so much of for all clients, and how much of it one may have */
#ifndef AGENT_RPC_SHARE_H
#define AGENT_RPC_SHARE_H

#include "proto/grpc_server.h"

/* What a call may need beside its connection. */
typedef enum {
    SHARE_EVENTS,       /* a ring of events that wait for it */
    SHARE_WORKING_SETS, /* reports of working sets as they come */
    SHARE_TRACES,       /* decisions as they are made, with all that led to them */
    SHARE_HISTORY,      /* a question to the history's database */
    SHARE_COUNT,
} Share;

/**
 * share_take() - let a call have one of a kind
 * @call: borrowed; must live until share_give()
 *
 * The read-only socket may have half of all, and one user a quarter; root may have all.
 *
 * Return: false if there are too many; the call has been failed with RESOURCE_EXHAUSTED then.
 */
bool share_take(GrpcCall *call, Share share);

/** share_give() - the call needs it no more; nothing happens if it has none */
void share_give(const GrpcCall *call, Share share);

#endif
