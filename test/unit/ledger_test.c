/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger_test.c - host and domains at one moment, or said not to be
 *
 * process_read() is wrapped, to let KSM go on while the domains are read: nothing else in a tree of
 * plain files can move at the right moment.
 */
#define _GNU_SOURCE
#include "agent/report/ledger.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/fakehost.h"

#define KSM "sys/kernel/mm/ksm/"
#define U   VALUE_UNKNOWN

/* A host with KSM, domains on it, and how often KSM will yet move when a process is read. */
typedef struct {
    FakeRoot *root;
    HostFacts facts;
    DomainTable domains;
    unsigned moves_left;
    uint64_t sharing; /* as last written by a move */
} Books;

/* Whose process is being read; borrowed; NULL between tests. */
static Books *open_books;

bool __real_process_read(const Process *process, ProcessSample *ret_sample);
bool __wrap_process_read(const Process *process, ProcessSample *ret_sample);

bool
__wrap_process_read(const Process *process, ProcessSample *ret_sample)
{
    bool runs = __real_process_read(process, ret_sample);

    if (open_books->moves_left > 0) {
        open_books->moves_left--;
        open_books->sharing++;
        fakeroot_write(open_books->root, KSM "pages_sharing", "%" PRIu64 "\n", open_books->sharing);
    }
    return runs;
}

static int
setup(void **state)
{
    static const FakeFile files[] = {
        { KSM "run", "1\n" },
        { KSM "pages_shared", "100\n" },
        { KSM "pages_sharing", "300\n" },
        { KSM "pages_unshared", "50\n" },
        { KSM "pages_volatile", "5\n" },
        { KSM "ksm_zero_pages", "40\n" },
    };
    Books *books = g_new0(Books, 1);

    books->root = fakeroot_new();
    books->sharing = 300;
    fakeroot_write_table(books->root, files, G_N_ELEMENTS(files));
    host_init(&books->facts, fakeroot_fd(books->root));
    domain_table_init(&books->domains);
    open_books = books;
    *state = books;
    return 0;
}

static int
teardown(void **state)
{
    Books *books = *state;

    domain_table_done(&books->domains);
    host_done(&books->facts);
    fakeroot_free(books->root);
    g_free(books);
    open_books = NULL;
    return 0;
}

/* A domain whose QEMU has these figures; NULL: QEMU is not found. */
static void
add_domain(Books *books, const char *name, const char *ksm_stat)
{
    int pid = 100 + (int)domain_table_size(&books->domains);
    g_autofree char *uuid = fakehost_uuid(pid);
    Domain *domain = domain_table_add(&books->domains, uuid, name, pid, 0);
    g_autoptr(GError) error = NULL;

    if (!ksm_stat)
        return;
    fakehost_add_process(books->root, pid, uuid, ksm_stat);
    domain->has_process = process_find(
        fakeroot_fd(books->root), &(ProcessWanted){ name, uuid, false }, &domain->process, &error);
    if (!domain->has_process)
        fail_msg("%s", error->message);
}

/* A file with a text; NULL: no file. */
static void
put(Books *books, const char *path, const char *text)
{
    g_autofree char *full = g_build_filename(fakeroot_path(books->root), path, NULL);

    if (text)
        fakeroot_write(books->root, path, "%s", text);
    else
        unlink(full);
}

/* Figures of one row. */
typedef struct {
    const char *name;
    uint64_t merging;
    uint64_t saved;
    uint64_t zero;
    uint64_t metadata;
} Want;

static void
assert_rows(const Ledger *ledger, const Want *want, guint n)
{
    assert_int_equal(ledger->rows->len, n);
    for (guint i = 0; i < n; i++) {
        const LedgerRow *row = &g_array_index(ledger->rows, LedgerRow, i);

        if (strcmp(row->domain->name, want[i].name) != 0 || row->merging_pages != want[i].merging ||
            row->saved_pages != want[i].saved || row->zero_pages != want[i].zero ||
            row->metadata_bytes != want[i].metadata)
            fail_msg("%s: merging %" PRIu64 ", saved %" PRIu64 ", zero %" PRIu64
                     ", metadata %" PRIu64,
                     row->domain->name, row->merging_pages, row->saved_pages, row->zero_pages,
                     row->metadata_bytes);
    }
}

