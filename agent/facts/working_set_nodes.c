/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set_nodes.c - which NUMA nodes the memory of a process is on */
#include "agent/facts/working_set_nodes.h"

#include <string.h>

#include "agent/facts/procfile.h"
#include "policy/arith.h"

/* 65,530 mappings, the kernel's usual limit, of 200 bytes and a path. */
#define NUMA_MAPS_BYTES ((size_t)64 << 20)
#define PAGE_SIZE_KEY   "kernelpagesize_kB="
#define BYTES_PER_KIB   UINT64_C(1024)

/* Whether there was room for it. */
static bool
add(WorkingSetShares *shares, int32_t node, uint64_t bytes)
{
    uint32_t i = 0;

    while (i < shares->n && shares->node[i] != node)
        i++;
    if (i == WORKING_SET_NODES_MAX)
        return false;
    if (i == shares->n)
        shares->node[shares->n++] = node;
    shares->bytes[i] = sat_add(shares->bytes[i], bytes);
    return true;
}

/* "N1=23": pages of a node. */
static bool
parse_word(const char *word, uint64_t *ret_node, uint64_t *ret_pages)
{
    char *end = NULL;

    if (word[0] != 'N' || !g_ascii_isdigit(word[1]))
        return false;
    *ret_node = g_ascii_strtoull(word + 1, &end, 10);
    return *end == '=' && *ret_node <= INT32_MAX && procfile_parse_u64(end + 1, ret_pages);
}

/* The size of its pages comes last in a line, and names of files have no spaces in it. */
static bool
add_mapping(WorkingSetShares *shares, const char *line)
{
    const char *size = strstr(line, PAGE_SIZE_KEY);
    uint64_t page_bytes = size ? g_ascii_strtoull(size + strlen(PAGE_SIZE_KEY), NULL, 10) : 0;
    g_auto(GStrv) words = g_strsplit(line, " ", -1);

    page_bytes = mul_div(page_bytes, BYTES_PER_KIB, 1);
    for (size_t i = 0; words[i]; i++) {
        uint64_t node, pages;

        if (parse_word(words[i], &node, &pages) &&
            !add(shares, (int32_t)node, mul_div(pages, page_bytes, 1)))
            return false;
    }
    return true;
}

WorkingSetShares
working_set_shares_read(int dir_fd)
{
    WorkingSetShares shares = { 0 };
    g_autofree char *text = NULL;
    char *next;

    if (procfile_read_long(dir_fd, "numa_maps", NUMA_MAPS_BYTES, &text) != PROCFILE_READ)
        return shares;
    for (char *line = text; line && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (!add_mapping(&shares, line))
            return (WorkingSetShares){ 0 };
    }
    return shares;
}

void
working_set_shares_split(const WorkingSetShares *shares, uint32_t n_bins,
                         WorkingSetReading *reading)
{
    WorkingSetNode whole = reading->nodes[0];
    uint64_t left_bytes = 0;

    for (uint32_t i = 0; i < shares->n; i++)
        left_bytes = sat_add(left_bytes, shares->bytes[i]);
    if (left_bytes == 0)
        return;
    memset(reading->nodes, 0, sizeof(reading->nodes));
    reading->n_nodes = shares->n;
    for (uint32_t i = 0; i < shares->n; i++) {
        reading->nodes[i].node = shares->node[i];
        for (uint32_t b = 0; b < n_bins && left_bytes > 0; b++)
            reading->nodes[i].bins[b] =
                working_set_take(&whole.bins[b], shares->bytes[i], left_bytes);
        left_bytes -= shares->bytes[i];
    }
}
