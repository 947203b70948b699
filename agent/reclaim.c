/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reclaim.c - the actuators that change domains, and what they need of the agent
 *
 * They change domains over the connection of the source libvirt, in its worker. In mode observe
 * they are as good as switched off: what they had changed goes back, and nothing is written.
 */
#include "agent/reclaim.h"

#include "agent/agent.h"
#include "agent/source/source.h"
#include "policy/arith.h"
#include "policy/tenancy.h"

/* This program, whatever has become of its file. */
#define SELF "/proc/self/exe"

/* A balloon that moves shows another size within this. */
#define STANDS_US 1000000

static bool
ask_libvirt(gpointer user, const Change *change, ChangeDone done, gpointer done_user)
{
    const Agent *agent = user;

    return change_ask(libvirt_source_conn(agent->libvirt), change, done, done_user);
}

void
reclaim_open(Agent *agent)
{
    const Changer changer = { ask_libvirt, agent };
    const char *const guard_run[] = { SELF,
                                      "virtksmd",
                                      "--guard",
                                      "--root",
                                      agent->options.root,
                                      "--state-dir",
                                      agent->options.state_dir,
                                      "--connect",
                                      agent->conf->uri,
                                      NULL };
    const MemoryHighNeeds needs = { agent->root_fd, &agent->originals, changer, guard_run };

    merge_init(&agent->merge, &agent->originals, &changer);
    memory_high_init(&agent->memory_high, &needs);
    balloon_init(&agent->balloon, &agent->originals, &changer);
    stats_period_init(&agent->stats_period, &agent->originals, &changer);
    agent->contexts[ACTUATOR_MERGE] = &agent->merge;
    agent->contexts[ACTUATOR_MEMORY_HIGH] = &agent->memory_high;
    agent->contexts[ACTUATOR_BALLOON] = &agent->balloon;
    agent->contexts[ACTUATOR_STATS_PERIOD] = &agent->stats_period;
    reclaim_adopt(agent);
}

void
reclaim_adopt(Agent *agent)
{
    const PolicyConf *conf = &agent->conf->policy;
    const BalloonOptions balloon = { policy_conf_enable(conf, conf->balloon_enable) == ENABLE_YES,
                                     conf->balloon_floor_bp };
    const MemoryHighOptions high = { policy_conf_enable(conf, conf->high_enable) == ENABLE_YES,
                                     conf->balloon_floor_bp };
    bool adopts = agent->conf->on_foreign == FOREIGN_ADOPT;

    agent->balloon.holds.adopts = agent->memory_high.holds.adopts = adopts;
    merge_set_on(&agent->merge, tenancy_is_enforced(conf), ksm_mode_drives((KsmMode)conf->mode));
    balloon_set_options(&agent->balloon, &balloon);
    memory_high_set_options(&agent->memory_high, &high);
    stats_period_set_on(&agent->stats_period, balloon.is_on || high.is_on);
}

void
reclaim_close(Agent *agent)
{
    merge_done(&agent->merge);
    balloon_done(&agent->balloon);
    memory_high_done(&agent->memory_high);
    stats_period_done(&agent->stats_period);
}

/* Records, or with a kernel that does not count them, merged pages. */
static uint64_t
ksm_pages_of(const ProcessSample *sample)
{
    return sample->ksm_access == PROCFILE_ABSENT ? sample->merging_pages : sample->rmap_items;
}

Subject
reclaim_subject(const Domain *domain)
{
    return (Subject){
        .uuid = domain->uuid,
        .name = domain->name,
        .id = domain->is_libvirts ? domain->id : DOMAIN_ID_UNKNOWN,
        .process = domain->has_process ? &domain->process : NULL,
        .ksm_pages = ksm_pages_of(&domain->sample),
        .told_us = domain->stats_us,
        .maximum_bytes = known_or(domain->maximum_bytes, 0),
        .rebooted_us = domain->rebooted_us,
        .has_driver =
            is_known(domain->guest_stats_s) && domain->guest_stats_s > domain->rebooted_s + 1,
        .backends = domain->has_xml ? domain->xml.backends : NULL,
        .n_backends = domain->has_xml ? domain->xml.n_backends : 0,
        .deflates = domain->has_xml && domain->xml.balloon_autodeflate,
    };
}

uint64_t
reclaim_stats_period_s(const Agent *agent, const Domain *domain)
{
    return stats_period_in_force(&agent->stats_period, domain->uuid,
                                 domain->has_xml ? domain->xml.stats_period_s : 0);
}

