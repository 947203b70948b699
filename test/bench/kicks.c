/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kicks.c - how many kicks the daemon takes, and what they cost an event of libvirt meanwhile
 *
 * usage: kicks [SECONDS]     each measurement takes so long; 2 by default
 *
 * An agent on a fabricated host serves its real sockets on one loop; clients in processes of their
 * own kick it as fast as they can, in the storm from several connections with many calls under way
 * on each. Events arrive as those of libvirt do: on a descriptor, at the default priority. The
 * latency of an event is the time from when it was written there until event_post() has returned,
 * and KSM's files are written by then if they need to be. Files are plain files: the kernel's own
 * time to take a setting is not in it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <glib-unix.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/google/protobuf/empty.pb-c.h"
#include "proto/ksm.pb-c.h"
#include "test/support/fakerpc.h"

#define KICK "/ksm.KSMThrottler/Kick"
/* Connections of the storm, and calls under way on each. */
#define STORM_CLIENTS 4
#define STORM_CALLS   64
/* Distance of two events. */
#define EVENT_GAP_US 2000

static const GrpcRpc kick_rpc = { KICK, &google__protobuf__empty__descriptor, 10000 };

/* --- clients, in processes of their own -------------------------------------------------- */

static void
kick_once(GrpcClient *client)
{
    Google__Protobuf__Empty request = GOOGLE__PROTOBUF__EMPTY__INIT;
    ProtobufCMessage *answer;
    g_autoptr(GError) error = NULL;

    if (!grpc_client_unary(client, &kick_rpc, &request.base, &answer, &error)) {
        fprintf(stderr, "kick: %s\n", error->message);
        _exit(1);
    }
    protobuf_c_message_free_unpacked(answer, NULL);
}

static void
kick_over_one_connection(const char *path)
{
    GrpcClient *client = grpc_client_new(path, NULL);

    for (;;)
        kick_once(client);
}

static void
kick_over_new_connections(const char *path)
{
    for (;;) {
        g_autoptr(GrpcClient) client = grpc_client_new(path, NULL);

        kick_once(client);
    }
}

static void again(GrpcClientCall *call, const GError *error, gpointer client);

static void
begin_kick(GrpcClient *client)
{
    static const GrpcClientHandler handler = { .finished = again };
    Google__Protobuf__Empty request = GOOGLE__PROTOBUF__EMPTY__INIT;
    GrpcClientCall *call = grpc_client_open(client, &kick_rpc, &handler, client, NULL);

    if (!call)
        _exit(1);
    grpc_client_call_send(call, &request.base);
    grpc_client_call_half_close(call);
    grpc_client_call_unref(call);
}

static void
again(GrpcClientCall *call, const GError *error, gpointer client)
{
    (void)call;
    if (error) {
        fprintf(stderr, "kick: %s\n", error->message);
        _exit(1);
    }
    begin_kick(client);
}

static void
kick_all_the_time(const char *path)
{
    GrpcClient *client = grpc_client_new(path, NULL);

    for (unsigned i = 0; i < STORM_CALLS; i++)
        begin_kick(client);
    for (;;)
        g_main_context_iteration(grpc_client_context(client), TRUE);
}

static pid_t
fork_client(void (*kick)(const char *path), const char *path)
{
    pid_t pid = fork();

    if (pid == 0)
        kick(path);
    if (pid < 0) {
        perror("fork");
        exit(1);
    }
    return pid;
}

/* --- events, as libvirt's come ------------------------------------------------------------ */

/* When each event was written, through a pipe; the writer is a process of its own. */
typedef struct {
    Agent *agent;         /* borrowed */
    GArray *latencies_us; /* owned; of gint64 */
} Listener;

static void
write_events(int fd)
{
    for (;;) {
        gint64 now_us;

        g_usleep(EVENT_GAP_US);
        now_us = g_get_monotonic_time(); /* CLOCK_MONOTONIC is the same in all processes */
        if (write(fd, &now_us, sizeof(now_us)) != sizeof(now_us))
            _exit(1);
    }
}

