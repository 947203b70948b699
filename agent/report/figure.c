/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* figure.c - the definition of each figure of a report */
#include "agent/report/figure.h"

#include <string.h>

static const Figure domain_figures[] = {
    { "name", "Name of the domain." },
    { "uuid", "Its uuid." },
    { "pid", "Process id of its QEMU." },
    { "maximum_bytes", "Memory that it is defined with." },
    { "balloon_bytes", "Of the maximum, what its balloon leaves to it." },
    { "ballooned_bytes", "Given up through its balloon: maximum less current memory." },
    { "resident_bytes", "In memory for its QEMU process now: guest and overhead, merged pages too, "
                        "and huge pages. Not what has been swapped out." },
    { "guest_free_bytes", "Free in the guest, but held by the host: what the guest does not use, "
                          "less what was never touched, as far as it is resident. Free page "
                          "reporting would give it back." },
    { "swapped_bytes",
      "Swapped out of its QEMU process, zswap included. Not known on a host that has swapped, if "
      "some of its memory is mapped shared: the kernel does not count that." },
    { "zswapped_bytes", "Of what is swapped: held by zswap, as it was before compression. Known "
                        "with cgroups of version 2 only." },
    { "zswap_bytes", "Memory that zswap needs for it. Known with cgroups of version 2 only." },
    { "untouched_bytes",
      "Never touched, or given back by free page reporting: of the maximum, what "
      "is neither resident, ballooned, swapped nor a zero page of KSM. Not known where what is "
      "swapped is not, or where KSM makes zero pages and the kernel does not count them." },
    { "merging_pages", "Its pages that KSM has merged, a part of what is resident." },
    { "saved_pages",
      "Its fair share of what KSM saves on the host, zero pages included where the kernel counts "
      "them. The shares of all domains and of other processes add up to the host's." },
    { "ksm_zero_pages", "Of what is saved: pages that KSM replaced by the kernel's zero page. "
                        "Counted since Linux 6.6." },
    { "metadata_bytes", "KSM's records about its memory." },
    { "net_saved_bytes", "What is saved less the records. Negative where they take more." },
    { "profit_bytes", "The kernel's own figure of its profit: all its merged pages count as saved, "
                      "so those of all processes add up to more than the host saves." },
    { "unshare_bytes", "Memory needed if all its sharing broke while that of others held: its "
                       "merged pages, and zero pages where the kernel counts them." },
    { "merges_broken_pages",
      "Merges that it lost while it did not shrink, since it was first seen. "
      "What came and went between two looks is not seen: at least so many." },
    { "ksmd_cpu_us", "Its share of ksmd's CPU time since it was first seen, by KSM's records: the "
                     "kernel does not count scanned pages for each process." },
    { "overhead_bytes", "What QEMU itself has resident beside the guest's memory, when it was "
                        "measured last. Merged pages do not count." },
    { "overhead_peak_bytes", "The largest overhead that was measured since it was first seen." },
    { "overhead_sampled_ago_ms", "Age of the overhead." },
    { "overhead_video_bytes", "Of the overhead: memory of devices, video memory above all, and "
                              "ROMs." },
    { "overhead_translation_bytes", "Of the overhead: guest code that was translated, where QEMU "
                                    "emulates the processor." },
    { "overhead_heap_bytes", "Of the overhead: what was allocated (malloc)." },
    { "overhead_stack_bytes", "Of the overhead: stacks of threads and coroutines." },
    { "overhead_other_bytes", "Of the overhead: programs, libraries and files, some of which other "
                              "domains use as well." },
    { "hard_limit_advice_bytes",
      "For <hard_limit>, if there has to be one: maximum, one and a half "
      "times the peak of the overhead, page tables, and 64 MiB." },
    { "stats_age_ms", "Age of the figures that come from libvirt: maximum, balloon, free." },
    { "need_bytes", "What the guest is thought to need, with headroom, from what it tells." },
    { "floor_bytes", "What reclaim leaves to it, as its definition says." },
    { "ceiling_bytes", "What its balloon may leave to it at most, as its definition says." },
    { "shares", "How much of what is short is its, percent of normal." },
    { "balloon_mode", "Of the balloon: off, observe or on." },
    { "balloon_target_bytes",
      "What its balloon is to leave to it; in mode observe, would be. None if it is left alone." },
    { "balloon_reason", "Why." },
    { "high_mode", "Of memory.high: off, observe or on." },
    { "limit_bytes", "memory.high that is wanted; in mode observe, would be. None: no limit." },
    { "reclaim_bytes",
      "Asked of memory.reclaim by the last decision; in mode observe, would have been." },
    { "high_reason", "Why." },
    { "group", "Trust group that it belongs to. None: it is one of its own." },
    { "merging", "Whether its memory may be merged: on, off, being switched, stuck (it cannot be "
                 "switched), cannot merge." },
    { "merge_reason", "What the rule of [tenancy] wants of it, enforced or not." },
};

static const Figure host_figures[] = {
    { "total_bytes", "Memory of the host, the pool of huge pages included." },
    { "huge_pool_bytes", "Of it, the pool of huge pages, in use or not. It is never available, and "
                         "[agent] memory_tight is a share of the rest." },
    { "available_bytes", "What could be had without swapping, as the kernel estimates it." },
    { "swapped_bytes", "Swap in use, zswap included." },
    { "zswapped_bytes",
      "Of what is swapped: held by zswap, as it was before compression. Known since "
      "Linux 5.19." },
    { "zswap_bytes", "Memory that zswap needs for it. Known since Linux 5.19." },
    { "pages_shared", "Pages that KSM keeps, each for several places." },
    { "pages_sharing", "Places that share them beyond the first: what merging saves." },
    { "ksm_zero_pages",
      "Places for which KSM uses the kernel's zero page. Counted since Linux 6.6." },
    { "saved_pages",
      "What KSM saves: sharing, and zero pages where the kernel counts them; it saves more where "
      "KSM makes some and the kernel does not." },
    { "metadata_bytes", "KSM's records about all memory that it looks at." },
    { "net_saved_bytes", "What is saved less the records. Negative where they take more." },
    { "profit_bytes", "The kernel's own figure of it." },
    { "unshare_bytes",
      "Memory needed if all sharing broke, as when KSM is told to unmerge, zero pages included "
      "where the kernel counts them. Compare it with what is available." },
    { "ksmd_cpu_us", "CPU time of ksmd since boot." },
    { "ksmd_full_scans", "Passes of ksmd over all memory that may be merged, since boot." },
    { "cow_ksm_breaks",
      "Merged pages that were copied because somebody wrote to them, since boot." },
    { "memory_level", "How short of memory it is: calm, tight or critical." },
    { "memory_reason", "Why." },
};

static const struct {
    const Figure *rows;
    size_t n;
} lists[FIGURE_SCOPE_COUNT] = {
    [FIGURE_DOMAIN] = { domain_figures, sizeof(domain_figures) / sizeof(domain_figures[0]) },
    [FIGURE_HOST] = { host_figures, sizeof(host_figures) / sizeof(host_figures[0]) },
};

const Figure *
figure_list(FigureScope scope, size_t *ret_n)
{
    *ret_n = lists[scope].n;
    return lists[scope].rows;
}

const char *
figure_help(FigureScope scope, const char *name)
{
    for (size_t i = 0; i < lists[scope].n; i++)
        if (strcmp(lists[scope].rows[i].name, name) == 0)
            return lists[scope].rows[i].help;
    return NULL;
}
