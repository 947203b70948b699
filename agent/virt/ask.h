/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ask.h - what the agent asks of libvirt, answered later on the loop */
#ifndef AGENT_VIRT_ASK_H
#define AGENT_VIRT_ASK_H

#include "agent/virt/conn.h"
#include "agent/virt/domain_xml.h"

/* @stats: of VirtStats, borrowed; NULL when it failed. */
typedef void (*AskedStats)(const GArray *stats, gpointer user);

/* @uuid: borrowed; @xml: ownership passes, NULL with @error (borrowed) when it failed. */
typedef void (*AskedXml)(const char *uuid, DomainXml *xml, const GError *error, gpointer user);

/**
 * ask_stats() - figures of all domains
 * @job_uuids: set of uuids whose jobs are asked for, see virt_stats_read(); counted
 * @done:      called on the loop
 * @user:      for @done
 *
 * Return: whether the question could be asked; @done is called only then.
 */
bool ask_stats(VirtConn *conn, GHashTable *job_uuids, AskedStats done, gpointer user);

/**
 * ask_xml() - definition of a running domain
 * @uuid: copied
 * @done: called on the loop
 * @user: for @done
 *
 * Parsed in the worker as well: a tenant's megabytes of XML cost the loop nothing.
 * Return: whether the question could be asked; @done is called only then.
 */
bool ask_xml(VirtConn *conn, const char *uuid, AskedXml done, gpointer user);

/**
 * ask_definition() - what other jobs make of a domain's definition, in the worker
 * @domain: borrowed
 * @error:  as virt_set_error() and domain_xml_parse() say it
 *
 * Return: for ask_definition_free(); NULL with @error set. Blocks.
 */
DomainXml *ask_definition(virDomainPtr domain, GError **error);

/** ask_definition_free() - a DomainXml on the heap, with what it owns */
void ask_definition_free(gpointer xml);

#endif
