/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conf_keep.c - settings that are read at the start only */
#include "agent/conf_keep.h"

#include "agent/log.h"

#include <string.h>

#define PLAIN(name, field)                                                                         \
    {                                                                                              \
        name, offsetof(Conf, field), sizeof(((Conf *)NULL)->field), false                          \
    }
#define TEXT(name, field)                                                                          \
    {                                                                                              \
        name, offsetof(Conf, field), sizeof(char *), true                                          \
    }

static const struct {
    const char *name;
    size_t offset; /* of the field */
    size_t bytes;  /* of the field */
    bool is_text;  /* a pointer to one, which is owned */
} rows[] = {
    PLAIN("[agent] confine", confine),
    TEXT("[libvirt] uri", uri),
    PLAIN("[libvirt] keepalive_s", keepalive_s),
    PLAIN("[libvirt] keepalive_count", keepalive_count),
    TEXT("[rpc] group", rpc_group),
    TEXT("[rpc] kata_socket", kata_socket),
    PLAIN("[access] read_only_for_all", read_only_for_all),
    PLAIN("[hook] enable", hook_enable),
    TEXT("[metrics] listen", metrics_listen),
    PLAIN("[history] enable", history_enable),
    TEXT("[directory] paths", directory_paths),
    PLAIN("[working_set] enable", working_set),
    TEXT("[working_set] bins", working_bins),
    PLAIN("[working_set] age", working_age_s),
    PLAIN("[working_set] budget", working_bp),
    PLAIN("[working_set] interval", working_every_s),
};

static bool
differs(size_t row, const void *mine, const void *theirs)
{
    if (rows[row].is_text)
        return !g_str_equal(*(char *const *)mine, *(char *const *)theirs);
    return memcmp(mine, theirs, rows[row].bytes) != 0;
}

void
conf_keep(Conf *conf, Conf *old)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        void *mine = (char *)conf + rows[i].offset;
        void *theirs = (char *)old + rows[i].offset;
        char kept[sizeof(uint64_t)];

        if (!differs(i, mine, theirs))
            continue;
        log_warning("%s has changed, which needs a restart: it is read at the start only",
                    rows[i].name);
        memcpy(kept, theirs, rows[i].bytes);
        memcpy(theirs, mine, rows[i].bytes);
        memcpy(mine, kept, rows[i].bytes);
    }
}
