/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* merging.c - whether the kernel may merge the memory of a guest: what its mappings say */
#define _GNU_SOURCE
#include "agent/facts/merging.h"

#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/facts/mapping.h"
#include "agent/facts/procfile.h"

#define FLAGS     "VmFlags:"
#define MERGEABLE " mg"

static bool
begins_mapping(const char *line)
{
    const char *dash = line + strspn(line, "0123456789abcdef");

    return dash > line && *dash == '-';
}

/* Addresses at which mappings with the flag begin. */
static GArray *
find_marked(const char *text)
{
    GArray *marked = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    uint64_t start = 0;

    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        const char *end;

        line += *line == '\n';
        end = strchrnul(line, '\n');
        if (begins_mapping(line))
            start = g_ascii_strtoull(line, NULL, 16);
        else if (g_str_has_prefix(line, FLAGS) && g_strstr_len(line, end - line, MERGEABLE))
            g_array_append_val(marked, start);
    }
    return marked;
}

static int
compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* The kernel lists mappings from the lowest on. */
static bool
is_marked(const GArray *marked, uint64_t start)
{
    return marked->len > 0 && bsearch(&start, marked->data, marked->len, sizeof(uint64_t), compare);
}

bool
merging_read(int dir_fd, const uint64_t *backends, size_t n, bool *ret_any, GError **error)
{
    g_autofree char *text = mappings_load(dir_fd, "smaps", PROCFILE_SMAPS_BYTES, error);
    g_autoptr(GArray) mappings = NULL;
    g_autoptr(GArray) marked = NULL;
    bool any = false;

    if (!text)
        return false;
    marked = find_marked(text);
    mappings = mappings_read(text, (uint64_t)sysconf(_SC_PAGESIZE));
    if (!mappings_find_guest(mappings, backends, n)) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                            "expected mappings of the sizes of the domain's memory");
        return false;
    }
    for (guint i = 0; i < mappings->len; i++) {
        const Mapping *mapping = &g_array_index(mappings, Mapping, i);

        any = any || (mapping->use == MAPPING_GUEST && is_marked(marked, mapping->start));
    }
    *ret_any = any;
    return true;
}
