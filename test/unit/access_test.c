/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* access_test.c - who may call what: every method, every kind of peer, every setting */
#include "agent/rpc/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/rpc/method.h"

#define GROUP  4711
#define FULL   "/run/virtksm/virtksmd.sock"
#define KATA   "/run/kata-ksm-throttler/ksm.sock"
#define NOBODY 65534

static gid_t groups[] = { 10, GROUP, 12 };
static gid_t other_groups[] = { 10, 11, 12 };

static const struct {
    const char *who;
    GrpcPeer peer;
    Who is;
} peers[] = {
    { "root", { .uid = 0, .gid = 0, .listener = FULL }, WHO_ROOT },
    { "a user whose own group it is", { .uid = 1000, .gid = GROUP, .listener = FULL }, WHO_GROUP },
    { "a member of the group",
      { .uid = 1000, .gid = 1000, .groups = groups, .n_groups = 3, .listener = FULL },
      WHO_GROUP },
    { "a user without groups", { .uid = 1000, .gid = 1000, .listener = FULL }, WHO_ALL },
    { "a member of other groups",
      { .uid = 1000, .gid = 1000, .groups = other_groups, .n_groups = 3, .listener = FULL },
      WHO_ALL },
    { "nobody", { .uid = NOBODY, .gid = NOBODY, .listener = FULL }, WHO_ALL },
    { "a user whose number is the group's", { .uid = GROUP, .gid = 1, .listener = FULL }, WHO_ALL },
};

/* Of every method: what it needs. A method that is missing here fails the test. */
static const struct {
    const char *path;
    char need; /* r: reads, f: reads figures of domains, c: changes, x: exact figures */
} methods[] = {
    { "/virtksm.v1.Agent/Status", 'r' },
    { "/virtksm.v1.Agent/List", 'r' },
    { "/virtksm.v1.Agent/Report", 'f' },
    { "/virtksm.v1.Agent/Explain", 'f' },
    { "/virtksm.v1.Agent/Doctor", 'f' },
    { "/virtksm.v1.Agent/History", 'f' },
    { "/virtksm.v1.Agent/WorkingSet", 'f' },
    { "/virtksm.v1.Agent/WatchWorkingSet", 'f' },
    { "/virtksm.v1.Agent/Watch", 'r' },
    { "/virtksm.v1.Agent/Trace", 'x' },
    { "/virtksm.v1.Agent/Kick", 'c' },
    { "/virtksm.v1.Agent/SetMode", 'c' },
    { "/virtksm.v1.Agent/Set", 'c' },
    { "/ksm.KSMThrottler/Kick", 'c' },
    { "/KSMThrottler/Register", 'c' },
    { "/KSMThrottler/Events", 'c' },
    { "/grpc.health.v1.Health/Check", 'r' },
    { "/grpc.health.v1.Health/Watch", 'r' },
    { "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", 'r' },
    { "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", 'r' },
};

/* The widest circle that each need allows, by setting. */
static const struct {
    const char *when;
    bool read_only_for_all;
    Who domain_figures;
    bool is_coarse;
    Who r, f, c, x;
} settings[] = {
    { "defaults", false, WHO_GROUP, false, WHO_GROUP, WHO_GROUP, WHO_GROUP, WHO_GROUP },
    { "open", true, WHO_GROUP, false, WHO_ALL, WHO_GROUP, WHO_GROUP, WHO_GROUP },
    { "open, figures as well", true, WHO_ALL, false, WHO_ALL, WHO_ALL, WHO_GROUP, WHO_GROUP },
    { "open, figures for root", true, WHO_ROOT, false, WHO_ALL, WHO_ROOT, WHO_GROUP, WHO_ROOT },
    { "closed, figures for root", false, WHO_ROOT, false, WHO_GROUP, WHO_ROOT, WHO_GROUP,
      WHO_ROOT },
    { "closed, figures for all", false, WHO_ALL, false, WHO_GROUP, WHO_GROUP, WHO_GROUP,
      WHO_GROUP },
    { "coarse figures", false, WHO_GROUP, true, WHO_GROUP, WHO_GROUP, WHO_GROUP, WHO_ROOT },
    { "coarse figures for all", true, WHO_ALL, true, WHO_ALL, WHO_ALL, WHO_GROUP, WHO_ROOT },
    { "coarse figures for root", true, WHO_ROOT, true, WHO_ALL, WHO_ROOT, WHO_GROUP, WHO_ROOT },
};

static const GrpcMethod *
find_method(const char *path)
{
    size_t n;
    const GrpcMethod *list = method_list(&n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].path, path) == 0)
            return &list[i];
    fail_msg("%s is not served", path);
    return NULL;
}

