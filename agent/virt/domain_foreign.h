/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_foreign.h - what of a definition is none of our business, before an XML parser sees it */
#ifndef AGENT_VIRT_DOMAIN_FOREIGN_H
#define AGENT_VIRT_DOMAIN_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>

/* No element of libvirt's has more than twenty. */
#define DOMAIN_ATTRIBUTES_MAX 1024

/**
 * domain_foreign_blank() - blank out the metadata of others, and count what remains
 * @text:   a definition, @length bytes without NUL; changed in place
 * @length: stays as it is, and so do the lines
 *
 * Takes time in proportion to @length, whatever the text holds.
 *
 * Return: whether no tag that is left has more than DOMAIN_ATTRIBUTES_MAX attributes.
 */
bool domain_foreign_blank(char *text, size_t length);

#endif
