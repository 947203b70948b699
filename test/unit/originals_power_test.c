/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * originals_power_test.c - when power is lost during a save, the record is the old or the new
 *
 * A child saves under ptrace, and at each of its system calls the test asks what would be on the
 * disk if power was lost now. That is less than the child has written, so there is a model of it:
 * what a file had when it was last synced is there, and what was written since may be there, in
 * part, as zeros, or not at all. The record is what was under its name when the directory was last
 * synced, or at any moment after that. Each of these disks is made, and looked at.
 *
 * Source: fsync(2); ptrace(2), PTRACE_GET_SYSCALL_INFO
 */
#define _GNU_SOURCE
#include "agent/actuator/originals.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "test/support/machine.h"
#include "test/support/tracedsave.h"

/* What may be on the disk of the record at the next loss of power. */
typedef struct {
    const RecordPlace *place; /* borrowed; what the child sees */
    char *dir;                /* owned; where the disks of the model are made */
    GHashTable *synced;       /* owned; number of an inode -> GBytes: what it had when synced */
    GPtrArray *records;       /* owned; of Record: those since the directory was synced */
} Disk;

/* What was under the name of the record at a moment. */
typedef struct {
    ino_t inode;   /* of the file; 0: there was none */
    GBytes *bytes; /* owned; what had been written to it by then; NULL: there was none */
} Record;

/* What may be found on a disk: the same one twice if it has to be. */
typedef struct {
    const char *when;
    const char *one;
    const char *other;
} Expected;

static void
record_free(gpointer data)
{
    Record *record = data;

    g_clear_pointer(&record->bytes, g_bytes_unref);
    g_free(record);
}

static GBytes *
read_bytes(const char *path)
{
    char *text = NULL;
    gsize len = 0;

    assert_true(g_file_get_contents(path, &text, &len, NULL));
    return g_bytes_new_take(text, len);
}

/* Remembers what is under the name by now. */
static void
look(Disk *disk)
{
    Record *record = g_new0(Record, 1);
    struct stat status;

    if (stat(disk->place->path, &status) == 0) {
        record->inode = status.st_ino;
        record->bytes = read_bytes(disk->place->path);
    }
    g_ptr_array_add(disk->records, record);
}

/* The child has synced a file or the directory. */
static void
note_sync(Disk *disk, pid_t pid, int fd)
{
    g_autofree char *link = g_strdup_printf("/proc/%d/fd/%d", (int)pid, fd);
    struct stat status;

    assert_int_equal(stat(link, &status), 0);
    if (S_ISDIR(status.st_mode))
        g_ptr_array_set_size(disk->records, 0);
    else
        g_hash_table_insert(disk->synced, GSIZE_TO_POINTER(status.st_ino), read_bytes(link));
}

static Disk
disk_new(const RecordPlace *place)
{
    Disk disk = {
        .place = place,
        .dir = g_build_filename(fakeroot_path(place->root), "disk", NULL),
        .synced = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_bytes_unref),
        .records = g_ptr_array_new_with_free_func(record_free),
    };
    struct stat status;

    assert_int_equal(g_mkdir_with_parents(disk.dir, 0700), 0);
    if (stat(place->path, &status) == 0)
        g_hash_table_insert(disk.synced, GSIZE_TO_POINTER(status.st_ino), read_bytes(place->path));
    look(&disk);
    return disk;
}

static void
disk_done(Disk *disk)
{
    g_free(disk->dir);
    g_hash_table_destroy(disk->synced);
    g_ptr_array_unref(disk->records);
}

/* A disk with @n of these bytes as the record, or without one. */
static void
assert_found(const Disk *disk, const char *bytes, gsize n, const Expected *expected)
{
    const RecordPlace model = { .dir = disk->dir };
    g_autofree char *path = g_build_filename(disk->dir, "originals", NULL);
    g_autofree char *found = NULL;

    g_unlink(path);
    if (bytes)
        assert_true(g_file_set_contents(path, bytes, (gssize)n, NULL));
    found = tracedsave_look(&model);
    if (strcmp(found, expected->one) != 0 && strcmp(found, expected->other) != 0)
        fail_msg("%s: \"%s\" is on the disk, with %zu bytes, not \"%s\" or \"%s\"", expected->when,
                 found, n, expected->one, expected->other);
}

/* One that was not synced is there, in part, as zeros, or empty. */
static void
assert_unsynced(const Disk *disk, const Record *record, const Expected *expected)
{
    gsize len = g_bytes_get_size(record->bytes);
    g_autofree char *zeros = g_malloc0(len + 1);
    const char *bytes = len > 0 ? g_bytes_get_data(record->bytes, NULL) : zeros;

    assert_found(disk, bytes, len, expected);
    assert_found(disk, bytes, len / 2, expected);
    assert_found(disk, zeros, len, expected);
    assert_found(disk, zeros, 0, expected);
}

static void
assert_disks(const Disk *disk, const Expected *expected)
{
    assert_int_not_equal(disk->records->len, 0);
    for (guint i = 0; i < disk->records->len; i++) {
        const Record *record = g_ptr_array_index(disk->records, i);
        GBytes *synced = g_hash_table_lookup(disk->synced, GSIZE_TO_POINTER(record->inode));

        if (!record->inode)
            assert_found(disk, NULL, 0, expected);
        else if (synced && g_bytes_equal(synced, record->bytes))
            assert_found(disk, g_bytes_get_data(synced, NULL), g_bytes_get_size(synced), expected);
        else
            assert_unsynced(disk, record, expected);
    }
}

/* @call: the last that was seen to begin. Return: what a sync was of that ends here; -1: none */
static int
synced_fd(pid_t pid, struct __ptrace_syscall_info *call)
{
    struct __ptrace_syscall_info info;
    bool is_sync = call->op == PTRACE_SYSCALL_INFO_ENTRY &&
                   (call->entry.nr == SYS_fsync || call->entry.nr == SYS_fdatasync);
    int fd = is_sync ? (int)call->entry.args[0] : -1;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
        skip_because_machine("this kernel does not tell which call a process makes");
    *call = info;
    return info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.rval == 0 ? fd : -1;
}

static void
lose_power_at_each_call(Disk *disk, pid_t pid, const Expected *row)
{
    struct __ptrace_syscall_info call = { .op = PTRACE_SYSCALL_INFO_NONE };
    const Expected saved = { row->when, row->other, row->other };

    for (unsigned stop = 1; tracedsave_step(pid); stop++) {
        g_autofree char *when = g_strdup_printf("%s, stop %u", row->when, stop);
        const Expected expected = { when, row->one, row->other };
        int fd = synced_fd(pid, &call);

        if (fd >= 0)
            note_sync(disk, pid, fd);
        look(disk);
        assert_disks(disk, &expected);
    }
    assert_disks(disk, &saved);
}

static void
after_a_loss_of_power_the_record_is_the_old_or_the_new(void **state)
{
    /* "": there is no record */
    static const Expected rows[] = {
        { "the first record", "", "0" },
        { "another value", "0", "1" },
        { "the end of it", "0", "" },
    };
    const RecordPlace *place = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *after = rows[i].other[0] ? rows[i].other : NULL;
        Disk disk;

        assert_true(tracedsave_now(place, NULL));
        assert_true(!rows[i].one[0] || tracedsave_now(place, rows[i].one));
        disk = disk_new(place);
        lose_power_at_each_call(&disk, tracedsave_begin(place, after), &rows[i]);
        disk_done(&disk);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDPLACE_TEST(after_a_loss_of_power_the_record_is_the_old_or_the_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
