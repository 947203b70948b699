/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold_record.c - what is on disk of the values that we have changed
 *
 *     [balloon]
 *     <uuid>=<number of the start> <found> <least> <most> <wrote> <cgroup>
 *     [balloon_apart]
 *     <uuid>=ended <number of the start> <found> <least> <most> <wrote> <cgroup>
 *     <uuid>=foreign <number of the start> <set by somebody else>
 *
 * in bytes, or "none"; the cgroup is "-" where there is none to tell. The number of the start
 * tells the domain that we have changed from a later one of the same uuid, which has nothing of
 * ours. Apart are those in which nothing is to be put back.
 *
 * A reboot ends all domains, and libvirt counts their starts from 1 again. Those that were saved
 * before may come with what we had set (libvirt-guests saves them all at a shutdown, some before a
 * stop of ours has got to them), so what an earlier boot has left has ended.
 */
#include "agent/actuator/hold.h"

#include "agent/log.h"

#include <inttypes.h>
#include <string.h>

#define FIELDS    6
#define NONE      "none"
#define NO_CGROUP "-"
/* What the entries begin with that are apart. */
#define ENDED   "ended "
#define FOREIGN "foreign "

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
parse_id(const char *text, int *ret_id)
{
    guint64 id;

    if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT, &id, NULL))
        return false;
    *ret_id = (int)id;
    return true;
}

static bool
parse(const char *text, Hold *hold)
{
    g_auto(GStrv) fields = g_strsplit(text, " ", FIELDS);
    ChangeKnown *known = &hold->known;

    if (g_strv_length(fields) != FIELDS || !parse_id(fields[0], &hold->id) ||
        !parse_number(fields[1], &known->found_bytes) ||
        !parse_number(fields[2], &known->least_bytes) ||
        !parse_number(fields[3], &known->most_bytes) ||
        !parse_number(fields[4], &known->wrote_bytes))
        return false;
    g_free(hold->cgroup);
    hold->cgroup = strcmp(fields[5], NO_CGROUP) != 0 ? g_strdup(fields[5]) : NULL;
    return true;
}

static bool
parse_foreign(const char *text, Hold *hold)
{
    g_auto(GStrv) fields = g_strsplit(text, " ", 2);

    return g_strv_length(fields) == 2 && parse_id(fields[0], &hold->id) &&
           parse_number(fields[1], &hold->foreign_bytes);
}

/* Return: what it is; HOLD_IDLE if it is not understood. */
static HoldState
parse_entry(const char *text, bool is_apart, Hold *hold)
{
    if (!is_apart)
        return parse(text, hold) ? HOLD_LEFT : HOLD_IDLE;
    if (g_str_has_prefix(text, ENDED))
        return parse(text + strlen(ENDED), hold) ? HOLD_ENDED : HOLD_IDLE;
    if (g_str_has_prefix(text, FOREIGN))
        return parse_foreign(text + strlen(FOREIGN), hold) ? HOLD_FOREIGN : HOLD_IDLE;
    return HOLD_IDLE;
}

static char *
apart_group(const HoldTable *table)
{
    return g_strconcat(table->group, "_apart", NULL);
}

/* What an entry is after a reboot: the start that it tells of is over. */
static HoldState
after_reboot(HoldState state)
{
    return state == HOLD_FOREIGN ? HOLD_IDLE : HOLD_ENDED;
}

static void
load_one(HoldTable *table, const char *group, const char *uuid, bool is_apart)
{
    g_autofree char *text = originals_get(table->originals, group, uuid);
    const Subject subject = { .uuid = uuid, .name = uuid, .id = 0 };
    Hold *hold = hold_need(table, &subject);

    hold->is_seen = false;
    hold->is_loaded = true;
    hold->state = parse_entry(text, is_apart, hold);
    if (hold->state == HOLD_IDLE) {
        log_warning("%s: %s: the record says \"%.100s\", which is not understood: the domain "
                    "stays as it is",
                    group, uuid, text);
        g_hash_table_remove(table->by_uuid, uuid);
        return;
    }
    if (table->originals->outcome == ORIGINALS_LASTING)
        hold->state = after_reboot(hold->state);
    if (hold->state == HOLD_ENDED)
        hold->id = 0; /* no start has that number, and a later one may have its own */
    if (table->originals->outcome != ORIGINALS_LASTING)
        return;
    if (hold->state == HOLD_IDLE)
        hold_remove(table, hold);
    else
        hold_record_put(table, hold);
}

static void
load_group(HoldTable *table, const char *group, bool is_apart)
{
    g_auto(GStrv) uuids = originals_keys(table->originals, group);

    for (size_t i = 0; uuids[i]; i++)
        load_one(table, group, uuids[i], is_apart);
}

void
hold_table_load(HoldTable *table)
{
    g_autofree char *apart = apart_group(table);

    load_group(table, apart, true);
    load_group(table, table->group, false);
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

static char *
entry_text(const Hold *hold)
{
    g_autofree char *found = number_text(hold->known.found_bytes);
    g_autofree char *least = number_text(hold->known.least_bytes);
    g_autofree char *most = number_text(hold->known.most_bytes);
    g_autofree char *wrote = number_text(hold->known.wrote_bytes);
    g_autofree char *theirs = number_text(hold->foreign_bytes);

    if (hold->state == HOLD_FOREIGN)
        return g_strdup_printf(FOREIGN "%d %s", hold->id, theirs);
    return g_strdup_printf("%s%d %s %s %s %s %s", hold->state == HOLD_ENDED ? ENDED : "", hold->id,
                           found, least, most, wrote, hold->cgroup ? hold->cgroup : NO_CGROUP);
}

void
hold_record_put(HoldTable *table, const Hold *hold)
{
    bool is_apart = hold->state == HOLD_FOREIGN || hold->state == HOLD_ENDED;
    g_autofree char *apart = apart_group(table);
    g_autofree char *text = entry_text(hold);
    g_autofree char *recorded = NULL;

    if (table->is_reader || !originals_prepare(table->originals, NULL))
        return; /* told when it is to be saved */
    recorded = originals_get(table->originals, is_apart ? apart : table->group, hold->uuid);
    if (g_strcmp0(recorded, text) == 0)
        return; /* nothing to write */
    hold_record_drop(table, hold);
    originals_set(table->originals, is_apart ? apart : table->group, hold->uuid, text);
}

static void
drop_from(HoldTable *table, const char *group, const char *uuid)
{
    g_autofree char *text = originals_get(table->originals, group, uuid);

    if (text && originals_prepare(table->originals, NULL))
        originals_drop(table->originals, group, uuid);
}

void
hold_record_drop(HoldTable *table, const Hold *hold)
{
    g_autofree char *apart = apart_group(table);

    if (table->is_reader || table->originals->outcome == ORIGINALS_DAMAGED)
        return;
    drop_from(table, table->group, hold->uuid);
    drop_from(table, apart, hold->uuid);
}

bool
hold_record_save(HoldTable *table, GError **error)
{
    return !originals_is_dirty(table->originals) || originals_save(table->originals, error);
}
