/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change.c - one value of a running domain, changed through libvirt only if it is what we think
 *
 *   look up -> same start? -> read the value -> one of ours? -> set it
 *                  no: GONE                        no: FOREIGN
 *
 * A limit is set even if it is in force: who lifts one in a hurry writes memory.high itself, and
 * libvirt's definition, which a migration takes along, has to follow. A balloon that is where it
 * should be is left alone.
 *
 * Merging may be in force in parts: then it is no value that anybody can go back to, so it is left
 * alone unless the parts are ours.
 *
 * libvirt keeps "no limit" as a number that is larger than any memory. Read back from the kernel
 * it can be rounded down to pages, and a driver that was never told a limit may say 0.
 */
#include "agent/virt/change.h"

#include "agent/error.h"
#include "agent/virt/ask.h"
#include "agent/virt/merge.h"
#include "policy/arith.h"
#include "policy/sample.h"

/* A guest returns and takes memory in its own pages, of up to 64 KiB, some at a time. */
#define BALLOON_SLACK_BYTES (UINT64_C(1) << 20)
/* The largest limit in KiB is none, rounded to the largest pages that there are. */
#define LIMIT_NONE_KIB (VIR_DOMAIN_MEMORY_PARAM_UNLIMITED - 65536)

/* What each error of libvirt means for the next attempt; any other is a failure. */
static const struct {
    int code; /* virErrorNumber */
    ChangeResult result;
} error_rows[] = {
    { VIR_ERR_NO_DOMAIN, CHANGE_GONE },
    { VIR_ERR_OPERATION_TIMEOUT, CHANGE_BUSY }, /* another job has the domain */
    { VIR_ERR_NO_SUPPORT, CHANGE_REFUSED },
    { VIR_ERR_OPERATION_DENIED, CHANGE_REFUSED },
    { VIR_ERR_OPERATION_INVALID, CHANGE_REFUSED }, /* no balloon device */
    { VIR_ERR_OPERATION_UNSUPPORTED, CHANGE_REFUSED },
    { VIR_ERR_ARGUMENT_UNSUPPORTED, CHANGE_REFUSED },
    { VIR_ERR_CONFIG_UNSUPPORTED, CHANGE_REFUSED },
    { VIR_ERR_INVALID_ARG, CHANGE_REFUSED }, /* out of the domain's range */
    { VIR_ERR_ACCESS_DENIED, CHANGE_REFUSED },
    { VIR_ERR_AUTH_FAILED, CHANGE_REFUSED },
    { VIR_ERR_AUTH_UNAVAILABLE, CHANGE_REFUSED },
};

void
change_outcome_clear(ChangeOutcome *outcome)
{
    g_clear_pointer(&outcome->detail, g_free);
}

static bool
is_near(uint64_t a, uint64_t b, uint64_t slack)
{
    return max_u64(a, b) - min_u64(a, b) <= slack;
}

bool
change_is_reached(ChangeKind kind, uint64_t bytes, uint64_t want_bytes)
{
    return is_near(bytes, want_bytes, kind == CHANGE_BALLOON ? BALLOON_SLACK_BYTES : 0);
}

bool
change_is_known(ChangeKind kind, const ChangeKnown *known, uint64_t bytes)
{
    /* Once it was ours: we stopped half way, or a DIMM was plugged in since. */
    if (kind == CHANGE_MERGE && bytes == MERGE_VALUE_MIXED)
        return known->least_bytes == MERGE_VALUE_OFF;
    if (kind == CHANGE_BALLOON && bytes >= known->least_bytes && bytes <= known->most_bytes)
        return true;
    return change_is_reached(kind, bytes, known->found_bytes) ||
           change_is_reached(kind, bytes, known->least_bytes) ||
           change_is_reached(kind, bytes, known->most_bytes);
}

/* --- turns ------------------------------------------------------------------------------ */

enum { TURN_WAITS, TURN_BEGUN, TURN_WITHDRAWN };

struct ChangeTurn {
    gint state; /* atomic; one of the above */
};

ChangeTurn *
change_turn_new(void)
{
    return g_atomic_rc_box_new0(ChangeTurn);
}

ChangeTurn *
change_turn_ref(ChangeTurn *turn)
{
    return turn ? g_atomic_rc_box_acquire(turn) : NULL;
}

