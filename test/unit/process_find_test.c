/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process_find_test.c - the right process for a domain, whatever files and programs claim */
#define _GNU_SOURCE

#include "agent/facts/process.h"

#include <gio/gio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/descriptors.h"
#include "test/support/fakehost.h"

#define UUID       FAKEHOST_QEMU_UUID
#define UUID_UPPER "C7A5FDBD-EDAF-9455-926A-D65C16DB1809"
#define OTHER_UUID "c7a5fdbd-edaf-9455-926a-d65c16db1800"
#define QEMU       "/usr/bin/qemu-system-x86_64\0-name\0guest=web\0"
#define SYSTEM_DIR "run/libvirt/qemu/"

/* A string literal with NULs in it, as a command line: its own final NUL counts. */
#define write_cmdline(root, pid, arguments)                                                        \
    fakeroot_write_bytes(root, "proc/" #pid "/cmdline", arguments, sizeof(arguments))

static int
without_session(void **unused)
{
    (void)unused;
    g_unsetenv("XDG_RUNTIME_DIR");
    return 0;
}

/* The pid found; 0 if none. */
static pid_t
found_pid(const FakeRoot *root, const char *name)
{
    g_auto(Process) process = { 0 };

    process_find(fakeroot_fd(root), &(ProcessWanted){ name, UUID, false }, &process, NULL);
    return process.pid;
}

static void
takes_a_process_only_for_its_exact_uuid_argument(void **unused)
{
    static const struct {
        const char *when;
        const char *cmdline;
        size_t length;
        bool is_found;
    } rows[] = {
#define ROW(when, text, found) { when, text, sizeof(text), found }
        ROW("as libvirt writes it", QEMU "-uuid\0" UUID "\0-S", true),
        ROW("in capitals", QEMU "-uuid\0" UUID_UPPER, true),
        ROW("second of two", QEMU "-uuid\0" OTHER_UUID "\0-uuid\0" UUID, true),
        ROW("other uuid", QEMU "-uuid\0" OTHER_UUID, false),
        ROW("longer uuid", QEMU "-uuid\0" UUID "0", false),
        ROW("other option", QEMU "-uuids\0" UUID, false),
        ROW("one argument", QEMU "-uuid=" UUID, false),
        ROW("inside another argument", QEMU "-name\0x -uuid " UUID, false),
        ROW("not next to each other", QEMU "-uuid\0-S\0" UUID, false),
        ROW("empty argument between", QEMU "-uuid\0\0" UUID, false),
        ROW("option is the last", QEMU "-uuid", false),
        ROW("uuid alone", UUID, false),
        ROW("empty arguments", "\0\0\0", false),
#undef ROW
        { "cut off in front of the final NUL", "-uuid\0" UUID, sizeof("-uuid\0" UUID) - 1, false },
        { "kernel thread", "", 0, false },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakeroot_new();
        pid_t pid;

        fakeroot_write_bytes(root, "proc/42/cmdline", rows[i].cmdline, rows[i].length);
        pid = found_pid(root, "web");
        if (pid != (rows[i].is_found ? 42 : 0))
            fail_msg("%s: pid %d", rows[i].when, (int)pid);
        fakeroot_write(root, SYSTEM_DIR "web.pid", "42");
        pid = found_pid(root, "web");
        if (pid != (rows[i].is_found ? 42 : 0))
            fail_msg("%s, with a pid file: pid %d", rows[i].when, (int)pid);
    }
}

static void
finds_it_whatever_the_pid_file_says(void **unused)
{
    static const struct {
        const char *when;
        const char *pid_file;
    } rows[] = {
        { "right", "42" },
        { "right, with newline", "42\n" },
        { "pid of another program", "7" },
        { "pid of nobody", "4711" },
        { "empty", "" },
        { "garbage", "../42" },
        { "zero", "0" },
        { "negative", "-42" },
        { "too large", "4294967338" },
        { "much too large", "99999999999999999999" },
    };
    g_autoptr(FakeRoot) root = fakeroot_new();
    (void)unused;

    fakehost_add_qemu(root);
    write_cmdline(root, 7,
                  "sleep\0"
                  "100");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        fakeroot_write(root, SYSTEM_DIR "web.pid", "%s", rows[i].pid_file);
        if (found_pid(root, "web") != 42)
            fail_msg("%s: not found", rows[i].when);
    }
}

/* Whether looking for a domain called @name opens the file @path. */
static bool
does_open(const FakeRoot *root, const char *name, const char *path)
{
    g_autofree char *full = g_build_filename(fakeroot_path(root), path, NULL);
    int watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    char event[4096];
    ssize_t n;

    assert_true(watch_fd >= 0 && inotify_add_watch(watch_fd, full, IN_OPEN) >= 0);
    assert_int_equal(found_pid(root, name), 42);
    n = read(watch_fd, event, sizeof(event));
    close(watch_fd);
    return n > 0;
}

