/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* event_test.c - from an event to the table, the watchers and KSM, in one turn of the loop */
#define _GNU_SOURCE
#include "agent/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/await.h"
#include "test/support/fakeagent.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, fakeagent_setup, fakeagent_teardown)
#define UNKNOWN       DOMAIN_ID_UNKNOWN

static void
post(Agent *agent, EventKind kind, const char *uuid, int id)
{
    Event event = { .kind = kind, .source = "test", .uuid = uuid, .name = uuid, .id = id };

    event_post(agent, &event);
}

static void
what_brings_new_memory_has_moved_ksm_when_posting_returns(void **unused)
{
    static const struct {
        const char *when;
        Event event;
        guint64 run;
    } rows[] = {
        { "a domain starts",
          { .kind = EVENT_CREATED, .source = "test", .uuid = "u1", .name = "web", .id = 1 },
          1 },
        { "a start without a name or number",
          { .kind = EVENT_CREATED, .source = "test", .uuid = "u1", .id = UNKNOWN },
          1 },
        { "a kick", { .kind = EVENT_KICK, .source = "test", .id = UNKNOWN, .scan = true }, 1 },
        { "memory is plugged in",
          { .kind = EVENT_CHANGED, .source = "test", .uuid = "u1", .id = 1, .scan = true },
          1 },
        { "a domain is suspended",
          { .kind = EVENT_CHANGED, .source = "test", .uuid = "u1", .id = 1 },
          0 },
        { "a domain shuts down",
          { .kind = EVENT_DESTROYING, .source = "test", .uuid = "u1", .id = 1 },
          0 },
        { "a domain that nobody knew ends",
          { .kind = EVENT_DESTROYED, .source = "test", .uuid = "u1", .id = 1 },
          0 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        void *state;
        Agent *agent;

        fakeagent_setup(&state);
        agent = state;
        event_post(agent, &rows[i].event);
        if (fakeagent_ksm(agent, "run") != rows[i].run)
            fail_msg("%s: run is %d", rows[i].when, (int)fakeagent_ksm(agent, "run"));
        if (rows[i].run == 1) {
            assert_int_equal(fakeagent_ksm(agent, "pages_to_scan"),
                             agent->conf->policy.batch_pages * 4);
            assert_true(fakeagent_ksm(agent, "sleep_millisecs") >=
                        3600000); /* woken for one batch */
            assert_int_equal(agent->plan.ksm.phase, KSM_PHASE_BURST);
            assert_int_not_equal(agent->tick.timer, 0); /* facts follow */
        }
        fakeagent_teardown(&state);
    }
}

/* A balloon that moves is told of each second: not each time is a scan. */
static void
what_is_worth_a_look_is_looked_at_soon_and_not_scanned_for(void **state)
{
    Agent *agent = *state;
    Event event = { .kind = EVENT_CHANGED, .source = "test", .uuid = "u1", .id = 1 };
    uint64_t now_us;

    for (unsigned look = 0; look < 2; look++) {
        tick_want(agent, 60000);
        g_clear_handle_id(&agent->tick.timer, g_source_remove);
        event.look = look;
        now_us = (uint64_t)g_get_monotonic_time();
        event_post(agent, &event);
        assert_int_equal(agent->tick.triggers, 0);
        assert_int_equal(fakeagent_ksm(agent, "run"), 0);
        assert_int_equal(agent->tick.timer != 0, look);
    }
    assert_true(agent->tick.due_us < now_us + 10000000);
}

static void
a_pass_begins_at_once_for_a_kick_alone(void **unused)
{
    static const struct {
        const char *when;
        Event event;
        bool begins;
    } rows[] = {
        { "another one starts", { .kind = EVENT_CREATED, .uuid = "u2", .id = 2 }, false },
        { "it is told again", { .kind = EVENT_CREATED, .uuid = "u1", .id = 1 }, false },
        { "it gets memory", { .kind = EVENT_CHANGED, .uuid = "u1", .id = 1 }, false },
        { "one that nobody knows yet", { .kind = EVENT_CHANGED, .uuid = "u2", .id = 2 }, false },
        { "a kick", { .kind = EVENT_KICK, .id = UNKNOWN }, true },
        { "a kick for it", { .kind = EVENT_KICK, .uuid = "u1", .id = 1 }, true },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Event event = rows[i].event;
        bool begun;
        void *state;
        Agent *agent;

        fakeagent_setup(&state);
        agent = state;
        post(agent, EVENT_CREATED, "u1", 1);
        assert_int_equal(agent->policy.ksm_auto.pass.stage, PASS_PARKED);
        agent->tick.trigger_us = 0; /* no two are one decision */
        event.source = "test";
        event.scan = true;
        event_post(agent, &event);
        begun = agent->policy.ksm_auto.pass.stage != PASS_PARKED;
        if (begun != rows[i].begins)
            fail_msg("%s: a pass has %sbegun", rows[i].when, begun ? "" : "not ");
        fakeagent_teardown(&state);
    }
}

static void
departures_are_decided_upon_soon_and_together(void **state)
{
    Agent *agent = *state;
    uint64_t count;

    for (int i = 0; i < 100; i++) {
        g_autofree char *uuid = g_strdup_printf("u%d", i);

        post(agent, EVENT_CREATED, uuid, i);
    }
    fakeagent_tick(agent); /* all facts are in */
    count = agent->tick.count;
    for (int i = 0; i < 100; i++) {
        g_autofree char *uuid = g_strdup_printf("u%d", i);

        post(agent, EVENT_DESTROYED, uuid, UNKNOWN);
    }
    assert_int_equal(domain_table_size(&agent->domains), 0);
    AWAIT(agent->tick.departures == 0);
    /* One for all of them; the rest looks after the pass that is under way. */
    assert_in_range(agent->tick.count, count + 1, count + 20);
    assert_true(agent->policy.ksm_auto.cleanup_us > 0);
    assert_int_equal(agent->tick.samples->len, 0);
}

/* --- identity --------------------------------------------------------------------------- */

typedef struct {
    EventKind kind;
    int id;
} Step;

static void
a_start_is_one_domain_whoever_reports_it_and_how_often(void **state)
{
    static const struct {
        const char *when;
        Step steps[3]; /* of one uuid */
        size_t n;
        uint64_t key; /* which start of it is left; 0: none */
        int id;
    } rows[] = {
        { "once", { { EVENT_CREATED, 5 } }, 1, 1, 5 },
        { "twice", { { EVENT_CREATED, 5 }, { EVENT_CREATED, 5 } }, 2, 1, 5 },
        { "the number comes second",
          { { EVENT_CREATED, UNKNOWN }, { EVENT_CREATED, 5 } },
          2,
          1,
          5 },
        { "the number came first", { { EVENT_CREATED, 5 }, { EVENT_CREATED, UNKNOWN } }, 2, 1, 5 },
        { "nobody has the number",
          { { EVENT_CREATED, UNKNOWN }, { EVENT_CREATED, UNKNOWN } },
          2,
          1,
          UNKNOWN },
        { "restarted, the end was missed",
          { { EVENT_CREATED, 5 }, { EVENT_CREATED, 6 } },
          2,
          2,
          6 },
        { "restarted",
          { { EVENT_CREATED, 5 }, { EVENT_DESTROYED, UNKNOWN }, { EVENT_CREATED, 6 } },
          3,
          2,
          6 },
        { "restarted, numbers unknown",
          { { EVENT_CREATED, UNKNOWN }, { EVENT_DESTROYED, UNKNOWN }, { EVENT_CREATED, UNKNOWN } },
          3,
          2,
          UNKNOWN },
        { "ended", { { EVENT_CREATED, 5 }, { EVENT_DESTROYED, 5 } }, 2, 0, 0 },
        { "ended, number unknown",
          { { EVENT_CREATED, 5 }, { EVENT_DESTROYED, UNKNOWN } },
          2,
          0,
          0 },
        { "ended twice",
          { { EVENT_CREATED, 5 }, { EVENT_DESTROYED, 5 }, { EVENT_DESTROYED, 5 } },
          3,
          0,
          0 },
        { "only its end is seen", { { EVENT_DESTROYED, 5 } }, 1, 0, 0 },
        { "only a change is seen", { { EVENT_CHANGED, 5 } }, 1, 0, 0 },
    };
    Agent *agent = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *uuid = g_strdup_printf("u%zu", i);
        uint64_t before = agent->domains.next_key - 1;
        const Domain *left;

        for (size_t j = 0; j < rows[i].n; j++)
            post(agent, rows[i].steps[j].kind, uuid, rows[i].steps[j].id);
        left = domain_table_get(&agent->domains, uuid);
        if ((left != NULL) != (rows[i].key > 0))
            fail_msg("%s: %s", rows[i].when, left ? "still there" : "not there");
        if (left && (left->key != before + rows[i].key || left->id != rows[i].id))
            fail_msg("%s: start %d of it, number %d", rows[i].when, (int)(left->key - before),
                     left->id);
    }
}

