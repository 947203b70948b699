/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fakeroot.h - a fabricated tree that stands in for "/" in a test
 *
 *     g_autoptr(FakeRoot) root = fakeroot_new();
 *     fakeroot_write(root, "sys/kernel/mm/ksm/run", "%d\n", 1);
 *     host_init(&facts, fakeroot_fd(root));
 *
 * Add ${CMAKE_SOURCE_DIR}/test/support/fakeroot.c to the SOURCES of the test. Whatever fails in
 * here fails the test.
 */
#ifndef TEST_SUPPORT_FAKEROOT_H
#define TEST_SUPPORT_FAKEROOT_H

#include <glib.h>
#include <stddef.h>

typedef struct FakeRoot FakeRoot;

/* A test of cmocka with a tree of its own as its state. */
#define FAKEROOT_TEST(test) cmocka_unit_test_setup_teardown(test, fakeroot_setup, fakeroot_teardown)

/* One file of a tree that is written in one go. */
typedef struct {
    const char *path;    /* below the root */
    const char *content; /* text */
} FakeFile;

/** fakeroot_new() - an empty directory inside the build tree */
FakeRoot *fakeroot_new(void);

/** fakeroot_free() - remove the directory and all that is in it; NULL is fine */
void fakeroot_free(FakeRoot *root);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FakeRoot, fakeroot_free)

/** fakeroot_setup() - *state is fakeroot_new(); see FAKEROOT_TEST() */
int fakeroot_setup(void **state);

/** fakeroot_teardown() - the counterpart */
int fakeroot_teardown(void **state);

/** fakeroot_fd() - the directory; belongs to @root */
int fakeroot_fd(const FakeRoot *root);

/** fakeroot_path() - its absolute path; belongs to @root */
const char *fakeroot_path(const FakeRoot *root);

/**
 * fakeroot_write() - make a file hold a text
 * @root:   the tree
 * @path:   below the root; directories are made as needed
 * @format: of the whole content, as for printf()
 *
 * The file is replaced, not rewritten: a reader sees the old content or the new one, as with a
 * kernel file, but a descriptor opened before keeps showing the old one.
 */
void fakeroot_write(FakeRoot *root, const char *path, const char *format, ...) G_GNUC_PRINTF(3, 4);

/** fakeroot_write_bytes() - as fakeroot_write(), for content that has NULs in it */
void fakeroot_write_bytes(FakeRoot *root, const char *path, const void *content, size_t length);

/** fakeroot_write_table() - as fakeroot_write(), for each of @n files */
void fakeroot_write_table(FakeRoot *root, const FakeFile *files, size_t n);

/** fakeroot_remove() - remove a file or a whole directory; it must exist */
void fakeroot_remove(FakeRoot *root, const char *path);

#endif
