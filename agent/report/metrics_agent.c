/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_agent.c - the metrics of the agent itself: whether it lives, what it does and why
 *
 * To add one, add a row to the table and a getter above it. A state is a set of series, one for
 * each state there is, of which one is 1: so an expression can name the state, and no series comes
 * and goes.
 */
#include "agent/agent.h"
#include "agent/config.h"
#include "agent/report/metrics_row.h"
#include "agent/report/metrics_tenancy.h"
#include "agent/report/metrics_text.h"
#include "agent/source/source.h"

#include <math.h>

static double
ratio(uint64_t bp)
{
    return metrics_known(bp) / BP_ONE;
}

static void
list_build(const MetricsView *view, MetricsSamples *samples)
{
    (void)view;
    metrics_samples_word(samples, "version", VIRTKSM_VERSION, 1);
}

/* --- life --- */

static double
get_heartbeat(const MetricsView *view)
{
    return metrics_moment(view, view->agent->tick.decided_us);
}

static double
get_start(const MetricsView *view)
{
    return metrics_moment(view, view->agent->started_us);
}

static double
get_late(const MetricsView *view)
{
    return (double)view->agent->tick.late;
}

static double
get_reaction(const MetricsView *view)
{
    return view->agent->tick.reaction_us > 0 ? metrics_seconds(view->agent->tick.reaction_us) : NAN;
}

static void
list_tick_times(const MetricsView *view, MetricsSamples *samples)
{
    const TickTimes *times = &view->agent->tick.times;
    uint64_t total = 0;

    for (size_t i = 0; i <= TICK_BOUNDS; i++) {
        g_autofree char *bound =
            i < TICK_BOUNDS ? g_strdup_printf("%g", tick_bounds_us[i] / 1e6) : g_strdup("+Inf");
        g_autoptr(GString) labels = g_string_new(NULL);

        total += times->counts[i];
        metrics_text_label(labels, "le", bound);
        metrics_samples_add(samples, "_bucket", labels->str, (double)total);
    }
    metrics_samples_add(samples, "_sum", "", metrics_seconds(times->sum_us));
    metrics_samples_add(samples, "_count", "", (double)total);
}

static double
get_bad_reloads(const MetricsView *view)
{
    return (double)view->agent->bad_reloads;
}

/* --- decisions --- */

static void
list_decisions(const MetricsView *view, MetricsSamples *samples)
{
    for (Reason reason = 0; reason < REASON_COUNT; reason++)
        metrics_samples_word(samples, "reason", reason_name(reason),
                             (double)view->agent->tick.reasons[reason]);
}

static void
list_mode(const MetricsView *view, MetricsSamples *samples)
{
    for (unsigned mode = 0; mode < KSM_MODE_COUNT; mode++)
        metrics_samples_word(samples, "mode", ksm_mode_words[mode],
                             view->agent->conf->policy.mode == mode);
}

static void
list_phase(const MetricsView *view, MetricsSamples *samples)
{
    for (KsmPhase phase = 0; phase < KSM_PHASE_COUNT; phase++)
        metrics_samples_word(samples, "phase", ksm_phase_name(phase),
                             view->agent->plan.ksm.phase == phase);
}

/* None is 1 before the first decision. */
static void
list_memory_level(const MetricsView *view, MetricsSamples *samples)
{
    const HostPlan *plan = &view->agent->plan.host;

    for (MemoryLevel level = 0; level < MEMORY_LEVEL_COUNT; level++)
        metrics_samples_word(samples, "level", memory_level_name(level),
                             plan->reason != REASON_NONE && plan->level == level);
}

static void
list_working_sets(const MetricsView *view, MetricsSamples *samples)
{
    g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) domains = domain_table_sorted(&view->agent->domains);
    GHashTableIter iter;
    gpointer backend;
    gpointer count;

    for (guint i = 0; i < domains->len; i++) {
        const WorkingSetReport *report = ((Domain *)g_ptr_array_index(domains, i))->working_set;
        gpointer name = (gpointer)(gsize)(report ? report->backend : NULL);

        if (name)
            g_hash_table_insert(
                counts, name,
                GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(counts, name)) + 1));
    }
    g_hash_table_iter_init(&iter, counts);
    while (g_hash_table_iter_next(&iter, &backend, &count))
        metrics_samples_word(samples, "backend", backend, GPOINTER_TO_UINT(count));
}

static double
get_measuring(const MetricsView *view)
{
    const Measure *measure = &view->agent->measure;

    return measure->rotation ? (double)measure_spent_us(measure) / 1e6 : NAN;
}

