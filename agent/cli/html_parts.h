/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * html_parts.h - where the memory of a domain is, in parts that do not overlap
 *
 * The memory that a domain was defined with, and what its QEMU needs beside it, is in one of these
 * places. Only the first takes room in the host's memory, and a compressed part of the third.
 */
#ifndef AGENT_CLI_HTML_PARTS_H
#define AGENT_CLI_HTML_PARTS_H

#include "proto/virtksm.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    PART_HELD,      /* resident, and its alone: less its share of what merging saves */
    PART_SAVED,     /* its share of what KSM saves */
    PART_SWAPPED,   /* swapped out, or compressed by zswap */
    PART_BALLOONED, /* given back by its balloon */
    PART_UNTOUCHED, /* defined, and never used */
    PART_UNKNOWN,   /* defined, and in one of the places of which there is no figure */
    PART_COUNT,
} Part;

/* The memory of one domain, or of several together. */
typedef struct {
    uint64_t bytes[PART_COUNT]; /* 0 also for what is not known: that is PART_UNKNOWN */
    size_t known[PART_COUNT];   /* domains of which there is a figure for this part */
    size_t incomplete;          /* domains of which some figure could not be had */
} Parts;

/** parts_of() - the parts of a domain of @report */
Parts parts_of(const Virtksm__V1__ReportResponse *report, const Virtksm__V1__DomainReport *domain);

/** parts_add() - @parts and @more together; saturates */
void parts_add(Parts *parts, const Parts *more);

/** parts_total() - all parts together; saturates */
uint64_t parts_total(const Parts *parts);

/** part_name() - a few words for a legend */
const char *part_name(Part part);

/** part_class() - its CSS class */
const char *part_class(Part part);

/** part_meaning() - a sentence for a legend */
const char *part_meaning(Part part);

#endif
