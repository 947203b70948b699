/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conf.c - from rows and key files to settings
 *
 * Two tables of rows, the policy library's and the agent's own, make one list. GLib's key file
 * parser reads the syntax; the rows give every key its kind, range and words.
 */
#include "agent/conf.h"
#include "agent/conf_check.h"
#include "agent/conf_line.h"
#include "agent/error.h"
#include "agent/facts/working_set_histogram.h"
#include "agent/log.h"

#include <errno.h>
#include <string.h>

typedef struct {
    const Knob *rows; /* static */
    size_t n;
    size_t base; /* offset of the rows' settings struct within Conf */
} KnobTable;

static const char *const who_words[] = {
    [WHO_ROOT] = "root",
    [WHO_GROUP] = "group",
    [WHO_ALL] = "all",
    [WHO_COUNT] = NULL,
};

static const char *const foreign_words[] = {
    [FOREIGN_LEAVE] = "leave",
    [FOREIGN_ADOPT] = "adopt",
    [FOREIGN_COUNT] = NULL,
};

static const Knob agent_rows[] = {
    { "agent", "log_level", KNOB_ENUM, "", 0, 0, "info",
      "Messages to write: error, warning, info or debug.", log_level_words,
      offsetof(Conf, log_level) },
    { "agent", "restore_at_stop", KNOB_BOOL, "", 0, 0, "true",
      "Put KSM, and who is merged, back as found at the end; what was taken from domains goes "
      "back in any case. The service puts back all of it, unless ExecStopPost= is emptied.",
      NULL, offsetof(Conf, restore_at_stop) },
    { "agent", "confine", KNOB_BOOL, "", 0, 0, "true",
      "Give up rights that are not needed any more, once started.", NULL, offsetof(Conf, confine) },
    { "agent", "on_foreign_change", KNOB_ENUM, "", 0, 0, "leave",
      "What is done where somebody else changes a balloon or limit after the agent: leave (it is "
      "left alone until \"virtksm set\" is used on the domain, or it is started anew), adopt (the "
      "new value counts as found, and the agent goes on from there: where another program sets it "
      "again and again, neither wins).",
      foreign_words, offsetof(Conf, on_foreign) },
    { "libvirt", "uri", KNOB_TEXT, "", 1, 1024, "qemu:///system",
      "Connection to libvirt; none runs without it, on events from other sources alone.", NULL,
      offsetof(Conf, uri) },
    { "libvirt", "stats_period_ms", KNOB_UINT, "milliseconds", 100, 3600000, "1000",
      "Shortest time between two readings of the domains' statistics.", NULL,
      offsetof(Conf, stats_period_ms) },
    { "libvirt", "keepalive_s", KNOB_UINT, "seconds", 1, 3600, "5",
      "Silence on the connection after which libvirtd is asked for a sign of life.", NULL,
      offsetof(Conf, keepalive_s) },
    { "libvirt", "keepalive_count", KNOB_UINT, "", 1, 100, "3",
      "Unanswered signs of life after which the connection is opened anew.", NULL,
      offsetof(Conf, keepalive_count) },
    { "ksm", "take_over", KNOB_BOOL, "", 0, 0, "false",
      "Write KSM's settings on although another program writes them too. By default the agent "
      "yields until a mode that drives it is set with the client.",
      NULL, offsetof(Conf, take_over) },
    { "rpc", "group", KNOB_TEXT, "", 1, 64, "virtksm",
      "Members of this group may use the control socket, beside root. A group that does not "
      "exist leaves it to root alone. For another one than virtksm the service needs Group=NAME "
      "under [Service], by \"systemctl edit virtksmd\".",
      NULL, offsetof(Conf, rpc_group) },
    { "rpc", "kata_socket", KNOB_TEXT, "", 0, 107, "",
      "Listen on this path too, for clients of the Kata KSM throttler: only its Kick can be called "
      "there. Empty: do not. Its usual place is /run/kata-ksm-throttler/ksm.sock, for which the "
      "service needs RuntimeDirectory=kata-ksm-throttler under [Service], by \"systemctl edit "
      "virtksmd\".",
      NULL, offsetof(Conf, kata_socket) },
    { "access", "read_only_for_all", KNOB_BOOL, "", 0, 0, "false",
      "Let every local user make the calls that change nothing, instead of root and the group.",
      NULL, offsetof(Conf, read_only_for_all) },
    { "access", "domain_figures", KNOB_ENUM, "", 0, 0, "group",
      "Who may read figures of single domains (traces too), which tell what is in their memory: "
      "root, group (of the control socket) or all who may read at all.",
      who_words, offsetof(Conf, domain_figures) },
    { "access", "figure_grain", KNOB_UINT, "KiB", 0, 1048576, "0",
      "What KSM says of single domains is told in multiples of this, in reports, metrics and the "
      "history, so that nobody sees pages being merged; traces are for root then. 0: exactly.",
      NULL, offsetof(Conf, grain_kib) },
    { "tenancy", "group_from", KNOB_TEXT, "", 1, 64, "metadata,names",
      "Where the group of a domain comes from, with commas between; the first that says one "
      "decides: metadata (ksm.group, which virtksm set writes), names (see there), title (of its "
      "definition), nova (its project in OpenStack), kubevirt (its namespace).",
      NULL, offsetof(Conf, group_from) },
    { "tenancy", "names", KNOB_TEXT, "", 0, 4096, "",
      "Groups by names of domains: PATTERN=GROUP with commas between, such as "
      "shop-*=shop,db-?=shop; the first that fits decides.",
      NULL, offsetof(Conf, group_names) },
    { "hook", "enable", KNOB_BOOL, "", 0, 0, "true",
      "Listen to virtksm-hook, which libvirtd calls when a domain starts and stops.", NULL,
      offsetof(Conf, hook_enable) },
    { "history", "enable", KNOB_BOOL, "", 0, 0, "true",
      "Keep what each domain saves and costs in history.db, in the state directory.", NULL,
      offsetof(Conf, history_enable) },
    { "history", "keep_minutes", KNOB_UINT, "hours", 1, 168, "24",
      "How long the history has single minutes.", NULL, offsetof(Conf, keep_minutes) },
    { "history", "keep_hours", KNOB_UINT, "days", 7, 92, "31",
      "How long the history has single hours.", NULL, offsetof(Conf, keep_hours) },
    { "history", "keep_days", KNOB_UINT, "days", 92, 3660, "731",
      "How long the history has single days, and domains that are gone.", NULL,
      offsetof(Conf, keep_days) },
    { "history", "size_limit", KNOB_UINT, "MiB", 8, 65536, "512",
      "Most that history.db may take; the log beside it takes up to 8 MiB more. Where that is too "
      "little, minutes are dropped first, then hours. 1,000 domains need less than 170 MiB for the "
      "defaults above, computed from what 20 take.",
      NULL, offsetof(Conf, history_mib) },
    { "directory", "paths", KNOB_TEXT, "", 0, 4096, "",
      "Folders in which each entry is a running domain, with colons between them, such as "
      "/run/vc/sbs. They need not exist yet.",
      NULL, offsetof(Conf, directory_paths) },
    /* On by default: it costs its budget and nothing else. What it asks of the kernel changes no
     * limit and no page; it does take off marks that reclaim looks at too, for pages that are
     * marked again as soon as they are used. */
    { "working_set", "enable", KNOB_BOOL, "", 0, 0, "true",
      "Measure how much memory each domain has used lately, by the best means that there is.", NULL,
      offsetof(Conf, working_set) },
    { "working_set", "bins", KNOB_TEXT, "seconds", 1, 128, "1,10,60,300,1200,3600",
      "Bounds of the ages by which memory is counted: up to 15 whole numbers from 1 to 604800, "
      "ascending, with commas between.",
      NULL, offsetof(Conf, working_bins) },
    { "working_set", "age", KNOB_UINT, "seconds", 1, 604800, "300",
      "Memory that was used within this time is the working set, and the rest is cold. At most the "
      "last of the bins.",
      NULL, offsetof(Conf, working_age_s) },
    { "working_set", "budget", KNOB_PERCENT, "percent of one CPU", 1, 1000, "0.5",
      "Most that measuring may take, of all domains together. With many domains each is measured "
      "less often.",
      NULL, offsetof(Conf, working_bp) },
    { "working_set", "interval", KNOB_UINT, "seconds", 1, 3600, "60",
      "Shortest time between two measurements of a domain.", NULL,
      offsetof(Conf, working_every_s) },
    { "working_set", "report_threshold", KNOB_UINT, "seconds", 1, 3600, "10",
      "Shortest time between two reports of a domain to one who follows them.", NULL,
      offsetof(Conf, working_quiet_s) },
    { "working_set", "report_change", KNOB_PERCENT, "percent of the working set", 100, 10000, "10",
      "Who follows reports gets one of a domain whose working set has moved by more than this "
      "since the last, and of all domains when the host comes under pressure.",
      NULL, offsetof(Conf, working_move_bp) },
    { "metrics", "listen", KNOB_TEXT, "", 1, 64, "127.0.0.1:9876",
      "Numeric address and port at which Prometheus can fetch /metrics, such as 127.0.0.1:9876 or "
      "[::1]:9876; off: do not listen.",
      NULL, offsetof(Conf, metrics_listen) },
    { "metrics", "domains", KNOB_BOOL, "", 0, 0, "true",
      "Give figures of single domains in the metrics, to those who may see them by "
      "[access] domain_figures.",
      NULL, offsetof(Conf, metrics_domains) },
    { "metrics", "domain_limit", KNOB_UINT, "domains", 0, 100000, "2000",
      "Domains that have figures of their own in the metrics, at most; of more, those that started "
      "first.",
      NULL, offsetof(Conf, metrics_limit) },
};

