/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attribution.h - each process its fair share of what KSM saves */
#ifndef AGENT_REPORT_ATTRIBUTION_H
#define AGENT_REPORT_ATTRIBUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One process. */
typedef struct {
    uint64_t merging_pages; /* in: its pages that are merged */
    uint64_t zero_pages;    /* in: its pages that are the kernel's zero page */
    uint64_t share_pages;   /* out: its share of pages_sharing */
    uint64_t saved_pages;   /* out: share_pages and zero_pages */
} Attributed;

/* The host's figures of the same moment. */
typedef struct {
    uint64_t pages_shared;  /* pages kept */
    uint64_t pages_sharing; /* places that share them beyond the first: the saving */
    uint64_t zero_pages;    /* of all processes */
} AttributedHost;

/**
 * attribute_savings() - divide the host's saving among processes
 * @host:   figures of the kernel
 * @rows:   @n processes; outputs are filled in
 * @n:      number of rows
 * @others: filled: everything that is in no row
 *
 * A group of N equal pages keeps one page and saves N - 1, and nobody can say whose page was
 * kept. So the saving is divided in proportion to merged pages, whole pages each, by largest
 * remainder. The sum of all saved_pages and @others->saved_pages is pages_sharing + zero_pages
 * exactly, whatever the figures are: rows that claim more than the host has (read at another
 * moment) are cut to what there is.
 *
 * Source: mm/ksm.c: ksm_merging_pages over all processes = pages_shared + pages_sharing.
 * Return: whether the rows fitted into the host's figures without being cut.
 */
bool attribute_savings(const AttributedHost *host, Attributed *rows, size_t n, Attributed *others);

#endif
