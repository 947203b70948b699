/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_session_io.c - one HTTP/2 connection on the main loop: socket, turns, end of life
 *
 * One source per connection watches the descriptor and carries all its timers as one ready time.
 * A turn is: the callbacks that were put off, one bounded read, timers (so that what was read
 * counts), callbacks again, then writes until the socket is full or a bound is reached. The bounds
 * keep a storm on one connection from holding up the loop; the source also runs below the default
 * priority.
 *
 * Bytes say little about the time that they cost. So nghttp2 is fed frame by frame, and once the
 * time of a turn (GrpcLimits.turn_us) is used up, what is left of the input waits as it is, and
 * nothing more is read, until other sources of no lower priority had their turn: what was asked
 * stays in order, and a peer that asks faster than it can be answered is held up by its own socket.
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
/* Of a frame, before its payload. */
#define HEAD_BYTES 9

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
    g_clear_pointer(&session->unread, g_byte_array_unref);
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

    while (!session->is_closed && !session->is_turn_over &&
           (link = g_queue_pop_head_link(&session->work))) {
        GrpcStream *stream = link->data;

        stream->has_work = false;
        grpc_stream_work(stream);
        grpc_session_spend_turn(session);
    }
}

static void
begin_turn(GrpcSession *session, uint64_t now_us)
{
    uint64_t turn_us = session->limits.turn_us;

    session->now_us = now_us;
    session->is_turn_over = false;
    /* Those that had their turn before in this turn of the loop have used up time since @now_us. */
    session->turn_end_us = turn_us > 0 ? (uint64_t)g_get_monotonic_time() + turn_us : 0;
}

void
grpc_session_spend_turn(GrpcSession *session)
{
    if (session->turn_end_us > 0 && (uint64_t)g_get_monotonic_time() >= session->turn_end_us)
        session->is_turn_over = true;
}

/*
 * Hands bytes to nghttp2 until this turn is over; returns how many. Each piece ends with the head
 * or the payload of a frame at the latest: one frame completes one request at most.
 */
static size_t
feed(GrpcSession *session, const uint8_t *bytes, size_t len)
{
    size_t used = 0;

    session->read_us = session->now_us;
    while (used < len && !session->is_turn_over && !session->is_closed) {
        size_t piece = MIN(len - used, session->piece_left);

        if (nghttp2_session_mem_recv(session->h2, bytes + used, piece) < 0) {
            grpc_session_close(session, "the peer does not speak HTTP/2");
            break;
        }
        used += piece;
        session->piece_left -= piece;
        if (session->piece_left == 0) {
            session->piece_left = session->payload_bytes ? session->payload_bytes : HEAD_BYTES;
            session->payload_bytes = 0;
        }
        grpc_session_spend_turn(session);
    }
    if (nghttp2_session_get_outbound_queue_size(session->h2) > session->limits.outbound_frames)
        grpc_session_close(session, "the peer does not read its answers");
    return used;
}

static void
feed_unread(GrpcSession *session)
{
    g_autoptr(GByteArray) unread = g_byte_array_ref(session->unread);

    session->unread_offset +=
        feed(session, unread->data + session->unread_offset, unread->len - session->unread_offset);
    if (session->unread_offset == unread->len)
        g_clear_pointer(&session->unread, g_byte_array_unref);
}

static void
read_some(GrpcSession *session)
{
    uint8_t buffer[READ_BYTES];
    ssize_t len = recv(session->fd, buffer, sizeof(buffer), 0);
    size_t used;

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0) {
        grpc_session_close(session, "the peer closed the connection");
        return;
    }
    if (session->linger_us > 0)
        return;
    used = feed(session, buffer, (size_t)len);
    if (used == (size_t)len || session->is_closed)
        return;
    session->unread = g_byte_array_new();
    session->unread_offset = 0;
    g_byte_array_append(session->unread, buffer + used, (guint)((size_t)len - used));
}

/* What arrived comes after what was put off, and before what arrives now. */
static void
take_input(GrpcSession *session, GIOCondition ready)
{
    if (session->is_closed || session->is_turn_over)
        return;
    if (session->unread)
        feed_unread(session);
    else if (ready & (G_IO_IN | G_IO_HUP | G_IO_ERR))
        read_some(session);
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
    g_clear_pointer(&session->unread, g_byte_array_unref);
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
    arm(session, (grpc_session_has_more(session) ? 0 : G_IO_IN) | (wants_write ? G_IO_OUT : 0));
    grpc_session_set_timers(session);
}

static gboolean
dispatch(GSource *source, GSourceFunc unused, gpointer unused_data)
{
    GrpcSession *session = ((SessionSource *)source)->session;
    GIOCondition ready = g_source_query_unix_fd(source, session->tag);

    (void)unused, (void)unused_data;
    grpc_session_enter(session);
    begin_turn(session, (uint64_t)g_source_get_time(source));
    run_work(session);
    take_input(session, ready);
    if (!session->is_closed)
        grpc_session_run_timers(session);
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
    session->piece_left = HEAD_BYTES + (session->is_server ? NGHTTP2_CLIENT_MAGIC_LEN : 0);
    session->tag = g_source_add_unix_fd(session->source, session->fd, session->armed);
    grpc_session_set_timers(session);
    g_source_attach(session->source, context);
}