static double
get_measuring_budget(const MetricsView *view)
{
    const Measure *measure = &view->agent->measure;

    return measure->rotation ? (double)measure->setup.share_bp / BP_ONE : NAN;
}

static double
get_wanted(const MetricsView *view)
{
    const HostPlan *plan = &view->agent->plan.host;

    return plan->reason != REASON_NONE ? (double)plan->wanted_bytes : NAN;
}

static double
get_debt(const MetricsView *view)
{
    return metrics_known(view->agent->plan.ksm.debt_pages) * view->agent->host.page_bytes;
}

static double
get_budget(const MetricsView *view)
{
    return view->agent->plan.ksm.budget_bp > 0 ? ratio(view->agent->plan.ksm.budget_bp) : NAN;
}

static double
get_page_cost(const MetricsView *view)
{
    return view->agent->plan.ksm.cost_ns > 0 ? (double)view->agent->plan.ksm.cost_ns / 1e9 : NAN;
}

/* --- ksmd and KSM --- */

static double
get_ksmd_cpu(const MetricsView *view)
{
    return metrics_seconds(view->agent->host.ksmd_cpu_us);
}

static double
get_ksmd_share(const MetricsView *view)
{
    return view->agent->ksmd_cpu_percent >= 0 ? view->agent->ksmd_cpu_percent / 100 : NAN;
}

static double
get_run(const MetricsView *view)
{
    return metrics_known(view->agent->host.knobs.run);
}

static double
get_batch(const MetricsView *view)
{
    return metrics_known(view->agent->host.knobs.pages_to_scan);
}

static double
get_sleep(const MetricsView *view)
{
    return metrics_known(view->agent->host.knobs.sleep_ms) / 1000;
}

static double
get_full_scans(const MetricsView *view)
{
    return metrics_known(view->agent->host.ksm.full_scans);
}

static double
get_scanned(const MetricsView *view)
{
    return metrics_known(view->agent->host.ksm.pages_scanned);
}

static double
get_skipped(const MetricsView *view)
{
    return metrics_known(view->agent->host.ksm.pages_skipped);
}

/* Signed, in a field that is not; all ones would be the mark of an unknown figure. */
static double
get_kernel_profit(const MetricsView *view)
{
    uint64_t profit = view->agent->host.ksm.general_profit;

    return is_known(profit) ? (double)(int64_t)profit : NAN;
}

/* --- the actuator, and others who write --- */

static void
list_actuator(const MetricsView *view, MetricsSamples *samples)
{
    KsmActuatorState now = ksm_actuator_state(&view->agent->ksm);

    for (KsmActuatorState state = 0; state < KSM_ACTUATOR_COUNT; state++)
        metrics_samples_word(samples, "state", ksm_actuator_state_name(state), now == state);
}

static double
get_foreign(const MetricsView *view)
{
    return (double)ksm_actuator_foreign(&view->agent->ksm)->count;
}

static void
list_writer(const MetricsView *view, MetricsSamples *samples)
{
    const KsmForeign *foreign = ksm_actuator_foreign(&view->agent->ksm);
    g_autoptr(GString) labels = g_string_new(NULL);

    if (foreign->count == 0 || ksm_actuator_state(&view->agent->ksm) != KSM_ACTUATOR_YIELDED)
        return;
    metrics_text_label(labels, "setting", ksm_knob_name(foreign->knob));
    metrics_text_label(labels, "writer", foreign->who ? foreign->who : "unknown");
    metrics_samples_add(samples, "", labels->str, 1);
}

/* --- sources and libvirt --- */

static void
list_source_events(const MetricsView *view, MetricsSamples *samples)
{
    size_t n;
    const Source *const *sources = source_list(&n);

    for (size_t i = 0; i < n; i++)
        metrics_samples_word(
            samples, "source", sources[i]->name,
            (double)event_hub_count(&view->agent->events, sources[i]->name).events);
}

static void
list_source_open(const MetricsView *view, MetricsSamples *samples)
{
    size_t n;
    const Source *const *sources = source_list(&n);

    for (size_t i = 0; i < n; i++) {
        const char *detail = NULL;
        SourceState state = sources[i]->state(view->agent, &detail);

        /* One that is not wanted is neither open nor failing. */
        if (state != SOURCE_CLOSED)
            metrics_samples_word(samples, "source", sources[i]->name, state == SOURCE_OPEN);
    }
}

static double
get_connected(const MetricsView *view)
{
    const char *detail = NULL;

    if (g_str_equal(view->agent->conf->uri, "none"))
        return NAN;
    return libvirt_source.state(view->agent, &detail) == SOURCE_OPEN;
}

