/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reason.c - the words for reasons */
#include "policy/reason.h"

#include <assert.h>
#include <stddef.h>

typedef struct {
    const char *name;
    const char *text; /* one sentence, for people */
} ReasonWords;

static const ReasonWords reason_words[] = {
    [REASON_NONE] = { "none", "no decision has been taken yet" },
    [REASON_NO_KSM] = { "no-ksm", "this kernel has no KSM" },
    [REASON_MODE_OFF] = { "mode-off", "mode is off: KSM is left as it was found" },
    [REASON_MODE_FIXED] = { "mode-fixed", "mode is fixed: KSM has the configured settings" },
    [REASON_TRIGGER] = { "trigger", "an event asked for scanning" },
    [REASON_DEBT] = { "debt", "memory is resident that two passes have not covered yet" },
    [REASON_GATHERING] = { "gathering",
                           "new memory waits until there is enough of it to be worth a pass" },
    [REASON_CPU_BUDGET] = { "cpu-budget",
                            "memory is not covered yet, but ksmd has used up its CPU budget" },
    [REASON_CPU_PRESSURE] = { "cpu-pressure", "tasks wait for a CPU: new memory waits longer until "
                                              "there is enough of it" },
    [REASON_LATENCY] = { "latency", "memory is not covered yet, but a latency-critical domain "
                                    "waits for a CPU" },
    [REASON_MEMORY_LOW] = { "memory-low",
                            "the host is short of memory: new memory is merged without "
                            "waiting" },
    [REASON_SETTLING] = { "settling", "all memory is covered; watching whether it still changes" },
    [REASON_CHURN_WATCH] = { "churn-watch", "all memory is covered; changed memory is looked for "
                                            "from time to time" },
    [REASON_NO_DOMAIN] = { "no-domain", "no domain is running" },
    [REASON_NOTHING_MERGEABLE] = { "nothing-mergeable",
                                   "domains run, but none of their memory may be merged" },
    [REASON_WEIGHT_ZERO] = { "weight-zero", "its configured weight is 0: it asks for no scanning" },
    [REASON_NO_PROFIT] = { "no-profit", "merging saves less than its own records cost" },
    [REASON_LOW_YIELD] = { "low-yield",
                           "merging gains less than yield_floor for the CPU time it takes" },
    [REASON_PROBE] = { "probe", "two passes look for memory that has changed" },
    [REASON_CLEANUP] = { "cleanup", "a domain went away: ksmd drops its records of it" },
    [REASON_LADDER_TRIGGER] = { "ladder-trigger", "triggered within the aggressive interval" },
    [REASON_LADDER_STANDARD] = { "ladder-standard", "no trigger for the aggressive interval" },
    [REASON_LADDER_SLOW] = { "ladder-slow", "no trigger for the standard interval" },
    [REASON_LADDER_INITIAL] = { "ladder-initial",
                                "no trigger for the slow interval: settings as first found" },
    [REASON_FACT_MISSING] = { "fact-missing",
                              "a needed figure could not be read: settings left as they are" },
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
