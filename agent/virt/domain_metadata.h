/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_metadata.h - the text of a domain's metadata for us, with other settings in it */
#ifndef AGENT_VIRT_DOMAIN_METADATA_H
#define AGENT_VIRT_DOMAIN_METADATA_H

#include <glib.h>
#include <stdbool.h>

/* Name of the element that libvirt keeps for our namespace, and of the prefix it is written with.
 */
#define DOMAIN_METADATA_ELEMENT "policy"
#define DOMAIN_METADATA_KEY     "virtksm"

/**
 * domain_metadata_edit() - settings as they are to be written
 * @text:     the element as virDomainGetMetadata() gave it; NULL: there is none
 * @settings: "balloon.floor=512", NULL-terminated; nothing behind the '=' takes the setting out.
 *            domain_metadata_check() has accepted each
 * @ret_text: for virDomainSetMetadata(), owned by the caller; NULL: nothing is left to be kept
 * @error:    DOMAIN_XML_ERROR; never repeats the tenant's text
 *
 * Whatever else stands in the element, also what we do not understand, stays as it is. An element
 * of ours that has nothing left in it goes.
 */
bool domain_metadata_edit(const char *text, const char *const *settings, char **ret_text,
                          GError **error);

/**
 * domain_metadata_check() - whether settings can be written
 * @settings: from a client, NULL-terminated
 * @error:    DOMAIN_XML_ERROR_CONTENT: none was given, or names the first that is wrong
 */
bool domain_metadata_check(const char *const *settings, GError **error);

#endif