static void
the_end_of_an_earlier_start_does_not_end_the_present_one(void **state)
{
    Agent *agent = *state;

    post(agent, EVENT_CREATED, "u1", 5);
    post(agent, EVENT_CREATED, "u1", 6);
    post(agent, EVENT_DESTROYED, "u1", 5); /* late news */
    assert_non_null(domain_table_get(&agent->domains, "u1"));
    post(agent, EVENT_DESTROYED, "u1", 6);
    assert_null(domain_table_get(&agent->domains, "u1"));
}

static void
a_preparation_is_told_and_no_domain_yet(void **state)
{
    Agent *agent = *state;

    post(agent, EVENT_CREATING, "u1", 5);
    assert_null(domain_table_get(&agent->domains, "u1"));
    assert_int_equal(fakeagent_ksm(agent, "run"), 0);
    assert_int_equal(agent->events.sequence, 1);
}

static void
domains_do_not_disturb_each_other(void **state)
{
    Agent *agent = *state;

    post(agent, EVENT_CREATED, "u1", 1);
    post(agent, EVENT_CREATED, "u2", 2);
    post(agent, EVENT_DESTROYING, "u1", 1);
    assert_int_equal(domain_table_get(&agent->domains, "u1")->state, DOMAIN_STOPPING);
    assert_int_equal(domain_table_get(&agent->domains, "u2")->state, DOMAIN_RUNNING);
    post(agent, EVENT_DESTROYED, "u1", 1);
    assert_null(domain_table_get(&agent->domains, "u1"));
    assert_int_equal(domain_table_get(&agent->domains, "u2")->id, 2);
}

