/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conf_check.c - what is wrong with settings that are right one by one */
#include "agent/conf_check.h"

#include "agent/error.h"
#include "agent/facts/working_set_histogram.h"
#include "policy/arith.h"

bool
conf_check_together(const Conf *conf, GError **error)
{
    const char *place = conf_place(conf, "working_set", "age");
    WorkingSetEdges edges = { .n = 1 };
    uint64_t last_s;

    /* Bins that are none were refused when they were set. */
    if (!working_set_edges_parse(conf->working_bins, &edges))
        return true;
    last_s = edges.age_us[edges.n - 1] / US_PER_S;
    if (conf->working_age_s <= last_s)
        return true;
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF,
                "%s[working_set] age = %" G_GUINT64_FORMAT
                ": expected at most the last of the bins, %" G_GUINT64_FORMAT " seconds",
                *place ? place : conf_place(conf, "working_set", "bins"),
                (guint64)conf->working_age_s, (guint64)last_s);
    return false;
}
