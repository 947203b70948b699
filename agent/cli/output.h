/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * output.h - standard output, with every failure noticed
 *
 * Nothing goes through stdio: its buffer would hide a full disk until the program has ended. An
 * OutputQueue writes what comes while a main loop runs and never blocks it, so that a reader that
 * has stopped reading does not keep a signal from ending the program.
 */
#ifndef AGENT_CLI_OUTPUT_H
#define AGENT_CLI_OUTPUT_H

#include <glib.h>
#include <stdbool.h>

typedef struct OutputQueue OutputQueue;

/* What is heard of a queue; runs in its context. */
typedef struct {
    void (*drained)(gpointer user_data); /* everything has been written */
    /* Nothing more can be written; @error is CLI_FAILED, or NULL if the reader merely went away. */
    void (*broken)(const GError *error, gpointer user_data);
} OutputHandler;

/**
 * output_prepare() - make standard output safe to write to; once, before any file is opened
 *
 * A descriptor 0, 1 or 2 that is closed is held by /dev/null, opened the wrong way round: else the
 * next socket would get its number and receive what is printed. A reader that goes away is a
 * failed write, not SIGPIPE.
 */
void output_prepare(void);

/**
 * output_write() - write all of a text to standard output
 * @text:  UTF-8
 * @error: CLI_FAILED; part of the text may have been written
 */
bool output_write(const char *text, GError **error);

/**
 * output_file() - write a text to a file, in place of what it had
 * @path:  of the file; made if it is not there
 * @text:  UTF-8
 * @error: CLI_FAILED, with the path; a file that was there is then as it was
 *
 * A reader sees the old text or the new one, never half of one. The file keeps its mode, and its
 * owner where root writes it. Where @path is no plain file, but a device or a pipe, the
 * text is written into it.
 */
bool output_file(const char *path, const char *text, GError **error);

/**
 * output_queue_new() - write to standard output from a main context
 * @context:   whose loop does the writing; referenced
 * @handler:   borrowed, must outlive the queue (a static table)
 * @user_data: for the handler
 *
 * Notices at once when the reader of a pipe goes away, also while there is nothing to write.
 *
 * Return: owned by the caller, end with output_queue_free(), which drops what is not written
 */
OutputQueue *output_queue_new(GMainContext *context, const OutputHandler *handler,
                              gpointer user_data);

/** output_queue_free() - accepts NULL */
void output_queue_free(OutputQueue *queue);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OutputQueue, output_queue_free)

/** output_queue_add() - write @text (copied) after what was added before */
void output_queue_add(OutputQueue *queue, const char *text);

/** output_queue_bytes() - what was added and is not written yet */
size_t output_queue_bytes(const OutputQueue *queue);

#endif
