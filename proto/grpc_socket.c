/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_socket.c - UNIX stream sockets: listen at a path, connect to one, know the peer
 *
 * A socket file outlives the process that made it, so at start there may be one at our path. Who
 * is behind it is found by connecting: a refusal means nobody, and only then is the file removed.
 * Anything that is not a socket stays, and a symbolic link is never followed: lstat decides, and
 * later steps work on the inode that was opened (O_PATH | O_NOFOLLOW), not on the name again.
 */
#define _GNU_SOURCE
#include "proto/grpc_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Connections that wait for accept: one loop turn of ours is short, a storm needs a few. */
#define BACKLOG 128
/* A daemon that starts holds the lock for well under a millisecond. Whoever holds it for half a
 * second is none, and shall not keep us from starting: everybody who may read the directory can
 * lock it. */
#define LOCK_TRIES   10
#define LOCK_WAIT_US (50 * 1000)

static bool
fail(GError **error, const char *what, const char *path)
{
    int code = errno;

    g_set_error(error, G_IO_ERROR, (int)g_io_error_from_errno(code), "%s %s: %s", what, path,
                g_strerror(code));
    return false;
}

static bool
set_address(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    return g_strlcpy(address->sun_path, path, sizeof(address->sun_path)) <
           sizeof(address->sun_path);
}

/* Whether a process listens there; one whose backlog is full (EAGAIN) is alive all the same. */
static bool
is_answered(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answered;

    if (fd < 0)
        return true;
    answered = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
               (errno != ECONNREFUSED && errno != ENOENT);
    close(fd);
    return answered;
}

static bool
clear_the_way(const struct sockaddr_un *address, GError **error)
{
    const char *path = address->sun_path;
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? true : fail(error, "cannot look at", path);
    if (!S_ISSOCK(st.st_mode)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_EXISTS,
                    "%s exists and is not a socket; it is left alone", path);
        return false;
    }
    if (is_answered(address)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE,
                    "%s is in use by a running process", path);
        return false;
    }
    if (unlink(path) < 0 && errno != ENOENT)
        return fail(error, "cannot remove left-over socket", path);
    return true;
}

/*
 * The inode is opened once and then named by its descriptor, so a swapped path changes nothing. A
 * group that is right already is left alone: a service may be without the right to give files away.
 */
static bool
set_owner_and_mode(int inode_fd, gid_t is, const GrpcListen *where, GError **error)
{
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", inode_fd);

    if (where->gid != (gid_t)-1 && where->gid != is &&
        fchownat(inode_fd, "", (uid_t)-1, where->gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
        return fail(error, "cannot set the group of", where->path);
    if (chmod(link, where->mode) < 0)
        return fail(error, "cannot set the permissions of", where->path);
    return true;
}

static bool
settle_file(const GrpcListen *where, GrpcSocket *made, GError **error)
{
    struct stat st;

    made->inode_fd = open(where->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (made->inode_fd < 0)
        return fail(error, "cannot open", where->path);
    if (fstat(made->inode_fd, &st) < 0 || !S_ISSOCK(st.st_mode)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_EXISTS, "%s was replaced by another file",
                    where->path);
        return false;
    }
    made->path = g_strdup(where->path);
    return set_owner_and_mode(made->inode_fd, st.st_gid, where, error);
}

static bool
bind_and_listen(const GrpcListen *where, const struct sockaddr_un *address, GrpcSocket *made,
                GError **error)
{
    made->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made->fd < 0)
        return fail(error, "cannot make a socket for", where->path);
    /* The mode of the socket's inode limits the mode of the file that bind() makes. */
    if (fchmod(made->fd, where->mode & 0600) < 0)
        return fail(error, "cannot set the permissions of", where->path);
    if (bind(made->fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return fail(error, "cannot bind to", where->path);
    if (!settle_file(where, made, error))
        return false;
    if (listen(made->fd, BACKLOG) < 0)
        return fail(error, "cannot listen on", where->path);
    return true;
}

static int
lock_directory(const char *path, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        fail(error, "cannot open", directory);
        return -1;
    }
    for (int i = 0; i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) < 0; i++)
        g_usleep(LOCK_WAIT_US);
    return fd;
}

bool
grpc_socket_listen(const GrpcListen *where, GrpcSocket *ret_socket, GError **error)
{
    GrpcSocket made = { -1, -1, NULL };
    struct sockaddr_un address;
    int lock_fd;
    bool ok;

    if (!set_address(&address, where->path)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG,
                    "%s is too long for a socket (%zu bytes at most)", where->path,
                    sizeof(address.sun_path) - 1);
        return false;
    }
    lock_fd = lock_directory(where->path, error);
    if (lock_fd < 0)
        return false;
    ok = clear_the_way(&address, error) && bind_and_listen(where, &address, &made, error);
    if (ok)
        *ret_socket = made; /* the caller owns descriptor and path from here */
    else
        grpc_socket_close(&made);
    close(lock_fd);
    return ok;
}

