/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trace_test.c - what goes into a trace comes out of it; what is no trace is refused with a reason
 */
#include "agent/error.h"
#include "agent/trace/trace_field.h"
#include "agent/trace/trace_reader.h"
#include "agent/trace/trace_replay.h"
#include "test/support/dice.h"
#include "test/support/tracefile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define DOMAINS 3

/* All that a moment is made of. */
typedef struct {
    PolicyConf conf;
    Sample sample;
    PolicyState state;
    Plan plan;
    DomainSample domains[DOMAINS];
    DomainTrack tracks[DOMAINS];
    DomainPlan plans[DOMAINS];
} Whole;

static void
roll(Dice *dice, TraceStruct which, void *values)
{
    const TraceTable *table = trace_table(which);

    for (size_t i = 0; i < table->n; i++) {
        const TraceField *field = &table->fields[i];
        uint64_t span = field->most - field->least;
        uint64_t value = dice_roll(dice);

        value = span == UINT64_MAX ? value : field->least + value % (span + 1);
        assert_true(trace_set(field, values, dice_below(dice, 4) ? value : field->least));
    }
}

static void
roll_whole(Dice *dice, Whole *whole, uint64_t first_key)
{
    memset(whole, 0, sizeof(*whole));
    roll(dice, TRACE_CONF, &whole->conf);
    roll(dice, TRACE_HOST, &whole->sample.host);
    roll(dice, TRACE_STATE, &whole->state);
    roll(dice, TRACE_PLAN, &whole->plan);
    for (size_t i = 0; i < DOMAINS; i++) {
        roll(dice, TRACE_DOMAIN, &whole->domains[i]);
        roll(dice, TRACE_TRACK, &whole->tracks[i]);
        roll(dice, TRACE_DOMAIN_PLAN, &whole->plans[i]);
        whole->domains[i].key = first_key + i;
    }
    whole->sample.domains = whole->domains;
    whole->sample.n = DOMAINS;
    whole->state.domains = whole->tracks;
    whole->plan.domains = whole->plans;
}

static void
assert_same(TraceStruct which, const void *a, const void *b)
{
    const TraceTable *table = trace_table(which);

    for (size_t i = 0; i < table->n; i++)
        if (trace_get(&table->fields[i], a) != trace_get(&table->fields[i], b))
            fail_msg("%s.%s is not what was recorded", table->name, table->fields[i].name);
}

static void
assert_moment(const TraceMoment *moment, const Whole *whole, bool complete)
{
    assert_int_equal(moment->sample->n, DOMAINS);
    assert_same(TRACE_CONF, moment->conf, &whole->conf);
    assert_same(TRACE_HOST, &moment->sample->host, &whole->sample.host);
    assert_same(TRACE_PLAN, moment->plan, &whole->plan);
    assert_int_equal(moment->state != NULL, complete);
    if (moment->state)
        assert_same(TRACE_STATE, moment->state, &whole->state);
    for (size_t i = 0; i < DOMAINS; i++) {
        assert_same(TRACE_DOMAIN, &moment->sample->domains[i], &whole->domains[i]);
        assert_same(TRACE_DOMAIN_PLAN, &moment->plan->domains[i], &whole->plans[i]);
        if (moment->state)
            assert_same(TRACE_TRACK, &moment->state->domains[i], &whole->tracks[i]);
    }
}

static void
whatever_is_recorded_comes_back(void **unused)
{
    Dice dice = dice_new();
    g_autoptr(TraceWriter) writer = trace_writer_new();
    g_autoptr(GByteArray) file = tracefile_new();
    g_autoptr(TraceReader) reader = NULL;
    g_autofree Whole *wholes = g_new(Whole, 50);
    TraceMoment moment;
    (void)unused;

    for (size_t i = 0; i < 50; i++) {
        roll_whole(&dice, &wholes[i], 1 + i / 4); /* domains come, stay a while, and go */
        if (i % 10 == 0)
            trace_writer_lose(writer);
        moment = (TraceMoment){ i % 10 == 0, &wholes[i].conf, &wholes[i].sample, &wholes[i].state,
                                &wholes[i].plan };
        tracefile_add(file, trace_writer_message(writer, &moment));
    }
    reader = trace_reader_new(file->data, file->len, NULL);
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(trace_reader_next(reader, &moment, NULL), TRACE_MOMENT);
        assert_int_equal(moment.lost, i % 10 == 0);
        assert_moment(&moment, &wholes[i], i % 10 == 0);
    }
    assert_int_equal(trace_reader_next(reader, &moment, NULL), TRACE_END);
    assert_int_equal(trace_reader_next(reader, &moment, NULL), TRACE_END);
}

