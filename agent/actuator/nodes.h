/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nodes.h - writing merge_across_nodes, which only works while nothing is merged
 */
#ifndef AGENT_ACTUATOR_NODES_H
#define AGENT_ACTUATOR_NODES_H

#include "agent/actuator/ksm.h"

typedef struct {
    /* private: use the functions below */
    int root_fd;            /* borrowed; what sys/ and proc/ are below */
    Originals *originals;   /* borrowed; shared by all actuators */
    const KsmActuator *ksm; /* borrowed; says whether KSM may be written */
} Nodes;

/**
 * nodes_init() - nothing written yet; what a killed run was in the middle of is ended
 * @nodes:     overwritten
 * @root_fd:   "/" or a test's fake root (borrowed; must outlive @nodes)
 * @originals: after originals_claim() (borrowed; must outlive @nodes)
 * @ksm:       borrowed; must outlive @nodes; not open yet, which looks at what is in force
 */
void nodes_init(Nodes *nodes, int root_fd, Originals *originals, const KsmActuator *ksm);

/**
 * nodes_restore() - put back what was found, where that is possible
 * @root_fd:   as for nodes_init()
 * @originals: prepared
 * @ret_note:  what stays and why (the caller frees it); NULL: nothing does
 * @error:     it could not be written, or the record cannot be kept; it keeps the value
 *
 * While pages are merged it stays as it is, and on record: nobody is parted for it.
 */
bool nodes_restore(int root_fd, Originals *originals, char **ret_note, GError **error);

/* Its row in actuators[]; the context is a Nodes. */
extern const Actuator nodes_actuator;

#endif
