/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hook_running_test.c - libvirt's status files as a daemon finds them that comes later */
#define _GNU_SOURCE
#include "agent/source/hook_running.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "test/support/fakeagent.h"
#include "test/support/fakehost.h"

#define FOLDER "run/libvirt/qemu/"
#define UUID   FAKEHOST_QEMU_UUID

#define DOMAIN(id, uuid)                                                                           \
    "  <domain type='kvm'" id ">\n    <name>web</name>\n    <uuid>" uuid "</uuid>\n"               \
    "    <memory unit='KiB'>98304</memory>\n  </domain>\n"
#define STATUS(domain)                                                                             \
    "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n-->\n\n"                                      \
    "<domstatus state='running' reason='booted' pid='42'>\n"                                       \
    "  <monitor path='/var/lib/libvirt/qemu/domain-5-web/monitor.sock' type='unix'/>\n" domain     \
    "</domstatus>\n"

/* What is there: a file, and the QEMU of fakehost.h. */
typedef struct {
    const char *when;
    const char *file;
    const char *text;
    bool has_process;
    bool is_told;
    int id; /* of the domain that is told */
} Row;

static void
check(const Row *row)
{
    g_autofree char *path = g_strconcat(FOLDER, row->file, NULL);
    const Domain *domain;
    HookStarts starts;
    void *state;
    Agent *agent;

    fakeagent_setup(&state);
    agent = state;
    hook_starts_init(&starts);
    fakeroot_write(fakeagent_root(agent), path, "%s", row->text);
    if (row->has_process) {
        fakehost_add_qemu(fakeagent_root(agent));
        fakeroot_write(fakeagent_root(agent), FOLDER "web.pid", "%d", FAKEHOST_QEMU_PID);
    }
    hook_running_tell(agent, &starts);
    domain = domain_table_get(&agent->domains, UUID);
    if ((domain != NULL) != row->is_told || domain_table_size(&agent->domains) > 1)
        fail_msg("%s: %s", row->when, row->is_told ? "not told" : "told");
    if (domain && (domain->id != row->id || !domain->has_xml || domain->maximum_bytes != 96 << 20 ||
                   !g_str_equal(domain->name, "web")))
        fail_msg("%s: id %d, %s", row->when, domain->id, domain->name);
    assert_int_equal(fakeagent_ksm(agent, "run"), row->is_told ? 1 : 0);
    assert_int_equal(g_hash_table_size(starts.by_uuid), row->is_told ? 1 : 0);
    hook_starts_done(&starts);
    fakeagent_teardown(&state);
}

static void
a_domain_with_a_status_file_and_a_process_runs(void **unused)
{
    static const Row rows[] = {
        { "running", "web.xml", STATUS(DOMAIN(" id='5'", UUID)), true, true, 5 },
        { "without a number", "web.xml", STATUS(DOMAIN("", UUID)), true, true, DOMAIN_ID_UNKNOWN },
        { "a number that is none", "web.xml", STATUS(DOMAIN(" id='99999999999'", UUID)), true, true,
          DOMAIN_ID_UNKNOWN },
        { "its QEMU is gone", "web.xml", STATUS(DOMAIN(" id='5'", UUID)), false, false, 0 },
        { "another's QEMU", "web.xml",
          STATUS(DOMAIN(" id='5'", "00000000-0000-0000-0000-000000000001")), true, false, 0 },
        { "not a status file", "web.log", STATUS(DOMAIN(" id='5'", UUID)), true, false, 0 },
        { "no domain in it", "web.xml", STATUS(""), true, false, 0 },
        { "cut", "web.xml", "<domstatus><domain type='kvm'><name>web</name>", true, false, 0 },
        { "an end without a beginning", "web.xml", "</domain>", true, false, 0 },
        { "not a domain", "web.xml", "<domain </domain>", true, false, 0 },
        { "empty", "web.xml", "", true, false, 0 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        check(&rows[i]);
}

static void
what_is_no_file_of_libvirts_is_passed_over(void **state)
{
    Agent *agent = *state;
    g_autofree char *huge = g_strnfill(2 << 20, ' ');
    g_autofree char *fifo =
        g_build_filename(fakeroot_path(fakeagent_root(agent)), FOLDER "fifo.xml", NULL);
    HookStarts starts;

    hook_starts_init(&starts);
    hook_running_tell(agent, &starts); /* there is no folder at all */
    fakehost_add_qemu(fakeagent_root(agent));
    fakeroot_write(fakeagent_root(agent), FOLDER "a.xml", "%s%s", huge,
                   STATUS(DOMAIN(" id='5'", UUID)));
    fakeroot_write(fakeagent_root(agent), FOLDER "b.xml/x", "%s", "in a folder");
    assert_int_equal(mkfifo(fifo, 0600), 0); /* a read of it would wait */
    hook_running_tell(agent, &starts);
    assert_int_equal(domain_table_size(&agent->domains), 0);
    fakeroot_write(fakeagent_root(agent), FOLDER "c.xml", "%s", STATUS(DOMAIN(" id='5'", UUID)));
    hook_running_tell(agent, &starts);
    assert_int_equal(domain_table_size(&agent->domains),
                     0); /* who has the argument is not enough */
    fakeroot_write(fakeagent_root(agent), FOLDER "web.pid", "%d", FAKEHOST_QEMU_PID);
    hook_running_tell(agent, &starts);
    assert_int_equal(domain_table_size(&agent->domains), 1);
    hook_starts_done(&starts);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_domain_with_a_status_file_and_a_process_runs),
        cmocka_unit_test_setup_teardown(what_is_no_file_of_libvirts_is_passed_over, fakeagent_setup,
                                        fakeagent_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
