/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conf.c - the rows that describe PolicyConf, and the defaults that they state */
#include "policy/conf.h"
#include "policy/arith.h"

#include <assert.h>
#include <string.h>

const char *const ksm_mode_words[] = {
    [KSM_MODE_AUTO] = "auto",       [KSM_MODE_CLASSIC] = "classic", [KSM_MODE_FIXED] = "fixed",
    [KSM_MODE_OBSERVE] = "observe", [KSM_MODE_OFF] = "off",         [KSM_MODE_COUNT] = NULL,
};

const char *const zero_pages_words[] = {
    [ZERO_PAGES_AS_FOUND] = "as-found",
    [ZERO_PAGES_ON] = "on",
    [ZERO_PAGES_OFF] = "off",
    [ZERO_PAGES_COUNT] = NULL,
};

const char *const merge_nodes_words[] = {
    [NODES_AS_FOUND] = "as-found",
    [NODES_TOGETHER] = "yes",
    [NODES_APART] = "no",
    [NODES_COUNT] = NULL,
};

const char *const enable_words[] = {
    [ENABLE_NO] = "no",
    [ENABLE_OBSERVE] = "observe",
    [ENABLE_YES] = "yes",
    [ENABLE_COUNT] = NULL,
};

const char *const tenancy_rule_words[] = {
    [TENANCY_AUTO] = "auto", [TENANCY_SAME_GROUP] = "same-group",
    [TENANCY_ALL] = "all",   [TENANCY_LISTED] = "listed",
    [TENANCY_NONE] = "none", [TENANCY_RULE_COUNT] = NULL,
};

const char *const tenancy_enforce_words[] = {
    [TENANCY_ENFORCE_NO] = "no",
    [TENANCY_ENFORCE_YES] = "yes",
    [TENANCY_ENFORCE_COUNT] = NULL,
};

/* A row of another section than [ksm]; its field has a name of its own. */
#define ROW_OF(section, key, kind, field, unit, min, max, fallback, help)                          \
    {                                                                                              \
        section, key, kind, unit, min, max, fallback, help, NULL, offsetof(PolicyConf, field)      \
    }

#define ROW_ENABLE(section, field, help)                                                           \
    {                                                                                              \
        section, "enable", KNOB_ENUM, "", 0, 0, "no", help, enable_words,                          \
            offsetof(PolicyConf, field)                                                            \
    }

#define ROW_UINT(field, unit, min, max, fallback, help)                                            \
    {                                                                                              \
        "ksm", #field, KNOB_UINT, unit, min, max, fallback, help, NULL,                            \
            offsetof(PolicyConf, field)                                                            \
    }

