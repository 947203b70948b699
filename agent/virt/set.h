/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* set.h - settings written into a domain's metadata, by libvirt */
#ifndef AGENT_VIRT_SET_H
#define AGENT_VIRT_SET_H

#include "agent/virt/ask.h"

/* What is to be written. */
typedef struct {
    const char *uuid;            /* of a running domain; copied */
    const char *const *settings; /* as for domain_metadata_edit(); copied */
    bool persist;                /* into its definition for the next start as well */
} VirtSettings;

/**
 * virt_set() - write settings into a domain's metadata
 * @order: what, and where
 * @done:  called on the loop; @xml is the definition after the change
 * @user:  for @done
 * @destroy: of @user, if @done is never called
 *
 * Whatever else stands there stays, and what cannot be read or changed is found out before
 * anything is written. A domain without a definition of its own cannot be changed for its next
 * start, which is an error.
 *
 * Source: libvirt's API reference, virDomainSetMetadata(); VIR_DOMAIN_AFFECT_CONFIG.
 * Return: whether libvirt could be asked; neither is called otherwise.
 */
bool virt_set(VirtConn *conn, const VirtSettings *order, AskedXml done, gpointer user,
              GDestroyNotify destroy);

#endif
