/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_page_age.c - the kernel's own working set reports, where it has them
 *
 * The proposal (version 4 of the series, November 2024; not merged into Linux 6.18) gives each
 * memory cgroup of version 2 a histogram for each node:
 *
 *     N0
 *     1000 anon=4096 file=0
 *     10000 anon=8192 file=4096
 *     18446744073709551615 anon=0 file=12288
 *
 * The first column is the end of the bin in milliseconds, and the rest are bytes; more kinds of
 * memory may be added, which are passed over. Version 1 of the series ended with
 * 9223372036854775807. The bins are set for each node of the host, so they are taken as they are
 * where somebody else has set them, and spread over ours. Reports are off until a cgroup has an
 * interval at which it may be made anew; reading then ages its pages if the last report is older.
 *
 * Source: Documentation/admin-guide/mm/workingset_report.rst and cgroup-v2.rst in "[PATCH v4 0/9]
 * mm: workingset reporting", 20241127025728.3689245-1-yuanchu@google.com
 */
/* needs: write /sys/devices/system/node */
#include "agent/facts/working_set_backend.h"

#include <string.h>

#include "agent/facts/cgroup.h"
#include "agent/facts/procfile.h"
#include "policy/arith.h"

#define REPORT_FILE  "memory.workingset.page_age"
#define REFRESH_FILE "memory.workingset.refresh_interval"
/* 64 nodes of 32 bins of at most 70 bytes each. */
#define REPORT_BYTES ((size_t)144 << 10)
#define LINE_BYTES   1024
/* The proposal takes 31 bounds at most, and one less than two bins is none. */
#define BINS_END_MS (UINT64_C(1) << 62)

static const char *const kind_keys[] = {
    [WORKING_SET_ANON] = "anon=",
    [WORKING_SET_FILE] = "file=",
};
G_STATIC_ASSERT(G_N_ELEMENTS(kind_keys) == WORKING_SET_KIND_COUNT);

static char *
path_of(const WorkingSetTarget *target, const char *file)
{
    return g_strconcat(CGROUP_MOUNT_POINT, target->cgroup, "/", file, NULL);
}

/* The number behind a key of the form "anon="; VALUE_UNKNOWN: it is not in the line. */
static uint64_t
value_of(const char *line, const char *key)
{
    const char *found = strstr(line, key);
    char *end = NULL;
    uint64_t value;

    if (!found || !g_ascii_isdigit(found[strlen(key)]))
        return VALUE_UNKNOWN;
    value = g_ascii_strtoull(found + strlen(key), &end, 10);
    return *end == '\0' || g_ascii_isspace(*end) ? value : VALUE_UNKNOWN;
}

/* One bin; @from_ms: where it begins, then where the next does. */
static bool
take_bin(const WorkingSetEdges *edges, const char *line, uint64_t *from_ms, WorkingSetBytes *bins)
{
    char *end = NULL;
    uint64_t to_ms = g_ascii_strtoull(line, &end, 10);
    WorkingSetBytes bytes;

    if (end == line || to_ms <= *from_ms)
        return false;
    for (size_t k = 0; k < WORKING_SET_KIND_COUNT; k++)
        bytes.bytes[k] = known_or(value_of(line, kind_keys[k]), 0);
    working_set_spread(edges, *from_ms * US_PER_MS,
                       to_ms >= BINS_END_MS ? WORKING_SET_OLDEST : to_ms * US_PER_MS, bytes, bins);
    *from_ms = to_ms >= BINS_END_MS ? *from_ms : to_ms;
    return true;
}

/* Ages are told apart up to the last bin that has an end, on the node where that is first. */
static void
end_node(WorkingSetReading *reading, const WorkingSetBytes *bins, uint64_t last_ms)
{
    if (bins)
        reading->horizon_us = min_u64(reading->horizon_us, last_ms * US_PER_MS);
}

static bool
parse_report(const WorkingSetEdges *edges, char *text, WorkingSetReading *reading)
{
    WorkingSetBytes *bins = NULL;
    uint64_t from_ms = 0;
    char *next;

    reading->horizon_us = WORKING_SET_OLDEST;
    for (char *line = text; line && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        line += strspn(line, " \t");
        if (*line == '\0')
            continue;
        if (line[0] == 'N' && g_ascii_isdigit(line[1])) {
            end_node(reading, bins, from_ms);
            bins = working_set_node(reading, g_ascii_strtoll(line + 1, NULL, 10));
            from_ms = 0;
        } else if (!bins || !take_bin(edges, line, &from_ms, bins)) {
            return false;
        }
    }
    end_node(reading, bins, from_ms);
    return reading->n_nodes > 0;
}

/* "N0=0 N1=2000": the nodes whose interval is 0, a bit each. */
static uint32_t
nodes_at_rest(const char *text)
{
    g_auto(GStrv) words = g_strsplit_set(text, " \n", -1);
    uint32_t found = 0;

    for (size_t i = 0; words[i]; i++) {
        char *end = NULL;
        guint64 node;

        if (words[i][0] != 'N' || !g_ascii_isdigit(words[i][1]))
            continue;
        node = g_ascii_strtoull(words[i] + 1, &end, 10);
        if (node < 32 && g_str_equal(end, "=0"))
            found |= UINT32_C(1) << node;
    }
    return found;
}

