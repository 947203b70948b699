/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log_test.c - nobody writes lines of his own into the log, and the level is kept to */
#define _GNU_SOURCE
#include "agent/log_event.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* Standard error as it is, and the file that stands in for it; each is -1 outside of a test. */
typedef struct {
    int real_fd;
    int fake_fd;
} Ear;

static void
ear_open(Ear *ear)
{
    fflush(stderr);
    ear->fake_fd = memfd_create("stderr", MFD_CLOEXEC);
    ear->real_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_true(ear->fake_fd >= 0 && ear->real_fd >= 0);
    dup2(ear->fake_fd, STDERR_FILENO);
}

/* What was written to standard error, which is itself again. */
static char *
ear_close(Ear *ear)
{
    char *heard = g_malloc0(65536);

    fflush(stderr);
    dup2(ear->real_fd, STDERR_FILENO);
    if (pread(ear->fake_fd, heard, 65535, 0) < 0)
        fail_msg("cannot read what was written");
    close(ear->real_fd);
    close(ear->fake_fd);
    return heard;
}

static void
say_one_of_each(void)
{
    log_error("an %s", "error");
    log_warning("a %s", "warning");
    log_info("%s", "some info");
    log_debug("%d debugs", 3);
}

static void
messages_above_the_level_are_dropped(void **unused)
{
    static const struct {
        const char *when;
        LogLevel level;
        const char *want;
    } rows[] = {
        { "debug", LOG_LEVEL_DEBUG,
          "virtksmd: an error\nvirtksmd: a warning\nvirtksmd: some info\nvirtksmd: 3 debugs\n" },
        { "error", LOG_LEVEL_ERROR, "virtksmd: an error\n" },
        { "warning", LOG_LEVEL_WARNING, "virtksmd: an error\nvirtksmd: a warning\n" },
        { "info", LOG_LEVEL_INFO,
          "virtksmd: an error\nvirtksmd: a warning\nvirtksmd: some info\n" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *heard = NULL;
        Ear ear;

        log_open(rows[i].level);
        ear_open(&ear);
        say_one_of_each();
        heard = ear_close(&ear);
        if (strcmp(heard, rows[i].want) != 0)
            fail_msg("%s:\n%s", rows[i].when, heard);
    }
}

static void
what_comes_from_outside_stays_on_its_line(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        const char *want;
    } rows[] = {
        { "plain", "web-1", "web-1" },
        { "a line of one's own", "web\nvirtksmd: all is well", "web\\x0avirtksmd: all is well" },
        { "back to the start of the line", "web\rroot", "web\\x0droot" },
        { "a terminal's command", "\x1b[2Jweb", "\\x1b[2Jweb" },
        { "other controls", "\x01\t\x7f", "\\x01\\x09\\x7f" },
        { "controls beyond ASCII",
          "a\xc2\x85"
          "b\xc2\x9b"
          "c",
          "a\\x85b\\x9bc" },
        { "UTF-8 stays", "m\xc3\xbc\xc3\x9fig \xe2\x82\xac \xf0\x9f\x90\xa7",
          "m\xc3\xbc\xc3\x9fig \xe2\x82\xac \xf0\x9f\x90\xa7" },
        { "so do other scripts", "\xd9\x85\xd8\xab\xd8\xa7\xd9\x84 \xe4\xb8\xad u\xcc\x88",
          "\xd9\x85\xd8\xab\xd8\xa7\xd9\x84 \xe4\xb8\xad u\xcc\x88" },
        { "the other direction", "a\xe2\x80\xae\x62\xe2\x81\xa6", "a\\u202eb\\u2066" },
        { "other ends of a line", "a\xe2\x80\xa8\x62\xe2\x80\xa9", "a\\u2028b\\u2029" },
        { "no width", "a\xe2\x80\x8b\xe2\x80\x8d\xef\xbb\xbf", "a\\u200b\\u200d\\ufeff" },
        { "no meaning", "\xee\x80\x80\xef\xbf\xbe\xf3\xa0\x81\x81", "\\ue000\\ufffe\\U000e0041" },
        { "broken bytes",
          "a\xff"
          "b\xc3",
          "a\xef\xbf\xbd"
          "b\xef\xbf\xbd" },
        { "a percent sign", "100 %s %n", "100 %s %n" },
        { "nothing", "", "" },
    };
    (void)unused;

    log_open(LOG_LEVEL_INFO);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *want = g_strdup_printf("virtksmd: <%s>\n", rows[i].want);
        g_autofree char *heard = NULL;
        Ear ear;

        ear_open(&ear);
        log_info("<%s>", rows[i].text);
        heard = ear_close(&ear);
        if (strcmp(heard, want) != 0)
            fail_msg("%s: %swant %s", rows[i].when, heard, want);
    }
}

