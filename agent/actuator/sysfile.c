/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysfile.c - the only way to write a kernel file
 *
 * Reading first keeps quiet hosts quiet: some handlers have effects even for an equal value (a
 * write to sleep_millisecs wakes ksmd, a write to run waits for its batch). The read opens the
 * file for reading only, so that an equal value is found equal on a read-only sysfs too.
 *
 * Paths are walked component by component below the root and no symbolic link is followed, so
 * neither a fabricated tree nor a name that came from a domain can lead a write elsewhere.
 *
 * Files are never created or truncated on opening. Kernel files have no size; the plain files of
 * a fabricated tree keep the tail of a longer old value, which is cut after the write.
 */
#define _GNU_SOURCE
#include "agent/actuator/sysfile.h"
#include "agent/facts/procfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static const char *const apply_result_names[] = {
    [APPLY_DONE] = "done", [APPLY_UNCHANGED] = "unchanged", [APPLY_RETRY] = "retry",
    [APPLY_GONE] = "gone", [APPLY_REFUSED] = "refused",
};
static_assert(G_N_ELEMENTS(apply_result_names) == APPLY_COUNT,
              "apply_result_names[] and ApplyResult differ");

/* What each errno means for the next attempt. Any other is taken as final: better one message
 * than the same failing write at every tick. */
static const struct {
    int code;
    const char *name;
    ApplyResult result;
} errno_rows[] = {
    { EBUSY, "EBUSY", APPLY_RETRY },
    { EINTR, "EINTR", APPLY_RETRY },
    { EAGAIN, "EAGAIN", APPLY_RETRY },
    { ENOMEM, "ENOMEM", APPLY_RETRY },
    { EMFILE, "EMFILE", APPLY_RETRY },
    { ENFILE, "ENFILE", APPLY_RETRY },
    { ENOENT, "ENOENT", APPLY_GONE },
    { ENODEV, "ENODEV", APPLY_GONE },
    { ESRCH, "ESRCH", APPLY_GONE },
    { EACCES, "EACCES", APPLY_REFUSED },
    { EPERM, "EPERM", APPLY_REFUSED },
    { EROFS, "EROFS", APPLY_REFUSED },
    { EINVAL, "EINVAL", APPLY_REFUSED },
    { ENOSYS, "ENOSYS", APPLY_REFUSED },
    { EOPNOTSUPP, "EOPNOTSUPP", APPLY_REFUSED },
    { ELOOP, "ELOOP", APPLY_REFUSED },
    { ENOTDIR, "ENOTDIR", APPLY_REFUSED },
    { EXDEV, "EXDEV", APPLY_REFUSED },
};

const char *
apply_result_name(ApplyResult result)
{
    return (unsigned)result < APPLY_COUNT ? apply_result_names[result] : "unknown";
}

/* Sorts @code and words it: "cannot write 5 to /sys/...: Invalid argument (EINVAL)". */
static ApplyResult
classify_failure(int code, const char *what, const char *path, GError **error)
{
    const char *name = "unexpected";
    ApplyResult result = APPLY_REFUSED;

    for (size_t i = 0; i < G_N_ELEMENTS(errno_rows); i++) {
        if (errno_rows[i].code == code) {
            name = errno_rows[i].name;
            result = errno_rows[i].result;
        }
    }
    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(code), "cannot %s /%s: %s (%s)",
                what, path, g_strerror(code), name);
    return result;
}

/* Whether every component of @path is a plain name. */
static bool
is_below(const char *path)
{
    const char *part = path;

    for (;;) {
        size_t len = strcspn(part, "/");

        if (len == 0 || len > NAME_MAX || (len == 2 && memcmp(part, "..", 2) == 0))
            return false;
        if (part[len] == '\0')
            return true;
        part += len + 1;
    }
}

/* Opens @path below @root_fd through no symbolic link. Return: descriptor (owned by the caller),
 * or -1 with errno set. */
