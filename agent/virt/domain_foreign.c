/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_foreign.c - what of a definition is none of our business, before an XML parser sees it
 *
 * Anybody may keep elements of a namespace of his own in <metadata>. What such an element holds
 * must not keep us from reading the rest, and libxml2 could be made to take long for it: so it is
 * replaced by blanks. An element is foreign if its own tag declares its namespace, as an element
 * that libvirt was given for <metadata> does, and we know nothing of that namespace. Where the
 * declaration stands elsewhere or has references in it, the element stays.
 *
 * For that the text is parted into tags and what stands between them. Of a well-formed text this is
 * what libxml2 sees: quotes matter in tags only, and comments, sections and instructions are no
 * tags. Of any other text libxml2 reads no further than to the end of the tag in which the first
 * mistake is, which begins and is counted here as there. An element that ends nowhere is blanked to
 * the end of the text, so that nothing in it goes uncounted.
 *
 * Source: XML 1.0, sections 2.4 to 2.7 and 3.1; Namespaces in XML 1.0, section 3
 */
#include "agent/virt/domain_foreign.h"
#include "agent/virt/domain_element.h"

#include <string.h>

typedef struct {
    const char *name;  /* behind its '<' */
    size_t prefix;     /* bytes of the name before its ':'; 0: there is none */
    size_t length;     /* of the name */
    size_t attributes; /* that it has, declarations among them */
    const char *uri;   /* what it declares its own prefix to be; NULL: it does not */
    size_t uri_length; /* of that */
    const char *end;   /* behind its '>' */
} Tag;

typedef struct {
    const char *end;   /* of the text */
    unsigned depth;    /* open elements */
    bool in_metadata;  /* the second of them is <metadata> */
    char *foreign;     /* where the foreign element begins; NULL: we are in none */
    bool has_too_many; /* attributes in one tag */
} Scan;

static const char *
skip_blanks(const char *at, const char *end)
{
    while (at < end && g_ascii_isspace(*at))
        at++;
    return at;
}

static bool
begins(const char *at, const char *end, const char *with)
{
    size_t length = strlen(with);

    return (size_t)(end - at) >= length && memcmp(at, with, length) == 0;
}

/* Behind the next @mark, or the end. */
static const char *
skip_to(const char *at, const char *end, const char *mark)
{
    const char *found = at < end ? g_strstr_len(at, end - at, mark) : NULL;

    return found ? found + strlen(mark) : end;
}

/* Whether @at, which ends where a value begins, is xmlns:PREFIX= of the tag's own prefix. */
static bool
declares(const Tag *tag, const char *at, const char *end)
{
    at = skip_blanks(at, end);
    if (!begins(at, end, "xmlns"))
        return false;
    at += strlen("xmlns");
    if (tag->prefix > 0) {
        if ((size_t)(end - at) <= tag->prefix || *at != ':' ||
            memcmp(at + 1, tag->name, tag->prefix) != 0)
            return false;
        at += 1 + tag->prefix;
    }
    at = skip_blanks(at, end);
    return at < end && *at == '=';
}

static void
read_name(Tag *tag, const char *end)
{
    const char *at = tag->name;

    for (; at < end && !g_ascii_isspace(*at) && *at != '/' && *at != '>'; at++)
        if (*at == ':' && tag->prefix == 0)
            tag->prefix = (size_t)(at - tag->name);
    tag->length = (size_t)(at - tag->name);
}

/* What begins at @at with a '<'. */
static Tag
read_tag(const char *at, const char *end)
{
    Tag tag = { .name = at + 1, .end = end };
    const char *last;

    read_name(&tag, end);
    last = tag.name + tag.length;
    for (at = last; at < end && *at != '>'; at++) {
        const char *value = at + 1;

        if (*at != '"' && *at != '\'')
            continue;
        tag.attributes++;
        at = memchr(value, *at, (size_t)(end - value));
        if (!at)
            return tag;
        if (declares(&tag, last, value - 1)) {
            tag.uri = value;
            tag.uri_length = (size_t)(at - value);
        }
        last = at + 1;
    }
    if (at < end)
        tag.end = at + 1;
    return tag;
}

static bool
is_foreign(const Tag *tag)
{
    return tag->uri && tag->uri_length > 0 && !memchr(tag->uri, '&', tag->uri_length) &&
           !domain_element_prefix(tag->uri, tag->uri_length);
}

/* Lines stay, for those who tell of them. */
static void
blank(char *at, const char *end)
{
    for (; at < end; at++)
        if (*at != '\n')
            *at = ' ';
}

static void
end_element(Scan *scan, const char *end)
{
    if (scan->depth > 0)
        scan->depth--;
    if (scan->depth == 1)
        scan->in_metadata = false;
    if (scan->depth == 2 && scan->foreign) {
        blank(scan->foreign, end);
        scan->foreign = NULL;
    }
}

static void
begin_element(Scan *scan, char *at, const Tag *tag)
{
    if (scan->depth == 1)
        scan->in_metadata = tag->length == strlen("metadata") && begins(at, tag->end, "<metadata");
    if (scan->depth == 2 && scan->in_metadata && is_foreign(tag))
        scan->foreign = at;
    scan->has_too_many |= !scan->foreign && tag->attributes > DOMAIN_ATTRIBUTES_MAX;
    scan->depth++;
    if (tag->end - at > 2 && begins(tag->end - 2, tag->end, "/>"))
        end_element(scan, tag->end);
}

/* What begins at @at, a '<'. Return: where it ends. */
static const char *
pass(Scan *scan, char *at)
{
    Tag tag;

    if (begins(at, scan->end, "<!--"))
        return skip_to(at + strlen("<!--"), scan->end, "-->");
    if (begins(at, scan->end, "<![CDATA["))
        return skip_to(at, scan->end, "]]>");
    if (begins(at, scan->end, "<?"))
        return skip_to(at, scan->end, "?>");
    if (begins(at, scan->end, "<!")) /* a document type ends the reading */
        return scan->end;
    if (begins(at, scan->end, "</")) {
        const char *end = skip_to(at, scan->end, ">");

        end_element(scan, end);
        return end;
    }
    tag = read_tag(at, scan->end);
    begin_element(scan, at, &tag);
    return tag.end;
}

bool
domain_foreign_blank(char *text, size_t length)
{
    Scan scan = { .end = text + length };
    size_t at = 0;

    while (at < length && !scan.has_too_many) {
        const char *next = memchr(text + at, '<', length - at);

        if (!next)
            break;
        at = (size_t)(pass(&scan, text + (next - text)) - text);
    }
    if (scan.foreign)
        blank(scan.foreign, scan.end);
    return !scan.has_too_many;
}