static KnobTable
knob_table(size_t index)
{
    KnobTable table = { agent_rows, G_N_ELEMENTS(agent_rows), 0 };

    if (index == 0) {
        table.rows = policy_knobs(&table.n);
        table.base = offsetof(Conf, policy);
    }
    return table;
}

const Knob *
conf_knob(size_t index)
{
    for (size_t t = 0; t < 2; t++) {
        KnobTable table = knob_table(t);

        if (index < table.n)
            return &table.rows[index];
        index -= table.n;
    }
    return NULL;
}

/* The row of a key and where its field is; NULL when there is none. */
static const Knob *
find_knob(Conf *conf, const char *section, const char *key, void **ret_field)
{
    for (size_t t = 0; t < 2; t++) {
        KnobTable table = knob_table(t);

        for (size_t i = 0; i < table.n; i++) {
            if (!g_str_equal(table.rows[i].section, section) ||
                !g_str_equal(table.rows[i].key, key))
                continue;
            *ret_field = (char *)conf + table.base + table.rows[i].offset;
            return &table.rows[i];
        }
    }
    return NULL;
}

static bool
has_section(const char *section)
{
    const Knob *knob;

    for (size_t i = 0; (knob = conf_knob(i)) != NULL; i++)
        if (g_str_equal(knob->section, section))
            return true;
    return false;
}

