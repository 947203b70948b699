/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stock.h - pages that are free, in the balloon, or in use by work
 */
#pragma once

#include "test/support/guest/content.h"

#include <stdint.h>

/*
 * Slots, one for each page:
 *
 *     0              free          free + ballooned           spare.pages
 *     |---- free ----|---- ballooned ----|---- in use by work ----|
 */
struct Stock {
    struct Region spare; /* all its pages */
    uint32_t *deck;      /* page in each slot; NULL: they are in order, and none is ever in use */
    uint32_t free;       /* how many are free */
    uint32_t ballooned;  /* how many are in the balloon */
};

/**
 * stock_init() - all pages are free
 * @stock: overwritten
 * @spare: its pages
 * @mixes: stock_take() will be used; some pages are spent on the order of the others
 */
void stock_init(struct Stock *stock, const struct Region *spare, int mixes);

/**
 * stock_page() - page in a slot
 * @stock: from stock_init()
 * @slot:  less than spare.pages
 *
 * Return: page frame number.
 */
uint32_t stock_page(const struct Stock *stock, uint32_t slot);

/** stock_used() - how many pages are in use; their slots are the last */
uint32_t stock_used(const struct Stock *stock);

/**
 * stock_take() - a free page comes into use
 * @stock: one that mixes, with at least one free page
 * @dice:  any number: which of the free pages
 *
 * Return: page frame number.
 */
uint32_t stock_take(struct Stock *stock, uint32_t dice);

/** stock_put() - a page that is in use, there is one, becomes free */
void stock_put(struct Stock *stock);
