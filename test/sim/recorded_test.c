/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recorded_test.c - the model of KSM against a recorded run of the kernel
 *
 * fixture/trace/large.trace is what `virtksm trace record` wrote on Linux 6.18 while four guests of
 * test/support/guest were started at once and filled their memory: 760 MiB that all have alike, 456
 * of their own, 304 that they rewrite for ever at 4,000 pages a second.
 *
 * The model gets the same guests, which grow as the recorded ones did, the recorded setting of
 * smart_scan, and between two decisions as much CPU time as ksmd had. What it makes of that is
 * compared at each decision: pages scanned, merged, found to be unique. So how fast ksmd works, in
 * which order, and what a pass finds in memory that is still being filled are all in it; who gets a
 * CPU when is not.
 */
#include "agent/trace/trace_reader.h"
#include "policy/arith.h"
#include "test/sim/ksm_model.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define PAGES_OF_MIB(mib) ((uint64_t)(mib) * (1048576 / KSM_MODEL_PAGE_BYTES))
#define US_PER_S          UINT64_C(1000000)
#define GUESTS            4
/* Decisions of the recording; and parts of a guest's memory that came between two of them. */
#define LOOKS_MAX   1000
#define REGIONS_MAX (2 * LOOKS_MAX)
/* Batch of the model: small, so that it stops close to where its CPU time ends. */
#define BATCH_PAGES 100
/* The recorded host was busy with its guests, whose emulation wants the caches too: a page cost
 * that much more than where the costs of the model were measured. The only figure that is fitted.
 */
#define SLOWER_BP (BP_ONE + BP_ONE * 35 / 100)
/* How far the model may be off at any moment, and in the end, of what there is of it in the end.
 * While memory is being filled, most of what a pass merges has come a moment ago. */
#define MOMENT_BP (BP_ONE / 8)
#define END_BP    (BP_ONE / 33)

/* A guest's memory, in the order in which it is filled. */
static const struct {
    KsmContent content;
    uint64_t pages;
    uint64_t period_us; /* as in KsmRegion */
} layout[] = {
    { KSM_CONTENT_SHARED, PAGES_OF_MIB(760), 0 },
    { KSM_CONTENT_UNIQUE, PAGES_OF_MIB(456), 0 },
    { KSM_CONTENT_VOLATILE, PAGES_OF_MIB(304), PAGES_OF_MIB(304) * US_PER_S / 4000 },
};

/* What was recorded at one decision, counted from the first. */
typedef struct {
    uint64_t now_us;               /* time */
    uint64_t cpu_us;               /* of ksmd */
    uint64_t smart_scan;           /* that was decided; VALUE_UNKNOWN: as it is */
    KsmCounters ksm;               /* pages_scanned and full_scans from the first on */
    uint64_t filled_pages[GUESTS]; /* of each guest's memory */
} Look;

typedef struct {
    Look looks[LOOKS_MAX];
    size_t n;
} Recording;

/* --- the recording ------------------------------------------------------------------------ */

static uint64_t
layout_pages(void)
{
    uint64_t pages = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(layout); i++)
        pages += layout[i].pages;
    return pages;
}

static void
add_look(Recording *recording, const TraceMoment *moment)
{
    const HostSample *host = &moment->sample->host;
    Look *look = &recording->looks[recording->n];

    assert_true(recording->n < LOOKS_MAX);
    *look = (Look){ .now_us = host->now_us,
                    .cpu_us = host->ksmd_cpu_us,
                    .smart_scan = moment->plan->ksm.knobs.smart_scan,
                    .ksm = host->ksm };
    for (size_t i = 0; i < moment->sample->n && i < GUESTS; i++)
        look->filled_pages[i] =
            known_or(moment->sample->domains[i].resident_bytes, 0) / KSM_MODEL_PAGE_BYTES;
    recording->n++;
}

/* What is resident beside the guest's memory is QEMU's own, and was there first. */
static void
count_from_first(Recording *recording)
{
    const Look first = recording->looks[0];
    const Look last = recording->looks[recording->n - 1];

    for (size_t i = 0; i < recording->n; i++) {
        Look *look = &recording->looks[i];

        look->now_us -= first.now_us;
        look->cpu_us -= first.cpu_us;
        look->ksm.pages_scanned -= first.ksm.pages_scanned;
        look->ksm.full_scans -= first.ksm.full_scans;
        for (size_t g = 0; g < GUESTS; g++)
            look->filled_pages[g] =
                sat_sub(look->filled_pages[g], sat_sub(last.filled_pages[g], layout_pages()));
    }
}

static Recording *
read_recording(void)
{
    Recording *recording = g_new0(Recording, 1);
    g_autoptr(TraceReader) reader = NULL;
    g_autofree char *data = NULL;
    TraceMoment moment;
    gsize bytes;

    assert_true(
        g_file_get_contents(TEST_SOURCE_DIR "/fixture/trace/large.trace", &data, &bytes, NULL));
    reader = trace_reader_new((const uint8_t *)data, bytes, NULL);
    assert_non_null(reader);
    while (trace_reader_next(reader, &moment, NULL) == TRACE_MOMENT)
        if (moment.sample->n == GUESTS || recording->n == 0)
            add_look(recording, &moment);
    assert_true(recording->n > 50);
    count_from_first(recording);
    return recording;
}

