/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_unpack.h - decode a message from a stranger within a bound of memory
 */
#ifndef PROTO_GRPC_UNPACK_H
#define PROTO_GRPC_UNPACK_H

#include "proto/grpc.h"
#include "proto/grpc_frame.h"

/* Counts what decoding one message allocates. */
typedef struct {
    ProtobufCAllocator base; /* what protobuf-c sees */
    size_t left_bytes;       /* of the bound */
    bool is_over;            /* an allocation was refused */
} GrpcUnpackMemory;

/* A decoded message and the memory it came from; stays where it is. */
typedef struct {
    ProtobufCMessage *message; /* owned */
    GrpcUnpackMemory memory;   /* of @message */
} GrpcUnpacked;

typedef enum {
    GRPC_UNPACK_DONE,    /* there is a message */
    GRPC_UNPACK_BAD,     /* the bytes are no such message */
    GRPC_UNPACK_TOO_BIG, /* decoding would take more than the bound */
} GrpcUnpackResult;

/**
 * grpc_unpack() - decode a message
 * @type:         of the message
 * @packed:       its bytes
 * @bound_bytes:  most that decoding may allocate
 * @ret_unpacked: set for GRPC_UNPACK_DONE; end with grpc_unpack_free(). Do not copy the struct.
 *
 * A few bytes on the wire can stand for much memory: each unknown field of two bytes becomes two
 * allocations. Hence the bound, which the message limit alone does not give.
 */
GrpcUnpackResult grpc_unpack(const ProtobufCMessageDescriptor *type, GrpcSlice packed,
                             size_t bound_bytes, GrpcUnpacked *ret_unpacked);

/**
 * grpc_unpack_free() - drop a decoded message
 */
void grpc_unpack_free(GrpcUnpacked *unpacked);

#endif
