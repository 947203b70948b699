/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_value.c - numbers, sizes and node sets as libvirt writes them */
#include "agent/virt/domain_value.h"

#include <string.h>

/* Of a list in an attribute, in bytes. Every node by itself takes a tenth of it. */
#define LIST_MAX 4096

static bool
fail(GError **error, const char *expected)
{
    g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT, "expected %s", expected);
    return false;
}

bool
domain_value_number(const char *text, uint64_t max, uint64_t *ret, GError **error)
{
    guint64 number;

    if (!text || !g_ascii_string_to_unsigned(text, 10, 0, max, &number, NULL)) {
        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT,
                    "expected a whole number from 0 to %" G_GUINT64_FORMAT, (guint64)max);
        return false;
    }
    *ret = number;
    return true;
}

static bool
is_byte_unit(const char *unit)
{
    return g_ascii_strcasecmp(unit, "b") == 0 || g_ascii_strcasecmp(unit, "byte") == 0 ||
           g_ascii_strcasecmp(unit, "bytes") == 0;
}

/* What one step of the prefix is worth, by what follows it; 0: no unit ends like this. */
static uint64_t
prefix_base(const char *rest)
{
    if (rest[0] == '\0' || g_ascii_strcasecmp(rest, "ib") == 0)
        return 1024;
    return g_ascii_strcasecmp(rest, "b") == 0 ? 1000 : 0;
}

/* Bytes in a unit; 0: there is no such unit. */
static uint64_t
unit_bytes(const char *unit)
{
    static const char prefixes[] = "kmgtpe";
    const char *prefix;
    uint64_t base;
    uint64_t scale = 1;

    if (is_byte_unit(unit))
        return 1;
    prefix = strchr(prefixes, g_ascii_tolower(unit[0]));
    if (unit[0] == '\0' || !prefix)
        return 0;
    base = prefix_base(unit + 1);
    for (const char *step = prefixes; step <= prefix; step++)
        scale *= base;
    return scale;
}

bool
domain_value_size(const char *text, const char *unit, uint64_t *ret, GError **error)
{
    uint64_t scale = unit_bytes(unit && unit[0] != '\0' ? unit : "KiB");
    guint64 bytes;
    uint64_t number;

    if (!domain_value_number(text, UINT64_MAX, &number, error))
        return false;
    if (scale == 0)
        return fail(error, "a unit like b, KiB, MB or GiB");
    if (!g_uint64_checked_mul(&bytes, number, scale))
        return fail(error, "a size below 16 EiB");
    *ret = bytes;
    return true;
}

/* One number or range of a list. */
static bool
add_range(char *range, NodeSet *nodes)
{
    bool wanted = range[0] != '^';
    char *first = wanted ? range : range + 1;
    char *last = wanted ? strchr(range, '-') : NULL;
    uint64_t from;
    uint64_t to;

    if (last)
        *last++ = '\0';
    if (!domain_value_number(first, DOMAIN_XML_MAX_NODES - 1, &from, NULL) ||
        !domain_value_number(last ? last : first, DOMAIN_XML_MAX_NODES - 1, &to, NULL))
        return false;
    for (uint64_t node = from; node <= to; node++)
        nodes->has[node] = wanted;
    return from <= to;
}

bool
domain_value_nodes(const char *text, NodeSet *nodes, GError **error)
{
    g_auto(GStrv) ranges = NULL;

    if (text[0] == '\0' || strlen(text) > LIST_MAX)
        return fail(error, "a list of nodes like 0-3,5");
    ranges = g_strsplit(text, ",", -1);
    for (size_t i = 0; ranges[i]; i++)
        if (!add_range(g_strstrip(ranges[i]), nodes))
            return fail(error, "a list of nodes like 0-3,5, each below 128");
    return true;
}

static DomainSwitch
switch_value(const char *word)
{
    static const char *const on[] = { "on", "yes", "true", "y", NULL };
    static const char *const off[] = { "off", "no", "false", "n", NULL };

    if (!word || g_strv_contains(on, word))
        return DOMAIN_SWITCH_ON;
    return g_strv_contains(off, word) ? DOMAIN_SWITCH_OFF : DOMAIN_SWITCH_UNSET;
}

DomainSwitch
domain_value_switch(const char *options, const char *name)
{
    g_auto(GStrv) parts = NULL;
    DomainSwitch found = DOMAIN_SWITCH_UNSET;

    if (strlen(options) > LIST_MAX)
        return DOMAIN_SWITCH_UNSET;
    parts = g_strsplit(options, ",", -1);
    for (size_t i = 0; parts[i]; i++) {
        char *value = strchr(parts[i], '=');

        /* What follows an empty part follows an escaped comma. */
        if (i > 0 && parts[i - 1][0] == '\0')
            continue;
        if (value)
            *value++ = '\0';
        if (strcmp(g_strdelimit(parts[i], "_", '-'), name) == 0)
            found = switch_value(value);
    }
    return found;
}
