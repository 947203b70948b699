/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.h - where events come from; a source is one file and one row of the list
 *
 * A source knows event_post() and nothing of what follows from it.
 */
#ifndef AGENT_SOURCE_SOURCE_H
#define AGENT_SOURCE_SOURCE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Agent Agent;
typedef struct HookSource HookSource;
typedef struct LibvirtSource LibvirtSource;
typedef struct PsiSource PsiSource;
typedef struct VirtConn VirtConn; /* agent/virt/conn.h */

typedef enum {
    SOURCE_OPEN,    /* events come */
    SOURCE_CLOSED,  /* not wanted by the configuration, or not of this kernel */
    SOURCE_WAITING, /* wanted, not there; tried again */
    SOURCE_STATE_COUNT,
} SourceState;

typedef struct {
    const char *name; /* in status, metrics and events */
    /* Start; returns at once. Failures that may pass are the source's own business. */
    void (*open)(Agent *agent);
    /* Stop; copes with not having been opened. */
    void (*close)(Agent *agent);
    /* The configuration has been read again, or memory alarms have begun or ceased to matter; NULL:
     * what it needs is read at the start only. */
    void (*adopt)(Agent *agent);
    /* How it is; @ret_detail: why it is not open, borrowed until the next turn, NULL: nothing. */
    SourceState (*state)(const Agent *agent, const char **ret_detail);
} Source;

/* Why sources that tell of memory are closed where nobody acts on it. */
#define SOURCE_NO_MATTER                                                                           \
    "neither [balloon] nor [memory_high] is enabled, and nobody follows working sets"

/** source_list() - every source there is; @ret_n: number of rows; static */
const Source *const *source_list(size_t *ret_n);

/** source_state_name() - "open", "closed", "waiting" */
const char *source_state_name(SourceState state);

/* libvirt.c: lifecycle callbacks */
extern const Source libvirt_source;

/** libvirt_source_has_listed() - whether it has told which domains run; NULL: no libvirt, false */
bool libvirt_source_has_listed(const LibvirtSource *source);

/**
 * libvirt_source_ask() - have libvirt's figures put into the table of domains, and definitions that
 * are still missing
 * @source: NULL: no libvirt
 * @done:   called on the loop when the figures are in, or could not be had
 * @user:   for @done
 *
 * Return: whether libvirt was asked; @done is called only then.
 */
bool libvirt_source_ask(LibvirtSource *source, void (*done)(gpointer user), gpointer user);

/** libvirt_source_conn() - its connection, for changes; borrowed; NULL: no libvirt */
VirtConn *libvirt_source_conn(const LibvirtSource *source);

/**
 * libvirt_source_define() - have a domain's definition read again
 * @source: NULL: no libvirt
 *
 * For changes that libvirt tells nobody of. Return: whether libvirt was asked.
 */
bool libvirt_source_define(LibvirtSource *source, const char *uuid);

/** hook_source_starting() - starts that libvirt has announced and that do not run yet; 0: no hook
 */
uint32_t hook_source_starting(const HookSource *source);

/* A change of what a domain's metadata asks of virtksmd. */
typedef struct {
    const char *uuid;            /* of a running domain; copied */
    const char *const *settings; /* "balloon.floor=512", "balloon.floor=": not any more; copied */
    bool persist;                /* for its next start as well */
    /* On the loop, once the agent knows what was set; @error: borrowed, NULL on success. */
    void (*done)(Agent *agent, const GError *error, gpointer user);
    gpointer user;          /* for done; ownership passes on success */
    GDestroyNotify destroy; /* of user; also called after done */
} SetOrder;

/**
 * libvirt_source_set() - change what a domain's metadata asks of virtksmd
 * @order: what, and who is told
 * @error: AGENT_ERROR_CONF: a setting is none, in words for the client; AGENT_ERROR_VIRT
 *
 * Also lifts the hands off what somebody else had changed, see domain_forget_foreign().
 *
 * Return: whether libvirt was asked; @order->done is called only then.
 */
bool libvirt_source_set(Agent *agent, const SetOrder *order, GError **error);

/** libvirt_source_set_most() - settings of one order, at most: as many as there are keys */
size_t libvirt_source_set_most(void);

/** libvirt_source_reconnects() - connections after the first; 0 without libvirt */
guint libvirt_source_reconnects(const LibvirtSource *source);

/* grpc.c: clients that kick */
extern const Source grpc_source;

/** grpc_source_kick() - a client asks for scanning; acts in this turn of the loop */
void grpc_source_kick(Agent *agent);

/* hook.c: what virtksm-hook tells, which libvirtd calls */
extern const Source hook_source;

/* directory.c: folders in which each entry is a domain */
extern const Source directory_source;

/* psi.c: the kernel, when tasks wait for memory */
extern const Source psi_source;

/**
 * psi_source_follow() - be told of the domains that have a limit of ours, too
 * @source:  NULL: not open
 * @domains: every domain, after a decision (borrowed Domain pointers)
 */
void psi_source_follow(PsiSource *source, const GPtrArray *domains);

/* vmpressure.c: a memory cgroup of version 1, when reclaim gets hard */
extern const Source vmpressure_source;

#endif
