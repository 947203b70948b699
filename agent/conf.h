/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conf.h - the agent's settings: rows, files, validation
 */
#ifndef AGENT_CONF_H
#define AGENT_CONF_H

#include "agent/config.h"
#include "policy/conf.h"

#include <glib.h>

/* The file that is read when none is named; it need not exist. */
#define CONF_FILE_DEFAULT VIRTKSM_CONF

/* Local users, as far as access goes; each includes those before it. */
typedef enum {
    WHO_ROOT,  /* root, and the user that the agent runs as */
    WHO_GROUP, /* members of [rpc] group */
    WHO_ALL,
    WHO_COUNT,
} Who;

/* What is done where somebody else has changed a balloon or a limit. */
typedef enum {
    FOREIGN_LEAVE, /* nothing, until told */
    FOREIGN_ADOPT, /* the new value counts as found */
    FOREIGN_COUNT,
} OnForeign;

typedef struct {
    PolicyConf policy;

    unsigned log_level;       /* LogLevel */
    bool restore_at_stop;     /* put KSM back as found when the agent ends */
    unsigned on_foreign;      /* OnForeign */
    bool confine;             /* give up rights that are not needed, once started */
    char *uri;                /* owned; libvirt connection; "none": without libvirt */
    uint64_t stats_period_ms; /* shortest time between two bulk statistics calls */
    uint64_t keepalive_s;     /* silence after which libvirtd is asked for a sign of life */
    uint64_t keepalive_count; /* unanswered signs after which the connection is given up */
    bool take_over;           /* write on although another program writes KSM's settings */
    char *rpc_group;          /* owned; members may use the full socket */
    char *kata_socket;        /* owned; path for clients of the Kata KSM throttler; empty: none */
    bool read_only_for_all;   /* every local user may use the read-only socket */
    unsigned domain_figures;  /* Who: may read the figures of single domains */
    char *group_from;         /* owned; where groups come from, for domain_group_of() */
    char *group_names;        /* owned; groups by names of domains, likewise */
    uint64_t grain_kib;       /* figures of single domains are multiples of it; 0: exact */
    bool hook_enable;         /* listen to virtksm-hook */
    char *metrics_listen;     /* owned; address and port of the metrics; "off": none */
    bool metrics_domains;     /* give figures of single domains there */
    uint64_t metrics_limit;   /* domains that have such figures, at most */
    bool history_enable;      /* keep what was saved in a database */
    uint64_t keep_minutes;    /* hours for which single minutes are kept */
    uint64_t keep_hours;      /* days for which single hours are kept */
    uint64_t keep_days;       /* days for which single days are kept */
    uint64_t history_mib;     /* most that the database may take */
    bool working_set;         /* measure how much memory each domain has used lately */
    char *working_bins;       /* owned; bounds of ages, for working_set_edges_parse() */
    uint64_t working_age_s;   /* what was used within it is the working set */
    uint64_t working_bp;      /* of one CPU, that measuring may take, basis points */
    uint64_t working_every_s; /* shortest time between two measurements of a domain */
    uint64_t working_quiet_s; /* shortest time between two reports of a domain to a follower */
    uint64_t working_move_bp; /* of a working set that is worth a report, basis points */
    char *directory_paths;    /* owned; folders to watch, with colons between; empty: none */
    GHashTable *places;       /* owned; "section.key" -> where it was set, see conf_place() */
} Conf;

/** conf_new() - settings of an empty configuration file; never NULL; conf_free() it */
Conf *conf_new(void);

/** conf_free() - accepts NULL */
void conf_free(Conf *conf);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Conf, conf_free)

/**
 * conf_load() - read the configuration
 * @path:     main file; its drop-ins are @path.d/ *.conf, in the order of their names, later ones
 *            win; NULL: the default file, which need not exist (a named one must)
 * @ret_conf: new settings, owned by the caller; written only on success
 * @error:    AGENT_ERROR_CONF naming file, line, key, the value and what was expected
 *
 * Unknown sections and keys, values out of range, keys given twice in one file: all refused.
 * Return: whether every file was right.
 */
bool conf_load(const char *path, Conf **ret_conf, GError **error);

/**
 * conf_set() - set one knob from text
 * @conf:    changed only on success
 * @section: "ksm"
 * @key:     "mode"
 * @value:   as it would stand in the file
 * @error:   AGENT_ERROR_CONF naming section, key, value and what was expected
 */
bool conf_set(Conf *conf, const char *section, const char *key, const char *value, GError **error);

/**
 * conf_place() - where in the files a setting was made, to be put in front of what is wrong with it
 *
 * Return: "FILE:LINE: ", owned by @conf; "" if it was in none of the files.
 */
const char *conf_place(const Conf *conf, const char *section, const char *key);

/**
 * conf_knob() - every row there is, one after the other
 * @index: from 0
 *
 * Return: the row, NULL behind the last.
 */
const Knob *conf_knob(size_t index);

#endif
