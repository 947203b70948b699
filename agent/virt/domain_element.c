/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_element.c - the tables of known elements, and what their rows have in common */
#include "agent/virt/domain_policy.h"

#include <assert.h>
#include <string.h>

static const DomainElementTable *const tables[] = { &domain_basics, &domain_devices, &domain_policy,
                                                    &domain_owner };

static const struct {
    const char *uri;
    const char *prefix;
} namespaces[] = {
    { "http://libvirt.org/schemas/domain/qemu/1.0", "qemu:" },
    { DOMAIN_POLICY_NAMESPACE, DOMAIN_POLICY_PREFIX },
    { "http://openstack.org/xmlns/libvirt/nova/1.0", DOMAIN_NOVA_PREFIX },
    { "http://openstack.org/xmlns/libvirt/nova/1.1", DOMAIN_NOVA_PREFIX },
    { "http://kubevirt.io", DOMAIN_KUBEVIRT_PREFIX },
};

static const char *const access_names[] = {
    [DOMAIN_ACCESS_DEFAULT] = NULL,
    [DOMAIN_ACCESS_PRIVATE] = "private",
    [DOMAIN_ACCESS_SHARED] = "shared",
};
static_assert(G_N_ELEMENTS(access_names) == DOMAIN_ACCESS_COUNT, "access_names[] has gaps");

const char *
domain_element_prefix(const char *uri, size_t length)
{
    for (size_t i = 0; i < G_N_ELEMENTS(namespaces); i++)
        if (strlen(namespaces[i].uri) == length && memcmp(uri, namespaces[i].uri, length) == 0)
            return namespaces[i].prefix;
    return NULL;
}

void
domain_element_init(DomainReading *reading)
{
    *reading = (DomainReading){ .xml.policy = { .weight = DOMAIN_WEIGHT_NORMAL,
                                                .shares = SHARES_NORMAL } };
    domain_memory_init(&reading->memory);
}

void
domain_element_done(DomainReading *reading)
{
    domain_xml_clear(&reading->xml);
    domain_memory_done(&reading->memory);
    g_clear_error(&reading->error);
    g_clear_pointer(&reading->unit, g_free);
    g_clear_pointer(&reading->argument, g_free);
}

/* What stands below a path: "disk" for "domain/devices/disk" and "domain/devices"; else NULL. */
static const char *
path_below(const char *path, const char *parent)
{
    size_t length = strlen(parent);

    return strncmp(path, parent, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

static bool
is_child(const DomainElement *row, const DomainElement *parent, const char *name)
{
    const char *rest = parent ? path_below(row->path, parent->path) : row->path;

    return rest && strcmp(rest, name) == 0;
}

const DomainElement *
domain_element_find(const DomainElement *parent, const char *name)
{
    /* A '/' would reach for grandchildren; no element of libvirt's has one. */
    if (strchr(name, '/'))
        return NULL;
    for (size_t t = 0; t < G_N_ELEMENTS(tables); t++)
        for (size_t i = 0; i < tables[t]->n; i++)
            if (is_child(&tables[t]->rows[i], parent, name))
                return &tables[t]->rows[i];
    return NULL;
}

/* A new parent may have children that an earlier one of the same name had. Bits are numbered
 * through all tables. */
static void
forget_children(DomainReading *reading, const DomainElement *parent)
{
    unsigned bit = 0;

    for (size_t t = 0; t < G_N_ELEMENTS(tables); t++)
        for (size_t i = 0; i < tables[t]->n; i++, bit++)
            if (path_below(tables[t]->rows[i].path, parent->path))
                reading->seen &= ~(UINT64_C(1) << bit);
    assert(bit <= 64);
}

static unsigned
bit_of(const DomainElement *element)
{
    size_t below = 0;

    for (size_t t = 0; t < G_N_ELEMENTS(tables); below += tables[t++]->n)
        for (size_t i = 0; i < tables[t]->n; i++)
            if (&tables[t]->rows[i] == element)
                return (unsigned)(below + i);
    g_assert_not_reached();
}

void
domain_element_open(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    uint64_t bit = UINT64_C(1) << bit_of(element);

    if (reading->seen & bit && !element->repeats) {
        domain_element_fail(reading, element, "one such element, not two");
        return;
    }
    reading->seen |= bit;
    if (element->repeats)
        forget_children(reading, element);
    if (element->close) {
        g_free(reading->unit);
        reading->unit = g_strdup(domain_element_attribute(attributes, "unit"));
    }
    if (element->open)
        element->open(reading, element, attributes);
}

void
domain_element_finish(DomainReading *reading)
{
    DomainXml *xml = &reading->xml;
    GError **error = domain_element_error(reading);

    if (!xml->name || xml->maximum_bytes == 0) {
        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT, "domain: expected %s",
                    xml->name ? "memory above 0" : "a name");
        return;
    }
    /* As libvirt does: none, or more than there is, is all. */
    if (xml->current_bytes == 0 || xml->current_bytes > xml->maximum_bytes)
        xml->current_bytes = xml->maximum_bytes;
    domain_memory_finish(&reading->memory, xml, error);
    domain_policy_finish(reading);
}

/* --- for the rows ------------------------------------------------------------------------- */

GError **
domain_element_error(DomainReading *reading)
{
    return reading->error ? NULL : &reading->error;
}

void
domain_element_fail(DomainReading *reading, const DomainElement *element, const char *expected)
{
    g_set_error(domain_element_error(reading), DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT,
                "%s: expected %s", element->path, expected);
}

const char *
domain_element_attribute(const GArray *attributes, const char *name)
{
    for (guint i = 0; i < attributes->len; i++) {
        const DomainAttribute *attribute = &g_array_index(attributes, DomainAttribute, i);

        if (strcmp(attribute->name, name) == 0)
            return attribute->value;
    }
    return NULL;
}

size_t
domain_element_choice(const char *word, const char *const names[], size_t n)
{
    size_t i = 0;

    while (i < n && g_strcmp0(names[i], word) != 0)
        i++;
    return i;
}

bool
domain_element_second(DomainReading *reading, const DomainElement *element, const char *value,
                      const char *const words[2])
{
    size_t i = value ? domain_element_choice(value, words, 2) : 0;

    if (i == 2) {
        g_autofree char *expected = g_strdup_printf("'%s' or '%s'", words[0], words[1]);

        domain_element_fail(reading, element, expected);
    }
    return i == 1;
}

DomainAccess
domain_element_access(DomainReading *reading, const DomainElement *element, const char *value)
{
    size_t i = value ? domain_element_choice(value, access_names, DOMAIN_ACCESS_COUNT)
                     : DOMAIN_ACCESS_DEFAULT;

    if (i == DOMAIN_ACCESS_COUNT)
        domain_element_fail(reading, element, "access mode 'shared' or 'private'");
    return (DomainAccess)i;
}

uint64_t
domain_element_number(DomainReading *reading, const DomainElement *element, const char *text,
                      uint64_t max)
{
    GError **error = domain_element_error(reading);
    uint64_t number = 0;

    if (!domain_value_number(text, max, &number, error))
        g_prefix_error(error, "%s: ", element->path);
    return number;
}

uint64_t
domain_element_size(DomainReading *reading, const DomainElement *element, const char *text,
                    const char *unit)
{
    GError **error = domain_element_error(reading);
    uint64_t bytes = 0;

    if (!domain_value_size(text, unit, &bytes, error))
        g_prefix_error(error, "%s: ", element->path);
    return bytes;
}

void *
domain_element_field(DomainReading *reading, size_t offset)
{
    return (char *)&reading->xml + offset;
}
