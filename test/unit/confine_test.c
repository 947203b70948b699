/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * confine_test.c - what is given up is gone, and what is needed still works
 *
 * Each case is a child of its own, as there is no way back.
 */
#define _GNU_SOURCE
#include "agent/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A user who owns nothing. */
#define NOBODY 65534

/* Exit codes of a child. */
enum { FINE, NOT_CONFINED, WRONG };

/* --- calls that no agent makes: each works, or fails otherwise, where there is no filter ---- */

static long
call_unshare(void)
{
    return unshare(CLONE_FILES);
}

static long
call_namespace(void)
{
    return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);
}

static long
call_clone3(void)
{
    return syscall(SYS_clone3, NULL, 0);
}

static long
call_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long
call_personality(void)
{
    return personality(0xffffffff);
}

static long
call_mount(void)
{
    return mount("none", "/nonexistent", "tmpfs", 0, NULL);
}

static long
call_other_socket(void)
{
    return socket(AF_ALG, SOCK_SEQPACKET, 0);
}

static long
call_io_uring(void)
{
    return syscall(SYS_io_uring_setup, 1, NULL);
}

static long
call_keyctl(void)
{
    return syscall(SYS_keyctl, 0, -3, 0);
}

static long
call_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long
call_terminal(void)
{
    return syscall(SYS_ioctl, STDERR_FILENO, 0x5412 /* TIOCSTI */, "x");
}

static long
call_setuid(void)
{
    return syscall(SYS_setuid, getuid());
}

static long
call_readv(void)
{
    return syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0);
}

static const struct {
    const char *name;
    long (*call)(void);
} forbidden[] = {
    { "unshare", call_unshare },
    { "clone into a namespace", call_namespace },
    { "clone3", call_clone3 },
    { "ptrace", call_ptrace },
    { "personality", call_personality },
    { "mount", call_mount },
    { "socket of another kind", call_other_socket },
    { "io_uring_setup", call_io_uring },
    { "keyctl", call_keyctl },
    { "prctl of another kind", call_dumpable },
    { "ioctl of another kind", call_terminal },
    { "setuid", call_setuid },
    { "process_vm_readv", call_readv },
};

static int
try_forbidden(size_t row)
{
    if (!confine(true, NULL))
        return NOT_CONFINED;
    return forbidden[row].call() == -1 && errno == ENOSYS ? FINE : WRONG;
}

/* --- what an agent does ----------------------------------------------------------------- */

static gpointer
think(gpointer data)
{
    return data;
}

static int
try_thread(size_t row)
{
    if (!confine(false, NULL))
        return NOT_CONFINED;
    return g_thread_join(g_thread_new("worker", think, &row)) == &row ? FINE : WRONG;
}

static int
try_program(size_t row)
{
    static const char *const arguments[] = { "/bin/true", NULL };
    int status = 1;

    (void)row;
    if (!confine(false, NULL))
        return NOT_CONFINED;
    if (!g_spawn_sync(NULL, (char **)(uintptr_t)arguments, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL,
                      NULL, &status, NULL))
        return WRONG;
    return status == 0 ? FINE : WRONG;
}

static int
try_file(size_t row)
{
    g_autofree char *path = g_strdup(TEST_BUILD_DIR "/confine-XXXXXX");
    int fd;

    (void)row;
    if (!confine(false, NULL))
        return NOT_CONFINED;
    fd = g_mkstemp(path);
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) < 0 || unlink(path) < 0)
        return WRONG;
    return g_file_set_contents(path, "x", 1, NULL) && unlink(path) == 0 ? FINE : WRONG;
}

static int
try_socket(size_t row)
{
    static const int kinds[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

    (void)row;
    if (!confine(false, NULL))
        return NOT_CONFINED;
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (socket(kinds[i], SOCK_DGRAM, 0) < 0 && errno == ENOSYS)
            return WRONG;
    return FINE;
}

/* --- capabilities ----------------------------------------------------------------------- */

static bool
has(unsigned capability)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &head, data) < 0)
        return false;
    return data[capability / 32].permitted >> capability % 32 & 1;
}

