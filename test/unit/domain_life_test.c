/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_life_test.c - events in any order, lost and told twice, against a model of the table
 *
 * One source alone, that says anything: the table is what the model says after every event. Two
 * sources that tell the same story, each in its order but at its own pace, with events lost and
 * told twice: nothing is ever there that was not started, and when libvirt has listed what runs,
 * the table is the truth.
 */
#define _GNU_SOURCE
#include "agent/event.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test/support/dice.h"
#include "test/support/fakeagent.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, fakeagent_setup, fakeagent_teardown)
#define DOMAINS       4
#define IDS           5
#define EVENTS        3000
#define STORIES       40
#define CHAPTERS      30

static const char *const uuids[DOMAINS] = { "u0", "u1", "u2", "u3" };

/* --- one source ------------------------------------------------------------------------- */

typedef struct {
    bool runs;     /* it is in the table */
    bool stopping; /* and on its way out */
    int id;        /* of the start; DOMAIN_ID_UNKNOWN */
} Model;

static bool
is_about(const Model *model, int id)
{
    return model->runs &&
           (model->id == DOMAIN_ID_UNKNOWN || id == DOMAIN_ID_UNKNOWN || model->id == id);
}

/* Return: whether this is one more start. */
static bool
model_created(Model *model, int id)
{
    bool is_known = is_about(model, id);

    if (!is_known)
        *model = (Model){ true, false, id };
    else if (id != DOMAIN_ID_UNKNOWN)
        model->id = id;
    return !is_known;
}

static bool
model_take(Model *model, EventKind kind, int id)
{
    if (kind == EVENT_CREATED)
        return model_created(model, id);
    if (kind == EVENT_DESTROYING && is_about(model, id))
        model->stopping = true;
    if (kind == EVENT_DESTROYED && is_about(model, id))
        model->runs = false;
    return false;
}

static void
assert_as_model(const Agent *agent, const Model *models, unsigned at, uint64_t seed)
{
    guint n = 0;

    for (size_t i = 0; i < DOMAINS; i++) {
        const Domain *domain = domain_table_get(&agent->domains, uuids[i]);

        n += models[i].runs;
        if ((domain != NULL) != models[i].runs ||
            (domain && (domain->id != models[i].id ||
                        (domain->state == DOMAIN_STOPPING) != models[i].stopping)))
            fail_msg("seed %" PRIu64 ", event %u: %s is %s %d, not %s %d", seed, at, uuids[i],
                     domain ? "there" : "absent", domain ? domain->id : 0,
                     models[i].runs ? "there" : "absent", models[i].id);
    }
    assert_int_equal(domain_table_size(&agent->domains), n);
}

static void
one_source_may_say_anything(void **state)
{
    static const EventKind kinds[] = { EVENT_CREATING, EVENT_CREATED,    EVENT_CREATED,
                                       EVENT_CHANGED,  EVENT_DESTROYING, EVENT_DESTROYED };
    Agent *agent = *state;
    Model models[DOMAINS] = { { false, false, 0 } };
    Dice dice = dice_new();
    uint64_t starts = 0;

    for (unsigned i = 0; i < EVENTS; i++) {
        size_t which = dice_below(&dice, DOMAINS);
        Event event = { .kind = kinds[dice_below(&dice, G_N_ELEMENTS(kinds))],
                        .source = "libvirt",
                        .uuid = uuids[which],
                        .name = dice_below(&dice, 2) ? "web" : NULL,
                        .id = (int)dice_below(&dice, IDS + 1) - 1 };

        starts += model_take(&models[which], event.kind, event.id);
        event_post(agent, &event);
        assert_as_model(agent, models, i, dice.seed);
        assert_int_equal(agent->domains.next_key, starts + 1);
    }
}

/* --- two sources that tell the same story ----------------------------------------------- */

/* What has really happened to the domains, in its order. */
typedef struct {
    EventKind kind; /* CREATED or DESTROYED */
    size_t which;
    int id;
} Chapter;

