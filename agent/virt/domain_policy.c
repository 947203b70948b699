/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_policy.c - elements of a definition: what it asks of virtksmd, in its metadata
 *
 *     <metadata>
 *       <virtksm:policy xmlns:virtksm='urn:virtksm:domain:1'>
 *         <virtksm:ksm weight='50' latency_critical='yes' group='customer-7'/>
 *         <virtksm:balloon mode='on' floor='512' ceiling='2048' shares='200'/>
 *         <virtksm:memory_high mode='observe'/>
 *       </virtksm:policy>
 *     </metadata>
 *
 * A mistake here is no reason to know nothing of the domain's memory: unlike those of libvirt's own
 * elements, it leaves the definition valid. The first fault is kept for the operator, in words that
 * repeat nothing of the tenant's text. What is wrong in <ksm> counts as not said. Anywhere else it
 * may have been meant to hold reclaim back, so it switches off what it may have been about: in
 * <memory_high> that alone, elsewhere balloon and memory.high, which both keep to the floor.
 *
 * virsh metadata takes the elements without prefix and puts the namespace and its prefix on each of
 * them (seen with libvirt 9.0). libvirt keeps one element of a namespace below <metadata>.
 *
 * Source: libvirt formatdomain, "General metadata"; virDomainSetMetadata().
 */
#include "agent/virt/domain_policy.h"
#include "agent/virt/domain_setting.h"

#include <assert.h>
#include <string.h>

#define METADATA    "domain/metadata"
#define POLICY      METADATA "/" DOMAIN_POLICY_PREFIX "policy"
#define KSM         POLICY "/" DOMAIN_POLICY_PREFIX "ksm"
#define BALLOON     POLICY "/" DOMAIN_POLICY_PREFIX "balloon"
#define MEMORY_HIGH POLICY "/" DOMAIN_POLICY_PREFIX "memory_high"

/* What stands in the policy. */
static const struct {
    const char *path;
    const char *name;     /* local, as settings have it */
    const char *expected; /* of its attributes, for messages */
} elements[] = {
    { KSM, "ksm", "no attribute but weight, latency_critical, group and merge" },
    { BALLOON, "balloon", "no attribute but mode, floor, ceiling and shares" },
    { MEMORY_HIGH, "memory_high", "no attribute but mode" },
};

static void G_GNUC_PRINTF(3, 4)
    add_fault(DomainReading *reading, const DomainElement *element, const char *format, ...)
{
    DomainXmlPolicy *policy = &reading->xml.policy;
    g_autofree char *what = NULL;
    va_list args;

    reading->high_faulty |= strcmp(element->path, KSM) != 0;
    reading->balloon_faulty |=
        strcmp(element->path, KSM) != 0 && strcmp(element->path, MEMORY_HIGH) != 0;
    if (policy->faults++ > 0)
        return;
    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    policy->fault = g_strdup_printf("%s: %s", element->path, what);
}

static void
add_expected(DomainReading *reading, const DomainElement *element, const char *expected)
{
    add_fault(reading, element, "expected %s", expected);
}

static void
open_policy(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    if (attributes->len > 0)
        add_expected(reading, element, "no attribute");
}

static size_t
index_of(const DomainElement *element)
{
    size_t i = 0;

    while (strcmp(elements[i].path, element->path) != 0)
        i++;
    return i;
}

static bool
is_known_attribute(const char *element, const char *name)
{
    size_t n;
    const DomainSetting *settings = domain_setting_list(&n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(settings[i].element, element) == 0 && strcmp(settings[i].name, name) == 0)
            return true;
    return false;
}

static void
take_settings(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    const char *name = elements[index_of(element)].name;
    size_t n;
    const DomainSetting *settings = domain_setting_list(&n);

    for (size_t i = 0; i < n; i++) {
        const DomainSetting *setting = &settings[i];

        if (strcmp(setting->element, name) == 0 &&
            !setting->take(&reading->xml.policy,
                           domain_element_attribute(attributes, setting->name)))
            add_fault(reading, element, "attribute %s: expected %s; %s", setting->name,
                      setting->expected, setting->fallback);
    }
}

static void
open_settings(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    size_t index = index_of(element);

    if (reading->policy_seen & 1u << index) {
        add_expected(reading, element, "one such element, not two; the first counts");
        return;
    }
    reading->policy_seen |= 1u << index;
    take_settings(reading, element, attributes);
    for (guint i = 0; i < attributes->len; i++)
        if (!is_known_attribute(elements[index].name,
                                g_array_index(attributes, DomainAttribute, i).name))
            add_expected(reading, element, elements[index].expected);
}

/* All repeat: that there are two must not make the definition unusable. */
static const DomainElement rows[] = {
    { METADATA, NULL, NULL, 0, true },
    { POLICY, open_policy, NULL, 0, true },
    { KSM, open_settings, NULL, 0, true },
    { BALLOON, open_settings, NULL, 0, true },
    { MEMORY_HIGH, open_settings, NULL, 0, true },
};

const DomainElementTable domain_policy = { rows, G_N_ELEMENTS(rows) };

static bool
is_ours(const DomainElement *element)
{
    return element >= rows && element < rows + G_N_ELEMENTS(rows);
}

void
domain_policy_unknown(DomainReading *reading, const DomainElement *parent, bool ours)
{
    if (!parent || !is_ours(parent))
        return;
    if (strcmp(parent->path, POLICY) == 0)
        add_expected(reading, parent,
                     "no element but ksm, balloon and memory_high, in the namespace " //
                     DOMAIN_POLICY_NAMESPACE);
    else if (strcmp(parent->path, METADATA) != 0)
        add_expected(reading, parent, "no element in it");
    else if (ours) /* elements of other namespaces are none of our business there */
        add_expected(reading, parent, "no element of " DOMAIN_POLICY_NAMESPACE " but policy");
}

void
domain_policy_text(DomainReading *reading, const DomainElement *element, const char *text,
                   size_t length)
{
    if (reading->policy_has_text || !is_ours(element) || strcmp(element->path, METADATA) == 0)
        return;
    for (size_t i = 0; i < length && !reading->policy_has_text; i++)
        reading->policy_has_text = !g_ascii_isspace(text[i]);
    if (reading->policy_has_text)
        add_expected(reading, element, "no text");
}

void
domain_policy_finish(DomainReading *reading)
{
    DomainXmlPolicy *policy = &reading->xml.policy;

    if (reading->balloon_faulty)
        policy->balloon_mode = MECHANISM_OFF;
    if (reading->high_faulty)
        policy->high_mode = MECHANISM_OFF;
}
