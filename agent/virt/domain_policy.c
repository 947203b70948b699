/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_policy.c - elements of a definition: what it asks of virtksmd, in its metadata
 *
 *     <metadata>
 *       <virtksm:policy xmlns:virtksm='urn:virtksm:domain:1'>
 *         <virtksm:ksm weight='50' latency_critical='yes'/>
 *       </virtksm:policy>
 *     </metadata>
 *
 * A mistake here is no reason to know nothing of the domain's memory: unlike those of libvirt's own
 * elements, it leaves the definition valid. What is wrong counts as not said, and the first fault
 * is kept for the operator, in words that repeat nothing of the tenant's text. Names and values are
 * taken by the letter, because a setting that is misspelt and silently ignored is the worst kind.
 *
 * virsh metadata takes the elements without prefix and puts the namespace and its prefix on each of
 * them (seen with libvirt 9.0). libvirt keeps one element of a namespace below <metadata>.
 *
 * Source: libvirt formatdomain, "General metadata"; virDomainSetMetadata().
 */
#include "agent/virt/domain_policy.h"
#include "agent/virt/domain_value.h"

#include <assert.h>
#include <string.h>

/* A hundred times as much, or as little, as a normal domain is as much as anybody can mean. */
#define WEIGHT_MOST 10000u

#define METADATA    "domain/metadata"
#define POLICY      METADATA "/" DOMAIN_POLICY_PREFIX "policy"
#define KSM         POLICY "/" DOMAIN_POLICY_PREFIX "ksm"

static const char *const no_yes[] = { "no", "yes" };

/* Takes a value; NULL: the attribute is not there. Return: false if it is none. */
typedef bool (*TakeValue)(DomainXmlPolicy *policy, const char *value);

static bool
take_weight(DomainXmlPolicy *policy, const char *value)
{
    uint64_t weight = DOMAIN_WEIGHT_NORMAL;
    bool valid = !value || domain_value_number(value, WEIGHT_MOST, &weight, NULL);

    policy->weight = (uint32_t)weight;
    return valid;
}

static bool
take_latency_critical(DomainXmlPolicy *policy, const char *value)
{
    size_t i = value ? domain_element_choice(value, no_yes, G_N_ELEMENTS(no_yes)) : 0;

    policy->latency_critical = i == 1;
    return i < G_N_ELEMENTS(no_yes);
}

static const struct {
    const char *name;     /* of the attribute */
    TakeValue take;       /* into the policy */
    const char *expected; /* for messages: what it may be, and what counts otherwise */
} ksm_attributes[] = {
    { "weight", take_weight, "a whole number from 0 to 10000, percent of normal; 100 counts" },
    { "latency_critical", take_latency_critical, "'no' or 'yes'; 'no' counts" },
};

static void G_GNUC_PRINTF(2, 3) add_fault(DomainReading *reading, const char *format, ...)
{
    DomainXmlPolicy *policy = &reading->xml.policy;
    va_list args;

    if (policy->faults++ > 0)
        return;
    va_start(args, format);
    policy->fault = g_strdup_vprintf(format, args);
    va_end(args);
}

static void
add_expected(DomainReading *reading, const DomainElement *element, const char *expected)
{
    add_fault(reading, "%s: expected %s", element->path, expected);
}

static bool
is_known_attribute(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ksm_attributes); i++)
        if (strcmp(ksm_attributes[i].name, name) == 0)
            return true;
    return false;
}

static void
open_policy(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    if (attributes->len > 0)
        add_expected(reading, element, "no attribute");
}

static void
open_ksm(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    DomainXmlPolicy *policy = &reading->xml.policy;

    if (reading->has_ksm_policy) {
        add_expected(reading, element, "one such element, not two; the first counts");
        return;
    }
    reading->has_ksm_policy = true;
    for (size_t i = 0; i < G_N_ELEMENTS(ksm_attributes); i++) {
        const char *name = ksm_attributes[i].name;

        if (!ksm_attributes[i].take(policy, domain_element_attribute(attributes, name)))
            add_fault(reading, "%s: attribute %s: expected %s", element->path, name,
                      ksm_attributes[i].expected);
    }
    for (guint i = 0; i < attributes->len; i++)
        if (!is_known_attribute(g_array_index(attributes, DomainAttribute, i).name))
            add_expected(reading, element, "no attribute but weight and latency_critical");
}

/* Where only elements of ours may stand, or where ours may stand among others. */
static const struct {
    const char *parent;   /* path */
    bool is_shared;       /* elements of other namespaces are none of our business */
    const char *expected; /* for messages */
} places[] = {
    { METADATA, true, "no element of " DOMAIN_POLICY_NAMESPACE " but policy" },
    { POLICY, false, "no element but ksm, in the namespace " DOMAIN_POLICY_NAMESPACE },
    { KSM, false, "no element in it" },
};

void
domain_policy_unknown(DomainReading *reading, const DomainElement *parent, bool is_ours)
{
    for (size_t i = 0; parent && i < G_N_ELEMENTS(places); i++)
        if (strcmp(places[i].parent, parent->path) == 0 && (is_ours || !places[i].is_shared))
            add_expected(reading, parent, places[i].expected);
}

/* All repeat: that there are two must not make the definition unusable. */
static const DomainElement rows[] = {
    { METADATA, NULL, NULL, 0, true },
    { POLICY, open_policy, NULL, 0, true },
    { KSM, open_ksm, NULL, 0, true },
};

const DomainElementTable domain_policy = { rows, G_N_ELEMENTS(rows) };
