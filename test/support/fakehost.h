/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fakehost.h - fabricated kernel files of a host with KSM
 *
 * Add ${CMAKE_SOURCE_DIR}/test/support/fakehost.c and fakeroot.c to the SOURCES of the test.
 */
#ifndef TEST_SUPPORT_FAKEHOST_H
#define TEST_SUPPORT_FAKEHOST_H

#include "test/support/fakeroot.h"

/* The process that fakehost_add_qemu() adds. */
#define FAKEHOST_QEMU_PID  42
#define FAKEHOST_QEMU_UUID "c7a5fdbd-edaf-9455-926a-d65c16db1809"

/* A ksm_stat of a process that has 2000 pages merged. */
#define FAKEHOST_KSM_STAT                                                                          \
    "ksm_rmap_items 4000\nksm_zero_pages 10\nksm_merging_pages 2000\nksm_process_profit 8000000"

typedef enum {
    FAKEHOST_LINUX_5_10, /* and 6.1, which differ only in the files of a process */
    FAKEHOST_LINUX_6_18, /* with the advisor on, and a negative profit */
} FakeHostKernel;

/**
 * fakehost_new() - a tree with KSM, memory, processors and ksmd; each figure has its own value
 * @kernel: which files there are
 *
 * Return: for fakeroot_free().
 */
FakeRoot *fakehost_new(FakeHostKernel kernel);

/**
 * fakehost_add_qemu() - a QEMU process as libvirt starts it, without files of KSM
 * @root: gets proc/42; its name, "qemu) S 1 (x", looks like fields of its stat line
 *
 * 5000 pages are resident, 1000 of them shared. Its two threads have waited 3000 and 4000 us.
 */
void fakehost_add_qemu(FakeRoot *root);

/**
 * fakehost_uuid() - of one of many domains
 *
 * Return: owned by the caller.
 */
char *fakehost_uuid(int number);

/**
 * fakehost_add_process() - the process of one of many domains
 * @pid:      it has proc/PID
 * @uuid:     of the domain, on its command line
 * @ksm_stat: what that file says, without its last newline; NULL: there is none
 *
 * 5000 pages are resident, 1000 of them shared.
 */
void fakehost_add_process(FakeRoot *root, int pid, const char *uuid, const char *ksm_stat);

#endif
