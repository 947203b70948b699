/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* figures.h - all that is known of one domain, line by line with what it means */
#ifndef AGENT_CLI_FIGURES_H
#define AGENT_CLI_FIGURES_H

#include "agent/report/figure.h"

#include <glib.h>
#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

/**
 * figures_append() - a line for each figure: name, value, definition
 * @out:       appended to; at most 100 columns wide
 * @scope:     of whom the message tells
 * @message:   DomainReport or HostReport
 * @page_size: bytes; 0: not known
 *
 * Amounts in pages are shown with what they are in bytes. What is not known is "-".
 */
void figures_append(GString *out, FigureScope scope, const ProtobufCMessage *message,
                    uint64_t page_size);

#endif
