/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set.h - the working set of a domain as a message */
#ifndef AGENT_RPC_WORKING_SET_H
#define AGENT_RPC_WORKING_SET_H

#include "agent/rpc/method.h"

/**
 * working_set_message() - what is known of a domain's working set
 * @enabled: whether working sets are measured at all
 *
 * Return: for protobuf_c_message_free_unpacked(), or part of a message for it.
 */
Virtksm__V1__WorkingSet *working_set_message(const Domain *domain, bool enabled);

#endif
