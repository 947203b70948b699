/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* merge.c - whether the memory of a running domain may be merged: read and set on QEMU's monitor */
#include "agent/virt/merge.h"

#include "agent/virt/qmp.h"

#include <libvirt/libvirt-qemu.h>
#include <stdlib.h>

#define OBJECTS "/objects"
#define BACKEND "memory-backend-"

/* Return: the answer, owned by the caller; NULL: libvirt's last error says why. */
static char *
ask(virDomainPtr domain, const char *command)
{
    char *answer = NULL;
    char *copy;

    if (virDomainQemuMonitorCommand(domain, command, &answer,
                                    VIR_DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT) < 0)
        return NULL;
    copy = g_strdup(answer ? answer : "");
    free(answer);
    return copy;
}

static bool
list_backends(virDomainPtr domain, char ***ret_names, char **ret_detail)
{
    g_autofree char *answer =
        ask(domain, "{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"" OBJECTS "\"}}");

    return answer && qmp_read_children(answer, BACKEND, ret_names, ret_detail);
}

static bool
get_one(virDomainPtr domain, const char *name, bool *ret_merge, char **ret_detail)
{
    g_autofree char *command =
        g_strdup_printf("{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"" OBJECTS "/%s\","
                        "\"property\":\"merge\"}}",
                        name);
    g_autofree char *answer = ask(domain, command);

    return answer && qmp_read_flag(answer, ret_merge, ret_detail);
}

static bool
set_one(virDomainPtr domain, const char *name, bool merge, char **ret_detail)
{
    g_autofree char *command =
        g_strdup_printf("{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"" OBJECTS "/%s\","
                        "\"property\":\"merge\",\"value\":%s}}",
                        name, merge ? "true" : "false");
    g_autofree char *answer = ask(domain, command);

    return answer && qmp_read_nothing(answer, ret_detail);
}

bool
virt_merge_read(virDomainPtr domain, uint64_t *ret_value, char **ret_detail)
{
    g_auto(GStrv) names = NULL;
    bool any = false;
    bool all = true;

    if (!list_backends(domain, &names, ret_detail))
        return false;
    for (size_t i = 0; names[i]; i++) {
        bool merge;

        if (!get_one(domain, names[i], &merge, ret_detail))
            return false;
        any = any || merge;
        all = all && merge;
    }
    if (!names[0])
        *ret_value = MERGE_VALUE_NONE;
    else if (any != all)
        *ret_value = MERGE_VALUE_MIXED;
    else
        *ret_value = all ? MERGE_VALUE_ON : MERGE_VALUE_OFF;
    return true;
}

static bool
set_unless_so(virDomainPtr domain, const char *name, bool wanted, bool *ret_written,
              char **ret_detail)
{
    bool merge;

    if (!get_one(domain, name, &merge, ret_detail))
        return false;
    if (merge == wanted)
        return true;
    *ret_written = set_one(domain, name, wanted, ret_detail);
    return *ret_written;
}

bool
virt_merge_set(virDomainPtr domain, uint64_t value, char **ret_detail)
{
    g_auto(GStrv) names = NULL;
    bool any_written = false;

    if (!list_backends(domain, &names, ret_detail))
        return false;
    for (size_t i = 0; names[i]; i++) {
        bool written = false;

        if (!set_unless_so(domain, names[i], value == MERGE_VALUE_ON, &written, ret_detail)) {
            /* Not a refusal, whatever libvirt says: a part is done. */
            if (any_written && !*ret_detail)
                *ret_detail = g_strdup_printf("cannot set merging of %s: %s", names[i],
                                              virGetLastErrorMessage());
            return false;
        }
        any_written = any_written || written;
    }
    return true;
}
