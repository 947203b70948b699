/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top_list.h - the domains of a report as a sorted list of cells; knows no terminal
 */
#ifndef AGENT_CLI_TOP_LIST_H
#define AGENT_CLI_TOP_LIST_H

#include "proto/virtksm.pb-c.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* How many columns there are; the first is the name of the domain. */
#define TOP_COLUMNS 14

typedef enum {
    TOP_UNIT_AUTO, /* of each figure the one that suits it */
    TOP_UNIT_MIB,  /* the same for all, so that they are compared at a glance */
    TOP_UNIT_GIB,
    TOP_UNIT_COUNT,
} TopUnit;

/* What the keys change. */
typedef struct {
    unsigned column; /* by which it is sorted, below TOP_COLUMNS */
    bool reverse;    /* not as usual: names from Z on, figures from the smallest on */
    TopUnit unit;    /* of amounts of memory */
} TopOrder;

/* What a person sees of a column. */
typedef struct {
    const char *title; /* in the header */
    size_t width;      /* columns on the terminal; 0: what the others leave */
    bool saves;        /* its figures are good news */
} TopColumn;

/** top_column() - @column below TOP_COLUMNS */
const TopColumn *top_column(unsigned column);

/**
 * top_sort() - the domains of a report, in order
 * @report: borrowed, must outlive the result
 * @order:  by what
 *
 * What is not known stands behind what is, in either direction; equals stand by name.
 *
 * Return: owned by the caller; of const Virtksm__V1__DomainReport *, borrowed from @report
 */
GPtrArray *top_sort(const Virtksm__V1__ReportResponse *report, const TopOrder *order);

/**
 * top_cell() - what stands in a cell
 * @report: has the size of a page
 * @domain: of @report
 * @column: below TOP_COLUMNS
 * @unit:   of an amount of memory
 *
 * Return: owned by the caller; valid UTF-8 without control characters, "-" if it is not known.
 */
char *top_cell(const Virtksm__V1__ReportResponse *report, const Virtksm__V1__DomainReport *domain,
               unsigned column, TopUnit unit);

/** top_bytes() - an amount of memory in a unit; the caller frees it */
char *top_bytes(int64_t bytes, TopUnit unit);

/**
 * top_fit() - the columns that find room
 * @width:   of the screen
 * @keep:    column that has to be there, below TOP_COLUMNS
 * @columns: TOP_COLUMNS of them, written from the front on
 *
 * Return: how many there are in @columns, from left to right; at least the name.
 */
size_t top_fit(size_t width, unsigned keep, unsigned *columns);

#endif
