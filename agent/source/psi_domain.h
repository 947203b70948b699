/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* psi_domain.h - to be woken when a domain that is under a limit waits for memory */
#ifndef AGENT_SOURCE_PSI_DOMAIN_H
#define AGENT_SOURCE_PSI_DOMAIN_H

#include "agent/domain.h"

#include <glib.h>

/* Domains that can be watched at a time; each costs a descriptor. */
#define PSI_DOMAINS_MAX 256

/* A domain waits: what is to be done about it is for whoever looks at its figures. */
typedef void (*PsiDomainFired)(gpointer user);

typedef struct {
    GHashTable *by_key;   /* owned; key of the start -> Watched (psi_domain.c) */
    guint triggers;       /* of these, that are being watched */
    uint64_t round;       /* of the last psi_domains_follow() */
    PsiDomainFired fired; /* who is told */
    gpointer user;        /* for fired */
} PsiDomains;

/** psi_domains_init() - none yet; psi_domains_done() it */
void psi_domains_init(PsiDomains *domains, PsiDomainFired fired, gpointer user);

/** psi_domains_done() - watch none any more; leaves @domains reusable */
void psi_domains_done(PsiDomains *domains);

/**
 * psi_domains_follow() - watch those that have a limit of ours, and no others
 * @domains: kept in line
 * @all:     every domain there is, after the last decision (borrowed Domain pointers)
 *
 * A limit of ours is one that has a lease and is not only thought of. Where there is none, which is
 * the usual, this costs a look at a field of each domain and nothing else. The trigger of a domain
 * that has ended is closed by the next call, or at once when the kernel says that its cgroup is
 * gone.
 */
void psi_domains_follow(PsiDomains *domains, const GPtrArray *all);

/** psi_domains_unwatched() - domains under a limit that are not watched: no room, no rights */
guint psi_domains_unwatched(const PsiDomains *domains);

#endif
