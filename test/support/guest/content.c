/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * content.c - what the guest's pages contain
 *
 * Under software emulation every instruction counts, so a page is an arithmetic progression of
 * 1024 words: one addition and one store per word. All pages have the same step, hence two are
 * equal exactly when they start alike. The start is a permutation of (seed, number), which makes
 * all starts different and, because it mixes well, lets KSM tell two pages apart at the first word
 * as it does with most real memory.
 */
#include "test/support/guest/content.h"

#include "test/support/guest/machine.h"

enum { WORDS_PER_PAGE = PAGE_BYTES / 4 };

/* Odd, so the words of a page do not repeat; otherwise of no meaning. */
static const uint32_t word_step = 0x9E3779B1;

static uint32_t *
page_address(uint32_t page)
{
    return (uint32_t *)(page * PAGE_BYTES);
}

/* Each line is invertible on 32 bits, so the whole is. */
static uint32_t
permute(uint32_t value)
{
    value ^= value >> 16;
    value *= 0x7FEB352D;
    value ^= value >> 15;
    value *= 0x846CA68B;
    value ^= value >> 16;
    return value;
}

static void
write_page(uint32_t page, uint32_t start, uint32_t step)
{
    uint32_t *word = page_address(page);

    for (uint32_t i = 0; i < WORDS_PER_PAGE; i += 4) {
        word[i] = start;
        word[i + 1] = start + step;
        word[i + 2] = start + 2 * step;
        word[i + 3] = start + 3 * step;
        start += 4 * step;
    }
}

void
content_fill(const struct Region *region, uint32_t seed, uint32_t index)
{
    for (uint32_t i = 0; i < region->pages; i++)
        write_page(region->first_page + i, permute(seed << 20 | (index + i)), word_step);
}

void
content_clear(const struct Region *region)
{
    for (uint32_t i = 0; i < region->pages; i++)
        write_page(region->first_page + i, 0, 0);
}

/* The cursor never repeats in a test's life time, and it goes into all three words written: KSM's
 * checksum and its comparison both see a changed page, for the price of three stores. */
void
content_stir(const struct Region *region, uint32_t pages, uint32_t *cursor)
{
    for (uint32_t i = 0; i < pages; i++) {
        uint32_t *word = page_address(region->first_page + *cursor % region->pages);

        (*cursor)++;
        word[0] = permute(*cursor);
        word[WORDS_PER_PAGE / 2] = *cursor;
        word[WORDS_PER_PAGE - 1] = *cursor;
    }
}

/* A stream has 2^20 pages, and a round takes the next of them: no page is equal to what it was. */
void
content_turn(const struct Region *region, uint32_t pages, uint32_t *cursor)
{
    for (uint32_t i = 0; i < pages; i++) {
        uint32_t index = *cursor & ((1u << 20) - 1);

        write_page(region->first_page + *cursor % region->pages,
                   permute((uint32_t)SEED_TURN << 20 | index), word_step);
        (*cursor)++;
    }
}
