/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virt.c - the one place where libvirt's errors become ours */
#include "agent/virt/virt.h"
#include "agent/error.h"

#include <stdbool.h>

void
virt_set_error(GError **error, const char *what)
{
    virErrorPtr last = virGetLastError();
    bool gone = last && last->code == VIR_ERR_NO_DOMAIN;

    g_set_error(error, AGENT_ERROR, gone ? AGENT_ERROR_GONE : AGENT_ERROR_VIRT, "%s: %s", what,
                last && last->message ? last->message : "libvirt gave no reason");
}
