/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c - messages through GLib's structured log, which knows the journal
 *
 * The level is a process-wide setting by nature, like standard error itself: it does
 * not hang on the agent's context.
 */
#include "agent/log.h"
#include "agent/plain.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/* GLib's name for where our messages come from. */
#define DOMAIN "virtksmd"

const char *const log_level_words[] = {
    [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_COUNT] = NULL,
};

static const GLogLevelFlags glib_levels[] = {
    [LOG_LEVEL_ERROR] = G_LOG_LEVEL_CRITICAL,
    [LOG_LEVEL_WARNING] = G_LOG_LEVEL_WARNING,
    [LOG_LEVEL_INFO] = G_LOG_LEVEL_INFO,
    [LOG_LEVEL_DEBUG] = G_LOG_LEVEL_DEBUG,
};
G_STATIC_ASSERT(G_N_ELEMENTS(glib_levels) == LOG_LEVEL_COUNT);

static gint current_level = LOG_LEVEL_INFO;

/* Libraries may report trouble; their debugging is not an operator's business. */
static bool
is_wanted(GLogLevelFlags level, const GLogField *fields, gsize n)
{
    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING))
        return true;
    for (gsize i = 0; i < n; i++)
        if (g_str_equal(fields[i].key, "GLIB_DOMAIN"))
            return g_str_equal(fields[i].value, DOMAIN);
    return false;
}

/* UTF-8 stays readable; what is not plain becomes an escape, broken bytes U+FFFD. */
static char *
printable(const GLogField *field)
{
    g_autofree char *valid = g_utf8_make_valid(field->value, field->length);
    GString *out = g_string_new(NULL);

    for (char *p = valid; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (plain_is(c))
            g_string_append_unichar(out, c);
        else
            plain_append_escape(out, c);
    }
    return g_string_free(out, FALSE);
}

static GLogWriterOutput
write_message(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
    g_autofree GLogField *plain = g_memdup2(fields, n * sizeof(*fields));
    g_autofree char *text = NULL;

    if (!is_wanted(level, fields, n))
        return G_LOG_WRITER_HANDLED;
    for (gsize i = 0; i < n && !text; i++)
        if (g_str_equal(plain[i].key, "MESSAGE")) {
            text = printable(&fields[i]);
            plain[i] = (GLogField){ "MESSAGE", text, -1 };
        }
    if (g_log_writer_is_journald(STDERR_FILENO) &&
        g_log_writer_journald(level, plain, n, data) == G_LOG_WRITER_HANDLED)
        return G_LOG_WRITER_HANDLED;
    if (text)
        fprintf(stderr, "virtksmd: %s\n", text);
    return G_LOG_WRITER_HANDLED;
}

void
log_open(LogLevel level)
{
    static gsize once = 0;

    g_atomic_int_set(&current_level, (gint)level);
    if (g_once_init_enter(&once)) {
        g_log_set_writer_func(write_message, NULL, NULL);
        g_once_init_leave(&once, 1);
    }
}

void
log_message(LogLevel level, const char *id, const char *format, va_list args)
{
    g_autofree char *text = NULL;

    if ((gint)level > g_atomic_int_get(&current_level))
        return;
    text = g_strdup_vprintf(format, args);
    if (id)
        g_log_structured(DOMAIN, glib_levels[level], "MESSAGE_ID", id, "MESSAGE", "%s", text);
    else
        g_log_structured(DOMAIN, glib_levels[level], "MESSAGE", "%s", text);
}

#define LOG_FUNCTION(name, level)                                                                  \
    void name(const char *format, ...)                                                             \
    {                                                                                              \
        va_list args;                                                                              \
                                                                                                   \
        va_start(args, format);                                                                    \
        log_message(level, NULL, format, args);                                                    \
        va_end(args);                                                                              \
    }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
