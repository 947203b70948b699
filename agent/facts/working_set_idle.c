/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_idle.c - idle page tracking, on a sample of the pages
 *
 * The kernel has a bit for each page frame: set it, and it reads as set until the page is used by
 * whatever way, the tables of KVM included. Which frame a page of the process is in, its pagemap
 * tells.
 *
 * Looking at every page takes a second for each GiB. But ages are asked for in bytes, not page by
 * page, and a sample tells those as well: 4,096 pages, chosen once, evenly over the address space
 * with a random place in each part, are right to about 1.5 % of the resident set, for a domain of
 * any size, in some ten milliseconds. That the same pages are looked at each time gives each of
 * them an age of any length.
 *
 * A page that was found in use has been used between two looks; its age is between those. A huge
 * page has its bit at its first frame, which kpageflags tells; several samples may be in it, which
 * follow each other, and are answered by one look.
 *
 * A page that KSM shares has one frame for all places of all domains that share it. A look takes
 * the traces of use that all of them have left, and the next look, a moment later, at another place
 * or for another domain, finds nothing but its mark. So such a page counts as used at each look,
 * and is not marked. Which frames are KSM's, kpageflags tells.
 *
 * Source: Documentation/admin-guide/mm/idle_page_tracking.rst and pagemap.rst
 * ("KSM"); mm/page_idle.c, page_idle_clear_pte_refs(), which asks all that have mapped a frame
 */
/* needs: write /sys/kernel/mm/page_idle/bitmap */
#define _GNU_SOURCE

#include "agent/facts/working_set_backend.h"

#include <fcntl.h>
#include <unistd.h>

#include "agent/facts/mapping.h"
#include "agent/facts/procfile.h"
#include "policy/arith.h"

#define BITMAP_FILE  "sys/kernel/mm/page_idle/bitmap"
#define FLAGS_FILE   "proc/kpageflags"
#define SAMPLE_PAGES 4096

/* Of a word of pagemap, and of one of kpageflags. */
#define PAGE_PRESENT (UINT64_C(1) << 63)
#define FRAME_MASK   ((UINT64_C(1) << 55) - 1)
#define FLAG_HEAD    (UINT64_C(1) << 15)
#define FLAG_TAIL    (UINT64_C(1) << 16)
#define FLAG_KSM     (UINT64_C(1) << 21)
/* A page of 2^18 pages (1 GiB) is the largest there is. */
#define ORDER_MAX 18

/* One page that is looked at. */
typedef struct {
    uint64_t page;     /* address divided by the page size */
    uint64_t found_us; /* CLOCK_MONOTONIC of the last look that found it used; 0: none has */
    uint64_t clear_us; /* and of the look before that */
    bool is_resident;  /* at the last look */
} Sample;

/* The bit that was looked at last. */
typedef struct {
    uint64_t frame; /* UINT64_MAX: none was */
    bool is_used;   /* the page was used since the look before */
} Glance;

typedef struct {
    GArray *samples;   /* owned; Sample */
    int bitmap_fd;     /* owned */
    int flags_fd;      /* owned; -1: there is none */
    int pagemap_fd;    /* owned */
    uint64_t first_us; /* CLOCK_MONOTONIC of the first look; 0: none yet */
    uint64_t last_us;  /* and of the last one */
    uint64_t begun_us; /* of that with which the measurement under way began */
    bool is_resting;   /* the next look begins a measurement */
    int32_t node;      /* of all memory of the host; or WORKING_SET_NODE_UNKNOWN */
} Look;

static bool
read_word(int fd, uint64_t index, uint64_t *ret_word)
{
    return pread(fd, ret_word, sizeof(*ret_word), (off_t)(index * sizeof(*ret_word))) ==
           (ssize_t)sizeof(*ret_word);
}

/* Memory of the guest and of QEMU; programs and libraries are other domains' too. */
static bool
is_wanted(const Mapping *mapping)
{
    return mapping->is_writable && !mapping->is_guard && mapping->use != MAPPING_NONE &&
           mapping->end <= INT64_MAX;
}

static uint64_t
count_pages(const GArray *mappings, uint64_t page_bytes)
{
    uint64_t n = 0;

    for (guint i = 0; i < mappings->len; i++)
        if (is_wanted(&g_array_index(mappings, Mapping, i)))
            n += (g_array_index(mappings, Mapping, i).end -
                  g_array_index(mappings, Mapping, i).start) /
                 page_bytes;
    return n;
}

