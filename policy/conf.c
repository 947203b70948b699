/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conf.c - the rows that describe PolicyConf, and the defaults that they state */
#include "policy/conf.h"

#include <assert.h>
#include <string.h>

const char *const ksm_mode_words[] = {
    [KSM_MODE_AUTO] = "auto",       [KSM_MODE_CLASSIC] = "classic", [KSM_MODE_FIXED] = "fixed",
    [KSM_MODE_OBSERVE] = "observe", [KSM_MODE_OFF] = "off",         [KSM_MODE_COUNT] = NULL,
};

#define ROW_UINT(field, unit, min, max, fallback, help)                                            \
    {                                                                                              \
        "ksm", #field, KNOB_UINT, unit, min, max, fallback, help, NULL,                            \
            offsetof(PolicyConf, field)                                                            \
    }

static const Knob rows[] = {
    { "ksm", "mode", KNOB_ENUM, "", 0, 0, "auto",
      "How KSM is driven: auto (closed loop), classic (timed ladder), fixed (the fixed_ settings), "
      "observe (decide and report, write nothing), off (leave KSM as found).",
      ksm_mode_words, offsetof(PolicyConf, mode) },
    ROW_UINT(cpu_burst, "percent of one CPU", 0, 100, "0",
             "CPU time that ksmd may use while memory is waiting to be merged, averaged over any "
             "60 seconds. 0 chooses by the number of CPUs: 25 on one, 50 on up to four, else 100."),
    ROW_UINT(cpu_idle_bp, "hundredths of a percent of one CPU", 1, 10000, "30",
             "CPU time that ksmd may use while all memory is covered."),
    ROW_UINT(batch_pages, "pages", 100, 100000, "4000",
             "Pages per batch in a burst. A write to the kernel's run file waits for the end of a "
             "batch: 4000 pages are about 20 ms."),
    ROW_UINT(settle_ms, "milliseconds", 100, 600000, "5000",
             "How long to watch for growing memory after everything has been covered."),
    ROW_UINT(churn_s, "seconds", 10, 86400, "600",
             "Time within which changed memory is found while everything is covered, as far as "
             "cpu_idle_bp allows."),
    ROW_UINT(growth_kib, "KiB", 256, 1073741824, "8192",
             "Growth of a domain's resident memory that counts as new memory to merge."),
    ROW_UINT(cpu_price, "MiB times seconds", 1, 1000000, "100",
             "How much waiting of mergeable memory one second of ksmd's CPU time is worth: 100 MiB "
             "for a second, or 10 MiB for ten. Less merges sooner and costs more."),
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

/* The defaults in the rows are decimal numbers; a unit test proves it for every row. */
static uint64_t
number(const char *text)
{
    uint64_t value = 0;

    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint64_t)(*text - '0');
    return value;
}

void
policy_conf_default(PolicyConf *conf)
{
    memset(conf, 0, sizeof(*conf));
    conf->mode = KSM_MODE_AUTO;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = number(rows[i].fallback);

        if (rows[i].kind == KNOB_UINT)
            memcpy((char *)conf + rows[i].offset, &value, sizeof(value));
    }
}