static int
open_below(int root_fd, const char *path, int flags)
{
    const char *part = path;
    int dir_fd = root_fd;
    int fd = -1;

    if (!is_below(path)) {
        errno = EXDEV;
        return -1;
    }
    for (;;) {
        size_t len = strcspn(part, "/");
        bool is_last = part[len] == '\0';
        char name[NAME_MAX + 1];
        int saved;

        memcpy(name, part, len);
        name[len] = '\0';
        fd =
            openat(dir_fd, name, (is_last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
        saved = errno;
        if (dir_fd != root_fd)
            close(dir_fd);
        errno = saved;
        if (fd < 0 || is_last)
            return fd;
        dir_fd = fd;
        part += len + 1;
    }
}

ApplyResult
sysfile_get_text(int root_fd, const char *path, char *ret_text, GError **error)
{
    char text[SYSFILE_TEXT_BYTES];
    int fd = open_below(root_fd, path, O_RDONLY | O_NONBLOCK);
    ssize_t n;
    int code;

    if (fd < 0)
        return classify_failure(errno, "open", path, error);
    n = pread(fd, text, sizeof(text) - 1, 0);
    code = errno;
    close(fd);
    if (n < 0)
        return classify_failure(code, "read", path, error);

    while (n > 0 && text[n - 1] == '\n')
        n--;
    memcpy(ret_text, text, (size_t)n);
    ret_text[n] = '\0';
    return APPLY_UNCHANGED;
}

ApplyResult
sysfile_get_choice(int root_fd, const char *path, char *ret_text, GError **error)
{
    ApplyResult result = sysfile_get_text(root_fd, path, ret_text, error);

    if (result == APPLY_UNCHANGED)
        procfile_choose(ret_text);
    return result;
}

ApplyResult
sysfile_get_u64(int root_fd, const char *path, uint64_t *ret_value, GError **error)
{
    char text[SYSFILE_TEXT_BYTES];
    ApplyResult result = sysfile_get_text(root_fd, path, text, error);
    guint64 value;

    if (result != APPLY_UNCHANGED)
        return result;
    if (!g_ascii_string_to_unsigned(text, 10, 0, UINT64_MAX, &value, NULL)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "/%s holds \"%.40s\", not a number",
                    path, text);
        return APPLY_REFUSED;
    }
    *ret_value = value;
    return APPLY_UNCHANGED;
}

ApplyResult
sysfile_probe(int root_fd, const char *path, GError **error)
{
    int fd = open_below(root_fd, path, O_WRONLY | O_NONBLOCK);

    if (fd < 0)
        return classify_failure(errno, "open for writing", path, error);
    close(fd);
    return APPLY_UNCHANGED;
}

/* Writes @value, which the file is known not to hold. */
static ApplyResult
write_once(int root_fd, const char *path, const char *value, GError **error)
{
    g_autofree char *what = g_strdup_printf("write %s to", value);
    g_autofree char *line = g_strconcat(value, "\n", NULL);
    size_t len = strlen(line);
    int fd = open_below(root_fd, path, O_WRONLY | O_NONBLOCK);
    ssize_t n;
    int code;

    if (fd < 0)
        return classify_failure(errno, what, path, error);
    n = pwrite(fd, line, len, 0);
    code = errno;
    /* No matter if it fails: the kernel's own files have nothing to cut. */
    if (n == (ssize_t)len && ftruncate(fd, (off_t)len) < 0)
        errno = code;
    close(fd);
    if (n < 0)
        return classify_failure(code, what, path, error);
    if ((size_t)n != len) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_IO,
                    "cannot %s /%s: the kernel took %zd of %zu bytes", what, path, n, len);
        return APPLY_RETRY;
    }
    return APPLY_DONE;
}

ApplyResult
sysfile_set_text(int root_fd, const char *path, const char *value, GError **error)
{
    char have[SYSFILE_TEXT_BYTES];

    if (value[0] == '\0' || strchr(value, '\n')) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "cannot write \"%.40s\" to /%s: not one line of text", value, path);
        return APPLY_REFUSED;
    }
    if (sysfile_get_choice(root_fd, path, have, NULL) == APPLY_UNCHANGED &&
        strcmp(have, value) == 0)
        return APPLY_UNCHANGED;
    return write_once(root_fd, path, value, error);
}

ApplyResult
sysfile_set_u64(int root_fd, const char *path, uint64_t value, GError **error)
{
    uint64_t have;

    if (sysfile_get_u64(root_fd, path, &have, NULL) == APPLY_UNCHANGED && have == value)
        return APPLY_UNCHANGED;
    return sysfile_order_u64(root_fd, path, value, error);
}

ApplyResult
sysfile_order_u64(int root_fd, const char *path, uint64_t value, GError **error)
{
    char text[sizeof("18446744073709551615")];

    g_snprintf(text, sizeof(text), "%" PRIu64, value);
    return write_once(root_fd, path, text, error);
}