static bool
set_uint(const Knob *knob, const char *value, void *field, GError **error)
{
    uint64_t number;

    if (!knob_number(knob, value, &number)) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF,
                    "[%s] %s = %s: expected a whole number from %" G_GUINT64_FORMAT
                    " to %" G_GUINT64_FORMAT "%s%s",
                    knob->section, knob->key, value, (guint64)knob->min, (guint64)knob->max,
                    *knob->unit ? ", " : "", knob->unit);
        return false;
    }
    *(uint64_t *)field = number;
    return true;
}

static bool
set_percent(const Knob *knob, const char *value, void *field, GError **error)
{
    uint64_t number;

    if (!knob_number(knob, value, &number)) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF,
                    "[%s] %s = %s: expected a number from %g to %g with at most two decimals, %s",
                    knob->section, knob->key, value, (double)knob->min / 100,
                    (double)knob->max / 100, knob->unit);
        return false;
    }
    *(uint64_t *)field = number;
    return true;
}

static bool
set_bool(const Knob *knob, const char *value, void *field, GError **error)
{
    if (!g_str_equal(value, "true") && !g_str_equal(value, "false")) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF, "[%s] %s = %s: expected true or false",
                    knob->section, knob->key, value);
        return false;
    }
    *(bool *)field = *value == 't';
    return true;
}

