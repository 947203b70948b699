/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_html_parts_test.c - every byte of a domain is in one part */
#include "agent/cli/html_parts.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PAGE 4096
#define MIB  UINT64_C(1048576)

/* 1000 MiB defined: 300 ballooned, 100 swapped, 150 never touched, 10 zero pages' worth merged. */
static Virtksm__V1__DomainReport
make_domain(void)
{
    Virtksm__V1__DomainReport domain = VIRTKSM__V1__DOMAIN_REPORT__INIT;

    domain.has_maximum_bytes = domain.has_resident_bytes = domain.has_saved_pages = true;
    domain.has_ksm_zero_pages = domain.has_ballooned_bytes = domain.has_swapped_bytes = true;
    domain.has_untouched_bytes = true;
    domain.maximum_bytes = 1000 * MIB;
    domain.ballooned_bytes = 300 * MIB;
    domain.swapped_bytes = 100 * MIB;
    domain.untouched_bytes = 150 * MIB;
    domain.ksm_zero_pages = 10 * MIB / PAGE;
    domain.resident_bytes = 440 * MIB;
    domain.saved_pages = 50 * MIB / PAGE;
    return domain;
}

static Parts
parts_of_domain(const Virtksm__V1__DomainReport *domain)
{
    Virtksm__V1__ReportResponse report = VIRTKSM__V1__REPORT_RESPONSE__INIT;

    report.has_page_size = true;
    report.page_size = PAGE;
    return parts_of(&report, domain);
}

static void
the_parts_add_up_to_what_was_defined(void **unused)
{
    static const uint64_t want[PART_COUNT] = {
        [PART_HELD] = 400 * MIB,      [PART_SAVED] = 50 * MIB,      [PART_SWAPPED] = 100 * MIB,
        [PART_BALLOONED] = 300 * MIB, [PART_UNTOUCHED] = 150 * MIB,
    };
    Virtksm__V1__DomainReport domain = make_domain();
    Parts parts = parts_of_domain(&domain);

    (void)unused;
    assert_memory_equal(parts.bytes, want, sizeof(want));
    assert_int_equal(parts.incomplete, 0);
    assert_true(parts_total(&parts) == 1000 * MIB);
}

static void
zero_pages_are_not_in_the_resident_set(void **unused)
{
    Virtksm__V1__DomainReport domain = make_domain();
    Parts parts;

    (void)unused;
    domain.has_ksm_zero_pages = false;
    domain.ksm_zero_pages = 0;
    parts = parts_of_domain(&domain);
    assert_true(parts.bytes[PART_HELD] == 390 * MIB);
    assert_true(parts.bytes[PART_SAVED] == 50 * MIB);
}

static void
what_is_missing_is_of_the_defined_memory(void **unused)
{
    Virtksm__V1__DomainReport domain = make_domain();
    Parts parts;

    (void)unused;
    domain.has_swapped_bytes = domain.has_untouched_bytes = false;
    parts = parts_of_domain(&domain);
    assert_true(parts.bytes[PART_SWAPPED] == 0);
    assert_int_equal(parts.known[PART_SWAPPED], 0);
    assert_int_equal(parts.known[PART_BALLOONED], 1);
    assert_true(parts.bytes[PART_UNKNOWN] == 250 * MIB);
    assert_int_equal(parts.incomplete, 1);
    assert_true(parts_total(&parts) == 1000 * MIB);
}

static void
a_domain_of_which_nothing_is_known_has_no_size(void **unused)
{
    Virtksm__V1__DomainReport domain = VIRTKSM__V1__DOMAIN_REPORT__INIT;
    Parts parts = parts_of_domain(&domain);

    (void)unused;
    assert_true(parts_total(&parts) == 0);
    assert_int_equal(parts.incomplete, 1);
}

static void
figures_beyond_all_reason_do_no_harm(void **unused)
{
    Virtksm__V1__DomainReport domain = make_domain();
    Parts parts;
    Parts sum;

    (void)unused;
    domain.saved_pages = UINT64_MAX;
    domain.swapped_bytes = UINT64_MAX;
    parts = parts_of_domain(&domain);
    assert_true(parts.bytes[PART_HELD] == 0);
    assert_true(parts_total(&parts) == UINT64_MAX);
    sum = parts;
    parts_add(&sum, &parts);
    assert_true(sum.bytes[PART_SWAPPED] == UINT64_MAX);
    assert_true(sum.bytes[PART_BALLOONED] == 600 * MIB);
}

static void
every_part_has_words_of_its_own(void **unused)
{
    (void)unused;
    for (int a = 0; a < PART_COUNT; a++) {
        assert_true(strlen(part_meaning((Part)a)) > 10);
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(part_name((Part)a), part_name((Part)b));
            assert_string_not_equal(part_class((Part)a), part_class((Part)b));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parts_add_up_to_what_was_defined),
        cmocka_unit_test(zero_pages_are_not_in_the_resident_set),
        cmocka_unit_test(what_is_missing_is_of_the_defined_memory),
        cmocka_unit_test(a_domain_of_which_nothing_is_known_has_no_size),
        cmocka_unit_test(figures_beyond_all_reason_do_no_harm),
        cmocka_unit_test(every_part_has_words_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