#define ROW_PERCENT(key, unit, min, max, fallback, help)                                           \
    {                                                                                              \
        "ksm", #key, KNOB_PERCENT, unit, min, max, fallback, help, NULL,                           \
            offsetof(PolicyConf, key##_bp)                                                         \
    }

static const Knob rows[] = {
    { "ksm", "mode", KNOB_ENUM, "", 0, 0, "auto",
      "How KSM is driven: auto (closed loop), classic (timed ladder), fixed (the fixed_ settings), "
      "observe (decide and report, write nothing), off (leave KSM as found).",
      ksm_mode_words, offsetof(PolicyConf, mode) },
    ROW_PERCENT(
        cpu_burst, "percent of one CPU", 0, BP_ONE, "0",
        "CPU time that ksmd may use while memory is waiting to be merged, averaged over any "
        "60 seconds. 0 chooses by the number of CPUs: 25 on one, 50 on up to four, else 100."),
    ROW_PERCENT(cpu_idle, "percent of one CPU", 1, BP_ONE, "0.3",
                "CPU time that ksmd may use while all memory is covered: a pass that takes three "
                "seconds of it comes every thousand seconds at 0.3. Beside that, a domain that "
                "goes away is a pass."),
    ROW_PERCENT(cpu_pressure, "percent of the time", 1, BP_ONE, "60",
                "While tasks wait for a CPU for more of the time than this (the 'some' line of "
                "/proc/pressure/cpu, or time stolen from this host if that is more), cpu_price "
                "rises, up to four times: fewer passes. 100 switches this off."),
    ROW_PERCENT(memory_low, "percent of memory", 0, BP_ONE, "10",
                "While less memory than this is available, or tasks wait for memory, merging "
                "neither waits for guests to settle nor gives way to others. A pool of huge pages "
                "is not counted."),
    ROW_UINT(batch_pages, "pages", 100, 100000, "4000",
             "Pages per batch in a burst. A write to the kernel's run file waits for the end of a "
             "batch: 4000 pages are about 20 ms."),
    ROW_UINT(settle_ms, "milliseconds", 100, 600000, "5000",
             "How long to watch for growing memory after everything has been covered."),
    ROW_UINT(churn_s, "seconds", 10, 86400, "600",
             "Time within which changed memory is found while everything is covered, as far as "
             "cpu_idle allows."),
    ROW_UINT(growth_kib, "KiB", 256, 1073741824, "8192",
             "Growth of a domain's resident memory that counts as new memory to merge, and change "
             "that is followed up at once when it is seen."),
    ROW_UINT(cpu_price, "MiB times seconds", 1, 1000000, "600",
             "How much waiting of mergeable memory one second of ksmd's CPU time is worth: at 600, "
             "600 MiB for a second, or 60 MiB for ten. Less merges sooner and costs more."),
    ROW_UINT(yield_floor, "MiB per CPU-second", 0, 1000000, "1",
             "Where a burst or a probe gains less than this for each second of ksmd's CPU time, "
             "net of KSM's own records, KSM rests, and only looks from time to time. Memory that "
             "merges fully gains about 600."),
    { "ksm", "use_zero_pages", KNOB_ENUM, "", 0, 0, "as-found",
      "Pages of zeros that are merged from now on: on (they use the kernel's zero page), off (they "
      "merge with each other, as all pages do), as-found (the kernel's setting is left alone). On "
      "takes them off ksmd's list: later passes cost less, and they need no records. But a kernel "
      "without the counter ksm_zero_pages does not say how many there are, so savings look smaller "
      "there than they are.",
      zero_pages_words, offsetof(PolicyConf, use_zero_pages) },
    { "ksm", "merge_across_nodes", KNOB_ENUM, "", 0, 0, "as-found",
      "Whether pages on different NUMA nodes are merged with each other: yes, no, or as-found (the "
      "kernel's setting is left alone). It can change only while nothing is merged: so it is "
      "written when virtksmd starts before the domains do, and later only with [tenancy] enforce = "
      "yes, where all domains are parted for it first, one after the other, as memory allows.",
      merge_nodes_words, offsetof(PolicyConf, merge_across_nodes) },
    ROW_UINT(aggressive_s, "seconds", 1, 86400, "30", "Mode classic: length of the first stage."),
    ROW_UINT(standard_s, "seconds", 1, 86400, "120", "Mode classic: length of the second stage."),
    ROW_UINT(slow_s, "seconds", 1, 86400, "120", "Mode classic: length of the third stage."),
    ROW_UINT(aggressive_divisor, "", 1, 1000000, "10",
             "Mode classic, first stage: the anonymous pages of the host, divided by this, are "
             "scanned per batch."),
    ROW_UINT(standard_divisor, "", 1, 1000000, "100", "Mode classic, second stage: divisor."),
    ROW_UINT(slow_divisor, "", 1, 1000000, "500", "Mode classic, third stage: divisor."),
    ROW_UINT(aggressive_ms, "milliseconds", 0, 3600000, "1",
             "Mode classic, first stage: pause between batches."),
    ROW_UINT(standard_ms, "milliseconds", 0, 3600000, "10",
             "Mode classic, second stage: pause between batches."),
    ROW_UINT(slow_ms, "milliseconds", 0, 3600000, "100",
             "Mode classic, third stage: pause between batches."),
    ROW_UINT(fixed_pages, "pages", 1, 4294967295, "1000", "Mode fixed: pages per batch."),
    ROW_UINT(fixed_sleep_ms, "milliseconds", 0, 3600000, "20",
             "Mode fixed: pause between batches."),
    ROW_OF("agent", "memory_tight", KNOB_PERCENT, memory_tight_bp, "percent of memory", 1, 9000,
           "10",
           "While less memory than this is available, domains are asked for memory. A pool of huge "
           "pages is not counted: what it holds is never available."),
    ROW_OF("agent", "memory_critical", KNOB_PERCENT, memory_critical_bp, "percent of memory", 1,
           9000, "4",
           "While less memory than this is available, domains are asked for half their headroom "
           "too, in larger steps. More than memory_tight counts as memory_tight; a pool of huge "
           "pages is not counted here either."),
    ROW_OF("agent", "calm_s", KNOB_UINT, calm_s, "seconds", 1, 3600, "30",
           "How long memory must be less short before the level falls, one at a time."),
    ROW_ENABLE("balloon", balloon_enable,
               "Move balloons: yes, no, or observe (decide and report, write nothing). Memory is "
               "taken only while the host is short of it, from domains that do not need it."),
    ROW_OF("balloon", "floor", KNOB_PERCENT, balloon_floor_bp, "percent of maximum", 1, BP_ONE,
           "25", "Memory that every domain keeps, where its metadata does not name a floor."),
    ROW_OF("balloon", "headroom", KNOB_PERCENT, balloon_headroom_bp, "percent of need", 0,
           5 * BP_ONE, "20", "What a domain is left beyond what it is thought to need."),
    ROW_OF("balloon", "grow", KNOB_PERCENT, balloon_grow_bp, "percent of maximum", 1, BP_ONE, "25",
           "Largest step by which a domain that needs memory is given some."),
    ROW_OF("balloon", "shrink", KNOB_PERCENT, balloon_shrink_bp, "percent of maximum", 1, BP_ONE,
           "5", "Largest step by which memory is taken; twice that while it is critical."),
    ROW_OF("balloon", "dead_band", KNOB_PERCENT, balloon_dead_band_bp, "percent of maximum", 0,
           BP_ONE, "2", "Smaller differences than this are left as they are."),
    ROW_OF("balloon", "dwell_s", KNOB_UINT, balloon_dwell_s, "seconds", 1, 3600, "10",
           "How long a balloon is left alone after a step, before memory is taken again."),
    ROW_OF("balloon", "idle_tax", KNOB_PERCENT, balloon_idle_tax_bp, "percent", 0, 9900, "75",
           "How much dearer idle memory is than memory in use: at 75, a domain pays for an idle "
           "page what it pays for four in use. Who pays most for each share gives first."),
    ROW_OF("balloon", "stuck_s", KNOB_UINT, balloon_stuck_s, "seconds", 1, 86400, "60",
           "A balloon that was asked to move and hardly did for so long is not counted upon."),
    ROW_ENABLE("memory_high", high_enable,
               "Reclaim cold memory through memory.reclaim or memory.high of a domain's cgroup: "
               "yes, no, or observe (decide and report, write nothing)."),
    ROW_OF("memory_high", "step", KNOB_PERCENT, high_step_bp, "percent of usage", 1, 5000, "2",
           "How much of a domain's memory is reclaimed by one probe."),
    ROW_OF("memory_high", "stall", KNOB_PERCENT, high_stall_bp, "percent of the time", 1, BP_ONE,
           "0.5", "A domain that waits for memory for more of the time is left alone at once."),
    ROW_OF("memory_high", "refault", KNOB_UINT, high_refault, "pages per second", 1, 1000000, "200",
           "A domain to which more memory comes back is left alone at once."),
    ROW_OF("memory_high", "dwell_s", KNOB_UINT, high_dwell_s, "seconds", 1, 3600, "10",
           "Least time between two probes of a domain; after one that hurt it, longer."),
    ROW_OF("memory_high", "swap_rate", KNOB_UINT, high_swap_rate, "MiB per second", 1, 1000000,
           "20", "How much the host may write to swap for this."),
    ROW_OF("memory_high", "lease_s", KNOB_UINT, high_lease_s, "seconds", 5, 3600, "60",
           "A limit that the agent has not renewed for so long is lifted."),
    { "tenancy", "rule", KNOB_ENUM, "", 0, 0, "auto",
      "Which domains may share memory with each other: all, same-group (one group at a time, the "
      "one where it brings most; a domain without a group is one of its own), listed (those with "
      "ksm.merge=yes in their metadata), none, or auto (same-group once any domain has a group, "
      "all until then).",
      tenancy_rule_words, offsetof(PolicyConf, tenancy_rule) },
    { "tenancy", "enforce", KNOB_ENUM, "", 0, 0, "no",
      "Switch merging of running domains off and on as the rule says, and let KSM scan only while "
      "it holds: yes, in the modes auto, classic and fixed; or no (the rule is only reported). It "
      "is done on QEMU's monitor, for which "
      "libvirt marks the domain as tainted (custom-monitor).",
      tenancy_enforce_words, offsetof(PolicyConf, tenancy_enforce) },
    ROW_OF("tenancy", "dwell_s", KNOB_UINT, tenancy_dwell_s, "seconds", 10, 86400, "900",
           "Rule same-group: how long a group is merged at least, before another one that brings "
           "more takes its place."),
    ROW_OF("tenancy", "park_floor", KNOB_UINT, park_floor_mib, "MiB", 0, 1048576, "4",
           "What a domain has to save beyond KSM's own records of it, not to be left out."),
    ROW_OF("tenancy", "park_retry_s", KNOB_UINT, park_retry_s, "seconds", 0, 86400, "0",
           "With enforce = yes, and mode auto: a domain that has gained less than park_floor after "
           "all of its memory was seen is left out for so long, and twice as long each time in a "
           "row, up to 16 times: ksmd has more time for the others then. 0: nobody is left out."),
};

const Knob *
policy_knobs(size_t *ret_n)
{
    *ret_n = sizeof(rows) / sizeof(rows[0]);
    return rows;
}

void
policy_conf_default(PolicyConf *conf)
{
    memset(conf, 0, sizeof(*conf));
    conf->mode = KSM_MODE_AUTO;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value;

        if (rows[i].kind != KNOB_ENUM && knob_number(&rows[i], rows[i].fallback, &value))
            memcpy((char *)conf + rows[i].offset, &value, sizeof(value));
    }
}

Enable
policy_conf_enable(const PolicyConf *conf, unsigned enable)
{
    return conf->mode == KSM_MODE_OBSERVE && enable == ENABLE_YES ? ENABLE_OBSERVE : (Enable)enable;
}

bool
policy_conf_reclaims(const PolicyConf *conf)
{
    return conf->balloon_enable != ENABLE_NO || conf->high_enable != ENABLE_NO;
}
