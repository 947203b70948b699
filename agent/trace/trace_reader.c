/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace_reader.c - reading a trace: bounded, and suspicious of every number
 *
 * A complete message brings names; from them comes, for each kind of struct, what a number in the
 * messages stands for here. Values with names that are not known here are passed over; facts that
 * are not recorded are facts that are not known, settings the usual ones.
 */
#include "agent/trace/trace_reader.h"
#include "agent/error.h"
#include "agent/trace/trace_field.h"
#include "proto/grpc_unpack.h"
#include "proto/trace.pb-c.h"

#include <inttypes.h>
#include <string.h>

/* Most that decoding one message may allocate: a packed value takes eight bytes in memory. */
#define DECODE_MAX (16 * TRACE_MESSAGE_MAX)
/* More names than any version will have. */
#define NAMES_MAX 4096

/* What is known of a domain. */
typedef struct {
    DomainSample sample; /* that went in */
    DomainTrack track;   /* of the last complete message */
    DomainPlan plan;     /* that came out */
    uint64_t seen;       /* number of the last message with it */
} Known;

struct TraceReader {
    const uint8_t *data; /* borrowed */
    size_t bytes;        /* of data */
    size_t at;           /* of the next message */
    uint64_t number;     /* of the message that was read last, from 1 */
    bool over;           /* no more will be read */

    char *version;                       /* owned; of the daemon that recorded */
    GArray *numbers[TRACE_STRUCT_COUNT]; /* owned; of const TraceField *: what a number means */
    const char *missing;                 /* static, see trace_reader_missing() */

    PolicyConf conf;   /* as of the last message */
    Sample sample;     /* likewise */
    PolicyState state; /* likewise, if it was complete */
    Plan plan;         /* likewise */
    GHashTable *known; /* owned; DomainSample.key -> Known (owned) */
    GArray *samples;   /* owned; of DomainSample */
    GArray *tracks;    /* owned; of DomainTrack */
    GArray *plans;     /* owned; of DomainPlan */
};

G_GNUC_PRINTF(3, 4)
static bool
set_bad(const TraceReader *reader, GError **error, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_TRACE, "message %" PRIu64 ", at byte %zu: %s",
                reader->number, reader->at, text);
    return false;
}

TraceReader *
trace_reader_new(const uint8_t *data, size_t bytes, GError **error)
{
    TraceReader *reader;

    if (bytes < strlen(TRACE_MAGIC) || memcmp(data, TRACE_MAGIC, strlen(TRACE_MAGIC)) != 0) {
        g_set_error_literal(error, AGENT_ERROR, AGENT_ERROR_TRACE,
                            "this is no trace: it does not begin with \"virtksm trace\"");
        return NULL;
    }
    reader = g_new0(TraceReader, 1);
    reader->data = data;
    reader->bytes = bytes;
    reader->at = strlen(TRACE_MAGIC);
    for (TraceStruct i = 0; i < TRACE_STRUCT_COUNT; i++)
        reader->numbers[i] = g_array_new(FALSE, TRUE, sizeof(const TraceField *));
    reader->known = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    reader->samples = g_array_new(FALSE, TRUE, sizeof(DomainSample));
    reader->tracks = g_array_new(FALSE, TRUE, sizeof(DomainTrack));
    reader->plans = g_array_new(FALSE, TRUE, sizeof(DomainPlan));
    return reader;
}

void
trace_reader_free(TraceReader *reader)
{
    if (!reader)
        return;
    for (TraceStruct i = 0; i < TRACE_STRUCT_COUNT; i++)
        g_array_unref(reader->numbers[i]);
    g_hash_table_unref(reader->known);
    g_array_unref(reader->samples);
    g_array_unref(reader->tracks);
    g_array_unref(reader->plans);
    g_free(reader->version);
    g_free(reader);
}

/* --- names -------------------------------------------------------------------------------- */

static const TraceField *
find_field(const TraceTable *table, const char *name)
{
    for (size_t i = 0; i < table->n; i++)
        if (g_str_equal(table->fields[i].name, name))
            return &table->fields[i];
    return NULL;
}

