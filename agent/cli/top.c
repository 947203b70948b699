/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top.c - "virtksm top": the report again and again, on a screen or in lines
 *
 *     ask for report and status -> show -> wait for the interval -> ask ...
 *
 * Waiting, also for an answer, runs the main context, where keys and signals are heard: the screen
 * answers to the keys while the daemon does not. What was shown last stays, with its age, when the
 * daemon goes away, until it is back. Before the first report there is nothing to show, and a
 * daemon that cannot be reached is an error as in every command.
 */
#include "agent/cli/command.h"
#include "agent/cli/json.h"
#include "agent/cli/output.h"
#include "agent/cli/report.h"
#include "agent/cli/text.h"
#include "agent/cli/top_feed.h"
#include "agent/cli/top_head.h"
#include "agent/cli/top_view.h"

#include <glib-unix.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Seconds between two reports: what a person can follow, up to what is no longer live. */
#define INTERVAL_DEFAULT "2"
#define INTERVAL_MIN_S   0.1
#define INTERVAL_MAX_S   3600

/* A daemon that is being restarted is back soon; so is the next attempt. */
#define RETRY_MS 1000

typedef struct {
    const Cli *cli;       /* borrowed; the request */
    unsigned interval_ms; /* between two reports */
    uint64_t count;       /* reports after which it ends; 0: goes on */
    TopFeed *feed;        /* owned; the figures */
    GPtrArray *sources;   /* owned; GSource * of keys and signals */
    char *trouble;        /* owned; why there is no newer report; NULL: all is well */
    uint64_t shown;       /* reports so far */

    TopView *view;  /* owned; NULL: lines */
    TopOrder order; /* of the screen */
    guint first;    /* domain on the first line of the list */
    guint room;     /* domains that the screen had room for */
    bool over;      /* a key or signal ended it */
} Top;

static void
source_drop(gpointer source)
{
    g_source_destroy(source);
    g_source_unref(source);
}

static void
top_done(Top *top)
{
    top_view_free(top->view); /* first: what is said from here on is read on the terminal */
    if (top->sources)
        g_ptr_array_unref(top->sources);
    top_feed_free(top->feed);
    g_free(top->trouble);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Top, top_done)

/* --- the screen --- */

static char *
title_text(const Top *top)
{
    size_t n = top_feed_report(top->feed)->n_domains;

    return g_strdup_printf("%zu %s at %s, every %g s", n, n == 1 ? "domain" : "domains",
                           top_feed_clock(top->feed), top->interval_ms / 1000.0);
}

static char *
trouble_text(const Top *top)
{
    g_autofree char *age = text_duration(top_feed_age_ms(top->feed));
    g_autofree char *why = top->trouble ? text_escape(top->trouble) : NULL;

    return why ? g_strdup_printf("Figures are %s old, trying again: %s", age, why) : NULL;
}

static char *
keys_text(const Top *top)
{
    static const char *const units[] = {
        [TOP_UNIT_AUTO] = "each its own",
        [TOP_UNIT_MIB] = "MiB",
        [TOP_UNIT_GIB] = "GiB",
    };

    G_STATIC_ASSERT(G_N_ELEMENTS(units) == TOP_UNIT_COUNT);
    return g_strdup_printf("q quit  < > sort  r reverse  u units (%s)  arrows, PgUp, PgDn scroll",
                           units[top->order.unit]);
}

static void
draw(Top *top)
{
    g_autoptr(GPtrArray) sorted = top_sort(top_feed_report(top->feed), &top->order);
    g_auto(GStrv) head =
        top_head(top_feed_report(top->feed), top_feed_status(top->feed), top->order.unit);
    g_autofree char *title = title_text(top);
    g_autofree char *trouble = trouble_text(top);
    g_autofree char *keys = keys_text(top);
    TopPicture picture = { title,  trouble, head,       top_feed_report(top->feed),
                           sorted, keys,    top->order, top->first };

    /* Domains have gone, or the screen has grown. */
    if (top->first + top->room > sorted->len)
        top->first = sorted->len > top->room ? sorted->len - top->room : 0;
    picture.first = top->first;
    top->room = top_view_draw(top->view, &picture);
}

