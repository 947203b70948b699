/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_figures.h - libvirt's figures, put into the table of domains */
#ifndef AGENT_SOURCE_LIBVIRT_FIGURES_H
#define AGENT_SOURCE_LIBVIRT_FIGURES_H

#include "agent/domain.h"

#include <glib.h>

/**
 * libvirt_figures_take() - what libvirt knows of all running domains
 * @domains: those that it has are brought up to date
 * @stats:   of VirtStats; domains that are not in the table are passed over
 */
void libvirt_figures_take(const DomainTable *domains, const GArray *stats);

#endif