static bool
has_number(const GArray *numbers, const TraceField *field)
{
    for (guint i = 0; i < numbers->len; i++)
        if (g_array_index(numbers, const TraceField *, i) == field)
            return true;
    return false;
}

static void
note_missing(TraceReader *reader, TraceStruct which)
{
    const TraceTable *table = trace_table(which);

    for (size_t i = 0; i < table->n && !reader->missing; i++)
        if (!has_number(reader->numbers[which], &table->fields[i]))
            reader->missing = table->fields[i].name;
}

static bool
take_names(TraceReader *reader, const Virtksm__V1__TraceNames *names, GError **error)
{
    TraceStruct which = 0;

    while (which < TRACE_STRUCT_COUNT && g_strcmp0(trace_table(which)->name, names->kind) != 0)
        which++;
    if (which == TRACE_STRUCT_COUNT)
        return true; /* what this version knows nothing of */
    if (names->n_names > NAMES_MAX)
        return set_bad(reader, error, "%zu names of %s: expected at most %d", names->n_names,
                       names->kind, NAMES_MAX);
    g_array_set_size(reader->numbers[which], 0);
    for (size_t i = 0; i < names->n_names; i++) {
        const TraceField *field = find_field(trace_table(which), names->names[i]);

        g_array_append_val(reader->numbers[which], field);
    }
    return true;
}

/* Values that were not recorded: those of @fallback; NULL: not known. */
static void
fill_in(const TraceReader *reader, TraceStruct which, const void *fallback, void *values)
{
    const TraceTable *table = trace_table(which);

    for (size_t i = 0; reader->missing && i < table->n; i++) {
        const TraceField *field = &table->fields[i];

        if (!has_number(reader->numbers[which], field))
            trace_set(field, values, fallback ? trace_get(field, fallback) : VALUE_UNKNOWN);
    }
}

static void
forget(TraceReader *reader)
{
    memset(&reader->conf, 0, sizeof(reader->conf));
    memset(&reader->sample, 0, sizeof(reader->sample));
    memset(&reader->state, 0, sizeof(reader->state));
    memset(&reader->plan, 0, sizeof(reader->plan));
    g_hash_table_remove_all(reader->known);
    reader->missing = NULL;
}

static bool
take_head(TraceReader *reader, const Virtksm__V1__TraceResponse *message, GError **error)
{
    PolicyConf fallback;

    if (message->version != TRACE_VERSION)
        return set_bad(reader, error,
                       "version %u of the format: expected %d; a %s virtksm wrote it",
                       message->version, TRACE_VERSION,
                       message->version > TRACE_VERSION ? "newer" : "damaged");
    forget(reader);
    g_free(reader->version);
    reader->version = g_utf8_make_valid(message->agent_version ? message->agent_version : "", -1);
    for (TraceStruct i = 0; i < TRACE_STRUCT_COUNT; i++)
        g_array_set_size(reader->numbers[i], 0);
    for (size_t i = 0; i < message->n_names; i++)
        if (!take_names(reader, message->names[i], error))
            return false;
    for (TraceStruct i = 0; i < TRACE_STRUCT_COUNT; i++)
        note_missing(reader, i);
    policy_conf_default(&fallback);
    fill_in(reader, TRACE_CONF, &fallback, &reader->conf);
    fill_in(reader, TRACE_HOST, NULL, &reader->sample.host);
    return true;
}

/* --- values ------------------------------------------------------------------------------- */

static bool
set_out_of_bounds(const TraceReader *reader, TraceStruct which, const TraceField *field,
                  uint64_t value, GError **error)
{
    return set_bad(reader, error, "%s.%s is %" PRIu64 ": expected %" PRIu64 " to %" PRIu64,
                   trace_table(which)->name, field->name, value, field->least, field->most);
}