/* One page at random out of each of the parts that the wanted address space is cut into. */
static GArray *
choose_samples(const GArray *mappings, uint64_t page_bytes)
{
    GArray *samples = g_array_new(FALSE, FALSE, sizeof(Sample));
    uint64_t n = count_pages(mappings, page_bytes);
    uint64_t part = max_u64(n / SAMPLE_PAGES, 1);
    uint64_t before = 0; /* wanted pages in front of this mapping */
    uint64_t at = part > 1 ? (uint64_t)g_random_int() % part : 0;
    uint64_t begin = 0; /* of the part that @at is in */

    for (guint i = 0; i < mappings->len; i++) {
        const Mapping *mapping = &g_array_index(mappings, Mapping, i);
        uint64_t pages = (mapping->end - mapping->start) / page_bytes;

        if (!is_wanted(mapping))
            continue;
        while (at < before + pages) {
            Sample sample = { .page = mapping->start / page_bytes + (at - before) };

            g_array_append_val(samples, sample);
            begin += part;
            at = begin + (part > 1 ? (uint64_t)g_random_int() % part : 0);
        }
        before += pages;
    }
    return samples;
}

/* As kpageflags has it; 0: it does not tell. */
static uint64_t
flags_of(const Look *look, uint64_t frame)
{
    uint64_t flags;

    return look->flags_fd >= 0 && read_word(look->flags_fd, frame, &flags) ? flags : 0;
}

/* The first frame of the page that a frame with these flags belongs to. */
static uint64_t
first_frame(const Look *look, uint64_t frame, uint64_t flags)
{
    if (!(flags & FLAG_TAIL))
        return frame;
    for (unsigned order = 1; order <= ORDER_MAX; order++) {
        uint64_t head = frame & ~((UINT64_C(1) << order) - 1);

        if (head != frame && (flags_of(look, head) & FLAG_HEAD))
            return head;
    }
    return frame;
}

/* Looks whether the page was used, and marks it anew; not twice in succession, as the mark would be
 * found the second time, whoever has used the page. */
static bool
look_at(const Look *look, uint64_t frame, Glance *last)
{
    uint64_t flags = flags_of(look, frame);
    uint64_t bit;
    uint64_t word;

    frame = first_frame(look, frame, flags);
    if (frame == last->frame)
        return true;
    if (flags & FLAG_KSM) {
        *last = (Glance){ frame, true };
        return true;
    }
    if (!read_word(look->bitmap_fd, frame / 64, &word))
        return false;
    bit = UINT64_C(1) << (frame % 64);
    *last = (Glance){ frame, (word & bit) == 0 };
    return working_set_write_word(look->bitmap_fd, frame / 64 * sizeof(word), bit);
}

static bool
look_at_all(Look *look, uint64_t now_us, GError **error)
{
    Glance last = { .frame = UINT64_MAX };

    for (guint i = 0; i < look->samples->len; i++) {
        Sample *sample = &g_array_index(look->samples, Sample, i);
        uint64_t word;

        if (!read_word(look->pagemap_fd, sample->page, &word))
            return working_set_fail(error, "its pagemap cannot be read");
        sample->is_resident = (word & PAGE_PRESENT) != 0;
        if (!sample->is_resident)
            continue;
        if ((word & FRAME_MASK) == 0)
            return working_set_fail(error, "its pagemap does not tell page frames: that takes "
                                           "CAP_SYS_ADMIN");
        if (!look_at(look, word & FRAME_MASK, &last))
            return working_set_fail(error, "%s cannot be used any more", BITMAP_FILE);
        if (!last.is_used || look->first_us == 0)
            continue;
        sample->clear_us = look->last_us;
        sample->found_us = now_us;
    }
    return true;
}

