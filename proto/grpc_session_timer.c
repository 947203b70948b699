/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_session_timer.c - one HTTP/2 connection on the main loop: what must not take longer
 *
 * All timers of a connection are one ready time of its source. Any byte from the peer is a sign of
 * life, as the answer to a ping is: that answer may wait behind calls which take their time here.
 */
#include "proto/grpc_session.h"

#include "proto/grpc_stream.h"

static bool
is_due(const GrpcSession *session, uint64_t since_us, uint64_t period_us)
{
    return since_us > 0 && period_us > 0 && session->now_us - since_us >= period_us;
}

static void
end_unfinished(GrpcSession *session)
{
    GrpcStream *oldest;

    while ((oldest = g_queue_peek_head(&session->unfinished)) &&
           is_due(session, oldest->begun_us, session->limits.request_us))
        grpc_stream_give_up(oldest);
}

void
grpc_session_run_timers(GrpcSession *session)
{
    const GrpcLimits *limits = &session->limits;

    end_unfinished(session);
    if (is_due(session, session->linger_us, limits->linger_us))
        grpc_session_close(session, "the connection ended");
    else if (!session->is_greeted && is_due(session, session->born_us, limits->handshake_us))
        grpc_session_close(session, "the peer did not begin HTTP/2 in time");
    else if (is_due(session, session->end_us, limits->handshake_us))
        grpc_session_close(session, "the peer did not take its leave in time");
    else if (session->ping_us > 0 &&
             is_due(session, MAX(session->ping_us, session->read_us), limits->keepalive_ack_us))
        grpc_session_close(session, "the peer did not answer a keep-alive ping");
    else if (session->streams.length == 0 && !grpc_session_has_more(session) &&
             is_due(session, session->idle_us, limits->idle_us))
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

void
grpc_session_set_timers(GrpcSession *session)
{
    const GrpcLimits *limits = &session->limits;
    const GrpcStream *oldest = g_queue_peek_head(&session->unfinished);
    int64_t at_us = -1;

    if (grpc_session_has_more(session))
        at_us = 0; /* as soon as others have had their turn */
    earlier(&at_us, session->linger_us, limits->linger_us);
    if (!session->is_greeted)
        earlier(&at_us, session->born_us, limits->handshake_us);
    earlier(&at_us, session->end_us, limits->handshake_us);
    if (oldest)
        earlier(&at_us, oldest->begun_us, limits->request_us);
    if (session->streams.length == 0 && session->end_us == 0)
        earlier(&at_us, session->idle_us, limits->idle_us);
    if (session->ping_us > 0)
        earlier(&at_us, MAX(session->ping_us, session->read_us), limits->keepalive_ack_us);
    else
        earlier(&at_us, session->read_us, limits->keepalive_us);
    g_source_set_ready_time(session->source, at_us);
}