/* --- the model of it ---------------------------------------------------------------------- */

/* The part of the layout from one page to another, as it came in that time. */
static size_t
add_regions(KsmRegion *regions, const Look *from, const Look *to, size_t guest)
{
    uint64_t begin = from->filled_pages[guest];
    uint64_t end = to->filled_pages[guest];
    uint64_t took_us = max_u64(to->now_us - from->now_us, 1);
    uint64_t start = 0;
    size_t n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(layout); i++) {
        uint64_t first = max_u64(begin, start);
        uint64_t behind = min_u64(end, start + layout[i].pages);

        if (first < behind)
            regions[n++] = (KsmRegion){ .content = layout[i].content,
                                        .group = 1,
                                        .base = first - start,
                                        .pages = behind - first,
                                        .pages_per_s = mul_div(end - begin, US_PER_S, took_us),
                                        .after_us = from->now_us,
                                        .period_us = layout[i].period_us };
        start += layout[i].pages;
    }
    return n;
}

static void
start_guests(KsmModel *model, const Recording *recording)
{
    g_autofree KsmRegion *regions = g_new(KsmRegion, REGIONS_MAX);

    for (size_t guest = 0; guest < GUESTS; guest++) {
        size_t n = 0;

        for (size_t i = 1; i < recording->n; i++)
            n += add_regions(&regions[n], &recording->looks[i - 1], &recording->looks[i], guest);
        ksm_model_start(model, regions, n);
    }
}

/* From one decision to the next: ksmd works as long as it did, and then stands still. */
static void
run_between(KsmModel *model, const Look *from, const Look *to)
{
    const KsmKnobs work = { KSM_RUN_MERGE, BATCH_PAGES,      0,
                            VALUE_UNKNOWN, from->smart_scan, VALUE_UNKNOWN };
    const KsmKnobs stand = { KSM_RUN_STOP,  VALUE_UNKNOWN, VALUE_UNKNOWN,
                             VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN };
    uint64_t until_us =
        from->now_us +
        mul_div(min_u64(to->cpu_us - from->cpu_us, to->now_us - from->now_us), BP_ONE, SLOWER_BP);

    if (until_us > ksm_model_now_us(model)) {
        ksm_model_write(model, &work);
        ksm_model_run(model, until_us);
        ksm_model_write(model, &stand);
    }
    ksm_model_run(model, max_u64(to->now_us, ksm_model_now_us(model)));
}

/* --- both --------------------------------------------------------------------------------- */

static uint64_t
merged_pages(const KsmCounters *ksm)
{
    return ksm->pages_shared + ksm->pages_sharing;
}

typedef struct {
    const char *what;
    uint64_t most;  /* that the model was off */
    uint64_t at_us; /* when it was */
    uint64_t last;  /* that it is off */
} Gap;

static void
note_gap(Gap *gap, uint64_t recorded, uint64_t modelled, uint64_t now_us)
{
    gap->last = max_u64(sat_sub(recorded, modelled), sat_sub(modelled, recorded));
    if (gap->last <= gap->most)
        return;
    gap->most = gap->last;
    gap->at_us = now_us;
}

static void
assert_gap(const Gap *gap, uint64_t whole)
{
    uint64_t most_bp = mul_div(gap->most, BP_ONE, whole);
    uint64_t last_bp = mul_div(gap->last, BP_ONE, whole);

    printf("%s: off by %" PRIu64 ".%" PRIu64 " %% at most, after %" PRIu64 " ms, and %" PRIu64
           ".%" PRIu64 " %% in the end\n",
           gap->what, most_bp / 100, most_bp / 10 % 10, gap->at_us / 1000, last_bp / 100,
           last_bp / 10 % 10);
    if (most_bp > MOMENT_BP || last_bp > END_BP)
        fail_msg("%s: off by %" PRIu64 " at most, %" PRIu64 " in the end, of %" PRIu64, gap->what,
                 gap->most, gap->last, whole);
}

static void
given_the_same_cpu_time_the_model_is_where_the_kernel_was(void **unused)
{
    Gap scanned = { .what = "pages scanned" };
    Gap merged = { .what = "pages merged" };
    Gap unshared = { .what = "pages found unique" };
    g_autofree Recording *recording = read_recording();
    KsmModel *model = ksm_model_new(NULL, 0);
    const Look *last = &recording->looks[recording->n - 1];
    uint64_t settled = merged_pages(&last->ksm) + last->ksm.pages_unshared;
    (void)unused;

    start_guests(model, recording);
    for (size_t i = 1; i < recording->n; i++) {
        const Look *look = &recording->looks[i];
        KsmCounters now;

        run_between(model, &recording->looks[i - 1], look);
        now = ksm_model_counters(model);
        note_gap(&scanned, look->ksm.pages_scanned, now.pages_scanned, look->now_us);
        note_gap(&merged, merged_pages(&look->ksm), merged_pages(&now), look->now_us);
        note_gap(&unshared, look->ksm.pages_unshared, now.pages_unshared, look->now_us);
    }
    ksm_model_free(model);
    assert_gap(&scanned, last->ksm.pages_scanned);
    assert_gap(&merged, merged_pages(&last->ksm));
    assert_gap(&unshared, settled);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_the_same_cpu_time_the_model_is_where_the_kernel_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
