/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_socket.h - UNIX stream sockets: listen at a path, connect to one, know the peer
 */
#ifndef PROTO_GRPC_SOCKET_H
#define PROTO_GRPC_SOCKET_H

#include "proto/grpc_server.h"

#include <sys/stat.h>

/* A listening socket and the file that stands for it. */
typedef struct {
    int fd;       /* owned; listening; -1 when closed */
    int inode_fd; /* owned; O_PATH on the file we made: pins its inode number; -1 when closed */
    char *path;   /* owned; of the socket file; NULL when closed */
} GrpcSocket;

/**
 * grpc_socket_listen() - make a listening socket at a path
 * @where:      path, permissions and group
 * @ret_socket: owned by the caller, end with grpc_socket_close()
 * @error:      G_IO_ERROR. ADDRESS_IN_USE: a live process answers at the path. EXISTS: what is at
 *              the path is no socket, a symbolic link for instance; it is left alone.
 *              FILENAME_TOO_LONG: over the 107 bytes of a socket address. Others: as errno says.
 *
 * A socket at the path that refuses connections is left over by a dead process and is replaced.
 * The directory is locked (flock) meanwhile, so that two daemons that start together cannot both
 * take it; half a second is waited for the lock, then it goes on without. The file never has more
 * permissions than asked for, not even while being made.
 *
 * Source: unix(7), "Pathname socket ownership and permissions"; connect(2): ECONNREFUSED
 */
bool grpc_socket_listen(const GrpcListen *where, GrpcSocket *ret_socket, GError **error);

/**
 * grpc_socket_close() - stop listening, and remove the socket file if it is still the one we made
 * @socket: reset to "closed"; may be closed already
 */
void grpc_socket_close(GrpcSocket *socket);

/**
 * grpc_socket_connect() - connect to a listening socket
 * @path:       of the socket file
 * @timeout_ms: longest wait for room in the server's backlog; 0 waits without limit
 * @error:      GRPC_ERROR, UNAVAILABLE with a text that names the socket; DEADLINE_EXCEEDED;
 *              PERMISSION_DENIED
 *
 * Return: a non-blocking socket, owned by the caller; -1 on failure
 */
int grpc_socket_connect(const char *path, unsigned timeout_ms, GError **error);

/**
 * grpc_socket_peer() - ask the kernel who is at the other end
 * @fd:       connected UNIX socket
 * @ret_peer: pid, uid, gid and groups are set, the rest is cleared; @groups is the caller's
 * @error:    G_IO_ERROR
 */
bool grpc_socket_peer(int fd, GrpcPeer *ret_peer, GError **error);

#endif
