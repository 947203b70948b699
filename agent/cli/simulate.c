/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * simulate.c - "virtksm simulate": the policy library on a recorded trace
 *
 * With the recorded settings every plan must come out as it was recorded. With others the plans
 * tell what would have been decided on these facts; the facts themselves stay as they were, for
 * nobody knows what KSM would have made of the other plan.
 */
#define _GNU_SOURCE
#include "agent/cli/command.h"
#include "agent/cli/csv.h"
#include "agent/cli/result.h"
#include "agent/cli/simulate_moves.h"
#include "agent/cli/table.h"
#include "agent/cli/text.h"
#include "agent/conf.h"
#include "agent/message.h"
#include "agent/trace/trace_reader.h"
#include "agent/trace/trace_replay.h"
#include "proto/trace.pb-c.h"

#include <inttypes.h>

/* More steps than anybody reads; those behind are in the sums. */
#define STEPS_MAX 100000

/* One configuration on its way through the trace. */
typedef struct {
    const char *name;               /* borrowed; of the plan */
    const PolicyConf *conf;         /* borrowed; NULL: the recorded one */
    TraceReplay *replay;            /* owned */
    SimulateMoves *moves;           /* owned */
    Virtksm__V1__SimulatedSum *sum; /* owned by the result */
    KsmPlan last;                   /* the plan before this one */
    uint64_t last_us;               /* when it was made; 0: there was none */
} Runner;

typedef struct {
    Virtksm__V1__Simulation *result; /* owned */
    GPtrArray *steps;                /* owned; of SimulatedStep, which go into the result */
    GPtrArray *moves;                /* owned; of SimulatedMove, which go into the result */
    Runner runners[2];               /* with the recorded settings, and with others */
    size_t n_runners;                /* 1 or 2 */
    uint64_t first_us;               /* CLOCK_MONOTONIC of the first decision */
    uint64_t first_cpu_us;           /* ksmd's run time then */
} Simulator;

static void
simulator_done(Simulator *simulator)
{
    for (size_t i = 0; i < simulator->n_runners; i++) {
        simulate_moves_free(simulator->runners[i].moves);
        trace_replay_free(simulator->runners[i].replay);
    }
    g_clear_pointer(&simulator->steps, g_ptr_array_unref);
    g_clear_pointer(&simulator->moves, g_ptr_array_unref);
    if (simulator->result)
        virtksm__v1__simulation__free_unpacked(simulator->result, NULL);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Simulator, simulator_done)

/* --- one decision ------------------------------------------------------------------------- */

static uint64_t *
phase_time(Virtksm__V1__SimulatedSum *sum, KsmPhase phase)
{
    switch (phase) {
    case KSM_PHASE_BURST:
        return &sum->burst_us;
    case KSM_PHASE_SETTLE:
        return &sum->settle_us;
    case KSM_PHASE_MAINTAIN:
        return &sum->maintain_us;
    case KSM_PHASE_REST:
        return &sum->rest_us;
    default:
        return &sum->other_us;
    }
}

static void
add_up(Runner *runner, const KsmPlan *plan, uint64_t now_us)
{
    uint64_t span_us = runner->last_us > 0 ? sat_sub(now_us, runner->last_us) : 0;

    *phase_time(runner->sum, runner->last.phase) += span_us;
    runner->sum->granted_cpu_us += mul_div(span_us, runner->last.duty_bp, BP_ONE);
    if (plan->duty_bp > 0 && runner->last.duty_bp == 0)
        runner->sum->passes++;
}

/* Single steps of a pass are not told. */
static bool
is_news(const Runner *runner, const KsmPlan *plan)
{
    const KsmPlan *last = &runner->last;

    return runner->last_us == 0 || plan->phase != last->phase || plan->reason != last->reason ||
           plan->knobs.run != last->knobs.run || plan->knobs.smart_scan != last->knobs.smart_scan ||
           (plan->duty_bp > 0) != (last->duty_bp > 0);
}

