/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* top_list.c - the list of domains: a column is one row, its title and where its figure is */
#include "agent/cli/top_list.h"
#include "agent/cli/text.h"

#include <inttypes.h>

typedef Virtksm__V1__ReportResponse Report;
typedef Virtksm__V1__DomainReport Domain;

/* Columns of the screen between two columns of the list, and the least that a name gets. */
#define GAP      1
#define NAME_MIN 16

#define MIB      INT64_C(1048576)
#define GIB      (1024 * MIB)

typedef enum {
    KIND_NAME,
    KIND_BYTES,
    KIND_MS,
    KIND_US,
    KIND_COUNT,
} Kind;

typedef struct {
    bool known;    /* the figure could be had */
    int64_t value; /* in the unit of its kind */
} Figure;

static Figure
of_u64(bool known, uint64_t value)
{
    return (Figure){ known, (int64_t)MIN(value, INT64_MAX) };
}

static Figure
of_pages(const Report *report, bool known, uint64_t pages)
{
    return of_u64(known && report->has_page_size, text_pages_to_bytes(pages, report->page_size));
}

/* Reads NAME of a message that has it as an optional unsigned number. */
#define READER(name)                                                                               \
    static Figure read_##name(const Report *report, const Domain *domain)                          \
    {                                                                                              \
        (void)report;                                                                              \
        return of_u64(domain->has_##name, domain->name);                                           \
    }

READER(maximum_bytes)
READER(resident_bytes)
READER(ballooned_bytes)
READER(swapped_bytes)
READER(untouched_bytes)
READER(metadata_bytes)
READER(ksmd_cpu_us)
READER(merges_broken_pages)
READER(stats_age_ms)
READER(need_bytes)
READER(balloon_target_bytes)

static Figure
read_saved(const Report *report, const Domain *domain)
{
    return of_pages(report, domain->has_saved_pages, domain->saved_pages);
}

static Figure
read_net(const Report *report, const Domain *domain)
{
    (void)report;
    return (Figure){ domain->has_net_saved_bytes, domain->net_saved_bytes };
}

typedef struct {
    TopColumn column;
    Kind kind;
    Figure (*read)(const Report *report, const Domain *domain); /* NULL: the name */
} Row;

static const Row rows[] = {
    { { "DOMAIN", 0, false }, KIND_NAME, NULL },
    { { "SAVED", 11, true }, KIND_BYTES, read_saved },
    { { "NET", 11, true }, KIND_BYTES, read_net },
    { { "RESIDENT", 11, false }, KIND_BYTES, read_resident_bytes },
    { { "MAX", 11, false }, KIND_BYTES, read_maximum_bytes },
    { { "BALLOONED", 11, false }, KIND_BYTES, read_ballooned_bytes },
    { { "SWAPPED", 11, false }, KIND_BYTES, read_swapped_bytes },
    { { "UNTOUCHED", 11, false }, KIND_BYTES, read_untouched_bytes },
    { { "COST", 11, false }, KIND_BYTES, read_metadata_bytes },
    { { "KSMD", 9, false }, KIND_US, read_ksmd_cpu_us },
    { { "BROKEN", 9, false }, KIND_COUNT, read_merges_broken_pages },
    { { "AGE", 8, false }, KIND_MS, read_stats_age_ms },
    { { "NEED", 11, false }, KIND_BYTES, read_need_bytes },
    { { "TARGET", 11, false }, KIND_BYTES, read_balloon_target_bytes },
};
G_STATIC_ASSERT(G_N_ELEMENTS(rows) == TOP_COLUMNS);

const TopColumn *
top_column(unsigned column)
{
    return &rows[column].column;
}

/* What qsort needs beside two domains. */
typedef struct {
    const Report *report;  /* borrowed */
    const TopOrder *order; /* borrowed */
} Comparison;

static int
by_name(const Domain *a, const Domain *b)
{
    int names = g_strcmp0(a->name, b->name);

    return names != 0 ? names : g_strcmp0(a->uuid, b->uuid);
}

static int
by_figure(Figure a, Figure b, bool reverse)
{
    if (!a.known || !b.known)
        return (int)b.known - (int)a.known;
    if (a.value == b.value)
        return 0;
    return (a.value > b.value) == reverse ? 1 : -1;
}

static gint
compare(gconstpointer left, gconstpointer right, gpointer user_data)
{
    const Domain *a = *(const Domain *const *)left;
    const Domain *b = *(const Domain *const *)right;
    const Comparison *by = user_data;
    const Row *row = &rows[by->order->column];
    int figures = 0;

    if (!row->read)
        return by->order->reverse ? by_name(b, a) : by_name(a, b);
    figures = by_figure(row->read(by->report, a), row->read(by->report, b), by->order->reverse);
    return figures != 0 ? figures : by_name(a, b);
}

GPtrArray *
top_sort(const Report *report, const TopOrder *order)
{
    GPtrArray *sorted = g_ptr_array_sized_new((guint)report->n_domains);
    Comparison by = { report, order };

    for (size_t i = 0; i < report->n_domains; i++)
        g_ptr_array_add(sorted, report->domains[i]);
    g_ptr_array_sort_with_data(sorted, compare, &by);
    return sorted;
}

char *
top_bytes(int64_t bytes, TopUnit unit)
{
    switch (unit) {
    case TOP_UNIT_MIB:
        /* A decimal, as long as it fits into a column. */
        return g_strdup_printf("%.*f MiB", ABS(bytes) < 99999 * MIB ? 1 : 0, (double)bytes / MIB);
    case TOP_UNIT_GIB:
        return g_strdup_printf("%.2f GiB", (double)bytes / GIB);
    default:
        return text_net_bytes(bytes);
    }
}

char *
top_cell(const Report *report, const Domain *domain, unsigned column, TopUnit unit)
{
    const Row *row = &rows[column];
    Figure figure = { false, 0 };

    if (!row->read)
        return text_escape(domain->name && *domain->name ? domain->name : domain->uuid);
    figure = row->read(report, domain);
    if (!figure.known)
        return text_escape(NULL);
    switch (row->kind) {
    case KIND_MS:
        return text_duration((uint64_t)figure.value);
    case KIND_US:
        return text_duration((uint64_t)figure.value / 1000);
    case KIND_COUNT:
        return g_strdup_printf("%" PRId64, figure.value);
    default:
        return top_bytes(figure.value, unit);
    }
}

size_t
top_fit(size_t width, unsigned keep, unsigned *columns)
{
    size_t left = width > NAME_MIN ? width - NAME_MIN : 0;
    size_t n = 0;

    if (keep > 0)
        left -= MIN(left, GAP + rows[keep].column.width);
    columns[n++] = 0;
    for (unsigned i = 1; i < TOP_COLUMNS; i++) {
        size_t need = GAP + rows[i].column.width;

        if (i == keep) {
            columns[n++] = i;
        } else if (left >= need) {
            columns[n++] = i;
            left -= need;
        } else {
            left = 0; /* a narrow column does not jump the queue: the name gets the room */
        }
    }
    return n;
}
