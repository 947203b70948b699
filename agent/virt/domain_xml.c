/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_xml.c - reads the definition of a domain, which is the tenant's text, safely
 *
 * The text goes through libxml2's streaming interface: no tree is built, so memory grows with the
 * elements that matter and not with the text. What a hostile text could cost is bounded one by one:
 *
 *   size         DOMAIN_XML_MAX_BYTES, before anything else is looked at
 *   metadata     that of others is left out before libxml2 sees the text
 *   entities     there are none but the five of XML itself: a document type declaration ends the
 *                reading before its first line is parsed, so nothing expands and nothing is opened
 *   encoding     UTF-8, checked by us; what the text says of its encoding is ignored
 *   attributes   libxml2 before 2.12 compares each attribute of a tag with every other: the number
 *                of them is bounded before libxml2 sees the text
 *   namespaces   libxml2 looks prefixes up one by one: their number is bounded
 *   depth, text  bounded while reading
 *
 * Nothing of this uses a switch that differs between libxml2's versions 2.9 to 2.15, and messages
 * of libxml2 never leave this file: they quote the text.
 *
 * Rejected: a tree and XPath, which cost thirty times the text in memory; XML_PARSE_HUGE.
 *
 * Source: libxml2's parser.h and xmlerror.h; its NEWS for what changed in 2.12 and 2.13.
 */
#include "agent/virt/domain_foreign.h"
#include "agent/virt/domain_policy.h"

#include <assert.h>
#include <libxml/parser.h>
#include <string.h>

/* As deep as libxml2 itself goes without XML_PARSE_HUGE. A chain of 200 disk images, libvirt's
 * limit, is 210 deep. */
#define DEPTH_MAX 256
/* Each application with <metadata> declares one. */
#define NAMESPACES_MAX 256
/* Of a name, a title or a number; libvirt refuses names longer than a file name. */
#define TEXT_MAX 4096

/* libxml2's SAX2 attributes are five pointers each. */
enum { SAX_NAME, SAX_PREFIX, SAX_URI, SAX_VALUE, SAX_END, SAX_POINTERS };

#if LIBXML_VERSION >= 21200
typedef const xmlError *XmlErrorPointer;
#else
typedef xmlError *XmlErrorPointer;
#endif

typedef struct {
    xmlParserCtxt *parser;        /* owned */
    DomainReading reading;        /* owned; what has been understood */
    const DomainElement *path[8]; /* open known elements, root first; static rows */
    unsigned depth;               /* open elements */
    unsigned known;               /* of them, known ones: they are the outermost */
    unsigned namespaces;          /* declared so far */
    GString *text;                /* owned; of the innermost known element */
    bool complete;                /* the root element has ended */
    int fault;                    /* libxml2's number of the first fatal error; 0: none */
    int fault_line;               /* where; from 1 */
} Reader;

G_DEFINE_QUARK(domain - xml - error - quark, domain_xml_error)

/* --- while libxml2 reads: nothing counts any more once an error is set
 * ------------------------------------------------------------------ */

static void
stop(Reader *reader, DomainXmlError code, const char *what)
{
    g_set_error_literal(domain_element_error(&reader->reading), DOMAIN_XML_ERROR, (int)code, what);
    xmlStopParser(reader->parser);
}

static void
refuse_doctype(void *data, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    (void)name;
    (void)external;
    (void)system;
    stop(data, DOMAIN_XML_ERROR_REFUSED, "expected no document type declaration");
}

static void
note_fault(void *data, XmlErrorPointer error)
{
    Reader *reader = data;

    if (error->level != XML_ERR_FATAL || reader->fault != 0)
        return;
    reader->fault = error->code;
    reader->fault_line = error->line;
}

/* A name as the tables have it (the caller frees it); NULL: of a namespace that does not matter. */
static char *
qualified_name(const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    const char *known = NULL;

    if (!prefix && !uri)
        return g_strdup((const char *)name);
    if (uri)
        known = domain_element_prefix((const char *)uri, strlen((const char *)uri));
    return known ? g_strconcat(known, (const char *)name, NULL) : NULL;
}

