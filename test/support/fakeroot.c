/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakeroot.c - a fabricated tree that stands in for "/" in a test */
#define _GNU_SOURCE

#include "test/support/fakeroot.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Descriptors that nftw() may keep open: more than any tree of ours is deep. */
#define REMOVE_FDS 16

struct FakeRoot {
    char *path; /* owned; absolute */
    int fd;     /* owned; the directory */
};

/* In memory if there is a place for that: making files is many times as fast there as on a disk,
 * and does not wait for what others write to it. */
static char *
make_folder(void)
{
    static const char *const places[] = { "/dev/shm", TEST_BUILD_DIR };

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char *path = g_build_filename(places[i], "virtksm-fakeroot-XXXXXX", NULL);

        if (g_mkdtemp(path))
            return g_steal_pointer(&path);
    }
    fail_msg("cannot make a folder in %s: %s", TEST_BUILD_DIR, g_strerror(errno));
    return NULL;
}

FakeRoot *
fakeroot_new(void)
{
    g_autofree char *path = make_folder();
    FakeRoot *root;
    int fd;

    /* Open to everybody: some tests look at it with another user's rights. */
    if (chmod(path, 0755) < 0)
        fail_msg("cannot open up %s: %s", path, g_strerror(errno));
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("cannot open %s: %s", path, g_strerror(errno));
    root = g_new(FakeRoot, 1);
    root->path = g_steal_pointer(&path);
    root->fd = fd;
    return root;
}

static int
remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void
fakeroot_free(FakeRoot *root)
{
    if (!root)
        return;
    close(root->fd);
    nftw(root->path, remove_one, REMOVE_FDS, FTW_DEPTH | FTW_PHYS);
    g_free(root->path);
    g_free(root);
}

int
fakeroot_setup(void **state)
{
    *state = fakeroot_new();
    return 0;
}

int
fakeroot_teardown(void **state)
{
    fakeroot_free(*state);
    return 0;
}

int
fakeroot_fd(const FakeRoot *root)
{
    return root->fd;
}

const char *
fakeroot_path(const FakeRoot *root)
{
    return root->path;
}

void
fakeroot_write_bytes(FakeRoot *root, const char *path, const void *content, size_t length)
{
    g_autofree char *full = g_build_filename(root->path, path, NULL);
    g_autofree char *directory = g_path_get_dirname(full);
    g_autoptr(GError) error = NULL;

    if (g_mkdir_with_parents(directory, 0755) < 0)
        fail_msg("cannot make %s: %s", directory, g_strerror(errno));
    if (!g_file_set_contents_full(full, content, (gssize)length, G_FILE_SET_CONTENTS_CONSISTENT,
                                  0644, &error))
        fail_msg("%s", error->message);
}

void
fakeroot_write(FakeRoot *root, const char *path, const char *format, ...)
{
    g_autofree char *content = NULL;
    va_list arguments;

    va_start(arguments, format);
    content = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    fakeroot_write_bytes(root, path, content, strlen(content));
}

void
fakeroot_write_table(FakeRoot *root, const FakeFile *files, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fakeroot_write_bytes(root, files[i].path, files[i].content, strlen(files[i].content));
}

void
fakeroot_remove(FakeRoot *root, const char *path)
{
    g_autofree char *full = g_build_filename(root->path, path, NULL);

    if (nftw(full, remove_one, REMOVE_FDS, FTW_DEPTH | FTW_PHYS) != 0)
        fail_msg("cannot remove %s: %s", full, g_strerror(errno));
}
