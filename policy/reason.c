/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reason.c - the words for reasons */
#include "policy/reason.h"

#include <assert.h>
#include <stddef.h>

typedef struct {
    const char *name;
    const char *text;   /* one sentence, for people */
    const char *change; /* what would lead to another decision, likewise */
    const char *bound;  /* the setting whose bound held; NULL: none did */
} ReasonWords;

static const ReasonWords reason_words[] = {
    [REASON_NONE] = { "none", "no decision has been taken yet",
                      "the first look at the host, a moment after the start", NULL },
    [REASON_NO_KSM] = { "no-ksm", "this kernel has no KSM",
                        "a kernel that is built with CONFIG_KSM", NULL },
    [REASON_MODE_OFF] = { "mode-off", "mode is off: KSM is left as it was found",
                          "'virtksm mode auto', or another mode in the configuration", "mode" },
    [REASON_MODE_FIXED] = { "mode-fixed", "mode is fixed: KSM has the configured settings",
                            "'virtksm mode auto', or other fixed_ settings", "mode" },
    [REASON_TRIGGER] = { "trigger", "an event asked for scanning",
                         "the facts about domains, which follow in a moment", NULL },
    [REASON_DEBT] = { "debt", "memory is resident that two passes have not covered yet",
                      "the end of the passes: then all memory is covered", NULL },
    [REASON_GATHERING] = { "gathering",
                           "new memory waits until there is enough of it to be worth a pass",
                           "more new memory, or more time: each MiB that waits counts; a lower "
                           "cpu_price merges sooner",
                           "cpu_price" },
    [REASON_BOOTING] = { "booting",
                         "guests are coming up, which others have done soon: what they have is "
                         "merged when they are up",
                         "more memory in them, or time: no longer than others took; a lower "
                         "cpu_price merges sooner",
                         "cpu_price" },
    [REASON_CPU_BUDGET] = { "cpu-budget",
                            "memory is not covered yet, but ksmd has used up its CPU budget",
                            "time: the budget is for a minute; or a higher cpu_burst",
                            "cpu_burst" },
    [REASON_CPU_PRESSURE] = { "cpu-pressure",
                              "tasks wait for a CPU: new memory waits longer until "
                              "there is enough of it",
                              "less waiting for CPUs, or a higher cpu_pressure", "cpu_pressure" },
    [REASON_LATENCY] = { "latency",
                         "memory is not covered yet, but a latency-critical domain "
                         "waits for a CPU",
                         "that domain gets its CPU, or is not latency_critical in its metadata any "
                         "more",
                         NULL },
    [REASON_MEMORY_LOW] = { "memory-low",
                            "the host is short of memory: new memory is merged without "
                            "waiting",
                            "more available memory than memory_low", "memory_low" },
    [REASON_SETTLING] = { "settling", "all memory is covered; watching whether it still changes",
                          "growing memory, or the end of settle_ms", "settle_ms" },
    [REASON_CHURN_WATCH] = { "churn-watch",
                             "all memory is covered; changed memory is looked for from time to "
                             "time, within churn_s as far as cpu_idle allows",
                             "a new domain, growing memory, or what the next look finds", NULL },
    [REASON_NO_DOMAIN] = { "no-domain", "no domain is running", "a domain that starts", NULL },
    [REASON_NOTHING_MERGEABLE] = { "nothing-mergeable",
                                   "domains run, but none of their memory may be merged",
                                   "a domain that can be merged; 'virtksm doctor' tells why these "
                                   "cannot",
                                   NULL },
    [REASON_WEIGHT_ZERO] = { "weight-zero", "its configured weight is 0: it asks for no scanning",
                             "another weight in its metadata", NULL },
    [REASON_NO_PROFIT] = { "no-profit", "merging saves less than its own records cost",
                           "new or growing memory, or memory that becomes equal, which is looked "
                           "for "
                           "from time to time",
                           NULL },
    [REASON_LOW_YIELD] = { "low-yield",
                           "merging gains less than yield_floor for the CPU time it takes",
                           "new or growing memory, what the next look finds, or a lower "
                           "yield_floor",
                           "yield_floor" },
    [REASON_PROBE] = { "probe", "ksmd looks for memory that has changed",
                       "the end of the pass, or of its part", NULL },
    [REASON_CLEANUP] = { "cleanup", "a domain went away: ksmd drops its records of it",
                         "the end of the passes", NULL },
    [REASON_LADDER_TRIGGER] = { "ladder-trigger", "triggered within the aggressive interval",
                                "no trigger until aggressive_s is over", "aggressive_s" },
    [REASON_LADDER_STANDARD] = { "ladder-standard", "no trigger for the aggressive interval",
                                 "a trigger, or the end of standard_s", "standard_s" },
    [REASON_LADDER_SLOW] = { "ladder-slow", "no trigger for the standard interval",
                             "a trigger, or the end of slow_s", "slow_s" },
    [REASON_LADDER_INITIAL] = { "ladder-initial",
                                "no trigger for the slow interval: settings as first found",
                                "a trigger: a domain that starts, or a kick", NULL },
    [REASON_FACT_MISSING] = { "fact-missing",
                              "a needed figure could not be read: settings left as they are",
                              "the figure: 'virtksm doctor' tells what cannot be read", NULL },
    [REASON_MECHANISM_OFF] = { "mechanism-off",
                               "off by its configuration, or by the domain's metadata",
                               "enable = yes in its section, and metadata that does not say off",
                               NULL },
    [REASON_CALM] = { "calm", "the host has memory to spare: nothing is taken",
                      "less available memory than memory_tight", "agent.memory_tight" },
    [REASON_HOLD_STILL] = { "hold-still",
                            "it is migrated, restored, saved, paused or in another job: nothing of "
                            "it is moved",
                            "the end of that", NULL },
    [REASON_FIXED_MEMORY] = { "fixed-memory",
                              "its memory must stay: passthrough, locked, huge pages or "
                              "confidential",
                              "another definition of the domain; 'virtksm doctor' tells what is in "
                              "the way",
                              NULL },
    [REASON_NO_BALLOON] = { "no-balloon", "it has no balloon device",
                            "a balloon device in its definition", NULL },
    [REASON_VIRTIO_MEM] = { "virtio-mem",
                            "its virtio-mem devices change its memory, and a balloon cannot move "
                            "theirs",
                            "a definition without them", NULL },
    [REASON_STATS_STALE] = { "stats-stale", "the guest has told nothing of its memory lately",
                             "a balloon driver in the guest, and a statistics period", NULL },
    [REASON_STATS_ABSURD] = { "stats-absurd", "what the guest tells of its memory cannot be true",
                              "a balloon driver that tells the truth", NULL },
    [REASON_FOREIGN] = { "foreign", "somebody else has changed it: left alone until told otherwise",
                         "'virtksm set' for this domain, its next start, or on_foreign_change",
                         NULL },
    [REASON_WAITING] = { "waiting",
                         "what was asked of its balloon has not been passed on yet: libvirt or its "
                         "QEMU is busy",
                         "an answer of libvirt, or something else that is wanted", NULL },
    [REASON_REFUSED] = { "refused",
                         "libvirt does not set its balloon: it is left alone for 5 minutes",
                         "time; the log of virtksmd tells what libvirt says", NULL },
    [REASON_STUCK] = { "stuck",
                       "its balloon was asked to move, and hardly does: it is not counted upon",
                       "a balloon that moves", "balloon.stuck_s" },
    [REASON_DWELL] = { "dwell", "the last step is too fresh to be judged",
                       "time: dwell_s of its section", NULL },
    [REASON_DEAD_BAND] = { "dead-band", "the difference is too small to be worth a step",
                           "a larger difference, or a lower dead_band", "balloon.dead_band" },
    [REASON_AT_FLOOR] = { "at-floor", "it has no more than its floor", "a lower floor", NULL },
    [REASON_AT_CEILING] = { "at-ceiling", "it needs more, but has what it may have",
                            "a higher ceiling in its metadata, or more memory in its definition",
                            NULL },
    [REASON_GUEST_SHORT] = { "guest-short",
                             "the guest itself is short of memory: nothing is taken from it",
                             "less need, or more memory for it", NULL },
    [REASON_TAKE] = { "take", "the host is short: memory that it does not need is taken",
                      "a host that is not short any more, or a guest that is", "balloon.shrink" },
    [REASON_GIVE_BACK] = { "give-back", "the host has memory to spare: it is given some",
                           "all that it may have, or a host that is short again", NULL },
    [REASON_PROBE_DOWN] = { "probe-down",
                            "the host is short: a little memory that seems cold is reclaimed",
                            "a domain that waits for memory, or a host that is not short",
                            "memory_high.step" },
    [REASON_BACK_OFF] = { "back-off",
                          "it waits for memory, memory comes back to it, or it grows against "
                          "the limit: what held it down is lifted",
                          "less waiting, less memory that comes back, and no growth",
                          "memory_high.stall" },
    [REASON_NO_SWAP] = { "no-swap",
                         "there is no free swap, and too little of its memory is cache of files",
                         "swap space that is free", NULL },
    [REASON_SWAP_RATE] = { "swap-rate", "the host writes to swap as fast as it may",
                           "less writing to swap, or a higher swap_rate", "memory_high.swap_rate" },
    [REASON_IDLE_FIRST] = { "idle-first",
                            "its balloon can give memory that it does not use: that comes first",
                            "a balloon that has taken what is idle", NULL },
    [REASON_NO_CGROUP] = { "no-cgroup",
                           "its cgroup is not known, or has neither memory.reclaim nor memory.high",
                           "a host with cgroup v2", NULL },
    [REASON_HOST_TIGHT] = { "host-tight", "the host is short of memory",
                            "more memory that is available, for calm_s", "agent.memory_tight" },
    [REASON_HOST_CRITICAL] = { "host-critical", "the host has almost no memory left",
                               "more memory that is available, for calm_s",
                               "agent.memory_critical" },
    [REASON_IN_USE] = { "in-use", "it has used nearly all of what is resident lately",
                        "memory that it has not used within [working_set] age, or less headroom",
                        "balloon.headroom" },
    [REASON_SWITCHED_OFF] = { "switched-off",
                              "merging of it is switched off, by the rule of tenancy",
                              "another group that is chosen, or another rule", NULL },
    [REASON_TENANCY] = { "switching",
                         "scanning stands still until every domain that must not be merged is "
                         "switched off",
                         "all of them switched off; 'virtksm explain' tells which are not", NULL },
    [REASON_MERGED_ALL] = { "merged-all",
                            "by rule all, every domain may share memory with every "
                            "other",
                            "another rule, or the first domain that has a group", "tenancy.rule" },
    [REASON_MERGED_GROUP] = { "merged-group", "its group is the one that is merged",
                              "another group that brings more, after dwell_s", "tenancy.dwell_s" },
    [REASON_MERGED_LISTED] = { "merged-listed", "its metadata lists it: it may be merged",
                               "ksm.merge in its metadata", "tenancy.rule" },
    [REASON_MERGED_NONE] = { "merged-none", "by rule none, no domain may share memory",
                             "another rule", "tenancy.rule" },
    [REASON_OTHER_GROUP] = { "other-group", "another group is the one that is merged",
                             "this group bringing more than the other, after dwell_s",
                             "tenancy.dwell_s" },
    [REASON_NOT_LISTED] = { "not-listed",
                            "by rule listed, it may not be merged: its metadata does "
                            "not list it",
                            "ksm.merge=yes in its metadata", "tenancy.rule" },
    [REASON_OPTED_OUT] = { "opted-out", "its metadata says that it must not be merged",
                           "ksm.merge in its metadata", NULL },
    [REASON_PARKED] = { "parked",
                        "merging it gains less than park_floor: it is left out for a while",
                        "time: it is tried again after park_retry_s", "tenancy.park_floor" },
    [REASON_PAGES_MERGED] = { "pages-merged",
                              "merge_across_nodes can be changed only while no pages are merged, "
                              "and nobody may be parted for it",
                              "[tenancy] enforce = yes, or a start of virtksmd before the domains",
                              "tenancy.enforce" },
    [REASON_OTHERS_MERGED] = { "others-merged",
                               "merge_across_nodes can be changed only while no pages are merged, "
                               "and processes that are no domains have too many",
                               "the end of these processes, or of their merging", NULL },
    [REASON_NODES] = { "nodes", "all domains are parted, so that merge_across_nodes can be changed",
                       "the end of that", "merge_across_nodes" },
    [REASON_MERGE_WAIT] = { "merge-wait", "it is being switched, or waits for others to be first",
                            "the end of that: 'virtksm explain' tells what is before it", NULL },
    [REASON_UNDECIDED] = { "undecided", "its definition is not known yet, so neither is its group",
                           "its definition, which libvirt is asked for", NULL },
    [REASON_MERGE_STUCK] = { "merge-stuck",
                             "it should be switched off, which did not work: no scanning unless "
                             "its "
                             "group is the one that is merged",
                             "a QEMU that answers; it is tried again", NULL },
    [REASON_NO_HEADROOM] = { "no-headroom",
                             "it should be switched off, and there is not enough memory for the "
                             "copies that this makes",
                             "more memory that is available beyond memory_tight, or a higher "
                             "hard_limit of the domain",
                             "agent.memory_tight" },
    [REASON_HOST_FILLS] = { "host-fills",
                            "the host fills up so fast that it would be short before balloons "
                            "answer",
                            "available memory that falls more slowly", "agent.memory_tight" },
    [REASON_HARD_LIMIT] = { "hard-limit",
                            "its cgroup has come to its hard limit, or had no memory left: nothing "
                            "is taken from it",
                            "less need of the domain, or a higher hard_limit", NULL },
    [REASON_REPORTS_FREE] = { "reports-free",
                              "its guest gives back what is free by itself: its balloon would gain "
                              "next to nothing",
                              "memory that the guest holds and does not need", NULL },
};
static_assert(sizeof(reason_words) / sizeof(reason_words[0]) == REASON_COUNT,
              "reason_words[] and Reason differ");

const char *
reason_name(Reason reason)
{
    return (unsigned)reason < REASON_COUNT ? reason_words[reason].name : "unknown";
}

const char *
reason_text(Reason reason)
{
    return (unsigned)reason < REASON_COUNT ? reason_words[reason].text : "unknown reason";
}

const char *
reason_change(Reason reason)
{
    return (unsigned)reason < REASON_COUNT ? reason_words[reason].change : "unknown";
}

const char *
reason_bound(Reason reason)
{
    return (unsigned)reason < REASON_COUNT ? reason_words[reason].bound : NULL;
}
