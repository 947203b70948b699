/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory_high_guard.c - somebody who lifts limits when the agent no longer can
 *
 * A limit that is too low for what a domain does next squeezes it for as long as nobody raises it.
 * The agent raises it as soon as the domain waits for memory, but the agent may be killed, stopped
 * or stuck. So while a limit of ours is in force there is a second process, this program again
 * with another option, which does nothing but wait:
 *
 *     agent                              guard
 *       |--- lease until T ---------------->|  waits until T
 *       |--- lease until T' --------------->|  waits until T'
 *       |--- 0: nothing in force ---------->|  exits
 *       x (killed: the socket closes) ----->|  lifts, exits
 *       z (stopped: T' passes) ------------>|  lifts, goes on waiting
 *
 * The guard is there before the first limit is: a limit that nobody would lift is not set. It
 * reads from the record of originals what is to be lifted, so it need not be told, and it leaves
 * the record alone, which has one writer. What it does is harmless when the agent lives after
 * all: a limit goes up to what was found, which the agent sees as such, and a value that is not
 * the one on record is not touched. First comes memory.high itself, which needs nobody; then
 * libvirt is told, so that its definition and the kernel agree.
 *
 * It has a session of its own and ignores what ends the agent politely: the agent tells it when
 * to go. If something kills the guard, the agent starts another at its next decision; if both are
 * killed at once, systemd's ExecStopPost= (virtksmd --restore) is left, and the next start.
 *
 * Rejected: a timer in the kernel does not exist for cgroup settings; a transient systemd timer
 * needs systemd, and the daemon to renew it; a thread is stopped and killed with its process.
 */
#define _GNU_SOURCE
#include "agent/actuator/memory_high_guard.h"

#include "agent/actuator/memory_high.h"
#include "agent/log_event.h"
#include "policy/arith.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* The agent lifts what lapses itself; the guard is for when it does not. */
#define GRACE_US UINT64_C(3000000)
/* A lease that moves by less than this is not worth a message. */
#define NEWS_US UINT64_C(1000000)

/* --- the agent's end -------------------------------------------------------------------- */

void
high_guard_init(HighGuard *guard, const char *const *run)
{
    size_t n = 0;

    while (run[n])
        n++;
    *guard = (HighGuard){ .run = g_new0(char *, n + 1), .fd = -1 };
    for (size_t i = 0; i < n; i++)
        guard->run[i] = g_strdup(run[i]);
}

static void
reap(GPid pid, gint status, gpointer unused)
{
    (void)status;
    (void)unused;
    g_spawn_close_pid(pid);
}

/* Its end is nobody's business any more. */
static void
let_go(HighGuard *guard)
{
    if (guard->fd < 0)
        return;
    close(guard->fd);
    g_source_remove(guard->watch);
    g_child_watch_add(guard->pid, reap, NULL);
    guard->fd = -1;
    guard->watch = 0;
    guard->told_us = 0;
}

void
high_guard_done(HighGuard *guard)
{
    let_go(guard);
    g_clear_pointer(&guard->run, g_strfreev);
}

static void
guard_ended(GPid pid, gint status, gpointer data)
{
    HighGuard *guard = data;

    (void)status;
    g_spawn_close_pid(pid);
    log_warning("memory_high: the guard of limits has ended; another will be started");
    close(guard->fd);
    guard->fd = -1;
    guard->watch = 0;
    guard->told_us = 0;
}

/* What ends the agent politely. */
static void
polite_signals(sigset_t *ret_set)
{
    sigemptyset(ret_set);
    sigaddset(ret_set, SIGTERM);
    sigaddset(ret_set, SIGINT);
    sigaddset(ret_set, SIGHUP);
}

/* The guard is born with those blocked, so that none ends it before it ignores them. */
static bool
spawn(HighGuard *guard, int fd, GError **error)
{
    sigset_t polite, before;
    bool started;

    polite_signals(&polite);
    pthread_sigmask(SIG_BLOCK, &polite, &before);
    started = g_spawn_async_with_fds(NULL, guard->run, NULL,
                                     G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_FILE_AND_ARGV_ZERO, NULL,
                                     NULL, &guard->pid, fd, -1, -1, error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static bool
start(HighGuard *guard, GError **error)
{
    int fds[2];
    bool started;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
        g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(errno),
                    "no limit is set, as the guard that would lift it cannot be started: %s",
                    g_strerror(errno));
        return false;
    }
    started = spawn(guard, fds[1], error);
    close(fds[1]);
    if (!started) {
        g_prefix_error(error, "no limit is set, as the guard that would lift it cannot be "
                              "started: ");
        close(fds[0]);
        return false;
    }
    guard->fd = fds[0];
    guard->watch = g_child_watch_add(guard->pid, guard_ended, guard);
    return true;
}

static bool
send_lease(HighGuard *guard, uint64_t lease_us, GError **error)
{
    if (send(guard->fd, &lease_us, sizeof(lease_us), MSG_NOSIGNAL | MSG_DONTWAIT) ==
        sizeof(lease_us)) {
        guard->told_us = lease_us;
        return true;
    }
    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(errno),
                "no limit is set, as the guard that would lift it cannot be told: %s",
                g_strerror(errno));
    return false;
}

