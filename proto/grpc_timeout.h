/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_timeout.h - the grpc-timeout header: up to eight digits and a unit
 *
 * Source: PROTOCOL-HTTP2.md, "Timeout"
 */
#ifndef PROTO_GRPC_TIMEOUT_H
#define PROTO_GRPC_TIMEOUT_H

#include <stdbool.h>
#include <stdint.h>

/* Eight digits, a unit, NUL. */
#define GRPC_TIMEOUT_TEXT_BYTES 10

/**
 * grpc_timeout_parse() - read a grpc-timeout header
 * @text:   e.g. "250m"; units H M S m u n
 * @ret_us: microseconds, part of one rounded up
 *
 * Return: false if @text is not of that form
 */
bool grpc_timeout_parse(const char *text, uint64_t *ret_us);

/**
 * grpc_timeout_format() - write a grpc-timeout header
 * @us:  microseconds; rounded up to the finest unit that eight digits can hold
 * @out: GRPC_TIMEOUT_TEXT_BYTES of room
 */
void grpc_timeout_format(uint64_t us, char *out);

#endif
