/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_definition.h - definitions of domains on their way into the table, and back to libvirt */
#ifndef AGENT_SOURCE_LIBVIRT_DEFINITION_H
#define AGENT_SOURCE_LIBVIRT_DEFINITION_H

#include "agent/source/source.h"
#include "agent/virt/ask.h"

/**
 * libvirt_definition_take() - a definition has come, or could not be had
 * @uuid:  borrowed
 * @xml:   ownership passes; NULL with @error
 * @error: borrowed
 * @data:  the Agent; its domain gets the definition if it is still there
 *
 * The shape of AskedXml. A tick is wanted then, as it may change what is decided.
 */
void libvirt_definition_take(const char *uuid, DomainXml *xml, const GError *error, gpointer data);

/**
 * libvirt_definition_ask() - have a domain's definition read
 * @conn: NULL: libvirt is not used
 *
 * Until libvirt has answered, libvirt_definition_ask_again() asks again.
 * Return: whether it is asked now; also false for a domain that is not in the table.
 */
bool libvirt_definition_ask(Agent *agent, VirtConn *conn, const char *uuid);

/**
 * libvirt_definition_ask_again() - ask for the definitions that are missing, each more seldom
 * @conn: NULL: libvirt is not used
 *
 * Those are the ones that libvirt could not be asked for when they were wanted, or did not give,
 * and of domains that only the hook has told of.
 */
void libvirt_definition_ask_again(Agent *agent, VirtConn *conn);

/**
 * libvirt_definition_set() - as libvirt_source_set(), over a connection
 * @conn: NULL: libvirt is not used
 */
bool libvirt_definition_set(Agent *agent, VirtConn *conn, const SetOrder *order, GError **error);

#endif