/* The first domain that is shown after a step; draw() sees to the end of the list. */
static guint
scrolled(const Top *top, TopKey key)
{
    guint page = MAX(top->room, 1);

    switch (key) {
    case TOP_KEY_UP:
        return top->first - MIN(top->first, 1);
    case TOP_KEY_DOWN:
        return top->first + 1;
    case TOP_KEY_PAGE_UP:
        return top->first - MIN(top->first, page);
    case TOP_KEY_PAGE_DOWN:
        return top->first + page;
    case TOP_KEY_LAST:
        return (guint)top_feed_report(top->feed)->n_domains;
    default:
        return 0;
    }
}

static void
on_key(Top *top, TopKey key)
{
    switch (key) {
    case TOP_KEY_QUIT:
        top->over = true;
        break;
    case TOP_KEY_LEFT:
        top->order.column = (top->order.column + TOP_COLUMNS - 1) % TOP_COLUMNS;
        break;
    case TOP_KEY_RIGHT:
        top->order.column = (top->order.column + 1) % TOP_COLUMNS;
        break;
    case TOP_KEY_REVERSE:
        top->order.reverse = !top->order.reverse;
        break;
    case TOP_KEY_UNIT:
        top->order.unit = (top->order.unit + 1) % TOP_UNIT_COUNT;
        break;
    case TOP_KEY_NONE:
    case TOP_KEY_OTHER:
        break;
    default:
        top->first = scrolled(top, key);
        break;
    }
}

/* --- keys and signals --- */

static void
end(Top *top)
{
    top->over = true;
    top_feed_give_up(top->feed);
}

