/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conn.h - a connection to libvirt that comes back
 *
 * Opens, watches and reopens the connection; every blocking call runs in a worker thread and
 * comes back on the loop. The owner says what to register on a new connection and is told when
 * it is up, with all running domains, and when it is down.
 */
#ifndef AGENT_VIRT_CONN_H
#define AGENT_VIRT_CONN_H

#include "agent/virt/virt.h"
#include "agent/virt/worker.h"

#include <glib.h>
#include <stdbool.h>

typedef struct VirtConn VirtConn;

/* A running domain as the enumeration found it. */
typedef struct {
    char uuid[VIR_UUID_STRING_BUFLEN]; /* lower case, with dashes */
    char *name;                        /* owned */
    int id;                            /* libvirt's number of this start */
} VirtListed;

typedef struct {
    /*
     * In a worker thread, on a new connection, before the enumeration: register callbacks.
     * Return: what teardown needs, not NULL; NULL with @error gives the connection up.
     */
    gpointer (*setup)(virConnectPtr conn, gpointer user, GError **error);
    /* In a worker thread, before the connection is closed: take them back, free @registered. */
    void (*teardown)(virConnectPtr conn, gpointer registered);
    /* On the loop: connected. @domains: of VirtListed, borrowed. */
    void (*up)(gpointer user, const GArray *domains);
    /* On the loop: not connected any more, or not yet; called at each failed attempt. */
    void (*down)(gpointer user, const char *why);
} VirtConnOps;

/* How to connect. */
typedef struct {
    const char *uri;          /* copied */
    unsigned keepalive_s;     /* silence before a sign of life is asked for */
    unsigned keepalive_count; /* unanswered ones that end the connection */
} VirtConnTarget;

/**
 * virt_prepare() - make libvirt run on the main loop, and keep its messages to itself
 *
 * Once per process, before the first connection. libvirt-glib is the documented way to run
 * libvirt's events on GLib's loop; without an error function libvirt writes to standard error.
 */
void virt_prepare(void);

/**
 * virt_conn_new() - start connecting
 * @target: where to
 * @ops:    static
 * @user:   passed to @ops; must outlive the connection
 *
 * virt_prepare() must have been called. Never fails: what goes wrong is
 * told through @ops->down, and tried again, at longer and longer intervals up to 30 s.
 *
 * Return: owned by the caller; virt_conn_free() it.
 */
VirtConn *virt_conn_new(const VirtConnTarget *target, const VirtConnOps *ops, gpointer user);

/**
 * virt_conn_free() - disconnect
 * @conn: accepts NULL; @ops->up and @ops->down are not called any more
 *
 * Return: false when a call is still stuck in libvirt, in a thread that nobody can end; should it
 * come back, that thread disconnects.
 */
bool virt_conn_free(VirtConn *conn);

/** virt_conn_is_hanging() - a call has been waiting for long; questions go round it */
bool virt_conn_is_hanging(const VirtConn *conn);

/** virt_conn_is_up() - connected and enumerated */
bool virt_conn_is_up(const VirtConn *conn);

/** virt_conn_error() - why it is not up; NULL: nothing has failed; owned by @conn */
const char *virt_conn_error(const VirtConn *conn);

/** virt_conn_reconnects() - connections that came up after the first */
guint virt_conn_reconnects(const VirtConn *conn);

/* What every question to libvirt begins with; the rest of the job's input follows it. */
typedef struct {
    virConnectPtr conn; /* counted; NULL: to be opened for this question alone */
    char *uri;          /* owned; for that; NULL where conn is given */
} VirtQuestion;

/**
 * virt_conn_push() - ask libvirt something in a worker thread
 * @job:      static; its input is @question
 * @question: all zero; ownership passes on success; @job->free_input must free it, after
 *            virt_question_done()
 * @user:     for @job->done
 *
 * One question at a time is asked, in the order in which they come; while one hangs the others go
 * round it, one at a time as well.
 *
 * Return: false while not connected, or while nothing at all is answered.
 */
bool virt_conn_push(VirtConn *conn, const WorkerJob *job, VirtQuestion *question, gpointer user);

/**
 * virt_question_conn() - the connection to ask on, in the worker thread
 * @error: AGENT_ERROR_VIRT
 *
 * Return: the question's own; NULL with @error set.
 */
virConnectPtr virt_question_conn(VirtQuestion *question, GError **error);

/** virt_question_done() - give back what the question holds; not the question itself */
void virt_question_done(VirtQuestion *question);

#endif
