/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nodes.c - writing merge_across_nodes, which only works while nothing is merged
 *
 * Policy asks for it when every domain has been parted (policy/nodes.c). What is merged then
 * belongs to others, and to devices of QEMU's. That is parted here, if memory can hold it:
 *
 *     run = 2 (as many copies as there are)  ->  merge_across_nodes  ->  run as it was
 *
 * Nobody else sees KSM in between but a run that comes after a kill: for that, what run was is
 * recorded too, and put back whatever has happened.
 *
 * At the end something is merged as a rule. Then the value stays, and what was found stays on
 * record, across restarts too, until a stop or --restore finds nothing merged, or a reboot.
 *
 * Source: Documentation/admin-guide/mm/ksm.rst, "run" and "merge_across_nodes"
 */
/* needs: write /sys/kernel/mm/ksm */
#include "agent/actuator/nodes.h"

#include "policy/arith.h"

#include <inttypes.h>

#define PATH KSM_KNOB_DIR "merge_across_nodes"
#define RUN  KSM_KNOB_DIR "run"
/* Keys in the record. */
#define KEY     "merge_across_nodes"
#define RUN_KEY "run"

/* Whether anything is merged; also if that is not known. */
static bool
has_merged(int root_fd)
{
    uint64_t pages;

    return sysfile_get_u64(root_fd, KSM_KNOB_DIR "pages_shared", &pages, NULL) != APPLY_UNCHANGED ||
           pages > 0;
}

static void
record(Originals *originals, const char *key, uint64_t value)
{
    g_autofree char *text = g_strdup_printf("%" PRIu64, value);

    originals_set(originals, nodes_actuator.name, key, text);
}

/* @limit: highest that the kernel can have shown. Return: whether there is such a value. */
static bool
recorded(const Originals *originals, const char *key, uint64_t limit, uint64_t *ret_value)
{
    g_autofree char *text = originals_get(originals, nodes_actuator.name, key);
    guint64 value;

    if (!text || !g_ascii_string_to_unsigned(text, 10, 0, limit, &value, NULL))
        return false;
    *ret_value = value;
    return true;
}

static bool
put_back(int root_fd, const char *path, uint64_t found, GError **error)
{
    ApplyResult result = sysfile_set_u64(root_fd, path, found, error);

    return result == APPLY_DONE || result == APPLY_UNCHANGED;
}

/* The end of an order to unmerge, if one was given. */
static bool
end_unmerging(int root_fd, Originals *originals, GError **error)
{
    uint64_t found;
    uint64_t now;

    if (!recorded(originals, RUN_KEY, KSM_RUN_MERGE, &found))
        return true;
    if (sysfile_get_u64(root_fd, RUN, &now, error) != APPLY_UNCHANGED)
        return false;
    if (now == KSM_RUN_UNMERGE && !put_back(root_fd, RUN, found, error))
        return false;
    originals_drop(originals, nodes_actuator.name, RUN_KEY);
    return true;
}

void
nodes_init(Nodes *nodes, int root_fd, Originals *originals, const KsmActuator *ksm)
{
    *nodes = (Nodes){ root_fd, originals, ksm };
    /* What fails here is recorded still, and told when it is restored. */
    if (originals_has_group(originals, nodes_actuator.name) && originals_prepare(originals, NULL) &&
        end_unmerging(root_fd, originals, NULL))
        originals_save(originals, NULL);
}

static ApplyResult
write_value(const Nodes *nodes, uint64_t value, bool unmerges, GError **error)
{
    ApplyResult result = APPLY_DONE;
    g_autoptr(GError) fault = NULL;

    if (unmerges)
        result = sysfile_set_u64(nodes->root_fd, RUN, KSM_RUN_UNMERGE, error);
    if (result == APPLY_DONE)
        result = sysfile_set_u64(nodes->root_fd, PATH, value, error);
    if (end_unmerging(nodes->root_fd, nodes->originals, &fault) || result != APPLY_DONE)
        return result;
    g_propagate_error(error, g_steal_pointer(&fault));
    return APPLY_RETRY;
}

