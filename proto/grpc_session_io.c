/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_session_io.c - one HTTP/2 connection on the main loop: socket, timers, end of life
 *
 * One source per connection watches the descriptor and carries all its timers as one ready time.
 * A turn is: one bounded read, timers (so that what was read counts), the callbacks that were put
 * off, then writes until the socket is full or a bound is reached. The bounds keep a storm on one
 * connection from holding up the loop; the source also runs below the default priority.
 *
 * Outside a turn nothing is written: grpc_session_wake() asks for G_IO_OUT, so that a handler's
 * answer never runs callbacks under the handler's feet.
 */
#define _GNU_SOURCE
#include "proto/grpc_session.h"
#include "proto/grpc_stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One read: some hundred small calls, or half a DATA frame. */
#define READ_BYTES 8192
/* One write gathers frames up to this. A frame that nghttp2 hands out is at most 16 KiB of
 * payload, 9 bytes of head and 256 of padding. */
#define WRITE_BYTES 32768
#define FRAME_BYTES (16384 + 9 + 256)
/* Writes in one turn before others get theirs. */
#define WRITES_PER_TURN 8

typedef struct {
    GSource source;       /* base */
    GrpcSession *session; /* borrowed; destroys the source before it goes */
} SessionSource;

typedef struct {
    size_t len;                 /* of @bytes in use */
    uint8_t bytes[WRITE_BYTES]; /* frames in a row */
} Batch;

static void
arm(GrpcSession *session, GIOCondition wanted)
{
    if (wanted == session->armed)
        return;
    g_source_modify_unix_fd(session->source, session->tag, wanted);
    session->armed = wanted;
}

void
grpc_session_wake(GrpcSession *session)
{
    if (!session->is_closed && session->busy == 0)
        arm(session, G_IO_IN | G_IO_OUT);
}

void
grpc_session_enter(GrpcSession *session)
{
    session->busy++;
    grpc_session_ref(session);
}

static void
tear_down(GrpcSession *session)
{
    session->is_torn_down = true;
    while (session->streams.head) {
        GrpcStream *stream = session->streams.head->data;

        grpc_stream_detach(stream);
        session->ops->close(stream, GRPC_CODE_LOST);
    }
    grpc_session_set_data(session, NULL, NULL);
    session->ops->gone(session);
}

void
grpc_session_leave(GrpcSession *session)
{
    if (session->busy == 1 && session->is_closed && !session->is_torn_down)
        tear_down(session);
    session->busy--;
    if (session->busy == 0 && !session->is_closed && nghttp2_session_want_write(session->h2))
        grpc_session_wake(session);
    grpc_session_unref(session);
}

void
grpc_session_close(GrpcSession *session, const char *why)
{
    if (session->is_closed)
        return;
    grpc_session_enter(session);
    session->is_closed = true;
    if (!session->why)
        session->why = why;
    grpc_source_stop(&session->source);
    g_clear_pointer(&session->unsent, g_byte_array_unref);
    close(session->fd);
    session->fd = -1;
    grpc_session_leave(session);
}

void
grpc_session_add_work(GrpcStream *stream)
{
    if (stream->has_work)
        return;
    stream->has_work = true;
    g_queue_push_tail_link(&stream->session->work, &stream->work_link);
    grpc_session_wake(stream->session);
}

static void
run_work(GrpcSession *session)
{
    GList *link;

    while (!session->is_closed && (link = g_queue_pop_head_link(&session->work))) {
        GrpcStream *stream = link->data;

        stream->has_work = false;
        grpc_stream_work(stream);
    }
}

static void
read_some(GrpcSession *session)
{
    uint8_t buffer[READ_BYTES];
    ssize_t len = recv(session->fd, buffer, sizeof(buffer), 0);

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0) {
        grpc_session_close(session, "the peer closed the connection");
        return;
    }
    session->read_us = session->now_us;
    if (session->linger_us > 0)
        return;
    if (nghttp2_session_mem_recv(session->h2, buffer, (size_t)len) < 0) {
        grpc_session_close(session, "the peer does not speak HTTP/2");
        return;
    }
    if (nghttp2_session_get_outbound_queue_size(session->h2) > session->limits.outbound_frames)
        grpc_session_close(session, "the peer does not read its answers");
}

/* Returns false when the socket is full or broken. */
static bool
send_bytes(GrpcSession *session, const uint8_t *bytes, size_t len, size_t *ret_sent)
{
    ssize_t sent = send(session->fd, bytes, len, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        grpc_session_close(session, "the connection broke");
        return false;
    }
    *ret_sent = sent < 0 ? 0 : (size_t)sent;
    return *ret_sent == len;
}

static bool
send_unsent(GrpcSession *session)
{
    GByteArray *unsent = session->unsent;
    size_t sent = 0;
    bool all;

    if (!unsent)
        return true;
    all = send_bytes(session, unsent->data + session->unsent_offset,
                     unsent->len - session->unsent_offset, &sent);
    session->unsent_offset += sent;
    if (all) {
        g_clear_pointer(&session->unsent, g_byte_array_unref);
        session->unsent_offset = 0;
    }
    return all;
}