/* Between the values of a struct there is nothing but padding, and the caller's pointers. */
static void
no_value_is_left_out(void **unused)
{
    static const struct {
        TraceStruct which;
        size_t pointer; /* where one is; 0: nowhere */
    } rows[] = {
        { TRACE_CONF, 0 },        { TRACE_HOST, 0 },
        { TRACE_DOMAIN, 0 },      { TRACE_STATE, offsetof(PolicyState, domains) },
        { TRACE_TRACK, 0 },       { TRACE_PLAN, offsetof(Plan, domains) },
        { TRACE_DOMAIN_PLAN, 0 },
    };
    (void)unused;

    for (size_t r = 0; r < G_N_ELEMENTS(rows); r++) {
        const TraceTable *table = trace_table(rows[r].which);
        g_autofree size_t *owner = g_new0(size_t, table->bytes); /* size of the value there */
        size_t gap = 0;

        for (size_t i = 0; i < table->n; i++)
            for (size_t k = 0; k < table->fields[i].size; k++)
                owner[table->fields[i].offset + k]++;
        for (size_t k = 0; rows[r].pointer && k < sizeof(void *); k++)
            owner[rows[r].pointer + k]++;
        for (size_t k = 0; k < table->bytes; k++) {
            gap = owner[k] > 0 ? 0 : gap + 1;
            if (owner[k] > 1 || gap >= sizeof(uint64_t))
                fail_msg("%s: byte %zu belongs to %zu values", table->name, k, owner[k]);
        }
    }
}

/* --- what is no trace --------------------------------------------------------------------- */

typedef void (*Spoil)(Virtksm__V1__TraceResponse *message);

static void
spoil_version(Virtksm__V1__TraceResponse *message)
{
    message->version = 2;
}

static void
spoil_head(Virtksm__V1__TraceResponse *message)
{
    message->has_version = FALSE;
}

static void
spoil_number(Virtksm__V1__TraceResponse *message)
{
    message->host->numbers[0] = 4000;
}

static void
spoil_count(Virtksm__V1__TraceResponse *message)
{
    message->host->n_values--;
}

static void
spoil_key(Virtksm__V1__TraceResponse *message)
{
    message->keys[1] = message->keys[0];
}

static void
spoil_stranger(Virtksm__V1__TraceResponse *message)
{
    message->domains[0]->key = 77;
}

static void
spoil_identity(Virtksm__V1__TraceResponse *message)
{
    message->domains[0]->numbers[0] = 0; /* the key */
    message->domains[0]->values[0] = 4711;
}

static void
spoil_bound(Virtksm__V1__TraceResponse *message)
{
    message->host->numbers[0] = 1; /* cpus */
    message->host->values[0] = 1;  /* 0 */
}

static void
leave_out(Virtksm__V1__TraceValues *values)
{
    values->n_numbers = 0;
    values->n_values = 0;
}

static void
spoil_conf(Virtksm__V1__TraceResponse *message)
{
    leave_out(message->conf);
}

static void
spoil_host(Virtksm__V1__TraceResponse *message)
{
    leave_out(message->host);
}

static void
spoil_plan(Virtksm__V1__TraceResponse *message)
{
    message->plan->numbers[0] = 0; /* phase */
    message->plan->values[0] = 1000;
}

static Virtksm__V1__TraceResponse *
some_message(void)
{
    g_autoptr(TraceWriter) writer = trace_writer_new();
    Dice dice = { 1, 1 };
    Whole whole;
    TraceMoment moment = { 0, &whole.conf, &whole.sample, &whole.state, &whole.plan };

    roll_whole(&dice, &whole, 1);
    return trace_writer_message(writer, &moment);
}

static void
assert_bad(const char *when, const GByteArray *file, TraceResult want, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TraceReader) reader = trace_reader_new(file->data, file->len, &error);
    TraceMoment moment;
    TraceResult result = TRACE_MOMENT;

    while (reader && result == TRACE_MOMENT)
        result = trace_reader_next(reader, &moment, &error);
    if (!reader)
        result = TRACE_BAD;
    if (result != want || !error || error->code != AGENT_ERROR_TRACE ||
        !strstr(error->message, text))
        fail_msg("%s: result %d, %s", when, result, error ? error->message : "no error");
}

