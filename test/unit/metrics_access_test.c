/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_access_test.c - who is at the other end of a connection, and what he may see
 *
 * A socket belongs to who its thread was for files when it made it, so root can make one of
 * anybody's.
 */
#define _GNU_SOURCE
#include "agent/report/metrics_access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/machine.h"

/* User and group that every Debian has: nobody's only group is nogroup. */
#define NOBODY  65534
#define NOGROUP "nogroup"

/* A connection over loopback. */
typedef struct {
    int listener; /* owned */
    int client;   /* owned; -1: closed */
    int server;   /* owned; the end that is asked about */
} Connection;

static void
connect_as(uid_t uid, int family, Connection *connection)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_in *in = (struct sockaddr_in *)(gpointer)&address;
    socklen_t size = sizeof(address);

    if (family == AF_INET) {
        *in = (struct sockaddr_in){ .sin_family = AF_INET };
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        size = sizeof(*in);
    }
    connection->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(connection->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(connection->listener, 1), 0);
    getsockname(connection->listener, (struct sockaddr *)&address, &size);
    setfsuid(uid);
    connection->client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setfsuid(geteuid());
    assert_int_equal(connect(connection->client, (struct sockaddr *)&address, size), 0);
    connection->server = accept(connection->listener, NULL, NULL);
    assert_true(connection->server >= 0);
}

static void
disconnect(Connection *connection)
{
    close(connection->listener);
    close(connection->server);
    if (connection->client >= 0)
        close(connection->client);
}

static void
who_asks_is_told_by_the_kernel(void **unused)
{
    static const struct {
        const char *when;
        uid_t uid;
        Who limit;
        const char *group;
        bool may;
    } rows[] = {
        { "root, for root", 0, WHO_ROOT, NOGROUP, true },
        { "root, for the group", 0, WHO_GROUP, "root", true },
        { "nobody, for root", NOBODY, WHO_ROOT, NOGROUP, false },
        { "nobody, for his group", NOBODY, WHO_GROUP, NOGROUP, true },
        { "nobody, for another group", NOBODY, WHO_GROUP, "root", false },
        { "nobody, for a group that is not there", NOBODY, WHO_GROUP, "no-such-group", false },
        { "nobody, for all", NOBODY, WHO_ALL, "root", true },
        { "a user without a name, for the group", 54321, WHO_GROUP, NOGROUP, false },
    };
    static const int families[] = { AF_INET, AF_INET6 };
    (void)unused;

    if (geteuid() != 0)
        skip_because_machine("only root can make sockets of others");
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(rows); i++) {
        size_t row = i / 2;
        Connection connection;

        connect_as(rows[row].uid, families[i % 2], &connection);
        if (metrics_access_check(connection.server, rows[row].limit, rows[row].group) !=
            rows[row].may)
            fail_msg("%s, family %d: %d", rows[row].when, families[i % 2], !rows[row].may);
        disconnect(&connection);
    }
}

static void
the_agents_own_user_may_see_everything(void **unused)
{
    Connection connection;
    (void)unused;

    connect_as(geteuid(), AF_INET, &connection);
    assert_true(metrics_access_check(connection.server, WHO_ROOT, "no-such-group"));
    disconnect(&connection);
}

/* The kernel says of such an end that it is root's. */
static void
an_end_that_is_closed_is_nobodys(void **unused)
{
    Connection connection;
    (void)unused;

    connect_as(geteuid(), AF_INET, &connection);
    close(connection.client);
    connection.client = -1;
    assert_false(metrics_access_check(connection.server, WHO_ROOT, NOGROUP));
    assert_true(metrics_access_check(connection.server, WHO_ALL, NOGROUP));
    disconnect(&connection);
}

static void
what_is_no_tcp_connection_is_nobodys(void **unused)
{
    int ends[2];
    (void)unused;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_false(metrics_access_check(ends[0], WHO_GROUP, NOGROUP));
    close(ends[0]);
    close(ends[1]);
    assert_false(metrics_access_check(-1, WHO_GROUP, NOGROUP));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_is_told_by_the_kernel),
        cmocka_unit_test(the_agents_own_user_may_see_everything),
        cmocka_unit_test(an_end_that_is_closed_is_nobodys),
        cmocka_unit_test(what_is_no_tcp_connection_is_nobodys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
