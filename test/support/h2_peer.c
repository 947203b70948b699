/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * h2_peer.c - the other end of a server's connection, for tests: any HTTP/2 headers, any bytes
 */
#include "test/support/h2_peer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/grpc_frame.h"

static H2Answer *
answer_of(H2Peer *peer, int32_t id)
{
    assert(id > 0 && id < H2_PEER_STREAMS);
    return &peer->answers[id];
}

static int
on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
          const uint8_t *value, size_t value_len, uint8_t flags, void *user_data)
{
    H2Answer *answer = answer_of(user_data, frame->hd.stream_id);

    (void)h2, (void)name_len, (void)value_len, (void)flags;
    if (strcmp((const char *)name, ":status") == 0)
        g_strlcpy(answer->http_status, (const char *)value, sizeof(answer->http_status));
    else if (strcmp((const char *)name, "grpc-status") == 0)
        answer->grpc_status = (int)g_ascii_strtoll((const char *)value, NULL, 10);
    return 0;
}

static int
on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *user_data)
{
    H2Peer *peer = user_data;

    (void)h2;
    if (frame->hd.type == NGHTTP2_HEADERS)
        answer_of(peer, frame->hd.stream_id)->header_count++;
    if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
        peer->n_pings++;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        peer->has_goaway = true;
        peer->goaway_code = frame->goaway.error_code;
    }
    return 0;
}

static int
on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
        void *user_data)
{
    (void)h2, (void)flags, (void)data;
    answer_of(user_data, id)->data_bytes += len;
    return 0;
}

static int
on_close(nghttp2_session *h2, int32_t id, uint32_t code, void *user_data)
{
    H2Answer *answer = answer_of(user_data, id);

    (void)h2;
    answer->is_closed = true;
    answer->close_code = code;
    return 0;
}

static void
start_h2(H2Peer *peer)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    int rc = nghttp2_session_callbacks_new(&callbacks);

    assert(rc == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    rc = nghttp2_option_new(&option);
    assert(rc == 0);
    nghttp2_option_set_no_http_messaging(option, 1);
    nghttp2_option_set_peer_max_concurrent_streams(option, H2_PEER_STREAMS);
    rc = nghttp2_session_client_new2(&peer->h2, callbacks, peer, option);
    assert(rc == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    rc = nghttp2_submit_settings(peer->h2, NGHTTP2_FLAG_NONE, NULL, 0);
    assert(rc == 0);
}

H2Peer *
h2_peer_new(GrpcServer *server, bool read_only)
{
    H2Peer *peer = g_new0(H2Peer, 1);
    int ends[2];
    int rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    bool ok = rc == 0 && grpc_server_adopt(server, ends[0], read_only, NULL);

    assert(ok);
    peer->fd = ends[1];
    rc = fcntl(peer->fd, F_SETFL, O_NONBLOCK);
    assert(rc == 0);
    for (size_t i = 0; i < H2_PEER_STREAMS; i++)
        peer->answers[i].grpc_status = -1;
    start_h2(peer);
    return peer;
}

void
h2_peer_free(H2Peer *peer)
{
    nghttp2_session_del(peer->h2);
    if (peer->fd >= 0)
        close(peer->fd);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    g_free(peer);
}

static ssize_t
read_body(nghttp2_session *h2, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
          nghttp2_data_source *source, void *user_data)
{
    GByteArray *body = source->ptr;
    size_t len = MIN(room, body->len);

    (void)h2, (void)id, (void)user_data;
    if (len > 0) {
        memcpy(to, body->data, len);
        g_byte_array_remove_range(body, 0, (guint)len);
    }
    if (body->len == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        g_byte_array_unref(body);
    }
    return (ssize_t)len;
}

static nghttp2_nv
header_of_line(char *line)
{
    char *colon = strstr(line + 1, ": ");

    assert(colon);
    *colon = '\0';
    return (nghttp2_nv){
        .name = (uint8_t *)line,
        .value = (uint8_t *)colon + 2,
        .namelen = strlen(line),
        .valuelen = strlen(colon + 2),
    };
}

int32_t
h2_peer_request(H2Peer *peer, const char *lines, const GByteArray *body)
{
    g_auto(GStrv) split = g_strsplit(lines, "\n", -1);
    nghttp2_nv headers[64];
    size_t n_headers = 0;
    nghttp2_data_provider source = { .read_callback = read_body };
    int32_t id;

    for (char **line = split; **line; line++)
        headers[n_headers++] = header_of_line(*line);
    if (!body)
        return nghttp2_submit_headers(peer->h2, NGHTTP2_FLAG_NONE, -1, NULL, headers, n_headers,
                                      NULL);
    source.source.ptr = g_byte_array_append(g_byte_array_new(), body->data, body->len);
    id = nghttp2_submit_request(peer->h2, NULL, headers, n_headers, &source, NULL);
    assert(id > 0);
    return id;
}

static void
lose(H2Peer *peer)
{
    peer->is_lost = true;
    close(peer->fd);
    peer->fd = -1;
}

/* Blocking in effect: the server reads meanwhile. */
static void
send_all(H2Peer *peer, const uint8_t *bytes, size_t len)
{
    while (len > 0 && peer->fd >= 0) {
        ssize_t sent = send(peer->fd, bytes, len, MSG_NOSIGNAL);

        if (sent > 0) {
            bytes += sent;
            len -= (size_t)sent;
        } else if (errno == EAGAIN) {
            g_main_context_iteration(NULL, FALSE);
        } else {
            lose(peer);
        }
    }
}

static bool
send_pending(H2Peer *peer)
{
    const uint8_t *bytes;
    ssize_t len;
    bool any = false;

    while (peer->fd >= 0 && (len = nghttp2_session_mem_send(peer->h2, &bytes)) > 0) {
        send_all(peer, bytes, (size_t)len);
        any = true;
    }
    return any;
}

static bool
receive_pending(H2Peer *peer)
{
    uint8_t buffer[16384];
    ssize_t len;

    if (peer->fd < 0 || peer->does_not_read)
        return false;
    len = recv(peer->fd, buffer, sizeof(buffer), 0);
    if (len < 0 && errno == EAGAIN)
        return false;
    if (len <= 0 || nghttp2_session_mem_recv(peer->h2, buffer, (size_t)len) < 0)
        lose(peer);
    return true;
}

void
h2_peer_send_raw(H2Peer *peer, const void *bytes, size_t len)
{
    send_pending(peer);
    send_all(peer, bytes, len);
}

void
h2_peer_run(H2Peer *peer, unsigned quiet_ms)
{
    unsigned quiet = 0;

    /* Turns are counted, not time: on a busy machine time can pass without any. */
    do {
        bool any = send_pending(peer);

        any |= g_main_context_iteration(NULL, FALSE);
        any |= receive_pending(peer);
        quiet = any ? 0 : quiet + 1;
        if (!any && quiet < 2 * quiet_ms)
            g_usleep(500);
    } while (quiet == 0 || quiet < 2 * quiet_ms);
}

void
h2_peer_open_windows(H2Peer *peer)
{
    nghttp2_settings_entry entry = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, INT32_MAX };
    int rc = nghttp2_submit_settings(peer->h2, NGHTTP2_FLAG_NONE, &entry, 1);

    assert(rc == 0);
    rc = nghttp2_session_set_local_window_size(peer->h2, NGHTTP2_FLAG_NONE, 0, INT32_MAX);
    assert(rc == 0);
    h2_peer_run(peer, H2_QUIET_MS);
}

