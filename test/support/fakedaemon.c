/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakedaemon.c - one handler for all methods; what it answers stands in a table of the test's */
#define _GNU_SOURCE
#include "test/support/fakedaemon.h"
#include "proto/virtksm.pb-c.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SERVICE "/virtksm.v1.Agent/"

typedef struct {
    const ProtobufCMessage *message; /* borrowed */
    GrpcStatus status;               /* not OK: instead of the message */
    const char *text;                /* borrowed; with the status */
} Answer;

struct FakeDaemon {
    GrpcServer *server;  /* owned; NULL when stopped */
    char *dir;           /* owned */
    char *socket;        /* owned */
    char *read_only;     /* owned */
    GHashTable *answers; /* owned; name of a method -> Answer */
    GrpcCall *watcher;   /* owned; NULL: nobody watches */
    char *asked;         /* owned */
};

/* The word that a request carries, if it is of a kind that does. */
static const char *
word_of(const ProtobufCMessage *request)
{
    if (request->descriptor == &virtksm__v1__report_request__descriptor)
        return ((const Virtksm__V1__ReportRequest *)request)->domain;
    if (request->descriptor == &virtksm__v1__explain_request__descriptor)
        return ((const Virtksm__V1__ExplainRequest *)request)->domain;
    if (request->descriptor == &virtksm__v1__doctor_request__descriptor)
        return ((const Virtksm__V1__DoctorRequest *)request)->domain;
    if (request->descriptor == &virtksm__v1__history_request__descriptor)
        return ((const Virtksm__V1__HistoryRequest *)request)->domain;
    if (request->descriptor == &virtksm__v1__working_set_request__descriptor)
        return ((const Virtksm__V1__WorkingSetRequest *)request)->domain;
    if (request->descriptor == &virtksm__v1__watch_working_set_request__descriptor)
        return ((const Virtksm__V1__WatchWorkingSetRequest *)request)->domain;
    if (request->descriptor == &virtksm__v1__set_request__descriptor)
        return ((const Virtksm__V1__SetRequest *)request)->domain;
    if (request->descriptor == &virtksm__v1__set_mode_request__descriptor)
        return ((const Virtksm__V1__SetModeRequest *)request)->mode;
    return NULL;
}

static void
on_request(GrpcCall *call, const ProtobufCMessage *request)
{
    FakeDaemon *daemon = grpc_server_data(grpc_call_server(call));
    const char *method = grpc_call_method(call)->path + strlen(SERVICE);
    const Answer *answer = g_hash_table_lookup(daemon->answers, method);
    const char *word = word_of(request);

    g_free(daemon->asked);
    daemon->asked = g_strconcat(method, word ? " " : "", word ? word : "",
                                grpc_call_peer(call)->read_only ? " ro" : "", NULL);
    if (answer && answer->status != GRPC_STATUS_OK)
        grpc_call_fail(call, answer->status, answer->text);
    else if (answer)
        grpc_call_reply(call, answer->message);
}

static void
on_watch(GrpcCall *call, const ProtobufCMessage *request)
{
    FakeDaemon *daemon = grpc_server_data(grpc_call_server(call));

    on_request(call, request);
    g_clear_pointer(&daemon->watcher, grpc_call_unref);
    daemon->watcher = grpc_call_ref(call);
    grpc_call_accept(call);
}

static const GrpcHandler unary = { .message = on_request };
static const GrpcHandler stream = { .message = on_watch };

#define UNARY(name, read_only, stem)                                                               \
    {                                                                                              \
        SERVICE name, GRPC_UNARY, read_only, &virtksm__v1__##stem##_request__descriptor,           \
            &virtksm__v1__##stem##_response__descriptor, &unary                                    \
    }

static const GrpcMethod methods[] = {
    UNARY("Status", true, status),
    UNARY("List", true, list),
    UNARY("Report", true, report),
    UNARY("Explain", true, explain),
    UNARY("Doctor", true, doctor),
    UNARY("History", true, history),
    UNARY("WorkingSet", true, working_set),
    UNARY("Kick", false, kick),
    UNARY("SetMode", false, set_mode),
    UNARY("Set", false, set),
    { SERVICE "WatchWorkingSet", GRPC_SERVER_STREAM, true,
      &virtksm__v1__watch_working_set_request__descriptor,
      &virtksm__v1__watch_working_set_response__descriptor, &stream },
    { SERVICE "Watch", GRPC_SERVER_STREAM, true, &virtksm__v1__watch_request__descriptor,
      &virtksm__v1__watch_response__descriptor, &stream },
};

