/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conf_fuzz.c - any bytes as the configuration: refused with a reason, or settings within range
 */
#define _GNU_SOURCE
#include <assert.h>
#include <string.h>

#include "agent/conf.h"
#include "agent/error.h"
#include "test/fuzz/kept_root.h"

#define FILE_NAME "virtksmd.conf"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As the rows say, for policy's settings come first in the struct. */
static void
check_value(const Knob *knob, const char *field)
{
    uint64_t number;
    unsigned word;
    char *text;

    if (knob->kind == KNOB_UINT || knob->kind == KNOB_PERCENT) {
        memcpy(&number, field, sizeof(number));
        assert(number >= knob->min && number <= knob->max);
    } else if (knob->kind == KNOB_ENUM) {
        memcpy(&word, field, sizeof(word));
        assert(word < g_strv_length((char **)(uintptr_t)knob->words));
    } else if (knob->kind == KNOB_TEXT) {
        memcpy(&text, field, sizeof(text));
        assert(text && strlen(text) >= knob->min && strlen(text) <= knob->max);
        assert(g_utf8_validate(text, -1, NULL));
    }
}

static void
check_settings(const Conf *conf)
{
    const Knob *knob;

    G_STATIC_ASSERT(offsetof(Conf, policy) == 0);
    for (size_t i = 0; (knob = conf_knob(i)); i++)
        check_value(knob, (const char *)conf + knob->offset);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FakeRoot *root = kept_root(fakeroot_new);
    g_autofree char *path = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(Conf) conf = NULL;

    fakeroot_write_bytes(root, FILE_NAME, data, size);
    path = g_build_filename(fakeroot_path(root), FILE_NAME, NULL);
    if (conf_load(path, &conf, &error)) {
        check_settings(conf);
    } else {
        assert(!conf && g_error_matches(error, AGENT_ERROR, AGENT_ERROR_CONF));
        assert(strstr(error->message, path));
    }
    return 0;
}
