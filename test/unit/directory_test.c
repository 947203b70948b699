/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* directory_test.c - folders that are there, come, go, come back and are taken from under us */
#define _GNU_SOURCE
#include "agent/source/source.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "agent/source/directory_folder.h"
#include "test/support/await.h"
#include "test/support/fakeagent.h"
#include "test/support/warned.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define SBS           "run/vc/sbs"
/* The regular look is this much sooner than in an agent that is not under test. */
#define HASTE 40

guint __real_g_timeout_add(guint interval_ms, GSourceFunc function, gpointer data);
guint __wrap_g_timeout_add(guint interval_ms, GSourceFunc function, gpointer data);

guint
__wrap_g_timeout_add(guint interval_ms, GSourceFunc function, gpointer data)
{
    return __real_g_timeout_add(interval_ms >= 1000 ? interval_ms / HASTE : interval_ms, function,
                                data);
}

static int
setup(void **state)
{
    Agent *agent;

    fakeagent_setup(state);
    agent = *state;
    agent->options.root = fakeroot_path(fakeagent_root(agent));
    conf_set(agent->conf, "directory", "paths", "/" SBS, NULL);
    return 0;
}

static int
teardown(void **state)
{
    directory_source.close(*state);
    warnings = 0;
    g_clear_pointer(&last_warning, g_free);
    return fakeagent_teardown(state);
}

static char *
full_path(Agent *agent, const char *path)
{
    return g_build_filename(fakeroot_path(fakeagent_root(agent)), path, NULL);
}

static void
make(Agent *agent, const char *path)
{
    g_autofree char *full = full_path(agent, path);

    assert_int_equal(g_mkdir_with_parents(full, 0755), 0);
}

static void
move(Agent *agent, const char *from, const char *to)
{
    g_autofree char *full_from = full_path(agent, from);
    g_autofree char *full_to = full_path(agent, to);

    assert_int_equal(g_rename(full_from, full_to), 0);
}

/* The ids of all domains, by name, with a blank behind each. */
static void
expect(Agent *agent, const char *when, const char *want)
{
    g_autoptr(GPtrArray) domains = NULL;
    g_autoptr(GString) have = g_string_new(NULL);

    await_idle();
    domains = domain_table_sorted(&agent->domains);
    for (guint i = 0; i < domains->len; i++)
        g_string_append_printf(have, "%s ", ((const Domain *)domains->pdata[i])->uuid);
    if (strcmp(have->str, want) != 0)
        fail_msg("%s: \"%s\", want \"%s\"", when, have->str, want);
}

static SourceState
state_of(const Agent *agent)
{
    const char *detail = NULL;
    SourceState state = directory_source.state(agent, &detail);

    assert_int_equal(state == SOURCE_WAITING, detail != NULL);
    return state;
}

static void
entries_that_come_and_go_are_domains(void **state)
{
    Agent *agent = *state;

    make(agent, SBS "/old");
    directory_source.open(agent);
    expect(agent, "at the start", "old ");
    assert_int_equal(state_of(agent), SOURCE_OPEN);
    make(agent, SBS "/new");
    expect(agent, "a folder came", "new old ");
    fakeroot_write(fakeagent_root(agent), SBS "/file", "%s", "x");
    await_idle();
    fakeroot_remove(fakeagent_root(agent), SBS "/file");
    expect(agent, "a file came and went", "new old ");
    move(agent, SBS "/old", SBS "/renamed");
    expect(agent, "renamed", "new renamed ");
    move(agent, SBS "/renamed", "elsewhere");
    expect(agent, "moved away", "new ");
    fakeroot_remove(fakeagent_root(agent), SBS "/new");
    expect(agent, "removed", "");
}

static void
an_entry_moves_ksm_and_its_end_does_not(void **state)
{
    Agent *agent = *state;

    make(agent, SBS);
    directory_source.open(agent);
    expect(agent, "at the start", "");
    assert_int_equal(fakeagent_ksm(agent, "run"), 0);
    make(agent, SBS "/pod");
    expect(agent, "a pod came", "pod ");
    assert_int_equal(fakeagent_ksm(agent, "run"), 1);
    assert_int_equal(event_hub_count(&agent->events, "directory").events, 1);
}

static void
a_folder_may_come_late_go_and_come_back(void **state)
{
    Agent *agent = *state;

    directory_source.open(agent);
    expect(agent, "nothing at all", "");
    assert_int_equal(state_of(agent), SOURCE_WAITING);
    make(agent, "run/vc");
    expect(agent, "a parent", "");
    assert_int_equal(state_of(agent), SOURCE_WAITING);
    make(agent, SBS "/a");
    expect(agent, "the folder with its first entry", "a ");
    assert_int_equal(state_of(agent), SOURCE_OPEN);
    fakeroot_remove(fakeagent_root(agent), "run");
    expect(agent, "all of it removed", "");
    assert_int_equal(state_of(agent), SOURCE_WAITING);
    make(agent, SBS "/b");
    expect(agent, "back in one go", "b ");
    move(agent, SBS, "run/vc/old");
    expect(agent, "renamed", "");
    make(agent, SBS "/c");
    expect(agent, "another in its place", "c ");
    make(agent, "run/vc/old/d"); /* not ours any more */
    expect(agent, "an entry of the old one", "c ");
}

