/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conf_keep.h - settings that are read at the start only */
#ifndef AGENT_CONF_KEEP_H
#define AGENT_CONF_KEEP_H

#include "agent/conf.h"

/**
 * conf_keep() - take what is read at the start only from the configuration in force
 * @conf: read again; in force from now on
 * @old:  in force until now; to be freed, as it gets what @conf had
 *
 * What differs is named in the log. So what is shown is what is in force, and another reload names
 * it again.
 */
void conf_keep(Conf *conf, Conf *old);

#endif
