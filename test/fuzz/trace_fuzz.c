/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace_fuzz.c - any bytes as a trace: refused with a reason, or facts that policy can decide on
 *
 * The plans are those of any kernel's figures, so they must be within what an actuator takes.
 */
#include "agent/trace/trace_reader.h"
#include "agent/trace/trace_replay.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_plan(const Plan *plan)
{
    assert(plan->ksm.phase < KSM_PHASE_COUNT && plan->ksm.reason < REASON_COUNT);
    assert(plan->next_tick_us >= 1000);
    assert(plan->ksm.duty_bp <= BP_ONE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TraceReader) reader = trace_reader_new(data, size, &error);
    g_autoptr(TraceReplay) replay = trace_replay_new();
    TraceMoment moment;
    TraceResult result = TRACE_BAD;

    while (reader && (result = trace_reader_next(reader, &moment, &error)) == TRACE_MOMENT) {
        const Plan *plan = trace_replay_decide(replay, NULL, &moment);

        check_plan(plan);
        trace_replay_difference(plan, moment.plan, moment.sample->n);
        assert(trace_reader_version(reader));
    }
    assert((result == TRACE_END) == (error == NULL));
    return 0;
}
