/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_address.c - the socket is opened here and not by the HTTP library, which can only say
 * that it could not
 */
#define _GNU_SOURCE
#include "agent/report/metrics_address.h"
#include "agent/error.h"

#include <errno.h>
#include <gio/gio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 64

bool
metrics_address_is_off(const char *text)
{
    return g_str_equal(text, "off");
}

/* NULL: not an address with a port. */
static GSocketAddress *
parse(const char *text)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = colon ? g_strndup(text, (gsize)(colon - text)) : NULL;
    g_autoptr(GInetAddress) address = NULL;
    size_t length = host ? strlen(host) : 0;
    guint64 port;

    if (!host || !g_ascii_string_to_unsigned(colon + 1, 10, 1, G_MAXUINT16, &port, NULL))
        return NULL;
    if (length > 1 && host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        address = g_inet_address_new_from_string(host + 1);
    } else if (!strchr(host, ':')) {
        address = g_inet_address_new_from_string(host);
    }
    return address ? g_inet_socket_address_new(address, (guint16)port) : NULL;
}

bool
metrics_address_check(const char *text, GError **error)
{
    g_autoptr(GSocketAddress) address = metrics_address_is_off(text) ? NULL : parse(text);

    if (address || metrics_address_is_off(text))
        return true;
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF,
                "[metrics] listen = %s: expected a numeric address and a port, such as "
                "127.0.0.1:9876 or [::1]:9876, or off",
                text);
    return false;
}

static bool
bind_and_listen(int fd, GSocketAddress *address)
{
    static const int on = 1;
    struct sockaddr_storage storage;
    gssize size = g_socket_address_get_native_size(address);

    if (!g_socket_address_to_native(address, &storage, sizeof(storage), NULL)) {
        errno = EAFNOSUPPORT;
        return false;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (storage.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    return bind(fd, (const struct sockaddr *)&storage, (socklen_t)size) == 0 &&
           listen(fd, BACKLOG) == 0;
}

bool
metrics_address_listen(const char *text, int *ret_fd, GError **error)
{
    g_autoptr(GSocketAddress) address = parse(text);
    int failure;
    int fd;

    g_assert(address);
    fd = socket(g_socket_address_get_family(address) == G_SOCKET_FAMILY_IPV6 ? AF_INET6 : AF_INET,
                SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind_and_listen(fd, address)) {
        *ret_fd = fd; /* the caller owns it from here */
        return true;
    }
    failure = errno;
    if (fd >= 0)
        close(fd);
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_RUNTIME, "cannot listen at %s: %s", text,
                failure == EADDRINUSE ? "another program listens there, see [metrics] listen"
                                      : g_strerror(failure));
    return false;
}
