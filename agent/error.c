/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* error.c - the agent's GError domain */
#include "agent/error.h"

G_DEFINE_QUARK(virtksm - agent - error - quark, agent_error)
