/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conn.c - the life of the connection to libvirt
 *
 *            open job ok                      close callback
 *   OPENING ------------> UP ---------------------------------------> WAITING --+
 *      ^  |                                                              ^      |
 *      |  +---- open job failed -----------------------------------------+      |
 *      +--------------------------- back-off over ------------------------------+
 *
 * The open job connects, asks for keep-alive and to be told of the end, has the owner register its
 * callbacks, and only then lists domains: no event is lost, and one that is told twice is known by
 * uuid and number of the start.
 *
 * No call that may wait for libvirtd, or for another thread that does, is made on the loop. Also
 * registering is one, and closing, which takes back the callbacks, as they hold references on their
 * connection. So both are jobs: a hung connection hangs a thread and not the agent.
 *
 * One call at a time goes over the connection. With two, libvirt 9.0 lets the second wait for ever
 * when keep-alive gives the connection up, and crashes should libvirtd go on after that. So jobs
 * queue in one thread; when it has been waiting for long (a QEMU does not answer its monitor, and
 * the call that asks it waits), questions go round it, one at a time as well, each over a
 * connection of its own that is closed afterwards.
 *
 * Keep-alive turns a hung libvirtd into a closed connection. An open that hangs in the handshake
 * ends when libvirtd goes on or goes away.
 * Source: libvirt's API reference, virConnectSetKeepAlive(), virConnectRegisterCloseCallback().
 */
#include "agent/virt/conn.h"
#include "agent/error.h"

#include <libvirt-glib/libvirt-glib.h>
#include <stdlib.h>

#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 30000
/* A call that takes longer than this is gone round. */
#define ROUND_AFTER_US 2000000
/* How long the end of the agent waits for calls to libvirt to come back. */
#define CLOSE_PATIENCE_US 1000000

/*
 * What libvirt's close callback gets. The callback comes in any thread, also in one of ours in the
 * middle of a call, with libvirt's locks held: it notes the reason and leaves the rest to the loop.
 */
typedef struct {
    gint refs;      /* atomic; the connection's and the loop's */
    gint closed;    /* atomic; reason plus 1; 0: open */
    VirtConn *self; /* the loop's; NULL before the connection is up and after it was let go */
} CloseWatch;

struct VirtConn {
    char *uri;                /* owned */
    unsigned keepalive_s;     /* see VirtConnTarget */
    unsigned keepalive_count; /* see VirtConnTarget */
    const VirtConnOps *ops;   /* static */
    gpointer user;            /* for ops */
    Worker *worker;           /* owned; calls over conn */
    Worker *side;             /* owned; calls that go round one that hangs */
    virConnectPtr conn;       /* owned; NULL while not up */
    gpointer registered;      /* owned; what setup returned */
    CloseWatch *watch;        /* counted; NULL while not up */
    char *error;              /* owned; last failure */
    guint timer;              /* GSource of the next attempt; 0: none */
    guint backoff_ms;         /* before the next attempt */
    guint ups;                /* times it came up */
    bool is_ending; /* virt_conn_free() drains what is under way; nobody is told any more */
};

static void open_start(VirtConn *self);
static void lost(VirtConn *self);

/* --- open ------------------------------------------------------------------------------- */

/* A job may outlive the connection object: it has copies of all it needs. */
typedef struct {
    char *uri;                /* owned */
    unsigned keepalive_s;     /* see VirtConnTarget */
    unsigned keepalive_count; /* see VirtConnTarget */
    const VirtConnOps *ops;   /* static */
    gpointer user;            /* for ops */
} OpenInput;

typedef struct {
    virConnectPtr conn;     /* owned; NULL once taken over */
    gpointer registered;    /* owned together with conn */
    CloseWatch *watch;      /* counted together with conn */
    const VirtConnOps *ops; /* static */
    GArray *domains;        /* owned; VirtListed */
} OpenOutput;

/* --- close callback --------------------------------------------------------------------- */

static void
close_watch_unref(CloseWatch *watch)
{
    if (g_atomic_int_dec_and_test(&watch->refs))
        g_free(watch);
}

static CloseWatch *
close_watch_ref(CloseWatch *watch)
{
    g_atomic_int_inc(&watch->refs);
    return watch;
}

static gboolean
closed_on_loop(gpointer data)
{
    CloseWatch *watch = data;

    if (watch->self)
        lost(watch->self);
    close_watch_unref(watch);
    return G_SOURCE_REMOVE;
}

static void
on_closed(virConnectPtr conn, int reason, void *opaque)
{
    CloseWatch *watch = opaque;

    (void)conn;
    g_atomic_int_set(&watch->closed, reason + 1);
    g_idle_add_full(G_PRIORITY_DEFAULT, closed_on_loop, close_watch_ref(watch), NULL);
}

/*
 * The watch belongs to the connection until let_go(). libvirt could free it as well, but does so
 * only for drivers that can lose their connection: test:/// takes the callback and forgets it.
 */
