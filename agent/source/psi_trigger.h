/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* psi_trigger.h - to be woken by the kernel when memory is waited for */
#ifndef AGENT_SOURCE_PSI_TRIGGER_H
#define AGENT_SOURCE_PSI_TRIGGER_H

#include <glib.h>
#include <stdbool.h>

typedef enum {
    PSI_SOME, /* some task waits */
    PSI_FULL, /* all tasks that could run wait */
    PSI_KIND_COUNT,
} PsiKind;

/* What is watched. */
typedef struct {
    int dir_fd;       /* borrowed, until the trigger is open */
    const char *path; /* below it: "proc/pressure/memory", or "memory.pressure" of a cgroup */
    PsiKind kind;     /* whose waiting counts */
    guint percent;    /* of a window that may be waited through unnoticed */
} PsiFile;

/* @is_gone: what was watched is no more, and nothing will come; free the trigger. It may be freed
 * in the call in any case. */
typedef void (*PsiFired)(PsiKind kind, bool is_gone, gpointer user);

typedef struct PsiTrigger PsiTrigger;

/**
 * psi_trigger_new() - have the kernel watch a pressure file
 * @file:  copied, as far as it is needed
 * @fired: called on the loop when there has been too much waiting, at most once per window
 * @user:  for @fired
 * @error: G_FILE_ERROR; G_FILE_ERROR_NOENT where there is no such thing to watch: a kernel without
 *         PSI, a cgroup that is gone, a file that is not the kernel's (it is not written to)
 *
 * Asks for a window of one second, and where that is not allowed for one of two.
 *
 * Source: Documentation/accounting/psi.rst, "Monitoring for pressure thresholds": windows of 500 ms
 * to 10 s, without CAP_SYS_RESOURCE multiples of 2 s only; closing the descriptor ends the watch
 * Return: for psi_trigger_free(); NULL with @error set.
 */
PsiTrigger *psi_trigger_new(const PsiFile *file, PsiFired fired, gpointer user, GError **error);

/** psi_trigger_free() - end the watch; NULL is fine */
void psi_trigger_free(PsiTrigger *trigger);

#endif
