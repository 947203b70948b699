/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call.c - the methods, as a manual
 *
 * What a method does stands in a comment of its .proto file; who may call it is asked of the code
 * that decides.
 */
#include "agent/rpc/access.h"
#include "agent/rpc/method.h"
#include "packaging/reference/reference.h"

#include <string.h>

/* A user that is nobody special. */
#define STRANGER 65534

/* Of the group, or not. */
static bool
may(const GrpcMethod *method, bool is_member, Who domain_figures)
{
    const AccessRules rules = { "", is_member ? STRANGER : ACCESS_NO_GROUP, true, domain_figures,
                                false };
    const GrpcPeer peer = { .uid = STRANGER, .gid = STRANGER, .listener = "" };
    const char *text;

    return access_check(&rules, method, &peer, &text) == GRPC_STATUS_OK;
}

static const char *
who_may(const GrpcMethod *method)
{
    if (may(method, false, WHO_ROOT))
        return "Reads. Root and the group; all if [access] read_only_for_all.";
    if (may(method, false, WHO_ALL))
        return "Reads figures of domains. Who may, says [access] domain_figures.";
    if (!may(method, true, WHO_ROOT))
        return "Root; the group as far as [access] domain_figures and figure_grain let it.";
    return "Root and the group.";
}

/* The comment above "rpc NAME(", without its slashes; NULL: not in this text. */
static char *
comment_of(char **lines, const char *name)
{
    g_autofree char *declared = g_strdup_printf("rpc %s(", name);
    GString *text = g_string_new(NULL);

    for (size_t i = 0; lines[i]; i++) {
        const char *line = g_strstrip(lines[i]);

        if (g_str_has_prefix(line, "// "))
            g_string_append_printf(text, "%s%s", text->len > 0 ? "\n" : "", line + 3);
        else if (g_str_has_prefix(line, declared))
            return g_string_free(text, FALSE);
        else
            g_string_truncate(text, 0);
    }
    g_string_free(text, TRUE);
    return NULL;
}

static char *
comment_in(const char *folder, const char *file, const char *name)
{
    g_autofree char *path = g_build_filename(folder, file, NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return NULL;
    lines = g_strsplit(text, "\n", -1);
    return comment_of(lines, name);
}

/* Services and the files that they are in; others come from gRPC itself. */
static const char *const services[][2] = {
    { "/virtksm.v1.Agent/", "virtksm.proto" },
    { "/ksm.KSMThrottler/", "ksm.proto" },
    { "/KSMThrottler/", "throttler.proto" },
};

void
call_write_manual(GString *out, const Material *material)
{
    size_t n;
    const GrpcMethod *methods = method_list(&n);

    for (size_t i = 0; i < n; i++) {
        g_autofree char *comment = NULL;

        for (size_t s = 0; s < G_N_ELEMENTS(services); s++)
            if (g_str_has_prefix(methods[i].path, services[s][0]))
                comment = comment_in(material->proto, services[s][1],
                                     methods[i].path + strlen(services[s][0]));
        g_string_append_printf(out, ".TP\n.B %s\n", methods[i].path);
        roff_append(out, comment ? comment : "As gRPC defines it, for stock tools.");
        g_string_append(out, ".br\n");
        roff_append(out, who_may(&methods[i]));
    }
}