static CloseWatch *
watch_close(virConnectPtr conn, GError **error)
{
    CloseWatch *watch = g_new0(CloseWatch, 1);

    watch->refs = 1;
    if (virConnectRegisterCloseCallback(conn, on_closed, watch, NULL) == 0)
        return watch;
    virt_set_error(error, "the end of the connection would not be told");
    close_watch_unref(watch);
    return NULL;
}

/* What has not been done yet is NULL. */
static void
undo(virConnectPtr conn, const VirtConnOps *ops, gpointer registered, CloseWatch *watch)
{
    if (watch)
        virConnectUnregisterCloseCallback(conn, on_closed);
    g_clear_pointer(&watch, close_watch_unref);
    if (registered)
        ops->teardown(conn, registered);
}

static void
let_go(virConnectPtr conn, const VirtConnOps *ops, gpointer registered, CloseWatch *watch)
{
    undo(conn, ops, registered, watch);
    virConnectClose(conn);
}

static void
listed_clear(gpointer data)
{
    g_free(((VirtListed *)data)->name);
}

static void
open_input_free(gpointer data)
{
    g_free(((OpenInput *)data)->uri);
    g_free(data);
}

static void
open_output_free(gpointer data)
{
    OpenOutput *output = data;

    if (output->conn) {
        let_go(output->conn, output->ops, output->registered, output->watch);
    }
    g_clear_pointer(&output->domains, g_array_unref);
    g_free(output);
}

