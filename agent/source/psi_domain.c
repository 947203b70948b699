/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * psi_domain.c - to be woken when a domain that is under a limit waits for memory
 *
 * A domain that is squeezed has to be let go within a second, and regular ticks may be further
 * apart. So each domain under a limit has a trigger of its own, for as long as it is under it. One
 * that cannot have one (no room, no rights, no cgroup of version 2) is seen by regular ticks only;
 * it is not tried again before its limit has been lifted.
 */
#include "agent/source/psi_domain.h"

#include "agent/log.h"
#include "agent/source/psi_trigger.h"

/* About what policy lets a domain wait as it is shipped: who is over its bound is seen at once. */
#define PERCENT 1

typedef struct {
    uint64_t key;        /* of the start; first: the table's key points to it */
    PsiDomains *domains; /* borrowed */
    PsiTrigger *trigger; /* owned; NULL: it could not be set, or its cgroup is gone */
    uint64_t round;      /* in which it was last found under a limit */
} Watched;

static void
drop_trigger(Watched *watched)
{
    if (!watched->trigger)
        return;
    g_clear_pointer(&watched->trigger, psi_trigger_free);
    watched->domains->triggers--;
}

static void
watched_free(gpointer data)
{
    drop_trigger(data);
    g_free(data);
}

void
psi_domains_init(PsiDomains *domains, PsiDomainFired fired, gpointer user)
{
    *domains = (PsiDomains){ .fired = fired, .user = user };
    domains->by_key = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, watched_free);
}

void
psi_domains_done(PsiDomains *domains)
{
    g_clear_pointer(&domains->by_key, g_hash_table_destroy);
}

static void
on_fired(PsiKind kind, bool is_gone, gpointer data)
{
    Watched *watched = data;
    PsiDomains *domains = watched->domains;

    (void)kind;
    if (is_gone)
        drop_trigger(watched);
    else
        domains->fired(domains->user); /* the decision that follows may free it */
}

static void
watch(PsiDomains *domains, const Domain *domain)
{
    PsiFile file = { domain->cgroup.dir_fd, "memory.pressure", PSI_SOME, PERCENT };
    Watched *watched = g_new(Watched, 1);
    g_autoptr(GError) error = NULL;

    *watched = (Watched){ .key = domain->key, .domains = domains, .round = domains->round };
    g_hash_table_add(domains->by_key, watched);
    if (domains->triggers >= PSI_DOMAINS_MAX || domain->cgroup.version != CGROUP_V2)
        return;
    watched->trigger = psi_trigger_new(&file, on_fired, watched, &error);
    if (watched->trigger)
        domains->triggers++;
    else
        log_debug("%s: not told when it waits for memory: %s", domain->name, error->message);
}

/* Return: domains under a limit that are not watched yet; the caller frees it. */
static GPtrArray *
mark_limited(PsiDomains *domains, const GPtrArray *all)
{
    GPtrArray *new = g_ptr_array_new();

    for (guint i = 0; i < all->len; i++) {
        Domain *domain = g_ptr_array_index(all, i);
        Watched *watched = g_hash_table_lookup(domains->by_key, &domain->key);

        if (domain->plan.lease_us == 0 || !domain->plan.high_apply)
            continue;
        if (watched)
            watched->round = domains->round;
        else
            g_ptr_array_add(new, domain);
    }
    return new;
}

static gboolean
is_over(gpointer key, gpointer value, gpointer data)
{
    (void)key;
    return ((const Watched *)value)->round != ((const PsiDomains *)data)->round;
}

void
psi_domains_follow(PsiDomains *domains, const GPtrArray *all)
{
    g_autoptr(GPtrArray) new = NULL;

    domains->round++;
    new = mark_limited(domains, all);
    g_hash_table_foreach_remove(domains->by_key, is_over, domains); /* first, to make room */
    for (guint i = 0; i < new->len; i++)
        watch(domains, g_ptr_array_index(new, i));
}

guint
psi_domains_unwatched(const PsiDomains *domains)
{
    return g_hash_table_size(domains->by_key) - domains->triggers;
}