/* Where a balloon is on its way that policy has not sent there, nobody can tell: a run before this
 * one has given it back perhaps. Until it stands, its size says neither what was found nor what the
 * domain is going to have. */
static bool
is_on_others_way(const Agent *agent, const Domain *domain, const Hold *hold)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();

    if (!policy_conf_reclaims(&agent->conf->policy))
        return false; /* nobody is going to move it */
    return hold_goes_back(hold, domain->balloon_bytes) ||
           (!hold_is_driven(hold) && sat_sub(now_us, domain->balloon_us) < STANDS_US);
}

void
reclaim_fill(const Agent *agent, const Domain *domain, DomainSample *sample)
{
    const Hold *hold = hold_find(&agent->balloon.holds, domain->uuid);

    if (is_on_others_way(agent, domain, hold))
        sample->balloon_bytes = VALUE_UNKNOWN;
    if (hold_is_driven(hold))
        sample->found_bytes = hold->known.found_bytes;
    sample->balloon_foreign = domain->balloon_foreign;
    sample->limit_foreign = domain->limit_foreign;
    sample->balloon_waits = hold_waits(hold);
    sample->balloon_refuses = hold_is_refused(hold);
    sample->guest_period_us = G_USEC_PER_SEC * reclaim_stats_period_s(agent, domain);
}

/* Policy has to see the mark once, to forget what it had asked for. */
static void
note_one(HoldTable *holds, const char *uuid, bool *mark)
{
    Hold *hold = hold_find(holds, uuid);

    if (hold && hold->is_told && (!*mark || holds->adopts))
        hold_forget_foreign(holds, uuid);
    hold = hold_find(holds, uuid);
    *mark = hold && hold->state == HOLD_FOREIGN;
    if (hold)
        hold->is_told = *mark;
}

/* libvirt tells nobody of a new period: without reading the definition again, one that was read
 * before our change would be taken for what somebody else has set since. */
static void
note_period(Agent *agent, Domain *domain)
{
    const Hold *hold = hold_find(&agent->stats_period.holds, domain->uuid);

    if (hold && hold->changed_us > domain->redefined_us &&
        libvirt_source_define(agent->libvirt, domain->uuid))
        domain->redefined_us = hold->changed_us;
}

void
reclaim_note(Agent *agent, const GPtrArray *domains)
{
    for (guint i = 0; i < domains->len; i++) {
        Domain *domain = g_ptr_array_index(domains, i);

        note_one(&agent->balloon.holds, domain->uuid, &domain->balloon_foreign);
        note_one(&agent->memory_high.holds, domain->uuid, &domain->limit_foreign);
        note_period(agent, domain);
    }
}

static bool
restore_table(HoldTable *holds, const char *uri, GString *note, GError **error)
{
    g_autofree char *said = NULL;
    guint n;

    if (!hold_table_restore_now(holds, uri, &n, &said, error))
        return false;
    if (n > 0)
        g_string_append_printf(note, "%s of %u domains: as found\n", holds->noun, n);
    if (said)
        g_string_append_printf(note, "%s\n", said);
    return true;
}

bool
reclaim_restore_now(const HighGuarded *guarded, Originals *originals, char **ret_note,
                    GError **error)
{
    const Changer nobody = { ask_libvirt, NULL };
    g_autoptr(GString) note = g_string_new(NULL);
    HoldTable limits;
    StatsPeriod period;
    Balloon balloon;
    Merge merge;
    bool ok;

    memory_high_init_holds(&limits, originals, guarded->root_fd);
    hold_table_load(&limits);
    balloon_init(&balloon, originals, &nobody);
    ok = restore_table(&limits, guarded->uri, note, error);
    stats_period_init(&period, originals, &nobody);
    ok = restore_table(&balloon.holds, guarded->uri, note, ok ? error : NULL) && ok;
    merge_init(&merge, originals, &nobody);
    ok = restore_table(&merge.holds, guarded->uri, note, ok ? error : NULL) && ok;
    merge_done(&merge);
    ok = restore_table(&period.holds, guarded->uri, note, ok ? error : NULL) && ok;
    stats_period_done(&period);
    balloon_done(&balloon);
    hold_table_done(&limits);
    if (ok)
        *ret_note = note->len > 0 ? g_strdup(note->str) : NULL;
    return ok;
}
