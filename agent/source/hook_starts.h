/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook_starts.h - from what the hook says to events, one start after the other
 */
#ifndef AGENT_SOURCE_HOOK_STARTS_H
#define AGENT_SOURCE_HOOK_STARTS_H

#include "agent/source/hook_message.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Agent Agent;

/* The starts that the hook has told of and whose end it has not. */
typedef struct {
    GHashTable *by_uuid; /* owned; uuid -> HookStart (hook_starts.c) */
} HookStarts;

/** hook_starts_init() - none yet; hook_starts_done() it */
void hook_starts_init(HookStarts *starts);

/** hook_starts_done() - forget them; leaves @starts reusable */
void hook_starts_done(HookStarts *starts);

/**
 * hook_starts_tell() - post the event that a message is about
 * @message: as hook_message_read() made it
 *
 * The definition, where there is one, becomes the domain's unless libvirt has given it already.
 * It is parsed here, on the loop: the usual 5 KiB take 50 microseconds, the most that a datagram
 * has 1.3 milliseconds (measured), and the event has moved KSM before.
 *
 * Return: HOOK_FINE, or HOOK_BAD_DEFINITION; the event is posted in any case.
 */
HookFault hook_starts_tell(Agent *agent, HookStarts *starts, const HookMessage *message);

/**
 * hook_starts_coming() - starts that are announced, and whose domain is not known yet
 *
 * Not for ever: a start that failed is told as an end, but a datagram can be lost.
 */
uint32_t hook_starts_coming(const Agent *agent, const HookStarts *starts);

/**
 * hook_starts_check() - hold what the hook has said against the processes there are
 *
 * A datagram that was lost must not leave a domain in the table for ever, nor keep one out of it:
 * a start whose QEMU was seen and is gone has ended, one whose QEMU is found has begun.
 */
void hook_starts_check(Agent *agent, HookStarts *starts);

#endif
