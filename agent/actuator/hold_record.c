/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold_record.c - what is on disk of the values that we have changed
 *
 *     [balloon]
 *     <uuid>=<number of the start> <found> <from> <wrote> <cgroup>
 *
 * in bytes, or "none"; the cgroup is "-" where there is none to tell. The number of the start
 * tells the domain that we have changed from a later one of the same uuid, which has nothing of
 * ours.
 */
#include "agent/actuator/hold.h"

#include "agent/log.h"

#include <inttypes.h>
#include <string.h>

#define FIELDS    5
#define NONE      "none"
#define NO_CGROUP "-"

static char *
number_text(uint64_t bytes)
{
    return bytes == LIMIT_NONE ? g_strdup(NONE) : g_strdup_printf("%" PRIu64, bytes);
}

static bool
parse_number(const char *text, uint64_t *ret_bytes)
{
    guint64 bytes;

    if (strcmp(text, NONE) == 0)
        bytes = LIMIT_NONE;
    else if (!g_ascii_string_to_unsigned(text, 10, 0, LIMIT_NONE, &bytes, NULL))
        return false;
    *ret_bytes = bytes;
    return true;
}

static bool
parse(const char *text, Hold *hold)
{
    g_auto(GStrv) fields = g_strsplit(text, " ", FIELDS);
    guint64 id;

    if (g_strv_length(fields) != FIELDS ||
        !g_ascii_string_to_unsigned(fields[0], 10, 0, G_MAXINT, &id, NULL) ||
        !parse_number(fields[1], &hold->known.found_bytes) ||
        !parse_number(fields[2], &hold->known.from_bytes) ||
        !parse_number(fields[3], &hold->known.wrote_bytes))
        return false;
    hold->id = (int)id;
    g_free(hold->cgroup);
    hold->cgroup = strcmp(fields[4], NO_CGROUP) != 0 ? g_strdup(fields[4]) : NULL;
    return true;
}

void
hold_table_load(HoldTable *table)
{
    g_auto(GStrv) uuids = originals_keys(table->originals, table->group);

    for (size_t i = 0; uuids[i]; i++) {
        g_autofree char *text = originals_get(table->originals, table->group, uuids[i]);
        const Subject subject = { .uuid = uuids[i], .name = uuids[i], .id = 0 };
        Hold *hold = hold_need(table, &subject);

        hold->is_seen = false;
        if (parse(text, hold)) {
            hold->state = HOLD_LEFT;
        } else {
            log_warning("%s: %s: the record says \"%.100s\", which is not understood: the domain "
                        "stays as it is",
                        table->group, uuids[i], text);
            g_hash_table_remove(table->by_uuid, uuids[i]);
        }
    }
}

bool
hold_record_confirm(HoldTable *table, Hold *hold)
{
    g_autofree char *text = NULL;

    if (table->is_reader)
        return true;
    if (!originals_prepare(table->originals, NULL))
        return false;
    text = originals_get(table->originals, table->group, hold->uuid);
    if (text && parse(text, hold))
        return true;
    g_hash_table_remove(table->by_uuid, hold->uuid);
    return false;
}

void
hold_record_put(HoldTable *table, const Hold *hold)
{
    g_autofree char *found = number_text(hold->known.found_bytes);
    g_autofree char *from = number_text(hold->known.from_bytes);
    g_autofree char *wrote = number_text(hold->known.wrote_bytes);
    g_autofree char *text = g_strdup_printf("%d %s %s %s %s", hold->id, found, from, wrote,
                                            hold->cgroup ? hold->cgroup : NO_CGROUP);

    if (table->is_reader || !originals_prepare(table->originals, NULL))
        return; /* told when it is to be saved */
    originals_drop(table->originals, table->group, hold->uuid);
    originals_set(table->originals, table->group, hold->uuid, text);
}

void
hold_record_drop(HoldTable *table, const Hold *hold)
{
    g_autofree char *text = NULL;

    if (table->is_reader || table->originals->outcome == ORIGINALS_DAMAGED)
        return;
    text = originals_get(table->originals, table->group, hold->uuid);
    if (text && originals_prepare(table->originals, NULL))
        originals_drop(table->originals, table->group, hold->uuid);
}

bool
hold_record_save(HoldTable *table, GError **error)
{
    return !originals_is_dirty(table->originals) || originals_save(table->originals, error);
}
