/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* descriptors.h - the .proto files of this folder as data, for server reflection */
#ifndef PROTO_DESCRIPTORS_H
#define PROTO_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

/**
 * proto_descriptors() - every .proto file of this folder, and what they import
 * @ret_bytes: number of bytes
 *
 * Return: a packed google.protobuf.FileDescriptorSet, files after those that they import; static
 */
const uint8_t *proto_descriptors(size_t *ret_bytes);

#endif
