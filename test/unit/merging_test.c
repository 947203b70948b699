/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* merging_test.c - the guest's memory is told from that of QEMU's devices, and its flag is read */
#define _GNU_SOURCE
#include "agent/facts/merging.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/fakeroot.h"

#define MIB           (UINT64_C(1) << 20)
#define PART(flags)   "Rss:  4 kB\nVmFlags: rd wr mr mw me " flags "\n"
#define VIDEO(flags)  "7f6764a00000-7f6765a00000 rw-p 00000000 00:00 0 \n" PART(flags)
#define GUARD         "7f6765a00000-7f6765a01000 ---p 00000000 00:00 0 \n" PART("")
#define MEMORY(flags) "7f6765e00000-7f676be00000 rw-p 00000000 00:00 0 \n" PART(flags)
#define DECOY(flags)  "7f6000000000-7f6010000000 rw-p 00000000 00:00 0 \n" PART(flags)
#define SMALL(flags)  "7f6000000000-7f600f000000 rw-p 00000000 00:00 0 \n" PART(flags)
#define LOWER(flags)  "7f6765e00000-7f6767e00000 rw-p 00000000 00:00 0 \n" PART(flags)
#define UPPER(flags)  "7f6767e00000-7f676be00000 rw-p 00000000 00:00 0 \n" PART(flags)

static void
a_guest_is_marked_if_any_of_its_memory_is(void **unused)
{
    static const uint64_t whole[] = { 96 * MIB };
    static const uint64_t larger[] = { 128 * MIB };
    static const struct {
        const char *when;
        const char *smaps;
        const uint64_t *backends;
        int any; /* -1: cannot be told */
    } rows[] = {
        { "marked", VIDEO("mg") GUARD MEMORY("dc mg"), whole, 1 },
        { "switched off; the video memory never is", VIDEO("mg") GUARD MEMORY("dc"), whole, 0 },
        { "the kernel has cut it, and a part is marked", GUARD LOWER("dc mg") UPPER("dc"), whole,
          1 },
        { "cut, and none is", GUARD LOWER("dc") UPPER("dc"), whole, 0 },
        { "another flag with these letters", GUARD MEMORY("xmg"), whole, 0 },
        { "as much again beside it", DECOY("mg") GUARD MEMORY("dc"), whole, 1 },
        { "in two pieces", SMALL("mg") VIDEO("mg") GUARD MEMORY("dc"), whole, 1 },
        { "much for video memory", SMALL("mg") GUARD MEMORY("dc"), whole, 0 },
        { "much memory that is not marked", DECOY("") VIDEO("mg") GUARD MEMORY("dc"), whole, 0 },
        { "memory of another size", VIDEO("mg") GUARD MEMORY("dc mg"), larger, -1 },
        { "exited", "", whole, -1 },
    };
    FakeRoot *root = fakeroot_new();
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int fd = open(fakeroot_path(root), O_PATH | O_DIRECTORY | O_CLOEXEC);
        g_autoptr(GError) error = NULL;
        bool any = false;
        int told;

        fakeroot_write(root, "smaps", "%s", rows[i].smaps);
        told = merging_read(fd, rows[i].backends, 1, &any, &error) ? any : -1;
        close(fd);
        if (told != rows[i].any)
            fail_msg("%s: %d, %s", rows[i].when, told, error ? error->message : "");
    }
    fakeroot_free(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_is_marked_if_any_of_its_memory_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
