/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - virtksm-hook: tells the daemon what libvirt tells its hooks
 *
 * libvirt waits for its hook before a domain starts, and does not start it if the hook fails. So
 * this program has one duty towards libvirt, to be gone soon with status 0, and only then one
 * towards the daemon:
 *
 * - the definition is read to its end, because libvirt is writing it; what does not fit is thrown
 *   away. A writer that does not come to an end is given READ_LIMIT_MS;
 * - one datagram is sent without waiting. Nobody there, a full queue, no memory in the kernel: then
 *   there is none, and the daemon hears of the domain by libvirt's callbacks or not at all;
 * - every signal that can be caught ends the program with status 0. So does an alarm, if something
 *   hangs that cannot, and a limit of CPU time;
 * - nothing is printed: for migrate and restore, text would replace the definition. No memory is
 *   allocated, no file opened, libvirt not called (it may hold locks while it waits for us).
 *
 * Usage: NAME OPERATION SUB-OPERATION EXTRA, with the definition on standard input. The daemon's
 * socket is /run/virtksm/hook.sock, or what VIRTKSM_HOOK_SOCKET names.
 *
 * Source: libvirt docs/hooks; src/util/virhook.c
 */
#define _GNU_SOURCE
#include "agent/config.h"
#include "hooks/call.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_DEFAULT  "/run/virtksm/hook.sock"
#define SOCKET_VARIABLE "VIRTKSM_HOOK_SOCKET"

/* libvirt writes a few KiB at once; a host that swaps may take its time. */
#define READ_LIMIT_MS 1000
/* When something hangs that is not meant to. */
#define ALARM_S     2
#define CPU_LIMIT_S 1

#define STACK_BYTES 16384

/* By this the daemon tells whether the hook that libvirt has is of its own version. */
__attribute__((used)) static const char version[] = "virtksm-hook " VIRTKSM_VERSION;

static char input[CALL_XML_MAX_BYTES];
static char surplus[65536];
static uint8_t packed[CALL_MAX_BYTES];
static char signal_stack[STACK_BYTES];

static void
end_well(int number)
{
    (void)number;
    _exit(EXIT_SUCCESS);
}

static bool
is_ignored_by_default(int number)
{
    return number == SIGCHLD || number == SIGURG || number == SIGWINCH || number == SIGCONT;
}

static void
catch_signals(void)
{
    const stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
    struct sigaction action = { .sa_handler = end_well, .sa_flags = SA_ONSTACK };
    sigset_t none;

    sigaltstack(&stack, NULL); /* for a stack that has overflowed */
    for (int number = 1; number < NSIG; number++)
        if (!is_ignored_by_default(number))
            sigaction(number, &action, NULL); /* refuses the two that cannot be caught */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* the alarm must not be blocked */
}

static void
set_limits(void)
{
    const struct rlimit no_core = { 0, 0 };
    const struct rlimit cpu = { CPU_LIMIT_S, CPU_LIMIT_S + 1 };
    const struct itimerval timer = { .it_value = { .tv_sec = ALARM_S } };

    setrlimit(RLIMIT_CORE, &no_core);
    setrlimit(RLIMIT_CPU, &cpu); /* SIGXCPU */
    setitimer(ITIMER_REAL, &timer, NULL);
}

static long
now_ms(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Return: as read(); -1 also when nothing has come until @end_ms. */
static ssize_t
read_some(char *buffer, size_t size, long end_ms)
{
    struct pollfd ready = { .fd = STDIN_FILENO, .events = POLLIN };
    long left_ms = end_ms - now_ms();

    if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) <= 0)
        return -1;
    return read(STDIN_FILENO, buffer, size);
}

static void
read_definition(Call *call)
{
    long end_ms = now_ms() + READ_LIMIT_MS;
    ssize_t n = 1;

    while (n > 0) {
        size_t room = sizeof(input) - call->length;

        n = room > 0 ? read_some(input + call->length, room, end_ms)
                     : read_some(surplus, sizeof(surplus), end_ms);
        if (n > 0 && room > 0)
            call->length += (size_t)n;
        else if (n > 0)
            call->incomplete = true;
    }
    if (n < 0)
        call->incomplete = true;
}

static bool
send_packed(size_t length)
{
    const char *path = getenv(SOCKET_VARIABLE);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;
    ssize_t n;

    path = path ? path : SOCKET_DEFAULT;
    if (length == 0 || strlen(path) >= sizeof(address.sun_path))
        return false;
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    n = sendto(fd, packed, length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address,
               sizeof(address));
    return n >= 0 || errno == EAGAIN || errno == ECONNREFUSED || errno == ENOENT;
}

int
main(int argc, char **argv)
{
    Call call = { .arguments = (const char *const *)(argv + 1), .xml = input };

    catch_signals();
    set_limits();
    read_definition(&call);
    /* A host may allow smaller datagrams than ours, or have no memory for one. */
    if (argc > 2 && !send_packed(call_pack(&call, true, packed)))
        send_packed(call_pack(&call, false, packed));
    _exit(EXIT_SUCCESS);
}
