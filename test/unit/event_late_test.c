/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* event_late_test.c - two sources tell of the same starts, and one of them is behind */
#define _GNU_SOURCE
#include "agent/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/fakeagent.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, fakeagent_setup, fakeagent_teardown)
#define UNKNOWN       DOMAIN_ID_UNKNOWN

static void
post_from(Agent *agent, const char *source, EventKind kind, int id)
{
    Event event = { .kind = kind, .source = source, .uuid = "u1", .name = "web", .id = id };

    event_post(agent, &event);
}

static void
late_news_of_a_start_whose_end_is_known_makes_no_domain(void **state)
{
    static const struct {
        const char *when;
        int end;            /* number that the end came with */
        const char *source; /* who tells of the start then */
        int start;          /* and with which number */
        bool is_new;
    } rows[] = {
        { "another source is behind", 5, "b", 5, false },
        { "the end came without the number", UNKNOWN, "b", 5, false },
        { "it is behind by two starts", 5, "b", 4, false },
        { "the next start", 5, "b", 6, true },
        { "a start without number", 5, "b", UNKNOWN, true },
        { "the source that told the end: the number is used again", 5, "a", 5, true },
    };
    Agent *agent = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        post_from(agent, "a", EVENT_CREATED, 5);
        post_from(agent, "a", EVENT_DESTROYED, rows[i].end);
        post_from(agent, rows[i].source, EVENT_CREATED, rows[i].start);
        if ((domain_table_get(&agent->domains, "u1") != NULL) != rows[i].is_new)
            fail_msg("%s: %s", rows[i].when, rows[i].is_new ? "no domain" : "a domain");
        post_from(agent, "a", EVENT_DESTROYED, UNKNOWN);
    }
}

static void
a_source_that_is_behind_by_several_starts_changes_nothing_until_it_has_caught_up(void **state)
{
    Agent *agent = *state;
    uint64_t key;

    for (int id = 5; id <= 7; id++) {
        post_from(agent, "a", EVENT_CREATED, id);
        post_from(agent, "a", EVENT_DESTROYED, id);
    }
    post_from(agent, "a", EVENT_CREATED, 8);
    key = domain_table_get(&agent->domains, "u1")->key;
    for (int id = 5; id <= 7; id++) {
        post_from(agent, "b", EVENT_CREATED, id);
        post_from(agent, "b", EVENT_DESTROYED, id);
        if (!domain_table_get(&agent->domains, "u1"))
            fail_msg("start 8 has ended with start %d", id);
    }
    post_from(agent, "b", EVENT_CREATED, 8);
    assert_int_equal(domain_table_get(&agent->domains, "u1")->key, key);
    assert_int_equal(agent->domains.next_key, key + 1); /* no start was one more domain */
    post_from(agent, "b", EVENT_DESTROYED, 8);          /* now it is ahead */
    assert_null(domain_table_get(&agent->domains, "u1"));
    post_from(agent, "a", EVENT_DESTROYED, 8);
    post_from(agent, "a", EVENT_CREATED, 9);
    assert_non_null(domain_table_get(&agent->domains, "u1"));
}

static void
when_all_have_told_the_end_a_number_may_come_again(void **state)
{
    Agent *agent = *state;

    post_from(agent, "a", EVENT_CREATED, 5);
    post_from(agent, "b", EVENT_CREATED, 5);
    post_from(agent, "a", EVENT_DESTROYED, 5);
    post_from(agent, "b", EVENT_DESTROYED, 5);
    post_from(agent, "b", EVENT_CREATED, 5);
    assert_non_null(domain_table_get(&agent->domains, "u1"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(late_news_of_a_start_whose_end_is_known_makes_no_domain),
        ON_HOST(a_source_that_is_behind_by_several_starts_changes_nothing_until_it_has_caught_up),
        ON_HOST(when_all_have_told_the_end_a_number_may_come_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
