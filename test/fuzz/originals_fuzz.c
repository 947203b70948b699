/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * originals_fuzz.c - any bytes as the record of what to restore, also with a checksum that is right
 *
 * The first byte says whether the checksum is added. What is believed is saved once more and must
 * be the same then; what is not believed is left as it is.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/actuator/originals.h"
#include "test/fuzz/kept_root.h"

#define BOOT   "11111111-2222-4333-8444-555555555555"
#define RECORD "state/originals"
#define GROUP  "ksm"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static FakeRoot *root; /* see kept_root() */

static OriginalsOutcome
open_record(Originals *originals)
{
    g_autofree char *dir = g_build_filename(fakeroot_path(root), "state", NULL);
    g_autoptr(GError) error = NULL;
    OriginalsOutcome outcome;

    originals_init(originals);
    outcome = originals_open(originals, dir, BOOT, &error);
    assert((error != NULL) == (outcome == ORIGINALS_DAMAGED || outcome == ORIGINALS_UNREADABLE));
    return outcome;
}

/* All of a group in one text. */
static char *
dump(const Originals *originals)
{
    g_auto(GStrv) keys = originals_keys(originals, GROUP);
    GString *out = g_string_new(NULL);

    for (size_t i = 0; keys[i]; i++) {
        g_autofree char *value = originals_get(originals, GROUP, keys[i]);

        g_string_append_printf(out, "%s=%s\n", keys[i], value ? value : "(none)");
    }
    return g_string_free(out, FALSE);
}

static void
save_again(Originals *originals)
{
    g_autofree char *before = dump(originals);
    g_autofree char *after = NULL;
    Originals again;

    if (!originals_prepare(originals, NULL))
        abort();
    originals_set(originals, "fuzz", "key", "value");
    if (!originals_save(originals, NULL))
        abort();
    assert(open_record(&again) == ORIGINALS_LOADED);
    after = dump(&again);
    assert(g_str_equal(before, after));
    originals_done(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GByteArray) text = g_byte_array_new();
    Originals originals;
    OriginalsOutcome outcome;

    if (size == 0)
        return 0;
    root = kept_root(fakeroot_new);
    g_byte_array_append(text, data + 1, (guint)size - 1);
    if (data[0] & 1) {
        g_autofree char *sum =
            g_compute_checksum_for_data(G_CHECKSUM_SHA256, text->data, text->len);
        g_autofree char *line = g_strdup_printf("# sha256 %s\n", sum);

        g_byte_array_append(text, (const guint8 *)line, (guint)strlen(line));
    }
    fakeroot_write_bytes(root, RECORD, text->data, text->len);
    outcome = open_record(&originals);
    if (outcome == ORIGINALS_LOADED)
        save_again(&originals);
    else if (outcome == ORIGINALS_DAMAGED)
        assert(!originals_prepare(&originals, NULL));
    originals_done(&originals);
    return 0;
}