/* What run goes back to. */
static bool
read_run(int root_fd, uint64_t *ret_run, GError **error)
{
    if (sysfile_get_u64(root_fd, RUN, ret_run, error) != APPLY_UNCHANGED)
        return false;
    if (*ret_run <= KSM_RUN_MERGE)
        return true;
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN,
                        "somebody else is unmerging all pages");
    return false;
}

/* Whether the way back is on disk. */
static bool
keep_originals(const Nodes *nodes, uint64_t now, bool unmerges, GError **error)
{
    uint64_t run = KSM_RUN_STOP;

    if ((unmerges && !read_run(nodes->root_fd, &run, error)) ||
        !originals_prepare(nodes->originals, error))
        return false;
    record(nodes->originals, KEY, now);
    if (unmerges)
        record(nodes->originals, RUN_KEY, run);
    return originals_save(nodes->originals, error);
}

/* KSM scans again since the sample was taken: what was not merged then can be by now. Then it is
 * left for the next decision, unless policy takes parting into the bargain. */
static ApplyResult
nodes_apply(const Nodes *nodes, uint64_t value, bool may_unmerge, GError **error)
{
    bool unmerges = has_merged(nodes->root_fd);
    ApplyResult result;
    uint64_t now;

    result = sysfile_get_u64(nodes->root_fd, PATH, &now, error);
    if (result != APPLY_UNCHANGED || now == value || (unmerges && !may_unmerge))
        return result;
    if (unmerges && !ksm_unmerge_fits(nodes->root_fd)) {
        g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_NOMEM,
                            "merge_across_nodes stays: memory cannot hold what is merged");
        return APPLY_RETRY;
    }
    if (!keep_originals(nodes, now, unmerges, error))
        return APPLY_RETRY;
    result = write_value(nodes, value, unmerges, error);
    if (!originals_save(nodes->originals, result == APPLY_DONE ? error : NULL))
        return APPLY_RETRY;
    return result;
}

bool
nodes_restore(int root_fd, Originals *originals, char **ret_note, GError **error)
{
    uint64_t found;
    uint64_t now;

    *ret_note = NULL;
    if (!originals_has_group(originals, nodes_actuator.name))
        return true;
    if (!originals_prepare(originals, error) || !end_unmerging(root_fd, originals, error) ||
        sysfile_get_u64(root_fd, PATH, &now, error) != APPLY_UNCHANGED)
        return false;
    if (!recorded(originals, KEY, 1, &found)) {
        *ret_note = g_strdup("merge_across_nodes stays: what is recorded is no value of it");
    } else if (found != now && has_merged(root_fd)) {
        *ret_note = g_strdup_printf("merge_across_nodes stays at %" PRIu64
                                    ": it can only be changed while no pages are merged. A later "
                                    "stop, or virtksmd --restore, puts it back when none are",
                                    now);
        return originals_save(originals, error); /* the order to unmerge may have ended */
    } else if (found != now && !put_back(root_fd, PATH, found, error)) {
        return false;
    }
    originals_drop(originals, nodes_actuator.name, NULL);
    return originals_save(originals, error);
}

static ApplyResult
row_apply(void *context, const Decided *decided, GError **error)
{
    const Nodes *nodes = context;
    uint64_t value = decided->plan->tenancy.nodes;

    if (value > 1 || nodes->ksm->options.dry_run ||
        ksm_actuator_state(nodes->ksm) != KSM_ACTUATOR_READY)
        return APPLY_UNCHANGED;
    return nodes_apply(nodes, value, decided->plan->tenancy.is_enforced, error);
}

static bool
row_restore(void *context, char **ret_note, GError **error)
{
    const Nodes *nodes = context;

    return nodes_restore(nodes->root_fd, nodes->originals, ret_note, error);
}

const Actuator nodes_actuator = { ORIGINALS_NODES, row_apply, row_restore };
