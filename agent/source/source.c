/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* source.c - the list of sources */
#include "agent/source/source.h"

static const Source *const sources[] = {
    &libvirt_source, &grpc_source, &hook_source, &directory_source, &psi_source, &vmpressure_source,
};

static const char *const state_names[] = {
    [SOURCE_OPEN] = "open",
    [SOURCE_CLOSED] = "closed",
    [SOURCE_WAITING] = "waiting",
};
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == SOURCE_STATE_COUNT);

const Source *const *
source_list(size_t *ret_n)
{
    *ret_n = G_N_ELEMENTS(sources);
    return sources;
}

const char *
source_state_name(SourceState state)
{
    return (unsigned)state < SOURCE_STATE_COUNT ? state_names[state] : "unknown";
}