void
change_turn_unref(ChangeTurn *turn)
{
    if (turn)
        g_atomic_rc_box_release(turn);
}

bool
change_turn_begin(ChangeTurn *turn)
{
    return g_atomic_int_compare_and_exchange(&turn->state, TURN_WAITS, TURN_BEGUN);
}

bool
change_turn_withdraw(ChangeTurn *turn)
{
    return g_atomic_int_compare_and_exchange(&turn->state, TURN_WAITS, TURN_WITHDRAWN);
}

bool
change_turn_is_withdrawn(ChangeTurn *turn)
{
    return g_atomic_int_get(&turn->state) == TURN_WITHDRAWN;
}

/* --- in the worker ---------------------------------------------------------------------- */

/* Sorts libvirt's last error of this thread. */
static ChangeResult
fail(ChangeOutcome *outcome, const char *what)
{
    virErrorPtr last = virGetLastError();
    int code = last ? last->code : VIR_ERR_OK;

    if (outcome->detail)
        return outcome->result; /* not libvirt's */
    outcome->result = CHANGE_FAILED;
    for (size_t i = 0; i < G_N_ELEMENTS(error_rows); i++)
        if (error_rows[i].code == code)
            outcome->result = error_rows[i].result;
    outcome->detail = g_strdup_printf(
        "%s: %s", what, last && last->message ? last->message : "libvirt gave no reason");
    return outcome->result;
}

static bool
read_balloon(virDomainPtr domain, uint64_t *ret_bytes, ChangeOutcome *outcome)
{
    virDomainInfo info;

    (void)outcome;
    if (virDomainGetInfo(domain, &info) < 0)
        return false;
    *ret_bytes = bytes_from_kib(info.memory);
    return true;
}

static bool
read_limit(virDomainPtr domain, uint64_t *ret_bytes, ChangeOutcome *outcome)
{
    virTypedParameterPtr params = NULL;
    unsigned long long kib = 0;
    int n = 0;

    (void)outcome;
    if (virDomainGetMemoryParameters(domain, NULL, &n, VIR_DOMAIN_AFFECT_LIVE) < 0)
        return false;
    params = g_new0(virTypedParameter, (gsize)n);
    if (virDomainGetMemoryParameters(domain, params, &n, VIR_DOMAIN_AFFECT_LIVE) < 0) {
        g_free(params);
        return false;
    }
    virTypedParamsGetULLong(params, n, VIR_DOMAIN_MEMORY_SOFT_LIMIT, &kib);
    virTypedParamsClear(params, n);
    g_free(params);
    *ret_bytes = kib == 0 || kib >= LIMIT_NONE_KIB ? LIMIT_NONE : bytes_from_kib(kib);
    return true;
}

static bool
read_period(virDomainPtr domain, uint64_t *ret_s, ChangeOutcome *outcome)
{
    DomainXml *xml = ask_definition(domain, NULL);

    (void)outcome;
    if (!xml)
        return false;
    *ret_s = xml->stats_period_s;
    ask_definition_free(xml);
    return true;
}

static bool
set_period(virDomainPtr domain, uint64_t seconds, ChangeOutcome *outcome)
{
    (void)outcome;
    return virDomainSetMemoryStatsPeriod(domain, (int)min_u64(seconds, G_MAXINT),
                                         VIR_DOMAIN_AFFECT_LIVE) == 0;
}

static bool
set_balloon(virDomainPtr domain, uint64_t bytes, ChangeOutcome *outcome)
{
    (void)outcome;
    return virDomainSetMemoryFlags(domain, (unsigned long)(bytes / 1024), VIR_DOMAIN_AFFECT_LIVE) ==
           0;
}

static bool
set_limit(virDomainPtr domain, uint64_t bytes, ChangeOutcome *outcome)
{
    virTypedParameter param = {
        .field = VIR_DOMAIN_MEMORY_SOFT_LIMIT,
        .type = VIR_TYPED_PARAM_ULLONG,
        .value.ul = bytes == LIMIT_NONE ? VIR_DOMAIN_MEMORY_PARAM_UNLIMITED : bytes / 1024,
    };

    (void)outcome;
    return virDomainSetMemoryParameters(domain, &param, 1, VIR_DOMAIN_AFFECT_LIVE) == 0;
}

