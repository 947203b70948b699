/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history_absent_test.c - whoever wants a history of a build without SQLite is told why not */
#include "agent/report/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static bool
do_open(GError **error)
{
    return history_open(history_new("/nowhere"), error);
}

static bool
do_write(GError **error)
{
    return history_write(NULL, NULL, NULL, error);
}

static bool
do_prune(GError **error)
{
    return history_prune(NULL, NULL, 0, error);
}

static bool
do_query(GError **error)
{
    g_autoptr(HistoryAnswer) answer = NULL;

    return history_query(NULL, NULL, &answer, error) || answer;
}

static void
every_call_fails_and_names_what_is_missing(void **unused)
{
    static const struct {
        const char *when;
        bool (*call)(GError **error);
    } rows[] = {
        { "open", do_open },
        { "write", do_write },
        { "prune", do_prune },
        { "query", do_query },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        if (rows[i].call(&error) || !error || !strstr(error->message, "without SQLite"))
            fail_msg("%s: %s", rows[i].when, error ? error->message : "works");
    }
}

static void
nothing_is_on_the_disk_and_nothing_to_tell(void **unused)
{
    History *history = history_new("/nowhere");
    (void)unused;

    assert_int_equal(history_size_bytes(history), 0);
    assert_null(history_take_note(history));
    history_free(history);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_fails_and_names_what_is_missing),
        cmocka_unit_test(nothing_is_on_the_disk_and_nothing_to_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