/* What is known of the domains, and the others, are the host's saving. */
static void
assert_adds_up(const Ledger *ledger)
{
    uint64_t sum = ledger->others_saved_pages;

    for (guint i = 0; i < ledger->rows->len; i++)
        sum += known_or(g_array_index(ledger->rows, LedgerRow, i).saved_pages, 0);
    if (sum != ledger->saved_pages)
        fail_msg("the parts are %" PRIu64 ", the host is %" PRIu64, sum, ledger->saved_pages);
}

#define FIGURES(merging, rmap, zero)                                                               \
    "ksm_rmap_items " #rmap "\nksm_zero_pages " #zero "\nksm_merging_pages " #merging

static void
domains_and_others_add_up_to_the_host(void **state)
{
    static const Want want[] = {
        { "db", 100, 75, 0, 120 * 64 },
        { "web", 200, 160, 10, 230 * 64 },
    };
    Books *books = *state;
    g_auto(Ledger) ledger;

    add_domain(books, "web", FIGURES(200, 230, 10));
    add_domain(books, "db", FIGURES(100, 120, 0));
    ledger_read(&books->facts, &books->domains, &ledger);
    assert_true(ledger.steady);
    assert_rows(&ledger, want, G_N_ELEMENTS(want));
    assert_int_equal(ledger.pages_shared, 100);
    assert_int_equal(ledger.pages_sharing, 300);
    assert_int_equal(ledger.zero_pages, 40);
    assert_int_equal(ledger.saved_pages, 340);
    assert_int_equal(ledger.metadata_bytes, (100 + 300 + 50 + 5) * 64);
    assert_int_equal(ledger.others_merging_pages, 100);
    assert_int_equal(ledger.others_saved_pages, 75 + 30);
    assert_int_equal(ledger.page_bytes, sysconf(_SC_PAGESIZE));
    assert_int_equal(g_array_index(ledger.rows, LedgerRow, 0).resident_bytes,
                     UINT64_C(5000) * ledger.page_bytes);
    assert_adds_up(&ledger);
}

static void
what_cannot_be_had_is_unknown_and_in_the_remainder(void **state)
{
    static const Want want[] = {
        { "gone", U, U, U, U },
        { "known", 200, 160, 10, 230 * 64 },
        { "old kernel", U, U, U, 77 * 64 },
        { "refused", U, U, U, U },
    };
    Books *books = *state;
    g_auto(Ledger) ledger;

    add_domain(books, "known", FIGURES(200, 230, 10));
    add_domain(books, "refused", "");
    add_domain(books, "gone", NULL);
    add_domain(books, "old kernel", "ksm_rmap_items 77");
    ledger_read(&books->facts, &books->domains, &ledger);
    assert_rows(&ledger, want, G_N_ELEMENTS(want));
    assert_int_equal(ledger.others_saved_pages, 150 + 30);
    assert_adds_up(&ledger);
}

static void
a_process_with_zero_pages_and_no_merging_pages_does_not_spoil_the_sum(void **state)
{
    Books *books = *state;
    g_auto(Ledger) ledger;

    add_domain(books, "half", "ksm_zero_pages 10");
    ledger_read(&books->facts, &books->domains, &ledger);
    assert_adds_up(&ledger);
}

static void
without_domains_everything_is_the_others(void **state)
{
    Books *books = *state;
    g_auto(Ledger) ledger;

    ledger_read(&books->facts, &books->domains, &ledger);
    assert_true(ledger.steady);
    assert_rows(&ledger, NULL, 0);
    assert_int_equal(ledger.others_merging_pages, 400);
    assert_adds_up(&ledger);
}

