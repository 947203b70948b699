/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ledger_grain.h - figures of single domains, no finer than readers are to know them */
#ifndef AGENT_REPORT_LEDGER_GRAIN_H
#define AGENT_REPORT_LEDGER_GRAIN_H

#include "agent/report/ledger.h"

/**
 * ledger_coarsen() - make what KSM says of single domains coarse
 * @ledger:      as ledger_read() made it
 * @grain_bytes: figures become whole multiples of it, rounded down; of less than two pages: nothing
 *               changes
 *
 * Who reads often could see single pages merge, and so learn what is in a neighbour's memory. What
 * is cut off goes to the others, so that the sums stay exact. The kernel's own figure of the profit
 * is known no more: it is the number of merged pages in another form.
 */
void ledger_coarsen(Ledger *ledger, uint64_t grain_bytes);

/**
 * ledger_coarse_need() - what domains need together, no finer than figures of single ones
 * @bytes:       which may be those of one domain
 * @grain_bytes: as for ledger_coarsen()
 *
 * Return: rounded up, since less would not do.
 */
uint64_t ledger_coarse_need(uint64_t bytes, uint64_t grain_bytes);

#endif
