/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* merge_order_test.c - domains are merged with others again only when KSM is as it was found */
#define _GNU_SOURCE
#include "agent/actuator/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "agent/virt/merge.h"
#include "test/support/holdhost.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static Merge merge;

/* A domain that a run which was killed has left off, while its settings of KSM are in force. */
static int
setup(void **state)
{
    g_autofree char *entry =
        g_strdup_printf("3 %d %d %d %d -", (int)MERGE_VALUE_ON, (int)MERGE_VALUE_OFF,
                        (int)MERGE_VALUE_OFF, (int)MERGE_VALUE_OFF);
    HoldHost *host;

    holdhost_setup(state);
    host = *state;
    assert_true(originals_prepare(&host->originals, NULL));
    originals_set(&host->originals, ORIGINALS_KERNEL, "run", "0");
    originals_set(&host->originals, merge_actuator.name, host->subjects[0].uuid, entry);
    assert_true(originals_save(&host->originals, NULL));
    merge_init(&merge, &host->originals, &host->changer);
    return 0;
}

static int
teardown(void **state)
{
    merge_done(&merge);
    return holdhost_teardown(state);
}

static void
ksm_is_back(HoldHost *host)
{
    originals_drop(&host->originals, ORIGINALS_KERNEL, NULL);
    assert_true(originals_save(&host->originals, NULL));
}

static void
a_restore_after_the_end_waits_for_ksm(void **state)
{
    HoldHost *host = *state;
    g_autofree char *kept = NULL;
    g_autofree char *note = NULL;
    g_autoptr(GError) error = NULL;
    guint n;

    assert_false(hold_table_restore_now(&merge.holds, "test:///default", &n, &note, &error));
    assert_non_null(strstr(error->message, "stays as we have set it until ksm is as it was found"));
    kept = holdhost_entry(host, merge_actuator.name);
    assert_non_null(kept);
}

static void
a_mode_that_does_not_drive_ksm_waits_for_it_too(void **state)
{
    HoldHost *host = *state;

    merge_set_on(&merge, false, false);
    for (int i = 0; i < 3; i++)
        merge_apply(&merge, &host->decided, NULL);
    assert_int_equal(host->asked->len, 0);
    ksm_is_back(host);
    merge_apply(&merge, &host->decided, NULL);
    holdhost_answer(host, MERGE_VALUE_ON, CHANGE_DONE, MERGE_VALUE_OFF);
    merge_apply(&merge, &host->decided, NULL);
    assert_null(holdhost_entry(host, merge_actuator.name));
}

static void
while_ksm_is_driven_who_is_not_kept_apart_goes_back(void **state)
{
    HoldHost *host = *state;

    merge_set_on(&merge, false, true);
    merge_apply(&merge, &host->decided, NULL);
    holdhost_answer(host, MERGE_VALUE_ON, CHANGE_DONE, MERGE_VALUE_OFF);
    merge_apply(&merge, &host->decided, NULL);
    assert_null(holdhost_entry(host, merge_actuator.name));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(a_restore_after_the_end_waits_for_ksm),
        ON_HOST(a_mode_that_does_not_drive_ksm_waits_for_it_too),
        ON_HOST(while_ksm_is_driven_who_is_not_kept_apart_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