static void
add_step(Simulator *simulator, const Runner *runner, const KsmPlan *plan, const HostSample *host)
{
    Virtksm__V1__SimulatedStep *step;

    if (simulator->steps->len >= STEPS_MAX)
        return;
    step = g_new(Virtksm__V1__SimulatedStep, 1);
    virtksm__v1__simulated_step__init(step);
    MESSAGE_SET(step, time_us, sat_sub(host->now_us, simulator->first_us));
    step->plan = g_strdup(runner->name);
    step->phase = g_strdup(ksm_phase_name(plan->phase));
    step->reason = g_strdup(reason_name(plan->reason));
    step->why = g_strdup(reason_text(plan->reason));
    MESSAGE_SET_KNOWN(step, run, plan->knobs.run);
    MESSAGE_SET_KNOWN(step, pages_to_scan, plan->knobs.pages_to_scan);
    MESSAGE_SET_KNOWN(step, sleep_millisecs, plan->knobs.sleep_ms);
    MESSAGE_SET_KNOWN(step, smart_scan, plan->knobs.smart_scan);
    MESSAGE_SET(step, duty_bp, plan->duty_bp);
    MESSAGE_SET(step, debt_pages, plan->debt_pages);
    if (is_known(host->ksmd_cpu_us) && is_known(simulator->first_cpu_us))
        MESSAGE_SET(step, ksmd_cpu_us, sat_sub(host->ksmd_cpu_us, simulator->first_cpu_us));
    if (is_known(host->ksm.pages_sharing))
        MESSAGE_SET(step, saved_pages, ksm_saved_pages(&host->ksm));
    g_ptr_array_add(simulator->steps, step);
}

static void
compare(Simulator *simulator, const TraceMoment *moment, const Plan *plan)
{
    Virtksm__V1__Simulation *result = simulator->result;
    const char *name = trace_replay_difference(plan, moment->plan, moment->sample->n);

    if (!name)
        return;
    if (result->differing++ == 0)
        result->first_difference =
            g_strdup_printf("%s, in decision %" PRIu64, name, result->decisions);
}

static void
decide(Simulator *simulator, const TraceMoment *moment)
{
    const HostSample *host = &moment->sample->host;

    simulator->result->decisions++;
    simulator->result->lost = sat_add(simulator->result->lost, moment->lost);
    if (simulator->result->decisions == 1) {
        simulator->first_us = host->now_us;
        simulator->first_cpu_us = host->ksmd_cpu_us;
    }
    MESSAGE_SET(simulator->result, duration_us, sat_sub(host->now_us, simulator->first_us));
    for (size_t i = 0; i < simulator->n_runners; i++) {
        Runner *runner = &simulator->runners[i];
        const Plan *plan = trace_replay_decide(runner->replay, runner->conf, moment);

        if (!runner->conf)
            compare(simulator, moment, plan);
        add_up(runner, &plan->ksm, host->now_us);
        simulate_moves_add(runner->moves, sat_sub(host->now_us, simulator->first_us), plan,
                           moment->sample->n, simulator->moves);
        if (is_news(runner, &plan->ksm))
            add_step(simulator, runner, &plan->ksm, host);
        runner->last = plan->ksm;
        runner->last_us = MAX(host->now_us, 1);
    }
}

/* --- all of them -------------------------------------------------------------------------- */

static void
add_runner(Simulator *simulator, const char *name, const PolicyConf *conf)
{
    Virtksm__V1__SimulatedSum *sum = simulator->result->sums[simulator->n_runners];

    sum->plan = g_strdup(name);
    simulator->runners[simulator->n_runners++] = (Runner){ .name = name,
                                                           .conf = conf,
                                                           .replay = trace_replay_new(),
                                                           .moves = simulate_moves_new(name, sum),
                                                           .sum = sum };
}

