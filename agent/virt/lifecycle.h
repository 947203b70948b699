/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lifecycle.h - what libvirt's lifecycle events mean for memory */
#ifndef AGENT_VIRT_LIFECYCLE_H
#define AGENT_VIRT_LIFECYCLE_H

#include <stdbool.h>

typedef enum {
    LIFECYCLE_IGNORED, /* says nothing about a running domain: defined, undefined */
    LIFECYCLE_STARTED,
    LIFECYCLE_SUSPENDED,
    LIFECYCLE_RESUMED,
    LIFECYCLE_CHANGED, /* goes on running, in trouble or asleep */
    LIFECYCLE_ENDING,  /* the guest is shutting down */
    LIFECYCLE_ENDED,   /* its QEMU is gone */
    LIFECYCLE_KIND_COUNT,
} LifecycleKind;

typedef struct {
    LifecycleKind kind;
    bool scan;          /* memory that KSM has not seen comes with it */
    const char *word;   /* static: "started" */
    const char *detail; /* static: "restored"; "" where it adds nothing */
    bool failed;        /* it has ended, and nobody has asked it to */
} Lifecycle;

/**
 * virt_lifecycle() - read a lifecycle event
 * @event:  virDomainEventType
 * @detail: the detail type that belongs to @event
 *
 * Numbers that this libvirt does not know are ignored, or have no detail.
 *
 * Source: libvirt's API reference, virDomainEventType and the enums of its details.
 */
Lifecycle virt_lifecycle(int event, int detail);

#endif
