/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * confine.c - fewer capabilities, no new ones, and only the system calls that an agent makes
 *
 * The agent parses what tenants write, with libraries of others, and with rights of root. So once
 * its sockets are there it keeps a handful of capabilities, each with a reason below, and a filter
 * of system calls, which is a list of what is allowed: a call that is not in it fails with ENOSYS,
 * as on a kernel that does not have it. That is what libraries are prepared for: the C library goes
 * on with an older call, so a newer library than ours does not break the agent.
 *
 * Why here, and not in a unit of systemd: it holds however the agent is started, it can begin after
 * the sockets are made, it is as narrow as the agent is, and tests see it without systemd. What is
 * done with mounts (a file system that is read-only, no /home) is the unit's part.
 *
 * The list is what strace shows of all tests, with the calls that other versions of the C library
 * use in their place. Arguments are looked at where the call would be too much otherwise.
 *
 * clone3() is not allowed, although every C library tries it first: what it is asked for is in
 * memory, where a filter cannot look. The C library then uses clone().
 */
#define _GNU_SOURCE
#include "agent/confine.h"
#include "agent/error.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* needs: CAP_DAC_READ_SEARCH CAP_SYS_PTRACE CAP_SYS_RESOURCE CAP_NET_BIND_SERVICE */
/* needs for working sets: CAP_DAC_OVERRIDE CAP_SYS_ADMIN */
/* needs as another user than root: CAP_DAC_OVERRIDE */
static const struct {
    unsigned capability;
    bool for_measuring; /* only where working sets are measured ... */
    bool for_others;    /* ... or where the user is not root, whose the kernel's files are */
} kept[] = {
    { CAP_DAC_READ_SEARCH, false, false },  /* ksm_stat of a QEMU that runs as another user */
    { CAP_SYS_PTRACE, false, false },       /* its maps and pagemap */
    { CAP_SYS_RESOURCE, false, false },     /* pressure triggers with a window that is not 2 s */
    { CAP_NET_BIND_SERVICE, false, false }, /* [metrics] listen at a port below 1024 */
    { CAP_DAC_OVERRIDE, true, true },       /* its clear_refs; KSM's files, those of cgroups */
    { CAP_SYS_ADMIN, true, false }, /* page frames in its pagemap; the filter leaves little else */
};

#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

/* On s390 the stack comes before the flags. */
#ifdef __s390__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* Allowed whatever the arguments are; those that this architecture has not are passed over. */
static const char *const calls[] = {
    /* files */
    "access", "chdir", "chmod", "close", "close_range", "copy_file_range", "creat", "dup", "dup2",
    "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat",
    "fchown", "fcntl", "fcntl64", "fdatasync", "fgetxattr", "flistxattr", "flock", "fstat",
    "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate", "ftruncate64", "getcwd",
    "getdents", "getdents64", "getxattr", "lgetxattr", "link", "linkat", "listxattr", "llistxattr",
    "lseek", "_llseek", "lstat", "lstat64", "mkdir", "mkdirat", "newfstatat", "open", "openat",
    "openat2", "pread64", "preadv", "pwrite64", "pwritev", "read", "readahead", "readlink",
    "readlinkat", "readv", "rename", "renameat", "renameat2", "rmdir", "sendfile", "sendfile64",
    "stat", "stat64", "statfs", "statfs64", "statx", "symlink", "symlinkat", "sync_file_range",
    "truncate", "umask", "unlink", "unlinkat", "utimensat", "write", "writev",
    /* waiting */
    "clock_getres", "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64",
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
    "eventfd", "eventfd2", "futex", "futex_time64", "futex_wait", "futex_waitv", "futex_wake",
    "getitimer", "gettimeofday", "inotify_add_watch", "inotify_init", "inotify_init1",
    "inotify_rm_watch", "nanosleep", "pipe", "pipe2", "poll", "ppoll", "ppoll_time64", "pselect6",
    "pselect6_time64", "restart_syscall", "select", "setitimer", "signalfd", "signalfd4", "time",
    "timerfd_create", "timerfd_gettime", "timerfd_settime", "_newselect",
    /* sockets; which kinds may be made is said below */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
    "recv", "recvfrom", "recvmmsg", "recvmsg", "send", "sendmmsg", "sendmsg", "sendto",
    "setsockopt", "shutdown", "socketpair",
    /* memory */
    "brk", "madvise", "membarrier", "memfd_create", "mincore", "mmap", "mmap2", "mprotect",
    "mremap", "msync", "munmap",
    /* itself and its threads */
    "alarm", "arch_prctl", "capget", "exit", "exit_group", "get_robust_list", "getcpu", "getegid",
    "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups", "getgroups32",
    "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrandom", "getresgid",
    "getresgid32", "getresuid", "getresuid32", "getrlimit", "getrusage", "getsid", "gettid",
    "getuid", "getuid32", "kill", "pidfd_open", "pidfd_send_signal", "rseq", "rt_sigaction",
    "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend",
    "rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sched_getaffinity",
    "sched_getattr", "sched_getparam", "sched_get_priority_max", "sched_get_priority_min",
    "sched_getscheduler", "sched_setattr", "sched_yield", "set_robust_list", "set_thread_area",
    "set_tid_address", "setpriority", "sigaction", "sigaltstack", "sigprocmask", "sigreturn",
    "sysinfo", "tgkill", "tkill", "times", "ugetrlimit", "uname", "vfork",
    /* the guard of limits, and what libvirt's library starts to reach another host */
    "execve", "fork", "setpgid", "setsid", "wait4", "waitid", "waitpid"
};