static void
a_kernel_without_zero_pages_saves_what_is_shared(void **state)
{
    Books *books = *state;
    g_auto(Ledger) ledger;

    fakeroot_remove(books->root, KSM "ksm_zero_pages");
    add_domain(books, "web", "ksm_rmap_items 230\nksm_merging_pages 200");
    ledger_read(&books->facts, &books->domains, &ledger);
    assert_true(ledger.steady);
    assert_true(ledger.zero_pages == U);
    assert_int_equal(ledger.saved_pages, 300);
    assert_rows(&ledger, (Want[]){ { "web", 200, 150, U, 230 * 64 } }, 1);
    assert_adds_up(&ledger);
}

static void
zero_pages_that_are_made_but_not_counted_are_in_no_figure(void **state)
{
    static const struct {
        const char *when;
        const char *use; /* NULL: no such file */
        const char *zero_pages;
        bool may_have;
    } rows[] = {
        { "made, not counted", "1\n", NULL, true }, { "not made, not counted", "0\n", NULL, false },
        { "neither file", NULL, NULL, false },      { "made, and none", "1\n", "0\n", false },
        { "made before", "0\n", "40\n", true },
    };
    Books *books = *state;

    add_domain(books, "web", "ksm_rmap_items 230\nksm_merging_pages 200");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Ledger) ledger;
        uint64_t zero = rows[i].zero_pages ? g_ascii_strtoull(rows[i].zero_pages, NULL, 10) : 0;

        put(books, KSM "use_zero_pages", rows[i].use);
        put(books, KSM "ksm_zero_pages", rows[i].zero_pages);
        ledger_read(&books->facts, &books->domains, &ledger);
        if (ledger.may_have_zero_pages != rows[i].may_have ||
            is_known(ledger.zero_pages) != (rows[i].zero_pages != NULL) ||
            ledger.saved_pages != 300 + zero)
            fail_msg("%s: saved %" PRIu64, rows[i].when, ledger.saved_pages);
        assert_rows(&ledger, (Want[]){ { "web", 200, 150, U, 230 * 64 } }, 1);
        assert_adds_up(&ledger);
    }
}

static void
the_pool_of_huge_pages_is_memory_of_the_host(void **state)
{
    Books *books = *state;
    g_auto(Ledger) ledger;

    fakeroot_write(books->root, "proc/meminfo",
                   "MemTotal: 9000 kB\nMemAvailable: 500 kB\nHugetlb: 8000 kB\n");
    ledger_read(&books->facts, &books->domains, &ledger);
    assert_int_equal(ledger.total_bytes, 9000 * 1024);
    assert_int_equal(ledger.vm.huge_pool_bytes, 8000 * 1024);
    assert_int_equal(ledger.available_bytes, 500 * 1024);
}

static void
without_ksm_nothing_is_known(void **state)
{
    Books *books = *state;
    g_auto(Ledger) ledger;

    fakeroot_remove(books->root, "sys/kernel/mm/ksm");
    add_domain(books, "web", "");
    ledger_read(&books->facts, &books->domains, &ledger);
    assert_true(ledger.pages_sharing == U && ledger.saved_pages == U);
    assert_true(ledger.metadata_bytes == U);
    assert_true(ledger.others_merging_pages == U && ledger.others_saved_pages == U);
    assert_rows(&ledger, (Want[]){ { "web", U, U, U, U } }, 1);
}

static void
without_the_hosts_figures_no_domain_is_said_to_save_nothing(void **state)
{
    Books *books = *state;
    g_auto(Ledger) ledger;

    fakeroot_remove(books->root, KSM "pages_sharing");
    add_domain(books, "web", FIGURES(200, 230, 10));
    ledger_read(&books->facts, &books->domains, &ledger);
    assert_true(ledger.saved_pages == U && ledger.others_saved_pages == U);
    assert_rows(&ledger, (Want[]){ { "web", 200, U, 10, 230 * 64 } }, 1);
}

