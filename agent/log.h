/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.h - the only place that writes text
 *
 * To the journal where standard error is the journal's stream, otherwise to standard error. What
 * comes from outside (names of domains, texts of libvirt) may hold anything: what does not show as
 * what it is (plain.h) is escaped, so that nobody writes lines of his own into the log, or has one
 * read as another. So are the warnings of libraries.
 */
#ifndef AGENT_LOG_H
#define AGENT_LOG_H

#include <glib.h>
#include <stdarg.h>

typedef enum {
    LOG_LEVEL_ERROR,   /* the agent cannot do its work */
    LOG_LEVEL_WARNING, /* something is wrong and survived */
    LOG_LEVEL_INFO,    /* what an operator wants to know later */
    LOG_LEVEL_DEBUG,   /* every decision and event */
    LOG_LEVEL_COUNT,
} LogLevel;

/* Words for LogLevel, in its order, NULL-terminated. */
extern const char *const log_level_words[];

/**
 * log_open() - start logging
 * @level: messages above this are dropped
 *
 * May be called again to change the level.
 */
void log_open(LogLevel level);

/**
 * log_message() - what the other functions come to
 * @level: dropped if above that of log_open()
 * @id:    MESSAGE_ID for the journal; NULL: none
 */
void log_message(LogLevel level, const char *id, const char *format, va_list args)
    G_GNUC_PRINTF(3, 0);

/** log_error() - the agent cannot do its work */
void log_error(const char *format, ...) G_GNUC_PRINTF(1, 2);
/** log_warning() - something is wrong and survived; says how it goes on */
void log_warning(const char *format, ...) G_GNUC_PRINTF(1, 2);
/** log_info() - what an operator wants to know later */
void log_info(const char *format, ...) G_GNUC_PRINTF(1, 2);
/** log_debug() - every event, for finding out what happened */
void log_debug(const char *format, ...) G_GNUC_PRINTF(1, 2);

#endif