static bool
set_enum(const Knob *knob, const char *value, void *field, GError **error)
{
    g_autofree char *words = NULL;

    for (unsigned i = 0; knob->words[i] != NULL; i++) {
        if (g_str_equal(knob->words[i], value)) {
            *(unsigned *)field = i;
            return true;
        }
    }
    words = g_strjoinv(", ", (char **)(gsize)knob->words);
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF, "[%s] %s = %s: expected one of %s",
                knob->section, knob->key, value, words);
    return false;
}

static bool
set_text(const Knob *knob, const char *value, void *field, GError **error)
{
    size_t length = strlen(value);
    char **text = (char **)field;
    WorkingSetEdges edges;

    if (length < knob->min || length > knob->max) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF,
                    "[%s] %s = %s: expected %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                    " characters",
                    knob->section, knob->key, value, (guint64)knob->min, (guint64)knob->max);
        return false;
    }
    if (g_str_equal(knob->section, "working_set") && !working_set_edges_parse(value, &edges)) {
        g_set_error(
            error, AGENT_ERROR, AGENT_ERROR_CONF,
            "[%s] %s = %s: expected up to %d whole numbers of seconds, from 1 to 604800, each "
            "larger than the one before, with commas between",
            knob->section, knob->key, value, WORKING_SET_EDGES_MAX);
        return false;
    }
    g_free(*text);
    *text = g_strdup(value);
    return true;
}

bool
conf_set(Conf *conf, const char *section, const char *key, const char *value, GError **error)
{
    static bool (*const setters[])(const Knob *, const char *, void *, GError **) = {
        [KNOB_UINT] = set_uint, [KNOB_PERCENT] = set_percent, [KNOB_BOOL] = set_bool,
        [KNOB_ENUM] = set_enum, [KNOB_TEXT] = set_text,
    };
    G_STATIC_ASSERT(G_N_ELEMENTS(setters) == KNOB_KIND_COUNT);
    void *field;
    const Knob *knob = find_knob(conf, section, key, &field);

    if (!knob) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF,
                    has_section(section) ? "[%s] %s: no such key in this section"
                                         : "[%s] %s: no such section",
                    section, key);
        return false;
    }
    return setters[knob->kind](knob, value, field, error);
}

Conf *
conf_new(void)
{
    Conf *conf = g_new0(Conf, 1);
    const Knob *knob;

    conf->places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    policy_conf_default(&conf->policy);
    for (size_t i = 0; (knob = conf_knob(i)) != NULL; i++) {
        bool valid = conf_set(conf, knob->section, knob->key, knob->fallback, NULL);

        g_assert(valid);
    }
    return conf;
}

void
conf_free(Conf *conf)
{
    if (!conf)
        return;
    g_hash_table_destroy(conf->places);
    g_free(conf->uri);
    g_free(conf->rpc_group);
    g_free(conf->kata_socket);
    g_free(conf->metrics_listen);
    g_free(conf->directory_paths);
    g_free(conf->group_from);
    g_free(conf->group_names);
    g_free(conf->working_bins);
    g_free(conf);
}

