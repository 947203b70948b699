/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* patient.c - a host and a domain for the doctor to examine */
#include "test/support/patient.h"

void
patient_init(Patient *patient)
{
    *patient = (Patient){
        .sample = { .has_ksm = true, .knobs = { .run = KSM_RUN_MERGE } },
        .setup = { .numa_nodes = 1,
                   .thp = "madvise",
                   .swap_bytes = GIB,
                   .pressure = PROCFILE_READ,
                   .cgroup = SETUP_CGROUP_V2,
                   .hook = SETUP_HOOK_OURS,
                   .hook_changed_s = NOW_S - 1000,
                   .libvirtd_started_s = NOW_S - 500,
                   .libvirtd = "libvirtd" },
        .domain = { .name = (char *)(guintptr) "web",
                    .state = DOMAIN_RUNNING,
                    .is_libvirts = true,
                    .seen_us = 1000 * US_PER_S,
                    .stats_us = 1990 * US_PER_S,
                    .guest_stats_s = NOW_S - 5,
                    .has_process = true,
                    .has_xml = true,
                    .xml = { .ram_bytes = GIB,
                             .balloon = DOMAIN_BALLOON_VIRTIO,
                             .stats_period_s = 10,
                             .policy = { .weight = DOMAIN_WEIGHT_NORMAL } },
                    .plan = { .mergeable_pages = 1000, .reason = REASON_SETTLING } },
    };
    patient->sample.ksm.merge_across_nodes = 1;
    patient->host = (DoctorHost){ .sample = &patient->sample,
                                  .setup = &patient->setup,
                                  .actuator = KSM_ACTUATOR_READY,
                                  .actuator_text = "the actuator's own words",
                                  .foreign = &patient->foreign,
                                  .mode = KSM_MODE_AUTO,
                                  .reason = REASON_NO_DOMAIN,
                                  .libvirt_wanted = true,
                                  .libvirt_open = true,
                                  .libvirt_uri = "qemu:///system",
                                  .hook_wanted = true,
                                  .hook_open = true,
                                  .tenancy = &patient->tenancy,
                                  .measures = true,
                                  .now_us = 2000 * US_PER_S,
                                  .now_s = NOW_S };
}