static void
check_cell(size_t method, size_t peer, size_t setting)
{
    AccessRules rules = { KATA, GROUP, settings[setting].read_only_for_all,
                          settings[setting].domain_figures, settings[setting].is_coarse };
    Who limit = methods[method].need == 'r'   ? settings[setting].r
                : methods[method].need == 'f' ? settings[setting].f
                : methods[method].need == 'x' ? settings[setting].x
                                              : settings[setting].c;
    GrpcStatus want = peers[peer].is <= limit ? GRPC_STATUS_OK : GRPC_STATUS_PERMISSION_DENIED;
    const char *text = NULL;
    GrpcStatus is =
        access_check(&rules, find_method(methods[method].path), &peers[peer].peer, &text);

    if (is != want || (text != NULL) != (want != GRPC_STATUS_OK))
        fail_msg("%s, %s, %s: %s", methods[method].path, peers[peer].who, settings[setting].when,
                 grpc_status_name(is));
}

static void
every_method_has_its_circle(void **unused)
{
    size_t n;

    (void)unused;
    method_list(&n);
    assert_int_equal(n, G_N_ELEMENTS(methods));
    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
        for (size_t j = 0; j < G_N_ELEMENTS(peers); j++)
            for (size_t k = 0; k < G_N_ELEMENTS(settings); k++)
                check_cell(i, j, k);
}

static void
a_refused_trace_says_which_setting_is_in_its_way(void **unused)
{
    static const struct {
        gid_t gid;
        Who domain_figures;
        bool is_coarse;
        const char *want; /* part of the text */
    } rows[] = {
        { GROUP, WHO_ROOT, false, "domain_figures" }, { GROUP, WHO_GROUP, true, "figure_grain" },
        { GROUP, WHO_ROOT, true, "domain_figures" },  { NOBODY, WHO_ALL, true, "[rpc] group" },
        { NOBODY, WHO_ALL, false, "[rpc] group" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        AccessRules rules = { "", GROUP, true, rows[i].domain_figures, rows[i].is_coarse };
        GrpcPeer peer = { .uid = NOBODY, .gid = rows[i].gid, .listener = FULL };
        const char *text = "";

        access_check(&rules, find_method("/virtksm.v1.Agent/Trace"), &peer, &text);
        if (!strstr(text, rows[i].want))
            fail_msg("row %zu: %s", i, text);
    }
}

static void
without_a_group_only_root_changes_things(void **unused)
{
    AccessRules rules = { "", ACCESS_NO_GROUP, false, WHO_GROUP, false };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(peers); i++) {
        GrpcPeer peer = peers[i].peer;
        const char *text = NULL;

        for (unsigned none = 0; none < 2; none++) {
            /* The number that stands for "no group" is nobody's group. */
            peer.gid = none ? ACCESS_NO_GROUP : peer.gid;
            if ((access_check(&rules, find_method("/virtksm.v1.Agent/Kick"), &peer, &text) ==
                 GRPC_STATUS_OK) != (peers[i].is == WHO_ROOT))
                fail_msg("%s", peers[i].who);
        }
    }
}

static void
the_socket_for_kata_takes_its_call_alone(void **unused)
{
    AccessRules rules = { KATA, GROUP, true, WHO_ALL, false };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(peers); j++) {
            bool is_kick = strcmp(methods[i].path, "/ksm.KSMThrottler/Kick") == 0;
            GrpcPeer peer = peers[j].peer;
            const char *text = NULL;
            GrpcStatus is;
            GrpcStatus want = !is_kick                   ? GRPC_STATUS_UNIMPLEMENTED
                              : peers[j].is <= WHO_GROUP ? GRPC_STATUS_OK
                                                         : GRPC_STATUS_PERMISSION_DENIED;

            peer.listener = KATA;
            is = access_check(&rules, find_method(methods[i].path), &peer, &text);
            if (is != want)
                fail_msg("%s, %s: %s", methods[i].path, peers[j].who, grpc_status_name(is));
        }
    }
}

static void
a_connection_that_came_through_no_socket_is_not_katas(void **unused)
{
    AccessRules rules = { "", GROUP, false, WHO_GROUP, false };
    GrpcPeer peer = { .uid = 0, .listener = "" };
    const char *text = NULL;
    (void)unused;

    assert_int_equal(access_check(&rules, find_method("/virtksm.v1.Agent/Kick"), &peer, &text),
                     GRPC_STATUS_OK);
}

static void
the_user_that_the_agent_runs_as_is_as_good_as_root(void **unused)
{
    AccessRules rules = { "", ACCESS_NO_GROUP, false, WHO_ROOT, false };
    GrpcPeer peer = { .uid = geteuid(), .gid = NOBODY, .listener = FULL };
    const char *text = NULL;
    (void)unused;

    assert_int_equal(access_check(&rules, find_method("/virtksm.v1.Agent/Report"), &peer, &text),
                     GRPC_STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_has_its_circle),
        cmocka_unit_test(a_refused_trace_says_which_setting_is_in_its_way),
        cmocka_unit_test(without_a_group_only_root_changes_things),
        cmocka_unit_test(the_socket_for_kata_takes_its_call_alone),
        cmocka_unit_test(a_connection_that_came_through_no_socket_is_not_katas),
        cmocka_unit_test(the_user_that_the_agent_runs_as_is_as_good_as_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