static void
listen_at(FakeDaemon *daemon, const char *path, bool read_only)
{
    const GrpcListen where = { path, read_only ? 0666 : 0660, (gid_t)-1, read_only };
    g_autoptr(GError) error = NULL;

    if (!grpc_server_listen(daemon->server, &where, &error))
        fail_msg("cannot listen: %s", error->message);
}

FakeDaemon *
fakedaemon_new(void)
{
    FakeDaemon *daemon = g_new0(FakeDaemon, 1);
    g_autoptr(GError) error = NULL;

    daemon->dir = g_dir_make_tmp("virtksm-XXXXXX", &error);
    assert_non_null(daemon->dir);
    daemon->socket = g_build_filename(daemon->dir, "virtksmd.sock", NULL);
    daemon->read_only = g_build_filename(daemon->dir, "virtksmd-ro.sock", NULL);
    daemon->answers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    daemon->server = grpc_server_new(NULL);
    grpc_server_set_data(daemon->server, daemon, NULL);
    grpc_server_add_methods(daemon->server, methods, G_N_ELEMENTS(methods));
    listen_at(daemon, daemon->socket, false);
    listen_at(daemon, daemon->read_only, true);
    return daemon;
}

void
fakedaemon_stop(FakeDaemon *daemon)
{
    g_clear_pointer(&daemon->server, grpc_server_free);
}

void
fakedaemon_free(FakeDaemon *daemon)
{
    if (!daemon)
        return;
    fakedaemon_stop(daemon);
    g_clear_pointer(&daemon->watcher, grpc_call_unref);
    g_unlink(daemon->socket);
    g_unlink(daemon->read_only);
    g_rmdir(daemon->dir);
    g_hash_table_unref(daemon->answers);
    g_free(daemon->dir);
    g_free(daemon->socket);
    g_free(daemon->read_only);
    g_free(daemon->asked);
    g_free(daemon);
}

int
fakedaemon_setup(void **state)
{
    *state = fakedaemon_new();
    return 0;
}

int
fakedaemon_teardown(void **state)
{
    fakedaemon_free(*state);
    return 0;
}

const char *
fakedaemon_socket(const FakeDaemon *daemon)
{
    return daemon->socket;
}

static void
set_answer(FakeDaemon *daemon, const char *method, Answer answer)
{
    Answer *copy = g_new(Answer, 1);

    *copy = answer;
    g_hash_table_insert(daemon->answers, g_strdup(method), copy);
}

void
fakedaemon_answer(FakeDaemon *daemon, const char *method, const ProtobufCMessage *message)
{
    set_answer(daemon, method, (Answer){ message, GRPC_STATUS_OK, NULL });
}

void
fakedaemon_refuse(FakeDaemon *daemon, const char *method, GrpcStatus status, const char *text)
{
    set_answer(daemon, method, (Answer){ NULL, status, text });
}

bool
fakedaemon_send(FakeDaemon *daemon, const ProtobufCMessage *message)
{
    return grpc_call_send(daemon->watcher, message);
}

void
fakedaemon_await_watcher(FakeDaemon *daemon)
{
    while (!daemon->watcher)
        g_main_context_iteration(NULL, TRUE);
}

void
fakedaemon_await_sent(FakeDaemon *daemon)
{
    while (grpc_call_queued_bytes(daemon->watcher) > 0)
        g_main_context_iteration(NULL, TRUE);
}

const char *
fakedaemon_asked(const FakeDaemon *daemon)
{
    return daemon->asked ? daemon->asked : "";
}

Child *
fakedaemon_client(const FakeDaemon *daemon, const char *const *words)
{
    const char *argv[10] = { TEST_BUILD_DIR "/agent/cli/virtksm", "--socket", daemon->socket };

    for (size_t i = 0; words[i]; i++) {
        assert_true(3 + i + 1 < G_N_ELEMENTS(argv));
        argv[3 + i] = words[i];
    }
    return child_start(argv);
}

char *
fakedaemon_output(const FakeDaemon *daemon, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    g_autoptr(Child) child = fakedaemon_client(daemon, (const char *const *)words);
    int code = child_wait(child);

    if (code != 0)
        fail_msg("%s: exit code %d: %s", line, code, child_err(child));
    assert_string_equal(child_err(child), "");
    return g_strdup(child_out(child));
}

void
fakedaemon_expect(const FakeDaemon *daemon, const char *line, const char *want)
{
    g_autofree char *out = fakedaemon_output(daemon, line);

    if (strcmp(out, want) != 0)
        fail_msg("%s:\n%s\nwant:\n%s", line, out, want);
}
