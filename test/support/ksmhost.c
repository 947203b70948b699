/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksmhost.c - a host whose KSM is made of plain files, and a KsmActuator on it */
#define _GNU_SOURCE
#include "test/support/ksmhost.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

const KsmActuatorOptions plain = { .dry_run = false, .take_over = false };
const KsmActuatorOptions dry = { .dry_run = true, .take_over = false };
const KsmActuatorOptions greedy = { .dry_run = false, .take_over = true };
const KsmKnobs burst = { 1, 4000, 0, U, U, U };
const KsmKnobs rest = { 0, 4000, 0, U, U, U };
const KsmKnobs thorough = { 1, 4000, 0, U, 0, U };
const KsmKnobs with_zeros = { 1, 4000, 0, U, 0, 1 };
const KsmKnobs asleep = { 1, U, 3600000, U, U, U };

/* The host that the wrapped calls belong to; borrowed; NULL between tests. */
static KsmHost *wired;

int __real_openat(int dir_fd, const char *path, int flags, ...);
int __wrap_openat(int dir_fd, const char *path, int flags, ...);
ssize_t __real_pwrite(int fd, const void *buffer, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t size, off_t offset);

int
__wrap_openat(int dir_fd, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    if (wired && wired->open_errno != 0 && (flags & O_ACCMODE) == O_WRONLY) {
        errno = wired->open_errno;
        return -1;
    }
    va_start(args, flags);
    if (flags & O_CREAT)
        mode = va_arg(args, mode_t);
    va_end(args);
    return __real_openat(dir_fd, path, flags, mode);
}

static char *
file_text(const char *path)
{
    g_autofree char *full = g_build_filename(fakeroot_path(wired->root), path, NULL);
    char *text = NULL;

    return g_file_get_contents(full, &text, NULL, NULL) ? text : g_strdup("");
}

static bool
is_advisor_on(void)
{
    g_autofree char *text = file_text(KSM "advisor_mode");

    return strstr(text, "[scan-time]") || strcmp(text, "scan-time\n") == 0;
}

/* Whether the way back of this setting is on disk. */
static bool
is_recorded(const char *name)
{
    g_autofree char *key = g_strconcat("\n", name, "=", NULL);
    g_autofree char *record = NULL;

    return g_file_get_contents(wired->record, &record, NULL, NULL) && strstr(record, key);
}

ssize_t
__wrap_pwrite(int fd, const void *buffer, size_t size, off_t offset)
{
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *path = g_file_read_link(link, NULL);
    g_autofree char *name = g_path_get_basename(path);
    bool was_on = is_advisor_on();
    ssize_t n;

    g_string_append_printf(wired->log, "%s=%.*s ", name, (int)size - 1, (const char *)buffer);
    wired->unguarded += !is_recorded(name);
    if (g_strcmp0(wired->fail_name, name) == 0 && wired->fail_times-- > 0) {
        errno = wired->fail_errno;
        return wired->fail_errno != 0 ? -1 : (ssize_t)size;
    }
    if (strcmp(name, "pages_to_scan") == 0 && was_on) {
        errno = EINVAL;
        return -1;
    }
    n = __real_pwrite(fd, buffer, size, offset);
    if (strcmp(name, "advisor_mode") == 0 && ftruncate(fd, n) == 0 && was_on != is_advisor_on())
        fakeroot_write(wired->root, KSM "pages_to_scan", was_on ? "100\n" : "500\n");
    return n;
}

int
ksmhost_setup(void **state)
{
    static const FakeFile files[] = {
        { KSM "run", "0\n" },
        { KSM "pages_to_scan", "100\n" },
        { KSM "sleep_millisecs", "20\n" },
        { KSM "advisor_mode", "[none] scan-time\n" },
        { KSM "smart_scan", "1\n" },
        { KSM "use_zero_pages", "0\n" },
        { KSM "pages_sharing", "1000\n" },
        { KSM "ksm_zero_pages", "24\n" },
        { "proc/1/comm", "systemd\n" },
    };
    KsmHost *host = g_new0(KsmHost, 1);

    host->log = g_string_new(NULL);
    host->root = fakeroot_new();
    fakeroot_write_table(host->root, files, G_N_ELEMENTS(files));
    host->state_dir = g_build_filename(fakeroot_path(host->root), "state", NULL);
    host->record = g_build_filename(host->state_dir, "originals", NULL);
    originals_init(&host->originals);
    wired = host;
    *state = host;
    return 0;
}

void
ksmhost_crash(KsmHost *host)
{
    ksm_actuator_done(&host->actuator);
    originals_done(&host->originals);
}

int
ksmhost_teardown(void **state)
{
    KsmHost *host = *state;

    ksmhost_crash(host);
    wired = NULL;
    fakeroot_free(host->root);
    g_string_free(host->log, TRUE);
    g_free(host->state_dir);
    g_free(host->record);
    g_free(host);
    return 0;
}

static KsmActuatorState
start(KsmHost *host, const KsmActuatorOptions *options, const char *boot_id)
{
    originals_open(&host->originals, host->state_dir, boot_id, NULL);
    ksm_actuator_init(&host->actuator, fakeroot_fd(host->root), &host->originals, options);
    return ksm_actuator_open(&host->actuator);
}

KsmActuatorState
ksmhost_start(KsmHost *host, const KsmActuatorOptions *options)
{
    return start(host, options, BOOT);
}

KsmActuatorState
ksmhost_start_after_reboot(KsmHost *host)
{
    return start(host, &plain, OTHER_BOOT);
}

KsmKnobs
ksmhost_knobs(const KsmHost *host)
{
    KsmKnobs knobs;

    assert_int_equal(ksm_knobs_read(fakeroot_fd(host->root), &knobs, NULL), APPLY_UNCHANGED);
    return knobs;
}

ApplyResult
ksmhost_apply(KsmHost *host, const KsmKnobs *wanted)
{
    KsmKnobs sampled = ksmhost_knobs(host);

    return ksm_actuator_apply(&host->actuator, wanted, &sampled, NULL);
}

bool
ksmhost_has_record(const KsmHost *host)
{
    return g_file_test(host->record, G_FILE_TEST_EXISTS);
}

void
assert_wrote(KsmHost *host, const char *want)
{
    assert_string_equal(host->log->str, want);
    assert_int_equal(host->unguarded, 0);
    g_string_truncate(host->log, 0);
}

void
assert_knobs(const KsmKnobs *have, uint64_t run, uint64_t pages, uint64_t sleep, uint64_t advisor)
{
    assert_int_equal(have->run, run);
    assert_int_equal(have->pages_to_scan, pages);
    assert_int_equal(have->sleep_ms, sleep);
    assert_int_equal(have->advisor, advisor);
}

void
assert_in_force(const KsmHost *host, uint64_t run, uint64_t pages, uint64_t sleep, uint64_t advisor)
{
    KsmKnobs knobs = ksmhost_knobs(host);

    assert_knobs(&knobs, run, pages, sleep, advisor);
}

void
assert_restores(KsmHost *host, const char *want_note)
{
    g_autofree char *note = NULL;

    assert_true(ksm_actuator_restore(&host->actuator, &note, NULL));
    if (want_note ? !note || !strstr(note, want_note) : note != NULL)
        fail_msg("note \"%s\", want \"%s\"", note ? note : "", want_note ? want_note : "");
}
