/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt.c - events from libvirt's callbacks, and the figures that libvirt has
 *
 * The callbacks arrive on the main loop (libvirt-glib's event implementation) and carry all that
 * is needed to move KSM: uuid, name and number of the start. None of them calls libvirt. The
 * domain's definition is asked for afterwards, in a worker.
 *
 * After a reconnect the running domains are enumerated and held against the table: what is new
 * was started meanwhile, what is missing has ended, what has another number was restarted. While
 * an enumeration is under way its callbacks may already report an end; the enumeration may still
 * list that domain, so ends are remembered until it is done.
 *
 * Source: libvirt's API reference, virConnectDomainEventRegisterAny() and the shapes of its
 * callbacks.
 */
#include "agent/agent.h"
#include "agent/log_event.h"
#include "agent/source/libvirt_definition.h"
#include "agent/source/libvirt_figures.h"
#include "agent/source/libvirt_starts.h"
#include "agent/source/source.h"
#include "agent/virt/ask.h"
#include "agent/virt/lifecycle.h"

struct LibvirtSource {
    Agent *agent;           /* borrowed */
    VirtConn *conn;         /* owned */
    GHashTable *ended;      /* owned; uuids that ended while not up: a set */
    LibvirtStarts starts;   /* what it has told of domains */
    uint64_t down_us;       /* CLOCK_MONOTONIC, of the loss or the last attempt that failed */
    char *told;             /* owned; the last reason that was logged */
    bool has_listed;        /* it has been up, and told which domains run */
    LibvirtFigures figures; /* that were asked for */
};

static const struct {
    EventKind kind;
    bool wanted;
} lifecycle_events[] = {
    [LIFECYCLE_IGNORED] = { EVENT_CHANGED, false },
    [LIFECYCLE_STARTED] = { EVENT_CREATED, true },
    [LIFECYCLE_SUSPENDED] = { EVENT_CHANGED, true },
    [LIFECYCLE_RESUMED] = { EVENT_CHANGED, true },
    [LIFECYCLE_CHANGED] = { EVENT_CHANGED, true },
    [LIFECYCLE_ENDING] = { EVENT_DESTROYING, true },
    [LIFECYCLE_ENDED] = { EVENT_DESTROYED, true },
};
G_STATIC_ASSERT(G_N_ELEMENTS(lifecycle_events) == LIFECYCLE_KIND_COUNT);

/* --- callbacks -------------------------------------------------------------------------- */

/* What every callback knows of its domain, without asking libvirt. */
static bool
fill_event(virDomainPtr dom, char uuid[VIR_UUID_STRING_BUFLEN], Event *event)
{
    unsigned id = virDomainGetID(dom);

    if (virDomainGetUUIDString(dom, uuid) < 0)
        return false;
    event->source = libvirt_source.name;
    event->uuid = uuid;
    event->name = virDomainGetName(dom);
    event->id = id == (unsigned)-1 ? DOMAIN_ID_UNKNOWN : (int)id;
    return true;
}

/* Remembers the number of a start, and puts it into the news of the end. */
static void
keep_number(LibvirtSource *self, LifecycleKind kind, Event *event)
{
    int id = libvirt_starts_number(&self->starts, event->uuid);

    if (kind == LIFECYCLE_STARTED)
        libvirt_starts_begin(&self->starts, event->uuid, event->id);
    else if (event->id == DOMAIN_ID_UNKNOWN)
        event->id = id;
    if (kind == LIFECYCLE_ENDED)
        libvirt_starts_end(&self->starts, event->uuid);
}

/* Of ends that somebody wanted there are many. */
static void
tell_failure(const Event *event, const Lifecycle *life)
{
    if (life->failed)
        log_event(LOG_EVENT_DOMAIN_FAILED, "domain %s has %s", event->name, life->detail);
}

static void
note_state(LibvirtSource *self, const char *uuid, LifecycleKind kind)
{
    Domain *domain = domain_table_get(&self->agent->domains, uuid);

    if (domain && kind == LIFECYCLE_SUSPENDED)
        domain->state = DOMAIN_PAUSED;
    else if (domain && kind == LIFECYCLE_RESUMED)
        domain->state = DOMAIN_RUNNING;
}

static int
on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *opaque)
{
    LibvirtSource *self = opaque;
    Lifecycle life = virt_lifecycle(event, detail);
    char uuid[VIR_UUID_STRING_BUFLEN];
    g_autofree char *text = NULL;
    Event out = { 0 };

    (void)conn;
    if (!lifecycle_events[life.kind].wanted || !fill_event(dom, uuid, &out))
        return 0;
    text = g_strjoin(" ", life.word, life.detail, NULL);
    out.kind = lifecycle_events[life.kind].kind;
    out.scan = life.scan;
    out.look = life.kind == LIFECYCLE_RESUMED;
    out.detail = g_strchomp(text);
    keep_number(self, life.kind, &out);
    if (life.kind == LIFECYCLE_ENDED && !virt_conn_is_up(self->conn))
        g_hash_table_add(self->ended, g_strdup(uuid));
    event_post(self->agent, &out);
    tell_failure(&out, &life);
    note_state(self, uuid, life.kind);
    if (life.kind == LIFECYCLE_STARTED)
        libvirt_definition_ask(self->agent, self->conn, uuid);
    return 0;
}

