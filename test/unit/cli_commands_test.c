/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_commands_test.c - status, list, kick, mode and set, by the real program */
#include "proto/virtksm.pb-c.h"
#include "test/support/fakedaemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char word_auto[] = "auto";
static char word_burst[] = "burst";
static char word_none[] = "none";
static char reason[] = "A domain started.";
static char detail[] = "told\nby 'x'";

static Virtksm__V1__KsmSettings
settings(uint64_t run, uint64_t pages, uint64_t ms)
{
    Virtksm__V1__KsmSettings ksm = VIRTKSM__V1__KSM_SETTINGS__INIT;

    ksm.has_run = ksm.has_pages_to_scan = ksm.has_sleep_millisecs = true;
    ksm.run = run;
    ksm.pages_to_scan = pages;
    ksm.sleep_millisecs = ms;
    return ksm;
}

static Virtksm__V1__KsmSettings
settings_with_smart_scan(uint64_t run, uint64_t pages, uint64_t ms, uint64_t smart_scan)
{
    Virtksm__V1__KsmSettings ksm = settings(run, pages, ms);

    ksm.has_smart_scan = true;
    ksm.smart_scan = smart_scan;
    return ksm;
}

static Virtksm__V1__Source
open_source(void)
{
    static char name[] = "libvirt";
    static char open[] = "open";
    Virtksm__V1__Source source = VIRTKSM__V1__SOURCE__INIT;

    source.name = name;
    source.state = open;
    source.has_events = source.has_last_event_ms = true;
    source.events = 12;
    source.last_event_ms = 3000;
    return source;
}

static Virtksm__V1__LibvirtStatus
libvirt_twice_gone(void)
{
    static char uri[] = "qemu:///system";
    Virtksm__V1__LibvirtStatus libvirt = VIRTKSM__V1__LIBVIRT_STATUS__INIT;

    libvirt.has_connected = libvirt.connected = true;
    libvirt.uri = uri;
    libvirt.has_reconnects = true;
    libvirt.reconnects = 2;
    return libvirt;
}

static Virtksm__V1__HistoryStatus
history_in_trouble(void)
{
    Virtksm__V1__HistoryStatus history = VIRTKSM__V1__HISTORY_STATUS__INIT;

    history.has_recording = history.has_size_bytes = true;
    history.has_waiting_minutes = history.has_lost_minutes = true;
    history.size_bytes = UINT64_C(3) << 19;
    history.waiting_minutes = 2;
    history.lost_minutes = 1;
    history.detail = detail;
    return history;
}

static Virtksm__V1__MetricsStatus
metrics_status(void)
{
    static char address[] = "127.0.0.1:9876";
    static char open[] = "open";
    Virtksm__V1__MetricsStatus metrics = VIRTKSM__V1__METRICS_STATUS__INIT;

    metrics.state = open;
    metrics.detail = address;
    metrics.has_scrapes = true;
    metrics.scrapes = 5;
    return metrics;
}

