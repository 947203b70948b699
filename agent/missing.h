/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * missing.h - which of the host's figures have become unknown, told to who reads the log
 *
 * A file of the kernel that vanishes, fails or holds no number makes a figure unknown, and what is
 * reckoned from it as well. A figure that this kernel never had is missed by nobody.
 */
#ifndef AGENT_MISSING_H
#define AGENT_MISSING_H

#include "policy/sample.h"

/* Figures that are looked at. */
#define MISSING_ROWS 18

/* Embedded. All zero: nothing has been looked at. */
typedef struct {
    uint32_t known; /* figures that the last sample had; a bit for each row of missing.c */
    uint32_t lost;  /* of those that were known once, the ones that were told to be lost */
    uint8_t told[MISSING_ROWS]; /* how often that was told of each */
} Missing;

/** missing_look() - log what is not known any more, and what is known again; a line for each.
 * What comes and goes is told five times, and then that it does. */
void missing_look(Missing *missing, const HostSample *sample);

#endif
