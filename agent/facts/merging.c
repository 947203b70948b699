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
#include "policy/arith.h"

#define FLAGS     "VmFlags:"
#define MERGEABLE " mg"
/* Usual devices of QEMU are marked with less, whatever the size of the guest: video memory, ROMs.
 */
#define DEVICES_BYTES (UINT64_C(256) << 20)

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

/* More than devices can have, where one piece of the guest could be hidden. */
static uint64_t
find_limit(const uint64_t *backends, size_t n)
{
    uint64_t least_bytes = UINT64_MAX;

    for (size_t i = 0; i < n; i++)
        least_bytes = min_u64(least_bytes, backends[i]);
    return max_u64(least_bytes, DEVICES_BYTES);
}

/* Which mappings are the guest's is told by their sizes, and a QEMU that was broken into can have
 * another of that size: so what is marked beside them counts, too, if it is much. */
bool
merging_read(int dir_fd, const uint64_t *backends, size_t n, bool *ret_any, GError **error)
{
    g_autofree char *text = mappings_load(dir_fd, "smaps", PROCFILE_SMAPS_BYTES, error);
    g_autoptr(GArray) mappings = NULL;
    g_autoptr(GArray) marked = NULL;
    uint64_t other_bytes = 0;
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

        if (!is_marked(marked, mapping->start))
            continue;
        any = any || mapping->use == MAPPING_GUEST;
        other_bytes = sat_add(other_bytes, mapping->end - mapping->start);
    }
    *ret_any = any || other_bytes >= find_limit(backends, n);
    return true;
}