static const struct {
    const char *name;
    unsigned capability;
    bool kept;
    bool kept_for_measuring;
} capabilities[] = {
    { "DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, true, true },
    { "SYS_PTRACE", CAP_SYS_PTRACE, true, true },
    { "SYS_RESOURCE", CAP_SYS_RESOURCE, true, true },
    { "NET_BIND_SERVICE", CAP_NET_BIND_SERVICE, true, true },
    { "DAC_OVERRIDE", CAP_DAC_OVERRIDE, false, true },
    { "SYS_ADMIN", CAP_SYS_ADMIN, false, true },
    { "CHOWN", CAP_CHOWN, false, false },
    { "FOWNER", CAP_FOWNER, false, false },
    { "KILL", CAP_KILL, false, false },
    { "SETUID", CAP_SETUID, false, false },
    { "SETPCAP", CAP_SETPCAP, false, false },
    { "SYS_MODULE", CAP_SYS_MODULE, false, false },
    { "SYS_RAWIO", CAP_SYS_RAWIO, false, false },
    { "NET_ADMIN", CAP_NET_ADMIN, false, false },
    { "NET_RAW", CAP_NET_RAW, false, false },
};

/* prctl() itself is not what it was. */
static bool
is_in_bounds(unsigned capability)
{
    g_autofree char *text = NULL;
    const char *line;

    if (!g_file_get_contents("/proc/self/status", &text, NULL, NULL))
        return true;
    line = strstr(text, "CapBnd:");
    return !line || g_ascii_strtoull(line + strlen("CapBnd:"), NULL, 16) >> capability & 1;
}

/* Even rows measure. */
static int
try_capability(size_t row)
{
    unsigned capability = capabilities[row / 2].capability;
    bool measures = row % 2 == 0;
    bool want = measures ? capabilities[row / 2].kept_for_measuring : capabilities[row / 2].kept;
    bool had = has(capability);
    bool may_drop = has(CAP_SETPCAP);

    if (!confine(measures, NULL))
        return NOT_CONFINED;
    if (has(capability) != (had && want))
        return WRONG;
    /* Not even a program that starts with the rights of root gets it back. */
    return may_drop && !want && is_in_bounds(capability) ? WRONG : FINE;
}

/* As the unit of systemd runs it: without what is root's by ownership. */
static int
try_another_user(size_t unused)
{
    bool had;
    (void)unused;

    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
        (setresuid(NOBODY, NOBODY, NOBODY) < 0 && geteuid() == 0))
        return NOT_CONFINED;
    had = has(CAP_DAC_OVERRIDE);
    if (!confine(false, NULL))
        return NOT_CONFINED;
    return has(CAP_DAC_OVERRIDE) == had && !has(CAP_SYS_ADMIN) ? FINE : WRONG;
}

/* As a unit of systemd may have it: no rights, and no call to change them. */
static int
try_refused(size_t unused)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_capset, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { G_N_ELEMENTS(code), code };
    (void)unused;

    if (syscall(SYS_capset, &head, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return NOT_CONFINED;
    return confine(true, NULL) ? FINE : WRONG;
}

/* --- children --------------------------------------------------------------------------- */

static void
expect_fine(const char *what, int (*try)(size_t), size_t row)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(try(row));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != FINE)
        fail_msg("%s: status %#x", what, (unsigned)status);
}

static void
calls_that_no_agent_makes_are_refused(void **unused)
{
    (void)unused;
#ifdef VIRTKSM_SANITIZED
    print_message("there is no filter in a build with sanitizers\n");
    return;
#endif
    for (size_t i = 0; i < G_N_ELEMENTS(forbidden); i++)
        expect_fine(forbidden[i].name, try_forbidden, i);
}

static void
what_an_agent_does_still_works(void **unused)
{
    (void)unused;
    expect_fine("a thread", try_thread, 0);
    expect_fine("a program", try_program, 0);
    expect_fine("a file", try_file, 0);
    expect_fine("sockets", try_socket, 0);
}

static void
only_the_capabilities_that_are_needed_stay(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(capabilities); i++)
        expect_fine(capabilities[i / 2].name, try_capability, i);
}

static void
who_is_not_root_keeps_what_lets_it_write_the_files_of_root(void **unused)
{
    (void)unused;
    expect_fine("another user", try_another_user, 0);
}

static void
who_has_nothing_to_give_up_need_not_be_able_to(void **unused)
{
    (void)unused;
    expect_fine("capset is refused", try_refused, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_that_no_agent_makes_are_refused),
        cmocka_unit_test(what_an_agent_does_still_works),
        cmocka_unit_test(only_the_capabilities_that_are_needed_stay),
        cmocka_unit_test(who_is_not_root_keeps_what_lets_it_write_the_files_of_root),
        cmocka_unit_test(who_has_nothing_to_give_up_need_not_be_able_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
