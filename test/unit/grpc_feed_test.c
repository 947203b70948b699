/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_feed_test.c - what clients say of their machines, and what becomes of it */
#include "agent/source/grpc_feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/fakeagent.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, fakeagent_setup, feeds_teardown)
#define UUID          "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"

static int
feeds_teardown(void **state)
{
    grpc_source.close(*state);
    return fakeagent_teardown(state);
}

static GrpcFeed *
streaming(Agent *agent, const char *name)
{
    GrpcFeed *feed = NULL;

    assert_int_equal(grpc_feed_register(agent, name, 42, &feed), GRPC_FEED_DONE);
    grpc_feed_begin(feed);
    return feed;
}

static void
say(GrpcFeed *feed, MachineWord word, const char *id)
{
    assert_int_equal(grpc_feed_post(feed, word, id), GRPC_FEED_DONE);
}

static void
libvirt_says(Agent *agent, EventKind kind, const char *uuid)
{
    Event event = { .kind = kind, .source = "libvirt", .uuid = uuid, .name = "web", .id = 1 };

    event_post(agent, &event);
}

/* --- names ------------------------------------------------------------------------------ */

static void
names_and_ids_are_plain_text_of_bounded_length(void **state)
{
    char name_64[65] = { 0 };
    char name_65[66] = { 0 };
    char id_128[129] = { 0 };
    char id_129[130] = { 0 };
    const struct {
        const char *text;
        bool is_name;
        bool is_id;
    } rows[] = {
        { "kata", true, true },       { "a b/c:d", true, true },
        { "\xc3\xa4", true, true },   { "", false, false },
        { "\n", false, false },       { "a\tb", false, false },
        { "\x1b[2J", false, false },  { "\x7f", false, false },
        { "\xc2\x85", false, false }, { "\xff\xfe", false, false },
        { "\xc3", false, false },     { name_64, true, true },
        { name_65, false, true },     { id_128, false, true },
        { id_129, false, false },     { "\xed\xa0\x80", false, false },
    };
    Agent *agent = *state;
    GrpcFeed *feed = streaming(agent, "test");

    memset(name_64, 'n', 64);
    memset(name_65, 'n', 65);
    memset(id_128, 'i', 128);
    memset(id_129, 'i', 129);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GrpcFeed *other;

        if ((grpc_feed_register(agent, rows[i].text, 0, &other) == GRPC_FEED_DONE) !=
            rows[i].is_name)
            fail_msg("name of row %zu", i);
        if ((grpc_feed_post(feed, MACHINE_CREATED, rows[i].text) == GRPC_FEED_DONE) !=
            rows[i].is_id)
            fail_msg("id of row %zu", i);
        assert_int_equal(domain_table_get(&agent->domains, rows[i].text) != NULL, rows[i].is_id);
    }
}

static void
a_name_belongs_to_one_client_as_long_as_it_is_connected(void **state)
{
    Agent *agent = *state;
    GrpcFeed *first = streaming(agent, "kata");
    GrpcFeed *second = NULL;
    g_autofree char *detail = NULL;

    assert_int_equal(grpc_feed_register(agent, "kata", 1, &second), GRPC_FEED_TAKEN);
    assert_int_equal(grpc_feed_register(agent, "kata", 1, &second), GRPC_FEED_TAKEN);
    detail = grpc_feed_detail(first);
    assert_string_equal(detail, "process 42, name refused to others 2");
    grpc_feed_end(first);
    assert_int_equal(grpc_feed_register(agent, "kata", 1, &second), GRPC_FEED_TAKEN);
    grpc_feed_leave(first);
    assert_int_equal(grpc_feed_register(agent, "kata", 1, &second), GRPC_FEED_DONE);
    assert_int_equal(grpc_feed_count(agent), 1); /* one row, whoever it is */
    assert_int_equal(second->pid, 1);
}

static void
the_number_of_clients_is_bounded_and_so_is_the_memory_of_former_ones(void **state)
{
    Agent *agent = *state;
    GrpcFeed *feeds[16];
    GrpcFeed *more = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(feeds); i++) {
        g_autofree char *name = g_strdup_printf("c%zu", i);

        feeds[i] = streaming(agent, name);
    }
    assert_int_equal(grpc_feed_register(agent, "more", 0, &more), GRPC_FEED_FULL);
    grpc_feed_end(feeds[0]);
    grpc_feed_leave(feeds[0]);
    for (size_t i = 0; i < 100; i++) {
        g_autofree char *name = g_strdup_printf("short-lived-%zu", i);

        more = streaming(agent, name);
        say(more, MACHINE_CREATED, "u1");
        grpc_feed_end(more);
        grpc_feed_leave(more);
    }
    assert_int_equal(grpc_feed_count(agent), 15 + 16);
    assert_int_equal(g_hash_table_size(agent->events.counts), 16);
    assert_int_equal(domain_table_size(&agent->domains), 0);
    for (guint i = 0; i < grpc_feed_count(agent); i++)
        assert_int_equal(grpc_feed_state(grpc_feed_at(agent, i)),
                         i < 15 ? SOURCE_OPEN : SOURCE_CLOSED);
}

