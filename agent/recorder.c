/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recorder.c - between the loop, which must never wait, and a disk that may take its time
 *
 * The loop samples the ledger every few seconds, and a moment after a domain has started, so that
 * its time counts nearly from its start; what it had last counts until its end. A minute that has
 * ended goes to a worker thread with all that is waiting; what it could not write comes back and
 * waits for the next minute. Only one such job is under way, so a disk that hangs costs one thread,
 * and minutes wait in memory, an hour of them at most. Then the oldest are dropped, and counted.
 *
 * The database belongs to the jobs, which run one after the other. The last job closes it, in the
 * thread, because that waits for the disk too. If it is stuck when the agent ends, it is left
 * behind: SQLite's log makes the next start whole.
 *
 * Each failure is logged when it is new, not every minute that it lasts.
 */
#include "agent/recorder.h"
#include "agent/agent.h"
#include "agent/config.h"
#include "agent/log_event.h"
#include "agent/report/ledger_grain.h"
#include "agent/virt/worker.h"

#include <inttypes.h>

/* Distance of the samples: an agent that is killed loses this, and the minute under way. */
#define SAMPLE_MS 10000
/* From the start of a domain to its first sample; its process has been found by then. */
#define START_SAMPLE_MS 2000
/* Minutes that wait for the disk at most. */
#define WAITING_MAX 60
/* How long the end of the agent waits for the disk, twice. */
#define DRAIN_US 1000000

struct Recorder {
    Agent *agent;        /* borrowed */
    Worker *worker;      /* owned */
    History *history;    /* the jobs' own; the last of them closes it */
    HistoryMeter *meter; /* owned */
    HistoryClock now;    /* of the last sample */
    GQueue waiting;      /* owned; of HistoryBatch, owned, oldest first */
    guint timer;         /* GSource of the next sample */
    guint soon;          /* GSource of a sample because of a start; 0: none */
    bool is_writing;     /* a job is under way */
    bool is_recording;   /* the last job could write */
    char *failure;       /* owned; of the last job; NULL: none */
    char *note;          /* owned; what was last found damaged or gone; NULL: nothing */
    uint64_t size_bytes; /* of the database after the last job */
    uint64_t lost;       /* minutes dropped */
    uint64_t written_us; /* CLOCK_MONOTONIC of the last minute written; 0: none */
};

/* A job that writes: what there is to do goes in, what is left comes back. */
typedef struct {
    History *history;     /* borrowed; owned if is_last, until it is closed */
    bool is_last;         /* closes the history */
    HistoryLimits limits; /* of the whole */
    int64_t now_s;        /* for pruning; 0: the clock is not to be trusted */
    GQueue *batches;      /* owned; of HistoryBatch */
} Writing;

typedef struct {
    GQueue *left;        /* owned; of HistoryBatch: what could not be written */
    guint written;       /* minutes that were */
    char *failure;       /* owned; NULL: none */
    char *note;          /* owned; what was found damaged or gone; NULL: nothing */
    uint64_t size_bytes; /* of the database; 0: it is not open */
} Written;

/* A job that reads. */
typedef struct {
    History *history;   /* borrowed */
    HistoryQuery query; /* its text is word */
    char *word;         /* owned; NULL: the host */
} Question;

/* Who waits for it. */
typedef struct {
    RecorderDone done;   /* called once */
    gpointer user;       /* owned until done is called */
    GDestroyNotify drop; /* of user */
} Asker;

static void
free_batches(GQueue *batches)
{
    if (batches)
        g_queue_free_full(batches, (GDestroyNotify)history_batch_free);
}

static void
writing_free(gpointer data)
{
    Writing *writing = data;

    if (writing->is_last)
        history_free(writing->history);
    free_batches(writing->batches);
    g_free(writing);
}

static void
written_free(gpointer data)
{
    Written *written = data;

    free_batches(written->left);
    g_free(written->failure);
    g_free(written->note);
    g_free(written);
}

static bool
write_oldest(const Writing *writing, GError **error)
{
    g_autoptr(HistoryBatch) batch = g_queue_pop_head(writing->batches);

    if (history_write(writing->history, batch, &writing->limits, error))
        return true;
    g_queue_push_head(writing->batches, g_steal_pointer(&batch));
    return false;
}

