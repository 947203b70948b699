/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hook_starts_test.c - the life of a start as the hook tells it, alone and beside libvirt */
#define _GNU_SOURCE
#include "agent/source/hook_starts.h"

#include <gio/gio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/fakeagent.h"
#include "test/support/fakehost.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define UUID          FAKEHOST_QEMU_UUID
#define XML(uuid)                                                                                  \
    "<domain type='kvm' id='5'><name>web</name><uuid>" uuid "</uuid>"                              \
    "<memory unit='KiB'>98304</memory></domain>"

#define UNKNOWN DOMAIN_ID_UNKNOWN

/* An agent, what the hook has told it, and the events that followed: "kind detail\n". */
typedef struct {
    Agent *agent;
    HookStarts starts;
    GString *told;
} World;

static bool is_held_up; /* searches for processes do not come to an end in time */

bool __real_process_find_in_time(int root_fd, const ProcessWanted *whose, Process *ret_process,
                                 GError **error);
bool __wrap_process_find_in_time(int root_fd, const ProcessWanted *whose, Process *ret_process,
                                 GError **error);

bool
__wrap_process_find_in_time(int root_fd, const ProcessWanted *whose, Process *ret_process,
                            GError **error)
{
    if (!is_held_up)
        return __real_process_find_in_time(root_fd, whose, ret_process, error);
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "held up");
    return false;
}

static void
witness(const SeenEvent *seen, gpointer user)
{
    g_string_append_printf(((World *)user)->told, "%s %s\n", event_kind_name(seen->event.kind),
                           seen->event.detail);
    assert_string_equal(seen->event.source, "hook");
    assert_string_equal(seen->event.uuid, UUID);
    assert_string_equal(seen->event.name, "web");
}

static int
setup(void **state)
{
    World *world = g_new0(World, 1);
    void *agent;

    fakeagent_setup(&agent);
    world->agent = agent;
    world->told = g_string_new(NULL);
    hook_starts_init(&world->starts);
    *state = world;
    return 0;
}

static int
teardown(void **state)
{
    World *world = *state;
    void *agent = world->agent;

    hook_starts_done(&world->starts);
    g_string_free(world->told, TRUE);
    fakeagent_teardown(&agent);
    g_free(world);
    return 0;
}

/* One call of the hook; @xml: NULL: none. */
static HookFault
tell(World *world, HookOperation operation, int id, const char *xml)
{
    const HookMessage message = {
        .operation = operation,
        .name = (char *)(uintptr_t) "web",
        .uuid = (char *)(uintptr_t)UUID,
        .id = id,
        .xml = (char *)(uintptr_t)xml,
        .xml_length = xml ? strlen(xml) : 0,
    };

    return hook_starts_tell(world->agent, &world->starts, &message);
}

static Domain *
web(const World *world)
{
    return domain_table_get(&world->agent->domains, UUID);
}

static void
libvirt_tells(World *world, EventKind kind, int id)
{
    Event event = { .kind = kind, .source = "libvirt", .uuid = UUID, .name = "web", .id = id };

    event_post(world->agent, &event);
}

typedef struct {
    HookOperation operation;
    int id;
} Step;

