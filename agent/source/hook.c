/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook.c - events from libvirt's hooks, told by virtksm-hook in datagrams
 *
 *   libvirtd --waits--> virtksm-hook --datagram, never waits--> hook.sock --> message --> starts
 *
 * This works without a connection to libvirt, so it is what the agent goes by where there is none,
 * and it tells earlier. A domain that libvirt's callbacks tell of as well is one domain.
 *
 * What runs already when the daemon starts is in libvirt's own files; see hook_running.c.
 *
 * Anybody who gets at the socket could make domains up: its file is for our own user, and the
 * kernel says with each datagram who has sent it. What is wrong with a datagram is said once for
 * each kind, counted, and shown in the state of the source. A queue that is full (ten datagrams,
 * by default) loses the newest; see hook_starts_check().
 *
 * Source: unix(7), SO_PASSCRED and SCM_CREDENTIALS; /proc/sys/net/unix/max_dgram_qlen
 */
#define _GNU_SOURCE
#include "agent/agent.h"
#include "agent/error.h"
#include "agent/log.h"
#include "agent/source/hook_running.h"
#include "agent/source/source.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "hook.sock"
/* How often an open socket is tried for, and lost datagrams are looked for. */
#define RETRY_S 5
#define CHECK_S 5
/* Datagrams of one turn of the loop. */
#define TURN_MAX 16

struct HookSource {
    Agent *agent;                                /* borrowed */
    HookStarts starts;                           /* what is known of domains */
    int fd;                                      /* owned; -1: not listening */
    char *path;                                  /* owned; of the socket file */
    dev_t dev;                                   /* of the socket file that we made */
    ino_t ino;                                   /* likewise */
    guint watch;                                 /* GSource of the socket; 0: none */
    guint timer;                                 /* GSource of checks, or of the next attempt */
    guint first;                                 /* GSource of what runs already; 0: told */
    uint64_t faults[HOOK_FAULT_COUNT];           /* datagrams with each */
    char *detail;                                /* owned; for the state; NULL: nothing to say */
    uint8_t buffer[HOOK_DATAGRAM_MAX_BYTES + 1]; /* one datagram; a byte more: it is too large */
};

/* --- one datagram ----------------------------------------------------------------------- */

static void
note_fault(HookSource *self, HookFault fault)
{
    GString *text = g_string_new("ignored:");

    if (self->faults[fault]++ == 0)
        log_warning("hook: a datagram %s; ignored, and only counted from now on",
                    hook_fault_text(fault));
    for (HookFault f = HOOK_FINE + 1; f < HOOK_FAULT_COUNT; f++)
        if (self->faults[f] > 0)
            g_string_append_printf(text, "%s %" G_GUINT64_FORMAT " %s", text->len > 8 ? "," : "",
                                   self->faults[f], hook_fault_text(f));
    g_free(self->detail);
    self->detail = g_string_free(text, FALSE);
}

static bool
is_trusted(struct msghdr *message)
{
    const struct cmsghdr *control = CMSG_FIRSTHDR(message);
    struct ucred credentials;

    if (!control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_CREDENTIALS)
        return false;
    memcpy(&credentials, CMSG_DATA(control), sizeof(credentials));
    return credentials.uid == 0 || credentials.uid == geteuid();
}

static HookFault
take_datagram(HookSource *self, struct msghdr *header, size_t length)
{
    g_auto(HookMessage) message = { 0 };
    HookFault fault;

    if (!is_trusted(header))
        return HOOK_STRANGER;
    if (header->msg_flags & MSG_TRUNC)
        return HOOK_TOO_LARGE;
    fault = hook_message_read(self->buffer, length, &message);
    return fault == HOOK_FINE ? hook_starts_tell(self->agent, &self->starts, &message) : fault;
}

/* Return: whether there was one. */
static bool
receive(HookSource *self)
{
    /* No room for descriptors: the kernel closes those that somebody sends along. */
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec data = { self->buffer, sizeof(self->buffer) };
    struct msghdr header = { .msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control) };
    ssize_t n = recvmsg(self->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    HookFault fault;

    if (n < 0)
        return false;
    fault = take_datagram(self, &header, (size_t)n);
    if (fault != HOOK_FINE)
        note_fault(self, fault);
    return true;
}

static gboolean
on_readable(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    (void)condition;
    for (int i = 0; i < TURN_MAX && receive(data); i++)
        continue;
    return G_SOURCE_CONTINUE;
}

/* --- socket ----------------------------------------------------------------------------- */