static void
machines_of_one_client_are_bounded(void **state)
{
    Agent *agent = *state;
    GrpcFeed *feed = streaming(agent, "kata");

    for (unsigned i = 0; i < 1024; i++) {
        g_autofree char *id = g_strdup_printf("m%u", i);

        say(feed, MACHINE_CREATED, id);
    }
    assert_int_equal(grpc_feed_post(feed, MACHINE_CREATED, "more"), GRPC_FEED_FULL);
    assert_int_equal(grpc_feed_post(feed, MACHINE_CREATING, "more"), GRPC_FEED_FULL);
    say(feed, MACHINE_CREATED, "m0"); /* one that is known may be spoken of */
    say(feed, MACHINE_DESTROYED, "m0");
    say(feed, MACHINE_CREATED, "more");
    assert_int_equal(domain_table_size(&agent->domains), 1024);
}

/* --- order ------------------------------------------------------------------------------ */

static void
a_machine_lives_in_order_and_the_rest_changes_nothing(void **state)
{
    static const struct {
        const char *when;
        const char *words; /* g: creating, c: created, d: destroying, x: destroyed */
        bool runs;
        DomainState state;
        uint64_t repeats;
    } rows[] = {
        { "announced", "g", false, DOMAIN_RUNNING, 0 },
        { "as it should be", "gc", true, DOMAIN_RUNNING, 0 },
        { "to its end", "gcdx", false, DOMAIN_RUNNING, 0 },
        { "without the announcements", "c", true, DOMAIN_RUNNING, 0 },
        { "without the announcements, to its end", "cx", false, DOMAIN_RUNNING, 0 },
        { "on its way out", "gcd", true, DOMAIN_STOPPING, 0 },
        { "twice", "gcdxgc", true, DOMAIN_RUNNING, 0 },
        { "each word twice", "ggccdd", true, DOMAIN_STOPPING, 3 },
        { "each word twice, to its end", "ggccddxx", false, DOMAIN_RUNNING, 4 },
        { "announced after its start", "cg", true, DOMAIN_RUNNING, 1 },
        { "started after its end began", "gdc", false, DOMAIN_RUNNING, 1 },
        { "announced after its end began", "cdg", true, DOMAIN_STOPPING, 1 },
        { "ends twice", "cdxdx", false, DOMAIN_RUNNING, 2 },
        { "never started", "gx", false, DOMAIN_RUNNING, 0 },
        { "never started, on its way out", "gdx", false, DOMAIN_RUNNING, 0 },
        { "ends without a start", "x", false, DOMAIN_RUNNING, 1 },
        { "is ending without a start", "d", false, DOMAIN_RUNNING, 1 },
    };
    static const char letters[] = "gcdx";
    Agent *agent = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *id = g_strdup_printf("m%zu", i);
        GrpcFeed *feed = streaming(agent, "kata");
        uint64_t before = feed->repeats;
        const Domain *domain;

        for (const char *p = rows[i].words; *p; p++)
            say(feed, (MachineWord)(strchr(letters, *p) - letters), id);
        domain = domain_table_get(&agent->domains, id);
        if ((domain != NULL) != rows[i].runs)
            fail_msg("%s: it %s", rows[i].when, domain ? "runs" : "does not run");
        if (domain && domain->state != rows[i].state)
            fail_msg("%s: %s", rows[i].when, domain_state_name(domain->state));
        if (feed->repeats - before != rows[i].repeats)
            fail_msg("%s: %d out of order", rows[i].when, (int)(feed->repeats - before));
        grpc_feed_end(feed);
        grpc_feed_leave(feed);
        assert_int_equal(domain_table_size(&agent->domains), 0);
    }
}

