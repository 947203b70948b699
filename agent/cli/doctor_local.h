/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doctor_local.h - what can be seen from here when the daemon could not be asked */
#ifndef AGENT_CLI_DOCTOR_LOCAL_H
#define AGENT_CLI_DOCTOR_LOCAL_H

#include "proto/virtksm.pb-c.h"

#include <glib.h>

/**
 * doctor_local_look() - why a daemon could not be asked
 * @socket: path of the socket where it was asked
 * @reason: how asking has failed, in GRPC_ERROR
 * @text:   the same for people
 *
 * Looks at the socket and its folder, tries it, and looks for a process called virtksmd.
 *
 * Return: a finding of the host, owned by the caller; free it with the functions of protobuf-c.
 */
Virtksm__V1__Finding *doctor_local_look(const char *socket, const GError *reason, const char *text);

#endif