const H2Answer *
h2_peer_answer(const H2Peer *peer, int32_t id)
{
    assert(id > 0 && id < H2_PEER_STREAMS);
    return &peer->answers[id];
}

GByteArray *
h2_peer_message(const char *text, uint32_t count, uint32_t size_bytes)
{
    g_autofree char *own_text = g_strdup(text);
    Test__EchoRequest request = echo_request();
    GByteArray *bytes = g_byte_array_new();
    size_t len;

    request.text = own_text;
    request.count = count;
    request.size_bytes = size_bytes;
    len = test__echo_request__get_packed_size(&request);
    g_byte_array_set_size(bytes, (guint)(GRPC_FRAME_PREFIX_BYTES + len));
    grpc_frame_write_prefix(bytes->data, len);
    test__echo_request__pack(&request, bytes->data + GRPC_FRAME_PREFIX_BYTES);
    return bytes;
}

GByteArray *
h2_peer_frames(uint8_t type, uint32_t id, uint8_t len, unsigned n)
{
    uint8_t frame[9 + 255] = { 0, 0, len, type, 0, 0, 0, 0, (uint8_t)id };
    GByteArray *bytes = g_byte_array_new();

    while (n-- > 0)
        g_byte_array_append(bytes, frame, 9u + len);
    return bytes;
}

int
h2_peer_unfinished(H2Peer *peer)
{
    static const uint8_t prefix[] = { 0, 0, 15, 66, 64 }; /* 1000000 bytes follow */
    int32_t id = h2_peer_request(peer, H2_HEADERS("Chat"), NULL);
    g_autoptr(GByteArray) frames = h2_peer_frames(NGHTTP2_DATA, (uint32_t)id, 250, 200);

    memcpy(frames->data + 9, prefix, sizeof(prefix)); /* behind the head of the first */
    h2_peer_send_raw(peer, frames->data, frames->len);
    h2_peer_run(peer, H2_QUIET_MS);
    return h2_peer_answer(peer, id)->grpc_status;
}

H2Line
h2_line_new(const GrpcLimits *limits)
{
    EchoServer *echo = echo_server_new(limits);

    return (H2Line){ echo, h2_peer_new(echo->server, false) };
}

void
h2_line_free(H2Line *line)
{
    GrpcServerStats stats;

    h2_peer_free(line->peer);
    stats = grpc_server_stats(line->echo->server);
    assert(stats.connections == 0 && stats.held_bytes == 0);
    echo_server_free(line->echo);
}

bool
h2_line_still_serves(H2Line *line)
{
    g_autoptr(GByteArray) body = h2_peer_message("still here", 0, 0);
    int32_t id = h2_peer_request(line->peer, H2_HEADERS("Unary"), body);

    h2_peer_run(line->peer, H2_QUIET_MS);
    return h2_peer_answer(line->peer, id)->grpc_status == GRPC_STATUS_OK;
}