static void
only_a_start_that_nobody_knew_moves_ksm(void **state)
{
    Agent *agent = *state;
    GrpcFeed *feed = streaming(agent, "kata");

    say(feed, MACHINE_CREATING, "m1");
    say(feed, MACHINE_DESTROYED, "m2");
    assert_int_equal(fakeagent_ksm(agent, "run"), 0);
    say(feed, MACHINE_CREATED, "m1");
    assert_int_equal(fakeagent_ksm(agent, "run"), 1);
}

/* --- identity --------------------------------------------------------------------------- */

static void
a_uuid_is_that_of_the_domain_in_any_case_of_letters(void **state)
{
    Agent *agent = *state;
    GrpcFeed *feed = streaming(agent, "kata");
    g_autofree char *upper = g_ascii_strup(UUID, -1);

    libvirt_says(agent, EVENT_CREATED, UUID);
    say(feed, MACHINE_CREATED, upper);
    assert_int_equal(domain_table_size(&agent->domains), 1);
    assert_string_equal(domain_table_get(&agent->domains, UUID)->name, "web");
    say(feed, MACHINE_CREATED, "aaaaaaaa-BBBB"); /* no uuid: as it is */
    assert_non_null(domain_table_get(&agent->domains, "aaaaaaaa-BBBB"));
}

static void
a_machine_is_forgotten_when_nobody_says_any_more_that_it_runs(void **state)
{
    static const struct {
        const char *when;
        const char
            *script; /* L l: libvirt starts, ends; A a E: the client a; B b F: the client b */
        bool runs;   /* in the end */
    } rows[] = {
        { "one client", "A", true },
        { "its stream ends", "AE", false },
        { "two clients, one ends it", "ABa", true },
        { "two clients, both end it", "ABab", false },
        { "two clients, one leaves", "ABE", true },
        { "two clients, both leave", "ABEF", false },
        { "libvirt and a client that leaves", "LAE", true },
        { "a client that leaves, and libvirt", "ALE", true },
        { "a client ends what libvirt knows", "LAa", true },
        { "libvirt ends it", "LAl", false },
        { "libvirt ends it, the client says so as well", "LAla", false },
        { "libvirt ends it, then the client leaves", "LAlE", false },
        { "libvirt ends what it did not know", "Al", false },
        { "it ends and starts again, then the client leaves", "ALlLE", true },
    };
    Agent *agent = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GrpcFeed *feeds[2] = { streaming(agent, "a"), streaming(agent, "b") };

        for (const char *p = rows[i].script; *p; p++) {
            GrpcFeed *feed = feeds[strchr("BbF", *p) ? 1 : 0];

            if (strchr("Ll", *p))
                libvirt_says(agent, *p == 'L' ? EVENT_CREATED : EVENT_DESTROYED, UUID);
            else if (strchr("EF", *p))
                grpc_feed_end(feed);
            else
                say(feed, strchr("AB", *p) ? MACHINE_CREATED : MACHINE_DESTROYED, UUID);
        }
        if ((domain_table_get(&agent->domains, UUID) != NULL) != rows[i].runs)
            fail_msg("%s: it %s", rows[i].when, rows[i].runs ? "is forgotten" : "still runs");
        for (size_t j = 0; j < 2; j++) {
            grpc_feed_end(feeds[j]);
            grpc_feed_leave(feeds[j]);
        }
        libvirt_says(agent, EVENT_DESTROYED, UUID);
        assert_int_equal(domain_table_size(&agent->domains), 0);
    }
}

static void
a_client_does_not_change_the_state_of_a_domain_of_libvirt(void **state)
{
    Agent *agent = *state;
    GrpcFeed *feed = streaming(agent, "kata");

    libvirt_says(agent, EVENT_CREATED, UUID);
    say(feed, MACHINE_CREATED, UUID);
    say(feed, MACHINE_DESTROYING, UUID);
    assert_int_equal(domain_table_get(&agent->domains, UUID)->state, DOMAIN_RUNNING);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(names_and_ids_are_plain_text_of_bounded_length),
        ON_HOST(a_name_belongs_to_one_client_as_long_as_it_is_connected),
        ON_HOST(the_number_of_clients_is_bounded_and_so_is_the_memory_of_former_ones),
        ON_HOST(machines_of_one_client_are_bounded),
        ON_HOST(a_machine_lives_in_order_and_the_rest_changes_nothing),
        ON_HOST(only_a_start_that_nobody_knew_moves_ksm),
        ON_HOST(a_uuid_is_that_of_the_domain_in_any_case_of_letters),
        ON_HOST(a_machine_is_forgotten_when_nobody_says_any_more_that_it_runs),
        ON_HOST(a_client_does_not_change_the_state_of_a_domain_of_libvirt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
