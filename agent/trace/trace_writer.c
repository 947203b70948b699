/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace_writer.c - writing a trace: a message says what is not as it was in the one before
 *
 * What is remembered of the last message is a struct of each kind, and a pair of them for each
 * domain. A complete message is one that is compared with nothing: structs of zeros.
 */
#include "agent/trace/trace_writer.h"
#include "agent/config.h"
#include "agent/trace/trace_field.h"

#include <string.h>

/* The last that was said of a domain. */
typedef struct {
    DomainSample sample; /* that went in */
    DomainPlan plan;     /* that came out */
    bool seen;           /* in the message that is being made */
} Last;

struct TraceWriter {
    bool complete;    /* the next message stands for itself */
    PolicyConf conf;  /* of the last message, as all below */
    HostSample host;  /* the facts */
    Plan plan;        /* without its domains */
    GHashTable *last; /* owned; DomainSample.key -> Last (owned) */
};

TraceWriter *
trace_writer_new(void)
{
    TraceWriter *writer = g_new0(TraceWriter, 1);

    writer->complete = true;
    writer->last = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    return writer;
}

void
trace_writer_free(TraceWriter *writer)
{
    if (!writer)
        return;
    g_hash_table_unref(writer->last);
    g_free(writer);
}

bool
trace_writer_wants_state(const TraceWriter *writer)
{
    return writer->complete;
}

void
trace_writer_lose(TraceWriter *writer)
{
    writer->complete = true;
}

static void
add_names(Virtksm__V1__TraceResponse *message)
{
    message->has_version = TRUE;
    message->version = TRACE_VERSION;
    message->agent_version = g_strdup(VIRTKSM_VERSION);
    message->n_names = TRACE_STRUCT_COUNT;
    message->names = g_new(Virtksm__V1__TraceNames *, TRACE_STRUCT_COUNT);
    for (TraceStruct i = 0; i < TRACE_STRUCT_COUNT; i++) {
        const TraceTable *table = trace_table(i);
        Virtksm__V1__TraceNames *names = g_new(Virtksm__V1__TraceNames, 1);

        virtksm__v1__trace_names__init(names);
        names->kind = g_strdup(table->name);
        names->n_names = table->n;
        names->names = g_new(char *, table->n);
        for (size_t k = 0; k < table->n; k++)
            names->names[k] = g_strdup(table->fields[k].name);
        message->names[i] = names;
    }
}

/* What differs; NULL: nothing. */
static Virtksm__V1__TraceValues *
difference(TraceStruct which, const void *before, const void *now)
{
    const TraceTable *table = trace_table(which);
    Virtksm__V1__TraceValues *values = g_new(Virtksm__V1__TraceValues, 1);

    virtksm__v1__trace_values__init(values);
    values->numbers = g_new(uint32_t, table->n);
    values->values = g_new(uint64_t, table->n);
    for (size_t i = 0; i < table->n; i++) {
        uint64_t value = trace_get(&table->fields[i], now);

        if (value == trace_get(&table->fields[i], before))
            continue;
        values->numbers[values->n_numbers++] = (uint32_t)i;
        values->values[values->n_values++] = value + 1;
    }
    if (values->n_values > 0)
        return values;
    virtksm__v1__trace_values__free_unpacked(values, NULL);
    return NULL;
}

/* Append what differs of a domain; @values has room. */
static void
add_difference(Virtksm__V1__TraceValues **values, size_t *n, TraceStruct which, uint64_t key,
               const void *before, const void *now)
{
    Virtksm__V1__TraceValues *changed = difference(which, before, now);

    if (!changed)
        return;
    changed->has_key = TRUE;
    changed->key = key;
    values[(*n)++] = changed;
}

static void
add_state(Virtksm__V1__TraceResponse *message, const TraceMoment *moment)
{
    static const PolicyState none;
    static const DomainTrack no_track;
    size_t n = moment->sample->n;

    message->state = difference(TRACE_STATE, &none, moment->state);
    message->tracks = g_new(Virtksm__V1__TraceValues *, MAX(n, 1));
    for (size_t i = 0; i < n; i++)
        add_difference(message->tracks, &message->n_tracks, TRACE_TRACK,
                       moment->sample->domains[i].key, &no_track, &moment->state->domains[i]);
}

static Last *
last_of(TraceWriter *writer, uint64_t key)
{
    Last *last = g_hash_table_lookup(writer->last, &key);

    if (!last) {
        last = g_new0(Last, 1);
        last->sample.key = key; /* the key of the table, and known from the list of keys */
        last->plan.key = key;
        g_hash_table_insert(writer->last, &last->sample.key, last);
    }
    last->seen = true;
    return last;
}

static void
add_domains(TraceWriter *writer, const TraceMoment *moment, Virtksm__V1__TraceResponse *message)
{
    size_t n = moment->sample->n;

    message->n_keys = n;
    message->keys = g_new(uint64_t, MAX(n, 1));
    message->domains = g_new(Virtksm__V1__TraceValues *, MAX(n, 1));
    message->domain_plans = g_new(Virtksm__V1__TraceValues *, MAX(n, 1));
    for (size_t i = 0; i < n; i++) {
        const DomainSample *sample = &moment->sample->domains[i];
        const DomainPlan *plan = &moment->plan->domains[i];
        Last *last = last_of(writer, sample->key);

        message->keys[i] = sample->key;
        add_difference(message->domains, &message->n_domains, TRACE_DOMAIN, sample->key,
                       &last->sample, sample);
        add_difference(message->domain_plans, &message->n_domain_plans, TRACE_DOMAIN_PLAN,
                       sample->key, &last->plan, plan);
        last->sample = *sample;
        last->plan = *plan;
    }
}

static gboolean
is_gone(gpointer key, gpointer value, gpointer unused)
{
    Last *last = value;
    bool gone = !last->seen;

    (void)key;
    (void)unused;
    last->seen = false;
    return gone;
}

static void
forget(TraceWriter *writer)
{
    memset(&writer->conf, 0, sizeof(writer->conf));
    memset(&writer->host, 0, sizeof(writer->host));
    memset(&writer->plan, 0, sizeof(writer->plan));
    g_hash_table_remove_all(writer->last);
}

Virtksm__V1__TraceResponse *
trace_writer_message(TraceWriter *writer, const TraceMoment *moment)
{
    Virtksm__V1__TraceResponse *message = g_new(Virtksm__V1__TraceResponse, 1);

    virtksm__v1__trace_response__init(message);
    if (moment->lost > 0) {
        message->has_lost = TRUE;
        message->lost = moment->lost;
    }
    if (writer->complete) {
        forget(writer);
        add_names(message);
        add_state(message, moment);
    }
    message->conf = difference(TRACE_CONF, &writer->conf, moment->conf);
    message->host = difference(TRACE_HOST, &writer->host, &moment->sample->host);
    message->plan = difference(TRACE_PLAN, &writer->plan, moment->plan);
    add_domains(writer, moment, message);
    g_hash_table_foreach_remove(writer->last, is_gone, NULL);
    writer->conf = *moment->conf;
    writer->host = moment->sample->host;
    writer->plan = *moment->plan;
    writer->complete = false;
    return message;
}
