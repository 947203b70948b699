/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settings.h - KSM's settings in words
 */
#ifndef AGENT_CLI_SETTINGS_H
#define AGENT_CLI_SETTINGS_H

#include "proto/virtksm.pb-c.h"

/**
 * settings_text() - "merging, 1000 pages every 20 ms, advisor none, smart scan on"
 * @ksm: what is absent in it is left out; may be NULL
 *
 * Source: Documentation/admin-guide/mm/ksm.rst: run 0 stop, 1 merge, 2 unmerge
 * Return: owned by the caller; NULL if there is nothing to say.
 */
char *settings_text(const Virtksm__V1__KsmSettings *ksm);

#endif