static bool
take_values(TraceReader *reader, TraceStruct which, const Virtksm__V1__TraceValues *values,
            void *to, GError **error)
{
    const GArray *numbers = reader->numbers[which];
    const char *kind = trace_table(which)->name;

    if (values->n_numbers != values->n_values)
        return set_bad(reader, error, "%zu values for %zu numbers of %s", values->n_values,
                       values->n_numbers, kind);
    for (size_t i = 0; i < values->n_values; i++) {
        uint64_t value = values->values[i] - 1;
        const TraceField *field;

        if (values->numbers[i] >= numbers->len)
            return set_bad(reader, error, "value %u of %s: expected less than %u",
                           values->numbers[i], kind, numbers->len);
        field = g_array_index(numbers, const TraceField *, values->numbers[i]);
        if (field && !trace_set(field, to, value))
            return set_out_of_bounds(reader, which, field, value, error);
    }
    return true;
}

/* A complete message leaves out what is 0, and 0 is no value of some. */
static bool
check_zeros(const TraceReader *reader, TraceStruct which, const void *values, GError **error)
{
    const TraceTable *table = trace_table(which);

    for (size_t i = 0; i < table->n; i++)
        if (trace_get(&table->fields[i], values) < table->fields[i].least)
            return set_out_of_bounds(reader, which, &table->fields[i], 0, error);
    return true;
}

static bool
take_one(TraceReader *reader, TraceStruct which, const Virtksm__V1__TraceValues *values, void *to,
         GError **error)
{
    return !values || take_values(reader, which, values, to, error);
}

/* --- domains ------------------------------------------------------------------------------ */

static bool
take_keys(TraceReader *reader, const Virtksm__V1__TraceResponse *message, GError **error)
{
    for (size_t i = 0; i < message->n_keys; i++) {
        Known *known = g_hash_table_lookup(reader->known, &message->keys[i]);

        if (known && known->seen == reader->number)
            return set_bad(reader, error, "domain %" PRIu64 " is listed twice", message->keys[i]);
        if (!known) {
            known = g_new0(Known, 1);
            fill_in(reader, TRACE_DOMAIN, NULL, &known->sample);
            known->sample.key = message->keys[i];
            known->plan.key = message->keys[i];
            g_hash_table_insert(reader->known, &known->sample.key, known);
        }
        known->seen = reader->number;
    }
    return true;
}

static bool
take_domain_values(TraceReader *reader, TraceStruct which, size_t offset,
                   Virtksm__V1__TraceValues *const *values, size_t n, GError **error)
{
    for (size_t i = 0; i < n; i++) {
        Known *known = g_hash_table_lookup(reader->known, &values[i]->key);
        uint64_t key = values[i]->key;

        if (!known || known->seen != reader->number)
            return set_bad(reader, error, "%s of domain %" PRIu64 ", which is not listed",
                           trace_table(which)->name, key);
        if (!take_values(reader, which, values[i], (char *)known + offset, error))
            return false;
        if (known->sample.key != key)
            return set_bad(reader, error, "domain %" PRIu64 " calls itself %" PRIu64, key,
                           known->sample.key);
    }
    return true;
}

static gboolean
is_gone(gpointer key, gpointer value, gpointer reader)
{
    (void)key;
    return ((Known *)value)->seen != ((TraceReader *)reader)->number;
}

static void
line_up(TraceReader *reader, const Virtksm__V1__TraceResponse *message)
{
    g_hash_table_foreach_remove(reader->known, is_gone, reader);
    g_array_set_size(reader->samples, 0);
    g_array_set_size(reader->tracks, 0);
    g_array_set_size(reader->plans, 0);
    for (size_t i = 0; i < message->n_keys; i++) {
        const Known *known = g_hash_table_lookup(reader->known, &message->keys[i]);

        g_array_append_val(reader->samples, known->sample);
        g_array_append_val(reader->tracks, known->track);
        g_array_append_val(reader->plans, known->plan);
    }
    reader->sample.domains = (const DomainSample *)(gpointer)reader->samples->data;
    reader->sample.n = reader->samples->len;
    reader->state.domains = (DomainTrack *)(gpointer)reader->tracks->data;
    reader->plan.domains = (DomainPlan *)(gpointer)reader->plans->data;
}

