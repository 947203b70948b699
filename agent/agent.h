/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent.h - the one context that all state hangs on
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "agent/actuator/balloon.h"
#include "agent/actuator/ksm.h"
#include "agent/actuator/memory_high.h"
#include "agent/actuator/merge.h"
#include "agent/actuator/nodes.h"
#include "agent/actuator/stats_period.h"
#include "agent/conf.h"
#include "agent/domain.h"
#include "agent/event.h"
#include "agent/facts/host.h"
#include "agent/facts/partition.h"
#include "agent/facts/setup.h"
#include "agent/measure.h"
#include "agent/report/cost.h"
#include "agent/sampler.h"
#include "agent/tenant.h"
#include "agent/tick.h"
#include "agent/trace/trace_hub.h"
#include "policy/policy.h"

#include <glib.h>

typedef struct Recorder Recorder;                 /* agent/recorder.h */
typedef struct Server Server;                     /* agent/rpc/server.h */
typedef struct Metrics Metrics;                   /* agent/report/metrics.h */
typedef struct LibvirtSource LibvirtSource;       /* agent/source/libvirt.c */
typedef struct HookSource HookSource;             /* agent/source/hook.c */
typedef struct DirectorySource DirectorySource;   /* agent/source/directory.c */
typedef struct PsiSource PsiSource;               /* agent/source/psi.c */
typedef struct VmpressureSource VmpressureSource; /* agent/source/vmpressure.c */

/* What the command line says; texts are borrowed from it, NULL where not given. */
typedef struct {
    const char *config;      /* main configuration file */
    const char *uri;         /* libvirt connection */
    const char *mode;        /* word for KsmMode */
    const char *log_level;   /* word for LogLevel */
    const char *root;        /* folder that /sys, /proc and /run/libvirt are below */
    const char *runtime_dir; /* of the sockets */
    const char *state_dir;   /* of the originals */
} AgentOptions;

/* A moment and ksmd's run time then. */
typedef struct {
    uint64_t time_us; /* CLOCK_MONOTONIC; 0: not set */
    uint64_t cpu_us;  /* ksmd's run time then */
} CpuMark;

struct Agent {
    AgentOptions options;      /* borrowed texts */
    GMainLoop *loop;           /* owned */
    Conf *conf;                /* owned; in force */
    int root_fd;               /* owned; what options.root names; -1 when closed */
    uint64_t started_us;       /* CLOCK_MONOTONIC */
    bool is_resumed;           /* the last run of this boot did not end cleanly */
    uint64_t bad_reloads;      /* configurations that SIGHUP refused */
    const char *mode_override; /* static; mode a client has set; NULL: as configured */
    bool opened;               /* facts, actuators and sources are open */
    bool closing;              /* on its way out: what happens now moves nothing any more */

    DomainTable domains;
    EventHub events;
    Tick tick;
    TraceHub traces; /* who records what is decided */
    Measure measure; /* the working sets of domains */

    HostFacts host_facts;
    HostSample host;         /* of the last decision */
    HostSetup setup;         /* as doctor has read it last */
    uint64_t setup_until_us; /* CLOCK_MONOTONIC until when it is not read again; 0: it was not */
    uint64_t host_us;        /* CLOCK_MONOTONIC since when all of that stands; 0: it does not */
    Partition partition;     /* what the groups around all domains leave to them */
    CpuMark cpu_marks[2];    /* older and newer; where ksmd's run time stood */
    double ksmd_cpu_percent; /* of one CPU since the older mark; < 0: not known */
    CostMark cost;           /* where the costs that domains bear were last noted */
    Sampler sampler;         /* of what is too costly for every tick */
    PolicyState policy;
    Plan plan; /* the last; its domains are tick.plans */
    Originals originals;
    KsmActuator ksm;
    Nodes nodes;        /* merge_across_nodes */
    uint64_t groups;    /* numbers of trust groups that have been given away */
    StartWindow window; /* of domains that start */
    Merge merge;
    MemoryHigh memory_high;
    Balloon balloon;
    StatsPeriod stats_period;
    void *contexts[ACTUATOR_COUNT]; /* of the actuators, borrowed from the fields above */

    LibvirtSource *libvirt;       /* owned by its source; NULL: not opened */
    HookSource *hook;             /* likewise */
    DirectorySource *directory;   /* likewise */
    PsiSource *psi;               /* likewise */
    VmpressureSource *vmpressure; /* likewise */
    Server *server;               /* owned */
    Metrics *metrics;             /* owned; NULL: not opened */
    Recorder *recorder;           /* owned; NULL: [history] enable = false */
    GPtrArray *share_holders;     /* owned by agent/rpc/share.c; NULL: nobody has any */
    GPtrArray *feeds;             /* owned by the source grpc; of GrpcFeed; NULL: none so far */
    guint watchdog;               /* GSource; 0: none */
};

/**
 * agent_open() - everything in place, nothing decided yet
 * @agent:   overwritten
 * @options: texts must live as long as the agent
 * @error:   what cannot work: configuration, directories, a socket in use
 *
 * Return: whether the agent can run; agent_close() it in any case.
 */
bool agent_open(Agent *agent, const AgentOptions *options, GError **error);

/** agent_run() - until SIGTERM or SIGINT */
void agent_run(Agent *agent);

/** agent_close() - put KSM back as configured and let go of everything; copes with half-open */
void agent_close(Agent *agent);

/**
 * agent_load_conf() - configuration files and command line, as one
 * @options:  the command line wins over the files
 * @ret_conf: owned by the caller; written only on success
 */
bool agent_load_conf(const AgentOptions *options, Conf **ret_conf, GError **error);

/**
 * agent_set_mode() - drive KSM in another way, from now on
 * @mode: KsmMode
 *
 * Also takes KSM back if the agent had yielded to another program. Acts in this turn of the loop.
 */
void agent_set_mode(Agent *agent, KsmMode mode);

#endif
