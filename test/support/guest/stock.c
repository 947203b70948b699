/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stock.c - pages that are free, in the balloon, or in use by work
 *
 * The balloon takes the last of the free pages and gives them back in the same order, so both move
 * the border between the first two parts. Work takes any free page, as a kernel does that has been
 * up for a while: which pages are in use moves all over memory.
 */
#include "test/support/guest/stock.h"

#include "test/support/guest/machine.h"

#include <stddef.h>

void
stock_init(struct Stock *stock, const struct Region *spare, int mixes)
{
    uint32_t deck_pages = mixes ? spare->pages / (PAGE_BYTES / sizeof(uint32_t)) + 1 : 0;

    *stock = (struct Stock){ .spare = *spare };
    stock->spare.first_page += deck_pages;
    stock->spare.pages -= deck_pages;
    stock->free = stock->spare.pages;
    if (!mixes)
        return;
    stock->deck = (uint32_t *)(spare->first_page * PAGE_BYTES);
    for (uint32_t slot = 0; slot < stock->free; slot++)
        stock->deck[slot] = stock->spare.first_page + slot;
}

uint32_t
stock_page(const struct Stock *stock, uint32_t slot)
{
    return stock->deck ? stock->deck[slot] : stock->spare.first_page + slot;
}

uint32_t
stock_used(const struct Stock *stock)
{
    return stock->spare.pages - stock->free - stock->ballooned;
}

uint32_t
stock_take(struct Stock *stock, uint32_t dice)
{
    uint32_t *deck = stock->deck;
    uint32_t slot = dice % stock->free;
    uint32_t page = deck[slot];

    stock->free--;
    deck[slot] = deck[stock->free];
    deck[stock->free] = deck[stock->free + stock->ballooned];
    deck[stock->free + stock->ballooned] = page;
    return page;
}

void
stock_put(struct Stock *stock)
{
    uint32_t *deck = stock->deck;
    uint32_t page = deck[stock->free + stock->ballooned];

    deck[stock->free + stock->ballooned] = deck[stock->free];
    deck[stock->free] = page;
    stock->free++;
}
