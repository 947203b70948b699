/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics_http_absent_test.c - a build without libmicrohttpd serves nothing, and says so */
#include "agent/report/metrics_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void
a_server_is_refused_and_the_library_named(void **unused)
{
    g_autoptr(GError) error = NULL;
    (void)unused;

    assert_null(metrics_http_new(-1, &error));
    assert_non_null(strstr(error->message, "without libmicrohttpd"));
}

static void
pages_for_nobody_are_given_back(void **unused)
{
    MetricsPage *page = metrics_page_new();
    (void)unused;

    metrics_http_publish(NULL, page); /* not freed, a sanitizer would tell */
    assert_int_equal(metrics_http_counts(NULL).scrapes, 0);
    metrics_http_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_is_refused_and_the_library_named),
        cmocka_unit_test(pages_for_nobody_are_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