static void
figures_that_moved_are_read_again_as_a_whole(void **state)
{
    static const struct {
        const char *when;
        unsigned moves; /* one each time that the only domain is read */
        bool steady;
        uint64_t saved;
    } rows[] = {
        { "it stands still", 0, true, 340 },
        { "it moves once", 1, true, 341 },
        { "it moves four times", 4, true, 345 },
        { "it moves each of five times", 5, false, 350 },
        { "it never stands still", 1000, false, 355 },
    };
    Books *books = *state;

    add_domain(books, "web", FIGURES(200, 230, 10));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Ledger) ledger;

        books->moves_left = rows[i].moves;
        ledger_read(&books->facts, &books->domains, &ledger);
        if (ledger.steady != rows[i].steady || ledger.saved_pages != rows[i].saved)
            fail_msg("%s: steady %d, saved %" PRIu64, rows[i].when, ledger.steady,
                     ledger.saved_pages);
        assert_int_equal(ledger.rows->len, 1); /* the last reading, not all of them */
        assert_adds_up(&ledger);
    }
}

static void
domains_that_claim_more_than_the_host_has_are_cut_and_it_says_so(void **state)
{
    Books *books = *state;
    g_auto(Ledger) ledger;

    add_domain(books, "a", FIGURES(350, 0, 0));
    add_domain(books, "b", FIGURES(350, 0, 0));
    ledger_read(&books->facts, &books->domains, &ledger);
    assert_false(ledger.steady);
    assert_int_equal(ledger.others_merging_pages, 0);
    assert_rows(&ledger, (Want[]){ { "a", 350, 263, 0, 0 }, { "b", 50, 37, 0, 0 } }, 2);
    assert_adds_up(&ledger);
}

static void
the_net_is_what_is_saved_less_its_records(void **unused)
{
    static const struct {
        const char *when;
        uint64_t saved_pages;
        uint64_t metadata_bytes;
        bool known;
        int64_t net;
    } rows[] = {
        { "gain", 10, 960, true, 40000 },
        { "loss", 0, 640, true, -640 },
        { "even", 0, 0, true, 0 },
        { "saving not known", U, 640, false, 0 },
        { "cost not known", 10, U, false, 0 },
        { "absurd saving", UINT64_MAX - 1, 0, false, 0 },
        { "largest saving", INT64_MAX / 4096, 0, true, INT64_MAX / 4096 * 4096 },
        { "absurd cost", 0, UINT64_MAX - 1, false, 0 },
        { "largest cost", 0, INT64_MAX, true, -INT64_MAX },
    };
    const Ledger ledger = { .page_bytes = 4096 };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int64_t net = 12345;
        bool known = ledger_net_bytes(&ledger, rows[i].saved_pages, rows[i].metadata_bytes, &net);

        if (known != rows[i].known || net != (known ? rows[i].net : 12345))
            fail_msg("%s: known %d, %" PRId64, rows[i].when, known, net);
    }
}

#define ON_BOOKS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOOKS(domains_and_others_add_up_to_the_host),
        ON_BOOKS(what_cannot_be_had_is_unknown_and_in_the_remainder),
        ON_BOOKS(a_process_with_zero_pages_and_no_merging_pages_does_not_spoil_the_sum),
        ON_BOOKS(without_domains_everything_is_the_others),
        ON_BOOKS(a_kernel_without_zero_pages_saves_what_is_shared),
        ON_BOOKS(zero_pages_that_are_made_but_not_counted_are_in_no_figure),
        ON_BOOKS(the_pool_of_huge_pages_is_memory_of_the_host),
        ON_BOOKS(without_ksm_nothing_is_known),
        ON_BOOKS(without_the_hosts_figures_no_domain_is_said_to_save_nothing),
        ON_BOOKS(figures_that_moved_are_read_again_as_a_whole),
        ON_BOOKS(domains_that_claim_more_than_the_host_has_are_cut_and_it_says_so),
        cmocka_unit_test(the_net_is_what_is_saved_less_its_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
