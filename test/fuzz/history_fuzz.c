/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history_fuzz.c - any bytes in the place of the database of the history
 *
 * The first byte says where the bytes go: over a database that is right, at a place that the next
 * two name, or in place of it. It is then opened, read, written and pruned as the daemon does it:
 * that works or fails with a reason, and a file that is no database has become one.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/error.h"
#include "agent/report/history.h"
#include "test/fuzz/kept_root.h"
#include "test/support/fakehistory.h"

#define HEAD_BYTES 3
#define PLACE      256 /* multiples of it can be named */
#define DAY        FAKEHISTORY_DAY_S

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static FakeRoot *root; /* see kept_root() */
static guint8 *right;  /* a database that is right */
static gsize right_length;

static const HistoryLimits limits = { { 3600, 86400, 864000 }, 1 << 20 };

static void
end(void)
{
    g_free(right);
}

static History *
open_history(void)
{
    return history_new(fakeroot_path(root));
}

static bool
write_minute(History *history, GError **error)
{
    g_autoptr(HistoryBatch) batch = fakehistory_batch(DAY, 2);

    return history_write(history, batch, &limits, error);
}

static void
begin(void)
{
    g_autofree char *path = NULL;
    g_autoptr(History) history = NULL;

    if (root)
        return;
    root = kept_root(fakeroot_new);
    atexit(end);
    history = open_history();
    if (!write_minute(history, NULL))
        abort();
    g_clear_pointer(&history, history_free);
    path = g_build_filename(fakeroot_path(root), HISTORY_FILE, NULL);
    if (!g_file_get_contents(path, (char **)&right, &right_length, NULL))
        abort();
}

static void
put(const uint8_t *data, size_t size)
{
    size_t at = (size_t)(data[1] << 8 | data[2]) * PLACE % right_length;
    size_t length = MIN(size - HEAD_BYTES, right_length - at);
    g_autofree guint8 *bytes = NULL;

    if (data[0] & 1) {
        fakeroot_write_bytes(root, HISTORY_FILE, data + HEAD_BYTES, size - HEAD_BYTES);
        return;
    }
    bytes = g_memdup2(right, right_length);
    memcpy(bytes + at, data + HEAD_BYTES, length);
    fakeroot_write_bytes(root, HISTORY_FILE, bytes, right_length);
}

static void
ask(History *history, const char *domain)
{
    g_autoptr(HistoryAnswer) answer = NULL;
    g_autoptr(GError) error = NULL;

    for (HistoryStep step = 0; step < HISTORY_STEP_COUNT; step++) {
        HistoryQuery query = { domain, 0, INT64_MAX, step };

        g_clear_pointer(&answer, history_answer_free);
        g_clear_error(&error);
        if (history_query(history, &query, &answer, &error))
            assert(answer->rows && answer->totals);
        else
            assert(error->domain == AGENT_ERROR);
    }
}

static void
use(void)
{
    g_autoptr(History) history = open_history();
    g_autoptr(GError) error = NULL;

    if (!history_open(history, &error)) {
        assert(g_error_matches(error, AGENT_ERROR, AGENT_ERROR_STATE));
        return;
    }
    ask(history, NULL);
    ask(history, "d0");
    assert(write_minute(history, &error) || error);
    g_clear_error(&error);
    assert(history_prune(history, &limits, DAY + 1000000, &error) || error);
    g_free(history_take_note(history));
}

/* What was moved aside, and what SQLite keeps beside. */
static void
clean_up(void)
{
    g_autoptr(GDir) dir = g_dir_open(fakeroot_path(root), 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        fakeroot_remove(root, name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= HEAD_BYTES)
        return 0;
    begin();
    put(data, size);
    use();
    clean_up();
    return 0;
}
