/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp.c - what QEMU answers on its monitor, held to what was asked
 *
 *     {"return": ..., "id": "libvirt-7"}      or      {"error": {"class": ..., "desc": ...}}
 *
 * libvirt passes both on as text and calls both a success.
 */
#include "agent/virt/qmp.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define TEXT_MAX ((size_t)1024 * 1024)
/* An answer is a list of objects in an object; the reader of JSON calls itself for each level. */
#define DEPTH_MAX      8
#define DESC_MAX       200
#define NAME_MAX_BYTES 128

static bool
fail(char **ret_detail, const char *what)
{
    *ret_detail = g_strdup(what);
    return false;
}

/* Brackets inside of strings count too: no answer that we ask for has any. */
static bool
is_modest(const char *text)
{
    unsigned depth = 0;
    size_t i;

    for (i = 0; i < TEXT_MAX && text[i]; i++) {
        if (text[i] == '{' || text[i] == '[')
            depth++;
        if (depth > DEPTH_MAX)
            return false;
        if ((text[i] == '}' || text[i] == ']') && depth > 0)
            depth--;
    }
    return i < TEXT_MAX;
}

static bool
tell_error(JsonNode *error, char **ret_detail)
{
    JsonNode *desc = JSON_NODE_HOLDS_OBJECT(error)
                         ? json_object_get_member(json_node_get_object(error), "desc")
                         : NULL;
    const char *text = desc && JSON_NODE_HOLDS_VALUE(desc) ? json_node_get_string(desc) : NULL;
    g_autofree char *clean = text ? g_strescape(text, NULL) : NULL;

    *ret_detail =
        clean ? g_strdup_printf("QEMU: %.*s", DESC_MAX, clean) : g_strdup("QEMU gave no reason");
    return false;
}

/* Return: what was returned, owned by the caller; NULL with @ret_detail. */
static JsonNode *
read_return(const char *text, char **ret_detail)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonObject *object;
    JsonNode *root;

    if (!is_modest(text) || !json_parser_load_from_data(parser, text, -1, NULL)) {
        fail(ret_detail, "expected an answer of QEMU's, found other text");
        return NULL;
    }
    root = json_parser_get_root(parser);
    object = root && JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
    if (object && json_object_has_member(object, "error"))
        tell_error(json_object_get_member(object, "error"), ret_detail);
    else if (object && json_object_has_member(object, "return"))
        return json_node_copy(json_object_get_member(object, "return"));
    else
        fail(ret_detail, "expected an answer of QEMU's, found other text");
    return NULL;
}

/* A member's text; NULL: it has none. */
static const char *
text_of(JsonNode *node, const char *member)
{
    JsonNode *value = JSON_NODE_HOLDS_OBJECT(node)
                          ? json_object_get_member(json_node_get_object(node), member)
                          : NULL;

    return value && JSON_NODE_HOLDS_VALUE(value) ? json_node_get_string(value) : NULL;
}

/* What QEMU takes for the name of an object. */
static bool
is_name(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length < NAME_MAX_BYTES &&
           strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == length;
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Return: false: a name that no command may repeat, or too many. */
static bool
add_child(GPtrArray *names, JsonNode *child, const char *prefix)
{
    const char *type = text_of(child, "type");
    const char *name = text_of(child, "name");

    if (!type || !g_str_has_prefix(type, prefix))
        return true;
    if (!name || !is_name(name) || names->len >= QMP_NAMES_MAX)
        return false;
    g_ptr_array_add(names, g_strdup(name));
    return true;
}

bool
qmp_read_children(const char *text, const char *kind, char ***ret_names, char **ret_detail)
{
    g_autofree char *prefix = g_strconcat("child<", kind, NULL);
    g_autoptr(JsonNode) answer = read_return(text, ret_detail);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    JsonArray *list;

    if (!answer)
        return false;
    if (!JSON_NODE_HOLDS_ARRAY(answer))
        return fail(ret_detail, "expected a list of objects from QEMU");
    list = json_node_get_array(answer);
    for (guint i = 0; i < json_array_get_length(list); i++)
        if (!add_child(names, json_array_get_element(list, i), prefix))
            return fail(ret_detail, "expected names of objects from QEMU, found others");
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    *ret_names = (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
    return true;
}

bool
qmp_read_flag(const char *text, bool *ret_flag, char **ret_detail)
{
    g_autoptr(JsonNode) answer = read_return(text, ret_detail);

    if (!answer)
        return false;
    if (!JSON_NODE_HOLDS_VALUE(answer) || json_node_get_value_type(answer) != G_TYPE_BOOLEAN)
        return fail(ret_detail, "expected true or false from QEMU");
    *ret_flag = json_node_get_boolean(answer);
    return true;
}

bool
qmp_read_nothing(const char *text, char **ret_detail)
{
    g_autoptr(JsonNode) answer = read_return(text, ret_detail);

    return answer != NULL;
}