static bool
fail(HookSource *self, const char *what, const char *why, GError **error)
{
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_RUNTIME, "%s %s: %s", what, self->path, why);
    return false;
}

/* No other agent listens there: the control sockets in this folder are ours already. */
static bool
clear_the_way(HookSource *self, GError **error)
{
    struct stat st;

    if (lstat(self->path, &st) < 0)
        return errno == ENOENT || fail(self, "cannot look at", g_strerror(errno), error);
    if (!S_ISSOCK(st.st_mode))
        return fail(self, "cannot listen at", "it exists and is not a socket", error);
    if (unlink(self->path) < 0)
        return fail(self, "cannot remove left-over socket", g_strerror(errno), error);
    return true;
}

static bool
bind_socket(HookSource *self, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const int on = 1;
    struct stat st;

    if (g_strlcpy(address.sun_path, self->path, sizeof(address.sun_path)) >=
        sizeof(address.sun_path))
        return fail(self, "cannot listen at", "the path is too long", error);
    self->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* The mode of the socket's inode is that of the file, from the beginning. */
    if (self->fd < 0 || fchmod(self->fd, 0600) < 0 ||
        setsockopt(self->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
        bind(self->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        lstat(self->path, &st) < 0)
        return fail(self, "cannot listen at", g_strerror(errno), error);
    self->dev = st.st_dev;
    self->ino = st.st_ino;
    return true;
}

static void
close_socket(HookSource *self)
{
    struct stat st;

    g_clear_handle_id(&self->watch, g_source_remove);
    if (self->fd >= 0)
        close(self->fd);
    if (self->ino != 0 && lstat(self->path, &st) == 0 && st.st_dev == self->dev &&
        st.st_ino == self->ino)
        unlink(self->path);
    self->fd = -1;
    self->ino = 0;
}

static gboolean
on_check(gpointer data)
{
    HookSource *self = data;

    hook_starts_check(self->agent, &self->starts);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_first(gpointer data)
{
    HookSource *self = data;

    self->first = 0;
    hook_running_tell(self->agent, &self->starts);
    return G_SOURCE_REMOVE;
}

/* Return: for GLib: call again. */
static gboolean
try_to_listen(gpointer data)
{
    HookSource *self = data;
    g_autoptr(GError) error = NULL;

    if (clear_the_way(self, &error) && bind_socket(self, &error)) {
        g_clear_pointer(&self->detail, g_free);
        self->watch = g_unix_fd_add(self->fd, G_IO_IN, on_readable, self);
        self->timer = g_timeout_add_seconds(CHECK_S, on_check, self);
        return G_SOURCE_REMOVE;
    }
    close_socket(self);
    if (g_strcmp0(self->detail, error->message) != 0)
        log_warning("hook: going on without: %s", error->message);
    g_free(self->detail);
    self->detail = g_strdup(error->message);
    return G_SOURCE_CONTINUE;
}

/* --- source ----------------------------------------------------------------------------- */

static void
source_open(Agent *agent)
{
    HookSource *self;

    if (!agent->conf->hook_enable)
        return;
    self = g_new0(HookSource, 1);
    self->agent = agent;
    self->fd = -1;
    self->path = g_build_filename(agent->options.runtime_dir, SOCKET_NAME, NULL);
    hook_starts_init(&self->starts);
    if (try_to_listen(self) == G_SOURCE_CONTINUE)
        self->timer = g_timeout_add_seconds(RETRY_S, try_to_listen, self);
    self->first = g_idle_add(on_first, self);
    agent->hook = self; /* the agent holds it until source_close() */
}

static void
source_close(Agent *agent)
{
    HookSource *self = g_steal_pointer(&agent->hook);

    if (!self)
        return;
    g_clear_handle_id(&self->timer, g_source_remove);
    g_clear_handle_id(&self->first, g_source_remove);
    close_socket(self);
    hook_starts_done(&self->starts);
    g_free(self->path);
    g_free(self->detail);
    g_free(self);
}

uint32_t
hook_source_starting(const HookSource *source)
{
    return source ? hook_starts_coming(source->agent, &source->starts) : 0;
}

static SourceState
source_state(const Agent *agent, const char **ret_detail)
{
    if (!agent->hook)
        return SOURCE_CLOSED;
    *ret_detail = agent->hook->detail;
    return agent->hook->fd >= 0 ? SOURCE_OPEN : SOURCE_WAITING;
}

const Source hook_source = { "hook", source_open, source_close, NULL, source_state };
