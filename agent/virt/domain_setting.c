/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_setting.c - the table of settings in a domain's metadata
 *
 * Names and values are taken by the letter, because a setting that is misspelt and silently
 * ignored is the worst kind. The schemas in packaging/schema/ say the same of each row.
 */
#include "agent/virt/domain_setting.h"
#include "agent/virt/domain_element.h"
#include "agent/virt/domain_group.h"

#include <string.h>

/* A hundred times as much, or as little, as a normal domain is as much as anybody can mean. */
#define PERCENT_MOST 10000u
/* Ten digits: twice what a processor of today can address. */
#define MIB_MOST         UINT64_C(9999999999)
#define MIB              UINT64_C(1048576)

#define PERCENT_EXPECTED "a whole number from 0 to 10000, percent of normal"
#define MIB_EXPECTED     "a whole number of MiB, from 1 to 9999999999"
#define MODE_EXPECTED    "'off', 'observe' or 'on'"
#define HALT             "reclaim is off for this domain"

static const char *const no_yes[] = { "no", "yes" };

static const char *const mode_words[] = {
    [MECHANISM_INHERIT] = NULL,
    [MECHANISM_OFF] = "off",
    [MECHANISM_OBSERVE] = "observe",
    [MECHANISM_ON] = "on",
};

static bool
take_percent(uint32_t *field, uint32_t normal, const char *value)
{
    uint64_t percent = normal;
    bool valid = !value || domain_value_number(value, PERCENT_MOST, &percent, NULL);

    *field = (uint32_t)percent;
    return valid;
}

static bool
take_weight(DomainXmlPolicy *policy, const char *value)
{
    return take_percent(&policy->weight, DOMAIN_WEIGHT_NORMAL, value);
}

static bool
take_shares(DomainXmlPolicy *policy, const char *value)
{
    return take_percent(&policy->shares, SHARES_NORMAL, value);
}

static bool
take_latency_critical(DomainXmlPolicy *policy, const char *value)
{
    size_t i = value ? domain_element_choice(value, no_yes, G_N_ELEMENTS(no_yes)) : 0;

    policy->latency_critical = i == 1;
    return i < G_N_ELEMENTS(no_yes);
}

static bool
take_group(DomainXmlPolicy *policy, const char *value)
{
    if (!value)
        return true;
    if (!domain_group_is_name(value))
        return false;
    g_free(policy->group);
    policy->group = g_strdup(value);
    return true;
}

/* Who misspells it may have meant no. */
static bool
take_merge(DomainXmlPolicy *policy, const char *value)
{
    size_t i = value ? domain_element_choice(value, no_yes, G_N_ELEMENTS(no_yes)) : 0;

    policy->merge = i == 1 ? MERGE_WISH_YES : MERGE_WISH_NO;
    if (!value)
        policy->merge = MERGE_WISH_NONE;
    return i < G_N_ELEMENTS(no_yes);
}

static bool
take_mode(MechanismMode *field, const char *value)
{
    size_t i = domain_element_choice(value, mode_words, G_N_ELEMENTS(mode_words));

    *field = i < G_N_ELEMENTS(mode_words) ? (MechanismMode)i : MECHANISM_OFF;
    return i < G_N_ELEMENTS(mode_words);
}

static bool
take_balloon_mode(DomainXmlPolicy *policy, const char *value)
{
    return take_mode(&policy->balloon_mode, value);
}

static bool
take_high_mode(DomainXmlPolicy *policy, const char *value)
{
    return take_mode(&policy->high_mode, value);
}

static bool
take_mib(uint64_t *field, const char *value)
{
    uint64_t mib = 0;

    if (value && (!domain_value_number(value, MIB_MOST, &mib, NULL) || mib == 0))
        return false;
    *field = mib * MIB;
    return true;
}

static bool
take_floor(DomainXmlPolicy *policy, const char *value)
{
    return take_mib(&policy->floor_bytes, value);
}

static bool
take_ceiling(DomainXmlPolicy *policy, const char *value)
{
    return take_mib(&policy->ceiling_bytes, value);
}

static const DomainSetting rows[] = {
    { "ksm", "weight", PERCENT_EXPECTED, "100 counts", take_weight },
    { "ksm", "latency_critical", "'no' or 'yes'", "'no' counts", take_latency_critical },
    { "ksm", "group", "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'", "none counts", take_group },
    { "ksm", "merge", "'no' or 'yes'", "'no' counts", take_merge },
    { "balloon", "mode", MODE_EXPECTED, HALT, take_balloon_mode },
    { "balloon", "floor", MIB_EXPECTED, HALT, take_floor },
    { "balloon", "ceiling", MIB_EXPECTED, HALT, take_ceiling },
    { "balloon", "shares", PERCENT_EXPECTED, HALT, take_shares },
    { "memory_high", "mode", MODE_EXPECTED, "memory.high is off for this domain", take_high_mode },
};

const DomainSetting *
domain_setting_list(size_t *ret_n)
{
    *ret_n = G_N_ELEMENTS(rows);
    return rows;
}

const DomainSetting *
domain_setting_find(const char *key)
{
    const char *dot = strchr(key, '.');

    for (size_t i = 0; dot && i < G_N_ELEMENTS(rows); i++)
        if (strlen(rows[i].element) == (size_t)(dot - key) &&
            strncmp(rows[i].element, key, (size_t)(dot - key)) == 0 &&
            strcmp(rows[i].name, dot + 1) == 0)
            return &rows[i];
    return NULL;
}

/* "ksm.weight, ksm.latency_critical, ..."; the caller frees it. */
static char *
list_keys(void)
{
    GString *list = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        g_string_append_printf(list, "%s%s.%s", i > 0 ? ", " : "", rows[i].element, rows[i].name);
    return g_string_free(list, FALSE);
}

bool
domain_setting_check(const char *key, const char *value, GError **error)
{
    const DomainSetting *setting = domain_setting_find(key);
    DomainXmlPolicy policy = { 0 };
    bool valid;

    if (!setting) {
        g_autofree char *keys = list_keys();

        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT,
                    "there is no such key: expected one of %s", keys);
        return false;
    }
    valid = !value || !*value || setting->take(&policy, value);
    g_free(policy.group);
    if (!valid)
        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_CONTENT, "%s: expected %s", key,
                    setting->expected);
    return valid;
}
