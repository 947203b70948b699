/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * output.c - standard output, by write(2) and poll(2), and the file of --output
 *
 * The descriptor stays as it was given to us: O_NONBLOCK would be seen by every process that
 * shares the terminal. The queue therefore writes only when poll says that there is room, and no
 * more than a pipe surely takes then.
 *
 * Source: pipe(7), PIPE_BUF and "poll"; poll(2), POLLERR
 */
#define _GNU_SOURCE
#include "agent/cli/output.h"
#include "agent/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct OutputQueue {
    GMainContext *context;        /* owned */
    const OutputHandler *handler; /* borrowed */
    gpointer user_data;           /* for the handler */
    GString *waiting;             /* owned; not written yet */
    GSource *hang_up;             /* owned; the reader went away */
    GSource *room;                /* owned; there is room to write; NULL while nothing waits */
};

void
output_prepare(void)
{
    static const int wrong_way[] = {
        [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY
    };

    signal(SIGPIPE, SIG_IGN);
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        /* open() takes the lowest free number: this one, since those below are taken. */
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", wrong_way[fd]) != fd)
            _exit(CLI_FAILED);
    }
}

static void
set_write_error(GError **error, int code)
{
    g_set_error(error, CLI_ERROR, CLI_FAILED, "cannot write to standard output: %s",
                g_strerror(code));
}

/* Standard output may be a non-blocking descriptor that was handed to us. */
static bool
wait_for_room(void)
{
    struct pollfd pollfd = { .fd = STDOUT_FILENO, .events = POLLOUT };

    return poll(&pollfd, 1, -1) >= 0 || errno == EINTR;
}

bool
output_write(const char *text, GError **error)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t n = write(STDOUT_FILENO, text, left);

        if (n >= 0) {
            text += n;
            left -= (size_t)n;
        } else if (errno != EINTR && (errno != EAGAIN || !wait_for_room())) {
            set_write_error(error, errno);
            return false;
        }
    }
    return true;
}

/* Return: 0, or the errno of what failed first; @fd is consumed. */
static int
write_and_close(int fd, const char *text)
{
    int code = 0;

    for (size_t left = strlen(text); left > 0 && code == 0;) {
        ssize_t n = write(fd, text, left);

        if (n < 0 && errno != EINTR)
            code = errno;
        text += MAX(n, 0);
        left -= (size_t)MAX(n, 0);
    }
    if (close(fd) < 0 && code == 0)
        code = errno;
    return code;
}

/* Gives @fd the rights of the file that it will replace, at most: who could not read that must not
 * read this. Return: 0 or an errno. */
static int
keep_rights(int fd, const struct stat *old)
{
    mode_t mode = old->st_mode & 0777;

    if (fchown(fd, old->st_uid, old->st_gid) < 0 && fchown(fd, (uid_t)-1, old->st_gid) < 0)
        mode &= ~(mode_t)S_IRWXG; /* of another group */
    return fchmod(fd, mode) < 0 ? errno : 0;
}

/* Written beside @path, and then given its name. @old: what is there; NULL: nothing. Return: 0 or
 * an errno. */
static int
replace_file(const char *path, const struct stat *old, const char *text)
{
    g_autofree char *beside = g_strconcat(path, ".XXXXXX", NULL);
    int fd = g_mkstemp_full(beside, O_WRONLY | O_CLOEXEC, old ? 0600 : 0666);
    int code = fd < 0 ? errno : old ? keep_rights(fd, old) : 0;
    int written = fd < 0 ? 0 : write_and_close(fd, code == 0 ? text : "");

    code = code == 0 ? written : code;
    if (code == 0 && rename(beside, path) < 0)
        code = errno;
    if (code != 0 && fd >= 0)
        unlink(beside);
    return code;
}

bool
output_file(const char *path, const char *text, GError **error)
{
    g_autofree char *real = realpath(path, NULL); /* a link stays one; NULL: not there yet */
    struct stat st;
    bool is_there = stat(path, &st) == 0;
    int code = 0;

    if (!is_there || S_ISREG(st.st_mode)) {
        code = replace_file(real ? real : path, is_there ? &st : NULL, text);
    } else {
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        code = fd < 0 ? errno : write_and_close(fd, text);
    }
    if (code != 0)
        g_set_error(error, CLI_ERROR, CLI_FAILED, "cannot write to '%s': %s", path,
                    g_strerror(code));
    return code == 0;
}

static void
drop(GSource **source)
{
    if (*source) {
        g_source_destroy(*source);
        g_source_unref(*source);
    }
    *source = NULL;
}

static GSource *
watch(OutputQueue *queue, GIOCondition condition, GUnixFDSourceFunc function)
{
    GSource *source = g_unix_fd_source_new(STDOUT_FILENO, condition);

    g_source_set_callback(source, G_SOURCE_FUNC(function), queue, NULL);
    g_source_attach(source, queue->context);
    return source;
}

static void
break_down(OutputQueue *queue, int code)
{
    g_autoptr(GError) error = NULL;

    drop(&queue->room);
    drop(&queue->hang_up);
    if (code != EPIPE)
        set_write_error(&error, code);
    queue->handler->broken(error, queue->user_data);
}

static gboolean
on_hang_up(gint fd, GIOCondition condition, gpointer user_data)
{
    (void)fd;
    (void)condition;
    break_down(user_data, EPIPE);
    return G_SOURCE_REMOVE;
}

static gboolean
on_room(gint fd, GIOCondition condition, gpointer user_data)
{
    OutputQueue *queue = user_data;
    ssize_t n = write(fd, queue->waiting->str, MIN(queue->waiting->len, PIPE_BUF));

    (void)condition;
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return G_SOURCE_CONTINUE;
    if (n < 0) {
        break_down(queue, errno);
        return G_SOURCE_REMOVE;
    }
    g_string_erase(queue->waiting, 0, n);
    if (queue->waiting->len > 0)
        return G_SOURCE_CONTINUE;
    drop(&queue->room);
    queue->handler->drained(queue->user_data);
    return G_SOURCE_REMOVE;
}

OutputQueue *
output_queue_new(GMainContext *context, const OutputHandler *handler, gpointer user_data)
{
    OutputQueue *queue = g_new0(OutputQueue, 1);

    queue->context = g_main_context_ref(context);
    queue->handler = handler;
    queue->user_data = user_data;
    queue->waiting = g_string_new(NULL);
    queue->hang_up = watch(queue, G_IO_ERR | G_IO_HUP, on_hang_up);
    return queue;
}

void
output_queue_free(OutputQueue *queue)
{
    if (!queue)
        return;
    drop(&queue->room);
    drop(&queue->hang_up);
    g_string_free(queue->waiting, TRUE);
    g_main_context_unref(queue->context);
    g_free(queue);
}

void
output_queue_add(OutputQueue *queue, const char *text)
{
    g_string_append(queue->waiting, text);
    if (!queue->room && queue->hang_up && queue->waiting->len > 0)
        queue->room = watch(queue, G_IO_OUT, on_room);
}

size_t
output_queue_bytes(const OutputQueue *queue)
{
    return queue->waiting->len;
}
