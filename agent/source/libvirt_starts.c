/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt_starts.c - the starts that libvirt has told of, over all of its connections
 *
 * When a domain has ended, libvirt has taken its number away before it tells. The number of each
 * start is kept here, so that the end names it: the news may come when another source has told of
 * the next start already. What is kept also says which domains are libvirt's: those of other
 * sources are not missed when libvirt does not list them.
 */
#include "agent/source/libvirt_starts.h"
#include "agent/domain.h"

void
libvirt_starts_init(LibvirtStarts *starts)
{
    starts->numbers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void
libvirt_starts_done(LibvirtStarts *starts)
{
    g_clear_pointer(&starts->numbers, g_hash_table_destroy);
}

void
libvirt_starts_begin(LibvirtStarts *starts, const char *uuid, int id)
{
    g_hash_table_replace(starts->numbers, g_strdup(uuid), GINT_TO_POINTER(id));
}

int
libvirt_starts_number(const LibvirtStarts *starts, const char *uuid)
{
    gpointer id;

    if (!g_hash_table_lookup_extended(starts->numbers, uuid, NULL, &id))
        return DOMAIN_ID_UNKNOWN;
    return GPOINTER_TO_INT(id);
}

int
libvirt_starts_end(LibvirtStarts *starts, const char *uuid)
{
    int id = libvirt_starts_number(starts, uuid);

    g_hash_table_remove(starts->numbers, uuid);
    return id;
}

bool
libvirt_starts_has_told(const LibvirtStarts *starts, const char *uuid)
{
    return libvirt_starts_number(starts, uuid) != DOMAIN_ID_UNKNOWN;
}

void
libvirt_starts_disconnect(LibvirtStarts *starts)
{
    GHashTableIter iter;

    g_hash_table_iter_init(&iter, starts->numbers);
    while (g_hash_table_iter_next(&iter, NULL, NULL))
        g_hash_table_iter_replace(&iter, GINT_TO_POINTER(DOMAIN_ID_UNKNOWN));
}

GPtrArray *
libvirt_starts_untold(const LibvirtStarts *starts)
{
    GPtrArray *uuids = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer uuid;
    gpointer id;

    g_hash_table_iter_init(&iter, starts->numbers);
    while (g_hash_table_iter_next(&iter, &uuid, &id))
        if (GPOINTER_TO_INT(id) == DOMAIN_ID_UNKNOWN)
            g_ptr_array_add(uuids, g_strdup(uuid));
    return uuids;
}