/* The row of an element; NULL: it does not matter. */
static const DomainElement *
find_element(Reader *reader, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    const DomainElement *parent = reader->known > 0 ? reader->path[reader->known - 1] : NULL;
    g_autofree char *full_name = qualified_name(name, prefix, uri);
    const DomainElement *element = full_name ? domain_element_find(parent, full_name) : NULL;

    if (!element)
        domain_policy_unknown(&reader->reading, parent,
                              g_strcmp0((const char *)uri, DOMAIN_POLICY_NAMESPACE) == 0);
    return element;
}

static void
free_attribute(gpointer data)
{
    DomainAttribute *attribute = data;

    g_free(attribute->name);
    g_free(attribute->value);
}

/* Attributes that may matter, as text that ends where it should. */
static GArray *
copy_attributes(const xmlChar **sax, int n)
{
    GArray *attributes = g_array_new(FALSE, FALSE, sizeof(DomainAttribute));

    g_array_set_clear_func(attributes, free_attribute);
    for (int i = 0; i < n; i++, sax += SAX_POINTERS) {
        DomainAttribute attribute = {
            .name = qualified_name(sax[SAX_NAME], sax[SAX_PREFIX], sax[SAX_URI]),
        };

        if (!attribute.name)
            continue;
        attribute.value =
            g_strndup((const char *)sax[SAX_VALUE], (gsize)(sax[SAX_END] - sax[SAX_VALUE]));
        g_array_append_val(attributes, attribute);
    }
    return attributes;
}

static void
enter(Reader *reader, const DomainElement *element, const xmlChar **sax, int n)
{
    g_autoptr(GArray) attributes = copy_attributes(sax, n);

    assert(reader->known < G_N_ELEMENTS(reader->path));
    reader->path[reader->known++] = element;
    g_string_truncate(reader->text, 0);
    domain_element_open(&reader->reading, element, attributes);
    if (reader->reading.error)
        xmlStopParser(reader->parser);
}

static void
start_element(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
              int n_namespaces, const xmlChar **namespaces, int n_attributes, int n_defaulted,
              const xmlChar **attributes)
{
    Reader *reader = data;
    const DomainElement *element = NULL;

    (void)namespaces;
    (void)n_defaulted;
    if (reader->reading.error)
        return;
    reader->namespaces += (unsigned)n_namespaces;
    if (reader->depth >= DEPTH_MAX || reader->namespaces > NAMESPACES_MAX) {
        stop(reader, DOMAIN_XML_ERROR_TOO_LARGE,
             "expected at most 256 nested elements and 256 namespaces");
        return;
    }
    if (reader->known == reader->depth)
        element = find_element(reader, name, prefix, uri);
    if (reader->depth == 0 && !element) {
        stop(reader, DOMAIN_XML_ERROR_CONTENT, "expected <domain> as the root element");
        return;
    }
    reader->depth++;
    if (element)
        enter(reader, element, attributes, n_attributes);
}

static void
take_text(void *data, const xmlChar *text, int length)
{
    Reader *reader = data;
    const DomainElement *element;

    if (reader->reading.error || reader->known == 0 || reader->known != reader->depth)
        return;
    element = reader->path[reader->known - 1];
    if (!element->close) {
        domain_policy_text(&reader->reading, element, (const char *)text, (size_t)length);
        return;
    }
    if (reader->text->len + (gsize)length > TEXT_MAX) {
        domain_element_fail(&reader->reading, element, "at most 4096 bytes of text");
        xmlStopParser(reader->parser);
        return;
    }
    g_string_append_len(reader->text, (const char *)text, length);
}

static void
end_element(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    Reader *reader = data;

    (void)name;
    (void)prefix;
    (void)uri;
    if (reader->reading.error)
        return;
    if (reader->known == reader->depth) {
        const DomainElement *element = reader->path[--reader->known];

        if (element->close)
            element->close(&reader->reading, element, reader->text->str);
        if (reader->reading.error)
            xmlStopParser(reader->parser);
    }
    reader->complete = --reader->depth == 0;
}

