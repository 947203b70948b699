/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* holdhost.c - two domains that actuators change, with a libvirt that the test plays */
#define _GNU_SOURCE
#include "test/support/holdhost.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "agent/log.h"

#define OTHER_BOOT "11111111-2222-4333-8444-666666666666"

static const char *const uuids[] = { "c7a5fdbd-edaf-9455-926a-d65c16db1809",
                                     "c7a5fdbd-edaf-9455-926a-d65c16db1810" };
static const char *const names[] = { "web", "db" };

static void
forget_asked(gpointer data)
{
    change_turn_unref(((Change *)data)->turn);
}

/* What was withdrawn before it began is never heard of again. */
static void
drop_withdrawn(HoldHost *host)
{
    for (guint i = host->asked->len; i-- > 0;) {
        ChangeTurn *turn = g_array_index(host->asked, Change, i).turn;

        if (turn && change_turn_is_withdrawn(turn))
            g_array_remove_index(host->asked, i);
    }
}

static bool
ask(gpointer user, const Change *change, ChangeDone done, gpointer done_user)
{
    HoldHost *host = user;

    if (host->is_away)
        return false;
    if (!g_file_test(host->record, G_FILE_TEST_EXISTS))
        host->is_unguarded = true;
    drop_withdrawn(host);
    g_array_append_val(host->asked, *change);
    change_turn_ref(change->turn);
    host->done = done;
    host->user = done_user;
    return true;
}

static void
fill_domain(HoldHost *host, size_t i)
{
    host->subjects[i] =
        (Subject){ .uuid = uuids[i], .name = names[i], .id = (int)i + 3, .told_us = 1000 };
    host->samples[i] = domain_sample_unknown();
    host->samples[i].key = i + 1;
    host->samples[i].maximum_bytes = 1000 * MIB;
    host->samples[i].balloon_bytes = 1000 * MIB;
    host->samples[i].has_balloon = true;
    host->samples[i].can_reclaim = true;
    host->samples[i].can_limit = true;
    host->samples[i].limit_bytes = LIMIT_NONE;
    host->samples[i].cgroup_bytes = 800 * MIB;
    host->samples[i].floor_bytes = 200 * MIB;
    host->plans[i] = (DomainPlan){ .key = i + 1, .balloon_bytes = U, .limit_bytes = U };
}

int
holdhost_setup(void **state)
{
    HoldHost *host = g_new0(HoldHost, 1);

    log_open(LOG_LEVEL_ERROR);
    host->root = fakeroot_new();
    host->state_dir = g_build_filename(fakeroot_path(host->root), "state", NULL);
    host->record = g_build_filename(host->state_dir, "originals", NULL);
    host->asked = g_array_new(FALSE, FALSE, sizeof(Change));
    g_array_set_clear_func(host->asked, forget_asked);
    host->changer = (Changer){ ask, host };
    originals_init(&host->originals);
    originals_open(&host->originals, host->state_dir, HOLDHOST_BOOT, NULL);
    for (size_t i = 0; i < HOLDHOST_DOMAINS; i++)
        fill_domain(host, i);
    host->sample.host = host_sample_unknown();
    host->sample.host.page_bytes = 4096;
    host->sample.domains = host->samples;
    host->sample.n = HOLDHOST_DOMAINS;
    host->plan.domains = host->plans;
    host->decided = (Decided){ &host->sample, &host->plan, host->subjects, true };
    *state = host;
    return 0;
}

int
holdhost_teardown(void **state)
{
    HoldHost *host = *state;

    originals_done(&host->originals);
    g_array_unref(host->asked);
    g_free(host->record);
    g_free(host->state_dir);
    fakeroot_free(host->root);
    g_free(host);
    return 0;
}

void
holdhost_reopen(HoldHost *host)
{
    originals_done(&host->originals);
    originals_open(&host->originals, host->state_dir, HOLDHOST_BOOT, NULL);
    g_array_set_size(host->asked, 0);
}

void
holdhost_reboot(HoldHost *host)
{
    holdhost_reopen(host);
    originals_open(&host->originals, host->state_dir, OTHER_BOOT, NULL);
}

void
holdhost_begin(HoldHost *host)
{
    drop_withdrawn(host);
    assert_true(change_turn_begin(g_array_index(host->asked, Change, 0).turn));
}

static void
answer(HoldHost *host, ChangeOutcome *outcome)
{
    Change change;

    drop_withdrawn(host);
    if (host->asked->len == 0)
        fail_msg("libvirt was not asked for anything");
    change = g_array_index(host->asked, Change, 0);
    change_turn_ref(change.turn);
    g_array_remove_index(host->asked, 0);
    if (change.turn)
        change_turn_begin(change.turn);
    host->done(&change, outcome, host->user);
    change_turn_unref(change.turn);
    g_free(outcome->detail);
}

void
holdhost_answer(HoldHost *host, uint64_t want, ChangeResult result, uint64_t found_bytes)
{
    ChangeOutcome outcome = { result, found_bytes, NULL };

    if (host->asked->len > 0 && g_array_index(host->asked, Change, 0).want_bytes != want)
        fail_msg("libvirt was asked for %" PRIu64 " MiB instead of %" PRIu64,
                 g_array_index(host->asked, Change, 0).want_bytes / MIB, want / MIB);
    answer(host, &outcome);
}

void
holdhost_answer_text(HoldHost *host, ChangeResult result, const char *detail)
{
    ChangeOutcome outcome = { result, U, g_strdup(detail) };

    answer(host, &outcome);
}

static gboolean
answer_one(gpointer data)
{
    HoldHost *host = data;
    ChangeOutcome outcome = { CHANGE_DONE, 0, NULL };

    if (host->asked->len == 0)
        return G_SOURCE_CONTINUE;
    answer(host, &outcome);
    return --host->answers > 0;
}

void
holdhost_answer_soon(HoldHost *host, unsigned n)
{
    host->answers = n;
    g_timeout_add(10, answer_one, host);
}

void
holdhost_expect_stop(HoldHost *host, const Actuator *actuator, void *context, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *note = NULL;
    g_autofree char *kept = NULL;
    g_autofree char *left = NULL;

    host->is_away = true;
    assert_false(actuator->restore(context, &note, &error));
    assert_non_null(strstr(error->message, why));
    kept = holdhost_entry(host, actuator->name);
    assert_non_null(kept);
    g_clear_error(&error);
    host->is_away = false;
    holdhost_answer_soon(host, 1);
    assert_true(actuator->restore(context, &note, &error));
    left = holdhost_entry(host, actuator->name);
    assert_null(left);
}

void
holdhost_tell(HoldHost *host)
{
    for (size_t i = 0; i < HOLDHOST_DOMAINS; i++)
        host->subjects[i].told_us++;
}

bool
holdhost_is_foreign(const HoldHost *host, const HoldTable *holds)
{
    const Hold *hold = hold_find(holds, host->subjects[0].uuid);

    return hold && hold->state == HOLD_FOREIGN;
}

char *
holdhost_entry(const HoldHost *host, const char *group)
{
    g_autoptr(GKeyFile) file = g_key_file_new();

    g_key_file_load_from_file(file, host->record, G_KEY_FILE_NONE, NULL);
    return g_key_file_get_string(file, group, uuids[0], NULL);
}