/* In the thread. */
static gpointer
write_all(gpointer input, GError **unused)
{
    Writing *writing = input;
    Written *written = g_new0(Written, 1);
    g_autoptr(GError) error = NULL;
    bool works = history_open(writing->history, &error);

    (void)unused;
    if (works)
        works = history_prune(writing->history, &writing->limits, writing->now_s, &error);
    while (works && !g_queue_is_empty(writing->batches)) {
        works = write_oldest(writing, &error);
        written->written += works;
    }
    written->left = g_steal_pointer(&writing->batches);
    written->failure = error ? g_strdup(error->message) : NULL;
    written->note = history_take_note(writing->history);
    written->size_bytes = history_size_bytes(writing->history);
    if (writing->is_last)
        g_clear_pointer(&writing->history, history_free);
    return written;
}

static void
tell(Recorder *recorder, Written *written)
{
    if (written->note) {
        log_warning("%s", written->note);
        g_free(recorder->note);
        recorder->note = g_steal_pointer(&written->note);
    }
    if (written->failure && g_strcmp0(written->failure, recorder->failure) != 0)
        log_event(LOG_EVENT_HISTORY_DOWN, "no history is written for now: %s", written->failure);
    if (!written->failure && recorder->failure)
        log_info("the history is written again");
    g_free(recorder->failure);
    recorder->failure = g_steal_pointer(&written->failure);
    recorder->is_recording = recorder->failure == NULL;
}

static void
drop_oldest(Recorder *recorder)
{
    while (recorder->waiting.length > WAITING_MAX) {
        history_batch_free(g_queue_pop_head(&recorder->waiting));
        recorder->lost++;
    }
}

/* What could not be written is older than what has come to wait since. */
static void
take_back(Recorder *recorder, Written *written)
{
    HistoryBatch *batch;

    while ((batch = g_queue_pop_tail(written->left)) != NULL)
        g_queue_push_head(&recorder->waiting, batch);
    drop_oldest(recorder);
}

static void
writing_done(gpointer output, const GError *error, gpointer user)
{
    Recorder *recorder = user;
    Written *written = output;

    (void)error;
    recorder->is_writing = false;
    recorder->size_bytes = written->size_bytes;
    if (written->written > 0)
        recorder->written_us = (uint64_t)g_get_monotonic_time();
    tell(recorder, written);
    take_back(recorder, written);
    written_free(written);
}

static const WorkerJob writing_job = {
    .work = write_all,
    .free_input = writing_free,
    .free_output = written_free,
    .done = writing_done,
};

HistoryLimits
recorder_limits(const Agent *agent)
{
    const Conf *conf = agent->conf;

    return (HistoryLimits){
        .keep_s = { [HISTORY_MINUTE] = (int64_t)conf->keep_minutes * 3600,
                    [HISTORY_HOUR] = (int64_t)conf->keep_hours * 86400,
                    [HISTORY_DAY] = (int64_t)conf->keep_days * 86400 },
        .size_bytes = conf->history_mib * 1048576,
    };
}

static void
push_writing(Recorder *recorder, bool is_last)
{
    Writing *writing = g_new0(Writing, 1);
    HistoryBatch *batch;

    writing->history = recorder->history;
    writing->is_last = is_last;
    writing->limits = recorder_limits(recorder->agent);
    if (history_meter_trusts_clock(recorder->meter, &recorder->now))
        writing->now_s = recorder->now.wall_us / 1000000;
    writing->batches = g_queue_new();
    while ((batch = g_queue_pop_head(&recorder->waiting)) != NULL)
        g_queue_push_tail(writing->batches, batch);
    recorder->is_writing = true;
    worker_push(recorder->worker, &writing_job, writing, recorder);
}

static void
keep(Recorder *recorder, HistoryBatch *batch)
{
    if (batch)
        g_queue_push_tail(&recorder->waiting, batch);
    drop_oldest(recorder);
}

/* Records of other programs have times that do not fit then, and so does the history. */
static void
tell_step(const Recorder *recorder)
{
    int64_t step_us = history_meter_step_us(recorder->meter);

    if (step_us != 0)
        log_warning("the wall clock has jumped by %+" PRId64
                    " s: it was set, or the host was suspended",
                    step_us / G_USEC_PER_SEC);
}

static void
sample(Recorder *recorder)
{
    Agent *agent = recorder->agent;
    g_auto(Ledger) ledger = { 0 };
    HistoryBatch *batch;

    ledger_read(&agent->host_facts, &agent->domains, &ledger);
    ledger_coarsen(&ledger, agent->conf->grain_kib * 1024);
    recorder->now = (HistoryClock){ (uint64_t)g_get_monotonic_time(), (int64_t)g_get_real_time() };
    batch = history_meter_sample(recorder->meter, &ledger, &recorder->now);
    tell_step(recorder);
    keep(recorder, batch);
    if (batch && !recorder->is_writing)
        push_writing(recorder, false);
}

