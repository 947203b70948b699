/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook_running.h - domains that have been running since before the daemon
 */
#ifndef AGENT_SOURCE_HOOK_RUNNING_H
#define AGENT_SOURCE_HOOK_RUNNING_H

#include "agent/source/hook_starts.h"

/**
 * hook_running_tell() - post CREATED for each domain that runs, by libvirt's status files
 *
 * Reads files and looks for processes, on the loop: a fraction of a millisecond for each domain,
 * once. Where the files cannot be read, nothing is told.
 */
void hook_running_tell(Agent *agent, HookStarts *starts);

#endif