static char *
place_key(const char *section, const char *key)
{
    return g_strconcat(section, ".", key, NULL);
}

const char *
conf_place(const Conf *conf, const char *section, const char *key)
{
    g_autofree char *name = place_key(section, key);
    const char *place = g_hash_table_lookup(conf->places, name);

    return place ? place : "";
}

static bool
load_section(Conf *conf, GKeyFile *file, const char *section, const char *path, const char *text,
             GError **error)
{
    g_auto(GStrv) keys = g_key_file_get_keys(file, section, NULL, NULL);

    for (size_t i = 0; keys && keys[i]; i++) {
        g_autofree char *value = g_key_file_get_value(file, section, keys[i], NULL);
        unsigned line = 0;

        if (conf_line_of(text, section, keys[i], &line) > 1) {
            g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF,
                        "%s:%u: [%s] %s: expected once, is given again", path, line, section,
                        keys[i]);
            return false;
        }
        if (!conf_set(conf, section, keys[i], g_strchomp(value), error)) {
            g_prefix_error(error, "%s:%u: ", path, line);
            return false;
        }
        g_hash_table_replace(conf->places, place_key(section, keys[i]),
                             g_strdup_printf("%s:%u: ", path, line));
    }
    return true;
}

static bool
load_text(Conf *conf, const char *path, const char *text, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) syntax = NULL;
    g_auto(GStrv) sections = NULL;

    if (!g_key_file_load_from_data(file, text, strlen(text), G_KEY_FILE_KEEP_TRANSLATIONS,
                                   &syntax) &&
        *text != '\0') {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF,
                    "%s:%u: expected [section], key = value or a # comment: %s", path,
                    conf_broken_line(text), syntax->message);
        return false;
    }
    sections = g_key_file_get_groups(file, NULL);
    for (size_t i = 0; sections[i]; i++) {
        unsigned line = 0;

        if (!has_section(sections[i])) {
            conf_line_of(text, sections[i], NULL, &line);
            g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF, "%s:%u: [%s]: no such section", path,
                        line, sections[i]);
            return false;
        }
        if (!load_section(conf, file, sections[i], path, text, error))
            return false;
    }
    return true;
}

static bool
load_file(Conf *conf, const char *path, bool required, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) failure = NULL;
    size_t length = 0;

    if (!g_file_get_contents(path, &text, &length, &failure)) {
        if (!required && g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return true;
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF, "%s: expected a readable file: %s", path,
                    failure->message);
        return false;
    }
    if (strlen(text) != length || !g_utf8_validate(text, -1, NULL)) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF,
                    "%s: expected UTF-8 text, found other bytes", path);
        return false;
    }
    return load_text(conf, path, text, error);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Drop-ins of FILE are FILE.d/ *.conf; no such folder is normal. */
static bool
load_drop_ins(Conf *conf, const char *path, GError **error)
{
    g_autofree char *folder = g_strconcat(path, ".d", NULL);
    g_autoptr(GError) failure = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &failure);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    if (failure && !g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF, "%s: expected a readable folder: %s",
                    folder, failure->message);
        return false;
    }
    while (dir && (name = g_dir_read_name(dir)) != NULL)
        if (g_str_has_suffix(name, ".conf") && name[0] != '.')
            g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *file = g_build_filename(folder, g_ptr_array_index(names, i), NULL);

        if (!load_file(conf, file, true, error))
            return false;
    }
    return true;
}

bool
conf_load(const char *path, Conf **ret_conf, GError **error)
{
    g_autoptr(Conf) conf = conf_new();
    const char *main_file = path ? path : CONF_FILE_DEFAULT;

    if (!load_file(conf, main_file, path != NULL, error) ||
        !load_drop_ins(conf, main_file, error) || !conf_check_together(conf, error))
        return false;
    *ret_conf = g_steal_pointer(&conf); /* the caller owns it from here */
    return true;
}
