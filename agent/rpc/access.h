/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* access.h - who may call what: the one place that decides */
#ifndef AGENT_RPC_ACCESS_H
#define AGENT_RPC_ACCESS_H

#include "agent/conf.h"
#include "proto/grpc_server.h"

/* There is no group of the configured name. */
#define ACCESS_NO_GROUP ((gid_t)-1)

typedef struct {
    const char *kata_path;  /* borrowed; of the socket that takes Kick alone; "": none */
    gid_t group;            /* that [rpc] group names; ACCESS_NO_GROUP: root alone */
    bool read_only_for_all; /* who may make calls that change nothing: all, or the group */
    Who domain_figures;     /* who of them may read figures of single domains */
    bool is_coarse;         /* these are told in multiples of [access] figure_grain */
} AccessRules;

/**
 * access_check() - whether a peer may make a call
 * @method:   asked for
 * @peer:     who asks, and through which socket
 * @ret_text: written for a refusal: what would have to be; static
 *
 * That what is not read_only cannot be called on a read-only socket has been seen to before.
 *
 * Source: unix(7), SO_PEERCRED: credentials as of connect(2)
 * Return: GRPC_STATUS_OK, PERMISSION_DENIED, or UNIMPLEMENTED where the socket is for other calls.
 */
GrpcStatus access_check(const AccessRules *rules, const GrpcMethod *method, const GrpcPeer *peer,
                        const char **ret_text);

#endif
