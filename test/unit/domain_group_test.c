/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_group_test.c - the group of a domain, out of what its definition and our settings say */
#include "agent/virt/domain_group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOVA(version, projects)                                                                    \
    "<nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/" version "'>"             \
    "<nova:name>x</nova:name><nova:owner><nova:user uuid='u1'>me</nova:user>" projects             \
    "</nova:owner></nova:instance>"
#define PROJECT(uuid) "<nova:project uuid='" uuid "'>shop</nova:project>"
#define KUBEVIRT      "<kubevirt xmlns='http://kubevirt.io'><uid>1</uid></kubevirt>"
#define GROUP(name)   "<v:policy xmlns:v='urn:virtksm:domain:1'><v:ksm group='" name "'/></v:policy>"
#define ALL           "metadata,names,title,nova,kubevirt"

static void
parse(const char *name, const char *rest, DomainXml *ret_xml)
{
    g_autofree char *text = g_strdup_printf("<domain type='kvm'><name>%s</name>%s"
                                            "<memory>262144</memory></domain>",
                                            name, rest);
    g_autoptr(GError) error = NULL;

    if (!domain_xml_parse(text, strlen(text), ret_xml, &error))
        fail_msg("%s: %s", text, error->message);
}

static void
the_first_place_that_says_a_group_decides(void **unused)
{
    static const struct {
        const char *when;
        const char *name;
        const char *rest;
        DomainGroupRules rules;
        const char *group; /* NULL: none */
    } rows[] = {
        { "says nothing", "web", "", { ALL, "" }, NULL },
        { "metadata", "web", "<metadata>" GROUP("a.b") "</metadata>", { ALL, "w*=c" }, "a.b" },
        { "by its name", "web-7", "", { ALL, "db=x, web-? = shop" }, "shop" },
        { "by the first that fits", "web-7", "", { "names", "web-*=a,web-7=b" }, "a" },
        { "an '=' in a name", "a=b", "", { "names", "a=b=c" }, "c" },
        { "no pattern fits", "web", "", { "names", "web-*=a" }, NULL },
        { "its title", "web", "<title>Shop</title>", { "title", "" }, "title:Shop" },
        { "its title, not asked for", "web", "<title>Shop</title>", { "metadata", "" }, NULL },
        { "OpenStack",
          "instance-1",
          "<metadata>" NOVA("1.1", PROJECT("p1")) "</metadata>",
          { ALL, "" },
          "nova:p1" },
        { "an older OpenStack",
          "instance-1",
          "<metadata>" NOVA("1.0", PROJECT("p1")) "</metadata>",
          { ALL, "" },
          "nova:p1" },
        { "of an unknown version",
          "instance-1",
          "<metadata>" NOVA("9.9", PROJECT("p1")) "</metadata>",
          { ALL, "" },
          NULL },
        { "two projects",
          "instance-1",
          "<metadata>" NOVA("1.1", PROJECT("p1") PROJECT("p2")) "</metadata>",
          { ALL, "" },
          "nova:p1" },
        { "a project that is no identifier",
          "instance-1",
          "<metadata>" NOVA("1.1", PROJECT("a b")) "</metadata>",
          { ALL, "" },
          NULL },
        { "KubeVirt",
          "shop_web-7",
          "<metadata>" KUBEVIRT "</metadata>",
          { ALL, "" },
          "kubevirt:shop" },
        { "a name like KubeVirt's", "shop_web-7", "", { ALL, "" }, NULL },
        { "KubeVirt with another name",
          "_web",
          "<metadata>" KUBEVIRT "</metadata>",
          { ALL, "" },
          NULL },
        { "in the order that was asked for",
          "shop_web",
          "<metadata>" GROUP("mine") KUBEVIRT "</metadata>",
          { "kubevirt, metadata", "" },
          "kubevirt:shop" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(DomainXml) xml = { 0 };
        g_autofree char *group = NULL;
        g_autoptr(GError) error = NULL;
        const char *key = NULL;

        parse(rows[i].name, rows[i].rest, &xml);
        if (!domain_group_check(&rows[i].rules, &key, &error))
            fail_msg("%s: %s", rows[i].when, error->message);
        group = domain_group_of(&xml, &rows[i].rules);
        if (g_strcmp0(group, rows[i].group) != 0)
            fail_msg("%s: %s", rows[i].when, group ? group : "none");
    }
}

static void
a_definition_without_a_name_has_no_group_by_name(void **unused)
{
    static const char text[] =
        "<domain type='kvm'><memory>262144</memory><metadata>" KUBEVIRT "</metadata></domain>";
    const DomainGroupRules rules = { ALL, "*=shop" };
    g_auto(DomainXml) xml = { 0 };
    g_autofree char *group = NULL;
    (void)unused;

    if (domain_xml_parse(text, strlen(text), &xml, NULL))
        group = domain_group_of(&xml, &rules);
    assert_null(group);
}

static void
rules_that_cannot_be_meant_are_refused(void **unused)
{
    static const struct {
        DomainGroupRules rules;
        const char *key; /* NULL: accepted */
    } rows[] = {
        { { "metadata", "" }, NULL },         { { " names , title ", "a=b" }, NULL },
        { { "", "" }, "group_from" },         { { "metadata,", "" }, "group_from" },
        { { "owner", "" }, "group_from" },    { { "names", "web" }, "names" },
        { { "names", "web=" }, "names" },     { { "names", "=shop" }, "names" },
        { { "names", "web=a b" }, "names" },  { { "names", "web=nova:p1" }, "names" },
        { { "names", "a=b,,c=d" }, "names" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *begin = g_strdup_printf("[tenancy] %s = ", rows[i].key);
        g_autoptr(GError) error = NULL;
        const char *key = NULL;
        bool valid = domain_group_check(&rows[i].rules, &key, &error);

        if (valid != !rows[i].key || g_strcmp0(key, rows[i].key) != 0 ||
            (error && !g_str_has_prefix(error->message, begin)))
            fail_msg("%s / %s: %s", rows[i].rules.from, rows[i].rules.names,
                     error ? error->message : "accepted");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_place_that_says_a_group_decides),
        cmocka_unit_test(a_definition_without_a_name_has_no_group_by_name),
        cmocka_unit_test(rules_that_cannot_be_meant_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
