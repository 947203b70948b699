/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_try.c - what the tests of the model of KSM share */
#include "test/sim/ksm_try.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

const KsmKnobs flat_out = { KSM_RUN_MERGE, 4000, 0, U, U, U };
const KsmKnobs pass_by_pass = { KSM_RUN_MERGE, UINT32_MAX, 20, U, U, U };

KsmRegion
region(KsmContent content, uint64_t pages)
{
    return (KsmRegion){ .content = content, .group = 1, .pages = pages };
}

KsmModel *
model_with(const KsmRegion *like, size_t processes)
{
    KsmModel *model = ksm_model_new(NULL, BEGIN);

    for (size_t i = 0; i < processes; i++)
        ksm_model_start(model, like, 1);
    return model;
}

void
run_passes(KsmModel *model, uint64_t passes)
{
    uint64_t goal = ksm_model_counters(model).full_scans + passes;
    uint64_t end_us = ksm_model_now_us(model) + 3600 * S;

    while (ksm_model_counters(model).full_scans < goal && ksm_model_now_us(model) < end_us)
        ksm_model_run(model, ksm_model_now_us(model) + MS);
    assert_true(ksm_model_counters(model).full_scans >= goal);
}
