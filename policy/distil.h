/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* distil.h - domains that do not pay are left out of scanning for a while */
#ifndef POLICY_DISTIL_H
#define POLICY_DISTIL_H

#include "policy/policy.h"

/**
 * distil_is_parked() - whether a domain that may be merged is better left out now
 * @domain: by the rule of tenancy it may be merged
 * @track:  what is remembered of it changes
 *
 * Return: false as well where it cannot be told.
 */
bool distil_is_parked(const PolicyConf *conf, const HostSample *host, const DomainSample *domain,
                      DomainTrack *track);

#endif