static void
each_way_of_life_has_its_events_and_words(void **unused)
{
    static const struct {
        const char *when;
        Step steps[6];
        size_t n;
        const char *events;
    } rows[] = {
        { "start and stop",
          { { HOOK_PREPARE, 5 },
            { HOOK_START, 5 },
            { HOOK_STARTED, 5 },
            { HOOK_STOPPED, UNKNOWN },
            { HOOK_RELEASE, UNKNOWN } },
          5,
          "creating prepare\ncreated started\ndestroying stopped\ndestroyed release\n" },
        { "restored",
          { { HOOK_RESTORE, UNKNOWN },
            { HOOK_PREPARE, 5 },
            { HOOK_START, 5 },
            { HOOK_STARTED, 5 } },
          4,
          "creating restore\ncreating prepare after restore\ncreated started after restore\n" },
        { "migrated here",
          { { HOOK_MIGRATE, UNKNOWN }, { HOOK_PREPARE, 5 }, { HOOK_STARTED, 5 } },
          3,
          "creating migrate\ncreating prepare after migrate\ncreated started after migrate\n" },
        { "found by a libvirtd that was restarted",
          { { HOOK_RECONNECT, 5 } },
          1,
          "created reconnect\n" },
        { "known already when libvirtd is restarted",
          { { HOOK_STARTED, 5 }, { HOOK_RECONNECT, 5 } },
          2,
          "created started\nchanged reconnect\n" },
        { "attached", { { HOOK_ATTACH, 5 } }, 1, "created attach\n" },
        { "failed to start",
          { { HOOK_PREPARE, 5 }, { HOOK_STOPPED, UNKNOWN }, { HOOK_RELEASE, UNKNOWN } },
          3,
          "creating prepare\ndestroying stopped\ndestroyed release\n" },
        { "restored, then started afresh, the end was lost",
          { { HOOK_RESTORE, UNKNOWN },
            { HOOK_PREPARE, 5 },
            { HOOK_STARTED, 5 },
            { HOOK_PREPARE, 6 },
            { HOOK_STARTED, 6 } },
          5,
          "creating restore\ncreating prepare after restore\ncreated started after restore\n"
          "creating prepare\ncreated started\n" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        void *state;
        World *world;

        setup(&state);
        world = state;
        event_watch(&world->agent->events, witness, world);
        for (size_t j = 0; j < rows[i].n; j++)
            tell(world, rows[i].steps[j].operation, rows[i].steps[j].id, NULL);
        if (strcmp(world->told->str, rows[i].events) != 0)
            fail_msg("%s:\n%s", rows[i].when, world->told->str);
        event_unwatch(&world->agent->events, world);
        teardown(&state);
    }
}

static void
a_start_moves_ksm_and_a_preparation_does_not(void **state)
{
    World *world = *state;

    tell(world, HOOK_PREPARE, 5, XML(UUID));
    assert_null(web(world));
    assert_int_equal(fakeagent_ksm(world->agent, "run"), 0);
    tell(world, HOOK_STARTED, 5, XML(UUID));
    assert_int_equal(fakeagent_ksm(world->agent, "run"), 1);
    assert_int_equal(web(world)->id, 5);
    tell(world, HOOK_STOPPED, UNKNOWN, NULL);
    assert_int_equal(web(world)->state, DOMAIN_STOPPING);
    tell(world, HOOK_RELEASE, UNKNOWN, NULL);
    assert_null(web(world));
}

/* --- with libvirt ----------------------------------------------------------------------- */

static void
a_domain_that_libvirt_tells_of_as_well_is_one_domain(void **state)
{
    World *world = *state;
    uint64_t key;

    tell(world, HOOK_STARTED, 5, NULL);
    key = web(world)->key;
    libvirt_tells(world, EVENT_CREATED, 5);
    assert_int_equal(web(world)->key, key);
    assert_int_equal(domain_table_size(&world->agent->domains), 1);
    tell(world, HOOK_RELEASE, UNKNOWN, NULL);
    assert_null(web(world));
    libvirt_tells(world, EVENT_DESTROYED, 5);
    assert_null(web(world));
}

static void
late_news_of_one_start_does_not_touch_the_next(void **unused)
{
    static const struct {
        const char *when;
        int hooks;  /* calls of the hook that come first, of those below */
        int events; /* events of libvirt that come between, of those below */
    } rows[] = {
        { "the hook is far ahead", 5, 0 },
        { "libvirt has told the first start", 5, 1 },
        { "libvirt has told the first end", 5, 2 },
        { "the hook is behind", 0, 3 },
        { "the hook has told the first start", 1, 3 },
        { "the hook has told the first end", 3, 3 },
        { "both at once", 3, 2 },
    };
    static const Step hook[] = { { HOOK_STARTED, 5 },
                                 { HOOK_STOPPED, UNKNOWN },
                                 { HOOK_RELEASE, UNKNOWN },
                                 { HOOK_PREPARE, 6 },
                                 { HOOK_STARTED, 6 } };
    static const struct {
        EventKind kind;
        int id;
    } libvirt[] = { { EVENT_CREATED, 5 }, { EVENT_DESTROYED, 5 }, { EVENT_CREATED, 6 } };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const int n_hook = (int)G_N_ELEMENTS(hook);
        const int n_libvirt = (int)G_N_ELEMENTS(libvirt);
        int told = 0; /* by libvirt */
        uint64_t key = 0;
        void *state;
        World *world;

        setup(&state);
        world = state;
        /* Some of the hook, some of libvirt, the rest of the hook, the rest of libvirt */
        for (int step = 0; step < n_hook + n_libvirt; step++) {
            bool is_libvirt = step >= rows[i].hooks && told < rows[i].events;

            if (is_libvirt || step - told >= n_hook) {
                libvirt_tells(world, libvirt[told].kind, libvirt[told].id);
                told++;
            } else {
                tell(world, hook[step - told].operation, hook[step - told].id, NULL);
            }
            if (key == 0 && web(world) && web(world)->id == 6)
                key = web(world)->key;
            if (key != 0 && (!web(world) || web(world)->key != key))
                fail_msg("%s: lost in step %d", rows[i].when, step);
        }
        if (key == 0)
            fail_msg("%s: not there", rows[i].when);
        teardown(&state);
    }
}

