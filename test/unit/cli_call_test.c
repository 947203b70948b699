/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_call_test.c - exit codes and messages of the real program when things go wrong */
#include "proto/virtksm.pb-c.h"
#include "test/support/fakedaemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define VIRTKSM TEST_BUILD_DIR "/agent/cli/virtksm"

/* A failure prints nothing on standard output, and one line on standard error. */
static void
expect_failure(Child *child, const char *when, int want_code, const char *want_text)
{
    int code = child_wait(child);
    const char *line = child_err(child);

    if (code != want_code || !strstr(line, want_text))
        fail_msg("%s: exit code %d, want %d: %s", when, code, want_code, line);
    if (strncmp(line, "virtksm: ", 9) != 0 || strchr(line, '\n') != line + strlen(line) - 1)
        fail_msg("%s: not one line: %s", when, line);
    assert_string_equal(child_out(child), "");
}

static void
without_a_daemon_one_line_says_so(void **state)
{
    static const char *const commands[] = { "status", "list", "report", "explain",
                                            "kick",   "mode", "events" };
    (void)state;

    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        const char *const argv[] = { VIRTKSM, "--socket", "/nowhere/x.sock", commands[i], NULL };
        g_autoptr(Child) child = child_start(argv);

        expect_failure(child, commands[i], 1, "no virtksmd answers at /nowhere/x.sock: ");
        assert_non_null(strstr(child_err(child), "; is it running?\n"));
        assert_null(strstr(strstr(child_err(child), "x.sock") + 1, "x.sock"));
    }
}

