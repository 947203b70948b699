/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_group.c - the trust group that a domain belongs to, by its definition and our settings */
#include "agent/virt/domain_group.h"

#include <string.h>

#define SEPARATOR ","
/* Longest name, bytes. */
#define NAME_MOST 64

bool
domain_group_is_name(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length <= NAME_MOST &&
           strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == length;
}

static char *
by_metadata(const DomainXml *xml, const DomainGroupRules *rules)
{
    (void)rules;
    return g_strdup(xml->policy.group);
}

/* "web-*=shop": the pattern ends at the last '=', as a group has none. */
static char *
by_names(const DomainXml *xml, const DomainGroupRules *rules)
{
    g_auto(GStrv) pairs = g_strsplit(rules->names, SEPARATOR, -1);

    for (size_t i = 0; pairs[i]; i++) {
        char *equals = strrchr(pairs[i], '=');

        if (!equals)
            continue;
        *equals = '\0';
        if (xml->name && g_pattern_match_simple(g_strstrip(pairs[i]), xml->name))
            return g_strdup(g_strstrip(equals + 1));
    }
    return NULL;
}

static char *
by_title(const DomainXml *xml, const DomainGroupRules *rules)
{
    (void)rules;
    return xml->title && *xml->title ? g_strconcat("title:", xml->title, NULL) : NULL;
}

static char *
by_nova(const DomainXml *xml, const DomainGroupRules *rules)
{
    (void)rules;
    return xml->nova_project ? g_strconcat("nova:", xml->nova_project, NULL) : NULL;
}

/* Names of namespaces have no '_'. */
static char *
by_kubevirt(const DomainXml *xml, const DomainGroupRules *rules)
{
    const char *end = xml->name ? strchr(xml->name, '_') : NULL;

    (void)rules;
    if (!xml->is_kubevirt || !end || end == xml->name)
        return NULL;
    return g_strdup_printf("kubevirt:%.*s", (int)(end - xml->name), xml->name);
}

static const struct {
    const char *word;
    char *(*group)(const DomainXml *xml, const DomainGroupRules *rules);
} places[] = {
    { "metadata", by_metadata }, { "names", by_names },       { "title", by_title },
    { "nova", by_nova },         { "kubevirt", by_kubevirt },
};

/* The place of a word, blanks around it left out; G_N_ELEMENTS(places): there is none. */
static size_t
find_place(char *word)
{
    size_t i = 0;

    g_strstrip(word);
    while (i < G_N_ELEMENTS(places) && !g_str_equal(places[i].word, word))
        i++;
    return i;
}

static bool
is_pair(char *pair)
{
    char *equals = strrchr(pair, '=');

    if (!equals)
        return false;
    *equals = '\0';
    g_strstrip(equals + 1);
    return *g_strstrip(pair) && domain_group_is_name(equals + 1);
}

bool
domain_group_check(const DomainGroupRules *rules, const char **ret_key, GError **error)
{
    g_auto(GStrv) words = g_strsplit(rules->from, SEPARATOR, -1);
    g_auto(GStrv) pairs = g_strsplit(rules->names, SEPARATOR, -1);

    for (size_t i = 0; i == 0 || words[i]; i++)
        if (!words[i] || find_place(words[i]) == G_N_ELEMENTS(places)) {
            g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT,
                        "[tenancy] group_from = %s: expected words out of metadata, names, title, "
                        "nova and kubevirt, with commas between",
                        rules->from);
            *ret_key = "group_from";
            return false;
        }
    for (size_t i = 0; pairs[i]; i++)
        if (!is_pair(pairs[i])) {
            g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT,
                        "[tenancy] names = %s: expected PATTERN=GROUP with commas between, the "
                        "group of 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'",
                        rules->names);
            *ret_key = "names";
            return false;
        }
    return true;
}

char *
domain_group_of(const DomainXml *xml, const DomainGroupRules *rules)
{
    g_auto(GStrv) words = g_strsplit(rules->from, SEPARATOR, -1);

    for (size_t i = 0; words[i]; i++) {
        size_t place = find_place(words[i]);
        char *group = place < G_N_ELEMENTS(places) ? places[place].group(xml, rules) : NULL;

        if (group)
            return group;
    }
    return NULL;
}
