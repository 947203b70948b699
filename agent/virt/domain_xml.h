/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_xml.h - what a domain's definition says about its memory, and whether KSM can merge it
 *
 * The definition is the tenant's text: it is read with bounds on size, depth, time and memory, and
 * no error message repeats it. Whoever reads no further than domain_xml_mergeable() knows what KSM
 * can do for the domain; the single fields are for reports, for reclaim and for doctor.
 */
#ifndef AGENT_VIRT_DOMAIN_XML_H
#define AGENT_VIRT_DOMAIN_XML_H

#include "policy/sample.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libvirt's own remote protocol carries no longer string (REMOTE_STRING_MAX), so none arrives. */
#define DOMAIN_XML_MAX_BYTES (4u * 1024 * 1024)
/* QEMU has no more guest NUMA nodes than this (MAX_NODES). */
#define DOMAIN_XML_MAX_NODES 128u

#define DOMAIN_XML_ERROR     (domain_xml_error_quark())

typedef enum {
    DOMAIN_XML_ERROR_TOO_LARGE, /* size, depth, or number of parts */
    DOMAIN_XML_ERROR_NOT_XML,   /* not UTF-8, or not well-formed */
    DOMAIN_XML_ERROR_REFUSED,   /* document type declaration: entities are never expanded */
    DOMAIN_XML_ERROR_CONTENT,   /* not a domain, or an element is not what libvirt documents */
    DOMAIN_XML_ERROR_COUNT,
} DomainXmlError;

typedef enum {
    DOMAIN_SOURCE_ANONYMOUS, /* default */
    DOMAIN_SOURCE_FILE,
    DOMAIN_SOURCE_MEMFD,
    DOMAIN_SOURCE_COUNT,
} DomainSource;

typedef enum {
    DOMAIN_ACCESS_DEFAULT, /* not said: as the memory backend has it (shared for memfd) */
    DOMAIN_ACCESS_PRIVATE,
    DOMAIN_ACCESS_SHARED,
    DOMAIN_ACCESS_COUNT,
} DomainAccess;

typedef enum {
    DOMAIN_BALLOON_ABSENT, /* no element: the driver knows no balloon */
    DOMAIN_BALLOON_NONE,   /* switched off by model='none' */
    DOMAIN_BALLOON_VIRTIO,
    DOMAIN_BALLOON_VIRTIO_TRANSITIONAL,
    DOMAIN_BALLOON_VIRTIO_NON_TRANSITIONAL,
    DOMAIN_BALLOON_XEN,
    DOMAIN_BALLOON_OTHER, /* a model that this version does not know */
    DOMAIN_BALLOON_COUNT,
} DomainBalloon;

typedef enum {
    DOMAIN_SECURITY_NONE,
    DOMAIN_SECURITY_SEV,
    DOMAIN_SECURITY_SEV_SNP,
    DOMAIN_SECURITY_TDX,
    DOMAIN_SECURITY_S390_PV,
    DOMAIN_SECURITY_OTHER, /* a type that this version does not know: confidential all the same */
    DOMAIN_SECURITY_COUNT,
} DomainSecurity;

typedef enum {
    DOMAIN_SWITCH_UNSET,
    DOMAIN_SWITCH_OFF,
    DOMAIN_SWITCH_ON,
    DOMAIN_SWITCH_COUNT,
} DomainSwitch;

/* Weight of a domain that asks for nothing else, in percent. */
#define DOMAIN_WEIGHT_NORMAL 100u

/* What the definition asks of virtksmd in its metadata; see domain_policy.c. */
typedef struct {
    uint32_t weight;       /* for KSM, percent of normal; DOMAIN_WEIGHT_NORMAL where not said */
    bool latency_critical; /* ksmd gives way when it waits for a CPU */
    char *group;           /* owned; domains that trust each other; NULL: not said */
    MergeWish merge;       /* whether it wants to be merged, MERGE_WISH_NO after mistakes in it */

    MechanismMode balloon_mode; /* MECHANISM_INHERIT where not said, MECHANISM_OFF after mistakes */
    MechanismMode high_mode;    /* of memory.high, likewise */
    uint64_t floor_bytes;       /* no reclaim below it; 0: not said */
    uint64_t ceiling_bytes;     /* its balloon leaves no more to it; 0: not said */
    uint32_t shares; /* under pressure, percent of normal; SHARES_NORMAL where not said */

    uint32_t faults; /* mistakes in it; each left a default in force */
    char *fault;     /* owned; the first, for people, never the tenant's text; NULL: none */
} DomainXmlPolicy;

