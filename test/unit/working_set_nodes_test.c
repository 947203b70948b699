/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set_nodes_test.c - memory is put on the nodes that it is on, to the byte */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/facts/working_set_nodes.h"
#include "policy/arith.h"
#include "test/support/faketarget.h"

#define FILE_NAME "proc/42/numa_maps"

static void
pages_are_counted_by_node_and_size(void **unused)
{
    static const struct {
        const char *when;
        const char *text; /* NULL: no such file */
        uint32_t n;
        int32_t first, second;        /* nodes */
        uint64_t first_kib, last_kib; /* of the first and the last of them */
    } rows[] = {
        { "one", "7f00 default anon=5 dirty=5 N0=5 kernelpagesize_kB=4\n", 1, 0, 0, 20, 20 },
        { "two, the second first",
          "7f00 bind:0-1 anon=9 dirty=9 N1=5 N0=4 kernelpagesize_kB=4\n"
          "7f10 default file=/lib/x mapped=2 N0=2 kernelpagesize_kB=4\n",
          2, 1, 0, 20, 24 },
        { "huge pages", "7f00 default huge anon=3 dirty=3 N0=1 N1=2 kernelpagesize_kB=2048\n", 2, 0,
          1, 2048, 4096 },
        { "nothing resident", "7f00 default\n7f10 default heap\n", 0, 0, 0, 0, 0 },
        { "a name like a node", "7f00 default file=/N0=7 anon=1 N3=1 kernelpagesize_kB=4\n", 1, 3,
          3, 4, 4 },
        { "no number", "7f00 default N0=x N1= N=3 Nx=2 kernelpagesize_kB=4\n", 0, 0, 0, 0, 0 },
        { "no such file", NULL, 0, 0, 0, 0, 0 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = faketarget_new();
        WorkingSetShares shares;

        if (rows[i].text)
            fakeroot_write(fake->root, FILE_NAME, "%s", rows[i].text);
        shares = working_set_shares_read(fake->target.dir_fd);
        if (shares.n != rows[i].n)
            fail_msg("%s: %" PRIu32 " nodes", rows[i].when, shares.n);
        if (shares.n == 0)
            continue;
        if (shares.node[0] != rows[i].first || shares.bytes[0] != rows[i].first_kib * 1024 ||
            shares.bytes[shares.n - 1] != rows[i].last_kib * 1024 ||
            (shares.n > 1 && shares.node[1] != rows[i].second))
            fail_msg("%s: node %" PRId32 " has %" PRIu64 ", the last %" PRIu64, rows[i].when,
                     shares.node[0], shares.bytes[0], shares.bytes[shares.n - 1]);
    }
}

static void
more_nodes_than_there_is_room_for_are_not_known(void **unused)
{
    g_autoptr(FakeTarget) fake = faketarget_new();
    g_autoptr(GString) text = g_string_new("7f00 default");
    (void)unused;

    for (unsigned node = 0; node <= WORKING_SET_NODES_MAX; node++)
        g_string_append_printf(text, " N%u=1", node);
    g_string_append(text, " kernelpagesize_kB=4\n");
    fakeroot_write(fake->root, FILE_NAME, "%s", text->str);
    assert_int_equal(working_set_shares_read(fake->target.dir_fd).n, 0);
}

static void
no_byte_is_lost_when_bins_are_split(void **unused)
{
    static const struct {
        const char *when;
        WorkingSetShares shares;
        uint64_t want[3]; /* of 1000 bytes, by node */
    } rows[] = {
        { "all on one", { 1, { 3 }, { 4096 } }, { 1000 } },
        { "even", { 2, { 0, 1 }, { 4096, 4096 } }, { 500, 500 } },
        { "thirds", { 3, { 0, 1, 2 }, { 4096, 4096, 4096 } }, { 333, 333, 334 } },
        { "one without any", { 3, { 0, 1, 2 }, { 0, 4096, 0 } }, { 0, 1000, 0 } },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree WorkingSetReading *reading = g_new0(WorkingSetReading, 1);
        WorkingSetBytes *bins = working_set_node(reading, WORKING_SET_NODE_UNKNOWN);

        bins[0].bytes[WORKING_SET_ANON] = bins[1].bytes[WORKING_SET_FILE] = 1000;
        working_set_shares_split(&rows[i].shares, 2, reading);
        assert_int_equal(reading->n_nodes, rows[i].shares.n);
        for (uint32_t n = 0; n < reading->n_nodes; n++) {
            const WorkingSetNode *node = &reading->nodes[n];

            if (node->node != rows[i].shares.node[n] ||
                node->bins[0].bytes[WORKING_SET_ANON] != rows[i].want[n] ||
                node->bins[1].bytes[WORKING_SET_FILE] != rows[i].want[n])
                fail_msg("%s: node %" PRId32 " has %" PRIu64, rows[i].when, node->node,
                         node->bins[0].bytes[WORKING_SET_ANON]);
        }
    }
}

static void
what_is_not_known_is_not_split(void **unused)
{
    static const WorkingSetShares none;
    static const WorkingSetShares nothing = { 1, { 0 }, { 0 } };
    g_autofree WorkingSetReading *reading = g_new0(WorkingSetReading, 1);
    (void)unused;

    working_set_node(reading, WORKING_SET_NODE_UNKNOWN)[0].bytes[WORKING_SET_ANON] = 7;
    working_set_shares_split(&none, 2, reading);
    working_set_shares_split(&nothing, 2, reading);
    assert_int_equal(reading->n_nodes, 1);
    assert_int_equal(reading->nodes[0].node, WORKING_SET_NODE_UNKNOWN);
    assert_int_equal(reading->nodes[0].bins[0].bytes[WORKING_SET_ANON], 7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_counted_by_node_and_size),
        cmocka_unit_test(more_nodes_than_there_is_room_for_are_not_known),
        cmocka_unit_test(no_byte_is_lost_when_bins_are_split),
        cmocka_unit_test(what_is_not_known_is_not_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
