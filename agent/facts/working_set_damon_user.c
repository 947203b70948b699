/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_damon_user.c - whose DAMON's monitors are
 *
 * All programs share one set of monitors, and the kernel does not say whose it is. We ask for an
 * odd number of them, which is how we know our own again that a killed agent has left behind.
 *
 * Some kernels have monitors for purposes of their own, and none beside them: DAMON_STAT is
 * switched on by default in some. They are left alone like those of another program.
 */
#include "agent/facts/working_set_damon.h"

#include "agent/facts/procfile.h"
#include "policy/arith.h"

#define PATH_BYTES 256
#define WORD_BYTES 256

uint64_t
working_set_damon_count(int root_fd)
{
    return procfile_u64(root_fd, WORKING_SET_DAMON_COUNT_FILE, UINT32_MAX);
}

bool
working_set_damon_is_ours(int root_fd)
{
    return working_set_damon_count(root_fd) == WORKING_SET_DAMON_SLOTS;
}

const char *
working_set_damon_user(int root_fd)
{
    static const struct {
        const char *path; /* says "Y" while it is switched on */
        const char *user;
    } rows[] = {
        { "sys/module/damon_stat/parameters/enabled", "the kernel itself (DAMON_STAT)" },
        { "sys/module/damon_reclaim/parameters/enabled", "the kernel itself (DAMON_RECLAIM)" },
        { "sys/module/damon_lru_sort/parameters/enabled", "the kernel itself (DAMON_LRU_SORT)" },
    };
    uint64_t n = working_set_damon_count(root_fd);

    if (!is_known(n) || n == WORKING_SET_DAMON_SLOTS)
        return NULL;
    if (n != 0)
        return "another program";
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        char word[WORD_BYTES];

        if (procfile_read_text(root_fd, rows[i].path, word, sizeof(word)) == PROCFILE_READ &&
            word[0] == 'Y')
            return rows[i].user;
    }
    return NULL;
}

bool
working_set_give_back(int root_fd, GError **error)
{
    if (!working_set_damon_is_ours(root_fd))
        return true;
    for (unsigned slot = 0; slot < WORKING_SET_DAMON_SLOTS; slot++) {
        char path[PATH_BYTES];
        char state[WORD_BYTES];

        g_snprintf(path, sizeof(path), WORKING_SET_DAMON_ADMIN "%u/state", slot);
        /* It may have ended meanwhile, with its process, or be busy: the number of them decides. */
        if (procfile_read_text(root_fd, path, state, sizeof(state)) == PROCFILE_READ &&
            g_str_has_prefix(state, "on"))
            working_set_write(root_fd, path, "off", NULL);
    }
    return working_set_write(root_fd, WORKING_SET_DAMON_COUNT_FILE, "0", error);
}