static void
a_number_that_a_new_libvirtd_uses_again_is_a_new_start(void **state)
{
    World *world = *state;

    tell(world, HOOK_STARTED, 1, NULL);
    tell(world, HOOK_RELEASE, UNKNOWN, NULL);
    tell(world, HOOK_STARTED, 1, NULL);
    assert_int_equal(web(world)->id, 1);
}

/* --- definitions ------------------------------------------------------------------------ */

static void
the_definition_becomes_the_domains(void **state)
{
    World *world = *state;

    assert_int_equal(tell(world, HOOK_STARTED, 5, XML(UUID)), HOOK_FINE);
    assert_true(web(world)->has_xml);
    assert_string_equal(web(world)->xml.name, "web");
    assert_int_equal(web(world)->maximum_bytes, 96 << 20);
    assert_int_equal(web(world)->balloon_bytes, VALUE_UNKNOWN); /* nobody has asked the guest */
}

static void
what_libvirt_has_given_is_not_replaced(void **state)
{
    World *world = *state;
    Domain *domain;

    libvirt_tells(world, EVENT_CREATED, 5);
    domain = domain_table_get(&world->agent->domains, UUID);
    assert_true(domain_xml_parse(XML(UUID), strlen(XML(UUID)), &domain->xml, NULL));
    domain->has_xml = true;
    domain->maximum_bytes = 7;
    assert_int_equal(tell(world, HOOK_STARTED, 5, "not a definition"), HOOK_FINE);
    assert_string_equal(web(world)->xml.name, "web");
    assert_int_equal(web(world)->maximum_bytes, 7);
}