/* Inode numbers are used again soon after a file is gone, hence the one we hold on to. */
static bool
is_still_ours(const GrpcSocket *socket)
{
    struct stat ours, theirs;

    return fstat(socket->inode_fd, &ours) == 0 && lstat(socket->path, &theirs) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

void
grpc_socket_close(GrpcSocket *socket)
{
    if (socket->fd >= 0)
        close(socket->fd);
    if (socket->path && is_still_ours(socket))
        unlink(socket->path);
    if (socket->inode_fd >= 0)
        close(socket->inode_fd);
    g_free(socket->path);
    *socket = (GrpcSocket){ -1, -1, NULL };
}

static int
connect_failed(int fd, const char *path, GError **error)
{
    int code = errno;
    GrpcStatus status = GRPC_STATUS_UNAVAILABLE;
    const char *text = g_strerror(code);

    if (code == ECONNREFUSED || code == ENOENT)
        text = "no daemon is listening there";
    if (code == EACCES || code == EPERM)
        status = GRPC_STATUS_PERMISSION_DENIED;
    if (code == EAGAIN) {
        status = GRPC_STATUS_DEADLINE_EXCEEDED;
        text = "the daemon does not accept connections";
    }
    g_set_error(error, GRPC_ERROR, (int)status, "cannot connect to %s: %s", path, text);
    if (fd >= 0)
        close(fd);
    return -1;
}

int
grpc_socket_connect(const char *path, unsigned timeout_ms, GError **error)
{
    /* The send timeout also bounds how long connect() waits: socket(7), SO_SNDTIMEO. */
    struct timeval wait = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
    struct sockaddr_un address;
    int fd = -1;

    if (!set_address(&address, path)) {
        errno = ENAMETOOLONG;
        return connect_failed(fd, path, error);
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return connect_failed(fd, path, error);
    return fd;
}

/* Groups are a help for the access decision; a kernel that cannot tell them (before 4.13) is no
 * failure, the peer merely has none. */
static void
read_groups(int fd, GrpcPeer *peer)
{
    socklen_t len = 0;
    gid_t *groups;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
        return;
    groups = g_malloc(len);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0) {
        g_free(groups);
        return;
    }
    peer->groups = groups;
    peer->n_groups = len / sizeof(gid_t);
}

bool
grpc_socket_peer(int fd, GrpcPeer *ret_peer, GError **error)
{
    struct ucred credentials;
    socklen_t len = sizeof(credentials);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) < 0)
        return fail(error, "cannot tell the peer of", "a connection");
    *ret_peer = (GrpcPeer){
        .pid = credentials.pid,
        .uid = credentials.uid,
        .gid = credentials.gid,
        .listener = "",
    };
    read_groups(fd, ret_peer);
    return true;
}

bool
grpc_peer_has_group(const GrpcPeer *peer, gid_t gid)
{
    if (peer->gid == gid)
        return true;
    for (size_t i = 0; i < peer->n_groups; i++) {
        if (peer->groups[i] == gid)
            return true;
    }
    return false;
}
