/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* boot_test.c - how long guests take to come up, and what waits until then */
#include "policy/boot.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S       UINT64_C(1000000)
#define MIB     (UINT64_C(1) << 20)
#define PAGES   (MIB / 4096)
#define DOMAINS 3

/* A host with guests, of which each has as much open debt as it has memory. */
typedef struct {
    PolicyConf conf;
    PolicyState state;
    HostSample host;
    DomainSample domains[DOMAINS];
    DomainTrack tracks[DOMAINS];
    size_t n;
} Host;

static void
host_init(Host *host)
{
    memset(host, 0, sizeof(*host));
    policy_conf_default(&host->conf);
    policy_init(&host->state);
    host->state.domains = host->tracks;
    host->host = (HostSample){ .now_us = 1000 * S, .cpus = 2, .page_bytes = 4096 };
}

/* Return: number of a guest that starts now. */
static size_t
start(Host *host)
{
    size_t i = host->n++;

    host->domains[i] = domain_sample_unknown();
    host->domains[i].key = i + 1;
    host->domains[i].started_us = host->host.now_us;
    host->domains[i].resident_bytes = 10 * MIB;
    return i;
}

static uint64_t
look(Host *host)
{
    Sample sample = { host->host, host->domains, host->n };

    for (size_t i = 0; i < host->n; i++)
        if (!host->tracks[i].boot.is_up)
            host->tracks[i].open_value = host->domains[i].resident_bytes / 4096;
    return boot_update(&host->conf, &sample, &host->state);
}

/* The guest grows by 10 MiB a second for so long, and stands still then. */
static void
boot(Host *host, size_t i, unsigned grows_s, unsigned stands_s)
{
    for (unsigned second = 0; second < grows_s + stands_s; second++) {
        host->host.now_us += S;
        if (second < grows_s)
            host->domains[i].resident_bytes += 10 * MIB;
        look(host);
    }
}

/* A guest that takes so long, from start to being up. */
static void
pass_by(Host *host, unsigned grows_s)
{
    size_t i = start(host);

    boot(host, i, grows_s, 6);
    assert_true(host->tracks[i].boot.is_up);
    memset(&host->tracks[i], 0, sizeof(host->tracks[i]));
    host->n--;
}

static void
of_guests_that_differ_the_fastest_counts(void **unused)
{
    static const struct {
        unsigned grows_s;
        uint64_t want_us;
    } rows[] = {
        { 20, 20 * S }, { 20, 20 * S },   { 8, 8 * S },
        { 20, 10 * S }, { 20, 12500000 }, { 9, 9 * S },
    };
    Host host;
    (void)unused;

    host_init(&host);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pass_by(&host, rows[i].grows_s);
        if (host.state.ksm_auto.boot_us != rows[i].want_us)
            fail_msg("guest %zu: %" PRIu64 " us, want %" PRIu64, i, host.state.ksm_auto.boot_us,
                     rows[i].want_us);
    }
}

static void
who_does_not_grow_teaches_nothing(void **unused)
{
    Host host;
    (void)unused;

    host_init(&host);
    pass_by(&host, 0);
    assert_int_equal(host.state.ksm_auto.boot_us, 0);
    host.domains[0].resident_bytes = 10 * MIB;
    start(&host);
    host.domains[0].resident_bytes = VALUE_UNKNOWN;
    boot(&host, 0, 0, 60);
    assert_false(host.tracks[0].boot.is_up); /* what it has is not known */
}

static void
before_a_guest_has_come_up_nobody_knows(void **unused)
{
    Host host;
    (void)unused;

    host_init(&host);
    start(&host);
    assert_int_equal(look(&host), UINT64_MAX);
}

static void
a_quarter_of_what_waits_until_the_usual_age_counts(void **unused)
{
    Host host;
    size_t i;
    (void)unused;

    host_init(&host);
    pass_by(&host, 10);
    i = start(&host);
    boot(&host, i, 4, 0); /* 50 MiB, and six seconds to go */
    assert_int_equal(look(&host), 50 * PAGES * 6 * S / 4);
    boot(&host, i, 6, 0); /* as old as others were when they came up */
    assert_int_equal(look(&host), UINT64_MAX);
}

static void
what_others_have_waiting_does_not_wait_for_it(void **unused)
{
    Host host;
    size_t i;
    (void)unused;

    host_init(&host);
    pass_by(&host, 10);
    i = start(&host);
    boot(&host, i, 1, 12);
    assert_true(host.tracks[i].boot.is_up);
    i = start(&host);
    boot(&host, i, 4, 0);
    host.tracks[0].open_value = 50 * PAGES / 8;
    assert_true(look(&host) < UINT64_MAX); /* a little may */
    host.tracks[0].open_value = 50 * PAGES / 8 + 1;
    assert_int_equal(look(&host), UINT64_MAX);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_guests_that_differ_the_fastest_counts),
        cmocka_unit_test(who_does_not_grow_teaches_nothing),
        cmocka_unit_test(before_a_guest_has_come_up_nobody_knows),
        cmocka_unit_test(a_quarter_of_what_waits_until_the_usual_age_counts),
        cmocka_unit_test(what_others_have_waiting_does_not_wait_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