static bool
set_refresh(const WorkingSetTarget *target, uint32_t nodes, uint64_t ms, GError **error)
{
    g_autofree char *path = path_of(target, REFRESH_FILE);

    for (unsigned node = 0; node < 32; node++) {
        g_autofree char *text = g_strdup_printf("N%u=%" G_GUINT64_FORMAT "\n", node, ms);

        if ((nodes & (UINT32_C(1) << node)) &&
            !working_set_write(target->host->root_fd, path, text, error))
            return false;
    }
    return true;
}

/* No reports of the nodes any more; each for itself, as one that refuses keeps none from it. */
static void
end_reports(const WorkingSetTarget *target, uint32_t nodes)
{
    for (unsigned node = 0; node < 32; node++)
        set_refresh(target, nodes & (UINT32_C(1) << node), 0, NULL);
}

/* Reports of all these nodes, or of none. */
static bool
begin_reports(const WorkingSetTarget *target, uint32_t nodes, GError **error)
{
    if (set_refresh(target, nodes, target->host->interval_us / US_PER_MS / 2, error))
        return true;
    end_reports(target, nodes);
    return false;
}

static char *
intervals_path(unsigned node)
{
    return g_strdup_printf("sys/devices/system/node/node%u/workingset_report/page_age_intervals",
                           node);
}

static char *
intervals_text(const WorkingSetEdges *edges)
{
    GString *text = g_string_new(NULL);

    for (uint32_t i = 0; i < edges->n; i++)
        g_string_append_printf(text, "%s%" G_GUINT64_FORMAT, i > 0 ? "," : "",
                               (guint64)(edges->age_us[i] / US_PER_MS));
    g_string_append_c(text, '\n');
    return g_string_free(text, FALSE);
}

/* Sets the bins of the nodes where nobody else has. */
static bool
set_bins(WorkingSetHost *host, uint32_t nodes, GError **error)
{
    g_autofree char *ours = intervals_text(&host->edges);

    for (unsigned node = 0; node < 32; node++) {
        g_autofree char *path = intervals_path(node);
        char text[LINE_BYTES];

        if (!(nodes & (UINT32_C(1) << node)) || (host->age_nodes & (UINT32_C(1) << node)))
            continue;
        if (procfile_read_text(host->root_fd, path, text, sizeof(text)) != PROCFILE_READ)
            return working_set_fail(error, "%s cannot be read", path);
        if (*g_strstrip(text) != '\0')
            continue;
        if (!working_set_write(host->root_fd, path, ours, error))
            return false;
        host->age_nodes |= UINT32_C(1) << node;
    }
    return true;
}

static void
clear_bins(WorkingSetHost *host)
{
    for (unsigned node = 0; node < 32; node++) {
        g_autofree char *path = intervals_path(node);

        if (host->age_nodes & (UINT32_C(1) << node))
            working_set_write(host->root_fd, path, "\n", NULL);
    }
    host->age_nodes = 0;
}

static bool
open_page_age(const WorkingSetTarget *target, gpointer *ret_state, GError **error)
{
    WorkingSetHost *host = target->host;
    g_autofree char *path = NULL;
    char text[LINE_BYTES];
    uint32_t nodes;

    if (!target->is_v2 || !target->cgroup)
        return working_set_fail(error, "it has no memory cgroup of version 2");
    path = path_of(target, REFRESH_FILE);
    if (procfile_read_text(host->root_fd, path, text, sizeof(text)) != PROCFILE_READ)
        return working_set_fail(error, "this kernel has no working set reports");
    nodes = nodes_at_rest(text);
    if (!set_bins(host, nodes, error) || !begin_reports(target, nodes, error)) {
        if (host->age_users == 0)
            clear_bins(host);
        return false;
    }
    host->age_users++;
    *ret_state = GUINT_TO_POINTER(nodes);
    return true;
}

static bool
step_page_age(gpointer state, const WorkingSetTarget *target, uint64_t now_us,
              WorkingSetReading *reading, GError **error)
{
    g_autofree char *path = path_of(target, REPORT_FILE);
    g_autofree char *text = NULL;

    (void)state;
    (void)now_us;
    if (procfile_read_long(target->host->root_fd, path, REPORT_BYTES, &text) != PROCFILE_READ)
        return working_set_fail(error, "its %s cannot be read", REPORT_FILE);
    if (!parse_report(&target->host->edges, text, reading))
        return working_set_fail(error, "its %s has another form than expected", REPORT_FILE);
    reading->has_bins = true;
    return true;
}

static void
close_page_age(gpointer state, const WorkingSetTarget *target)
{
    end_reports(target, GPOINTER_TO_UINT(state));
    if (--target->host->age_users == 0)
        clear_bins(target->host);
}

const WorkingSetBackend working_set_page_age = {
    .name = "page_age",
    /* An estimate: it is made of the same generations as lru_gen's. */
    .confidence_bp = 8000,
    .is_estimate = true,
    .open = open_page_age,
    .step = step_page_age,
    .close = close_page_age,
};
