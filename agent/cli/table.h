/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * table.h - rows and columns for people
 *
 *     static const TableColumn columns[] = {
 *         { "DOMAIN", TABLE_LEFT, 0 }, { "MAX", TABLE_RIGHT, 0 },
 *     };
 *     g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
 *
 *     table_text(table, domain->name);
 *     table_bytes(table, domain->has_maximum_bytes, domain->maximum_bytes);
 *     table_append_to(table, out);
 *
 * Cells are added from left to right; a row ends by itself after its last column. A column is as
 * wide as its widest cell on a terminal. Texts are escaped, a figure that is not known is "-".
 */
#ifndef AGENT_CLI_TABLE_H
#define AGENT_CLI_TABLE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    TABLE_LEFT,
    TABLE_RIGHT,
} TableAlign;

typedef struct {
    const char *title; /* borrowed; in the header */
    TableAlign align;  /* of title and cells */
    size_t min_width;  /* columns on the terminal, for rows that are printed one by one; 0: none */
} TableColumn;

typedef struct Table Table;

/**
 * table_new() - a table without rows
 * @columns:   borrowed, must outlive the table (a static array)
 * @n_columns: at least 1
 *
 * Return: owned by the caller, end with table_free()
 */
Table *table_new(const TableColumn *columns, size_t n_columns);

/** table_free() - accepts NULL */
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/** table_text() - next cell: a text, escaped here; NULL or "" is not known */
void table_text(Table *table, const char *text);

/** table_count() - next cell: a plain number */
void table_count(Table *table, bool known, uint64_t number);

/** table_bytes() - next cell: an amount of memory, with its unit */
void table_bytes(Table *table, bool known, uint64_t bytes);

/** table_duration() - next cell: milliseconds, with a unit that suits them */
void table_duration(Table *table, bool known, uint64_t ms);

/** table_append_to() - print the header and every row; rows must be complete */
void table_append_to(const Table *table, GString *out);

/** table_append_rows() - as table_append_to(), without the header */
void table_append_rows(const Table *table, GString *out);

#endif
