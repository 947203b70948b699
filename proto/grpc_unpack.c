/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_unpack.c - decode a message from a stranger within a bound of memory
 */
#include "proto/grpc_unpack.h"

#include <stdlib.h>

/* What malloc adds to each block: without it, a million empty blocks would count as nothing. */
#define BLOCK_OVERHEAD_BYTES 16

static void *
bounded_alloc(void *data, size_t bytes)
{
    GrpcUnpackMemory *memory = data;

    if (bytes > SIZE_MAX - BLOCK_OVERHEAD_BYTES ||
        bytes + BLOCK_OVERHEAD_BYTES > memory->left_bytes) {
        memory->is_over = true;
        return NULL;
    }
    memory->left_bytes -= bytes + BLOCK_OVERHEAD_BYTES;
    return malloc(bytes);
}

static void
bounded_free(void *data, void *block)
{
    (void)data;
    free(block);
}

GrpcUnpackResult
grpc_unpack(const ProtobufCMessageDescriptor *type, GrpcSlice packed, size_t bound_bytes,
            GrpcUnpacked *ret_unpacked)
{
    GrpcUnpackMemory *memory = &ret_unpacked->memory;

    *memory = (GrpcUnpackMemory){
        .base = { bounded_alloc, bounded_free, memory },
        .left_bytes = bound_bytes,
    };
    ret_unpacked->message = protobuf_c_message_unpack(type, &memory->base, packed.len, packed.data);
    if (ret_unpacked->message)
        return GRPC_UNPACK_DONE;
    return memory->is_over ? GRPC_UNPACK_TOO_BIG : GRPC_UNPACK_BAD;
}

void
grpc_unpack_free(GrpcUnpacked *unpacked)
{
    protobuf_c_message_free_unpacked(unpacked->message, &unpacked->memory.base);
    unpacked->message = NULL;
}
