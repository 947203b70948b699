/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * html_parts.c - the page: parts of a domain's memory add up to what was defined, and QEMU's own
 *
 * The resident set of a process counts a merged page as if it had it for itself, and does not count
 * the kernel's zero page. So of what is saved, merged pages are taken out of the resident set, and
 * zero pages come beside it.
 *
 * Source: Documentation/admin-guide/mm/ksm.rst, ksm_zero_pages; proc(5), statm
 */
#include "agent/cli/html_parts.h"
#include "agent/cli/text.h"
#include "policy/arith.h"

#include <glib.h>

typedef struct {
    const char *class;   /* in the style sheet */
    const char *name;    /* in the legend */
    const char *meaning; /* a sentence */
} Words;

static const Words words[] = {
    [PART_HELD] = { "held", "In memory",
                    "Takes room on this host, QEMU\xe2\x80\x99s own memory included." },
    [PART_SAVED] = { "saved", "Saved by KSM",
                     "Same as another page, which is kept once for all of them." },
    [PART_SWAPPED] = { "swapped", "Swapped out", "Moved to swap, or compressed by zswap." },
    [PART_BALLOONED] = { "ballooned", "Ballooned away", "Given back to the host by the guest." },
    [PART_UNTOUCHED] = { "untouched", "Never touched",
                         "Defined, but never used, or given back as free." },
    [PART_UNKNOWN] = { "nowhere", "Not known", "Some figure of these domains could not be had." },
};
G_STATIC_ASSERT(G_N_ELEMENTS(words) == PART_COUNT);

static void
set(Parts *parts, Part part, bool known, uint64_t bytes)
{
    if (!known)
        return;
    parts->bytes[part] = bytes;
    parts->known[part] = 1;
}

static bool
is_complete(const Parts *parts)
{
    for (int part = 0; part < PART_UNKNOWN; part++) {
        if (parts->known[part] == 0)
            return false;
    }
    return true;
}

Parts
parts_of(const Virtksm__V1__ReportResponse *report, const Virtksm__V1__DomainReport *domain)
{
    bool has_saved = domain->has_saved_pages && report->has_page_size;
    uint64_t zero = domain->has_ksm_zero_pages ? domain->ksm_zero_pages : 0;
    uint64_t merged = has_saved ? sat_sub(domain->saved_pages, zero) : 0;
    uint64_t merged_bytes = text_pages_to_bytes(merged, report->page_size);
    Parts parts = { { 0 }, { 0 }, 0 };

    set(&parts, PART_HELD, domain->has_resident_bytes,
        sat_sub(domain->resident_bytes, merged_bytes));
    set(&parts, PART_SAVED, has_saved, text_pages_to_bytes(domain->saved_pages, report->page_size));
    set(&parts, PART_SWAPPED, domain->has_swapped_bytes, domain->swapped_bytes);
    set(&parts, PART_BALLOONED, domain->has_ballooned_bytes, domain->ballooned_bytes);
    set(&parts, PART_UNTOUCHED, domain->has_untouched_bytes, domain->untouched_bytes);
    if (!is_complete(&parts)) {
        parts.incomplete = 1;
        set(&parts, PART_UNKNOWN, domain->has_maximum_bytes,
            sat_sub(domain->maximum_bytes, parts_total(&parts)));
    }
    return parts;
}

void
parts_add(Parts *parts, const Parts *more)
{
    for (int part = 0; part < PART_COUNT; part++) {
        parts->bytes[part] = sat_add(parts->bytes[part], more->bytes[part]);
        parts->known[part] += more->known[part];
    }
    parts->incomplete += more->incomplete;
}

uint64_t
parts_total(const Parts *parts)
{
    uint64_t total = 0;

    for (int part = 0; part < PART_COUNT; part++)
        total = sat_add(total, parts->bytes[part]);
    return total;
}

const char *
part_name(Part part)
{
    return words[part].name;
}

const char *
part_class(Part part)
{
    return words[part].class;
}

const char *
part_meaning(Part part)
{
    return words[part].meaning;
}