bool
high_guard_tell(HighGuard *guard, uint64_t lease_us, GError **error)
{
    if (lease_us == 0) {
        if (guard->fd >= 0 && send_lease(guard, 0, NULL))
            let_go(guard);
        return true;
    }
    if (guard->fd < 0 && !start(guard, error))
        return false;
    if (max_u64(lease_us, guard->told_us) - min_u64(lease_us, guard->told_us) < NEWS_US)
        return true;
    return send_lease(guard, lease_us, error);
}

/* --- the guard's end -------------------------------------------------------------------- */

static void
lift_all(const HighGuarded *guarded, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *boot_id = NULL;
    g_autofree char *note = NULL;
    Originals originals;
    HoldTable holds;
    guint n;

    originals_init(&originals);
    if (!originals_read_boot_id(guarded->root_fd, &boot_id, &error)) {
        log_error("memory_high: %s, and limits cannot be lifted: %s", why, error->message);
        return;
    }
    originals_open(&originals, guarded->state_dir, boot_id, NULL);
    memory_high_init_holds(&holds, &originals, guarded->root_fd);
    holds.is_reader = true;
    hold_table_load(&holds);
    log_event(LOG_EVENT_GUARD_LIFTS, "memory_high: %s: lifting its limits", why);
    if (!hold_table_restore_now(&holds, guarded->uri, &n, &note, &error))
        log_warning("memory_high: libvirt was not told: %s", error->message);
    else if (note)
        log_info("memory_high: %s", note);
    hold_table_done(&holds);
    originals_done(&originals);
}

/* Milliseconds until @lease_us is over, for poll(). */
static int
patience_ms(uint64_t lease_us)
{
    uint64_t left_us = sat_sub(sat_add(lease_us, GRACE_US), (uint64_t)g_get_monotonic_time());

    if (lease_us == 0)
        return -1;
    return (int)min_u64(left_us / 1000 + (left_us % 1000 > 0), G_MAXINT);
}

/* Return: whether there is more to come; @ret_lease_us: as told. */
static bool
receive(int fd, uint64_t *ret_lease_us)
{
    ssize_t n;

    do
        n = recv(fd, ret_lease_us, sizeof(*ret_lease_us), 0);
    while (n < 0 && errno == EINTR);
    return n == sizeof(*ret_lease_us);
}

void
high_guard_serve(int fd, const HighGuarded *guarded)
{
    uint64_t lease_us = 0; /* nothing to lift before the first message */
    sigset_t polite;

    setsid();
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    polite_signals(&polite);
    pthread_sigmask(SIG_UNBLOCK, &polite, NULL);
    for (;;) {
        struct pollfd watched = { .fd = fd, .events = POLLIN };
        int n = poll(&watched, 1, patience_ms(lease_us));

        if (n < 0)
            continue; /* interrupted */
        if (n == 0) {
            lift_all(guarded, "the agent has not renewed its limits in time");
            lease_us = 0; /* until it is heard of again */
        } else if (!receive(fd, &lease_us)) {
            lift_all(guarded, "the agent is gone");
            return;
        } else if (lease_us == 0) {
            return;
        }
    }
}
