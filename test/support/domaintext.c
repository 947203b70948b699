/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domaintext.c - what is read from definitions of domains */
#include "test/support/domaintext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

DomainXml
domaintext_parse(const char *when, const char *text)
{
    DomainXml xml = { 0 };
    g_autoptr(GError) error = NULL;

    if (!domain_xml_parse(text, strlen(text), &xml, &error))
        fail_msg("%s: %s", when, error->message);
    return xml;
}

DomainXml
domaintext_fixture(const char *name)
{
    g_autofree char *path = g_build_filename(TEST_SOURCE_DIR, "fixture/domain_xml", name, NULL);
    g_autofree char *text = NULL;

    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return domaintext_parse(name, text);
}
