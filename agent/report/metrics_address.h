/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics_address.h - where the metrics are: from text to a listening socket */
#ifndef AGENT_REPORT_METRICS_ADDRESS_H
#define AGENT_REPORT_METRICS_ADDRESS_H

#include <glib.h>
#include <stdbool.h>

/** metrics_address_is_off() - whether [metrics] listen says that there are none */
bool metrics_address_is_off(const char *text);

/**
 * metrics_address_check() - whether [metrics] listen can be understood
 * @text:  "127.0.0.1:9876", "[::1]:9876" or "off"
 * @error: AGENT_ERROR_CONF naming the key, the value and what was expected
 */
bool metrics_address_check(const char *text, GError **error);

/**
 * metrics_address_listen() - a socket that listens there
 * @text:   checked, and not "off"
 * @ret_fd: for close(); written only on success
 * @error:  AGENT_ERROR_RUNTIME with the reason
 *
 * An address with :: takes IPv6 alone, so that a peer's address always tells whether it is local.
 */
bool metrics_address_listen(const char *text, int *ret_fd, GError **error);

#endif
