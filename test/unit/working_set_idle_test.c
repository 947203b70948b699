/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set_idle_test.c - pages that are marked as idle, and those that are not any more */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/faketarget.h"

#define S FAKETARGET_S

#include <unistd.h>

#define BITMAP "sys/kernel/mm/page_idle/bitmap"
/* The guest has eight pages at 0x400000; page i is in frame 640 + 64 * i. */
#define PAGES       8
#define FIRST_FRAME 640
#define PRESENT     (UINT64_C(1) << 63)
#define HEAD        (UINT64_C(1) << 15)
#define TAIL        (UINT64_C(1) << 16)
#define KSM         (UINT64_C(1) << 21)

#define WORDS       (FIRST_FRAME / 64 + PAGES)

static uint64_t
frame_of(unsigned page)
{
    return FIRST_FRAME + UINT64_C(64) * page;
}

static void
write_pagemap(FakeTarget *fake, const uint64_t *words)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    size_t first = 0x400000 / page_bytes;
    g_autofree uint64_t *all = g_new0(uint64_t, first + PAGES);

    memcpy(all + first, words, PAGES * sizeof(*words));
    fakeroot_write_bytes(fake->root, "proc/42/pagemap", all, (first + PAGES) * sizeof(*all));
}

/* All of its pages are resident: 50 KiB each. */
static FakeTarget *
kernel_with_idle_tracking(void)
{
    FakeTarget *fake = faketarget_new();
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t bitmap[WORDS] = { 0 };
    uint64_t words[PAGES];

    for (unsigned i = 0; i < PAGES; i++)
        words[i] = PRESENT | frame_of(i);
    write_pagemap(fake, words);
    fakeroot_write(fake->root, "proc/42/maps",
                   "10000-90000 r-xp 0 fe:00 9 /usr/bin/qemu\n400000-%x rw-p 0 00:00 0\n",
                   (unsigned)(0x400000 + PAGES * page_bytes));
    fakeroot_write_bytes(fake->root, BITMAP, bitmap, sizeof(bitmap));
    return fake;
}

static bool
is_marked(FakeTarget *fake, uint64_t frame)
{
    g_autofree char *path = g_build_filename(fakeroot_path(fake->root), BITMAP, NULL);
    g_autofree char *content = NULL;
    size_t length = 0;
    uint64_t word;

    assert_true(g_file_get_contents(path, &content, &length, NULL));
    assert_true(length >= (frame / 64 + 1) * sizeof(word));
    memcpy(&word, content + frame / 64 * sizeof(word), sizeof(word));
    return (word & (UINT64_C(1) << (frame % 64))) != 0;
}

static void
every_page_is_marked_at_its_frame(void **unused)
{
    g_autoptr(FakeTarget) fake = kernel_with_idle_tracking();
    WorkingSetReading reading = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_idle.open(&fake->target, &state, NULL));
    assert_true(working_set_idle.step(state, &fake->target, 5 * S, &reading, NULL));
    assert_false(reading.has_bins);
    assert_int_equal(reading.next_us, 6 * S);
    for (unsigned i = 0; i < PAGES; i++)
        if (!is_marked(fake, frame_of(i)))
            fail_msg("page %u is not marked", i);
    assert_false(is_marked(fake, 64));
    working_set_idle.close(state, &fake->target);
}

/* Writes zeros over the word of the frame's mark, in the very file that is open. */
static void
use_frame(FakeTarget *fake, uint64_t frame)
{
    int fd = working_set_open_words(fakeroot_fd(fake->root), BITMAP);

    assert_true(fd >= 0);
    assert_true(working_set_write_word(fd, frame / 64 * sizeof(uint64_t), 0));
    close(fd);
}

static void
touch(FakeTarget *fake, unsigned used)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (used & (1u << i))
            use_frame(fake, frame_of(i));
}