/* Nothing has been changed yet. What QEMU says in its own words may be another thing next time, but
 * what memory it has does not change. */
static bool
read_merge(virDomainPtr domain, uint64_t *ret_value, ChangeOutcome *outcome)
{
    outcome->result = CHANGE_BUSY;
    if (!virt_merge_read(domain, ret_value, &outcome->detail))
        return false;
    if (*ret_value != MERGE_VALUE_NONE)
        return true;
    outcome->result = CHANGE_REFUSED;
    outcome->detail = g_strdup(MERGE_NO_BACKEND);
    return false;
}

static bool
set_merge(virDomainPtr domain, uint64_t value, ChangeOutcome *outcome)
{
    outcome->result = CHANGE_FAILED;
    return virt_merge_set(domain, value, &outcome->detail);
}

/* What libvirt has no error for is told in the outcome. */
static const struct {
    const char *name; /* for messages */
    bool (*read)(virDomainPtr domain, uint64_t *ret_bytes, ChangeOutcome *outcome);
    bool (*set)(virDomainPtr domain, uint64_t bytes, ChangeOutcome *outcome);
} kinds[] = {
    [CHANGE_BALLOON] = { "the balloon", read_balloon, set_balloon },
    [CHANGE_LIMIT] = { "the soft limit", read_limit, set_limit },
    [CHANGE_STATS_PERIOD] = { "the period of statistics", read_period, set_period },
    [CHANGE_MERGE] = { "merging", read_merge, set_merge },
};
G_STATIC_ASSERT(G_N_ELEMENTS(kinds) == CHANGE_KIND_COUNT);

static ChangeResult
change(virConnectPtr conn, const Change *wish, ChangeOutcome *outcome)
{
    g_autoptr(VirDomainHandle) domain = virDomainLookupByUUIDString(conn, wish->uuid);

    if (!domain)
        return fail(outcome, "cannot find the domain");
    if ((int)virDomainGetID(domain) != wish->id)
        return outcome->result = CHANGE_GONE;
    if (!kinds[wish->kind].read(domain, &outcome->found_bytes, outcome)) {
        outcome->found_bytes = VALUE_UNKNOWN;
        return fail(outcome, "cannot read what is in force");
    }
    if (!change_is_known(wish->kind, &wish->known, outcome->found_bytes))
        return outcome->result = CHANGE_FOREIGN;
    if (wish->kind == CHANGE_BALLOON &&
        change_is_reached(wish->kind, outcome->found_bytes, wish->want_bytes) &&
        change_is_reached(wish->kind, wish->known.wrote_bytes, wish->want_bytes))
        return outcome->result = CHANGE_DONE;
    if (!kinds[wish->kind].set(domain, wish->want_bytes, outcome)) {
        g_autofree char *what = g_strdup_printf("cannot set %s", kinds[wish->kind].name);

        return fail(outcome, what);
    }
    return outcome->result = CHANGE_DONE;
}

/* --- as jobs ---------------------------------------------------------------------------- */

typedef struct {
    VirtQuestion base;
    Change change;
} ChangeQuestion;

typedef struct {
    ChangeDone done;
    gpointer user;
    Change change;
} ChangeUser;

static void
question_free(gpointer data)
{
    ChangeQuestion *question = data;

    change_turn_unref(question->change.turn);
    virt_question_done(&question->base);
    g_free(question);
}

static void
user_free(gpointer data)
{
    change_turn_unref(((ChangeUser *)data)->change.turn);
    g_free(data);
}

static void
outcome_free(gpointer data)
{
    change_outcome_clear(data);
    g_free(data);
}

/* On a connection that may break at any time: what failed because of that will be tried again. */
static void
change_on(virConnectPtr conn, const Change *wish, ChangeOutcome *outcome)
{
    *outcome = (ChangeOutcome){ CHANGE_FAILED, VALUE_UNKNOWN, NULL };
    change(conn, wish, outcome);
    if (outcome->result == CHANGE_FAILED && virConnectIsAlive(conn) != 1)
        outcome->result = CHANGE_BUSY;
}

static gpointer
change_work(gpointer data, GError **error)
{
    ChangeQuestion *question = data;
    virConnectPtr conn;
    ChangeOutcome *outcome;

    if (question->change.turn && !change_turn_begin(question->change.turn))
        return g_new0(ChangeOutcome, 1); /* nobody asks any more */
    conn = virt_question_conn(&question->base, error);
    if (!conn)
        return NULL;
    outcome = g_new(ChangeOutcome, 1);
    change_on(conn, &question->change, outcome);
    return outcome;
}

