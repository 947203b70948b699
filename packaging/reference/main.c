/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - fills a template: reference TEMPLATE PROTO-DIR VERSION [HELP]
 *
 * To standard output. HELP is a file with what "PROGRAM --help" printed. "@VERSION@" becomes the
 * version; any other line that begins with "%%" must be a part.
 */
#include "packaging/reference/reference.h"

#include <stdio.h>
#include <stdlib.h>

static const Part parts[] = {
    { "conf-file", conf_write_file },     { "conf-manual", conf_write_manual },
    { "commands", command_write_manual }, { "options", command_write_options },
    { "words", complete_write_words },    { "fish", complete_write_fish },
    { "settings", setting_write_manual }, { "calls", call_write_manual },
};

static bool
fill(GString *out, const char *word, const Material *material)
{
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (g_str_equal(parts[i].word, word)) {
            parts[i].write(out, material);
            return true;
        }
    }
    fprintf(stderr, "reference: there is no part %s\n", word);
    return false;
}

static void
append_line(GString *out, const char *line, const char *version)
{
    g_auto(GStrv) pieces = g_strsplit(line, "@VERSION@", -1);
    g_autofree char *text = g_strjoinv(version, pieces);

    g_string_append_printf(out, "%s\n", text);
}

static bool
expand(const char *template, const char *version, const Material *material)
{
    g_auto(GStrv) lines = g_strsplit(template, "\n", -1);
    g_autoptr(GString) out = g_string_new(NULL);

    for (size_t i = 0; lines[i] && (lines[i + 1] || *lines[i]); i++) {
        if (!g_str_has_prefix(lines[i], "%%"))
            append_line(out, lines[i], version);
        else if (!fill(out, lines[i] + 2, material))
            return false;
    }
    return fputs(out->str, stdout) >= 0 && fflush(stdout) == 0;
}

int
main(int argc, char **argv)
{
    g_autofree char *template = NULL;
    g_autofree char *help = NULL;
    g_autoptr(GError) error = NULL;
    Material material = { .proto = argc > 2 ? argv[2] : "" };

    if (argc < 4 || !g_file_get_contents(argv[1], &template, NULL, &error) ||
        (argc > 4 && !g_file_get_contents(argv[4], &help, NULL, &error))) {
        fprintf(stderr, "reference: %s\n",
                error ? error->message : "expected TEMPLATE PROTO-DIR VERSION [HELP]");
        return EXIT_FAILURE;
    }
    material.help = help;
    return expand(template, argv[3], &material) ? EXIT_SUCCESS : EXIT_FAILURE;
}