static void
nonsense_is_refused_with_its_place_and_reason(void **unused)
{
    static const struct {
        const char *when;
        Spoil spoil;
        const char *text;
    } rows[] = {
        { "a newer format", spoil_version, "version 2 of the format: expected 1; a newer" },
        { "no head", spoil_head, "message 1, at byte 14: the first message has no version" },
        { "a number without a name", spoil_number, "value 4000 of host: expected less than" },
        { "a value too few", spoil_count, "numbers of host" },
        { "a domain twice", spoil_key, "domain 1 is listed twice" },
        { "a domain that is not there", spoil_stranger,
          "domain of domain 77, which is not listed" },
        { "a domain with another key", spoil_identity, "domain 1 calls itself 4710" },
        { "a host without a CPU", spoil_bound, "host.cpus is 0: expected 1 to 4294967295" },
        { "settings left out", spoil_conf, "conf.cpu_idle is 0: expected 1 to 10000" },
        { "a host left out", spoil_host, "host.cpus is 0: expected 1 to" },
        { "a phase that there is not", spoil_plan, "plan.ksm.phase is 999: expected 0 to" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) file = tracefile_new();
        Virtksm__V1__TraceResponse *message = some_message();

        rows[i].spoil(message);
        tracefile_add(file, message);
        assert_bad(rows[i].when, file, TRACE_BAD, rows[i].text);
    }
}

static void
bytes_that_are_no_messages_are_refused(void **unused)
{
    static const uint8_t noise[] = { 0xff, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t large[] = { 0x01, 0x00, 0x00, 0x01 }; /* 16 MiB and a byte */
    g_autoptr(GByteArray) file = tracefile_new();
    (void)unused;

    tracefile_add_bytes(file, noise, sizeof(noise));
    assert_bad("noise", file, TRACE_BAD, "message 1, at byte 14: damaged");
    g_byte_array_set_size(file, (guint)strlen(TRACE_MAGIC));
    g_byte_array_append(file, large, sizeof(large));
    assert_bad("too long", file, TRACE_BAD, "16777217 bytes long: expected at most 16777216");
    g_byte_array_set_size(file, 5);
    assert_bad("no trace", file, TRACE_BAD, "this is no trace");
}

static void
a_trace_that_ends_in_a_message_is_good_up_to_there(void **unused)
{
    g_autoptr(GByteArray) file = tracefile_new();
    guint whole;
    (void)unused;

    tracefile_add(file, some_message());
    whole = file->len;
    tracefile_add(file, some_message());
    for (guint cut = whole + 1; cut < file->len; cut += 7) {
        g_autoptr(TraceReader) reader = trace_reader_new(file->data, cut, NULL);
        TraceMoment moment;

        assert_int_equal(trace_reader_next(reader, &moment, NULL), TRACE_MOMENT);
        assert_int_equal(trace_reader_next(reader, &moment, NULL), TRACE_CUT);
        assert_int_equal(trace_reader_next(reader, &moment, NULL), TRACE_END);
    }
}

static void
a_value_that_was_not_recorded_is_not_known(void **unused)
{
    g_autoptr(GByteArray) file = tracefile_new();
    g_autoptr(TraceReader) reader = NULL;
    Virtksm__V1__TraceResponse *message = some_message();
    Virtksm__V1__TraceNames *host = message->names[TRACE_HOST];
    TraceMoment moment;
    (void)unused;

    for (size_t i = 0; i < host->n_names; i++) {
        if (strcmp(host->names[i], "steal_us") == 0)
            memcpy(host->names[i], "unknown!", strlen("steal_us"));
    }
    tracefile_add(file, message);
    reader = trace_reader_new(file->data, file->len, NULL);
    assert_int_equal(trace_reader_next(reader, &moment, NULL), TRACE_MOMENT);
    assert_false(is_known(moment.sample->host.steal_us));
    assert_true(is_known(moment.sample->host.cpu_stall_us));
    assert_string_equal(trace_reader_missing(reader), "steal_us");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_recorded_comes_back),
        cmocka_unit_test(no_value_is_left_out),
        cmocka_unit_test(nonsense_is_refused_with_its_place_and_reason),
        cmocka_unit_test(bytes_that_are_no_messages_are_refused),
        cmocka_unit_test(a_trace_that_ends_in_a_message_is_good_up_to_there),
        cmocka_unit_test(a_value_that_was_not_recorded_is_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