static gboolean
on_input(gint fd, GIOCondition condition, gpointer user_data)
{
    Top *top = user_data;
    TopKey key;

    (void)fd;
    while (!top->over && (key = top_view_key(top->view)) != TOP_KEY_NONE)
        on_key(top, key);
    if (top->over || condition & (G_IO_HUP | G_IO_ERR)) {
        end(top);
        return G_SOURCE_REMOVE; /* a closed terminal is ready for ever */
    }
    draw(top);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_end_signal(gpointer user_data)
{
    end(user_data);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_resize(gpointer user_data)
{
    Top *top = user_data;

    top_view_resize(top->view);
    draw(top);
    return G_SOURCE_CONTINUE;
}

/* @source is consumed. */
static void
hear(Top *top, GSource *source, GSourceFunc function)
{
    g_source_set_callback(source, function, top, NULL);
    g_source_attach(source, top_feed_context(top->feed));
    g_ptr_array_add(top->sources, source);
}

/* The screen opens when there is something to show. */
static void
open_view(Top *top)
{
    if (top->cli->format == FORMAT_TABLE)
        top->view = top_view_new();
    if (!top->view)
        return;
    hear(top, g_unix_signal_source_new(SIGWINCH), on_resize);
    hear(top, g_unix_fd_source_new(STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR),
         G_SOURCE_FUNC(on_input));
}

/* --- lines --- */

static bool
print_report(const Top *top, GError **error)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree char *json = NULL;

    if (top->cli->format == FORMAT_JSON) {
        json = json_from_message(top_feed_message(top->feed), JSON_LINE);
        return output_write(json, error);
    }
    g_string_append_printf(out, "%s%s\n", top->shown > 0 ? "\n" : "", top_feed_clock(top->feed));
    report_append_table(top->cli, top_feed_message(top->feed), out);
    return output_write(out->str, error);
}

/* Once for each time that the daemon goes away. */
static void
print_trouble(const char *text)
{
    g_autofree char *escaped = text_escape(text);

    fprintf(stderr, "virtksm: %s; trying again\n", escaped);
}

/* --- from report to report --- */

static gboolean
on_due(gpointer user_data)
{
    bool *is_due = user_data;

    *is_due = true;
    return G_SOURCE_REMOVE;
}

static void
pause_until(Top *top, gint64 until_us)
{
    GSource *timer = g_timeout_source_new(0);
    bool is_due = false;

    g_source_set_ready_time(timer, until_us);
    g_source_set_callback(timer, on_due, &is_due, NULL);
    g_source_attach(timer, top_feed_context(top->feed));
    while (!top->over && !is_due)
        g_main_context_iteration(top_feed_context(top->feed), TRUE);
    source_drop(timer);
}

static bool
show(Top *top, GError **error)
{
    g_clear_pointer(&top->trouble, g_free);
    if (top->shown == 0)
        open_view(top);
    if (top->view)
        draw(top);
    else if (!print_report(top, error))
        return false;
    top->shown++;
    return true;
}

/* @reason is consumed. */
static void
suffer(Top *top, GError *reason)
{
    g_assert(reason != NULL);
    if (!top->view && !top->trouble)
        print_trouble(reason->message);
    g_free(top->trouble);
    top->trouble = g_strdup(reason->message);
    g_error_free(reason);
    if (top->view)
        draw(top);
}

/* Return: false when it is over. */
static bool
step(Top *top, GError **error)
{
    gint64 begin_us = g_get_monotonic_time();
    unsigned wait_ms = top->interval_ms;
    GError *reason = NULL;
    bool has_report = top_feed_ask(top->feed, &reason);

    if (!has_report && (top->over || top->shown == 0)) {
        if (!top->over)
            g_propagate_error(error, reason);
        else
            g_clear_error(&reason);
        return false;
    }
    if (has_report && !show(top, error))
        return false;
    if (!has_report) {
        suffer(top, reason);
        wait_ms = MIN(wait_ms, RETRY_MS);
    }
    if (top->shown == top->count)
        return false;
    pause_until(top, begin_us + (gint64)wait_ms * 1000);
    return !top->over;
}

static bool
read_interval(Top *top, GError **error)
{
    const char *given = cli_option(top->cli, "interval");
    const char *text = given ? given : INTERVAL_DEFAULT;
    char *end = NULL;
    double seconds = g_ascii_strtod(text, &end);

    /* Not "seconds < MIN", which is false for what is not a number. */
    if (*end || !(seconds >= INTERVAL_MIN_S && seconds <= INTERVAL_MAX_S)) {
        g_set_error(error, CLI_ERROR, CLI_USAGE, "--interval '%s': expected %g to %d seconds", text,
                    INTERVAL_MIN_S, INTERVAL_MAX_S);
        return false;
    }
    top->interval_ms = (unsigned)lround(seconds * 1000);
    return true;
}

static bool
read_count(Top *top, GError **error)
{
    const char *text = cli_option(top->cli, "count");

    if (!text || g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT64, &top->count, NULL))
        return true;
    g_set_error(error, CLI_ERROR, CLI_USAGE, "--count '%s': expected a whole number from 1 on",
                text);
    return false;
}

bool
top_run(const Cli *cli, GError **error)
{
    g_auto(Top) top = { .cli = cli, .order.column = 1 };
    GError *reason = NULL;

    if (!read_interval(&top, error) || !read_count(&top, error))
        return false;
    top.sources = g_ptr_array_new_with_free_func(source_drop);
    top.feed = top_feed_new(cli);
    hear(&top, g_unix_signal_source_new(SIGINT), on_end_signal);
    hear(&top, g_unix_signal_source_new(SIGTERM), on_end_signal);
    hear(&top, g_unix_signal_source_new(SIGHUP), on_end_signal);
    while (step(&top, &reason)) {
    }
    if (reason)
        g_propagate_error(error, reason);
    return !reason;
}