static double
get_reconnects(const MetricsView *view)
{
    return libvirt_source_reconnects(view->agent->libvirt);
}

static double
get_domains(const MetricsView *view)
{
    return domain_table_size(&view->agent->domains);
}

/* --- the host's memory --- */

static double
get_total(const MetricsView *view)
{
    return metrics_known(view->agent->host.mem_total_bytes);
}

static double
get_available(const MetricsView *view)
{
    return metrics_known(view->agent->host.mem_available_bytes);
}

static const HostMetric rows[] = {
    { "virtksm_build_info", METRIC_GAUGE, "", "Always 1; the version of virtksmd is in its label.",
      NULL, list_build },
    { "virtksm_heartbeat_timestamp_seconds", METRIC_GAUGE, "seconds",
      "When the last decision was taken, in seconds since 1970. Decisions are at most 10 seconds "
      "apart; where this stands still, the agent does.",
      get_heartbeat, NULL },
    { "virtksm_start_timestamp_seconds", METRIC_GAUGE, "seconds",
      "When the agent started, in seconds since 1970.", get_start, NULL },
    { "virtksm_tick_duration_seconds", METRIC_HISTOGRAM, "seconds",
      "Time that a tick took: reading the processes, deciding and writing KSM's settings. What "
      "libvirt takes to answer is not in it.",
      NULL, list_tick_times },
    { "virtksm_late_ticks_total", METRIC_COUNTER, "",
      "Ticks that went without fresh figures of libvirt, because it did not answer in time.",
      get_late, NULL },
    { "virtksm_reaction_seconds", METRIC_GAUGE, "seconds",
      "Time from the last event that moved KSM to the end of the writes that it caused.",
      get_reaction, NULL },
    { "virtksm_config_reload_failures_total", METRIC_COUNTER, "",
      "Configurations that were refused at a reload; the one before was kept.", get_bad_reloads,
      NULL },
    { "virtksm_decisions_total", METRIC_COUNTER, "",
      "Decisions on KSM's settings, by the reason that virtksm explain tells.", NULL,
      list_decisions },
    { "virtksm_mode", METRIC_GAUGE, "", "1 for the mode in which KSM is driven, 0 for the others.",
      NULL, list_mode },
    { "virtksm_phase", METRIC_GAUGE, "",
      "1 for the phase that the controller of KSM is in, 0 for the others. The last four belong to "
      "mode classic.",
      NULL, list_phase },
    { "virtksm_tenancy_enforced", METRIC_GAUGE, "",
      "1 if merging of domains is switched as the rule of [tenancy] says and scanning waits for "
      "it, "
      "0 if the rule is only reported, as also where another program drives KSM.",
      metrics_tenancy_enforced, NULL },
    { "virtksm_tenancy_paused", METRIC_GAUGE, "",
      "1 while KSM stands still because a domain could be merged that must not be.",
      metrics_tenancy_paused, NULL },
    { "virtksm_tenancy_groups", METRIC_GAUGE, "",
      "Trust groups of which a domain runs; one that says none is a group of its own.",
      metrics_tenancy_groups, NULL },
    { "virtksm_tenancy_domains", METRIC_GAUGE, "", "Domains by how merging of them stands.", NULL,
      metrics_tenancy_domains },
    { "virtksm_tenancy_refused_domains", METRIC_GAUGE, "",
      "Domains that should not be merged, and that there is no memory to switch off.",
      metrics_tenancy_refused, NULL },
    { "virtksm_tenancy_start_window_seconds", METRIC_GAUGE, "seconds",
      "How long KSM went on after the QEMU of the last domain that started had begun, before it "
      "was made to stand still. 0: it stood still before.",
      metrics_tenancy_window, NULL },
    { "virtksm_memory_level", METRIC_GAUGE, "",
      "1 for how short of memory the host is (calm, tight, critical), 0 for the others.", NULL,
      list_memory_level },
    { "virtksm_memory_wanted_bytes", METRIC_GAUGE, "bytes",
      "Memory that the host wants back from its domains, beyond what is on its way.", get_wanted,
      NULL },
    { "virtksm_working_set_domains", METRIC_GAUGE, "",
      "Domains whose working set is looked at, by what it is measured with (none: there is no "
      "means).",
      NULL, list_working_sets },
    { "virtksm_working_set_cpu_seconds_total", METRIC_COUNTER, "seconds",
      "CPU time that measuring working sets has taken since the agent started.", get_measuring,
      NULL },
    { "virtksm_working_set_cpu_budget_ratio", METRIC_GAUGE, "ratio",
      "Share of one CPU that measuring working sets may take.", get_measuring_budget, NULL },
    { "virtksm_debt_bytes", METRIC_GAUGE, "bytes",
      "Debt: mergeable memory of all domains that two passes of ksmd have not covered yet.",
      get_debt, NULL },
    { "virtksm_ksmd_cpu_budget_ratio", METRIC_GAUGE, "ratio",
      "Share of one CPU that ksmd may use over any minute, now. Absent where the mode has no "
      "budget.",
      get_budget, NULL },
    { "virtksm_ksmd_cpu_ratio", METRIC_GAUGE, "ratio",
      "Share of one CPU that ksmd has used over the last half to whole minute.", get_ksmd_share,
      NULL },
    { "virtksm_ksmd_cpu_seconds_total", METRIC_COUNTER, "seconds",
      "CPU time that ksmd has used since the host booted.", get_ksmd_cpu, NULL },
    { "virtksm_page_scan_cost_seconds", METRIC_GAUGE, "seconds",
      "CPU time of ksmd for one scanned page, smoothed. Absent until it is measured.",
      get_page_cost, NULL },
    { "virtksm_ksm_run", METRIC_GAUGE, "",
      "The kernel's setting run: 0 stopped, 1 merging, 2 giving every page its own copy again.",
      get_run, NULL },
    { "virtksm_ksm_pages_to_scan", METRIC_GAUGE, "",
      "The kernel's setting pages_to_scan: pages that ksmd looks at in one batch.", get_batch,
      NULL },
    { "virtksm_ksm_sleep_seconds", METRIC_GAUGE, "seconds",
      "The kernel's setting sleep_millisecs: pause of ksmd between two batches.", get_sleep, NULL },
    { "virtksm_ksm_full_scans_total", METRIC_COUNTER, "",
      "Passes of ksmd over all memory that it may merge, since the host booted.", get_full_scans,
      NULL },
    { "virtksm_ksm_pages_scanned_total", METRIC_COUNTER, "",
      "Pages that ksmd has looked at since the host booted. Absent before Linux 6.4.", get_scanned,
      NULL },
    { "virtksm_ksm_pages_skipped_total", METRIC_COUNTER, "",
      "Pages that ksmd has passed over because they stayed unique (smart_scan), since the host "
      "booted. Absent before Linux 6.7.",
      get_skipped, NULL },
    { "virtksm_ksm_general_profit_bytes", METRIC_GAUGE, "bytes",
      "The kernel's own figure of what KSM saves less its records. Absent before Linux 6.4.",
      get_kernel_profit, NULL },
    { "virtksm_actuator_state", METRIC_GAUGE, "",
      "1 for the state of writing KSM's settings, 0 for the others: ready, or why nothing is "
      "written. In state yielded another program writes them.",
      NULL, list_actuator },
    { "virtksm_foreign_writes_total", METRIC_COUNTER, "",
      "Times that a setting of KSM was not as the agent had left it: another program writes it.",
      get_foreign, NULL },
    { "virtksm_foreign_writer_info", METRIC_GAUGE, "",
      "1 while the agent has yielded to another program; labels tell the setting that was changed "
      "and the probable program.",
      NULL, list_writer },
    { "virtksm_source_events_total", METRIC_COUNTER, "",
      "Events from each source. Registered gRPC clients are not counted here.", NULL,
      list_source_events },
    { "virtksm_source_open", METRIC_GAUGE, "",
      "1 where events come from the source, 0 where it is wanted and does not work. Absent where "
      "the configuration does not want it.",
      NULL, list_source_open },
    { "virtksm_libvirt_connected", METRIC_GAUGE, "",
      "1 while there is a connection to libvirt, 0 while it is tried again. Absent with [libvirt] "
      "uri = none.",
      get_connected, NULL },
    { "virtksm_libvirt_reconnects_total", METRIC_COUNTER, "",
      "Connections to libvirt after the first.", get_reconnects, NULL },
    { "virtksm_domains", METRIC_GAUGE, "", "Domains that run, as far as the agent knows.",
      get_domains, NULL },
    { "virtksm_host_memory_bytes", METRIC_GAUGE, "bytes",
      "Memory of the host (MemTotal) without the pool of huge pages, or the limit that all domains "
      "have in common, if that is less and reclaim is configured.",
      get_total, NULL },
    { "virtksm_host_available_bytes", METRIC_GAUGE, "bytes",
      "Of that, what can be had without swapping (MemAvailable, or what the limit leaves), at the "
      "last tick.",
      get_available, NULL },
};

const HostMetric *
metrics_agent_rows(size_t *ret_n)
{
    *ret_n = G_N_ELEMENTS(rows);
    return rows;
}