static void
a_parent_that_is_renamed_is_noticed_by_looking(void **state)
{
    Agent *agent = *state;

    make(agent, SBS "/a");
    directory_source.open(agent);
    expect(agent, "at the start", "a ");
    move(agent, "run", "walk");
    AWAIT(domain_table_size(&agent->domains) == 0);
    expect(agent, "the parent is called otherwise", "");
    make(agent, SBS "/b");
    expect(agent, "new ones", "b ");
}

static void
what_is_no_folder_is_waited_for(void **state)
{
    Agent *agent = *state;

    fakeroot_write(fakeagent_root(agent), SBS, "%s", "a file");
    directory_source.open(agent);
    expect(agent, "a file in its place", "");
    assert_int_equal(state_of(agent), SOURCE_WAITING);
    fakeroot_remove(fakeagent_root(agent), SBS);
    make(agent, SBS "/a");
    expect(agent, "now it is one", "a ");
}

static void
entries_of_one_name_in_two_folders_are_one_domain(void **state)
{
    Agent *agent = *state;

    conf_set(agent->conf, "directory", "paths", "/one: /two :", NULL);
    make(agent, "one/pod");
    make(agent, "two/pod");
    directory_source.open(agent);
    expect(agent, "in both", "pod ");
    fakeroot_remove(fakeagent_root(agent), "one/pod");
    expect(agent, "in one of them", "pod ");
    fakeroot_remove(fakeagent_root(agent), "two/pod");
    expect(agent, "in none", "");
}

static void
many_entries_at_once_are_all_seen(void **state)
{
    Agent *agent = *state;

    make(agent, SBS);
    directory_source.open(agent);
    await_idle();
    for (int i = 0; i < 1000; i++) {
        g_autofree char *path = g_strdup_printf(SBS "/pod%d", i);

        make(agent, path);
    }
    await_idle();
    assert_int_equal(domain_table_size(&agent->domains), 1000);
    fakeroot_remove(fakeagent_root(agent), "run");
    await_idle();
    assert_int_equal(domain_table_size(&agent->domains), 0);
}

typedef struct {
    Agent *agent; /* borrowed */
    int is_over;  /* atomic */
} Hurry;

/* Folder and entry come and go as fast as they can; at the end they are there. */
static gpointer
hasten(gpointer data)
{
    Hurry *hurry = data;

    for (int i = 0; i < 1000; i++) {
        fakeroot_remove(fakeagent_root(hurry->agent), "run");
        make(hurry->agent, SBS "/last");
    }
    g_atomic_int_set(&hurry->is_over, 1);
    return NULL;
}

static void
what_changes_in_haste_is_known_as_it_is_in_the_end(void **state)
{
    Agent *agent = *state;
    Hurry hurry = { .agent = agent };
    GThread *thread;

    make(agent, SBS "/first");
    directory_source.open(agent);
    thread = g_thread_new("haste", hasten, &hurry);
    AWAIT(g_atomic_int_get(&hurry.is_over));
    g_thread_join(thread);
    expect(agent, "in the end", "last ");
}

static guint64
queue_length(void)
{
    g_autofree char *text = NULL;

    assert_true(g_file_get_contents("/proc/sys/fs/inotify/max_queued_events", &text, NULL, NULL));
    return g_ascii_strtoull(text, NULL, 10);
}

static void
what_the_queue_had_no_room_for_is_found_by_looking(void **state)
{
    Agent *agent = *state;
    guint64 events = queue_length();
    g_autofree char *flicker = full_path(agent, SBS "/flicker");

    make(agent, SBS "/first");
    directory_source.open(agent);
    expect(agent, "at the start", "first ");
    for (guint64 i = 0; i <= events; i += 2) {
        assert_int_equal(g_mkdir(flicker, 0755), 0);
        assert_int_equal(g_rmdir(flicker), 0);
    }
    fakeroot_remove(fakeagent_root(agent), SBS "/first");
    make(agent, SBS "/last");
    expect(agent, "more events than there is room for", "last ");
    fakeroot_remove(fakeagent_root(agent), SBS "/last");
    expect(agent, "followed again", "");
}