/* What a domain's definition says; all zero is none at all. */
typedef struct {
    char *type;  /* owned; hypervisor: "kvm", "qemu", "test"; never NULL once parsed */
    char *name;  /* owned; never NULL once parsed */
    char *uuid;  /* owned; lower case; NULL: not said */
    char *title; /* owned; NULL: none */

    uint64_t maximum_bytes;       /* <memory>: most the guest can have, with its memory devices */
    uint64_t current_bytes;       /* <currentMemory>: what the balloon leaves; <= maximum_bytes */
    uint64_t memory_device_bytes; /* size of them all, part of maximum_bytes */
    uint32_t numa_cells;          /* guest NUMA nodes; 0: none defined */

    uint64_t *backends;    /* owned; sizes of the pieces that QEMU maps: cells or main memory, then
                              memory devices */
    uint32_t n_backends;   /* how many there are */
    uint64_t ram_bytes;    /* guest RAM: cells or main memory, dimm and virtio-mem */
    uint64_t huge_bytes;   /* of ram_bytes: on huge pages */
    uint64_t shared_bytes; /* of ram_bytes: mapped shared, and not on huge pages */

    bool nosharepages;   /* <memoryBacking><nosharepages/> */
    bool locked;         /* <locked/> or -overcommit mem-lock=on; does not keep KSM away */
    DomainSource source; /* <source type=>: what backs the memory */
    DomainAccess access; /* <access mode=>: default for all cells and devices */
    DomainSwitch merge;  /* -machine mem-merge= in the QEMU arguments; overrides nosharepages */

    uint64_t hard_limit_bytes;    /* <memtune>; 0: not set */
    uint64_t min_guarantee_bytes; /* likewise; the QEMU driver does not support it */

    uint32_t pinning_devices;    /* devices that pin all guest RAM; see domain_devices.c */
    uint32_t mediated_devices;   /* mdev: pin what their driver asks for, up to all */
    uint32_t virtio_mem_devices; /* memory devices that grow and shrink while it runs */
    uint32_t vhost_user_devices; /* served by another process: need shared memory */

    DomainBalloon balloon;     /* <memballoon model=> */
    bool balloon_autodeflate;  /* gives memory back before the guest runs out of it */
    bool balloon_reports_free; /* the guest may give back free memory by itself */
    uint32_t stats_period_s;   /* seconds between balloon statistics; 0: none */

    DomainSecurity security; /* <launchSecurity type=> */
    DomainXmlPolicy policy;  /* <metadata>: what it asks of us */
    char *nova_project;      /* owned; <metadata>: its project in OpenStack; NULL: not said */
    bool is_kubevirt;        /* <metadata>: KubeVirt has made it */
} DomainXml;

/* Whether KSM can merge guest RAM, or the first reason why not. The order is from what the domain
 * was built for to what is a mere switch: a reason says that none above it holds. */
typedef enum {
    DOMAIN_MERGE_YES,           /* all or a part, see domain_xml_mergeable_bp() */
    DOMAIN_MERGE_CONFIDENTIAL,  /* encrypted, or private to the guest */
    DOMAIN_MERGE_HUGE_PAGES,    /* hugetlb pages are no KSM pages */
    DOMAIN_MERGE_SHARED,        /* mapped shared: memfd, file, vhost-user, virtiofs */
    DOMAIN_MERGE_PINNED,        /* held in place for passthrough devices */
    DOMAIN_MERGE_MEM_MERGE_OFF, /* switched off by -machine mem-merge=off */
    DOMAIN_MERGE_NOSHAREPAGES,  /* switched off by <nosharepages/> */
    DOMAIN_MERGE_COUNT,
} DomainMerge;

/** domain_xml_error_quark() - the GError domain of DomainXmlError */
GQuark domain_xml_error_quark(void);

/**
 * domain_xml_parse() - read the definition of a domain
 * @text:    what virDomainGetXMLDesc() gave, @length bytes, need not end in NUL (borrowed)
 * @length:  bytes; more than DOMAIN_XML_MAX_BYTES is refused
 * @ret_xml: filled on success; its former contents are not freed; domain_xml_clear() it
 * @error:   DOMAIN_XML_ERROR; names the element and what was expected, never the tenant's text
 *
 * Elements that do not matter here are skipped, whatever they hold. Of those that do, one that
 * appears twice or is not as documented makes the whole definition unusable: half of it could be
 * a wrong reason to merge. Only what it asks of us is never wrong enough for that: see @faults of
 * DomainXmlPolicy. Safe in any thread; opens no file and no connection.
 *
 * Source: libvirt's "Domain XML format" (formatdomain) and its schema domaincommon.rng.
 */
bool domain_xml_parse(const char *text, size_t length, DomainXml *ret_xml, GError **error);

/** domain_xml_clear() - free what a definition owns and make it say nothing; NULL is fine */
void domain_xml_clear(DomainXml *xml);

/**
 * domain_xml_mergeable() - can KSM merge the RAM of this domain?
 * @xml: parsed
 *
 * DOMAIN_MERGE_YES as soon as a part of the RAM can: huge pages or sharing that are limited to
 * some NUMA cells leave the rest. Locked memory merges, and so does a private mapping of a memfd
 * or file, where the guest has written to it.
 *
 * Source: mm/ksm.c (anonymous pages of regions marked by madvise, no extra references). Tried
 * with QEMU 7.2 on Linux 6.18: "mg" in smaps and ksm_merging_pages for -overcommit mem-lock=on,
 * memfd and file with share=off (merge), memfd by default and share=on (do not).
 * Return: DOMAIN_MERGE_YES or the first reason why not.
 */
DomainMerge domain_xml_mergeable(const DomainXml *xml);

/**
 * domain_xml_mergeable_bp() - how much of the domain's RAM KSM can merge
 * @xml: parsed
 *
 * An upper bound for a domain with mediated devices, whose driver pins what it likes.
 *
 * Return: basis points of ram_bytes, rounded down but at least 1 if there is any; 0 if
 * domain_xml_mergeable() gives a reason.
 */
uint32_t domain_xml_mergeable_bp(const DomainXml *xml);

/** domain_merge_name() - "can merge", "huge pages", ...: what reports show */
const char *domain_merge_name(DomainMerge merge);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DomainXml, domain_xml_clear)

#endif