/* --- counts ----------------------------------------------------------------------------- */

static void
every_source_has_its_own_count(void **state)
{
    Agent *agent = *state;
    uint64_t before_us = (uint64_t)g_get_monotonic_time();
    Event event = { .kind = EVENT_CHANGED, .source = "a", .uuid = "u1", .id = 1 };

    event_post(agent, &event);
    event_post(agent, &event);
    event.source = "b";
    event.kind = EVENT_DESTROYED; /* unknown, and counted */
    event_post(agent, &event);
    assert_int_equal(event_hub_count(&agent->events, "a").events, 2);
    assert_int_equal(event_hub_count(&agent->events, "b").events, 1);
    assert_in_range(event_hub_count(&agent->events, "b").last_us, before_us,
                    g_get_monotonic_time());
    assert_int_equal(event_hub_count(&agent->events, "c").events, 0);
    assert_int_equal(event_hub_count(&agent->events, "c").last_us, 0);
    assert_int_equal(agent->events.sequence, 3);
}

/* --- watchers --------------------------------------------------------------------------- */

/* A watcher writes what it is told as "kind:uuid", and may unwatch somebody. */
typedef struct {
    Agent *agent;
    GString *told;
    uint64_t sequence;  /* of the last event */
    gpointer unwatches; /* user of the watcher that it stops; NULL: none */
} Witness;

