/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* balloonhost.c - a Balloon on a HoldHost */
#define _GNU_SOURCE
#include "test/support/balloonhost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

void
balloonhost_start(HoldHost *host, Balloon *balloon)
{
    static const BalloonOptions options = { true, 2500 };

    balloon_init(balloon, &host->originals, &host->changer);
    balloon_set_options(balloon, &options);
}

void
balloonhost_restart(HoldHost *host, Balloon *balloon)
{
    balloon_done(balloon);
    holdhost_reopen(host);
    balloonhost_start(host, balloon);
}

ApplyResult
balloonhost_apply(HoldHost *host, Balloon *balloon)
{
    g_autoptr(GError) error = NULL;
    ApplyResult result = balloon_apply(balloon, &host->decided, &error);

    if (error)
        fail_msg("%s", error->message);
    return result;
}

void
balloonhost_want(HoldHost *host, Balloon *balloon, uint64_t bytes)
{
    host->plans[0].balloon_bytes = bytes;
    host->plans[0].balloon_apply = true;
    balloonhost_apply(host, balloon);
}

void
balloonhost_start_asked(HoldHost *host, Balloon *balloon, uint64_t found)
{
    host->samples[0].balloon_bytes = found;
    balloonhost_start(host, balloon);
    balloonhost_want(host, balloon, 500 * MIB);
    holdhost_answer(host, 500 * MIB, CHANGE_DONE, found);
}

void
balloonhost_start_with_half(HoldHost *host, Balloon *balloon)
{
    balloonhost_start_asked(host, balloon, 1000 * MIB);
    host->samples[0].balloon_bytes = 500 * MIB;
    balloonhost_apply(host, balloon);
    assert_int_equal(host->asked->len, 0);
}

void
balloonhost_forget(HoldHost *host, Balloon *balloon)
{
    Hold *hold = hold_find(&balloon->holds, host->subjects[0].uuid);

    assert_non_null(hold);
    hold_remove(&balloon->holds, hold);
    assert_true(originals_save(&host->originals, NULL));
    balloon_done(balloon);
}

const Hold *
balloonhost_hold(HoldHost *host, Balloon *balloon)
{
    return hold_find(&balloon->holds, host->subjects[0].uuid);
}
