/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history_column.c - the table of figures, and how one moment of the ledger fills it */
#include "agent/report/history_column.h"
#include "policy/arith.h"

/* Beyond this a figure is a fault of whoever told it; two of them can be added. */
#define BYTES_MAX (INT64_MAX / 4)
/* Microseconds in a second; KiB times seconds in a GiB-hour. */
#define SECOND_US        1e6
#define GIB_HOUR_KIB_S   (1048576.0 * 3600.0)

#define IN_ROW(field)    offsetof(LedgerRow, field)
#define IN_LEDGER(field) offsetof(Ledger, field)

static const HistoryColumn columns[] = {
    { "running_us", "running_s", HISTORY_TIME, HISTORY_NO_FIELD, HISTORY_NO_FIELD },
    { "measured_us", "measured_s", HISTORY_MEASURED, HISTORY_NO_FIELD, HISTORY_NO_FIELD },
    { "saved_kib_s", "saved_gib_hours", HISTORY_PAGES, IN_ROW(saved_pages),
      IN_LEDGER(saved_pages) },
    { "net_kib_s", "net_saved_gib_hours", HISTORY_NET, IN_ROW(metadata_bytes),
      IN_LEDGER(metadata_bytes) },
    { "metadata_kib_s", "metadata_gib_hours", HISTORY_BYTES, IN_ROW(metadata_bytes),
      IN_LEDGER(metadata_bytes) },
    { "resident_kib_s", "resident_gib_hours", HISTORY_BYTES, IN_ROW(resident_bytes),
      HISTORY_NO_FIELD },
    { "ksmd_cpu_us", "ksmd_cpu_s", HISTORY_COUNTER, IN_ROW(ksmd_cpu_us), IN_LEDGER(ksmd_cpu_us) },
};
G_STATIC_ASSERT(G_N_ELEMENTS(columns) <= HISTORY_COLUMNS_MAX);

const HistoryColumn *
history_columns(size_t *ret_n)
{
    *ret_n = G_N_ELEMENTS(columns);
    return columns;
}

bool
history_is_known(const HistorySums *sums, size_t column)
{
    return (sums->known >> column & 1) != 0;
}

static void
set(HistorySums *sums, size_t column, int64_t value)
{
    sums->values[column] = value;
    sums->known |= UINT32_C(1) << column;
}

void
history_add(HistorySums *sums, size_t column, int64_t value)
{
    int64_t sum = value;

    if (history_is_known(sums, column)) {
        int64_t old = sums->values[column];

        if (value > 0)
            sum = old > INT64_MAX - value ? INT64_MAX : old + value;
        else
            sum = old < INT64_MIN - value ? INT64_MIN : old + value;
    }
    set(sums, column, sum);
}

void
history_add_all(HistorySums *sums, const HistorySums *more)
{
    for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
        if (history_is_known(more, i))
            history_add(sums, i, more->values[i]);
}

static uint64_t
read_field(const void *base, size_t offset)
{
    if (offset == HISTORY_NO_FIELD)
        return VALUE_UNKNOWN;
    return *(const uint64_t *)(gconstpointer)((const char *)base + offset);
}

static void
set_net(const Ledger *ledger, const LedgerRow *row, size_t column, HistorySums *ret)
{
    uint64_t saved_pages = row ? row->saved_pages : ledger->saved_pages;
    uint64_t metadata_bytes = row ? row->metadata_bytes : ledger->metadata_bytes;
    int64_t net_bytes;

    if (ledger_net_bytes(ledger, saved_pages, metadata_bytes, &net_bytes) &&
        net_bytes <= BYTES_MAX && net_bytes >= -BYTES_MAX)
        set(ret, column, net_bytes);
}

static void
set_field(const Ledger *ledger, const LedgerRow *row, size_t column, HistorySums *ret)
{
    const HistoryColumn *info = &columns[column];
    uint64_t value =
        row ? read_field(row, info->domain_offset) : read_field(ledger, info->host_offset);

    if (is_known(value) && info->kind == HISTORY_PAGES)
        value = mul_div(value, ledger->page_bytes, 1);
    if (value <= BYTES_MAX)
        set(ret, column, (int64_t)value);
}

void
history_moment(const Ledger *ledger, const LedgerRow *row, HistorySums *ret)
{
    *ret = (HistorySums){ 0 };
    for (size_t i = 0; i < G_N_ELEMENTS(columns); i++) {
        if (columns[i].kind == HISTORY_NET)
            set_net(ledger, row, i, ret);
        else
            set_field(ledger, row, i, ret);
    }
}

double
history_figure(const HistoryColumn *column, int64_t value)
{
    switch (column->kind) {
    case HISTORY_PAGES:
    case HISTORY_BYTES:
    case HISTORY_NET:
        return (double)value / GIB_HOUR_KIB_S;
    default:
        return (double)value / SECOND_US;
    }
}
