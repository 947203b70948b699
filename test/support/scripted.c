/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scripted.c - virtksmd with a policy that a test writes
 *
 * Linked into the daemon in front of policy_decide(), which still decides on KSM. What is done to
 * domains is read at each decision from the file that VIRTKSM_SCRIPT names, with a line for each
 * domain by name: what is to be done to its balloon and limit, in MiB, for how many milliseconds
 * the limit is to hold, what is to be reclaimed, and the limit in force, which a fabricated host
 * cannot know.
 *
 *     <balloon or -> <limit, none or -> <lease> <reclaim> <in force or none>
 *
 * A line may have the settings of KSM, in the place of those that policy wants:
 *
 *     ksm <run> <pages_to_scan> <sleep_millisecs>
 */
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

void __real_policy_decide(const PolicyConf *conf, const Sample *sample, PolicyState *state,
                          Plan *plan);
void __wrap_policy_decide(const PolicyConf *conf, const Sample *sample, PolicyState *state,
                          Plan *plan);

static uint64_t
size_of(const char *word)
{
    if (strcmp(word, "-") == 0)
        return VALUE_UNKNOWN;
    return strcmp(word, "none") == 0 ? LIMIT_NONE : strtoull(word, NULL, 10) * MIB;
}

/* A domain that may be moved, as far as nothing says otherwise. */
static void
make_movable(DomainSample *sample, const char *in_force)
{
    sample->can_limit = true;
    sample->can_reclaim = true;
    sample->cgroup_bytes = sample->maximum_bytes;
    sample->limit_bytes = size_of(in_force);
    sample->balloon_mode = MECHANISM_INHERIT;
    sample->high_mode = MECHANISM_INHERIT;
}

static void
play_line(const char *line, DomainSample *sample, uint64_t now_us, DomainPlan *plan)
{
    char balloon[32];
    char limit[32];
    char lease[32];
    char reclaim[32];
    char in_force[32];
    uint64_t lease_ms;

    if (sscanf(line, "%31s %31s %31s %31s %31s", balloon, limit, lease, reclaim, in_force) != 5)
        abort();
    lease_ms = strtoull(lease, NULL, 10);
    make_movable(sample, in_force);
    plan->balloon_bytes = size_of(balloon);
    plan->balloon_apply = true;
    plan->limit_bytes = size_of(limit);
    plan->lease_us = lease_ms > 0 ? now_us + lease_ms * 1000 : 0;
    plan->reclaim_bytes = strtoull(reclaim, NULL, 10) * MIB;
    plan->high_apply = true;
}

/* Return: whether it is a line about KSM. */
static bool
play_ksm(const char *line, KsmKnobs *knobs)
{
    char run[32];
    char pages[32];
    char sleep[32];

    if (sscanf(line, "ksm %31s %31s %31s", run, pages, sleep) != 3)
        return false;
    knobs->run = strtoull(run, NULL, 10);
    knobs->pages_to_scan = strtoull(pages, NULL, 10);
    knobs->sleep_ms = strtoull(sleep, NULL, 10);
    return true;
}

void
__wrap_policy_decide(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    const char *path = getenv("VIRTKSM_SCRIPT");
    FILE *script = path ? fopen(path, "r") : NULL;
    char line[256];

    __real_policy_decide(conf, sample, state, plan);
    plan->next_tick_us = 50000;
    for (size_t i = 0; script && fgets(line, sizeof(line), script); i++)
        if (!play_ksm(line, &plan->ksm.knobs) && i < sample->n)
            play_line(line, (DomainSample *)(uintptr_t)&sample->domains[i], sample->host.now_us,
                      &plan->domains[i]);
    if (script)
        fclose(script);
}
