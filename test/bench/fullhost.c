/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fullhost.c - a fabricated host with all that an agent reads, and a libvirt that obeys */
#define _GNU_SOURCE
#include "test/bench/fullhost.h"

#include <stdlib.h>
#include <string.h>

#include "agent/reclaim.h"
#include "test/support/fakehost.h"

#define SCOPE "machine.slice/machine-qemu\\x2d%d\\x2ddomain%d.scope"
#define GROUP "sys/fs/cgroup/" SCOPE "/libvirt/"

/* A change that libvirt was asked for. */
typedef struct {
    Change change;
    ChangeDone done;
    gpointer user; /* for done */
} Asked;

static void
write_process(FakeRoot *root, int i, const char *uuid)
{
    const int pid = 1000 + i;
    g_autofree char *statm = g_strdup_printf("proc/%d/statm", pid);
    g_autofree char *cgroup = g_strdup_printf("proc/%d/cgroup", pid);
    g_autofree char *pid_file = g_strdup_printf("run/libvirt/qemu/domain%d.pid", i);

    fakehost_add_process(root, pid, uuid, FAKEHOST_KSM_STAT);
    fakeroot_write(root, statm, "300000 250000 1000 10 0 700 0\n"); /* nearly all of its GiB */
    fakeroot_write(root, cgroup, "0::/" SCOPE "/libvirt/emulator\n", i + 1, i);
    fakeroot_write(root, pid_file, "%d", pid);
}

static void
write_cgroup(FakeRoot *root, int i)
{
    static const FakeFile files[] = {
        { "memory.current", "1006632960\n" },
        { "memory.high", "max\n" },
        { "memory.reclaim", "" },
        { "memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n" },
        { "memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\n"
                             "full avg10=0.00 avg60=0.00 avg300=0.00 total=9\n" },
        { "memory.stat", "anon 900000000\nfile 40000000\nkernel 9000000\nkernel_stack 500000\n"
                         "pagetables 4000000\npercpu 0\nsock 0\nvmalloc 0\nshmem 0\nzswap 0\n"
                         "zswapped 0\nfile_mapped 9000000\nfile_dirty 0\nfile_writeback 0\n"
                         "swapcached 0\nanon_thp 800000000\nfile_thp 0\nshmem_thp 0\n"
                         "inactive_anon 500000000\nactive_anon 400000000\n"
                         "inactive_file 30000000\nactive_file 10000000\nunevictable 0\n"
                         "slab_reclaimable 100000\nslab_unreclaimable 300000\nslab 400000\n"
                         "workingset_refault_anon 3\nworkingset_refault_file 4\n"
                         "workingset_activate_anon 0\nworkingset_activate_file 0\n"
                         "workingset_restore_anon 0\nworkingset_restore_file 0\n"
                         "workingset_nodereclaim 0\npgfault 900000\npgmajfault 12\n" },
    };

    for (size_t k = 0; k < G_N_ELEMENTS(files); k++) {
        g_autofree char *path = g_strdup_printf(GROUP "%s", i + 1, i, files[k].path);

        fakeroot_write(root, path, "%s", files[k].content);
    }
}

void
fullhost_write(FullHost *host, int number)
{
    g_autofree char *uuid = fakehost_uuid(number);

    write_process(fakeagent_root(host->agent), number, uuid);
    write_cgroup(fakeagent_root(host->agent), number);
}

void
fullhost_know(Domain *domain)
{
    static const char definition[] =
        "<domain type='kvm'><name>one</name><memory unit='GiB'>1</memory>"
        "<devices><memballoon model='virtio'/></devices></domain>";

    domain->is_libvirts = true;
    domain_xml_clear(&domain->xml);
    domain->has_xml = domain_xml_parse(definition, strlen(definition), &domain->xml, NULL);
    domain->maximum_bytes = FULLHOST_DOMAIN_BYTES;
    domain_set_balloon(domain, FULLHOST_DOMAIN_BYTES);
}

static bool
ask(gpointer user, const Change *change, ChangeDone done, gpointer done_user)
{
    FullHost *host = user;
    const Asked asked = { *change, done, done_user };

    g_array_append_val(host->asked, asked);
    host->orders++;
    return true;
}

void
fullhost_open(FullHost *host)
{
    static const char *const settings[][3] = {
        { "balloon", "enable", "yes" }, { "memory_high", "enable", "yes" },
        { "balloon", "dwell_s", "1" },  { "memory_high", "dwell_s", "1" },
        { "agent", "calm_s", "1" },
    };
    Agent *agent;

    fakeagent_setup(&host->state);
    agent = host->agent = host->state;
    host->asked = g_array_new(FALSE, TRUE, sizeof(Asked));
    for (size_t i = 0; i < G_N_ELEMENTS(settings); i++)
        if (!conf_set(agent->conf, settings[i][0], settings[i][1], settings[i][2], NULL))
            abort();
    reclaim_adopt(agent);
    agent->balloon.holds.changer = (Changer){ ask, host };
    agent->memory_high.holds.changer = (Changer){ ask, host };
    agent->stats_period.holds.changer = (Changer){ ask, host };
    fakeroot_write(fakeagent_root(agent), "sys/fs/cgroup/cgroup.controllers", "memory\n");
    measure_open(agent);
}

void
fullhost_close(FullHost *host)
{
    fakeagent_teardown(&host->state);
    g_array_unref(host->asked);
}

static void
obey(FullHost *host, const Asked *asked)
{
    const Change *change = &asked->change;
    Domain *domain = domain_table_get(&host->agent->domains, change->uuid);
    bool runs = domain && domain->id == change->id;
    const ChangeOutcome outcome = { runs ? CHANGE_DONE : CHANGE_GONE, change->known.wrote_bytes,
                                    NULL };

    if (runs && change->kind == CHANGE_BALLOON)
        domain_set_balloon(domain, change->want_bytes);
    else if (runs && change->kind == CHANGE_STATS_PERIOD)
        domain->xml.stats_period_s = (uint32_t)change->want_bytes;
    asked->done(change, &outcome, asked->user);
}

void
fullhost_obey(FullHost *host)
{
    for (guint i = 0; i < host->asked->len; i++) {
        const Asked asked = g_array_index(host->asked, Asked, i); /* more may be asked for */

        obey(host, &asked);
    }
    g_array_set_size(host->asked, 0);
}

void
fullhost_tell(FullHost *host, guint turn)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, host->agent->domains.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Domain *domain = value;
        uint64_t usable_bp = (domain->key + turn) % 10 == 0 ? 200 : 6000;

        domain->stats_us = (uint64_t)g_get_monotonic_time();
        domain->guest_stats_s = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);
        domain->guest.available_bytes = domain->balloon_bytes - domain->balloon_bytes / 32;
        domain->guest.usable_bytes = domain->guest.available_bytes / 10000 * usable_bp;
        domain->guest.unused_bytes = domain->guest.usable_bytes;
        domain->guest.caches_bytes = 0;
    }
}

void
fullhost_set_available(FullHost *host, int domains, unsigned percent)
{
    uint64_t total_kib = (uint64_t)domains * FULLHOST_DOMAIN_BYTES / 1024;

    fakeroot_write(fakeagent_root(host->agent), "proc/meminfo",
                   "MemTotal: %lu kB\nMemFree: %lu kB\nMemAvailable: %lu kB\nAnonPages: %lu kB\n"
                   "SwapTotal: %lu kB\nSwapFree: %lu kB\n",
                   total_kib, total_kib / 100, total_kib / 100 * percent, total_kib / 2,
                   total_kib / 4, total_kib / 5);
}
