/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt_starts.h - the starts that libvirt has told of, over all of its connections
 */
#ifndef AGENT_SOURCE_LIBVIRT_STARTS_H
#define AGENT_SOURCE_LIBVIRT_STARTS_H

#include <glib.h>
#include <stdbool.h>

typedef struct {
    GHashTable *numbers; /* owned; uuid -> number of the start that this connection told;
                            DOMAIN_ID_UNKNOWN: an earlier connection did */
} LibvirtStarts;

/** libvirt_starts_init() - none yet; libvirt_starts_done() it */
void libvirt_starts_init(LibvirtStarts *starts);

/** libvirt_starts_done() - forget them; leaves @starts reusable */
void libvirt_starts_done(LibvirtStarts *starts);

/** libvirt_starts_begin() - this connection tells of start number @id of @uuid, which is copied */
void libvirt_starts_begin(LibvirtStarts *starts, const char *uuid, int id);

/** libvirt_starts_number() - of the present start; DOMAIN_ID_UNKNOWN */
int libvirt_starts_number(const LibvirtStarts *starts, const char *uuid);

/** libvirt_starts_end() - it has ended; returns its number, DOMAIN_ID_UNKNOWN */
int libvirt_starts_end(LibvirtStarts *starts, const char *uuid);

/**
 * libvirt_starts_has_told() - whether this connection has told of a start of @uuid
 *
 * A list of what runs, made while callbacks come already, knows less than they do.
 */
bool libvirt_starts_has_told(const LibvirtStarts *starts, const char *uuid);

/** libvirt_starts_disconnect() - what was told is from an earlier connection from now on */
void libvirt_starts_disconnect(LibvirtStarts *starts);

/**
 * libvirt_starts_untold() - what earlier connections have told and this one has not
 *
 * Return: array of uuids, owned by the caller.
 */
GPtrArray *libvirt_starts_untold(const LibvirtStarts *starts);

#endif