static bool
collect(GrpcSession *session, Batch *batch)
{
    batch->len = 0;
    while (batch->len + FRAME_BYTES <= WRITE_BYTES) {
        const uint8_t *frame;
        ssize_t len = nghttp2_session_mem_send(session->h2, &frame);

        if (len < 0 || (size_t)len > WRITE_BYTES - batch->len) {
            grpc_session_close(session, "HTTP/2 cannot go on");
            return false;
        }
        if (len == 0)
            break;
        memcpy(batch->bytes + batch->len, frame, (size_t)len);
        batch->len += (size_t)len;
    }
    return batch->len > 0 && !session->is_closed;
}

static void
write_some(GrpcSession *session)
{
    Batch batch;

    if (session->is_closed || !send_unsent(session))
        return;
    for (int i = 0; i < WRITES_PER_TURN && collect(session, &batch); i++) {
        size_t sent = 0;

        if (send_bytes(session, batch.bytes, batch.len, &sent))
            continue;
        if (session->is_closed)
            return;
        session->unsent = g_byte_array_new();
        g_byte_array_append(session->unsent, batch.bytes + sent, (guint)(batch.len - sent));
        return;
    }
}

static bool
is_due(const GrpcSession *session, uint64_t since_us, uint64_t period_us)
{
    return since_us > 0 && period_us > 0 && session->now_us - since_us >= period_us;
}

static void
run_timers(GrpcSession *session)
{
    const GrpcLimits *limits = &session->limits;

    if (is_due(session, session->linger_us, limits->linger_us))
        grpc_session_close(session, "the connection ended");
    else if (!session->is_greeted && is_due(session, session->born_us, limits->handshake_us))
        grpc_session_close(session, "the peer did not begin HTTP/2 in time");
    else if (is_due(session, session->end_us, limits->handshake_us))
        grpc_session_close(session, "the peer did not take its leave in time");
    else if (is_due(session, session->ping_us, limits->keepalive_ack_us))
        grpc_session_close(session, "the peer did not answer a keep-alive ping");
    else if (session->streams.length == 0 && is_due(session, session->idle_us, limits->idle_us))
        grpc_session_kick_out(session, NGHTTP2_NO_ERROR, "the connection was idle");
    else if (session->ping_us == 0 && is_due(session, session->read_us, limits->keepalive_us)) {
        session->ping_us = session->now_us;
        nghttp2_submit_ping(session->h2, NGHTTP2_FLAG_NONE, NULL);
    }
}

static void
earlier(int64_t *at_us, uint64_t since_us, uint64_t period_us)
{
    int64_t due_us = (int64_t)(since_us + period_us);

    if (since_us > 0 && period_us > 0 && (*at_us < 0 || due_us < *at_us))
        *at_us = due_us;
}

static void
set_timers(GrpcSession *session)
{
    const GrpcLimits *limits = &session->limits;
    int64_t at_us = -1;

    earlier(&at_us, session->linger_us, limits->linger_us);
    if (!session->is_greeted)
        earlier(&at_us, session->born_us, limits->handshake_us);
    earlier(&at_us, session->end_us, limits->handshake_us);
    if (session->streams.length == 0 && session->end_us == 0)
        earlier(&at_us, session->idle_us, limits->idle_us);
    if (session->ping_us > 0)
        earlier(&at_us, session->ping_us, limits->keepalive_ack_us);
    else
        earlier(&at_us, session->read_us, limits->keepalive_us);
    g_source_set_ready_time(session->source, at_us);
}

/*
 * All was said. A peer that still writes would learn of a closed socket before it reads what was
 * sent last, so only our half is closed, until the peer closes its own, and not for long.
 */
static void
linger(GrpcSession *session)
{
    if (session->linger_us > 0)
        return;
    session->linger_us = MAX(session->now_us, 1);
    shutdown(session->fd, SHUT_WR);
}

/* What the next turn has to wait for; a connection with nothing left to say ends. */
static void
settle(GrpcSession *session)
{
    bool wants_write;

    if (session->is_closed)
        return;
    wants_write = session->unsent || nghttp2_session_want_write(session->h2);
    if (!wants_write && !nghttp2_session_want_read(session->h2))
        linger(session);
    if (session->linger_us > 0)
        wants_write = false;
    arm(session, wants_write ? G_IO_IN | G_IO_OUT : G_IO_IN);
    set_timers(session);
}

static gboolean
dispatch(GSource *source, GSourceFunc unused, gpointer unused_data)
{
    GrpcSession *session = ((SessionSource *)source)->session;
    GIOCondition ready = g_source_query_unix_fd(source, session->tag);

    (void)unused, (void)unused_data;
    grpc_session_enter(session);
    session->now_us = (uint64_t)g_source_get_time(source);
    if (ready & (G_IO_IN | G_IO_HUP | G_IO_ERR))
        read_some(session);
    if (!session->is_closed)
        run_timers(session);
    run_work(session);
    write_some(session);
    run_work(session);
    settle(session);
    grpc_session_leave(session);
    return G_SOURCE_CONTINUE;
}

void
grpc_session_attach(GrpcSession *session, GMainContext *context, int priority)
{
    static GSourceFuncs functions = { .dispatch = dispatch };

    session->source = g_source_new(&functions, sizeof(SessionSource));
    ((SessionSource *)session->source)->session = session;
    g_source_set_name(session->source, "grpc connection");
    g_source_set_priority(session->source, priority);
    session->armed = G_IO_IN | G_IO_OUT;
    session->tag = g_source_add_unix_fd(session->source, session->fd, session->armed);
    set_timers(session);
    g_source_attach(session->source, context);
}