static void
prepare(Simulator *simulator, const char *name, const PolicyConf *conf)
{
    size_t n = conf ? 2 : 1;

    simulator->result = g_new(Virtksm__V1__Simulation, 1);
    virtksm__v1__simulation__init(simulator->result);
    simulator->result->has_decisions = TRUE;
    simulator->result->has_lost = TRUE;
    simulator->result->has_differing = TRUE;
    simulator->result->n_sums = n;
    simulator->result->sums = g_new(Virtksm__V1__SimulatedSum *, n);
    for (size_t i = 0; i < n; i++) {
        Virtksm__V1__SimulatedSum *sum = g_new(Virtksm__V1__SimulatedSum, 1);

        virtksm__v1__simulated_sum__init(sum);
        sum->has_burst_us = sum->has_settle_us = sum->has_maintain_us = sum->has_rest_us = TRUE;
        sum->has_other_us = sum->has_passes = sum->has_granted_cpu_us = TRUE;
        simulator->result->sums[i] = sum;
    }
    simulator->steps = g_ptr_array_new();
    simulator->moves = g_ptr_array_new();
    add_runner(simulator, "recorded", NULL);
    if (conf)
        add_runner(simulator, name, conf);
}

static void
finish(Simulator *simulator, const TraceReader *reader)
{
    Virtksm__V1__Simulation *result = simulator->result;

    result->agent_version = g_strdup(trace_reader_version(reader));
    result->missing = g_strdup(trace_reader_missing(reader));
    result->n_steps = simulator->steps->len;
    result->steps =
        (Virtksm__V1__SimulatedStep **)g_ptr_array_free(g_steal_pointer(&simulator->steps), FALSE);
    result->n_moves = simulator->moves->len;
    result->moves =
        (Virtksm__V1__SimulatedMove **)g_ptr_array_free(g_steal_pointer(&simulator->moves), FALSE);
}

static bool
run_trace(Simulator *simulator, const char *path, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, &reason);
    g_autoptr(TraceReader) reader = NULL;
    TraceMoment moment;
    TraceResult read = TRACE_BAD;

    if (file)
        reader = trace_reader_new((const uint8_t *)g_mapped_file_get_contents(file),
                                  g_mapped_file_get_length(file), &reason);
    while (reader && (read = trace_reader_next(reader, &moment, &reason)) == TRACE_MOMENT)
        decide(simulator, &moment);
    if (read == TRACE_BAD || (read == TRACE_CUT && simulator->result->decisions == 0)) {
        g_set_error(error, CLI_ERROR, CLI_FAILED, "%s: %s", path, reason->message);
        return false;
    }
    if (read == TRACE_CUT)
        simulator->result->cut = g_strdup(reason->message);
    finish(simulator, reader);
    return true;
}

/* --- print -------------------------------------------------------------------------------- */

static char *
seconds_text(uint64_t us)
{
    return g_strdup_printf("%" PRIu64 ".%03" PRIu64, us / 1000000, us / 1000 % 1000);
}

static void
table_seconds(Table *table, bool known, uint64_t us)
{
    g_autofree char *text = known ? seconds_text(us) : NULL;

    table_text(table, text);
}

static char *
knob_text(bool known, uint64_t value)
{
    return known ? g_strdup_printf("%" PRIu64, value) : g_strdup("as is");
}

