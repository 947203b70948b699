/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_fixed_test.c - mode fixed gives the configured settings and nothing else */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
the_configured_settings_are_wanted_whatever_happens(void **unused)
{
    static const struct {
        const char *when;
        uint32_t triggers;
        uint64_t anon_bytes;
    } rows[] = {
        { "nothing happens", 0, 1 << 30 },
        { "a domain starts", 1, 1 << 30 },
        { "nothing is known", 0, VALUE_UNKNOWN },
    };
    PolicyState state;
    PolicyConf conf;
    (void)unused;

    policy_conf_default(&conf);
    conf.mode = KSM_MODE_FIXED;
    conf.fixed_pages = 4321;
    conf.fixed_sleep_ms = 43;
    policy_init(&state);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Sample sample = { .host = { .now_us = 1000000 * (i + 1),
                                    .cpus = 1,
                                    .page_bytes = 4096,
                                    .has_ksm = true,
                                    .anon_bytes = rows[i].anon_bytes,
                                    .triggers = rows[i].triggers,
                                    .initial = { KSM_RUN_STOP, 100, 20, 1, 0, 1 } } };
        Plan plan = { .domains = NULL };
        const KsmKnobs *knobs = &plan.ksm.knobs;

        policy_decide(&conf, &sample, &state, &plan);
        if (knobs->run != KSM_RUN_MERGE || knobs->pages_to_scan != 4321 || knobs->sleep_ms != 43 ||
            knobs->advisor != VALUE_UNKNOWN || knobs->smart_scan != 0 || knobs->use_zero_pages != 1)
            fail_msg("%s: other settings", rows[i].when);
        if (plan.ksm.phase != KSM_PHASE_FIXED || plan.ksm.reason != REASON_MODE_FIXED)
            fail_msg("%s: %s (%s)", rows[i].when, ksm_phase_name(plan.ksm.phase),
                     reason_name(plan.ksm.reason));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_configured_settings_are_wanted_whatever_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