static void
witness(const SeenEvent *seen, gpointer user)
{
    Witness *self = user;

    g_string_append_printf(self->told, "%s:%s ", event_kind_name(seen->event.kind),
                           seen->event.uuid ? seen->event.uuid : "");
    self->sequence = seen->sequence;
    assert_true(ABS(seen->time_us - g_get_real_time()) < 60 * G_USEC_PER_SEC);
    if (self->unwatches)
        event_unwatch(&self->agent->events, g_steal_pointer(&self->unwatches));
}

#define WITNESSES 3

static void
watch_all(Agent *agent, Witness witnesses[WITNESSES])
{
    for (size_t i = 0; i < WITNESSES; i++) {
        witnesses[i] = (Witness){ agent, g_string_new(NULL), 0, NULL };
        event_watch(&agent->events, witness, &witnesses[i]);
    }
}

static void
forget_all(Agent *agent, Witness witnesses[WITNESSES])
{
    for (size_t i = 0; i < WITNESSES; i++) {
        event_unwatch(&agent->events, &witnesses[i]);
        g_string_free(witnesses[i].told, TRUE);
    }
}

static void
watchers_are_told_until_they_stop(void **state)
{
    Agent *agent = *state;
    Witness witnesses[WITNESSES];

    watch_all(agent, witnesses);
    post(agent, EVENT_CREATED, "u1", 1);
    event_unwatch(&agent->events, &witnesses[1]);
    event_unwatch(&agent->events, &witnesses[1]); /* again: nothing happens */
    post(agent, EVENT_CHANGED, "u1", 1);
    post(agent, EVENT_KICK, NULL, UNKNOWN);
    assert_string_equal(witnesses[0].told->str, "created:u1 changed:u1 kick: ");
    assert_string_equal(witnesses[1].told->str, "created:u1 ");
    assert_string_equal(witnesses[2].told->str, "created:u1 changed:u1 kick: ");
    assert_int_equal(witnesses[0].sequence, 3);
    assert_int_equal(witnesses[1].sequence, 1);
    forget_all(agent, witnesses);
}

static void
a_watcher_may_stop_watching_while_it_is_told(void **state)
{
    Agent *agent = *state;

    for (size_t stops = 0; stops < WITNESSES; stops++) {
        Witness witnesses[WITNESSES];

        watch_all(agent, witnesses);
        witnesses[stops].unwatches = &witnesses[stops];
        post(agent, EVENT_CHANGED, "u1", 1);
        post(agent, EVENT_CHANGED, "u2", 1);
        for (size_t i = 0; i < WITNESSES; i++)
            if (strcmp(witnesses[i].told->str,
                       i == stops ? "changed:u1 " : "changed:u1 changed:u2 ") != 0)
                fail_msg("%zu stops: %zu was told %s", stops, i, witnesses[i].told->str);
        forget_all(agent, witnesses);
    }
}

static void
a_watcher_may_stop_another_while_it_is_told(void **state)
{
    Agent *agent = *state;

    for (size_t i = 0; i < WITNESSES * WITNESSES; i++) {
        size_t stops = i / WITNESSES;
        size_t stopped = i % WITNESSES;
        Witness witnesses[WITNESSES];

        watch_all(agent, witnesses);
        witnesses[stops].unwatches = &witnesses[stopped];
        post(agent, EVENT_CHANGED, "u1", 1);
        for (size_t j = 0; j < WITNESSES; j++) {
            bool once = strcmp(witnesses[j].told->str, "changed:u1 ") == 0;

            if (!once && (j != stopped || witnesses[j].told->len > 0))
                fail_msg("%zu stops %zu: %zu was told %s", stops, stopped, j,
                         witnesses[j].told->str);
        }
        forget_all(agent, witnesses);
    }
}

