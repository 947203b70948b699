/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scrape.c - what a tick and a scrape cost, by number of domains, and how long a scrape takes
 *
 * usage: scrape [TICKS] [SCRAPES]     of each number of domains; 20 and 200 by default
 *
 * An agent on a fabricated host, where each domain has a process with the files that are read. A
 * tick is a full one: processes, decision, and the page of the metrics with its ledger, in CPU
 * time of the main loop; the ledger is not read for every tick, and has a line of its own. A
 * scrape is one GET of a client in a process of its own; its cost is the CPU time of the server's
 * thread. While it is scraped the agent goes on ticking. Files are plain files: what the kernel
 * needs to make up those of /proc is not in it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/report/ledger.h"
#include "agent/report/metrics.h"
#include "test/support/fakeagent.h"
#include "test/support/fakehost.h"

/* From a tick to its page, and some more; see metrics.c. */
#define PAGE_MS 150
/* Distance of two scrapes. */
#define SCRAPE_GAP_US 5000

/* --- a host with domains ------------------------------------------------------------------ */

static void
add_domains(Agent *agent, int n)
{
    for (int i = (int)domain_table_size(&agent->domains); i < n; i++) {
        g_autofree char *uuid = fakehost_uuid(i);
        g_autofree char *name = g_strdup_printf("domain-%d", i);
        g_autofree char *pid_file = g_strdup_printf("run/libvirt/qemu/%s.pid", name);
        Event event = { .kind = EVENT_CREATED, .source = "libvirt", .uuid = uuid, .name = name };

        event.id = i + 1;
        fakehost_add_process(fakeagent_root(agent), 1000 + i, uuid, FAKEHOST_KSM_STAT);
        fakeroot_write(fakeagent_root(agent), pid_file, "%d", 1000 + i);
        event_post(agent, &event);
    }
}

/* --- the client, in a process of its own --------------------------------------------------- */

static size_t
scrape_once(const struct sockaddr_in *address)
{
    static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
    static char answer[65536];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t total = 0;
    ssize_t n;

    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 ||
        write(fd, request, strlen(request)) != (ssize_t)strlen(request))
        _exit(1);
    while ((n = read(fd, answer, sizeof(answer))) > 0)
        total += (size_t)n;
    close(fd);
    return total;
}

static gint
compare_times(gconstpointer a, gconstpointer b)
{
    gint64 left = *(const gint64 *)a;
    gint64 right = *(const gint64 *)b;

    return left < right ? -1 : left > right;
}

static double
in_ms(const gint64 *took_us, guint i)
{
    return (double)took_us[i] / 1000;
}

static void
scrape_many(const struct sockaddr_in *address, guint n)
{
    g_autofree gint64 *took_us = g_new(gint64, n);
    guint middle = n / 2;
    guint late = n * 99 / 100;
    size_t bytes = 0;

    for (guint i = 0; i < n; i++) {
        gint64 begin_us = g_get_monotonic_time();

        bytes = scrape_once(address);
        took_us[i] = g_get_monotonic_time() - begin_us;
        g_usleep(SCRAPE_GAP_US);
    }
    qsort(took_us, n, sizeof(*took_us), compare_times);
    printf(
        "   %zu bytes; a scrape took %.2f ms in the middle, %.2f ms at 99 %%, %.2f ms at worst\n",
        bytes, in_ms(took_us, middle), in_ms(took_us, late), in_ms(took_us, n - 1));
    (void)fflush(stdout);
}

/* --- measurements -------------------------------------------------------------------------- */

static double
clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double
tick_us(Agent *agent, guint ticks)
{
    double begin_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
    uint64_t before = agent->tick.count;

    for (guint i = 0; i < ticks; i++) {
        tick_want(agent, 0);
        fakeagent_run(PAGE_MS);
    }
    return (clock_us(CLOCK_THREAD_CPUTIME_ID) - begin_us) / (double)(agent->tick.count - before);
}

/* A ledger is read for some of the ticks only, see metrics.c. */
static double
ledger_us(Agent *agent, guint times)
{
    double begin_us = clock_us(CLOCK_THREAD_CPUTIME_ID);

    for (guint i = 0; i < times; i++) {
        g_auto(Ledger) ledger = { 0 };

        ledger_read(&agent->host_facts, &agent->domains, &ledger);
    }
    return (clock_us(CLOCK_THREAD_CPUTIME_ID) - begin_us) / times;
}

static void
print_cost(const char *what, double us, int domains)
{
    printf("   CPU of a %s %9.1f us, %7.2f us for each domain\n", what, us, us / domains);
}

/* CPU time of all threads but this one. */
static double
others_us(void)
{
    return clock_us(CLOCK_PROCESS_CPUTIME_ID) - clock_us(CLOCK_THREAD_CPUTIME_ID);
}

static double
scrape_us(const struct sockaddr_in *address, guint scrapes)
{
    double begin_us = others_us();
    int status = 0;
    pid_t pid;

    (void)fflush(stdout); /* or it is the child's as well */
    pid = fork();
    if (pid < 0)
        exit(1);
    if (pid == 0) {
        scrape_many(address, scrapes);
        _exit(0);
    }
    while (waitpid(pid, &status, WNOHANG) == 0)
        fakeagent_run(10);
    if (status != 0) {
        fprintf(stderr, "the client has failed\n");
        exit(1);
    }
    return (others_us() - begin_us) / scrapes;
}

static struct sockaddr_in
free_address(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        exit(1);
    close(fd);
    return address;
}

int
main(int argc, char **argv)
{
    static const int numbers[] = { 1, 100, 1000 };
    guint ticks = argc > 1 ? (guint)g_ascii_strtoull(argv[1], NULL, 10) : 20;
    guint scrapes = argc > 2 ? (guint)g_ascii_strtoull(argv[2], NULL, 10) : 200;
    struct sockaddr_in address = free_address();
    Agent *agent;
    void *state;

    if (ticks == 0 || scrapes == 0 || argc > 3) {
        fprintf(stderr, "usage: %s [TICKS] [SCRAPES]\n", argv[0]);
        return 2;
    }
    fakeagent_setup(&state);
    agent = state;
    conf_set(agent->conf, "ksm", "mode", "observe", NULL);
    g_free(agent->conf->metrics_listen);
    agent->conf->metrics_listen = g_strdup_printf("127.0.0.1:%d", ntohs(address.sin_port));
    agent->metrics = metrics_new(agent);
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        add_domains(agent, numbers[i]);
        fakeagent_run(1000); /* processes are found, the first page is there */
        printf("%d domains\n", numbers[i]);
        print_cost("tick:  ", tick_us(agent, ticks), numbers[i]);
        print_cost("ledger:", ledger_us(agent, ticks), numbers[i]);
        print_cost("scrape:", scrape_us(&address, scrapes), numbers[i]);
    }
    g_clear_pointer(&agent->metrics, metrics_free);
    fakeagent_teardown(&state);
    return 0;
}
