/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_try.h - what the tests of the model of KSM share */
#ifndef TEST_SIM_KSM_TRY_H
#define TEST_SIM_KSM_TRY_H

#include "policy/arith.h"
#include "test/sim/ksm_model.h"

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))
#define S          UINT64_C(1000000)
#define MS         UINT64_C(1000)
#define U          VALUE_UNKNOWN
#define BEGIN      (1000 * S)
#define GIB_PAGES  UINT64_C(262144)

/* Without pauses, in batches of 4,000 pages. */
extern const KsmKnobs flat_out;
/* A batch is a pass, and there is a pause behind it in which one can look. */
extern const KsmKnobs pass_by_pass;

/** region() - pages of one content, of group 1 where that matters, all there from the start */
KsmRegion region(KsmContent content, uint64_t pages);

/** model_with() - so many processes, each with one region like @like; ksm_model_free() it */
KsmModel *model_with(const KsmRegion *like, size_t processes);

/** run_passes() - run until so many passes have ended, and not much longer; an hour at most */
void run_passes(KsmModel *model, uint64_t passes);

#endif
