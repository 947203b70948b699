/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_internal.h - what the files of the KSM model share */
#ifndef TEST_SIM_KSM_INTERNAL_H
#define TEST_SIM_KSM_INTERNAL_H

#include "policy/arith.h"
#include "test/sim/ksm_model.h"
#include "test/sim/spans.h"

/* The group that zero pages are, while they are not the kernel's own. */
#define ZERO_GROUP 0
/* From this age on smart_scan treats all pages alike. */
#define AGE_MAX 9

/* What KSM knows of the content of a page. */
typedef enum {
    MARK_NONE, /* there is no record of the page */
    MARK_OLD,  /* the checksum in its record is not that of its content */
    MARK_GOOD, /* it is */
} Mark;

/* Where the record of a page is. */
typedef enum {
    PLACE_NONE,     /* nowhere: counts as volatile */
    PLACE_UNSTABLE, /* in the tree of unique pages, or was when it was last seen */
    PLACE_STABLE,   /* merged */
    PLACE_STALE,    /* counts as merged, but the page has been written since */
    PLACE_ZERO,     /* the page is the kernel's zero page */
} Place;

/* Neighbouring pages that KSM treats alike. */
typedef struct {
    uint64_t pages;    /* in it, at least 1 */
    uint64_t seen_ns;  /* volatile pages: when ksmd was there */
    uint64_t pass;     /* volatile pages: in which it was there */
    uint64_t unshared; /* volatile pages: of them, in the tree of unique pages */
    Mark mark;
    Place place;
    uint8_t age;   /* looks at it so far, at most AGE_MAX */
    uint8_t skips; /* that it may still be passed over */
} Run;

typedef struct {
    KsmRegion like;
    KsmRegion was;      /* what its PLACE_STALE pages were */
    uint64_t there;     /* pages in runs */
    Run *runs;          /* owned */
    size_t n;           /* runs */
    size_t room;        /* allocated */
    uint64_t part_bp;   /* volatile pages: part of one that was not counted as unshared yet */
    size_t last;        /* the run that was looked for last, at most n */
    uint64_t last_page; /* where it begins */
} Region;

typedef struct Process Process;

struct Process {
    Process *previous; /* in ksmd's list */
    Process *next;     /* in ksmd's list */
    uint32_t number;   /* index in the model's list of processes */
    bool listed;       /* it is in ksmd's list */
    bool exited;       /* waits for ksmd to drop its records */
    Region *regions;   /* owned */
    size_t n;          /* regions */
    uint64_t began_ns; /* when it started */
    uint64_t pages;    /* in its regions, once all have come */
    uint64_t whole_us; /* after its start: they have */
    uint64_t merging;  /* pages */
    uint64_t items;    /* records */
    uint64_t zeros;    /* pages that are the kernel's zero page */
};

/* Contents that one process has put into the tree of unique pages in this pass. */
typedef struct {
    uint64_t from;  /* first content */
    uint64_t to;    /* behind the last */
    Process *owner; /* borrowed; NULL: gone */
    size_t region;  /* of the owner */
} Guess;

typedef struct {
    Spans stable;   /* merged contents */
    Guess *guesses; /* owned; sorted */
    size_t n;       /* guesses */
    size_t room;    /* allocated */
    uint64_t pass;  /* that they belong to */
} Group;

typedef enum {
    KSMD_WAITS,  /* run is 0, or nobody has anything to merge */
    KSMD_SLEEPS, /* between batches */
    KSMD_READY,  /* about to begin a batch */
    KSMD_WORKS,  /* in a batch */
} KsmdState;

typedef struct {
    uint64_t began_ns; /* of the pass; 0: not known */
    uint64_t time_s;   /* of the last pass */
    uint64_t change;   /* smoothed, percent */
    uint64_t cpu_ns;   /* ksmd's run time at the end of the last pass */
} Advisor;

struct KsmModel {
    KsmCosts costs;
    KsmCosts now_costs; /* in this pass */
    KsmKnobs knobs;
    uint64_t now_ns; /* virtual time */

