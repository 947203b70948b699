/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conf.c - the knobs, as a configuration file and as a manual */
#include "agent/conf.h"
#include "packaging/reference/reference.h"

#define WIDTH 100

/* What a knob may be, as a sentence; the caller frees it. */
static char *
values_of(const Knob *knob)
{
    g_autofree char *words = NULL;

    switch (knob->kind) {
    case KNOB_BOOL:
        return g_strdup("true or false.");
    case KNOB_ENUM:
        words = g_strjoinv(", ", (char **)(gsize)knob->words);
        return g_strdup_printf("One of %s.", words);
    case KNOB_TEXT:
        return knob->max > 100 ? g_strdup("Text.")
                               : g_strdup_printf("Text of %" G_GUINT64_FORMAT
                                                 " to %" G_GUINT64_FORMAT " characters.",
                                                 (guint64)knob->min, (guint64)knob->max);
    case KNOB_PERCENT:
        return g_strdup_printf("%g to %g, %s.", (double)knob->min / 100, (double)knob->max / 100,
                               knob->unit);
    default:
        return g_strdup_printf("%" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT "%s%s.",
                               (guint64)knob->min, (guint64)knob->max, *knob->unit ? ", " : "",
                               knob->unit);
    }
}

static void
write_file_knob(GString *out, const Knob *knob)
{
    g_autofree char *values = values_of(knob);
    g_autofree char *text = g_strdup_printf("%s %s", knob->help, values);

    g_string_append_c(out, '\n');
    wrap_append(out, text, "# ", WIDTH);
    g_string_append_printf(out, "#%s = %s\n", knob->key, knob->fallback);
}

static void
write_manual_knob(GString *out, const Knob *knob)
{
    g_autofree char *values = values_of(knob);

    g_string_append(out, ".TP\n.BI ");
    g_string_append_printf(out, "%s \" = %s\"\n", knob->key, knob->fallback);
    roff_append(out, knob->help);
    roff_append(out, values);
}

static bool
is_new_section(size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (g_str_equal(conf_knob(i)->section, conf_knob(index)->section))
            return false;
    return true;
}

/* Rows of a section need not stand together: the policy library and the agent have some each. */
static void
write_sections(GString *out, const char *head, void (*write)(GString *, const Knob *))
{
    const Knob *knob;

    for (size_t i = 0; (knob = conf_knob(i)) != NULL; i++) {
        if (!is_new_section(i))
            continue;
        g_string_append_printf(out, "%s[%s]\n", head, knob->section);
        for (size_t k = i; conf_knob(k); k++)
            if (g_str_equal(conf_knob(k)->section, knob->section))
                write(out, conf_knob(k));
    }
}

void
conf_write_file(GString *out, const Material *material)
{
    (void)material;
    write_sections(out, "\n", write_file_knob);
}

void
conf_write_manual(GString *out, const Material *material)
{
    (void)material;
    write_sections(out, ".SS ", write_manual_knob);
}
