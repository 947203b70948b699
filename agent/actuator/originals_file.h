/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* originals_file.h - the file of the record of originals */
#ifndef AGENT_ACTUATOR_ORIGINALS_FILE_H
#define AGENT_ACTUATOR_ORIGINALS_FILE_H

#include <glib.h>
#include <stdbool.h>

/* Its name in the state directory. */
#define ORIGINALS_FILE "originals"

/**
 * originals_file_seal() - give a text its checksum
 * @text: ends in a newline
 *
 * Return: content of the file, owned by the caller.
 */
char *originals_file_seal(const char *text);

/**
 * originals_file_fault() - what is wrong with the frame of a file
 * @text: its content; may hold anything
 * @len:  of @text
 *
 * Return: static text; NULL if its checksum is right.
 */
const char *originals_file_fault(const char *text, gsize len);

/**
 * originals_file_read() - read it, if it is a plain file
 * @path:     of the file
 * @ret_text: owned by the caller, terminated; written only on success
 * @ret_len:  of the text, likewise
 * @error:    G_FILE_ERROR_NOENT: there is none; others name the file
 *
 * Never waits, and follows no link.
 */
bool originals_file_read(const char *path, char **ret_text, gsize *ret_len, GError **error);

/**
 * originals_file_sweep() - remove what writers that were killed have left beside the file
 * @path:   of the state directory
 * @dir_fd: the same, open and locked: nobody is still writing one (borrowed)
 *
 * What cannot be removed is never read, and no reason to stop.
 */
void originals_file_sweep(const char *path, int dir_fd);

#endif