/* Everything else that happens to a domain: say it, and perhaps look at its definition again. */
static void
post_change(LibvirtSource *self, virDomainPtr dom, Event out)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    out.kind = EVENT_CHANGED;
    if (fill_event(dom, uuid, &out))
        event_post(self->agent, &out);
}

static void
post_redefinition(LibvirtSource *self, virDomainPtr dom, const char *detail, bool scan)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    post_change(self, dom, (Event){ .detail = detail, .scan = scan });
    if (virDomainGetUUIDString(dom, uuid) == 0)
        libvirt_definition_ask(self->agent, self->conn, uuid);
}

/* NULL: it is in no table yet. */
static Domain *
find_domain(const LibvirtSource *self, virDomainPtr dom)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (virDomainGetUUIDString(dom, uuid) < 0)
        return NULL;
    return domain_table_get(&self->agent->domains, uuid);
}

static void
on_balloon(virConnectPtr conn, virDomainPtr dom, unsigned long long actual_kib, void *opaque)
{
    LibvirtSource *self = opaque;
    uint64_t now_bytes = bytes_from_kib(actual_kib);
    Domain *domain = find_domain(self, dom);
    bool grew = domain && is_known(domain->balloon_bytes) && now_bytes > domain->balloon_bytes;

    (void)conn;
    /* Its statistics count virtio-mem, which this figure leaves out. */
    if (domain && domain->xml.virtio_mem_devices == 0)
        domain_set_balloon(domain, now_bytes);
    /* QEMU tells of a balloon that moves each second. What the guest gets back is new to KSM when
     * the guest uses it, which its resident set shows. */
    post_change(self, dom,
                (Event){ .detail = grew ? "balloon deflated" : "balloon changed", .look = grew });
}

static void
on_device_added(virConnectPtr conn, virDomainPtr dom, const char *alias, void *opaque)
{
    (void)conn;
    post_redefinition(opaque, dom, alias ? alias : "device added", true);
}

static void
on_device_removed(virConnectPtr conn, virDomainPtr dom, const char *alias, void *opaque)
{
    (void)conn;
    post_redefinition(opaque, dom, alias ? alias : "device removed", false);
}

static void
on_metadata(virConnectPtr conn, virDomainPtr dom, int type, const char *nsuri, void *opaque)
{
    (void)conn;
    (void)type;
    (void)nsuri;
    post_redefinition(opaque, dom, "metadata changed", false);
}

static void
on_memory_device(virConnectPtr conn, virDomainPtr dom, const char *alias,
                 unsigned long long size_kib, void *opaque)
{
    (void)conn;
    (void)alias;
    (void)size_kib;
    post_redefinition(opaque, dom, "memory device resized", true);
}

/* The first word of a migration or a save. Its end is found out about with the next figures. */
static void
on_migration_pass(virConnectPtr conn, virDomainPtr dom, int pass, void *opaque)
{
    LibvirtSource *self = opaque;
    Domain *domain = find_domain(self, dom);

    (void)conn;
    (void)pass;
    if (domain)
        domain->has_job = true;
}

static void
on_reboot(virConnectPtr conn, virDomainPtr dom, void *opaque)
{
    LibvirtSource *self = opaque;
    Domain *domain = find_domain(self, dom);

    (void)conn;
    if (domain) {
        domain->rebooted_us = (uint64_t)g_get_monotonic_time();
        domain->rebooted_s = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);
    }
    post_change(self, dom, (Event){ .detail = "rebooted", .scan = true });
}

