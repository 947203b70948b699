/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* when.c - lengths of time before now, and dates */
#include "agent/cli/when.h"

#include <string.h>

/* More years than any history has; keeps the product small. */
#define AMOUNT_MAX 1000000

static const struct {
    char unit;
    int64_t length_s;
} units[] = {
    { 'm', 60 },
    { 'h', 3600 },
    { 'd', 86400 },
    { 'w', 604800 },
};

static bool
parse_length(const char *text, int64_t *ret_s)
{
    const char *end = text + strspn(text, "0123456789");
    guint64 amount;

    if (end == text || end - text > 7 || end[0] == '\0' || end[1] != '\0')
        return false;
    amount = g_ascii_strtoull(text, NULL, 10);
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        if (units[i].unit == *end && amount <= AMOUNT_MAX) {
            *ret_s = (int64_t)amount * units[i].length_s;
            return true;
        }
    }
    return false;
}

/* The longest date, YYYY-MM-DD; a '-' within it begins no zone. */
#define DATE_LENGTH 10

/* Where the zone begins: Z, +hh:mm and the like; the end of @text if there is none. */
static const char *
find_zone(const char *text)
{
    const char *time = text + MIN(strlen(text), DATE_LENGTH);

    return time + strcspn(time, "Z+-");
}

/*
 * ISO 8601 as GLib reads it wants hours, minutes and seconds before the zone; people leave them out
 * from the end.
 */
static bool
parse_date(const char *text, int64_t *ret_s)
{
    static const char *const rests[] = { "", ":00", "T00:00:00" };
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    const char *zone = find_zone(text);
    g_autofree char *local = g_strndup(text, (gsize)(zone - text));

    for (size_t i = 0; i < G_N_ELEMENTS(rests); i++) {
        g_autofree char *whole = g_strconcat(local, rests[i], zone, NULL);
        g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(whole, utc);

        if (time) {
            *ret_s = g_date_time_to_unix(time);
            return true;
        }
    }
    return false;
}

bool
when_parse(const char *text, int64_t now_s, int64_t *ret_s)
{
    int64_t value_s = 0;

    if (g_str_equal(text, "now") || parse_length(text, &value_s)) {
        *ret_s = MAX(now_s - value_s, 0);
        return true;
    }
    if (!parse_date(text, &value_s) || value_s < 0)
        return false;
    *ret_s = value_s;
    return true;
}
