/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor_local.c - five ways in which a daemon cannot be asked, told apart without it
 *
 * Source: unix(7): connecting needs write permission on the file and search permission on its
 * folders; a socket whose listener has ended refuses connections.
 */
#define _GNU_SOURCE
#include "agent/cli/doctor_local.h"

#include "proto/grpc.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DAEMON "virtksmd"

/* What is found, and what is said of it. */
typedef struct {
    const char *id;      /* of the finding */
    const char *meaning; /* a sentence */
    const char *advice;  /* what to do */
} Text;

static const Text absent = {
    "agent-absent",
    "virtksmd has no socket there.",
    "Start virtksmd, or name the socket of the one that runs: --socket PATH.",
};
static const Text not_permitted = {
    "agent-not-permitted",
    "You may not use the socket of virtksmd.",
    "Become root or a member of the socket's group, or see [access] read_only_for_all.",
};
static const Text not_listening = {
    "agent-not-listening",
    "The virtksmd whose socket this is has ended, and not cleaned up.",
    "Start virtksmd again; it puts back what was left, and its log tells why the last one ended.",
};
static const Text refused = {
    "agent-refused",
    "virtksmd is there, and refuses to tell you this.",
    "Ask as root, or as one of those whom [access] domain_figures and read_only_for_all let.",
};
static const Text not_answering = {
    "agent-not-answering",
    "virtksmd is there, and has not answered this.",
    "See its log, and whether its version is that of virtksm.",
};

/* Pid of a process of that name, as text; NULL: none. */
static char *
find_daemon(void)
{
    g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
    const char *pid;

    while (proc && (pid = g_dir_read_name(proc)) != NULL) {
        g_autofree char *path = g_build_filename("/proc", pid, "comm", NULL);
        g_autofree char *comm = NULL;

        if (g_ascii_isdigit(*pid) && g_file_get_contents(path, &comm, NULL, NULL) &&
            g_str_equal(g_strchomp(comm), DAEMON))
            return g_strdup(pid);
    }
    return NULL;
}

/* Return: 0, or the errno of connecting. A full queue is a daemon that does not answer. */
static int
try_connect(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int code = 0;
    int fd;

    if (strlen(path) >= sizeof(address.sun_path))
        return ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        code = errno;
    if (fd >= 0)
        close(fd);
    return code == EAGAIN ? 0 : code;
}

static char *
describe_absence(int code)
{
    g_autofree char *pid = find_daemon();

    if (pid)
        return g_strdup_printf("%s; but a virtksmd runs (process %s)", g_strerror(code), pid);
    return g_strdup_printf("%s, and no virtksmd runs", g_strerror(code));
}

static char *
describe_permission(const char *socket)
{
    struct stat st;

    if (stat(socket, &st) < 0)
        return g_strdup("its folder is closed to you");
    return g_strdup_printf("mode %04o, user %ld, group %ld", st.st_mode & 07777u, (long)st.st_uid,
                           (long)st.st_gid);
}

static const Text *
look(const char *socket, const GError *reason, const char *text, char **ret_value)
{
    int code = try_connect(socket);

    switch (code) {
    case 0:
        if (reason->code == GRPC_STATUS_PERMISSION_DENIED) {
            *ret_value = g_strdup(reason->message);
            return &refused;
        }
        *ret_value = g_strdup(text);
        return &not_answering;
    case EACCES:
    case EPERM:
        *ret_value = describe_permission(socket);
        return &not_permitted;
    case ECONNREFUSED:
        *ret_value = g_strdup(g_strerror(code));
        return &not_listening;
    default:
        *ret_value = describe_absence(code);
        return &absent;
    }
}

Virtksm__V1__Finding *
doctor_local_look(const char *socket, const GError *reason, const char *text)
{
    Virtksm__V1__Finding *finding = g_new(Virtksm__V1__Finding, 1);
    const Text *found;

    virtksm__v1__finding__init(finding);
    found = look(socket, reason, text, &finding->value);
    finding->id = g_strdup(found->id);
    finding->severity = g_strdup("error");
    finding->subject = g_strdup("host");
    finding->meaning = g_strdup(found->meaning);
    finding->source = g_strdup(socket);
    finding->advice = g_strdup(found->advice);
    return finding;
}
