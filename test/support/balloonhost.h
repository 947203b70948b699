/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* balloonhost.h - a Balloon on a HoldHost; add balloonhost.c to what holdhost.h asks for */
#ifndef TEST_SUPPORT_BALLOONHOST_H
#define TEST_SUPPORT_BALLOONHOST_H

#include "agent/actuator/balloon.h"
#include "test/support/holdhost.h"

/** balloonhost_start() - begin a run, with balloons switched on */
void balloonhost_start(HoldHost *host, Balloon *balloon);

/** balloonhost_restart() - as a killed agent leaves things, and another finds them */
void balloonhost_restart(HoldHost *host, Balloon *balloon);

/** balloonhost_apply() - a decision; it must not fail */
ApplyResult balloonhost_apply(HoldHost *host, Balloon *balloon);

/** balloonhost_want() - a decision that wants a balloon of the first domain */
void balloonhost_want(HoldHost *host, Balloon *balloon, uint64_t bytes);

/**
 * balloonhost_start_asked() - the first domain has been asked for 500 MiB, and has not moved yet
 * @found: what its balloon is, bytes
 */
void balloonhost_start_asked(HoldHost *host, Balloon *balloon, uint64_t found);

/** balloonhost_start_with_half() - the first domain has a balloon of 500 MiB that we have set */
void balloonhost_start_with_half(HoldHost *host, Balloon *balloon);

/** balloonhost_forget() - end a run, and leave nothing of the first domain to the next one */
void balloonhost_forget(HoldHost *host, Balloon *balloon);

/** balloonhost_hold() - what is known of the first domain; NULL: nothing */
const Hold *balloonhost_hold(HoldHost *host, Balloon *balloon);

#endif
