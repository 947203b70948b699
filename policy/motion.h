/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* motion.h - where balloons are on their way to, and whether they get there */
#ifndef POLICY_MOTION_H
#define POLICY_MOTION_H

#include "policy/policy.h"

/* Seconds from a host that is short to memory from a balloon: guests tell, a step, the way. What
 * comes later is no help. */
#define MOTION_ANSWER_S 10

/**
 * motion_ask() - a step has been asked for
 * @now_us: CLOCK_MONOTONIC
 * @bytes:  where its balloon is to go; where it is: nowhere
 * @track:  changed
 */
void motion_ask(uint64_t now_us, const DomainSample *domain, uint64_t bytes, DomainTrack *track);

/** motion_withdraw() - what was asked for is not to be done, and was not done */
void motion_withdraw(const DomainSample *domain, BalloonTrack *balloon);

/**
 * motion_coming() - what the host will get soon of what its balloon has been asked for
 *
 * What a stuck balloon owes is not counted upon, nor what a slow one will bring only later, nor
 * memory that the guest has never touched.
 * Return: bytes.
 */
uint64_t motion_coming(const DomainSample *domain, const DomainTrack *track);

/** motion_slowness() - how many times as long as usual a balloon takes; 1: it is fast, or it is not
 * known how fast */
uint64_t motion_slowness(const DomainSample *domain, const BalloonTrack *balloon);

/** motion_end_bytes() - what the guest will have when all that it was promised has come */
uint64_t motion_end_bytes(const DomainSample *domain, const DomainTrack *track);

/** motion_forget() - a balloon that is not ours to move: what was asked and promised is void */
void motion_forget(BalloonTrack *balloon);

#endif
