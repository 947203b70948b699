/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* table.c - tables for people: cells are kept as text, and laid out when all are there */
#include "agent/cli/table.h"
#include "agent/cli/text.h"

#include <inttypes.h>

/* Blanks between two columns. */
#define GAP 2

struct Table {
    const TableColumn *columns; /* borrowed */
    size_t n_columns;           /* of @columns */
    size_t *widths;             /* owned; of the widest cell of each column so far */
    GPtrArray *cells;           /* owned; char *, row by row */
};

Table *
table_new(const TableColumn *columns, size_t n_columns)
{
    Table *table = g_new0(Table, 1);

    table->columns = columns;
    table->n_columns = n_columns;
    table->widths = g_new(size_t, n_columns);
    table->cells = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < n_columns; i++)
        table->widths[i] = MAX(text_width(columns[i].title), columns[i].min_width);
    return table;
}

void
table_free(Table *table)
{
    if (!table)
        return;
    g_free(table->widths);
    g_ptr_array_unref(table->cells);
    g_free(table);
}

/* The next cell; @text is consumed. */
static void
add(Table *table, char *text)
{
    size_t *width = &table->widths[table->cells->len % table->n_columns];

    *width = MAX(*width, text_width(text));
    g_ptr_array_add(table->cells, text);
}

void
table_text(Table *table, const char *text)
{
    add(table, text_escape(text && *text ? text : NULL));
}

void
table_count(Table *table, bool known, uint64_t number)
{
    add(table, known ? g_strdup_printf("%" PRIu64, number) : text_escape(NULL));
}

void
table_bytes(Table *table, bool known, uint64_t bytes)
{
    add(table, known ? text_bytes(bytes) : text_escape(NULL));
}

void
table_duration(Table *table, bool known, uint64_t ms)
{
    add(table, known ? text_duration(ms) : text_escape(NULL));
}

/* The last column needs no blanks behind it. */
static void
append_cell(const Table *table, size_t column, const char *text, GString *out)
{
    int pad = (int)(table->widths[column] - text_width(text));
    bool last = column + 1 == table->n_columns;

    if (table->columns[column].align == TABLE_RIGHT)
        g_string_append_printf(out, "%*s%s", pad, "", text);
    else
        g_string_append_printf(out, "%s%*s", text, last ? 0 : pad, "");
    if (!last)
        g_string_append_printf(out, "%*s", GAP, "");
    else
        g_string_append_c(out, '\n');
}

void
table_append_rows(const Table *table, GString *out)
{
    g_assert(table->n_columns > 0 && table->cells->len % table->n_columns == 0);

    for (size_t i = 0; i < table->cells->len; i++)
        append_cell(table, i % table->n_columns, g_ptr_array_index(table->cells, i), out);
}

void
table_append_to(const Table *table, GString *out)
{
    for (size_t i = 0; i < table->n_columns; i++)
        append_cell(table, i, table->columns[i].title, out);
    table_append_rows(table, out);
}
