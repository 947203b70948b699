/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_session.h - one HTTP/2 connection on the main loop, and its streams (inside the library)
 *
 * Ownership. A session is reference counted: its owner (server or client), its source and each call
 * hold one. The session knows its streams but does not own them: a stream is embedded in a call,
 * and `close` in the operations is the one place where it is let go.
 *
 * Re-entrance. All work on nghttp2 happens in busy sections (grpc_session_enter/leave). Callbacks
 * to the user run inside them and may do anything, even free the server: nothing is torn down
 * before the section is left. So code between two callbacks need not ask whether its session or
 * stream is still there.
 */
#ifndef PROTO_GRPC_SESSION_H
#define PROTO_GRPC_SESSION_H

#include "proto/grpc_frame.h"
#include "proto/grpc_limits.h"
#include "proto/grpc_server.h"

#include <nghttp2/nghttp2.h>

typedef struct GrpcSession GrpcSession;
typedef struct GrpcStream GrpcStream;
typedef struct GrpcChunk GrpcChunk;

/* Below the default, so that a storm of calls does not hold up the loop's other sources. */
#define GRPC_SOURCE_PRIORITY (G_PRIORITY_DEFAULT + 10)

/* Stands for "the connection broke" where an HTTP/2 error code is expected. */
#define GRPC_CODE_LOST UINT32_MAX

/* What server calls and client calls do with what happens on a session. */
typedef struct {
    /* Server: the peer opens a stream. */
    GrpcStream *(*open)(GrpcSession *session, int32_t id);
    /* A header or trailer; both texts end in NUL and have none inside. */
    void (*header)(GrpcStream *stream, const char *name, const char *value);
    /* The header block is complete. */
    void (*headers_end)(GrpcStream *stream);
    /* A message, valid for this callback. */
    void (*message)(GrpcStream *stream, GrpcSlice message);
    /* No more messages will come. */
    void (*half_close)(GrpcStream *stream);
    /* The peer broke the rules; the stream reads no further. @text is static. */
    void (*fault)(GrpcStream *stream, GrpcStatus status, const char *text);
    /* The queue of messages ran empty. */
    void (*drained)(GrpcStream *stream);
    /* Server: the last message is going out, submit the trailers. NULL: end the stream with it. */
    void (*trailers)(GrpcStream *stream);
    /* The stream is gone from the session. @code: HTTP/2 error code or GRPC_CODE_LOST. */
    void (*close)(GrpcStream *stream, uint32_t code);
    /* The session is closed and has no streams. */
    void (*gone)(GrpcSession *session);
    /* The session's memory goes; owner and parent of the budget are not used any more. */
    void (*release)(GrpcSession *session);
} GrpcSessionOps;

struct GrpcStream {
    GrpcSession *session;   /* borrowed; NULL once closed */
    GList link;             /* in session->streams */
    GList work_link;        /* in session->work while has_work */
    GList unfinished_link;  /* in session->unfinished while is_unfinished */
    uint64_t begun_us;      /* monotonic; since when is_unfinished */
    int32_t id;             /* of HTTP/2 */
    GrpcFrameParser parser; /* of incoming messages */
    GByteArray *held;       /* owned; input that waits while on_hold; NULL if none */
    GrpcChunk *out_head;    /* owned; queue of framed messages, oldest first */
    GrpcChunk *out_tail;    /* newest in the queue; NULL if it is empty */
    size_t out_offset;      /* of the oldest chunk, bytes already taken */
    size_t out_bytes;       /* in the queue */
    size_t charged_bytes;   /* from the session's budget for this stream */
    size_t parser_charged;  /* part of it for what the parser holds */
    uint32_t header_bytes;  /* of the current header block, as HTTP/2 counts */
    bool headers_too_big;   /* header_list_bytes was passed; the rest was not looked at */
    bool on_hold;           /* the handler takes no messages now */
    bool in_stop;           /* input is thrown away from here on */
    bool in_end;            /* the peer finished its half */
    bool in_end_told;       /* and half_close was called */
    bool out_end;           /* nothing more will be queued */
    bool is_deferred;       /* nghttp2 waits for us to resume its reading */
    bool has_work;          /* in session->work */
    bool is_single;         /* the peer has to finish its half, not only the message it has begun */
    bool is_unfinished;     /* the peer owes the rest of what it has begun */
    bool was_drained;       /* the queue ran empty; drained is to be called */
};

