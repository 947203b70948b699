/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_model.h - KSM as the kernel runs it, without the pages
 *
 * Processes have regions of pages that are alike; what ksmd would do with each page is worked out
 * for thousands of them at once. Everything is exact and repeatable: there is no chance in it, and
 * no clock but its own. ksm_model.c says what is modelled and what is not.
 */
#ifndef TEST_SIM_KSM_MODEL_H
#define TEST_SIM_KSM_MODEL_H

#include "policy/sample.h"

/* Size of a page of the model. */
#define KSM_MODEL_PAGE_BYTES 4096u

typedef enum {
    KSM_CONTENT_SHARED,   /* page i is equal to content base + i of a group */
    KSM_CONTENT_UNIQUE,   /* equal to nothing */
    KSM_CONTENT_ZERO,     /* all bytes zero */
    KSM_CONTENT_VOLATILE, /* rewritten again and again */
    KSM_CONTENT_COUNT,
} KsmContent;

/* Pages of a process that are alike, in the order of their addresses. */
typedef struct {
    KsmContent content;
    uint32_t group;       /* SHARED: from 1; what has the same group and index is equal */
    uint64_t base;        /* SHARED: index of the first page in its group */
    uint64_t pages;       /* in the end */
    uint64_t pages_per_s; /* how fast they come; 0: at once */
    uint64_t after_us;    /* when they begin to come, since the start of the process */
    uint64_t period_us;   /* VOLATILE: every page is written once in so long; 0: all the time */
} KsmRegion;

/* What ksmd's work costs, nanoseconds of CPU time per page where nothing else is said. */
typedef struct {
    uint32_t checksum_ns;    /* first look, and a page that has changed */
    uint32_t alone_ns;       /* searched for in both trees without success */
    uint32_t merge_ns;       /* searched for and merged */
    uint32_t level_ns;       /* more, for each doubling of the records beyond level_pages */
    uint32_t level_pages;    /* records up to which the three above hold */
    uint32_t zero_ns;        /* zero page, in the pass that merges it */
    uint32_t merged_ns;      /* merged already */
    uint32_t skipped_ns;     /* passed over by smart_scan */
    uint32_t placed_zero_ns; /* the kernel's zero page already */
    uint32_t drop_ns;        /* record of a process that is gone */
    uint32_t process_ns;     /* per process and pass */
    uint32_t pass_ns;        /* per pass */
} KsmCosts;

/* As measured on Linux 6.18, the last three estimated. */
extern const KsmCosts ksm_costs;

/* What is known of one process. */
typedef struct {
    uint64_t resident_pages; /* without those that are the kernel's zero page */
    uint64_t merging_pages;  /* as in /proc/PID/ksm_merging_pages */
    uint64_t rmap_items;     /* as in /proc/PID/ksm_stat */
    uint64_t zero_pages;     /* as in /proc/PID/ksm_stat */
} KsmProcess;

typedef struct KsmModel KsmModel;

/**
 * ksm_model_new() - a host on which nothing can be merged yet, with the kernel's defaults
 * @costs:    copied; NULL: ksm_costs
 * @begin_us: its clock
 *
 * Return: for ksm_model_free().
 */
KsmModel *ksm_model_new(const KsmCosts *costs, uint64_t begin_us);

/** ksm_model_free() - the counterpart of ksm_model_new() */
void ksm_model_free(KsmModel *model);

/** ksm_model_now_us() - its clock */
uint64_t ksm_model_now_us(const KsmModel *model);

/**
 * ksm_model_run() - let time pass
 * @until_us: of its clock; not before ksm_model_now_us()
 */
void ksm_model_run(KsmModel *model, uint64_t until_us);

/** ksm_model_knobs() - the settings that the files show */
KsmKnobs ksm_model_knobs(const KsmModel *model);

/**
 * ksm_model_write() - write to the files, in the order in which the agent does
 * @wanted: VALUE_UNKNOWN members are left alone, and so are those that have the value already
 *
 * As in the kernel: pages_to_scan is refused while the advisor is on; another sleep_millisecs
 * wakes ksmd; run waits for the end of a batch.
 */
void ksm_model_write(KsmModel *model, const KsmKnobs *wanted);

/** ksm_model_run_wait_us() - the longest that a write to run had to wait */
uint64_t ksm_model_run_wait_us(const KsmModel *model);

/**
 * ksm_model_start() - a process with memory that may be merged
 * @regions: copied; n of them, one behind the other
 *
 * Return: its number, never used twice.
 */
uint32_t ksm_model_start(KsmModel *model, const KsmRegion *regions, size_t n);

/** ksm_model_exit() - a process ends; KSM keeps its records until ksmd comes by */
void ksm_model_exit(KsmModel *model, uint32_t number);

/**
 * ksm_model_rewrite() - all pages of a region that are there get another content at once
 * @region: number of it, in the order of ksm_model_start()
 * @like:   content, group, base and period_us hold from now on; the rest is not looked at
 */
void ksm_model_rewrite(KsmModel *model, uint32_t number, size_t region, const KsmRegion *like);

/** ksm_model_counters() - as in /sys/kernel/mm/ksm */
KsmCounters ksm_model_counters(const KsmModel *model);

/** ksm_model_cpu_us() - run time of ksmd */
uint64_t ksm_model_cpu_us(const KsmModel *model);

/** ksm_model_process() - as in /proc/PID; of one that runs */
KsmProcess ksm_model_process(const KsmModel *model, uint32_t number);

/** ksm_model_possible_pages() - pages that merging could save at best, as things are now */
uint64_t ksm_model_possible_pages(const KsmModel *model);

/** ksm_model_saved_pages() - pages that merging saves; those of processes that are gone count */
uint64_t ksm_model_saved_pages(const KsmModel *model);

#endif
