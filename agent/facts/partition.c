/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * partition.c - the cgroup that all domains live in, and the memory that it leaves to them
 *
 * libvirt puts domains into a group of their own ("machine", or "machine.slice" with systemd), and
 * some hosts give that one a limit, to keep memory for storage or other services. Then domains swap
 * while the host has plenty. The limit counts as all memory that there is. Available is what it
 * leaves, cache of files inside, and what ballooned guests left of huge pages (cgroup_remnants()).
 *
 *     limit |------------------- usage -------------------|--- left ---|
 *           |  anonymous  |  remnants  |  cache of files  |
 *                         |----------------- available ----------------|
 *
 * Groups around that one may have limits, too, and those are larger as a rule, and around them all
 * is the host. Whichever is nearest to being tight counts, with its limit: which leaves least above
 * the mark of its own memory. A limit of something that only some of the domains live in does not
 * bind the others and is not looked at.
 */
#define _GNU_SOURCE

#include "agent/facts/partition.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "policy/memory.h"

/* The tightest of host and groups so far. */
typedef struct {
    uint64_t host_bytes;  /* memory of the host */
    int64_t margin_bytes; /* see margin_of() */
    uint64_t room_bytes;  /* that it leaves, if it is a group */
} Bound;

void
partition_clear(Partition *partition)
{
    g_free(partition->path);
    g_free(partition->bound_path);
    *partition = (Partition){ 0 };
}

static bool
is_end(char letter)
{
    return letter == '\0' || letter == '/';
}

/* Length of what two paths have in common, in whole names. */
static size_t
common_length(const char *a, const char *b)
{
    size_t whole = 0;

    for (size_t i = 0;; i++) {
        if (is_end(a[i]) && is_end(b[i]))
            whole = i;
        if (a[i] != b[i] || a[i] == '\0')
            return whole;
    }
}

void
partition_join(Partition *partition, const Cgroup *cgroup)
{
    const char *parent = cgroup->version != CGROUP_NONE ? cgroup->parent : "";

    if (!partition->path) {
        partition->version = cgroup->version;
        partition->path = g_strdup(parent);
    } else {
        partition->path[common_length(partition->path, parent)] = '\0';
    }
}

static uint64_t
read_limit(const Cgroup *level)
{
    if (level->version == CGROUP_V1)
        return cgroup_limit(level->dir_fd, "memory.limit_in_bytes");
    return min_u64(cgroup_limit(level->dir_fd, "memory.max"),
                   cgroup_limit(level->dir_fd, "memory.high"));
}

/* Bytes that a group leaves to those in it; VALUE_UNKNOWN: it has no limit below the host's memory,
 * or does not tell what it uses. */
static uint64_t
read_room(const Cgroup *level, uint64_t limit_bytes, uint64_t host_bytes)
{
    uint64_t room_bytes;
    CgroupSample used;

    if (limit_bytes >= host_bytes || limit_bytes == LIMIT_NONE || !cgroup_read(level, &used) ||
        !is_known(used.bytes))
        return VALUE_UNKNOWN;
    room_bytes = sat_add(sat_sub(limit_bytes, used.bytes), known_or(used.file_bytes, 0));
    return sat_add(room_bytes, known_or(cgroup_remnants(level, used.bytes), 0));
}

/* What is left above the mark below which it is tight; less than zero: it is. */
static int64_t
margin_of(const PolicyConf *conf, uint64_t total_bytes, uint64_t available_bytes)
{
    const HostSample memory = { .mem_total_bytes = total_bytes,
                                .mem_available_bytes = available_bytes };

    return (int64_t)min_u64(available_bytes, INT64_MAX) -
           (int64_t)min_u64(memory_marks(conf, &memory).tight_bytes, INT64_MAX);
}

static void
bound_by(Partition *partition, const Cgroup *level, const char *path, const PolicyConf *conf,
         Bound *bound)
{
    uint64_t limit_bytes = read_limit(level);
    uint64_t room_bytes = read_room(level, limit_bytes, bound->host_bytes);
    int64_t margin_bytes = margin_of(conf, limit_bytes, room_bytes);

    if (!is_known(room_bytes) || margin_bytes >= bound->margin_bytes)
        return;
    bound->margin_bytes = margin_bytes;
    bound->room_bytes = room_bytes;
    g_free(partition->bound_path);
    partition->bound_path = g_strdup(path);
    partition->limit_bytes = limit_bytes;
}

void
partition_bound(Partition *partition, int root_fd, const PolicyConf *conf, HostSample *sample)
{
    g_autofree char *path = g_strdup(partition->path);
    Bound bound = {
        .host_bytes = sample->mem_total_bytes,
        .margin_bytes = margin_of(conf, sample->mem_total_bytes, sample->mem_available_bytes),
    };

    g_clear_pointer(&partition->bound_path, g_free);
    for (char *end = path ? strrchr(path, '/') : NULL; end; end = strrchr(path, '/')) {
        Cgroup level = { .version = partition->version,
                         .dir_fd = cgroup_open_path(root_fd, partition->version, path) };

        if (level.dir_fd >= 0) {
            bound_by(partition, &level, path, conf, &bound);
            close(level.dir_fd);
        }
        *end = '\0';
    }
    if (!partition->bound_path)
        return;
    sample->mem_total_bytes = partition->limit_bytes;
    sample->mem_available_bytes = min_u64(sample->mem_available_bytes, bound.room_bytes);
}