    KsmdState state;
    uint64_t ksmd_ns;     /* ksmd's own clock; ahead by a page at most */
    uint64_t wake_ns;     /* sleeps until then */
    uint64_t slept_ms;    /* the setting with which it went to sleep */
    uint64_t batch_left;  /* pages */
    uint64_t pending_run; /* waits for the end of the batch; VALUE_UNKNOWN: none */
    uint64_t pending_ns;  /* since when */
    uint64_t waited_ns;   /* the longest that a write to run has waited */
    uint64_t cpu_ns;      /* ksmd's run time */
    Advisor advisor;

    Process head;         /* of ksmd's list; the cursor is here between passes */
    Process *cursor;      /* borrowed */
    size_t region;        /* of the cursor */
    uint64_t page;        /* of the cursor, within the region */
    uint64_t pass;        /* number of the pass under way, from 1 */
    Process **processes;  /* owned; by number; NULL: gone */
    size_t process_count; /* those that are gone included */
    Group *groups;        /* owned; by number */
    size_t group_count;   /* groups */

    uint64_t scans;    /* full_scans */
    uint64_t scanned;  /* pages_scanned */
    uint64_t skipped;  /* pages_skipped */
    uint64_t unshared; /* pages_unshared */
    uint64_t items;    /* records */
    uint64_t zeros;    /* ksm_zero_pages */
    uint64_t copies;   /* merged pages: pages_shared + pages_sharing */
    uint64_t nodes;    /* pages_shared */
};

/* What ksmd does with a page. */
typedef enum {
    VISIT_MERGED,   /* nothing: it is merged */
    VISIT_PLACED,   /* nothing: it is the kernel's zero page */
    VISIT_SKIP,     /* smart_scan passes it over */
    VISIT_CHECKSUM, /* takes its checksum */
    VISIT_ZERO,     /* replaces it by the kernel's zero page */
    VISIT_JOIN,     /* merges it with a KSM page */
    VISIT_PAIR,     /* merges it with a page that was alone */
    VISIT_ALONE,    /* finds no equal */
    VISIT_VOLATILE, /* some have changed, the rest find no equal */
} Visit;

/* The next pages that are treated alike. */
typedef struct {
    Process *process; /* borrowed */
    Region *region;   /* of the process */
    size_t run;       /* the cursor is at its beginning */
    Visit visit;
    uint64_t pages;     /* at least 1 */
    uint64_t cost_ns;   /* of each */
    bool counted;       /* they count for the batch */
    const Guess *guess; /* VISIT_PAIR: whose */
} Step;

/** memory_start() - the pages of a new process; it is in no list yet */
Process *memory_start(KsmModel *model, const KsmRegion *regions, size_t n);

/** memory_drop() - no records of a process any more; returns how many there were */
uint64_t memory_drop(KsmModel *model, Process *process);

/** memory_free() - for a process without records */
void memory_free(Process *process);

/** memory_refresh() - let the pages that have come be there; returns how many there are */
uint64_t memory_refresh(Region *region, uint64_t age_us);

/** memory_present() - pages of a region that have come, @age_us after the start of its process */
uint64_t memory_present(const KsmRegion *like, uint64_t age_us);

/** memory_group() - of a number; made when it is new */
Group *memory_group(KsmModel *model, uint32_t number);

/** memory_run_at() - the run that begins at a page of a region; cut if none does yet */
size_t memory_run_at(Region *region, uint64_t page);

/** memory_change() - the first @pages of a run get the state @to, and all counters follow */
void memory_change(KsmModel *model, Process *process, Region *region, size_t run, uint64_t pages,
                   const Run *to);

/** visit_look() - what ksmd does next at the cursor, which is at pages that are there */
Step visit_look(KsmModel *model, Process *process, Region *region);

/** visit_forget() - nothing is equal to the pages of a process any more */
void visit_forget(KsmModel *model, const Process *process);

/** visit_apply() - ksmd has done so with the first @pages of a step */
void visit_apply(KsmModel *model, const Step *step, uint64_t pages);

/** ksmd_should_run() - there is something to do, and run is 1 */
bool ksmd_should_run(const KsmModel *model);

/** ksmd_wake_waiting() - something has changed for which it may have waited */
void ksmd_wake_waiting(KsmModel *model);

/** ksmd_forget() - a process without records leaves the list, for good */
void ksmd_forget(KsmModel *model, Process *process);

/** ksmd_take_run() - the value that has been written to run holds from now on */
void ksmd_take_run(KsmModel *model, uint64_t run);

#endif
