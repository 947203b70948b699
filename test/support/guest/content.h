/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * content.h - what the guest's pages contain
 */
#pragma once

#include <stdint.h>

/* A run of pages that are treated alike. */
struct Region {
    uint32_t first_page; /* page frame number */
    uint32_t pages;      /* how many */
};

enum {
    SEED_COMMON = 0,     /* content that guests share */
    SEED_OWN_MAX = 2047, /* highest seed that a guest may be given */
    SEED_FREE = 2048,    /* added to a guest's seed: left-over content of its free pages */
    SEED_TURN = SEED_FREE + SEED_COMMON, /* content that guests share, for a while */
};

/**
 * content_fill() - write every page of a region once
 * @region: pages to write
 * @seed:   0 to 4095
 * @index:  number of the region's first page in the stream of pages that belongs to @seed;
 *          @index + pages at most 2^20
 *
 * Two pages are equal if and only if their seed and their number in the stream are equal. None is
 * zero all over. The same page written twice gets the same content.
 */
void content_fill(const struct Region *region, uint32_t seed, uint32_t index);

/**
 * content_clear() - write zeros to every page of a region
 * @region: pages to write
 */
void content_clear(const struct Region *region);

/**
 * content_stir() - change some pages of a region, each to content never seen before
 * @region: pages to write, going round
 * @pages:  how many to change
 * @cursor: where to go on; 0 at first, then owned by this function
 */
void content_stir(const struct Region *region, uint32_t pages, uint32_t *cursor);

/**
 * content_turn() - change some pages of a region, in step with other guests
 * @region: pages to write, going round; at most 2^19
 * @pages:  how many to change
 * @cursor: where to go on; 0 at first, then owned by this function
 *
 * Regions of the same size hold the same content where they have been written equally often. A
 * page's content comes back after 2^20 / region->pages rounds.
 */
void content_turn(const struct Region *region, uint32_t pages, uint32_t *cursor);
