/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * access.c - who may call what: kinds of calls, kinds of peers, and a socket unlike the others
 *
 * The kernel keeps most peers out by the mode of the socket's file. They are judged again for every
 * call, by the credentials with which they connected, since a socket can be handed on.
 *
 * Figures of single domains are a kind of their own: how much of a domain merges tells its
 * neighbours what is in its memory. That a domain runs, and its name, any local user can see in the
 * list of processes anyway, so List and Watch are not among them. A trace has no names, but its
 * order is that of List, and it cannot be coarser than what it is replayed for: it is for those who
 * may both change things and read figures, and for root alone where others are told no exact ones.
 */
#define _GNU_SOURCE
#include "agent/rpc/access.h"

#include <unistd.h>

typedef enum {
    NEED_READ,    /* changes nothing */
    NEED_FIGURES, /* likewise, but tells figures of single domains */
    NEED_CHANGE,  /* changes something */
    NEED_EXACT,   /* does not, but tells figures of single domains as they are, at each tick */
    NEED_COUNT,
} Need;

static const char *const figures[] = {
    "/virtksm.v1.Agent/Report",     "/virtksm.v1.Agent/Explain",
    "/virtksm.v1.Agent/Doctor",     "/virtksm.v1.Agent/History",
    "/virtksm.v1.Agent/WorkingSet", "/virtksm.v1.Agent/WatchWorkingSet",
};

static const char *const exact[] = {
    "/virtksm.v1.Agent/Trace",
};

/* All that can be called on [rpc] kata_socket. */
static const char *const kata[] = {
    "/ksm.KSMThrottler/Kick",
};

static const char *const refusals[] = {
    [NEED_READ] = "only for root and the group in [rpc] group, see [access] read_only_for_all",
    [NEED_FIGURES] = "figures of single domains are not for you, see [access] domain_figures",
    [NEED_CHANGE] = "only root and the members of the group in [rpc] group may do this",
    [NEED_EXACT] = "only root, and the group in [rpc] group if [access] domain_figures lets it",
};
G_STATIC_ASSERT(G_N_ELEMENTS(refusals) == NEED_COUNT);

/* Of NEED_EXACT, where only what they are coarsened for is in the way. */
static const char refusal_of_exact[] = "a trace has exact figures of single domains, which are for "
                                       "root alone where [access] figure_grain is set";

static bool
is_in(const char *const *paths, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (g_str_equal(paths[i], path))
            return true;
    return false;
}

static Need
need_of(const GrpcMethod *method)
{
    if (is_in(exact, G_N_ELEMENTS(exact), method->path))
        return NEED_EXACT;
    if (!method->read_only)
        return NEED_CHANGE;
    return is_in(figures, G_N_ELEMENTS(figures), method->path) ? NEED_FIGURES : NEED_READ;
}

static Who
who_is(const AccessRules *rules, const GrpcPeer *peer)
{
    if (peer->uid == 0 || peer->uid == geteuid())
        return WHO_ROOT;
    if (rules->group != ACCESS_NO_GROUP && grpc_peer_has_group(peer, rules->group))
        return WHO_GROUP;
    return WHO_ALL;
}

/* The widest circle that may have what is needed. */
static Who
limit_of(const AccessRules *rules, Need need)
{
    Who readers = rules->read_only_for_all ? WHO_ALL : WHO_GROUP;

    switch (need) {
    case NEED_READ:
        return readers;
    case NEED_FIGURES:
        return MIN(readers, rules->domain_figures);
    case NEED_EXACT:
        return rules->is_coarse ? WHO_ROOT : MIN(WHO_GROUP, rules->domain_figures);
    default:
        return WHO_GROUP;
    }
}

GrpcStatus
access_check(const AccessRules *rules, const GrpcMethod *method, const GrpcPeer *peer,
             const char **ret_text)
{
    Need need = need_of(method);
    Who who = who_is(rules, peer);

    if (*rules->kata_path && g_str_equal(peer->listener, rules->kata_path) &&
        !is_in(kata, G_N_ELEMENTS(kata), method->path)) {
        *ret_text = "this socket is for ksm.KSMThrottler/Kick alone";
        return GRPC_STATUS_UNIMPLEMENTED;
    }
    if (who <= limit_of(rules, need))
        return GRPC_STATUS_OK;
    *ret_text = need == NEED_EXACT && who <= MIN(WHO_GROUP, rules->domain_figures)
                    ? refusal_of_exact
                    : refusals[need];
    return GRPC_STATUS_PERMISSION_DENIED;
}