struct GrpcSession {
    unsigned refs;             /* freed at 0 */
    nghttp2_session *h2;       /* owned; NULL once closed */
    int fd;                    /* owned; -1 once closed */
    const GrpcSessionOps *ops; /* static */
    gpointer owner;            /* borrowed; GrpcServer or GrpcClient, valid until `release` */
    GList link;                /* for the owner's list of sessions */
    GrpcLimits limits;         /* copy */
    GrpcPeer peer;             /* server: who is there; groups owned */
    gpointer data;             /* server: the handlers', see @destroy */
    GDestroyNotify destroy;    /* for @data; may be NULL */
    GSource *source;           /* owned; NULL once closed */
    gpointer tag;              /* of the descriptor in @source */
    GIOCondition armed;        /* what @source polls for */
    GQueue streams;            /* of GrpcStream, open ones */
    GQueue work;               /* of GrpcStream, with callbacks due */
    GQueue unfinished;         /* of GrpcStream, whose peer owes something; the oldest first */
    GByteArray *unread;        /* owned; bytes that wait for the next turn; NULL if none */
    size_t unread_offset;      /* of @unread, nghttp2 has had so many */
    size_t piece_left;         /* of the head or the payload of the frame that is being read */
    size_t payload_bytes;      /* of the frame whose head was read last, until its payload begins */
    GByteArray *unsent;        /* owned; bytes the socket did not take; NULL if none */
    size_t unsent_offset;      /* of @unsent, already sent */
    GrpcBudget budget;         /* messages held for this connection */
    GrpcBucket control;        /* allowance of frames that move no message */
    GrpcBucket resets;         /* allowance of streams reset by the peer */
    uint64_t now_us;           /* monotonic; of this loop turn */
    uint64_t turn_end_us;      /* monotonic; when others are to have their turn; 0 never */
    uint64_t born_us;          /* monotonic */
    uint64_t read_us;          /* monotonic; last bytes from the peer */
    uint64_t idle_us;          /* monotonic; when the last stream went */
    uint64_t ping_us;          /* monotonic; our unanswered ping went out; 0 none */
    uint64_t end_us;           /* monotonic; we decided to close; 0 not yet */
    uint64_t linger_us;        /* monotonic; all was said, the peer's end is awaited; 0 not yet */
    unsigned busy;             /* depth of busy sections */
    const char *why;           /* static; why it is closed, for errors */
    bool is_server;            /* which side we are */
    bool is_turn_over;         /* what is left of input and work waits for the next turn */
    bool is_closed;            /* no more I/O; torn down when not busy */
    bool is_torn_down;         /* streams were told */
    bool is_greeted;           /* the peer's SETTINGS arrived */
    bool is_draining;          /* GOAWAY was sent or received: no new streams */
};

/* What a session is made of. */
typedef struct {
    int fd;                    /* connected, non-blocking; consumed */
    bool is_server;            /* which side we are */
    GMainContext *context;     /* borrowed; where the source runs */
    const GrpcLimits *limits;  /* copied */
    const GrpcSessionOps *ops; /* static */
    gpointer owner;            /* borrowed, valid until `release` */
    GrpcBudget *budget; /* borrowed, valid until `release`; parent of the session's; or NULL */
    int priority;       /* of the source */
    GrpcPeer peer;      /* server: who is there; groups are consumed */
} GrpcSessionSetup;

/**
 * grpc_session_new() - start HTTP/2 on a connected socket
 * Return: owned by the caller; NULL if memory ran out (the descriptor is closed then)
 */
GrpcSession *grpc_session_new(const GrpcSessionSetup *setup);

/**
 * grpc_session_ref() - share a session
 * Return: @session
 */
GrpcSession *grpc_session_ref(GrpcSession *session);

/**
 * grpc_session_unref() - let go of a session; its memory goes with the last reference
 */
void grpc_session_unref(GrpcSession *session);

/**
 * grpc_session_set_data() - attach the handlers' data until the session is closed
 * @data:    replaces (and destroys) what was attached before
 * @destroy: called for @data after the last stream was closed; may be NULL
 */
void grpc_session_set_data(GrpcSession *session, gpointer data, GDestroyNotify destroy);

/**
 * grpc_session_enter() - begin a busy section
 */
void grpc_session_enter(GrpcSession *session);

/**
 * grpc_session_leave() - end a busy section; a session that was closed meanwhile is torn down
 */
void grpc_session_leave(GrpcSession *session);

/**
 * grpc_session_wake() - have what was submitted written in the next loop turn
 */
void grpc_session_wake(GrpcSession *session);

/**
 * grpc_session_close() - close the socket now; tell the streams now or at the end of the section
 * @why: static text
 */
void grpc_session_close(GrpcSession *session, const char *why);

/**
 * grpc_session_go_away() - tell the peer to open no more streams; closes after the last one
 */
void grpc_session_go_away(GrpcSession *session);

/**
 * grpc_session_kick_out() - the peer misbehaves: say so, and close once that is written
 * @h2_error: reason for the peer
 * @why:      static text
 */
void grpc_session_kick_out(GrpcSession *session, uint32_t h2_error, const char *why);

/**
 * grpc_session_add_work() - have grpc_stream_work() called outside nghttp2
 */
void grpc_session_add_work(GrpcStream *stream);

/**
 * grpc_session_spend_turn() - a piece of work was done: see whether this turn has room for another
 */
void grpc_session_spend_turn(GrpcSession *session);

/**
 * grpc_session_attach() - make the session read and write its socket on a context
 * @priority: of the source
 */
void grpc_session_attach(GrpcSession *session, GMainContext *context, int priority);

/**
 * grpc_session_run_timers() - do what is due
 */
void grpc_session_run_timers(GrpcSession *session);

/**
 * grpc_session_set_timers() - have the source dispatched when something will be due
 */
void grpc_session_set_timers(GrpcSession *session);

/** grpc_session_has_more() - input or work is left for the next turn, and nothing is read before */
static inline bool
grpc_session_has_more(const GrpcSession *session)
{
    return session->unread || session->work.length > 0;
}

/** grpc_source_stop() - detach a source, owned, from its context; none: nothing happens */
static inline void
grpc_source_stop(GSource **source)
{
    if (*source)
        g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}

/**
 * grpc_session_callbacks() - the nghttp2 callbacks of a session
 * Return: owned by the caller; NULL if memory ran out
 */
nghttp2_session_callbacks *grpc_session_callbacks(void);

/**
 * grpc_session_nv() - a header for nghttp2, which copies both texts
 */
nghttp2_nv grpc_session_nv(const char *name, const char *value);

#endif