static void
pages_have_the_age_between_two_looks(void **unused)
{
    static const uint64_t second[4] = { 100, 0, 0, 300 };
    static const uint64_t third[4] = { 0, 150, 0, 250 };
    static const uint64_t fourth[4] = { 0, 0, 150, 250 };
    g_autoptr(FakeTarget) fake = kernel_with_idle_tracking();
    WorkingSetReading readings[4] = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_idle.open(&fake->target, &state, NULL));
    assert_true(working_set_idle.step(state, &fake->target, 5 * S, &readings[0], NULL));
    touch(fake, 0x03);
    assert_true(working_set_idle.step(state, &fake->target, 6 * S, &readings[1], NULL));
    faketarget_expect_bins("two in the last second", &readings[1], 0, second);
    assert_int_equal(readings[1].horizon_us, S);
    assert_true(readings[1].goes_on);
    assert_int_equal(readings[1].next_us, 15 * S);

    /* Page 2 and one of the two again, within the nine seconds: none can be told younger. */
    touch(fake, 0x06);
    assert_true(working_set_idle.step(state, &fake->target, 15 * S, &readings[2], NULL));
    assert_int_equal(faketarget_kib(&readings[2], 0, 3, WORKING_SET_ANON), third[3]);
    assert_int_equal(faketarget_kib(&readings[2], 0, 0, WORKING_SET_ANON) +
                         faketarget_kib(&readings[2], 0, 1, WORKING_SET_ANON),
                     third[1] - 1); /* rounded down, twice */
    assert_false(readings[2].goes_on);

    assert_true(working_set_idle.step(state, &fake->target, 35 * S, &readings[3], NULL));
    faketarget_expect_bins("none since", &readings[3], 0, fourth);
    assert_int_equal(readings[3].horizon_us, 30 * S);
    working_set_idle.close(state, &fake->target);
}

static void
pages_that_are_not_there_do_not_count(void **unused)
{
    static const uint64_t want[4] = { 200, 0, 0, 200 };
    g_autoptr(FakeTarget) fake = kernel_with_idle_tracking();
    uint64_t words[PAGES] = { 0, PRESENT | frame_of(1), UINT64_C(1) << 62, PRESENT | frame_of(3) };
    WorkingSetReading readings[2] = { 0 };
    gpointer state = NULL;
    (void)unused;

    write_pagemap(fake, words);
    assert_true(working_set_idle.open(&fake->target, &state, NULL));
    assert_true(working_set_idle.step(state, &fake->target, 5 * S, &readings[0], NULL));
    touch(fake, 0x02);
    assert_true(working_set_idle.step(state, &fake->target, 6 * S, &readings[1], NULL));
    faketarget_expect_bins("two are there", &readings[1], 0, want);
    working_set_idle.close(state, &fake->target);
}

static void
a_huge_page_is_marked_at_its_first_frame(void **unused)
{
    g_autoptr(FakeTarget) fake = kernel_with_idle_tracking();
    uint64_t flags[WORDS * 64] = { 0 };
    uint64_t words[PAGES] = { 0 };
    WorkingSetReading reading = { 0 };
    gpointer state = NULL;
    (void)unused;

    /* A page of 16 frames from 720 on, of which 725 is asked for. */
    for (unsigned frame = 720; frame < 736; frame++)
        flags[frame] = frame == 720 ? HEAD : TAIL;
    words[0] = PRESENT | 725;
    words[1] = PRESENT | frame_of(3);
    write_pagemap(fake, words);
    fakeroot_write_bytes(fake->root, "proc/kpageflags", flags, sizeof(flags));
    assert_true(working_set_idle.open(&fake->target, &state, NULL));
    assert_true(working_set_idle.step(state, &fake->target, 5 * S, &reading, NULL));
    assert_true(is_marked(fake, 720));
    assert_false(is_marked(fake, 725));
    assert_true(is_marked(fake, frame_of(3)));
    working_set_idle.close(state, &fake->target);
}

/* Three of the four that are there are of one huge page: all of them were used, or none. */
static void
what_is_found_of_a_huge_page_holds_for_all_of_it(void **unused)
{
    static const uint64_t used[4] = { 300, 0, 0, 100 };
    g_autoptr(FakeTarget) fake = kernel_with_idle_tracking();
    uint64_t flags[WORDS * 64] = { 0 };
    uint64_t words[PAGES] = { PRESENT | 720, PRESENT | 725, 0, PRESENT | 735,
                              PRESENT | frame_of(3) };
    WorkingSetReading readings[3] = { 0 };
    gpointer state = NULL;
    (void)unused;

    for (unsigned frame = 720; frame < 736; frame++)
        flags[frame] = frame == 720 ? HEAD : TAIL;
    write_pagemap(fake, words);
    fakeroot_write_bytes(fake->root, "proc/kpageflags", flags, sizeof(flags));
    assert_true(working_set_idle.open(&fake->target, &state, NULL));
    assert_true(working_set_idle.step(state, &fake->target, 5 * S, &readings[0], NULL));
    use_frame(fake, 720);
    assert_true(working_set_idle.step(state, &fake->target, 6 * S, &readings[1], NULL));
    faketarget_expect_bins("used", &readings[1], 0, used);
    assert_true(is_marked(fake, 720));
    assert_true(working_set_idle.step(state, &fake->target, 36 * S, &readings[2], NULL));
    assert_int_equal(faketarget_kib(&readings[2], 0, 0, WORKING_SET_ANON), 0);
    assert_int_equal(faketarget_kib(&readings[2], 0, 2, WORKING_SET_ANON), 300);
    working_set_idle.close(state, &fake->target);
}