static void
a_start_that_is_known_already_is_told_as_a_change(void **state)
{
    Agent *agent = *state;
    Witness witnesses[WITNESSES];

    watch_all(agent, witnesses);
    post(agent, EVENT_CREATED, "u1", 1);
    post(agent, EVENT_CREATED, "u1", 1);
    assert_string_equal(witnesses[0].told->str, "created:u1 changed:u1 ");
    forget_all(agent, witnesses);
}

/* --- many ------------------------------------------------------------------------------- */

static void
five_hundred_events_at_once_are_few_decisions(void **state)
{
    Agent *agent = *state;

    for (int i = 0; i < 500; i++) {
        g_autofree char *uuid = g_strdup_printf("u%d", i);

        post(agent, EVENT_CREATED, uuid, i);
    }
    assert_int_equal(fakeagent_ksm(agent, "run"), 1);
    assert_in_range(agent->tick.count, 1, 3); /* the first waits for the disk */
    assert_int_equal(domain_table_size(&agent->domains), 500);
    AWAIT(agent->tick.triggers == 0);
    assert_in_range(agent->tick.count, 2, 5);
    assert_int_equal(agent->tick.samples->len, 500);
    assert_int_equal(agent->plan.ksm.phase, KSM_PHASE_BURST);
}

static void
events_over_time_are_decided_upon_at_a_bounded_pace(void **state)
{
    Agent *agent = *state;
    gint64 begin_us = g_get_monotonic_time();
    gint64 lasted_ms;

    while (g_get_monotonic_time() - begin_us < 300000) {
        post(agent, EVENT_KICK, NULL, UNKNOWN);
        g_main_context_iteration(NULL, FALSE);
    }
    lasted_ms = (g_get_monotonic_time() - begin_us) / 1000;
    assert_in_range(agent->tick.count, 3, 5 + lasted_ms / 9);
}

static void
every_kind_has_its_word(void **unused)
{
    static const char *const want[] = { "creating",   "created",   "changed",
                                        "destroying", "destroyed", "kick" };
    (void)unused;

    assert_int_equal(G_N_ELEMENTS(want), EVENT_COUNT);
    for (unsigned i = 0; i < EVENT_COUNT; i++)
        assert_string_equal(event_kind_name((EventKind)i), want[i]);
    assert_string_equal(event_kind_name(EVENT_COUNT), "unknown");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_brings_new_memory_has_moved_ksm_when_posting_returns),
        cmocka_unit_test(a_pass_begins_at_once_for_a_kick_alone),
        ON_HOST(what_is_worth_a_look_is_looked_at_soon_and_not_scanned_for),
        ON_HOST(departures_are_decided_upon_soon_and_together),
        ON_HOST(a_start_is_one_domain_whoever_reports_it_and_how_often),
        ON_HOST(the_end_of_an_earlier_start_does_not_end_the_present_one),
        ON_HOST(a_preparation_is_told_and_no_domain_yet),
        ON_HOST(domains_do_not_disturb_each_other),
        ON_HOST(every_source_has_its_own_count),
        ON_HOST(watchers_are_told_until_they_stop),
        ON_HOST(a_watcher_may_stop_watching_while_it_is_told),
        ON_HOST(a_watcher_may_stop_another_while_it_is_told),
        ON_HOST(a_start_that_is_known_already_is_told_as_a_change),
        ON_HOST(five_hundred_events_at_once_are_few_decisions),
        ON_HOST(events_over_time_are_decided_upon_at_a_bounded_pace),
        cmocka_unit_test(every_kind_has_its_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