static void
looks_for_pid_files_only_in_their_directory(void **unused)
{
    static const struct {
        const char *name;
        const char *path;
        bool is_opened;
    } rows[] = {
        { "web", SYSTEM_DIR "web.pid", true },
        { "gäste-日本", SYSTEM_DIR "gäste-日本.pid", true },
        { "two\nlines", SYSTEM_DIR "two\nlines.pid", true },
        { "with blanks", SYSTEM_DIR "with blanks.pid", true },
        { "..", SYSTEM_DIR "...pid", true },
        { "", SYSTEM_DIR ".pid", true },
        { "%s%n", SYSTEM_DIR "%s%n.pid", true },
        { "../up", "run/libvirt/up.pid", false },
        { "../../../top", "top.pid", false },
        { "/run/libvirt/other", "run/libvirt/other.pid", false },
        { "below/it", SYSTEM_DIR "below/it.pid", false },
    };
    g_autoptr(FakeRoot) root = fakeroot_new();
    (void)unused;

    fakehost_add_qemu(root);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        fakeroot_write(root, rows[i].path, "42\n");
        if (does_open(root, rows[i].name, rows[i].path) != rows[i].is_opened)
            fail_msg("'%s': opened=%d", rows[i].name, !rows[i].is_opened);
    }
}

static void
finds_a_domain_whose_name_is_longer_than_a_file_name(void **unused)
{
    g_autofree char *name = g_strnfill(5000, 'x');
    g_autoptr(FakeRoot) root = fakeroot_new();
    (void)unused;

    fakehost_add_qemu(root);
    assert_int_equal(found_pid(root, name), 42);
}

static void
looks_for_pid_files_of_a_session_daemon_below_the_root(void **unused)
{
    static const char path[] = "run/user/1000/libvirt/qemu/run/web.pid";
    g_autoptr(FakeRoot) root = fakeroot_new();
    (void)unused;

    fakehost_add_qemu(root);
    fakeroot_write(root, path, "42");
    assert_false(does_open(root, "web", path));
    g_setenv("XDG_RUNTIME_DIR", "run/user/1000", TRUE);
    assert_false(does_open(root, "web", path));
    g_setenv("XDG_RUNTIME_DIR", "/run/user/1000", TRUE);
    assert_true(does_open(root, "web", path));
}

/* Any program may have the argument: where libvirt says which is its QEMU, it has to say so. */
static void
a_domain_of_libvirt_is_not_searched_for_where_its_pid_file_should_be(void **unused)
{
    static const struct {
        const char *when;
        const char *path; /* of a file; NULL: none */
        const char *text;
        bool is_systems;
        bool is_found;
    } rows[] = {
        { "no directory, in a container", NULL, NULL, true, true },
        { "its file is not there yet", SYSTEM_DIR "other.pid", "7", true, false },
        { "its file names it", SYSTEM_DIR "web.pid", "42", true, true },
        { "its file has numbers of elsewhere", SYSTEM_DIR "web.pid", "4711", true, true },
        { "somebody else's domain", SYSTEM_DIR "other.pid", "7", false, true },
        { "it is a session's, and the system has others", SYSTEM_DIR "other.pid", "7", false,
          true },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakeroot_new();
        g_autoptr(GError) error = NULL;
        g_auto(Process) process = { 0 };
        bool found;

        fakehost_add_qemu(root);
        if (rows[i].path)
            fakeroot_write(root, rows[i].path, "%s", rows[i].text);
        found = process_find(fakeroot_fd(root), &(ProcessWanted){ "web", UUID, rows[i].is_systems },
                             &process, &error);
        if (found != rows[i].is_found)
            fail_msg("%s: %s", rows[i].when, error ? error->message : "found");
        if (!found && !strstr(error->message, "no pid file of web"))
            fail_msg("%s: %s", rows[i].when, error->message);
    }
}

static void
says_what_it_could_not_find(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    g_autoptr(GError) not_found = NULL;
    g_autoptr(GError) not_a_uuid = NULL;
    Process process = { .pid = 77 };
    (void)unused;

    assert_false(process_find(fakeroot_fd(root), &(ProcessWanted){ "web", UUID, false }, &process,
                              &not_found));
    assert_true(g_error_matches(not_found, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
    assert_non_null(strstr(not_found->message, UUID));
    assert_false(process_find(fakeroot_fd(root), &(ProcessWanted){ "web", "web", false }, &process,
                              &not_a_uuid));
    assert_true(g_error_matches(not_a_uuid, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT));
    assert_int_equal(process.pid, 77);
}

static void
gives_back_every_descriptor(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    unsigned before = descriptors_open();
    Process process = { 0 };
    (void)unused;

    fakehost_add_qemu(root);
    write_cmdline(root, 7,
                  "sleep\0"
                  "100");
    fakeroot_write(root, SYSTEM_DIR "web.pid", "7");
    assert_true(
        process_find(fakeroot_fd(root), &(ProcessWanted){ "web", UUID, false }, &process, NULL));
    assert_int_equal(descriptors_open(), before + 1);
    process_done(&process);
    process_done(&process);
    process_done(NULL);
    assert_false(process_find(fakeroot_fd(root), &(ProcessWanted){ "web", OTHER_UUID, false },
                              &process, NULL));
    assert_int_equal(descriptors_open(), before);
    assert_false(process_read(&process, &(ProcessSample){ 0 }));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_process_only_for_its_exact_uuid_argument),
        cmocka_unit_test(finds_it_whatever_the_pid_file_says),
        cmocka_unit_test(looks_for_pid_files_only_in_their_directory),
        cmocka_unit_test(finds_a_domain_whose_name_is_longer_than_a_file_name),
        cmocka_unit_test(a_domain_of_libvirt_is_not_searched_for_where_its_pid_file_should_be),
        cmocka_unit_test(says_what_it_could_not_find),
        cmocka_unit_test(gives_back_every_descriptor),
        cmocka_unit_test(looks_for_pid_files_of_a_session_daemon_below_the_root),
    };

    return cmocka_run_group_tests(tests, without_session, NULL);
}
