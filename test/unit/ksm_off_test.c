/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_off_test.c - mode off wants nothing */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
nothing_is_wanted_whatever_was_found(void **unused)
{
    static const struct {
        const char *when;
        KsmKnobs initial;
    } rows[] = {
        { "stopped", { KSM_RUN_STOP, 100, 20, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN } },
        { "running, with the advisor", { KSM_RUN_MERGE, 1, 0, 1, 1, 1 } },
        { "unmerged", { KSM_RUN_UNMERGE, 4294967295, 4294967295, 0, 0, 0 } },
        { "not known",
          { VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN,
            VALUE_UNKNOWN } },
    };
    static const KsmKnobs nothing = { VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN,
                                      VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN };
    PolicyState state;
    PolicyConf conf;
    (void)unused;

    policy_conf_default(&conf);
    conf.mode = KSM_MODE_OFF;
    policy_init(&state);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Sample sample = { .host = { .now_us = 1000000 * (i + 1),
                                    .cpus = 1,
                                    .page_bytes = 4096,
                                    .has_ksm = true,
                                    .triggers = 1,
                                    .initial = rows[i].initial } };
        Plan plan = { .domains = NULL };

        policy_decide(&conf, &sample, &state, &plan);
        if (memcmp(&plan.ksm.knobs, &nothing, sizeof(KsmKnobs)) != 0)
            fail_msg("%s: settings are wanted", rows[i].when);
        if (plan.ksm.phase != KSM_PHASE_OFF || plan.ksm.reason != REASON_MODE_OFF)
            fail_msg("%s: %s (%s)", rows[i].when, ksm_phase_name(plan.ksm.phase),
                     reason_name(plan.ksm.reason));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_wanted_whatever_was_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