static void
status_shows_a_line_for_each_fact_and_the_sources(void **state)
{
    Virtksm__V1__StatusResponse status = VIRTKSM__V1__STATUS_RESPONSE__INIT;
    Virtksm__V1__KsmSettings ksm = settings_with_smart_scan(1, 1000, 20, 1);
    Virtksm__V1__KsmSettings initial = settings_with_smart_scan(0, 100, 200, 0);
    Virtksm__V1__Source source = open_source();
    Virtksm__V1__Source *sources[] = { &source };
    Virtksm__V1__LibvirtStatus libvirt = libvirt_twice_gone();
    Virtksm__V1__HistoryStatus history = history_in_trouble();
    Virtksm__V1__MetricsStatus metrics = metrics_status();
    char ready[] = "ready";
    char version[] = "0.1.0";

    ksm.advisor_mode = word_none;
    status.version = version;
    status.mode = word_auto;
    status.phase = word_burst;
    status.reason = reason;
    status.actuator = ready;
    status.actuator_detail = detail;
    status.ksm = &ksm;
    status.initial = &initial;
    status.has_ksmd_cpu_percent = status.has_domains = status.has_uptime_ms = true;
    status.has_ticks = status.has_late_ticks = true;
    status.ksmd_cpu_percent = 3.25;
    status.domains = 3;
    status.uptime_ms = 180000;
    status.ticks = 120;
    status.late_ticks = 2;
    status.libvirt = &libvirt;
    status.metrics = &metrics;
    status.history = &history;
    status.sources = sources;
    status.n_sources = 1;
    fakedaemon_answer(*state, "Status", &status.base);
    fakedaemon_expect(*state, "status",
                      "daemon:      virtksmd 0.1.0, running for 3 min\n"
                      "mode:        auto\n"
                      "phase:       burst\n"
                      "reason:      A domain started.\n"
                      "KSM:         merging, 1000 pages every 20 ms, advisor none, smart scan on\n"
                      "KSM before:  stopped, 100 pages every 200 ms, smart scan off\n"
                      "writing:     ready (told\\nby 'x')\n"
                      "ksmd:        3.2 % of one CPU\n"
                      "libvirt:     connected to qemu:///system, 2 times connected anew\n"
                      "metrics:     http://127.0.0.1:9876/metrics, fetched 5 times\n"
                      "history:     not kept, 1.5 MiB, 2 min wait to be written, 1 min lost: told"
                      "\\nby 'x'\n"
                      "domains:     3\n"
                      "decisions:   120, of these 2 without fresh figures from libvirt\n"
                      "\n"
                      "SOURCE   STATE  EVENTS  LAST EVENT  DETAIL\n"
                      "libvirt  open       12       3.0 s  -\n");
}