/* Allowed if an argument, less the bits of the mask, is this. */
static const struct {
    const char *call;
    unsigned argument;
    uint64_t mask;
    uint64_t value;
} rules[] = {
    { "clone", CLONE_FLAGS, NAMESPACES, 0 },
    { "socket", 0, UINT32_MAX, AF_UNIX },
    { "socket", 0, UINT32_MAX, AF_INET },
    { "socket", 0, UINT32_MAX, AF_INET6 },
    { "socket", 0, UINT32_MAX, AF_NETLINK }, /* the C library, when it looks up a host */
    { "ioctl", 1, UINT32_MAX, TCGETS },      /* the log, to know whether it is on a terminal */
    { "ioctl", 1, UINT32_MAX, FIONREAD },
    { "ioctl", 1, UINT32_MAX, FIONBIO },
    { "prctl", 0, UINT32_MAX, PR_SET_NAME },
    { "prctl", 0, UINT32_MAX, PR_GET_NAME },
    { "prctl", 0, UINT32_MAX, PR_SET_PDEATHSIG },
    { "prlimit64", 2, UINT64_MAX, 0 }, /* limits are read */
};

static bool
fail(GError **error, int code, const char *what)
{
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_RUNTIME, "cannot give up %s: %s", what,
                g_strerror(code));
    return false;
}

static uint64_t
kept_set(bool measures)
{
    bool is_other = geteuid() != 0;
    uint64_t set = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
        if (!kept[i].for_measuring || measures || (kept[i].for_others && is_other))
            set |= UINT64_C(1) << kept[i].capability;
    return set;
}

/* Who may not change the set needs no capability to be without: no_new_privs keeps others out. */
static void
drop_bounds(uint64_t set)
{
    for (unsigned c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        if (!(set >> c & 1))
            prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
}

/* There is no wrapper in the C library. Ambient capabilities follow by themselves. */
static bool
drop_capabilities(uint64_t set, GError **error)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    bool is_change = false;

    if (syscall(SYS_capget, &head, data) < 0)
        return fail(error, errno, "capabilities");
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        uint32_t half = (uint32_t)(set >> 32 * i);

        is_change |= ((data[i].permitted | data[i].inheritable) & ~half) != 0;
        data[i].permitted &= half;
        data[i].effective &= half;
        data[i].inheritable &= half;
    }
    /* A service that was given no more may be refused the call, and needs none. */
    if (is_change && syscall(SYS_capset, &head, data) < 0)
        return fail(error, errno, "capabilities");
    return true;
}

/* Return: 0 or an errno. */
static int
add_rules(scmp_filter_ctx filter)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < G_N_ELEMENTS(calls); i++) {
        int number = seccomp_syscall_resolve_name(calls[i]);

        if (number != __NR_SCMP_ERROR)
            code = -seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    }
    for (size_t i = 0; code == 0 && i < G_N_ELEMENTS(rules); i++) {
        struct scmp_arg_cmp match = { rules[i].argument, SCMP_CMP_MASKED_EQ, rules[i].mask,
                                      rules[i].value };

        code = -seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
                                       seccomp_syscall_resolve_name(rules[i].call), 1, &match);
    }
    return code;
}

static bool
filter_calls(GError **error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int code = filter ? add_rules(filter) : ENOMEM;

    if (code == 0)
        code = -seccomp_load(filter);
    seccomp_release(filter);
    return code == 0 || fail(error, code, "system calls");
}

/* Sanitizers look at the whole process when it ends, by means that are not in the list. */
#ifdef VIRTKSM_SANITIZED
static bool
may_filter(void)
{
    return false;
}
#else
static bool
may_filter(void)
{
    return true;
}
#endif

bool
confine(bool measures, GError **error)
{
    uint64_t set = kept_set(measures);
    bool is_done;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail(error, errno, "new privileges");
    drop_bounds(set);
    is_done = drop_capabilities(set, error);
    /* Where the one may not be done, the other still may. */
    return (!may_filter() || filter_calls(is_done ? error : NULL)) && is_done;
}
