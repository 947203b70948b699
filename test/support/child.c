/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* child.c - a program with its two outputs on pipes that a GLib loop reads */
#define _GNU_SOURCE
#include "test/support/child.h"

#include <glib-unix.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_S 20

typedef struct {
    int fd;        /* owned; -1 when closed */
    guint source;  /* 0: at its end, or on hold */
    GString *text; /* owned; read so far */
} Pipe;

struct Child {
    GPid pid;     /* 0 when it was reaped */
    int status;   /* of waitpid(), when reaped */
    guint reaper; /* source; 0 when reaped */
    Pipe out;
    Pipe err;
};

static void
pipe_close(Pipe *from)
{
    if (from->source)
        g_source_remove(from->source);
    if (from->fd >= 0)
        close(from->fd);
    from->source = 0;
    from->fd = -1;
}

static gboolean
on_readable(gint fd, GIOCondition condition, gpointer user_data)
{
    Pipe *from = user_data;
    char buffer[4096];
    ssize_t n = read(fd, buffer, sizeof(buffer));

    (void)condition;
    if (n > 0) {
        g_string_append_len(from->text, buffer, n);
        return G_SOURCE_CONTINUE;
    }
    from->source = 0;
    pipe_close(from);
    return G_SOURCE_REMOVE;
}

static void
pipe_read(Pipe *from)
{
    from->source = g_unix_fd_add(from->fd, G_IO_IN | G_IO_HUP, on_readable, from);
}

static void
on_exit_of_child(GPid pid, gint status, gpointer user_data)
{
    Child *child = user_data;

    (void)pid;
    child->pid = 0;
    child->status = status;
    child->reaper = 0;
}

Child *
child_start(const char *const *argv)
{
    Child *child = g_new0(Child, 1);
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();
    g_auto(GStrv) copy = NULL;
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; argv[i]; i++)
        g_strv_builder_add(words, argv[i]);
    copy = g_strv_builder_end(words);
    child->out.text = g_string_new(NULL);
    child->err.text = g_string_new(NULL);
    if (!g_spawn_async_with_pipes(NULL, copy, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH,
                                  NULL, NULL, &child->pid, NULL, &child->out.fd, &child->err.fd,
                                  &error))
        fail_msg("cannot run %s: %s", argv[0], error->message);
    pipe_read(&child->out);
    pipe_read(&child->err);
    child->reaper = g_child_watch_add(child->pid, on_exit_of_child, child);
    return child;
}

void
child_free(Child *child)
{
    if (!child)
        return;
    if (child->pid) {
        g_source_remove(child->reaper);
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
    }
    pipe_close(&child->out);
    pipe_close(&child->err);
    g_string_free(child->out.text, TRUE);
    g_string_free(child->err.text, TRUE);
    g_free(child);
}

static gboolean
on_timeout(gpointer user_data)
{
    *(bool *)user_data = true;
    return G_SOURCE_CONTINUE;
}

/* Run the loop until @is_done says so. */
static void
wait_until(Child *child, bool (*is_done)(const Child *child, const char *text), const char *text)
{
    bool late = false;
    guint timer = g_timeout_add_seconds(PATIENCE_S, on_timeout, &late);

    while (!is_done(child, text) && !late)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(timer);
    if (late)
        fail_msg("nothing came of %s; out: %s err: %s", text ? text : "the end",
                 child->out.text->str, child->err.text->str);
}

static bool
has_printed(const Child *child, const char *text)
{
    return strstr(child->out.text->str, text) != NULL;
}

static bool
has_ended(const Child *child, const char *text)
{
    (void)text;
    return child->pid == 0 && child->out.source == 0 && child->err.source == 0;
}

void
child_await(Child *child, const char *text)
{
    wait_until(child, has_printed, text);
}

int
child_wait(Child *child)
{
    wait_until(child, has_ended, NULL);
    return WIFEXITED(child->status) ? WEXITSTATUS(child->status) : 128 + WTERMSIG(child->status);
}

void
child_signal(Child *child, int number)
{
    assert_int_not_equal(child->pid, 0);
    assert_int_equal(kill(child->pid, number), 0);
}

void
child_hold_out(Child *child, bool hold)
{
    if (!hold) {
        pipe_read(&child->out);
        return;
    }
    g_source_remove(child->out.source);
    child->out.source = 0;
}

void
child_close_out(Child *child)
{
    pipe_close(&child->out);
}

const char *
child_out(const Child *child)
{
    return child->out.text->str;
}

const char *
child_err(const Child *child)
{
    return child->err.text->str;
}