static void
change_done(gpointer output, const GError *error, gpointer data)
{
    ChangeUser *asked = data;
    ChangeTurn *turn = asked->change.turn;
    ChangeOutcome *outcome = output;
    ChangeOutcome away = { CHANGE_BUSY, VALUE_UNKNOWN, NULL };

    if (!outcome)
        away.detail = g_strdup(error->message);
    if (!turn || !change_turn_is_withdrawn(turn))
        asked->done(&asked->change, outcome ? outcome : &away, asked->user);
    user_free(asked);
    change_outcome_clear(&away);
    if (outcome)
        outcome_free(outcome);
}

static const WorkerJob change_job = { change_work, question_free, outcome_free, user_free,
                                      change_done };

bool
change_ask(VirtConn *conn, const Change *wish, ChangeDone done, gpointer user)
{
    ChangeQuestion *question = g_new0(ChangeQuestion, 1);
    ChangeUser *asked = g_new(ChangeUser, 1);

    *asked = (ChangeUser){ done, user, *wish };
    asked->change.turn = change_turn_ref(wish->turn);
    question->change = *wish;
    question->change.turn = change_turn_ref(wish->turn);
    if (conn && virt_conn_push(conn, &change_job, &question->base, asked))
        return true; /* the job owns both from here */
    question_free(question);
    user_free(asked);
    return false;
}

/* --- all at once, without an agent ------------------------------------------------------ */

/* A job of its own has no loop to live on: it is told where its results go. */
typedef struct {
    ChangeDone done;
    gpointer user;         /* for done */
    const GArray *changes; /* borrowed */
    GError **error;        /* borrowed; where a failure goes */
    bool ok;               /* all have been tried */
} Batch;

typedef struct {
    VirtQuestion base;
    GArray *changes; /* owned; Change */
} BatchQuestion;

static void
batch_free(gpointer data)
{
    BatchQuestion *question = data;

    g_array_unref(question->changes);
    virt_question_done(&question->base);
    g_free(question);
}

static void
outcomes_free(gpointer data)
{
    g_array_unref(data);
}

static void
clear_outcome(gpointer data)
{
    change_outcome_clear(data);
}

static gpointer
batch_work(gpointer data, GError **error)
{
    BatchQuestion *question = data;
    virConnectPtr conn = virt_question_conn(&question->base, error);
    GArray *outcomes;

    if (!conn)
        return NULL;
    outcomes = g_array_new(FALSE, TRUE, sizeof(ChangeOutcome));
    g_array_set_clear_func(outcomes, clear_outcome);
    g_array_set_size(outcomes, question->changes->len);
    for (guint i = 0; i < question->changes->len; i++)
        change_on(conn, &g_array_index(question->changes, Change, i),
                  &g_array_index(outcomes, ChangeOutcome, i));
    return outcomes;
}

static void
batch_done(gpointer output, const GError *error, gpointer data)
{
    g_autoptr(GArray) outcomes = output;
    Batch *batch = data;

    if (!outcomes) {
        g_propagate_error(batch->error, g_error_copy(error));
        return;
    }
    for (guint i = 0; i < outcomes->len; i++)
        batch->done(&g_array_index(batch->changes, Change, i),
                    &g_array_index(outcomes, ChangeOutcome, i), batch->user);
    batch->ok = true;
}

static const WorkerJob batch_job = { batch_work, batch_free, outcomes_free, NULL, batch_done };

bool
change_all_now(const ChangeBatch *wishes, ChangeDone done, gpointer user, GError **error)
{
    Worker *worker = worker_new();
    Batch batch = { done, user, wishes->changes, error, false };
    BatchQuestion *question = g_new0(BatchQuestion, 1);
    bool answered;

    question->base.uri = g_strdup(wishes->uri);
    question->changes = g_array_copy(wishes->changes);
    worker_push(worker, &batch_job, question, &batch);
    answered = worker_drain(worker, wishes->limit_us);
    worker_free(worker);
    if (!answered)
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_VIRT, "%s has not answered in time",
                    wishes->uri);
    return batch.ok;
}