static void
what_the_daemon_refuses_has_the_exit_code_that_fits(void **state)
{
    static const struct {
        const char *when;
        GrpcStatus status;
        const char *text;
        int code;
        const char *want;
    } rows[] = {
        { "no such domain", GRPC_STATUS_NOT_FOUND, "no domain 'a\nb'", 3,
          "virtksm: no domain 'a\\nb'\n" },
        { "wrong argument", GRPC_STATUS_INVALID_ARGUMENT, "unknown mode", 2,
          "virtksm: unknown mode\n" },
        { "older daemon", GRPC_STATUS_UNIMPLEMENTED, "what?", 1, "is it older than this program?" },
        { "not permitted", GRPC_STATUS_PERMISSION_DENIED, "you may not", 1, ": you may not\n" },
        { "going down", GRPC_STATUS_UNAVAILABLE, "going down", 1, "went away: going down\n" },
        { "broken", GRPC_STATUS_INTERNAL, "broken", 1, " failed: broken\n" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *const words[] = { "report", "x", NULL };
        g_autoptr(Child) child = NULL;

        fakedaemon_refuse(*state, "Report", rows[i].status, rows[i].text);
        child = fakedaemon_client(*state, words);
        expect_failure(child, rows[i].when, rows[i].code, rows[i].want);
    }
}

static void
a_mode_that_the_daemon_does_not_know_is_wrong_usage(void **state)
{
    const char *const words[] = { "mode", "turbo", NULL };
    g_autoptr(Child) child = NULL;

    fakedaemon_refuse(*state, "SetMode", GRPC_STATUS_INVALID_ARGUMENT, "no mode 'turbo'");
    child = fakedaemon_client(*state, words);
    expect_failure(child, "turbo", 2, "virtksm: no mode 'turbo'\n");
}

static void
wrong_usage_asks_no_daemon(void **state)
{
    const char *const words[] = { "reprot", NULL };
    g_autoptr(Child) child = fakedaemon_client(*state, words);

    expect_failure(child, "reprot", 2, "unknown command 'reprot'; see 'virtksm --help'");
    assert_string_equal(fakedaemon_asked(*state), "");
}

static void
a_daemon_that_hangs_is_given_up_after_five_seconds(void **state)
{
    const char *const words[] = { "status", NULL };
    gint64 begin_us = g_get_monotonic_time();
    g_autoptr(Child) child = fakedaemon_client(*state, words);
    gint64 took_us;

    expect_failure(child, "hangs", 1, "did not answer within 5 s\n");
    took_us = g_get_monotonic_time() - begin_us;
    assert_true(took_us >= 4900000 && took_us < 60000000);
}

static void
a_daemon_that_dies_during_the_call_went_away(void **state)
{
    const char *const words[] = { "status", NULL };
    g_autoptr(Child) child = fakedaemon_client(*state, words);

    while (strcmp(fakedaemon_asked(*state), "Status") != 0)
        g_main_context_iteration(NULL, TRUE);
    fakedaemon_stop(*state);
    expect_failure(child, "dies", 1, " went away: ");
}

/* As somebody who is not allowed everything: root, too, is stopped by permissions then. */
static Child *
start_unprivileged(const FakeDaemon *daemon, const char *word, const char *argument)
{
    const char *const argv[] = { "setpriv",  "--bounding-set=-dac_override,-dac_read_search",
                                 "--",       VIRTKSM,
                                 "--socket", fakedaemon_socket(daemon),
                                 word,       argument,
                                 NULL };

    return child_start(geteuid() == 0 ? argv : argv + 3);
}

static void
a_closed_socket_leaves_the_read_only_one_to_commands_that_change_nothing(void **state)
{
    Virtksm__V1__StatusResponse status = VIRTKSM__V1__STATUS_RESPONSE__INIT;
    Virtksm__V1__SetModeResponse set = VIRTKSM__V1__SET_MODE_RESPONSE__INIT;
    g_autoptr(Child) reader = NULL;
    g_autoptr(Child) writer = NULL;

    fakedaemon_answer(*state, "Status", &status.base);
    fakedaemon_answer(*state, "SetMode", &set.base);
    assert_int_equal(chmod(fakedaemon_socket(*state), 0), 0);
    reader = start_unprivileged(*state, "mode", NULL);
    assert_int_equal(child_wait(reader), 0);
    assert_string_equal(fakedaemon_asked(*state), "Status ro");
    writer = start_unprivileged(*state, "mode", "off");
    expect_failure(writer, "set", 1, "not permitted to use ");
    assert_non_null(strstr(child_err(writer), "/virtksmd.sock: "));
    assert_non_null(strstr(child_err(writer), " may\n"));
    assert_string_equal(fakedaemon_asked(*state), "Status ro");
}

static void
output_that_cannot_be_written_is_a_failure(void **state)
{
    static const struct {
        const char *to;
        const char *want;
    } rows[] = {
        { ">/dev/full", "cannot write to standard output: No space left on device\n" },
        { ">&-", "cannot write to standard output: Bad file descriptor\n" },
        { "0<&- >&-", "cannot write to standard output: Bad file descriptor\n" },
    };
    static const char *const commands[] = { "status", "events", "--help" };
    Virtksm__V1__StatusResponse status = VIRTKSM__V1__STATUS_RESPONSE__INIT;

    fakedaemon_answer(*state, "Status", &status.base);
    for (size_t i = 0; i < G_N_ELEMENTS(rows) * G_N_ELEMENTS(commands); i++) {
        const char *to = rows[i / G_N_ELEMENTS(commands)].to;
        const char *command = commands[i % G_N_ELEMENTS(commands)];
        g_autofree char *line = g_strdup_printf("exec " VIRTKSM " --socket %s %s %s",
                                                fakedaemon_socket(*state), command, to);
        const char *const argv[] = { "/bin/sh", "-c", line, NULL };
        g_autoptr(Child) child = child_start(argv);

        expect_failure(child, line, 1, rows[i / G_N_ELEMENTS(commands)].want);
    }
}

static void
a_reader_that_went_away_is_a_failure_and_no_signal(void **state)
{
    const char *const words[] = { "status", NULL };
    Virtksm__V1__StatusResponse status = VIRTKSM__V1__STATUS_RESPONSE__INIT;
    g_autoptr(Child) child = NULL;

    fakedaemon_answer(*state, "Status", &status.base);
    child = fakedaemon_client(*state, words);
    child_close_out(child); /* before the loop runs, so before there is an answer to print */
    expect_failure(child, "closed", 1, "cannot write to standard output: Broken pipe\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FAKEDAEMON_TEST(without_a_daemon_one_line_says_so),
        FAKEDAEMON_TEST(what_the_daemon_refuses_has_the_exit_code_that_fits),
        FAKEDAEMON_TEST(a_mode_that_the_daemon_does_not_know_is_wrong_usage),
        FAKEDAEMON_TEST(wrong_usage_asks_no_daemon),
        FAKEDAEMON_TEST(a_daemon_that_hangs_is_given_up_after_five_seconds),
        FAKEDAEMON_TEST(a_daemon_that_dies_during_the_call_went_away),
        FAKEDAEMON_TEST(a_closed_socket_leaves_the_read_only_one_to_commands_that_change_nothing),
        FAKEDAEMON_TEST(a_reader_that_went_away_is_a_failure_and_no_signal),
        FAKEDAEMON_TEST(output_that_cannot_be_written_is_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
