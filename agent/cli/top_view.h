/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top_view.h - the screen of "virtksm top"; the only part that knows the terminal
 */
#ifndef AGENT_CLI_TOP_VIEW_H
#define AGENT_CLI_TOP_VIEW_H

#include "agent/cli/top_list.h"

typedef struct TopView TopView;

/* What a key asks for. */
typedef enum {
    TOP_KEY_NONE, /* no key waits */
    TOP_KEY_OTHER,
    TOP_KEY_QUIT,
    TOP_KEY_LEFT, /* sort by the column on the left */
    TOP_KEY_RIGHT,
    TOP_KEY_REVERSE,
    TOP_KEY_UNIT,
    TOP_KEY_UP,
    TOP_KEY_DOWN,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_FIRST,
    TOP_KEY_LAST,
} TopKey;

/* What is on the screen. */
typedef struct {
    const char *title;                         /* first line */
    const char *trouble;                       /* instead of the title; NULL: all is well */
    char *const *head;                         /* lines below, NULL-terminated */
    const Virtksm__V1__ReportResponse *report; /* of the list */
    const GPtrArray *sorted;                   /* as top_sort() says */
    const char *keys;                          /* last line */
    TopOrder order;                            /* of the list */
    guint first;                               /* domain on the first line of the list */
} TopPicture;

/**
 * top_view_new() - take over the terminal at standard input and output
 *
 * Return: owned by the caller, who ends with top_view_free() in any case. NULL if there is no
 * terminal, or one that cannot place its cursor; then nothing was written to it.
 */
TopView *top_view_new(void);

/** top_view_free() - give the terminal back as it was; accepts NULL */
void top_view_free(TopView *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TopView, top_view_free)

/** top_view_resize() - ask the terminal for its size, after SIGWINCH; draw afterwards */
void top_view_resize(TopView *view);

/**
 * top_view_draw() - show a picture
 * @view:    where
 * @picture: what; it is cut to what the screen has room for
 *
 * Return: how many domains the screen has room for, at least 1.
 */
guint top_view_draw(TopView *view, const TopPicture *picture);

/** top_view_key() - the next key that was pressed; does not wait */
TopKey top_view_key(TopView *view);

#endif