/* --- around libxml2 ----------------------------------------------------------------------- */

static bool
check_text(const char *text, size_t length, GError **error)
{
    if (length > DOMAIN_XML_MAX_BYTES) {
        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_TOO_LARGE,
                    "expected at most %u bytes, not %zu", DOMAIN_XML_MAX_BYTES, length);
        return false;
    }
    if (!g_utf8_validate_len(text, length, NULL)) {
        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_NOT_XML,
                    "expected UTF-8 without NUL bytes");
        return false;
    }
    return true;
}

/* A copy without the metadata of others (the caller frees it); NULL with @error. */
static char *
copy_ours(const char *text, size_t length, GError **error)
{
    g_autofree char *ours = NULL;

    if (!check_text(text, length, error))
        return NULL;
    ours = g_strndup(length > 0 ? text : "", length);
    if (!domain_foreign_blank(ours, length)) {
        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_TOO_LARGE,
                    "expected at most %d attributes in an element", DOMAIN_ATTRIBUTES_MAX);
        return NULL;
    }
    return g_steal_pointer(&ours);
}

static xmlParserCtxt *
new_parser(Reader *reader)
{
    xmlSAXHandler handler = {
        .initialized = XML_SAX2_MAGIC,
        .internalSubset = refuse_doctype,
        .startElementNs = start_element,
        .endElementNs = end_element,
        .characters = take_text,
        .ignorableWhitespace = take_text,
        .serror = note_fault,
    };
    int options = XML_PARSE_NONET | XML_PARSE_IGNORE_ENC;
    xmlParserCtxt *parser = xmlCreatePushParserCtxt(&handler, reader, NULL, 0, NULL);

#if LIBXML_VERSION >= 21300
    options |= XML_PARSE_NO_XXE;
#endif
    if (parser)
        xmlCtxtUseOptions(parser, options);
    return parser;
}

/* What libxml2 found, or whether it stopped short of the end. */
static void
check_end(Reader *reader)
{
    GError **error = domain_element_error(&reader->reading);

    if (reader->fault != 0)
        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_NOT_XML,
                    "expected well-formed XML (line %d, libxml2 error %d)", reader->fault_line,
                    reader->fault);
    else if (!reader->complete)
        g_set_error(error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_NOT_XML,
                    "expected a complete XML document");
}

static void
read_document(Reader *reader, const char *text, size_t length)
{
    reader->parser = new_parser(reader);
    if (!reader->parser) {
        g_set_error(&reader->reading.error, DOMAIN_XML_ERROR, DOMAIN_XML_ERROR_NOT_XML,
                    "no memory for an XML parser");
        return;
    }
    reader->text = g_string_new(NULL);
    xmlParseChunk(reader->parser, text, (int)length, 1);
    check_end(reader);
    g_string_free(reader->text, TRUE);
    xmlFreeParserCtxt(reader->parser);
}

bool
domain_xml_parse(const char *text, size_t length, DomainXml *ret_xml, GError **error)
{
    g_autofree char *ours = copy_ours(text, length, error);
    Reader reader = { 0 };
    bool valid;

    if (!ours)
        return false;
    domain_element_init(&reader.reading);
    read_document(&reader, ours, length);
    if (!reader.reading.error)
        domain_element_finish(&reader.reading);
    valid = !reader.reading.error;
    if (valid) {
        *ret_xml = reader.reading.xml; /* the caller owns it from here */
        reader.reading.xml = (DomainXml){ 0 };
    } else {
        g_propagate_error(error, g_steal_pointer(&reader.reading.error));
    }
    domain_element_done(&reader.reading);
    return valid;
}

void
domain_xml_clear(DomainXml *xml)
{
    if (!xml)
        return;
    g_free(xml->type);
    g_free(xml->name);
    g_free(xml->uuid);
    g_free(xml->title);
    g_free(xml->nova_project);
    g_free(xml->policy.fault);
    g_free(xml->policy.group);
    g_free(xml->backends);
    *xml = (DomainXml){ 0 };
}
