/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tenancy_random_test.c - whatever happens to domains, never two groups are scanned, and memory for
 * copies is never given twice
 */
#include "policy/tenancy.h"

#include "test/support/dice.h"
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define N MEMCASE_DOMAINS

/* Something happens to a domain. */
static void
disturb(MemCase *one, Dice *dice, uint64_t *next_key)
{
    DomainSample *domain = &one->domains[dice_below(dice, one->n)];

    switch (dice_below(dice, 12)) {
    case 0: /* restarted, with QEMU's default */
        domain->key = (*next_key)++;
        domain->started_us = one->host.now_us;
        domain->merge_state = MERGE_AS_FOUND;
        domain->is_defined = false;
        memset(&one->tracks[domain - one->domains], 0, sizeof(one->tracks[0]));
        break;
    case 1:
        domain->group = dice_below(dice, 3);
        break;
    case 2:
        domain->merge_wish = (uint32_t)dice_below(dice, MERGE_WISH_COUNT);
        break;
    case 3:
        memcase_available(one, 900 + dice_below(dice, 1000));
        break;
    case 4:
        domain->unshare_pages = dice_below(dice, 2) ? U : dice_below(dice, 300 * MIB / 4096);
        break;
    case 5:
        one->host.starting = (uint32_t)dice_below(dice, 2);
        break;
    default:
        domain->is_defined = true;
    }
}

/* Libvirt and QEMU do what is asked for, in their own time, or not. */
static void
move(MemCase *one, Dice *dice)
{
    for (size_t i = 0; i < one->n; i++) {
        DomainSample *domain = &one->domains[i];
        const DomainPlan *part = &one->plans[i];

        if (!part->merge_apply || dice_below(dice, 3) == 0)
            continue;
        if (part->merge == MERGING_ON)
            domain->merge_state = MERGE_AS_FOUND;
        else if (domain->merge_state == MERGE_MOVING)
            domain->merge_state = dice_below(dice, 8) == 0 ? MERGE_STUCK : MERGE_OFF;
        else if (domain->merge_state != MERGE_OFF)
            domain->merge_state = MERGE_MOVING;
    }
}

/* All that could merge now is of one group, and wants to. */
static void
check_scanning(const MemCase *one, unsigned step)
{
    uint64_t group = 0;

    if (one->plan.ksm.knobs.run != KSM_RUN_MERGE)
        return;
    for (size_t i = 0; i < one->n; i++) {
        const DomainSample *domain = &one->domains[i];
        uint64_t its = domain->group ? domain->group : 1000 + domain->key;

        if (domain->merge_state == MERGE_OFF)
            continue;
        if (!domain->is_defined || domain->merge_wish == MERGE_WISH_NO || one->host.starting > 0)
            fail_msg("step %u: scanned, and domain %zu is not decided", step, i);
        if (group != 0 && group != its)
            fail_msg("step %u: two groups are scanned", step);
        group = its;
    }
}

static void
check_memory(const MemCase *one, unsigned step)
{
    uint64_t asked = 0;

    for (size_t i = 0; i < one->n; i++)
        if (one->plans[i].merge_apply && one->plans[i].merge == MERGING_OFF &&
            one->domains[i].merge_state != MERGE_MOVING)
            asked += tenancy_need_bytes(&one->host, &one->domains[i]);
    if (asked > tenancy_headroom_bytes(&one->conf, &one->host))
        fail_msg("step %u: copies of %" PRIu64 " bytes were asked for", step, asked);
}

static void
two_groups_are_never_scanned_and_memory_is_kept(void **unused)
{
    Dice dice = dice_new();
    uint64_t next_key = 100;
    uint64_t scanned = 0;
    MemCase one;
    (void)unused;

    memcase_init_tenancy(&one, N);
    one.conf.tenancy_rule = TENANCY_SAME_GROUP;
    for (unsigned step = 0; step < 20000; step++) {
        if (dice_below(&dice, 4) == 0)
            disturb(&one, &dice, &next_key);
        memcase_after(&one, S);
        check_scanning(&one, step);
        check_memory(&one, step);
        scanned += one.plan.ksm.knobs.run == KSM_RUN_MERGE;
        move(&one, &dice);
        for (size_t i = 0; i < N; i++) /* it is tried again */
            if (one.domains[i].merge_state == MERGE_STUCK && dice_below(&dice, 4) == 0)
                one.domains[i].merge_state = MERGE_MOVING;
    }
    assert_true(scanned > 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_groups_are_never_scanned_and_memory_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
