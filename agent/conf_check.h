/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conf_check.h - what is wrong with settings that are right one by one */
#ifndef AGENT_CONF_CHECK_H
#define AGENT_CONF_CHECK_H

#include "agent/conf.h"

/**
 * conf_check_together() - settings that have to fit each other
 * @error: AGENT_ERROR_CONF naming file, line, section, key, value and what was expected
 *
 * Return: whether they do.
 */
bool conf_check_together(const Conf *conf, GError **error);

#endif
