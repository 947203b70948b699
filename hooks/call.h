/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call.h - one call of libvirt's hook as one datagram
 */
#ifndef HOOKS_CALL_H
#define HOOKS_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest definition that is sent. libvirt's are 5 to 50 KiB; a datagram may have 200 KiB
 * (net.core.wmem_default). */
#define CALL_XML_MAX_BYTES ((size_t)128 * 1024)
/* An argument that is longer is left out. libvirt's names are names of files. */
#define CALL_ARGUMENT_MAX_BYTES ((size_t)512)
/* Room for any datagram. */
#define CALL_MAX_BYTES (CALL_XML_MAX_BYTES + 4096)

/* What libvirt gave to the hook. */
typedef struct {
    const char *const *arguments; /* borrowed; as the hook's, NULL behind the last */
    const char *xml;              /* borrowed; what came on standard input, or its beginning */
    size_t length;                /* bytes of xml; at most CALL_XML_MAX_BYTES */
    bool incomplete;              /* there is more: it was too long, or did not come in time */
} Call;

/**
 * call_pack() - the datagram for a call
 * @call:       what libvirt gave
 * @with_xml:   send the definition, if it is complete
 * @ret_packed: HookCall of proto/hook.proto; CALL_MAX_BYTES of room
 *
 * Finds uuid and number of the start in the definition by looking at its text: it is libvirt that
 * has formatted it, with both before anything that a user may write. Allocates nothing.
 *
 * Source: libvirt docs/hooks, "Script arguments"; virDomainDefFormatInternalSetRootName() writes
 * the attribute id, name and uuid first (seen with 9.0)
 * Return: bytes of the datagram; 0: the arguments are not those of a hook.
 */
size_t call_pack(const Call *call, bool with_xml, uint8_t *ret_packed);

#endif
