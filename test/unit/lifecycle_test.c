/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lifecycle_test.c - what each lifecycle event of libvirt means for memory */
#include "agent/virt/lifecycle.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libvirt/libvirt.h>

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static void
assert_life(const char *when, Lifecycle have, Lifecycle want)
{
    if (have.kind != want.kind || have.scan != want.scan || have.failed != want.failed ||
        strcmp(have.word, want.word) != 0 || strcmp(have.detail, want.detail) != 0)
        fail_msg("%s: kind %d, scan %d, \"%s\" \"%s\"", when, (int)have.kind, have.scan, have.word,
                 have.detail);
}

static void
every_event_has_its_meaning(void **unused)
{
    static const struct {
        int event;
        Lifecycle want;
    } rows[] = {
        { VIR_DOMAIN_EVENT_DEFINED, { LIFECYCLE_IGNORED, false, "defined", "", false } },
        { VIR_DOMAIN_EVENT_UNDEFINED, { LIFECYCLE_IGNORED, false, "undefined", "", false } },
        { VIR_DOMAIN_EVENT_STARTED, { LIFECYCLE_STARTED, true, "started", "booted", false } },
        { VIR_DOMAIN_EVENT_SUSPENDED, { LIFECYCLE_SUSPENDED, false, "suspended", "", false } },
        { VIR_DOMAIN_EVENT_RESUMED, { LIFECYCLE_RESUMED, false, "resumed", "", false } },
        { VIR_DOMAIN_EVENT_STOPPED, { LIFECYCLE_ENDED, false, "stopped", "shut down", false } },
        { VIR_DOMAIN_EVENT_SHUTDOWN, { LIFECYCLE_ENDING, false, "shutdown", "", false } },
        { VIR_DOMAIN_EVENT_PMSUSPENDED, { LIFECYCLE_CHANGED, false, "pmsuspended", "", false } },
        { VIR_DOMAIN_EVENT_CRASHED, { LIFECYCLE_CHANGED, false, "crashed", "", false } },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++)
        assert_life(rows[i].want.word, virt_lifecycle(rows[i].event, 0), rows[i].want);
}

static void
starts_and_stops_say_how(void **unused)
{
    static const struct {
        int event;
        int detail;
        const char *want;
    } rows[] = {
        { VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED, "booted" },
        { VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_MIGRATED, "migrated in" },
        { VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_RESTORED, "restored" },
        { VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT, "from snapshot" },
        { VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_WAKEUP, "woken up" },
        { VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, "shut down" },
        { VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED, "destroyed" },
        { VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_CRASHED, "crashed" },
        { VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_MIGRATED, "migrated out" },
        { VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_SAVED, "saved" },
        { VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FAILED, "failed" },
        { VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT, "from snapshot" },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++)
        assert_string_equal(virt_lifecycle(rows[i].event, rows[i].detail).detail, rows[i].want);
}

static void
an_end_that_nobody_wanted_is_told_from_others(void **unused)
{
    (void)unused;

    for (int event = -1; event < 12; event++)
        for (int detail = -1; detail < 12; detail++)
            assert_int_equal(virt_lifecycle(event, detail).failed,
                             event == VIR_DOMAIN_EVENT_STOPPED &&
                                 (detail == VIR_DOMAIN_EVENT_STOPPED_CRASHED ||
                                  detail == VIR_DOMAIN_EVENT_STOPPED_FAILED));
}

static void
who_is_let_go_has_new_memory_only_if_it_came_from_elsewhere(void **unused)
{
    static const struct {
        int detail;
        bool want;
    } rows[] = {
        { VIR_DOMAIN_EVENT_RESUMED_UNPAUSED, false },
        { VIR_DOMAIN_EVENT_RESUMED_MIGRATED, true },
        { VIR_DOMAIN_EVENT_RESUMED_FROM_SNAPSHOT, true },
        { VIR_DOMAIN_EVENT_RESUMED_POSTCOPY, true },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++)
        assert_life("a domain that is let go",
                    virt_lifecycle(VIR_DOMAIN_EVENT_RESUMED, rows[i].detail),
                    (Lifecycle){ LIFECYCLE_RESUMED, rows[i].want, "resumed", "", false });
}

static void
numbers_that_nobody_knows_are_ignored_or_have_no_detail(void **unused)
{
    static const int events[] = { -1, 9, 10, 1000, INT_MAX, INT_MIN };
    static const int details[] = { -1, 5, 7, 1000, INT_MAX, INT_MIN };
    (void)unused;

    for (size_t i = 0; i < ROWS(events); i++)
        assert_life("unknown event", virt_lifecycle(events[i], 0),
                    (Lifecycle){ LIFECYCLE_IGNORED, false, "unknown", "", false });
    for (size_t i = 0; i < ROWS(details); i++) {
        assert_life("unknown detail", virt_lifecycle(VIR_DOMAIN_EVENT_STARTED, details[i]),
                    (Lifecycle){ LIFECYCLE_STARTED, true, "started", "", false });
        assert_life("detail of an event without",
                    virt_lifecycle(VIR_DOMAIN_EVENT_CRASHED, details[i]),
                    (Lifecycle){ LIFECYCLE_CHANGED, false, "crashed", "", false });
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_has_its_meaning),
        cmocka_unit_test(starts_and_stops_say_how),
        cmocka_unit_test(an_end_that_nobody_wanted_is_told_from_others),
        cmocka_unit_test(who_is_let_go_has_new_memory_only_if_it_came_from_elsewhere),
        cmocka_unit_test(numbers_that_nobody_knows_are_ignored_or_have_no_detail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
