/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overhead.c - what QEMU itself uses, beside the memory of its guest
 *
 * smaps would give it ready made, but the kernel makes each of its lines by a walk over the pages,
 * of the guest's memory too: seconds for a large guest, with its address space locked against
 * changes. So the mappings come from maps, which costs nothing for their size, those of the guest
 * are left out, and of the rest the pages that are there are counted in pagemap: a word for each
 * page, of which the kernel gives 8,192 in some tens of microseconds.
 *
 * The figure is the sum of Rss less KSM in smaps; test/integration/real_ledger.py compares the two.
 *
 * Rejected: the resident set less what the guest is known to have. Nobody knows that: the guest
 * touches and gives back memory as it likes, and the counters of a resident set are off by up to
 * 32 pages for each processor since Linux 6.2.
 */
#define _GNU_SOURCE

#include "agent/facts/overhead.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#include "agent/facts/mapping.h"
#include "agent/facts/procfile.h"
#include "policy/arith.h"

/* Words of pagemap that are read at once. */
#define PIECE_PAGES 8192
/* Address space that is looked at; more is no QEMU that we know, and would take too long. */
#define PAGES_MOST (UINT64_C(4) << 20)

/* A word of pagemap. */
#define PAGE_PRESENT   (UINT64_C(1) << 63)
#define PAGE_SWAPPED   (UINT64_C(1) << 62)
#define PAGE_FILE      (UINT64_C(1) << 61)
#define PAGE_EXCLUSIVE (UINT64_C(1) << 56)

/* Pages so far. */
typedef struct {
    uint64_t resident[MAPPING_USE_COUNT]; /* pages by use */
    uint64_t swapped;                     /* of all uses */
    uint64_t looked;                      /* pages of address space so far */
} Count;

typedef struct {
    int fd;              /* pagemap; owned by overhead_read() */
    uint64_t page_bytes; /* size of a page */
    uint64_t *words;     /* PIECE_PAGES of them, owned by overhead_read() */
} Pagemap;

static bool
fail(GError **error, GIOErrorEnum code, const char *what)
{
    g_set_error_literal(error, G_IO_ERROR, (int)code, what);
    return false;
}

/*
 * What is present and neither of the page cache nor exclusive is a page of a device, the kernel's
 * zero page, or merged by KSM: no memory that QEMU has for itself.
 */
static void
count_word(uint64_t word, MappingUse use, Count *count)
{
    if ((word & PAGE_PRESENT) && (word & (PAGE_FILE | PAGE_EXCLUSIVE)))
        count->resident[use]++;
    else if (!(word & PAGE_PRESENT) && (word & PAGE_SWAPPED))
        count->swapped++;
}

static bool
count_mapping(const Pagemap *pagemap, const Mapping *mapping, Count *count)
{
    uint64_t page = mapping->start / pagemap->page_bytes;
    uint64_t end = mapping->end / pagemap->page_bytes;

    while (page < end) {
        uint64_t n = min_u64(end - page, PIECE_PAGES);
        ssize_t got = pread(pagemap->fd, pagemap->words, n * sizeof(uint64_t),
                            (off_t)(page * sizeof(uint64_t)));

        if (got < (ssize_t)sizeof(uint64_t))
            return false;
        n = (uint64_t)got / sizeof(uint64_t);
        for (uint64_t i = 0; i < n; i++)
            count_word(pagemap->words[i], mapping->use, count);
        page += n;
    }
    return true;
}

static bool
is_overhead(const Mapping *mapping)
{
    return mapping->use != MAPPING_GUEST && mapping->use != MAPPING_NONE &&
           mapping->end <= INT64_MAX;
}

static bool
count_all(const Pagemap *pagemap, const GArray *mappings, Count *count, GError **error)
{
    for (guint i = 0; i < mappings->len; i++) {
        const Mapping *mapping = &g_array_index(mappings, Mapping, i);

        if (!is_overhead(mapping))
            continue;
        count->looked += (mapping->end - mapping->start) / pagemap->page_bytes;
        if (count->looked > PAGES_MOST)
            return fail(error, G_IO_ERROR_NO_SPACE,
                        "expected less than 16 GiB of mappings that are not the guest's");
        if (!count_mapping(pagemap, mapping, count))
            return fail(error, G_IO_ERROR_CLOSED, "expected its pagemap to cover its mappings");
    }
    return true;
}

static void
fill_sample(const Count *count, uint64_t page_bytes, Overhead *sample)
{
    *sample = (Overhead){
        .video_bytes = count->resident[MAPPING_DEVICE] * page_bytes,
        .translation_bytes = count->resident[MAPPING_TRANSLATION] * page_bytes,
        .heap_bytes = count->resident[MAPPING_HEAP] * page_bytes,
        .stack_bytes = count->resident[MAPPING_STACK] * page_bytes,
        .other_bytes = count->resident[MAPPING_OTHER] * page_bytes,
        .swapped_bytes = count->swapped * page_bytes,
    };
}

static bool
count_with_pagemap(int dir_fd, const GArray *mappings, uint64_t page_bytes, Count *count,
                   GError **error)
{
    g_autofree uint64_t *words = g_new(uint64_t, PIECE_PAGES);
    Pagemap pagemap = { openat(dir_fd, "pagemap", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY),
                        page_bytes, words };
    bool counted;

    if (pagemap.fd < 0)
        return fail(error,
                    errno == EACCES || errno == EPERM ? G_IO_ERROR_PERMISSION_DENIED
                                                      : G_IO_ERROR_CLOSED,
                    "its pagemap cannot be opened");
    counted = count_all(&pagemap, mappings, count, error);
    close(pagemap.fd);
    return counted;
}

bool
overhead_read(int dir_fd, const uint64_t *backends, size_t n, Overhead *ret_sample, GError **error)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    g_autofree char *maps = mappings_load(dir_fd, "maps", PROCFILE_MAPS_BYTES, error);
    g_autoptr(GArray) mappings = NULL;
    Count count = { 0 };

    if (!maps)
        return false;
    mappings = mappings_read(maps, page_bytes);
    if (!mappings_find_guest(mappings, backends, n))
        return fail(error, G_IO_ERROR_NOT_FOUND,
                    "expected mappings of the sizes of the domain's memory");
    if (!count_with_pagemap(dir_fd, mappings, page_bytes, &count, error))
        return false;
    fill_sample(&count, page_bytes, ret_sample);
    return true;
}

uint64_t
overhead_total(const Overhead *sample)
{
    return sample->video_bytes + sample->translation_bytes + sample->heap_bytes +
           sample->stack_bytes + sample->other_bytes;
}
