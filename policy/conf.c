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
                "CPU time that ksmd may use while all memory is covered."),
    ROW_PERCENT(cpu_pressure, "percent of the time", 1, BP_ONE, "60",
                "While tasks wait for a CPU for more of the time than this (the 'some' line of "
                "/proc/pressure/cpu, or time stolen from this host if that is more), cpu_price "
                "rises, up to four times: fewer passes. 100 switches this off."),
    ROW_PERCENT(memory_low, "percent of memory", 0, BP_ONE, "10",
                "While less memory than this is available, or tasks wait for memory, merging "
                "neither waits for guests to settle nor gives way to others."),
    ROW_UINT(batch_pages, "pages", 100, 100000, "4000",
             "Pages per batch in a burst. A write to the kernel's run file waits for the end of a "
             "batch: 4000 pages are about 20 ms."),
    ROW_UINT(settle_ms, "milliseconds", 100, 600000, "5000",
             "How long to watch for growing memory after everything has been covered."),
    ROW_UINT(churn_s, "seconds", 10, 86400, "600",
             "Time within which changed memory is found while everything is covered, as far as "
             "cpu_idle allows."),
    ROW_UINT(growth_kib, "KiB", 256, 1073741824, "8192",
             "Growth of a domain's resident memory that counts as new memory to merge."),
    ROW_UINT(cpu_price, "MiB times seconds", 1, 1000000, "300",
             "How much waiting of mergeable memory one second of ksmd's CPU time is worth: 100 MiB "
             "for a second, or 10 MiB for ten. Less merges sooner and costs more."),
    ROW_UINT(yield_floor, "MiB per CPU-second", 0, 1000000, "1",
             "Where a burst or a probe gains less than this for each second of ksmd's CPU time, "
             "net of KSM's own records, KSM rests. Memory that merges fully gains about 600."),
    { "ksm", "use_zero_pages", KNOB_ENUM, "", 0, 0, "as-found",
      "Pages of zeros that are merged from now on: on (they use the kernel's zero page), off (they "
      "merge with each other, as all pages do), as-found (the kernel's setting is left alone). On "
      "takes them off ksmd's list: later passes cost less, and they need no records. But a kernel "
      "without the counter ksm_zero_pages does not say how many there are, so savings look smaller "
      "there than they are.",
      zero_pages_words, offsetof(PolicyConf, use_zero_pages) },
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
