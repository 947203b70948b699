/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replay_test.c - a recorded hour is decided again as it was, wherever the recording began
 *
 * What the trace forgot of policy's memory would show as another plan sooner or later.
 */
#include "agent/trace/trace_hub.h"
#include "agent/trace/trace_reader.h"
#include "agent/trace/trace_replay.h"
#include "test/sim/simhost.h"
#include "test/support/dice.h"
#include "test/support/tracefile.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define TRIES 40
#define S     SIM_S

/* One recording. */
typedef struct {
    TraceHub hub;
    TraceTap tap;
    TraceWriter *writer; /* owned */
    GByteArray *file;    /* owned */
    Dice *dice;          /* borrowed */
    uint64_t lost;       /* decisions since the last that was written */
    uint64_t written;    /* decisions */
} Recorder;

static bool
wants_state(gpointer user)
{
    const Recorder *recorder = user;

    return trace_writer_wants_state(recorder->writer);
}

/* Now and then a reader is too slow for a while. */
static void
decided(const TraceMoment *moment, gpointer user)
{
    Recorder *recorder = user;
    TraceMoment with_lost = *moment;

    if (dice_below(recorder->dice, 200) == 0) {
        trace_writer_lose(recorder->writer);
        recorder->lost++;
        return;
    }
    if (trace_writer_wants_state(recorder->writer) && !moment->state) {
        recorder->lost++; /* the gap has only just begun */
        return;
    }
    with_lost.lost = recorder->lost;
    recorder->lost = 0;
    recorder->written++;
    tracefile_add(recorder->file, trace_writer_message(recorder->writer, &with_lost));
}

static void
before(const Sample *sample, const PolicyState *state, void *user)
{
    trace_hub_before(&((Recorder *)user)->hub, sample, state);
}

static void
after(const PolicyConf *conf, const Sample *sample, const Plan *plan, void *user)
{
    trace_hub_after(&((Recorder *)user)->hub, conf, sample, plan);
}

static void
recorder_init(Recorder *recorder, Dice *dice)
{
    *recorder = (Recorder){ .writer = trace_writer_new(), .file = tracefile_new(), .dice = dice };
    trace_hub_init(&recorder->hub);
    recorder->tap = (TraceTap){ wants_state, decided, recorder };
    trace_hub_add(&recorder->hub, &recorder->tap);
}

static void
recorder_done(Recorder *recorder)
{
    trace_hub_done(&recorder->hub);
    trace_writer_free(recorder->writer);
    g_byte_array_unref(recorder->file);
}

static void
start_one(SimHost *host, Dice *dice)
{
    uint64_t per_s = dice_below(dice, 2) ? 10000 + dice_below(dice, 50000) : 0;
    KsmRegion regions[] = {
        { .content = KSM_CONTENT_SHARED, .group = 1, .pages = 1 + dice_below(dice, 50000) },
        { .content = KSM_CONTENT_VOLATILE, .pages = 1 + dice_below(dice, 10000) },
        { .content = KSM_CONTENT_UNIQUE, .pages = 1 + dice_below(dice, 50000) },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(regions); i++)
        regions[i].pages_per_s = per_s;
    simhost_start(host, regions, G_N_ELEMENTS(regions));
}

/* Domains by number: those below first have ended, those below n have started. */
typedef struct {
    size_t first;
    size_t n;
} Lives;

static void
live(SimHost *host, Dice *dice, Lives *lives, unsigned events)
{
    for (unsigned i = 0; i < events; i++) {
        if (lives->n - lives->first > 3 || (lives->n > lives->first && dice_below(dice, 4) == 0)) {
            simhost_stop(host, lives->first++);
        } else {
            start_one(host, dice);
            lives->n++;
        }
        simhost_run(host,
                    dice_below(dice, 2) ? dice_below(dice, 3 * S) : dice_below(dice, 600 * S));
    }
}

static void
assert_replays(const Recorder *recorder)
{
    g_autoptr(TraceReader) reader =
        trace_reader_new(recorder->file->data, recorder->file->len, NULL);
    g_autoptr(TraceReplay) replay = trace_replay_new();
    g_autoptr(GError) error = NULL;
    TraceMoment moment;
    TraceResult result;
    uint64_t n = 0;

    assert_non_null(reader);
    while ((result = trace_reader_next(reader, &moment, &error)) == TRACE_MOMENT) {
        const Plan *plan = trace_replay_decide(replay, NULL, &moment);
        const char *name = trace_replay_difference(plan, moment.plan, moment.sample->n);

        n++;
        if (name)
            fail_msg("decision %" PRIu64 " of %" PRIu64 ": %s differs", n, recorder->written, name);
    }
    assert_int_equal(result, TRACE_END);
    assert_int_equal(n, recorder->written);
    assert_null(trace_reader_missing(reader));
}

static void
what_was_recorded_is_decided_again(void **unused)
{
    Dice dice = dice_new();
    uint64_t decisions = 0;
    uint64_t bytes = 0;
    (void)unused;

    for (unsigned i = 0; i < TRIES; i++) {
        Recorder recorder;
        SimTap tap = { before, after, &recorder };
        Lives lives = { 0 };
        PolicyConf conf;
        SimHost *host;

        policy_conf_default(&conf);
        conf.mode = (unsigned)dice_below(&dice, KSM_MODE_COUNT);
        if (dice_below(&dice, 3) > 0)
            conf.mode = KSM_MODE_AUTO;
        host = simhost_new(&conf, 8 * SIM_GIB);
        live(host, &dice, &lives, (unsigned)dice_below(&dice, 5));
        recorder_init(&recorder, &dice);
        simhost_tap(host, &tap);
        live(host, &dice, &lives, 12);
        simhost_tap(host, NULL);
        assert_replays(&recorder);
        decisions += recorder.written;
        bytes += recorder.file->len;
        recorder_done(&recorder);
        simhost_free(host);
    }
    printf("%" PRIu64 " decisions, %" PRIu64 " bytes each\n", decisions, bytes / decisions);
    assert_true(decisions > 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_recorded_is_decided_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