/* --- messages ----------------------------------------------------------------------------- */

static bool
take_message(TraceReader *reader, const Virtksm__V1__TraceResponse *message, GError **error)
{
    if (message->has_version && !take_head(reader, message, error))
        return false;
    if (!reader->version)
        return set_bad(reader, error, "the first message has no version");
    if (!take_keys(reader, message, error) ||
        !take_one(reader, TRACE_CONF, message->conf, &reader->conf, error) ||
        !take_one(reader, TRACE_HOST, message->host, &reader->sample.host, error) ||
        !take_one(reader, TRACE_STATE, message->state, &reader->state, error) ||
        !take_one(reader, TRACE_PLAN, message->plan, &reader->plan, error) ||
        !take_domain_values(reader, TRACE_DOMAIN, offsetof(Known, sample), message->domains,
                            message->n_domains, error) ||
        !take_domain_values(reader, TRACE_TRACK, offsetof(Known, track), message->tracks,
                            message->n_tracks, error) ||
        !take_domain_values(reader, TRACE_DOMAIN_PLAN, offsetof(Known, plan), message->domain_plans,
                            message->n_domain_plans, error))
        return false;
    if (message->has_version && (!check_zeros(reader, TRACE_CONF, &reader->conf, error) ||
                                 !check_zeros(reader, TRACE_HOST, &reader->sample.host, error)))
        return false;
    line_up(reader, message);
    return true;
}

/* The bytes of the next message. */
static TraceResult
next_slice(TraceReader *reader, GrpcSlice *ret_slice, GError **error)
{
    size_t left = reader->bytes - reader->at;
    uint32_t length = 0;

    if (left == 0)
        return TRACE_END;
    if (left >= TRACE_LENGTH_BYTES) {
        memcpy(&length, reader->data + reader->at, TRACE_LENGTH_BYTES);
        length = GUINT32_FROM_BE(length);
    }
    if (length > TRACE_MESSAGE_MAX) {
        set_bad(reader, error, "%u bytes long: expected at most %zu", length, TRACE_MESSAGE_MAX);
        return TRACE_BAD;
    }
    if (left < TRACE_LENGTH_BYTES || left - TRACE_LENGTH_BYTES < length) {
        set_bad(reader, error, "the trace ends in the middle of it");
        return TRACE_CUT;
    }
    *ret_slice = (GrpcSlice){ reader->data + reader->at + TRACE_LENGTH_BYTES, length };
    return TRACE_MOMENT;
}

TraceResult
trace_reader_next(TraceReader *reader, TraceMoment *ret_moment, GError **error)
{
    const ProtobufCMessageDescriptor *type = &virtksm__v1__trace_response__descriptor;
    const Virtksm__V1__TraceResponse *message;
    TraceResult result = TRACE_END;
    GrpcUnpacked unpacked;
    GrpcSlice slice;

    if (!reader->over) {
        reader->number++;
        result = next_slice(reader, &slice, error);
    }
    reader->over = result != TRACE_MOMENT;
    if (reader->over)
        return result;
    if (grpc_unpack(type, slice, DECODE_MAX, &unpacked) != GRPC_UNPACK_DONE) {
        set_bad(reader, error, "damaged, or too much for one decision");
        reader->over = true;
        return TRACE_BAD;
    }
    message = (const Virtksm__V1__TraceResponse *)unpacked.message;
    reader->over = !take_message(reader, message, error);
    if (!reader->over) {
        *ret_moment = (TraceMoment){ message->lost, &reader->conf, &reader->sample,
                                     message->has_version ? &reader->state : NULL, &reader->plan };
        reader->at += TRACE_LENGTH_BYTES + slice.len;
    }
    grpc_unpack_free(&unpacked);
    return reader->over ? TRACE_BAD : TRACE_MOMENT;
}

const char *
trace_reader_version(const TraceReader *reader)
{
    return reader->version;
}

const char *
trace_reader_missing(const TraceReader *reader)
{
    return reader->missing;
}
