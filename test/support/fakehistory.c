/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakehistory.c - a folder with a history */
#include "test/support/fakehistory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define GIB_KIB INT64_C(1048576)

int
fakehistory_setup(void **state)
{
    FakeHistory *fake = g_new0(FakeHistory, 1);

    fake->root = fakeroot_new();
    fake->history = history_new(fakeroot_path(fake->root));
    fake->path = g_build_filename(fakeroot_path(fake->root), HISTORY_FILE, NULL);
    fake->limits = (HistoryLimits){ .keep_s = { 86400, 31 * 86400, 731 * 86400 },
                                    .size_bytes = 256 * 1048576 };
    *state = fake;
    return 0;
}

int
fakehistory_teardown(void **state)
{
    FakeHistory *fake = *state;

    history_free(fake->history);
    fakeroot_free(fake->root);
    g_free(fake->path);
    g_free(fake);
    return 0;
}

void
fakehistory_reopen(FakeHistory *fake)
{
    history_free(fake->history);
    fake->history = history_new(fakeroot_path(fake->root));
}

size_t
fakehistory_column(const char *field)
{
    size_t n;
    const HistoryColumn *columns = history_columns(&n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(columns[i].field, field) == 0)
            return i;
    fail_msg("no column has the field %s", field);
    return 0;
}

static void
add(HistoryBatch *batch, const char *uuid, const char *name, int64_t saved_kib)
{
    HistoryRecord *entry = g_new0(HistoryRecord, 1);

    entry->uuid = g_strdup(uuid);
    entry->name = g_strdup(name);
    history_add(&entry->sums, fakehistory_column("running_s"), 60000000);
    history_add(&entry->sums, fakehistory_column("measured_s"), 60000000);
    history_add(&entry->sums, fakehistory_column("saved_gib_hours"), saved_kib * 60);
    history_add(&entry->sums, fakehistory_column("net_saved_gib_hours"), saved_kib * 59);
    history_add(&entry->sums, fakehistory_column("metadata_gib_hours"), saved_kib);
    history_add(&entry->sums, fakehistory_column("resident_gib_hours"), 4 * GIB_KIB * 60);
    g_ptr_array_add(batch->entries, entry);
}

void
fakehistory_add(HistoryBatch *batch, const char *uuid, const char *name, int64_t saved_kib)
{
    add(batch, uuid, name, saved_kib);
}

HistoryBatch *
fakehistory_batch(int64_t start_s, unsigned domains)
{
    HistoryBatch *batch = g_new0(HistoryBatch, 1);

    batch->start_s = start_s;
    batch->entries = g_ptr_array_new_with_free_func(history_record_free);
    add(batch, HISTORY_HOST_UUID, "", GIB_KIB * domains);
    for (unsigned i = 0; i < domains; i++) {
        g_autofree char *uuid = g_strdup_printf("%08u-1111-4111-8111-111111111111", i);
        g_autofree char *name = g_strdup_printf("d%u", i);

        add(batch, uuid, name, GIB_KIB);
    }
    return batch;
}

void
fakehistory_write(FakeHistory *fake, int64_t start_s, unsigned domains)
{
    g_autoptr(HistoryBatch) batch = fakehistory_batch(start_s, domains);
    g_autoptr(GError) error = NULL;

    if (!history_write(fake->history, batch, &fake->limits, &error))
        fail_msg("%s", error->message);
}

HistoryAnswer *
fakehistory_ask(FakeHistory *fake, const char *domain, HistoryStep step, int64_t since_s,
                int64_t until_s)
{
    HistoryQuery query = { domain, since_s, until_s, step };
    HistoryAnswer *answer = NULL;
    g_autoptr(GError) error = NULL;

    if (!history_query(fake->history, &query, &answer, &error))
        fail_msg("%s", error->message);
    return answer;
}

double
fakehistory_figure(const HistorySums *sums, const char *field)
{
    size_t n;
    size_t column = fakehistory_column(field);

    if (!history_is_known(sums, column))
        fail_msg("%s is not known", field);
    return history_figure(&history_columns(&n)[column], sums->values[column]);
}

unsigned
fakehistory_files(const FakeHistory *fake, const char *prefix)
{
    g_autoptr(GDir) dir = g_dir_open(fakeroot_path(fake->root), 0, NULL);
    const char *name;
    unsigned found = 0;

    while ((name = g_dir_read_name(dir)) != NULL)
        found += g_str_has_prefix(name, prefix) ? 1 : 0;
    return found;
}

void
fakehistory_expect(FakeHistory *fake, unsigned minutes, const char *when)
{
    for (HistoryStep step = 0; step < HISTORY_STEP_COUNT; step++) {
        g_autoptr(HistoryAnswer) answer = fakehistory_ask(
            fake, NULL, step, FAKEHISTORY_DAY_S, FAKEHISTORY_DAY_S + 90000 * history_step_s(step));
        double seconds = minutes > 0 ? fakehistory_figure(&answer->host, "running_s") : 0;

        if (seconds != minutes * 60.0)
            fail_msg("%s: %s: %.0f minutes, want %u", when, history_step_name(step), seconds / 60,
                     minutes);
    }
}