static void
a_bad_definition_is_said_and_the_event_counts(void **unused)
{
    static const struct {
        const char *when;
        const char *xml;
    } rows[] = {
        { "not XML", "hello" },
        { "not a domain", "<pool/>" },
        { "of another domain", XML("00000000-0000-0000-0000-000000000001") },
        { "cut", "<domain type='kvm'><name>web" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        void *state;
        World *world;

        setup(&state);
        world = state;
        if (tell(world, HOOK_STARTED, 5, rows[i].xml) != HOOK_BAD_DEFINITION)
            fail_msg("%s: is fine", rows[i].when);
        assert_non_null(web(world));
        assert_false(web(world)->has_xml);
        assert_int_equal(fakeagent_ksm(world->agent, "run"), 1);
        teardown(&state);
    }
}

/* --- lost datagrams --------------------------------------------------------------------- */

static void
a_start_that_was_not_told_is_found_by_its_process(void **state)
{
    World *world = *state;

    tell(world, HOOK_PREPARE, 5, NULL);
    hook_starts_check(world->agent, &world->starts);
    assert_null(web(world)); /* it has not begun */
    fakehost_add_qemu(fakeagent_root(world->agent));
    hook_starts_check(world->agent, &world->starts);
    assert_int_equal(web(world)->id, 5);
    assert_int_equal(fakeagent_ksm(world->agent, "run"), 1);
}

static void
an_end_that_was_not_told_is_noticed_by_the_process(void **state)
{
    World *world = *state;
    g_autofree char *folder = g_strdup_printf("proc/%d", FAKEHOST_QEMU_PID);

    fakehost_add_qemu(fakeagent_root(world->agent));
    tell(world, HOOK_STARTED, 5, NULL);
    fakeagent_tick(world->agent);
    hook_starts_check(world->agent, &world->starts);
    assert_true(web(world)->has_process);
    fakeroot_remove(fakeagent_root(world->agent), folder);
    hook_starts_check(world->agent, &world->starts);
    assert_non_null(web(world)); /* the process is still held, as far as the tick knows */
    web(world)->read_us = 1;     /* long ago */
    fakeagent_tick(world->agent);
    hook_starts_check(world->agent, &world->starts);
    assert_null(web(world));
    assert_int_equal(g_hash_table_size(world->starts.by_uuid), 0);
}

static void
a_process_that_cannot_be_looked_for_is_not_gone(void **state)
{
    World *world = *state;

    fakehost_add_qemu(fakeagent_root(world->agent));
    tell(world, HOOK_STARTED, 5, NULL);
    hook_starts_check(world->agent, &world->starts); /* seen once */
    is_held_up = true;
    for (int i = 0; i < 3; i++)
        hook_starts_check(world->agent, &world->starts);
    is_held_up = false;
    assert_non_null(web(world));
    assert_int_equal(g_hash_table_size(world->starts.by_uuid), 1);
}

static void
a_process_that_was_never_seen_is_not_missed(void **state)
{
    World *world = *state;

    tell(world, HOOK_STARTED, 5, NULL);
    for (int i = 0; i < 3; i++)
        hook_starts_check(world->agent, &world->starts);
    assert_non_null(web(world)); /* an agent in a container may not see it */
}

static void
starts_without_end_do_not_take_memory_for_ever(void **state)
{
    World *world = *state;
    HookMessage message = { .operation = HOOK_PREPARE, .name = (char *)(uintptr_t) "web" };

    for (unsigned i = 0; i < 5000; i++) {
        g_autofree char *uuid = g_strdup_printf("00000000-0000-0000-0000-%012x", i);

        message.uuid = uuid;
        message.id = (int)i;
        hook_starts_tell(world->agent, &world->starts, &message);
    }
    assert_int_equal(g_hash_table_size(world->starts.by_uuid), 4096);
    tell(world, HOOK_STARTED, 5001, NULL); /* one too many is a domain all the same */
    assert_int_equal(web(world)->id, 5001);
    tell(world, HOOK_RELEASE, UNKNOWN, NULL);
    assert_null(web(world));
}

static void
a_start_is_coming_from_its_announcement_until_its_domain_is_known(void **state)
{
    static const struct {
        const char *when;
        Step steps[4];
        size_t n;
        uint32_t coming;
    } rows[] = {
        { "nothing", { { HOOK_OTHER, UNKNOWN } }, 0, 0 },
        { "announced", { { HOOK_PREPARE, 5 } }, 1, 1 },
        { "and QEMU is about to be run", { { HOOK_PREPARE, 5 }, { HOOK_START, 5 } }, 2, 1 },
        { "it runs", { { HOOK_PREPARE, 5 }, { HOOK_START, 5 }, { HOOK_STARTED, 5 } }, 3, 0 },
        { "it failed", { { HOOK_PREPARE, 5 }, { HOOK_RELEASE, UNKNOWN } }, 2, 0 },
        { "a migration comes in", { { HOOK_MIGRATE, UNKNOWN } }, 1, 1 },
        { "it stops", { { HOOK_STARTED, 5 }, { HOOK_STOPPED, UNKNOWN } }, 2, 0 },
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        void *world;
        uint32_t coming;

        setup(&world);
        for (size_t s = 0; s < rows[i].n; s++)
            tell(world, rows[i].steps[s].operation, rows[i].steps[s].id, NULL);
        coming = hook_starts_coming(((World *)world)->agent, &((World *)world)->starts);
        teardown(&world);
        if (coming != rows[i].coming)
            fail_msg("%s: %u", rows[i].when, coming);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_of_life_has_its_events_and_words),
        ON_HOST(a_start_moves_ksm_and_a_preparation_does_not),
        ON_HOST(a_domain_that_libvirt_tells_of_as_well_is_one_domain),
        cmocka_unit_test(late_news_of_one_start_does_not_touch_the_next),
        ON_HOST(a_number_that_a_new_libvirtd_uses_again_is_a_new_start),
        cmocka_unit_test(a_start_is_coming_from_its_announcement_until_its_domain_is_known),
        ON_HOST(the_definition_becomes_the_domains),
        ON_HOST(what_libvirt_has_given_is_not_replaced),
        cmocka_unit_test(a_bad_definition_is_said_and_the_event_counts),
        ON_HOST(a_start_that_was_not_told_is_found_by_its_process),
        ON_HOST(an_end_that_was_not_told_is_noticed_by_the_process),
        ON_HOST(a_process_that_cannot_be_looked_for_is_not_gone),
        ON_HOST(a_process_that_was_never_seen_is_not_missed),
        ON_HOST(starts_without_end_do_not_take_memory_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