/* --- connection ------------------------------------------------------------------------- */

/* Since libvirt 7.9; a library that is older refuses to register it, as it is not required. */
#if !LIBVIR_CHECK_VERSION(7, 9, 0)
#define VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE 26
#endif

typedef struct {
    int event; /* virDomainEventID */
    const char *name;
    bool required; /* without it there is no source; others are as old as the libvirt is */
    virConnectDomainEventGenericCallback
        callback; /* in its own shape, see VIR_DOMAIN_EVENT_CALLBACK */
} Registration;

static const Registration registrations[] = {
    { VIR_DOMAIN_EVENT_ID_LIFECYCLE, "lifecycle", true, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle) },
    { VIR_DOMAIN_EVENT_ID_REBOOT, "reboot", false, VIR_DOMAIN_EVENT_CALLBACK(on_reboot) },
    { VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, "balloon-change", false,
      VIR_DOMAIN_EVENT_CALLBACK(on_balloon) },
    { VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, "device-added", false,
      VIR_DOMAIN_EVENT_CALLBACK(on_device_added) },
    { VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, "device-removed", false,
      VIR_DOMAIN_EVENT_CALLBACK(on_device_removed) },
    { VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, "metadata-change", false,
      VIR_DOMAIN_EVENT_CALLBACK(on_metadata) },
    { VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE, "memory-device-size-change", false,
      VIR_DOMAIN_EVENT_CALLBACK(on_memory_device) },
    { VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, "migration-iteration", false,
      VIR_DOMAIN_EVENT_CALLBACK(on_migration_pass) },
};

static void
source_teardown(virConnectPtr conn, gpointer data)
{
    g_autoptr(GArray) ids = data;

    for (guint i = 0; i < ids->len; i++)
        virConnectDomainEventDeregisterAny(conn, g_array_index(ids, int, i));
}

static gpointer
source_setup(virConnectPtr conn, gpointer self, GError **error)
{
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(int));

    for (size_t i = 0; i < G_N_ELEMENTS(registrations); i++) {
        const Registration *row = &registrations[i];
        int id =
            virConnectDomainEventRegisterAny(conn, NULL, row->event, row->callback, self, NULL);

        if (id >= 0) {
            g_array_append_val(ids, id);
        } else if (row->required) {
            virt_set_error(error, row->name);
            source_teardown(conn, ids);
            return NULL;
        }
    }
    return ids;
}

static void
post_found(LibvirtSource *self, const VirtListed *listed)
{
    Domain *known = domain_table_get(&self->agent->domains, listed->uuid);
    Event event = { .kind = EVENT_CREATED,
                    .source = libvirt_source.name,
                    .uuid = listed->uuid,
                    .name = listed->name,
                    .detail = "found running",
                    .id = listed->id };

    if (libvirt_starts_has_told(&self->starts, listed->uuid))
        return;
    /* It may have ended behind its place in the list, too. */
    if (g_hash_table_contains(self->ended, listed->uuid) || listed->id == DOMAIN_ID_UNKNOWN)
        return;
    libvirt_starts_begin(&self->starts, listed->uuid, listed->id);
    if (!known || known->id != listed->id)
        event_post(self->agent, &event);
    else if (known->state == DOMAIN_STOPPING && known->stopping_us <= self->down_us)
        known->state = DOMAIN_RUNNING; /* it has rebooted meanwhile, or its end was given up */
    libvirt_definition_ask(self->agent, self->conn, listed->uuid);
}

/* Another source may have told of a start since, which the list may be too old for. */
static bool
is_newer(const LibvirtSource *self, const Domain *domain)
{
    return domain && domain->seen_us > self->down_us;
}

/* After post_found(): what is untold then was not listed. */
static void
post_lost(LibvirtSource *self)
{
    g_autoptr(GPtrArray) uuids = libvirt_starts_untold(&self->starts);

    for (guint i = 0; i < uuids->len; i++) {
        const char *uuid = g_ptr_array_index(uuids, i);
        const Domain *domain = domain_table_get(&self->agent->domains, uuid);
        Event event = { .kind = EVENT_DESTROYED,
                        .source = libvirt_source.name,
                        .uuid = uuid,
                        .detail = "ended while libvirt was away",
                        .id = domain ? domain->id : DOMAIN_ID_UNKNOWN };

        libvirt_starts_end(&self->starts, uuid);
        if (!is_newer(self, domain))
            event_post(self->agent, &event);
    }
}

