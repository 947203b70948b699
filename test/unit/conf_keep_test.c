/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conf_keep_test.c - what is read at the start only stays in force, and only that */
#include "agent/conf_keep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/log.h"

#define N_KEPT 16

/* Settings of which each differs from its default. */
static const struct {
    const char *section;
    const char *key;
    const char *value;
} others[] = {
    { "agent", "confine", "false" },
    { "libvirt", "uri", "test:///default" },
    { "libvirt", "keepalive_s", "7" },
    { "libvirt", "keepalive_count", "7" },
    { "rpc", "group", "others" },
    { "rpc", "kata_socket", "/run/kata" },
    { "access", "read_only_for_all", "true" },
    { "hook", "enable", "false" },
    { "metrics", "listen", "off" },
    { "history", "enable", "false" },
    { "directory", "paths", "/sbs" },
    { "working_set", "enable", "false" },
    { "working_set", "bins", "1,7" },
    { "working_set", "age", "7" },
    { "working_set", "budget", "1" },
    { "working_set", "interval", "7" },
    /* And these, behind N_KEPT, are in force at once. */
    { "agent", "restore_at_stop", "false" },
    { "tenancy", "names", "a=*" },
    { "working_set", "report_threshold", "30" },
};

/* Of the agent's own; those of policy are in force at once, too. */
static const char *const at_once[] = {
    "agent.log_level",
    "agent.restore_at_stop",
    "agent.on_foreign_change",
    "libvirt.stats_period_ms",
    "ksm.take_over",
    "access.domain_figures",
    "access.figure_grain",
    "tenancy.group_from",
    "tenancy.names",
    "history.keep_minutes",
    "history.keep_hours",
    "history.keep_days",
    "history.size_limit",
    "working_set.report_threshold",
    "working_set.report_change",
    "metrics.domains",
    "metrics.domain_limit",
    NULL,
};

static void
set_others(Conf *conf)
{
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        assert_true(conf_set(conf, others[i].section, others[i].key, others[i].value, NULL));
}

static void
assert_kept(const Conf *conf, const Conf *as)
{
    assert_int_equal(conf->confine, as->confine);
    assert_string_equal(conf->uri, as->uri);
    assert_int_equal(conf->keepalive_s, as->keepalive_s);
    assert_int_equal(conf->keepalive_count, as->keepalive_count);
    assert_string_equal(conf->rpc_group, as->rpc_group);
    assert_string_equal(conf->kata_socket, as->kata_socket);
    assert_int_equal(conf->read_only_for_all, as->read_only_for_all);
    assert_int_equal(conf->hook_enable, as->hook_enable);
    assert_string_equal(conf->metrics_listen, as->metrics_listen);
    assert_int_equal(conf->history_enable, as->history_enable);
    assert_string_equal(conf->directory_paths, as->directory_paths);
    assert_int_equal(conf->working_set, as->working_set);
    assert_string_equal(conf->working_bins, as->working_bins);
    assert_int_equal(conf->working_age_s, as->working_age_s);
    assert_int_equal(conf->working_bp, as->working_bp);
    assert_int_equal(conf->working_every_s, as->working_every_s);
}

static void
what_is_read_at_the_start_stays_and_nothing_else(void **unused)
{
    g_autoptr(Conf) conf = conf_new();
    g_autoptr(Conf) old = conf_new();
    g_autoptr(Conf) as = conf_new();
    (void)unused;

    set_others(conf);
    conf_keep(conf, old);
    assert_kept(conf, as);
    assert_false(conf->restore_at_stop);
    assert_string_equal(conf->group_names, "a=*");
    assert_int_equal(conf->working_quiet_s, 30);
    assert_string_equal(old->uri, "test:///default"); /* which is freed with it */
}

/* A new one has to be thought of here. */
static void
every_key_is_of_one_kind(void **unused)
{
    const Knob *knob;
    size_t policy_n;
    (void)unused;

    policy_knobs(&policy_n);
    for (size_t i = policy_n; (knob = conf_knob(i)) != NULL; i++) {
        g_autofree char *name = g_strconcat(knob->section, ".", knob->key, NULL);
        bool is_kept = false;

        for (size_t k = 0; k < N_KEPT; k++)
            is_kept |= g_str_equal(others[k].section, knob->section) &&
                       g_str_equal(others[k].key, knob->key);
        if (is_kept == g_strv_contains(at_once, name))
            fail_msg("%s", name);
    }
}

static void
what_does_not_differ_is_left_alone(void **unused)
{
    g_autoptr(Conf) conf = conf_new();
    g_autoptr(Conf) old = conf_new();
    (void)unused;

    set_others(old);
    set_others(conf);
    conf_keep(conf, old);
    assert_kept(conf, old);
    assert_ptr_not_equal(conf->uri, old->uri);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_at_the_start_stays_and_nothing_else),
        cmocka_unit_test(every_key_is_of_one_kind),
        cmocka_unit_test(what_does_not_differ_is_left_alone),
    };

    log_open(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
