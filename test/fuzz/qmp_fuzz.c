/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp_fuzz.c - any bytes as what a QEMU in a guest's hands answers on its monitor
 *
 * What is taken for the name of an object is repeated in the next command, so it may be nothing
 * that ends a text or leaves the folder.
 */
#include "agent/virt/qmp.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Either there is a reason, or all that was promised. */
static void
check_names(const char *text)
{
    g_autofree char *detail = NULL;
    g_auto(GStrv) names = NULL;
    size_t n = 0;

    if (!qmp_read_children(text, "memory-backend-", &names, &detail)) {
        assert(detail && *detail && !names);
        return;
    }
    assert(names && !detail);
    for (; names[n]; n++) {
        assert(*names[n]);
        assert(!strpbrk(names[n], "\"\\/{}[] \n"));
    }
    assert(n <= QMP_NAMES_MAX);
}

static void
check_values(const char *text)
{
    g_autofree char *flag_detail = NULL;
    g_autofree char *detail = NULL;
    bool flag;

    assert(qmp_read_flag(text, &flag, &flag_detail) == !flag_detail);
    assert(qmp_read_nothing(text, &detail) == !detail);
    /* What is told of an error is a tenant's text, too. */
    if (detail)
        for (const char *c = detail; *c; c++)
            assert(g_ascii_isprint(*c));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);

    check_names(text);
    check_values(text);
    return 0;
}