/* The first and third of its pages are one frame, which another domain has, too. */
static void
a_page_that_ksm_shares_counts_as_used_and_is_not_marked(void **unused)
{
    static const uint64_t young[4] = { 200, 0, 0, 200 };
    g_autoptr(FakeTarget) fake = kernel_with_idle_tracking();
    uint64_t flags[WORDS * 64] = { 0 };
    uint64_t words[PAGES] = { PRESENT | frame_of(0), PRESENT | frame_of(1), PRESENT | frame_of(0),
                              PRESENT | frame_of(3) };
    WorkingSetReading readings[3] = { 0 };
    gpointer states[2] = { NULL };
    (void)unused;

    flags[frame_of(0)] = KSM;
    write_pagemap(fake, words);
    fakeroot_write_bytes(fake->root, "proc/kpageflags", flags, sizeof(flags));
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
        assert_true(working_set_idle.open(&fake->target, &states[i], NULL));
        assert_true(working_set_idle.step(states[i], &fake->target, 5 * S, &readings[i], NULL));
    }
    assert_false(is_marked(fake, frame_of(0)));
    assert_true(is_marked(fake, frame_of(1)));
    assert_true(working_set_idle.step(states[0], &fake->target, 6 * S, &readings[2], NULL));
    faketarget_expect_bins("one of them", &readings[2], 0, young);
    readings[2] = (WorkingSetReading){ 0 };
    assert_true(working_set_idle.step(states[1], &fake->target, 6 * S, &readings[2], NULL));
    faketarget_expect_bins("the other", &readings[2], 0, young);
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++)
        working_set_idle.close(states[i], &fake->target);
}

static void
says_why_it_cannot_be_used(void **unused)
{
    static const struct {
        const char *when;
        const char *missing;
        const char *why;
    } rows[] = {
        { "an ordinary kernel", BITMAP, "no idle page tracking" },
        { "it has exited", "proc/42/maps", "its maps cannot be read" },
        { "no pagemap", "proc/42/pagemap", "its pagemap cannot be opened" },
        { "no status", "proc/42/status", "its status does not tell" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = kernel_with_idle_tracking();

        fakeroot_remove(fake->root, rows[i].missing);
        faketarget_expect_refusal(rows[i].when, fake, &working_set_idle, rows[i].why);
    }
}

static void
hidden_frames_end_it(void **unused)
{
    g_autoptr(FakeTarget) fake = kernel_with_idle_tracking();
    g_autoptr(GError) error = NULL;
    uint64_t words[PAGES] = { PRESENT };
    WorkingSetReading reading = { 0 };
    gpointer state = NULL;
    (void)unused;

    write_pagemap(fake, words);
    assert_true(working_set_idle.open(&fake->target, &state, NULL));
    assert_false(working_set_idle.step(state, &fake->target, S, &reading, &error));
    assert_non_null(strstr(error->message, "CAP_SYS_ADMIN"));
    working_set_idle.close(state, &fake->target);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_is_marked_at_its_frame),
        cmocka_unit_test(pages_have_the_age_between_two_looks),
        cmocka_unit_test(pages_that_are_not_there_do_not_count),
        cmocka_unit_test(a_huge_page_is_marked_at_its_first_frame),
        cmocka_unit_test(what_is_found_of_a_huge_page_holds_for_all_of_it),
        cmocka_unit_test(a_page_that_ksm_shares_counts_as_used_and_is_not_marked),
        cmocka_unit_test(says_why_it_cannot_be_used),
        cmocka_unit_test(hidden_frames_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