typedef struct {
    Chapter chapters[CHAPTERS];
    int running[DOMAINS]; /* at the end of it: number of the start; DOMAIN_ID_UNKNOWN: none */
    int starts;           /* so far; each has its number */
} Story;

static Story
make_story(Dice *dice)
{
    Story story = { .starts = 0 };

    for (size_t i = 0; i < DOMAINS; i++)
        story.running[i] = DOMAIN_ID_UNKNOWN;
    for (size_t i = 0; i < CHAPTERS; i++) {
        size_t which = dice_below(dice, DOMAINS);
        bool ends = story.running[which] != DOMAIN_ID_UNKNOWN;
        int id = ends ? story.running[which] : ++story.starts;

        story.chapters[i] = (Chapter){ ends ? EVENT_DESTROYED : EVENT_CREATED, which, id };
        story.running[which] = ends ? DOMAIN_ID_UNKNOWN : id;
    }
    return story;
}

static void
post(Agent *agent, const char *source, const Chapter *chapter)
{
    Event event = { .kind = chapter->kind,
                    .source = source,
                    .uuid = uuids[chapter->which],
                    .name = "web",
                    .id = chapter->id };

    event_post(agent, &event);
}

/* Tells the next chapter, or loses it, or tells it twice. */
static void
tell(Agent *agent, const char *source, const Chapter *chapter, Dice *dice)
{
    uint64_t fate = dice_below(dice, 8);

    for (unsigned i = 0; fate > 0 && i < (fate > 6 ? 2 : 1); i++)
        post(agent, source, chapter);
}

static void
assert_nothing_made_up(const Agent *agent, const Story *story, uint64_t seed)
{
    g_autoptr(GPtrArray) known = domain_table_sorted(&agent->domains);

    assert_true(known->len <= DOMAINS);
    for (guint i = 0; i < known->len; i++) {
        const Domain *domain = g_ptr_array_index(known, i);

        if (domain->id < 1 || domain->id > story->starts)
            fail_msg("seed %" PRIu64 ": start %d never was", seed, domain->id);
    }
}

/* As libvirt does it when it has been away: what runs is listed, the rest has ended. */
static void
list(Agent *agent, const Story *story)
{
    for (size_t i = 0; i < DOMAINS; i++) {
        bool runs = story->running[i] != DOMAIN_ID_UNKNOWN;
        Chapter chapter = { runs ? EVENT_CREATED : EVENT_DESTROYED, i, story->running[i] };

        post(agent, "libvirt", &chapter);
    }
}

static void
assert_truth(const Agent *agent, const Story *story, uint64_t seed)
{
    for (size_t i = 0; i < DOMAINS; i++) {
        const Domain *domain = domain_table_get(&agent->domains, uuids[i]);
        int id = domain ? domain->id : DOMAIN_ID_UNKNOWN;

        if (id != story->running[i])
            fail_msg("seed %" PRIu64 ": %s is start %d, not %d", seed, uuids[i], id,
                     story->running[i]);
    }
}

static void
tell_story(Agent *agent, const Story *story, Dice *dice)
{
    static const char *const sources[] = { "libvirt", "hook" };
    size_t told[] = { 0, 0 };

    while (told[0] < CHAPTERS || told[1] < CHAPTERS) {
        size_t who = dice_below(dice, 2);

        who = told[who] < CHAPTERS ? who : 1 - who;
        tell(agent, sources[who], &story->chapters[told[who]++], dice);
        assert_nothing_made_up(agent, story, dice->seed);
    }
    list(agent, story);
    assert_truth(agent, story, dice->seed);
}

static void
two_sources_with_losses_end_up_with_the_truth(void **state)
{
    Agent *agent = *state;
    Dice dice = dice_new();

    for (unsigned i = 0; i < STORIES; i++) {
        Story story = make_story(&dice);

        tell_story(agent, &story, &dice);
        domain_table_done(&agent->domains);
        domain_table_init(&agent->domains);
        event_hub_done(&agent->events);
        event_hub_init(&agent->events);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(one_source_may_say_anything),
        ON_HOST(two_sources_with_losses_end_up_with_the_truth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