static gboolean
take_event(gint fd, GIOCondition condition, gpointer data)
{
    Listener *listener = data;
    Event event = { .kind = EVENT_CHANGED,
                    .source = "libvirt",
                    .uuid = "u1",
                    .name = "web",
                    .id = 1,
                    .scan = true };
    gint64 latency_us;
    gint64 then_us;

    (void)condition;
    if (read(fd, &then_us, sizeof(then_us)) != sizeof(then_us))
        return G_SOURCE_REMOVE;
    event_post(listener->agent, &event);
    latency_us = g_get_monotonic_time() - then_us;
    g_array_append_val(listener->latencies_us, latency_us);
    return G_SOURCE_CONTINUE;
}

/* --- measurements ------------------------------------------------------------------------- */

static gint
compare_times(gconstpointer a, gconstpointer b)
{
    gint64 left = *(const gint64 *)a;
    gint64 right = *(const gint64 *)b;

    return left < right ? -1 : left > right;
}

static void
print_latencies(GArray *us)
{
    if (us->len == 0) {
        printf("   no event came\n");
        return;
    }
    g_array_sort(us, compare_times);
    printf("   events: median %6" PRId64 " us, 99 %% %6" PRId64 " us, worst %6" PRId64
           " us of %u\n",
           g_array_index(us, gint64, us->len / 2), g_array_index(us, gint64, us->len * 99 / 100),
           g_array_index(us, gint64, us->len - 1), us->len);
}

static gboolean
end_run(gpointer over)
{
    *(bool *)over = true;
    return G_SOURCE_REMOVE;
}

static void
end_child(pid_t pid)
{
    if (waitpid(pid, NULL, WNOHANG) != 0) {
        fprintf(stderr, "a client has ended early\n");
        exit(1);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* Serves @n_clients clients and the events beside them, for a while. */
static void
measure(FakeRpc *rpc, const char *what, void (*kick)(const char *path), unsigned n_clients,
        guint seconds)
{
    Listener listener = { rpc->agent, g_array_new(FALSE, FALSE, sizeof(gint64)) };
    uint64_t before = event_hub_count(&rpc->agent->events, "grpc").events;
    uint64_t decisions = rpc->agent->tick.count;
    pid_t children[STORM_CLIENTS + 1];
    bool over = false;
    gint64 begin_us = g_get_monotonic_time();
    double lasted_s;
    int ends[2];
    guint watch;

    if (!g_unix_open_pipe(ends, FD_CLOEXEC, NULL))
        exit(1);
    for (unsigned i = 0; i < n_clients; i++)
        children[i] = fork_client(kick, rpc->path);
    children[n_clients] = fork();
    if (children[n_clients] == 0)
        write_events(ends[1]);
    watch = g_unix_fd_add(ends[0], G_IO_IN, take_event, &listener);
    g_timeout_add_seconds(seconds, end_run, &over);
    while (!over)
        g_main_context_iteration(NULL, TRUE);
    lasted_s = (double)(g_get_monotonic_time() - begin_us) / G_USEC_PER_SEC;
    printf("%-36s %8.0f kicks/s, %4.0f decisions/s\n", what,
           (double)(event_hub_count(&rpc->agent->events, "grpc").events - before) / lasted_s,
           (double)(rpc->agent->tick.count - decisions) / lasted_s);
    print_latencies(listener.latencies_us);
    for (unsigned i = 0; i <= n_clients; i++)
        end_child(children[i]);
    g_source_remove(watch);
    close(ends[0]);
    close(ends[1]);
    g_array_unref(listener.latencies_us);
    fakerpc_settle();
}

int
main(int argc, char **argv)
{
    guint seconds = argc > 1 ? (guint)g_ascii_strtoull(argv[1], NULL, 10) : 2;
    void *state;

    if (seconds == 0 || argc > 2) {
        fprintf(stderr, "usage: %s [SECONDS]\n", argv[0]);
        return 2;
    }
    fakerpc_setup(&state);
    measure(state, "nobody kicks", NULL, 0, seconds);
    measure(state, "one connection, one call at a time", kick_over_one_connection, 1, seconds);
    measure(state, "a new connection for each call", kick_over_new_connections, 1, seconds);
    measure(state, "storm: 4 connections of 64 calls", kick_all_the_time, STORM_CLIENTS, seconds);
    fakerpc_teardown(&state);
    return 0;
}
