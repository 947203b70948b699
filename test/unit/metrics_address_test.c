/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics_address_test.c - what [metrics] listen may be, and what is said of the rest */
#define _GNU_SOURCE
#include "agent/error.h"
#include "agent/report/metrics_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void
an_address_is_numeric_and_has_a_port(void **unused)
{
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        { "127.0.0.1:9876", true },
        { "0.0.0.0:1", true },
        { "[::1]:9876", true },
        { "[::]:65535", true },
        { "off", true },
        { "", false },
        { "on", false },
        { "9876", false },
        { ":9876", false },
        { "127.0.0.1", false },
        { "127.0.0.1:", false },
        { "127.0.0.1:0", false },
        { "127.0.0.1:65536", false },
        { "127.0.0.1:x", false },
        { "127.0.0.1:-1", false },
        { "::1:9876", false },
        { "[::1]", false },
        { "[]:1", false },
        { "localhost:9876", false },
        { "300.0.0.1:1", false },
        { "/run/metrics:1", false },
        { "127.0.0.1: 1", false },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        bool valid = metrics_address_check(rows[i].text, &error);

        if (valid != rows[i].valid)
            fail_msg("%s: %s", rows[i].text, valid ? "taken" : error->message);
        if (!valid && (!g_error_matches(error, AGENT_ERROR, AGENT_ERROR_CONF) ||
                       !strstr(error->message, "[metrics] listen = ")))
            fail_msg("%s: %s", rows[i].text, error->message);
    }
}

static int
port_of(int fd)
{
    struct sockaddr_in address = { 0 };
    socklen_t size = sizeof(address);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

static void
an_address_in_use_is_named_in_the_error(void **unused)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    int fd = -1;
    (void)unused;

    assert_int_equal(bind(other, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(listen(other, 1), 0);
    text = g_strdup_printf("127.0.0.1:%d", port_of(other));
    assert_false(metrics_address_listen(text, &fd, &error));
    assert_int_equal(fd, -1);
    assert_non_null(strstr(error->message, text));
    assert_non_null(strstr(error->message, "another program listens there"));

    close(other);
    assert_true(metrics_address_listen(text, &fd, NULL));
    assert_int_equal(port_of(fd), strtol(strrchr(text, ':') + 1, NULL, 10));
    close(fd);
}

static void
an_address_that_is_not_of_this_host_is_an_error(void **unused)
{
    g_autoptr(GError) error = NULL;
    int fd = -1;
    (void)unused;

    assert_false(metrics_address_listen("192.0.2.1:9876", &fd, &error));
    assert_true(g_error_matches(error, AGENT_ERROR, AGENT_ERROR_RUNTIME));
    assert_non_null(strstr(error->message, "192.0.2.1:9876"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_numeric_and_has_a_port),
        cmocka_unit_test(an_address_in_use_is_named_in_the_error),
        cmocka_unit_test(an_address_that_is_not_of_this_host_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