static void
status_tells_how_short_of_memory_the_host_is(void **state)
{
    static const struct {
        uint64_t wanted_bytes;
        const char *bounded_by; /* NULL: no cgroup */
        const char *want;
    } rows[] = {
        { 0, NULL,
          "\nmemory:      tight: It is short.\nreclaim:     balloon yes, memory.high no\n" },
        { UINT64_C(3) << 20, NULL,
          "\nmemory:      tight: It is short.\n"
          "wanted back: 3.0 MiB: cold memory 1.0 MiB, balloons 2.0 MiB\n"
          "reclaim:     balloon yes, memory.high no\n" },
        { 0, "/machine",
          "\nmemory:      tight: It is short.\n"
          "limited to:  8.0 MiB by cgroup /machine, available 512.0 KiB\n"
          "reclaim:     balloon yes, memory.high no\n" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Virtksm__V1__StatusResponse status = VIRTKSM__V1__STATUS_RESPONSE__INIT;
        Virtksm__V1__MemoryStatus memory = VIRTKSM__V1__MEMORY_STATUS__INIT;
        char level[] = "tight", why[] = "It is short.", yes[] = "yes", no[] = "no";
        g_autofree char *bounded_by = NULL;
        g_autofree char *out = NULL;

        memory.level = level;
        memory.reason = why;
        memory.balloon = yes;
        memory.memory_high = no;
        memory.has_wanted_bytes = memory.has_reclaim_bytes = memory.has_balloon_bytes = true;
        memory.wanted_bytes = rows[i].wanted_bytes;
        bounded_by = g_strdup(rows[i].bounded_by);
        memory.bounded_by = bounded_by;
        memory.has_limit_bytes = memory.has_available_bytes = true;
        memory.limit_bytes = UINT64_C(8) << 20;
        memory.available_bytes = UINT64_C(1) << 19;
        memory.reclaim_bytes = UINT64_C(1) << 20;
        memory.balloon_bytes = UINT64_C(2) << 20;
        status.memory = &memory;
        fakedaemon_answer(*state, "Status", &status.base);
        out = fakedaemon_output(*state, "status");
        if (!strstr(out, rows[i].want))
            fail_msg("row %zu: %s", i, out);
    }
}

static void
status_tells_where_the_metrics_are_or_why_not(void **state)
{
    static const struct {
        char state[8];
        char detail[16];
        const char *want;
    } rows[] = {
        { "open", "[::1]:9876", "\nmetrics:     http://[::1]:9876/metrics, fetched 7 times\n" },
        { "waiting", "in use", "\nmetrics:     waiting (in use)\n" },
        { "closed", "", "\nmetrics:     closed\n" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Virtksm__V1__StatusResponse status = VIRTKSM__V1__STATUS_RESPONSE__INIT;
        Virtksm__V1__MetricsStatus metrics = VIRTKSM__V1__METRICS_STATUS__INIT;
        g_autofree char *word = g_strdup(rows[i].state);
        g_autofree char *detail_text = g_strdup(rows[i].detail);
        g_autofree char *out = NULL;

        metrics.state = word;
        metrics.detail = detail_text;
        metrics.has_scrapes = true;
        metrics.scrapes = 7;
        status.metrics = &metrics;
        fakedaemon_answer(*state, "Status", &status.base);
        out = fakedaemon_output(*state, "status");
        if (!strstr(out, rows[i].want))
            fail_msg("%s: %s", rows[i].state, out);
    }
}

static void
a_daemon_that_says_nothing_is_shown_with_nothing_made_up(void **state)
{
    Virtksm__V1__StatusResponse status = VIRTKSM__V1__STATUS_RESPONSE__INIT;
    Virtksm__V1__ListResponse list = VIRTKSM__V1__LIST_RESPONSE__INIT;
    Virtksm__V1__ExplainResponse explain = VIRTKSM__V1__EXPLAIN_RESPONSE__INIT;
    Virtksm__V1__KickResponse kick = VIRTKSM__V1__KICK_RESPONSE__INIT;

    fakedaemon_answer(*state, "Status", &status.base);
    fakedaemon_answer(*state, "List", &list.base);
    fakedaemon_answer(*state, "Explain", &explain.base);
    fakedaemon_answer(*state, "Kick", &kick.base);
    fakedaemon_expect(
        *state, "status",
        "daemon:      virtksmd -, running for -\n"
        "mode:        -\nphase:       -\nreason:      -\nKSM:         -\nKSM before:  -\n"
        "writing:     -\nksmd:        -\nlibvirt:     -\nmetrics:     -\nhistory:     -\n"
        "domains:     -\ndecisions:   -\n"
        "\n"
        "SOURCE  STATE  EVENTS  LAST EVENT  DETAIL\n");
    fakedaemon_expect(*state, "list",
                      "DOMAIN  ID  PID  STATE  SEEN  MERGE  BALLOON  MEMORY.HIGH  UUID\n");
    fakedaemon_expect(*state, "explain",
                      "mode:        -\nphase:       -\nwhy:         -\ndecided:     - ago\n"
                      "wanted:      everything left as it is\nin force:    -\napplied:     -\n"
                      "\n"
                      "DOMAIN  MERGEABLE  TO BE SCANNED  WEIGHT  LATENCY  MERGE  REASON\n");
    fakedaemon_expect(*state, "kick", "KSM:         -\nphase:       -\nreason:      -\n");
    fakedaemon_expect(*state, "mode", "-\n");
    fakedaemon_expect(
        *state, "mode --format json",
        "{\n  \"mode\": null,\n  \"phase\": null,\n  \"reason\": null,\n  \"hint\": null\n}\n");
}

static void
list_shows_each_domain_in_every_format(void **state)
{
    Virtksm__V1__ListResponse list = VIRTKSM__V1__LIST_RESPONSE__INIT;
    Virtksm__V1__ListedDomain web = VIRTKSM__V1__LISTED_DOMAIN__INIT;
    Virtksm__V1__ListedDomain odd = VIRTKSM__V1__LISTED_DOMAIN__INIT;
    Virtksm__V1__ListedDomain *domains[] = { &web, &odd };
    char name[] = "web";
    char odd_name[] = "a, \"b\"\nc";
    char running[] = "running";
    char merge[] = "can merge";
    char uuid[] = "1-2-3";
    char on[] = "on", observe[] = "observe";

    web.name = name;
    web.uuid = uuid;
    web.has_id = web.has_pid = web.has_seen_ms = true;
    web.id = 7;
    web.pid = 4711;
    web.state = running;
    web.merge = merge;
    web.seen_ms = 65000;
    web.balloon_mode = on;
    web.high_mode = observe;
    odd.name = odd_name;
    list.domains = domains;
    list.n_domains = 2;
    fakedaemon_answer(*state, "List", &list.base);
    fakedaemon_expect(
        *state, "list",
        "DOMAIN     ID   PID  STATE     SEEN  MERGE      BALLOON  MEMORY.HIGH  UUID\n"
        "web         7  4711  running  1 min  can merge  on       observe      1-2-3\n"
        "a, \"b\"\\nc   -     -  -            -  -          -        -            -\n");
    fakedaemon_expect(*state, "list --format csv",
                      "name,uuid,id,pid,state,merge,seen_ms,balloon_mode,high_mode\n"
                      "web,1-2-3,7,4711,running,can merge,65000,on,observe\n"
                      "\"a, \"\"b\"\"\nc\",,,,,,,,\n");
    fakedaemon_expect(
        *state, "list --format json",
        "{\n  \"domains\": [\n"
        "    {\n      \"name\": \"web\",\n      \"uuid\": \"1-2-3\",\n      \"id\": 7,\n"
        "      \"pid\": 4711,\n      \"state\": \"running\",\n      \"merge\": \"can merge\",\n"
        "      \"seen_ms\": 65000,\n      \"balloon_mode\": \"on\",\n"
        "      \"high_mode\": \"observe\"\n    },\n"
        "    {\n      \"name\": \"a, \\\"b\\\"\\nc\",\n      \"uuid\": null,\n      \"id\": null,\n"
        "      \"pid\": null,\n      \"state\": null,\n      \"merge\": null,\n"
        "      \"seen_ms\": null,\n      \"balloon_mode\": null,\n      \"high_mode\": null\n"
        "    }\n  ]\n}\n");
}

static void
kick_prints_the_settings_after_it(void **state)
{
    Virtksm__V1__KickResponse kick = VIRTKSM__V1__KICK_RESPONSE__INIT;
    Virtksm__V1__KsmSettings ksm = settings(1, 5000, 1);

    kick.ksm = &ksm;
    kick.phase = word_burst;
    kick.reason = reason;
    fakedaemon_answer(*state, "Kick", &kick.base);
    fakedaemon_expect(*state, "kick",
                      "KSM:         merging, 5000 pages every 1 ms\n"
                      "phase:       burst\n"
                      "reason:      A domain started.\n");
    fakedaemon_expect(*state, "kick --format json",
                      "{\n  \"ksm\": {\n    \"run\": 1,\n    \"pages_to_scan\": 5000,\n"
                      "    \"sleep_millisecs\": 1,\n    \"advisor_mode\": null,\n"
                      "    \"smart_scan\": null,\n    \"use_zero_pages\": null\n  },\n"
                      "  \"phase\": \"burst\",\n  \"reason\": \"A domain started.\",\n"
                      "  \"hint\": null\n}\n");
}

static void
mode_prints_the_word_and_sets_it(void **state)
{
    Virtksm__V1__StatusResponse status = VIRTKSM__V1__STATUS_RESPONSE__INIT;
    Virtksm__V1__SetModeResponse set = VIRTKSM__V1__SET_MODE_RESPONSE__INIT;
    char classic[] = "classic";

    status.mode = word_auto;
    status.phase = word_burst;
    set.mode = classic;
    set.reason = reason;
    fakedaemon_answer(*state, "Status", &status.base);
    fakedaemon_answer(*state, "SetMode", &set.base);
    fakedaemon_expect(*state, "mode", "auto\n");
    assert_string_equal(fakedaemon_asked(*state), "Status");
    fakedaemon_expect(*state, "mode classic",
                      "mode:        classic\nphase:       -\nreason:      A domain started.\n");
    assert_string_equal(fakedaemon_asked(*state), "SetMode classic");
    fakedaemon_expect(*state, "mode --format json",
                      "{\n  \"mode\": \"auto\",\n  \"phase\": \"burst\",\n  \"reason\": null,\n  "
                      "\"hint\": null\n}\n");
}

static void
set_shows_what_was_written_and_what_is_still_wrong(void **state)
{
    Virtksm__V1__SetResponse set = VIRTKSM__V1__SET_RESPONSE__INIT;
    char name[] = "web", floor[] = "balloon.floor=512", mode[] = "balloon.mode=";
    char fault[] = "ksm: expected\nbetter";
    char *settings[] = { floor, mode };

    set.name = name;
    set.settings = settings;
    set.n_settings = 2;
    fakedaemon_answer(*state, "Set", &set.base);
    fakedaemon_expect(*state, "set web balloon.floor=512 balloon.mode=",
                      "domain:      web\nset:         balloon.floor=512\n"
                      "set:         balloon.mode=\nholds:       until it ends\n");
    assert_string_equal(fakedaemon_asked(*state), "Set web");
    set.has_persist = set.persist = true;
    set.n_settings = 1;
    set.fault = fault;
    fakedaemon_expect(*state, "set web balloon.floor=512 --persist",
                      "domain:      web\nset:         balloon.floor=512\n"
                      "holds:       now, and when it starts again\n"
                      "mistake:     ksm: expected\\nbetter\n");
    fakedaemon_expect(*state, "set web --format=json balloon.floor=512",
                      "{\n  \"name\": \"web\",\n  \"uuid\": null,\n  \"settings\": [\n"
                      "    \"balloon.floor=512\"\n  ],\n  \"persist\": true,\n"
                      "  \"fault\": \"ksm: expected\\nbetter\"\n}\n");
}

static void
what_set_is_refused_has_an_exit_code(void **state)
{
    static const struct {
        GrpcStatus status;
        int exit_code;
        const char *want;
    } rows[] = {
        { GRPC_STATUS_INVALID_ARGUMENT, 2, "virtksm: so it is\n" },
        { GRPC_STATUS_NOT_FOUND, 3, "virtksm: so it is\n" },
        { GRPC_STATUS_FAILED_PRECONDITION, 1, "failed: so it is\n" },
    };
    static const char *const words[] = { "set", "web", "ksm.weight=1", NULL };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        g_autoptr(Child) child = NULL;
        int code;

        fakedaemon_refuse(*state, "Set", rows[i].status, "so it is");
        child = fakedaemon_client(*state, words);
        code = child_wait(child);
        if (code != rows[i].exit_code || !strstr(child_err(child), rows[i].want))
            fail_msg("row %zu: %d: %s", i, code, child_err(child));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FAKEDAEMON_TEST(status_shows_a_line_for_each_fact_and_the_sources),
        FAKEDAEMON_TEST(status_tells_how_short_of_memory_the_host_is),
        FAKEDAEMON_TEST(status_tells_where_the_metrics_are_or_why_not),
        FAKEDAEMON_TEST(a_daemon_that_says_nothing_is_shown_with_nothing_made_up),
        FAKEDAEMON_TEST(list_shows_each_domain_in_every_format),
        FAKEDAEMON_TEST(kick_prints_the_settings_after_it),
        FAKEDAEMON_TEST(mode_prints_the_word_and_sets_it),
        FAKEDAEMON_TEST(set_shows_what_was_written_and_what_is_still_wrong),
        FAKEDAEMON_TEST(what_set_is_refused_has_an_exit_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
