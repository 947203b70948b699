/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virt.h - libvirt's handles for g_autoptr, its errors for GError, its KiB for bytes */
#ifndef AGENT_VIRT_VIRT_H
#define AGENT_VIRT_VIRT_H

#include <glib.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdint.h>

typedef virConnect VirConnectHandle;
typedef virDomain VirDomainHandle;

static inline void
virt_conn_unref(virConnectPtr conn)
{
    virConnectClose(conn);
}

static inline void
virt_domain_unref(virDomainPtr domain)
{
    virDomainFree(domain);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VirConnectHandle, virt_conn_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VirDomainHandle, virt_domain_unref)

/* libvirt counts KiB; we count bytes. */
static inline uint64_t
bytes_from_kib(uint64_t kib)
{
    return kib > UINT64_MAX / 1024 ? UINT64_MAX : kib * 1024;
}

/**
 * virt_set_error() - libvirt's last error of this thread as a GError
 * @error: AGENT_ERROR_GONE when the domain does not exist (any more), else AGENT_ERROR_VIRT
 * @what:  what was tried: "cannot read the definition"
 */
void virt_set_error(GError **error, const char *what);

#endif
