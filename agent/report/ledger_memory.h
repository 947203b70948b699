/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ledger_memory.h - for the ledger: where the memory of one domain is */
#ifndef AGENT_REPORT_LEDGER_MEMORY_H
#define AGENT_REPORT_LEDGER_MEMORY_H

#include "agent/report/ledger.h"

/**
 * ledger_fill_memory() - the figures of a row that are not KSM's
 * @ledger: its page size is known
 * @row:    its domain, resident set and zero pages are known; the rest is filled in
 */
void ledger_fill_memory(const Ledger *ledger, LedgerRow *row);

#endif
