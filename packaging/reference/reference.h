/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reference.h - manual pages, the annotated configuration and completions, out of the programs' own
 * tables
 *
 * A template is text in which a line "%%WORD" stands for what a part below writes there. Knobs,
 * commands, options, settings and calls are written from the very rows that the programs use, so a
 * manual cannot say otherwise.
 */
#ifndef PACKAGING_REFERENCE_REFERENCE_H
#define PACKAGING_REFERENCE_REFERENCE_H

#include <glib.h>
#include <stdbool.h>

/* What a template is filled with, beside the tables. */
typedef struct {
    const char *help;  /* what "PROGRAM --help" prints; NULL: no program */
    const char *proto; /* folder of the .proto files */
} Material;

/* One part of the reference. */
typedef struct {
    const char *word;                                      /* in a template, behind "%%" */
    void (*write)(GString *out, const Material *material); /* appends it */
} Part;

/** conf_write_file() - the configuration, annotated, with every key at its default */
void conf_write_file(GString *out, const Material *material);
/** conf_write_manual() - the knobs, section by section */
void conf_write_manual(GString *out, const Material *material);
/** command_write_manual() - the commands of the client with their own options */
void command_write_manual(GString *out, const Material *material);
/** command_write_options() - the options that a program prints with --help */
void command_write_options(GString *out, const Material *material);
/** complete_write_words() - shell functions that print what can follow what, for bash and zsh */
void complete_write_words(GString *out, const Material *material);
/** complete_write_fish() - the same in the words of fish */
void complete_write_fish(GString *out, const Material *material);
/** setting_write_manual() - what can be asked for a domain */
void setting_write_manual(GString *out, const Material *material);
/** call_write_manual() - the methods: who may call them, and what they do */
void call_write_manual(GString *out, const Material *material);

/** roff_append() - text of one paragraph, with what means something to roff escaped */
void roff_append(GString *out, const char *text);
/** roff_append_block() - text with paragraphs; lines that are indented stay as they are */
void roff_append_block(GString *out, const char *text);
/** wrap_append() - words of @text in lines of at most @width, each behind @before */
void wrap_append(GString *out, const char *text, const char *before, size_t width);

#endif
