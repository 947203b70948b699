/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_owner.c - elements of a definition: whom others say that it belongs to
 *
 *     <metadata>
 *       <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
 *         <nova:owner><nova:project uuid="...">...</nova:project></nova:owner>
 *       </nova:instance>
 *       <kubevirt xmlns="http://kubevirt.io">...</kubevirt>
 *     </metadata>
 *
 * OpenStack and KubeVirt write these themselves; their tenants cannot. KubeVirt names the domain
 * NAMESPACE_NAME, so its metadata only has to say that the name is one of its own.
 *
 * Source: nova/virt/libvirt/config.py, LibvirtConfigGuestMetaNovaOwner; kubevirt
 * pkg/virt-launcher/virtwrap/api, VMINamespaceKeyFunc() and schema.go
 */
#include "agent/virt/domain_policy.h"

#include <string.h>

#define METADATA     "domain/metadata"
#define INSTANCE     METADATA "/" DOMAIN_NOVA_PREFIX "instance"
#define OWNER        INSTANCE "/" DOMAIN_NOVA_PREFIX "owner"
#define PROJECT      OWNER "/" DOMAIN_NOVA_PREFIX "project"
#define KUBEVIRT     METADATA "/" DOMAIN_KUBEVIRT_PREFIX "kubevirt"

#define PROJECT_MOST 64

/* The first counts; what is no identifier is none. */
static void
open_project(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    const char *uuid = domain_element_attribute(attributes, "uuid");
    size_t length = uuid ? strlen(uuid) : 0;

    (void)element;
    if (reading->xml.nova_project || length == 0 || length > PROJECT_MOST ||
        strspn(uuid, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-") != length)
        return;
    reading->xml.nova_project = g_strdup(uuid);
}

static void
open_kubevirt(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    (void)element;
    (void)attributes;
    reading->xml.is_kubevirt = true;
}

/* All repeat: that there are two must not make the definition unusable. */
static const DomainElement rows[] = {
    { INSTANCE, NULL, NULL, 0, true },
    { OWNER, NULL, NULL, 0, true },
    { PROJECT, open_project, NULL, 0, true },
    { KUBEVIRT, open_kubevirt, NULL, 0, true },
};

const DomainElementTable domain_owner = { rows, G_N_ELEMENTS(rows) };
