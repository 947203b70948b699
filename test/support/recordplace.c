/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recordplace.c - a place for the record of what to restore, and a record in it */
#include "test/support/recordplace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

int
recordplace_setup(void **state)
{
    RecordPlace *place = g_new0(RecordPlace, 1);

    place->root = fakeroot_new();
    place->dir = g_build_filename(fakeroot_path(place->root), "var", "lib", "virtksm", NULL);
    place->path = g_build_filename(place->dir, "originals", NULL);
    *state = place;
    return 0;
}

int
recordplace_teardown(void **state)
{
    RecordPlace *place = *state;

    fakeroot_free(place->root);
    g_free(place->dir);
    g_free(place->path);
    g_free(place);
    return 0;
}

OriginalsOutcome
recordplace_open(const RecordPlace *place, Originals *originals)
{
    originals_init(originals);
    return originals_open(originals, place->dir, RECORDPLACE_BOOT, NULL);
}

void
recordplace_leave(const RecordPlace *place)
{
    Originals originals;

    recordplace_open(place, &originals);
    assert_true(originals_prepare(&originals, NULL));
    originals_set(&originals, "ksm", "run", "0");
    originals_set(&originals, "ksm", "advisor_mode", "scan-time");
    originals_set(&originals, "memory_high", RECORDPLACE_OTHER_BOOT, "max");
    assert_true(originals_save(&originals, NULL));
    originals_done(&originals);
}

void
recordplace_expect(const Originals *originals, const char *group, const char *key, const char *want)
{
    g_autofree char *value = originals_get(originals, group, key);

    if (g_strcmp0(value, want) != 0)
        fail_msg("%s/%s is %s, want %s", group, key, value ? value : "absent",
                 want ? want : "absent");
}
