/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_metadata.c - changes single attributes in the element that libvirt keeps for us
 *
 * libvirt hands the element over without our namespace, and puts the namespace on every element
 * that has none when it takes it back (seen with libvirt 9.0); a name counts as ours in either
 * case. The text is a part of a definition that libvirt has read already and wrote itself, so it is
 * small and well-formed; it is the tenant's all the same, so it is held to the bounds of
 * domain_xml.h, and nothing in it is expanded or opened.
 *
 * Source: libvirt's API reference, virDomainGetMetadata(), virDomainSetMetadata(); libxml2's
 * tree.h.
 */
#include "agent/virt/domain_metadata.h"
#include "agent/virt/domain_foreign.h"
#include "agent/virt/domain_policy.h"
#include "agent/virt/domain_setting.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

typedef xmlDoc XmlDocHandle;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(XmlDocHandle, xmlFreeDoc)

/* "key=value" in two; false: there is no '='. */
static bool
split(const char *setting, char **ret_key, const char **ret_value)
{
    const char *equals = strchr(setting, '=');

    if (!equals)
        return false;
    *ret_key = g_strndup(setting, (gsize)(equals - setting));
    *ret_value = equals + 1;
    return true;
}

bool
domain_metadata_check(const char *const *settings, GError **error)
{
    if (!settings || !settings[0]) {
        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT,
                    "expected at least one key=value");
        return false;
    }
    for (size_t i = 0; settings[i]; i++) {
        g_autofree char *key = NULL;
        const char *value;

        if (!split(settings[i], &key, &value)) {
            g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT,
                        "expected key=value, or key= to take the setting out");
            return false;
        }
        if (!domain_setting_check(key, value, error))
            return false;
    }
    return true;
}

static bool
is_element(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0 &&
           (!node->ns || strcmp((const char *)node->ns->href, DOMAIN_POLICY_NAMESPACE) == 0);
}

/* The first of that name, which is the one that counts. */
static xmlNode *
find_child(const xmlNode *parent, const char *name)
{
    xmlNode *child = parent->children;

    while (child && !is_element(child, name))
        child = child->next;
    return child;
}

static void
change(xmlNode *policy, const DomainSetting *setting, const char *value)
{
    xmlNode *element = find_child(policy, setting->element);

    if (*value) {
        if (!element)
            element = xmlNewChild(policy, policy->ns, (const xmlChar *)setting->element, NULL);
        xmlSetProp(element, (const xmlChar *)setting->name, (const xmlChar *)value);
        return;
    }
    if (!element)
        return;
    xmlUnsetProp(element, (const xmlChar *)setting->name);
    if (!element->properties && !element->children) {
        xmlUnlinkNode(element);
        xmlFreeNode(element);
    }
}

static xmlDoc *
read_element(const char *text, GError **error)
{
    static const char empty[] = "<" DOMAIN_METADATA_ELEMENT "/>";
    const char *from = text ? text : empty;
    size_t length = strlen(from);
    g_autofree char *counted = g_strndup(from, length);
    g_autoptr(XmlDocHandle) doc = NULL;
    const xmlNode *root;

    /* An attribute is compared with all before it. */
    if (length <= DOMAIN_XML_MAX_BYTES && domain_foreign_blank(counted, length))
        doc = xmlReadMemory(from, (int)length, NULL, "UTF-8",
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    root = doc ? xmlDocGetRootElement(doc) : NULL;
    if (!root || doc->intSubset || !is_element(root, DOMAIN_METADATA_ELEMENT)) {
        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT,
                    "what its metadata has in the namespace " DOMAIN_POLICY_NAMESPACE
                    " is no <policy>: take it out with virsh metadata --remove");
        return NULL;
    }
    return g_steal_pointer(&doc);
}

/* NULL: it says nothing. */
static char *
write_element(xmlDoc *doc)
{
    xmlNode *root = xmlDocGetRootElement(doc);
    xmlBuffer *buffer;
    char *text;

    if (!root->properties && !xmlFirstElementChild(root))
        return NULL;
    buffer = xmlBufferCreate();
    xmlNodeDump(buffer, doc, root, 0, 0);
    text = g_strdup((const char *)xmlBufferContent(buffer));
    xmlBufferFree(buffer);
    return text;
}

bool
domain_metadata_edit(const char *text, const char *const *settings, char **ret_text, GError **error)
{
    g_autoptr(XmlDocHandle) doc = read_element(text, error);

    if (!doc)
        return false;
    for (size_t i = 0; settings[i]; i++) {
        g_autofree char *key = NULL;
        const char *value = NULL;
        bool valid = split(settings[i], &key, &value);

        g_assert(valid);
        change(xmlDocGetRootElement(doc), domain_setting_find(key), value);
    }
    *ret_text = write_element(doc);
    return true;
}