static void
libraries_may_warn_but_not_chat(void **unused)
{
    g_autofree char *heard = NULL;
    Ear ear;
    (void)unused;

    log_open(LOG_LEVEL_DEBUG);
    ear_open(&ear);
    g_log_structured("Library", G_LOG_LEVEL_DEBUG, "MESSAGE", "chat");
    g_log_structured("Library", G_LOG_LEVEL_INFO, "MESSAGE", "chat");
    g_log_structured("Library", G_LOG_LEVEL_MESSAGE, "MESSAGE", "chat");
    g_log_structured("Library", G_LOG_LEVEL_WARNING, "MESSAGE", "trouble");
    g_log_structured("Library", G_LOG_LEVEL_CRITICAL, "MESSAGE", "%s\xe2\x80\xae",
                     "a\nvirtksmd: b");
    heard = ear_close(&ear);
    assert_string_equal(heard, "virtksmd: trouble\nvirtksmd: a\\x0avirtksmd: b\\u202e\n");
}

static void
every_level_has_its_word(void **unused)
{
    static const char *const want[] = { "error", "warning", "info", "debug", NULL };
    (void)unused;

    assert_int_equal(G_N_ELEMENTS(want), LOG_LEVEL_COUNT + 1);
    assert_true(g_strv_equal(log_level_words, want));
}

/* In place of the journal's: what would be told to it. */
static GString *journal;

gboolean __wrap_g_log_writer_is_journald(gint fd);
GLogWriterOutput __wrap_g_log_writer_journald(GLogLevelFlags level, const GLogField *fields,
                                              gsize n, gpointer data);

gboolean
__wrap_g_log_writer_is_journald(gint fd)
{
    (void)fd;
    return journal != NULL;
}

GLogWriterOutput
__wrap_g_log_writer_journald(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
    (void)level;
    (void)data;
    for (gsize i = 0; i < n; i++)
        if (g_str_has_prefix(fields[i].key, "MESSAGE"))
            g_string_append_printf(journal, "%s=%s ", fields[i].key, (const char *)fields[i].value);
    return G_LOG_WRITER_HANDLED;
}

static void
in_the_journal_an_event_has_an_id_and_what_was_said(void **unused)
{
    static const char *const wants[] = { "MESSAGE_ID=", "MESSAGE=up \\x0aagain" };
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    (void)unused;

    log_open(LOG_LEVEL_INFO);
    for (LogEvent event = 0; event < LOG_EVENT_COUNT; event++) {
        journal = g_string_new(NULL);
        log_event(event, "%s", "up \nagain");
        for (size_t i = 0; i < G_N_ELEMENTS(wants); i++)
            if (!strstr(journal->str, wants[i]))
                fail_msg("event %d: no %s in %s", event, wants[i], journal->str);
        if (!g_hash_table_add(seen, g_string_free(journal, FALSE)))
            fail_msg("event %d has the id of another", event);
    }
    journal = g_string_new(NULL);
    log_info("%s", "by the way");
    assert_string_equal(journal->str, "MESSAGE=by the way ");
    g_string_free(g_steal_pointer(&journal), TRUE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_above_the_level_are_dropped),
        cmocka_unit_test(what_comes_from_outside_stays_on_its_line),
        cmocka_unit_test(libraries_may_warn_but_not_chat),
        cmocka_unit_test(in_the_journal_an_event_has_an_id_and_what_was_said),
        cmocka_unit_test(every_level_has_its_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