static gboolean
on_timer(gpointer data)
{
    sample(data);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_soon(gpointer data)
{
    Recorder *recorder = data;

    recorder->soon = 0;
    sample(recorder);
    return G_SOURCE_REMOVE;
}

/* A start that is news ends the one before it, whose end nobody has told. */
static void
on_event(const SeenEvent *seen, gpointer user)
{
    Recorder *recorder = user;

    if (seen->is_news && seen->event.uuid &&
        (seen->event.kind == EVENT_CREATED || seen->event.kind == EVENT_DESTROYED))
        history_meter_leave(recorder->meter, seen->event.uuid, (uint64_t)g_get_monotonic_time());
    if (seen->event.kind == EVENT_CREATED && recorder->soon == 0)
        recorder->soon = g_timeout_add(START_SAMPLE_MS, on_soon, recorder);
}

const char *
recorder_absence(void)
{
    return HAVE_SQLITE ? "[history] enable is false" : "this virtksmd was built without SQLite";
}

Recorder *
recorder_open(Agent *agent)
{
    Recorder *recorder;

    if (!HAVE_SQLITE) {
        log_info("no history is kept: %s", recorder_absence());
        return NULL;
    }
    recorder = g_new0(Recorder, 1);
    recorder->agent = agent;
    recorder->worker = worker_new();
    recorder->history = history_new(agent->options.state_dir);
    recorder->meter = history_meter_new();
    g_queue_init(&recorder->waiting);
    recorder->timer = g_timeout_add(SAMPLE_MS, on_timer, recorder);
    event_watch(&agent->events, on_event, recorder);
    sample(recorder);
    push_writing(recorder, false); /* opens the database, and says what is wrong with it */
    return recorder;
}

void
recorder_close(Recorder *recorder)
{
    if (!recorder)
        return;
    event_unwatch(&recorder->agent->events, recorder);
    g_clear_handle_id(&recorder->timer, g_source_remove);
    g_clear_handle_id(&recorder->soon, g_source_remove);
    worker_drain(recorder->worker, DRAIN_US);
    sample(recorder);
    keep(recorder, history_meter_end(recorder->meter));
    push_writing(recorder, true);
    if (!worker_drain(recorder->worker, DRAIN_US))
        log_warning("the disk is slow: the last minutes of the history may be missing");
    worker_free(recorder->worker);
    history_meter_free(recorder->meter);
    g_queue_clear_full(&recorder->waiting, (GDestroyNotify)history_batch_free);
    g_free(recorder->failure);
    g_free(recorder->note);
    g_free(recorder);
}

RecorderStatus
recorder_status(const Recorder *recorder)
{
    return (RecorderStatus){
        .is_recording = recorder->is_recording,
        .detail = recorder->failure ? recorder->failure : recorder->note,
        .size_bytes = recorder->size_bytes > 0 ? recorder->size_bytes : VALUE_UNKNOWN,
        .waiting = recorder->waiting.length,
        .lost = recorder->lost,
        .written_us = recorder->written_us,
    };
}

static void
question_free(gpointer data)
{
    Question *question = data;

    g_free(question->word);
    g_free(question);
}

static void
asker_free(gpointer data)
{
    Asker *asker = data;

    asker->drop(asker->user);
    g_free(asker);
}

/* In the thread. */
static gpointer
answer(gpointer input, GError **error)
{
    const Question *question = input;
    HistoryAnswer *found = NULL;

    history_query(question->history, &question->query, &found, error);
    return found;
}

static void
question_done(gpointer output, const GError *error, gpointer user)
{
    g_autofree Asker *asker = user;

    asker->done(output, error, asker->user);
}

static const WorkerJob question_job = {
    .work = answer,
    .free_input = question_free,
    .free_output = (GDestroyNotify)history_answer_free,
    .free_user = asker_free,
    .done = question_done,
};

void
recorder_query(Recorder *recorder, const HistoryQuery *query, RecorderDone done, gpointer user,
               GDestroyNotify drop)
{
    Question *question;
    Asker *asker;

    question = g_new0(Question, 1);
    question->history = recorder->history;
    question->query = *query;
    question->word = g_strdup(query->domain);
    question->query.domain = question->word;
    asker = g_new(Asker, 1);
    *asker = (Asker){ done, user, drop };
    worker_push(recorder->worker, &question_job, question, asker);
}
