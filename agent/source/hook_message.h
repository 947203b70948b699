/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook_message.h - a datagram of virtksm-hook, read without trust
 */
#ifndef AGENT_SOURCE_HOOK_MESSAGE_H
#define AGENT_SOURCE_HOOK_MESSAGE_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* As large as virtksm-hook makes them (hooks/call.h), and no larger. */
#define HOOK_DATAGRAM_MAX_BYTES ((size_t)128 * 1024 + 4096)

/* What libvirt calls its hook for. */
typedef enum {
    HOOK_PREPARE,   /* before anything is done for a start */
    HOOK_START,     /* right before QEMU is run */
    HOOK_STARTED,   /* QEMU runs */
    HOOK_STOPPED,   /* QEMU has ended */
    HOOK_RELEASE,   /* all that belonged to it is put away */
    HOOK_MIGRATE,   /* before prepare: it will arrive from another host */
    HOOK_RESTORE,   /* before prepare: it will be read from a file */
    HOOK_RECONNECT, /* libvirtd has been restarted and found it running */
    HOOK_ATTACH,    /* libvirtd has taken over a QEMU that somebody else has started */
    HOOK_OTHER,     /* of a later libvirt */
    HOOK_OPERATION_COUNT,
} HookOperation;

/* What there is to say against a datagram. */
typedef enum {
    HOOK_FINE,
    HOOK_STRANGER,       /* neither from root nor from our own user */
    HOOK_TOO_LARGE,      /* larger than virtksm-hook makes them */
    HOOK_NOT_A_MESSAGE,  /* protobuf refuses it */
    HOOK_NO_OPERATION,   /* does not say what happens */
    HOOK_NO_NAME,        /* does not say to whom, or not in UTF-8 */
    HOOK_NO_UUID,        /* likewise: nothing can be told apart then */
    HOOK_NOT_UNDERSTOOD, /* an operation of a later libvirt */
    HOOK_BAD_DEFINITION, /* not understood, or of another domain; the event counts all the same */
    HOOK_FAULT_COUNT,
} HookFault;

/* What a datagram says. All zero says nothing. */
typedef struct {
    HookOperation operation;
    char *name;        /* owned; UTF-8, not empty */
    char *uuid;        /* owned; 8-4-4-4-12, lower case */
    char *extra;       /* owned; the reason that some operations have, printable; NULL: none */
    int id;            /* libvirt's number of the start; DOMAIN_ID_UNKNOWN */
    char *xml;         /* owned; the definition, not looked at yet, no NUL behind it; NULL: none */
    size_t xml_length; /* bytes */
} HookMessage;

/** hook_operation_name() - "prepare", as libvirt calls it; "other" */
const char *hook_operation_name(HookOperation operation);

/** hook_fault_text() - what is wrong, as the end of a sentence about a datagram */
const char *hook_fault_text(HookFault fault);

/**
 * hook_message_read() - understand a datagram
 * @data:        HookCall of proto/hook.proto
 * @length:      bytes
 * @ret_message: filled for HOOK_FINE alone; hook_message_clear() it
 *
 * Takes memory in proportion to the datagram, a few times its size at most.
 *
 * Return: HOOK_FINE, or what is wrong.
 */
HookFault hook_message_read(const uint8_t *data, size_t length, HookMessage *ret_message);

/** hook_message_clear() - free what a message owns and make it say nothing */
void hook_message_clear(HookMessage *message);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HookMessage, hook_message_clear)

#endif