static void
source_up(gpointer user, const GArray *domains)
{
    LibvirtSource *self = user;

    log_event(LOG_EVENT_LIBVIRT_UP, "libvirt: connected to %s, %u domains running",
              self->agent->conf->uri, domains->len);
    for (guint i = 0; i < domains->len; i++)
        post_found(self, &g_array_index(domains, VirtListed, i));
    post_lost(self);
    self->has_listed = true;
    libvirt_definition_ask_again(self->agent, self->conn);
    g_hash_table_remove_all(self->ended);
    g_clear_pointer(&self->told, g_free);
}

/* Said once per reason, not at every attempt. */
static void
source_down(gpointer user, const char *why)
{
    LibvirtSource *self = user;

    self->down_us = (uint64_t)g_get_monotonic_time();
    libvirt_starts_disconnect(&self->starts);
    g_hash_table_remove_all(self->ended); /* the next enumeration is younger than these */
    if (g_strcmp0(self->told, why) != 0)
        log_event(LOG_EVENT_LIBVIRT_DOWN, "libvirt: not connected, going on with what is known: %s",
                  why);
    g_free(self->told);
    self->told = g_strdup(why);
}

static const VirtConnOps conn_ops = { source_setup, source_teardown, source_up, source_down };

/* --- for others ------------------------------------------------------------------------- */

bool
libvirt_source_has_listed(const LibvirtSource *source)
{
    return source && source->has_listed;
}

bool
libvirt_source_ask(LibvirtSource *source, void (*done)(gpointer user), gpointer user)
{
    if (!source)
        return false;
    libvirt_definition_ask_again(source->agent, source->conn);
    return libvirt_figures_ask(&source->figures, source->conn, done, user);
}

bool
libvirt_source_set(Agent *agent, const SetOrder *order, GError **error)
{
    return libvirt_definition_set(agent, agent->libvirt ? agent->libvirt->conn : NULL, order,
                                  error);
}

/* --- source ----------------------------------------------------------------------------- */

static void
source_open(Agent *agent)
{
    const Conf *conf = agent->conf;
    VirtConnTarget target = { conf->uri, (unsigned)conf->keepalive_s,
                              (unsigned)conf->keepalive_count };
    LibvirtSource *self;

    if (g_str_equal(conf->uri, "none"))
        return;
    virt_prepare();
    self = g_new0(LibvirtSource, 1);
    self->agent = agent;
    self->figures.domains = &agent->domains;
    self->ended = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    libvirt_starts_init(&self->starts);
    self->down_us = (uint64_t)g_get_monotonic_time();
    self->conn = virt_conn_new(&target, &conn_ops, self);
    agent->libvirt = self; /* the agent holds it until source_close() */
}

/* In sight of those who look for memory that is lost. */
static LibvirtSource *volatile left_behind;

static void
source_close(Agent *agent)
{
    LibvirtSource *self = g_steal_pointer(&agent->libvirt);

    if (!self)
        return;
    /* A thread that is stuck in libvirt still refers to the source: leave it, the process ends. */
    if (!virt_conn_free(self->conn)) {
        log_warning("libvirt: a call is still waiting for an answer at the end of the agent");
        left_behind = self;
        return;
    }
    g_hash_table_destroy(self->ended);
    libvirt_starts_done(&self->starts);
    g_free(self->told);
    g_free(self);
}

static SourceState
source_state(const Agent *agent, const char **ret_detail)
{
    if (!agent->libvirt)
        return SOURCE_CLOSED;
    *ret_detail = virt_conn_error(agent->libvirt->conn);
    return virt_conn_is_up(agent->libvirt->conn) ? SOURCE_OPEN : SOURCE_WAITING;
}

VirtConn *
libvirt_source_conn(const LibvirtSource *source)
{
    return source ? source->conn : NULL;
}

bool
libvirt_source_define(LibvirtSource *source, const char *uuid)
{
    return source && libvirt_definition_ask(source->agent, source->conn, uuid);
}

guint
libvirt_source_reconnects(const LibvirtSource *source)
{
    return source ? virt_conn_reconnects(source->conn) : 0;
}

const Source libvirt_source = { "libvirt", source_open, source_close, NULL, source_state };