static void
append_steps(GString *out, const Virtksm__V1__Simulation *result)
{
    static const TableColumn columns[] = {
        { "TIME", TABLE_RIGHT, 0 },  { "PLAN", TABLE_LEFT, 0 },  { "PHASE", TABLE_LEFT, 0 },
        { "REASON", TABLE_LEFT, 0 }, { "RUN", TABLE_RIGHT, 0 },  { "SMART", TABLE_RIGHT, 0 },
        { "DUTY", TABLE_RIGHT, 0 },  { "DEBT", TABLE_RIGHT, 0 }, { "KSMD CPU", TABLE_RIGHT, 0 },
        { "SAVED", TABLE_RIGHT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

    for (size_t i = 0; i < result->n_steps; i++) {
        const Virtksm__V1__SimulatedStep *step = result->steps[i];
        g_autofree char *run = knob_text(step->has_run, step->run);
        g_autofree char *smart = knob_text(step->has_smart_scan, step->smart_scan);
        g_autofree char *duty = text_percent(step->duty_bp, BP_ONE);

        table_seconds(table, step->has_time_us, step->time_us);
        table_text(table, step->plan);
        table_text(table, step->phase);
        table_text(table, step->reason);
        table_text(table, run);
        table_text(table, smart);
        table_text(table, duty);
        table_count(table, step->has_debt_pages, step->debt_pages);
        table_seconds(table, step->has_ksmd_cpu_us, step->ksmd_cpu_us);
        table_count(table, step->has_saved_pages, step->saved_pages);
    }
    table_append_to(table, out);
}

static void
append_sums(GString *out, const Virtksm__V1__Simulation *result)
{
    static const TableColumn columns[] = {
        { "PLAN", TABLE_LEFT, 0 },      { "BURST", TABLE_RIGHT, 0 },   { "SETTLE", TABLE_RIGHT, 0 },
        { "MAINTAIN", TABLE_RIGHT, 0 }, { "REST", TABLE_RIGHT, 0 },    { "OTHER", TABLE_RIGHT, 0 },
        { "PASSES", TABLE_RIGHT, 0 },   { "GRANTED", TABLE_RIGHT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

    for (size_t i = 0; i < result->n_sums; i++) {
        const Virtksm__V1__SimulatedSum *sum = result->sums[i];

        table_text(table, sum->plan);
        table_seconds(table, true, sum->burst_us);
        table_seconds(table, true, sum->settle_us);
        table_seconds(table, true, sum->maintain_us);
        table_seconds(table, true, sum->rest_us);
        table_seconds(table, true, sum->other_us);
        table_count(table, true, sum->passes);
        table_seconds(table, true, sum->granted_cpu_us);
    }
    g_string_append_c(out, '\n');
    table_append_to(table, out);
}

static void
append_verdict(GString *out, const Virtksm__V1__Simulation *result)
{
    g_autofree char *version = text_escape(result->agent_version);

    g_string_append_printf(out, "\n%" PRIu64 " decisions of virtksmd %s, %" PRIu64 " lost.\n",
                           result->decisions, version, result->lost);
    if (result->cut)
        g_string_append_printf(out, "It is not whole: %s.\n", result->cut);
    if (result->missing)
        g_string_append_printf(out, "%s was not recorded: plans may differ.\n", result->missing);
    if (result->differing == 0)
        g_string_append(out, "With the recorded settings every plan is as it was recorded.\n");
    if (result->n_sums > 1)
        g_string_append(out, "The facts are as recorded: they do not answer to the other plan.\n");
}

static void
append_table(const Cli *cli, const ProtobufCMessage *message, GString *out)
{
    const Virtksm__V1__Simulation *result = (const Virtksm__V1__Simulation *)message;

    (void)cli;
    append_steps(out, result);
    append_sums(out, result);
    simulate_moves_append(out, result);
    append_verdict(out, result);
}

static void
append_csv(const ProtobufCMessage *message, GString *out)
{
    const Virtksm__V1__Simulation *result = (const Virtksm__V1__Simulation *)message;

    csv_append_header(out, NULL, &virtksm__v1__simulated_step__descriptor);
    for (size_t i = 0; i < result->n_steps; i++)
        csv_append_row(out, NULL, &result->steps[i]->base);
}

bool
simulate_run(const Cli *cli, GError **error)
{
    static const ResultPrinter printer = { append_table, append_csv };
    g_auto(Simulator) simulator = { 0 };
    g_autoptr(GError) reason = NULL;
    g_autoptr(Conf) conf = NULL;
    const char *path = cli_option(cli, "config");

    if (path && !conf_load(path, &conf, &reason)) {
        g_set_error(error, CLI_ERROR, CLI_USAGE, "%s", reason->message);
        return false;
    }
    prepare(&simulator, path, conf ? &conf->policy : NULL);
    if (!run_trace(&simulator, cli->argument, error) ||
        !result_print(cli, &simulator.result->base, &printer, error))
        return false;
    if (simulator.result->differing == 0)
        return true;
    g_set_error(error, CLI_ERROR, CLI_FAILED,
                "%s: %" PRIu64 " plans are not as they were recorded, first %s", cli->argument,
                simulator.result->differing, simulator.result->first_difference);
    return false;
}