static GArray *
list_domains(virConnectPtr conn, GError **error)
{
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(conn, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    GArray *all;

    if (n < 0) {
        virt_set_error(error, "cannot list the running domains");
        return NULL;
    }
    all = g_array_new(FALSE, TRUE, sizeof(VirtListed));
    g_array_set_clear_func(all, listed_clear);
    for (int i = 0; i < n; i++) {
        VirtListed listed = { .id = (int)virDomainGetID(domains[i]) };

        if (virDomainGetUUIDString(domains[i], listed.uuid) == 0) {
            listed.name = g_strdup(virDomainGetName(domains[i]));
            g_array_append_val(all, listed);
        }
        virDomainFree(domains[i]);
    }
    free(domains);
    return all;
}

static gpointer
open_work(gpointer data, GError **error)
{
    const OpenInput *input = data;
    g_autoptr(VirConnectHandle) conn = virConnectOpen(input->uri);
    gpointer registered;
    OpenOutput *output;
    CloseWatch *watch;
    GArray *domains;

    if (!conn) {
        virt_set_error(error, input->uri);
        return NULL;
    }
    /* Drivers inside this process (test:///) have no connection to keep alive: not an error. */
    virConnectSetKeepAlive(conn, (int)input->keepalive_s, input->keepalive_count);
    watch = watch_close(conn, error);
    registered = watch ? input->ops->setup(conn, input->user, error) : NULL;
    domains = registered ? list_domains(conn, error) : NULL;
    if (!domains) {
        undo(conn, input->ops, registered, watch);
        return NULL;
    }
    output = g_new(OpenOutput, 1);
    *output = (OpenOutput){ conn, registered, watch, input->ops, domains };
    conn = NULL; /* the output owns it from here */
    return output;
}

static gboolean
retry(gpointer data)
{
    VirtConn *self = data;

    self->timer = 0;
    open_start(self);
    return G_SOURCE_REMOVE;
}

static void
wait_and_retry(VirtConn *self, const char *why)
{
    g_free(self->error);
    self->error = g_strdup(why);
    self->timer = g_timeout_add(self->backoff_ms, retry, self);
    self->backoff_ms = MIN(self->backoff_ms * 2, BACKOFF_MAX_MS);
    self->ops->down(self->user, why);
}

/* --- close ------------------------------------------------------------------------------ */

typedef struct {
    virConnectPtr conn;     /* owned; NULL: let go */
    gpointer registered;    /* owned */
    CloseWatch *watch;      /* counted */
    const VirtConnOps *ops; /* static */
} CloseInput;

static gpointer
close_work(gpointer data, GError **error)
{
    CloseInput *input = data;

    (void)error;
    let_go(g_steal_pointer(&input->conn), input->ops, input->registered, input->watch);
    return NULL;
}

/* One that has not begun when the owner goes is closed all the same, once the thread is free. */
static void
close_input_free(gpointer data)
{
    CloseInput *input = data;

    if (input->conn)
        close_work(input, NULL);
    g_free(input);
}

static void
close_done(gpointer output, const GError *error, gpointer user)
{
    (void)output;
    (void)error;
    (void)user;
}

static const WorkerJob close_job = { close_work, close_input_free, NULL, NULL, close_done };

static void
close_start(VirtConn *self)
{
    CloseInput *input = g_new(CloseInput, 1);

    self->watch->self = NULL;
    *input = (CloseInput){ g_steal_pointer(&self->conn), g_steal_pointer(&self->registered),
                           g_steal_pointer(&self->watch), self->ops };
    worker_push(self->worker, &close_job, input, self);
}

static const char *
close_reason_text(int reason)
{
    static const char *const texts[] = {
        [VIR_CONNECT_CLOSE_REASON_ERROR] = "the connection broke",
        [VIR_CONNECT_CLOSE_REASON_EOF] = "libvirtd closed the connection",
        [VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "libvirtd gave no sign of life",
        [VIR_CONNECT_CLOSE_REASON_CLIENT] = "closed by the agent",
    };

    return reason >= 0 && reason < (int)G_N_ELEMENTS(texts) ? texts[reason] : "closed";
}

static void
lost(VirtConn *self)
{
    int reason = g_atomic_int_get(&self->watch->closed) - 1;

    close_start(self);
    wait_and_retry(self, close_reason_text(reason));
}

/* --- open, on the loop ------------------------------------------------------------------ */

/* The connection is ours from here, with what is registered on it. */
static void
take_over(VirtConn *self, OpenOutput *output)
{
    self->conn = g_steal_pointer(&output->conn);
    self->registered = output->registered;
    self->watch = output->watch;
    self->watch->self = self;
}

static void
open_done(gpointer data, const GError *error, gpointer user)
{
    VirtConn *self = user;
    OpenOutput *output = data;

    if (self->is_ending) {
        if (output) {
            take_over(self, output);
            close_start(self);
            open_output_free(output);
        }
        return;
    }
    if (!output) {
        wait_and_retry(self, error->message);
        return;
    }
    take_over(self, output);
    self->backoff_ms = BACKOFF_MIN_MS;
    self->ups++;
    g_clear_pointer(&self->error, g_free);
    self->ops->up(self->user, output->domains);
    open_output_free(output);
    /* It may have closed before there was anybody to be told. */
    if (g_atomic_int_get(&self->watch->closed) != 0)
        lost(self);
}

static const WorkerJob open_job = { open_work, open_input_free, open_output_free, NULL, open_done };

static void
open_start(VirtConn *self)
{
    OpenInput *input = g_new(OpenInput, 1);

    *input = (OpenInput){ g_strdup(self->uri), self->keepalive_s, self->keepalive_count, self->ops,
                          self->user };
    worker_push(self->worker, &open_job, input, self);
}

static void
ignore_error(void *user, virErrorPtr error)
{
    (void)user;
    (void)error; /* failures are returned, and told where they are handled */
}

void
virt_prepare(void)
{
    gvir_event_register();
    virSetErrorFunc(NULL, ignore_error);
}

VirtConn *
virt_conn_new(const VirtConnTarget *target, const VirtConnOps *ops, gpointer user)
{
    VirtConn *self = g_new0(VirtConn, 1);

    self->uri = g_strdup(target->uri);
    self->keepalive_s = target->keepalive_s;
    self->keepalive_count = target->keepalive_count;
    self->ops = ops;
    self->user = user;
    self->worker = worker_new();
    self->side = worker_new();
    self->backoff_ms = BACKOFF_MIN_MS;
    open_start(self);
    return self;
}

bool
virt_conn_free(VirtConn *conn)
{
    bool idle;

    if (!conn)
        return true;
    conn->is_ending = true;
    g_clear_handle_id(&conn->timer, g_source_remove);
    if (conn->conn)
        close_start(conn);
    idle = worker_drain(conn->worker, CLOSE_PATIENCE_US);
    idle = worker_drain(conn->side, idle ? CLOSE_PATIENCE_US : 0) && idle;
    worker_free(conn->worker);
    worker_free(conn->side);
    g_free(conn->uri);
    g_free(conn->error);
    g_free(conn);
    return idle;
}

bool
virt_conn_is_hanging(const VirtConn *conn)
{
    return worker_silence_us(conn->worker) >= ROUND_AFTER_US;
}

bool
virt_conn_is_up(const VirtConn *conn)
{
    return conn->conn != NULL;
}

const char *
virt_conn_error(const VirtConn *conn)
{
    return conn->error;
}

guint
virt_conn_reconnects(const VirtConn *conn)
{
    return conn->ups > 0 ? conn->ups - 1 : 0;
}

bool
virt_conn_push(VirtConn *conn, const WorkerJob *job, VirtQuestion *question, gpointer user)
{
    if (!conn->conn)
        return false;
    if (!virt_conn_is_hanging(conn)) {
        virConnectRef(conn->conn);
        question->conn = conn->conn; /* counted; the job's from here */
        worker_push(conn->worker, job, question, user);
        return true;
    }
    if (worker_silence_us(conn->side) >= ROUND_AFTER_US)
        return false;
    question->uri = g_strdup(conn->uri);
    worker_push(conn->side, job, question, user);
    return true;
}

virConnectPtr
virt_question_conn(VirtQuestion *question, GError **error)
{
    if (!question->conn)
        question->conn = virConnectOpen(question->uri);
    if (!question->conn)
        virt_set_error(error, question->uri);
    return question->conn;
}

void
virt_question_done(VirtQuestion *question)
{
    if (question->conn)
        virConnectClose(question->conn);
    g_free(question->uri);
}