static void
fill_bins(const Look *look, const WorkingSetTarget *target, uint64_t now_us,
          WorkingSetReading *reading)
{
    WorkingSetBytes *bins = working_set_node(reading, look->node);
    uint64_t left = known_or(working_set_memory_bytes(target->dir_fd), 0);
    uint64_t n = 0;

    for (guint i = 0; i < look->samples->len; i++)
        n += g_array_index(look->samples, Sample, i).is_resident;
    for (guint i = 0; i < look->samples->len; i++) {
        const Sample *sample = &g_array_index(look->samples, Sample, i);
        WorkingSetBytes bytes = { 0 };

        if (!sample->is_resident)
            continue;
        bytes.bytes[WORKING_SET_ANON] = left / n--;
        left -= bytes.bytes[WORKING_SET_ANON];
        if (sample->found_us == 0)
            working_set_spread(&target->host->edges, 0, WORKING_SET_OLDEST, bytes, bins);
        else
            working_set_spread(&target->host->edges, now_us - sample->found_us,
                               now_us - sample->clear_us, bytes, bins);
    }
    reading->horizon_us = now_us - look->first_us;
    reading->has_bins = true;
}

static void
free_look(Look *look)
{
    if (look->bitmap_fd >= 0)
        close(look->bitmap_fd);
    if (look->flags_fd >= 0)
        close(look->flags_fd);
    if (look->pagemap_fd >= 0)
        close(look->pagemap_fd);
    g_clear_pointer(&look->samples, g_array_unref);
    g_free(look);
}

static bool
choose_pages(Look *look, const WorkingSetTarget *target, GError **error)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    g_autofree char *maps = NULL;
    g_autoptr(GArray) mappings = NULL;

    if (procfile_read_long(target->dir_fd, "maps", PROCFILE_MAPS_BYTES, &maps) != PROCFILE_READ)
        return working_set_fail(error, "its maps cannot be read");
    mappings = mappings_read(maps, page_bytes);
    look->samples = choose_samples(mappings, page_bytes);
    if (look->samples->len == 0)
        return working_set_fail(error, "it has no memory");
    if (!is_known(working_set_memory_bytes(target->dir_fd)))
        return working_set_fail(error, "its status does not tell what is resident");
    return true;
}

static bool
open_idle(const WorkingSetTarget *target, gpointer *ret_state, GError **error)
{
    int root_fd = target->host->root_fd;
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    int bitmap_fd = working_set_open_words(root_fd, BITMAP_FILE);
    Look *look;

    if (bitmap_fd < 0)
        return working_set_fail(error, procfile_may(root_fd, BITMAP_FILE, F_OK)
                                           ? BITMAP_FILE " may not be used"
                                           : "this kernel has no idle page tracking");
    look = g_new0(Look, 1);
    look->bitmap_fd = bitmap_fd;
    look->flags_fd = openat(root_fd, FLAGS_FILE, flags);
    look->pagemap_fd = openat(target->dir_fd, "pagemap", flags);
    look->node = working_set_only_node(root_fd);
    if ((look->pagemap_fd < 0 && !working_set_fail(error, "its pagemap cannot be opened")) ||
        !choose_pages(look, target, error)) {
        free_look(look);
        return false;
    }
    *ret_state = look;
    return true;
}

/* When the pages are looked at next: as the bounds of the short bins say, then after the interval.
 */
static void
plan_next(const Look *look, const WorkingSetHost *host, uint64_t now_us, WorkingSetReading *reading)
{
    for (uint32_t i = 0; i < host->edges.n && host->edges.age_us[i] < host->interval_us; i++) {
        if (look->begun_us + host->edges.age_us[i] <= now_us)
            continue;
        reading->next_us = look->begun_us + host->edges.age_us[i];
        reading->goes_on = true;
        return;
    }
}

static bool
step_idle(gpointer state, const WorkingSetTarget *target, uint64_t now_us,
          WorkingSetReading *reading, GError **error)
{
    Look *look = state;

    if (!look_at_all(look, now_us, error))
        return false;
    if (look->first_us == 0)
        look->first_us = now_us;
    else
        fill_bins(look, target, now_us, reading);
    if (look->is_resting || look->last_us == 0)
        look->begun_us = now_us;
    look->last_us = now_us;
    plan_next(look, target->host, now_us, reading);
    look->is_resting = !reading->goes_on;
    return true;
}

static void
close_idle(gpointer state, const WorkingSetTarget *target)
{
    (void)target;
    free_look(state);
}

const WorkingSetBackend working_set_idle = {
    .name = "idle",
    /* An estimate, from the size of the sample. */
    .confidence_bp = 9000,
    .is_estimate = true,
    .open = open_idle,
    .step = step_idle,
    .close = close_idle,
};
