/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* message.h - optional fields of protobuf-c's messages, for those who fill them in */
#ifndef AGENT_MESSAGE_H
#define AGENT_MESSAGE_H

#include "policy/arith.h"

#include <stdint.h>

/* Set a field that always has a value. */
#define MESSAGE_SET(message, field, value)                                                         \
    do {                                                                                           \
        (message)->has_##field = 1;                                                                \
        (message)->field = (value);                                                                \
    } while (0)

/* Set a field that is absent when the value is VALUE_UNKNOWN. */
#define MESSAGE_SET_KNOWN(message, field, value)                                                   \
    do {                                                                                           \
        uint64_t set_known_value = (value);                                                        \
                                                                                                   \
        (message)->has_##field = is_known(set_known_value);                                        \
        (message)->field = (message)->has_##field ? set_known_value : 0;                           \
    } while (0)

#endif