static void
a_folder_that_cannot_be_read_right_now_is_not_taken_for_an_empty_one(void **state)
{
    Agent *agent = *state;
    struct rlimit before;
    struct rlimit none_left;
    const char *detail = NULL;

    make(agent, SBS "/a");
    directory_source.open(agent);
    expect(agent, "at the start", "a ");
    move(agent, SBS, "run/vc/old");
    make(agent, SBS "/b");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none_left = (struct rlimit){ 3, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
    await_idle();
    assert_int_equal(directory_source.state(agent, &detail), SOURCE_WAITING);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_non_null(strstr(detail, g_strerror(EMFILE)));
    assert_non_null(domain_table_get(&agent->domains, "a"));
    AWAIT(!domain_table_get(&agent->domains, "a"));
    expect(agent, "readable again", "b ");
    assert_int_equal(state_of(agent), SOURCE_OPEN);
}

/* As many as are followed. */
#define MOST 4096

static void
make_many(Agent *agent, const char *folder, int from, int to)
{
    for (int i = from; i < to; i++) {
        g_autofree char *path = g_strdup_printf("%s/pod%d", folder, i);

        make(agent, path);
    }
}

static void
what_makes_entries_for_ever_gets_no_memory_for_ever(void **state)
{
    Agent *agent = *state;
    g_autofree char *folder = full_path(agent, SBS);

    make_many(agent, SBS, 0, MOST);
    directory_source.open(agent);
    await_idle();
    assert_int_equal(domain_table_size(&agent->domains), MOST);
    assert_int_equal(warnings, 0);
    make_many(agent, SBS, MOST, MOST + 100);
    await_idle();
    assert_int_equal(domain_table_size(&agent->domains), MOST);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last_warning, folder));
    assert_non_null(strstr(last_warning, "more than 4096 entries"));
}

/* Another folder in the place of the first, where @kept of the old entries are among many new. */
static void
replace(Agent *agent, int kept, int others)
{
    make(agent, "run/next");
    make_many(agent, "run/next", 0, kept);
    make_many(agent, "run/next", MOST, MOST + others);
    move(agent, SBS, "run/old");
    move(agent, "run/next", SBS);
    fakeroot_remove(fakeagent_root(agent), "run/old");
}

static bool
has_pod(const Agent *agent, int i)
{
    g_autofree char *id = g_strdup_printf("pod%d", i);

    return domain_table_get(&agent->domains, id);
}

static void
entries_beyond_those_that_are_read_are_asked_for_by_name(void **state)
{
    Agent *agent = *state;

    make_many(agent, SBS, 0, MOST);
    directory_source.open(agent);
    await_idle();
    replace(agent, 10, MOST + 500);
    AWAIT(!has_pod(agent, 10));
    await_idle();
    for (int i = 0; i < MOST; i++)
        if (has_pod(agent, i) != (i < 10))
            fail_msg("pod%d is %s", i, i < 10 ? "gone" : "there");
    assert_in_range(domain_table_size(&agent->domains), MOST - 10, MOST);
    assert_int_equal(warnings, 1);
    replace(agent, 10, 5);
    AWAIT(domain_table_size(&agent->domains) == 15);
    make_many(agent, SBS, MOST + 5, 2 * MOST); /* crowded once more, which is news */
    await_idle();
    assert_int_equal(warnings, 2);
}

static void
without_a_setting_nothing_is_watched(void **state)
{
    Agent *agent = *state;

    conf_set(agent->conf, "directory", "paths", "", NULL);
    make(agent, SBS "/a");
    directory_source.open(agent);
    expect(agent, "at the start", "");
    assert_int_equal(state_of(agent), SOURCE_CLOSED);
}

static void
any_name_of_a_file_is_an_id_of_its_own(void **unused)
{
    static const struct {
        const char *name;
        const char *id;
    } rows[] = {
        { "pod-1.2_a b", "pod-1.2_a b" },
        { "\xc3\xa4", "\xc3\xa4" },
        { "\xff\xfe", "\\xff\\xfe" },
        { "a\nb\x1b[2J\x7f", "a\\x0ab\\x1b[2J\\x7f" },
        { "\\xff", "\\x5cxff" },
        { "\xe2\x80\xae", "\\xe2\\x80\\xae" }, /* turns the direction of text */
        { "\xc3", "\\xc3" },
        { "97CD1EA4-E674-4DC9-9F7F-7B618B2FC9E7", "97cd1ea4-e674-4dc9-9f7f-7b618b2fc9e7" },
        { "97CD1EA4-E674-4DC9-9F7F-7B618B2FC9E7x", "97CD1EA4-E674-4DC9-9F7F-7B618B2FC9E7x" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *id = directory_entry_id(rows[i].name);

        assert_string_equal(id, rows[i].id);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(entries_that_come_and_go_are_domains),
        ON_HOST(an_entry_moves_ksm_and_its_end_does_not),
        ON_HOST(a_folder_may_come_late_go_and_come_back),
        ON_HOST(a_parent_that_is_renamed_is_noticed_by_looking),
        ON_HOST(what_is_no_folder_is_waited_for),
        ON_HOST(entries_of_one_name_in_two_folders_are_one_domain),
        ON_HOST(many_entries_at_once_are_all_seen),
        ON_HOST(what_changes_in_haste_is_known_as_it_is_in_the_end),
        ON_HOST(what_the_queue_had_no_room_for_is_found_by_looking),
        ON_HOST(a_folder_that_cannot_be_read_right_now_is_not_taken_for_an_empty_one),
        ON_HOST(what_makes_entries_for_ever_gets_no_memory_for_ever),
        ON_HOST(entries_beyond_those_that_are_read_are_asked_for_by_name),
        ON_HOST(without_a_setting_nothing_is_watched),
        cmocka_unit_test(any_name_of_a_file_is_an_id_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
