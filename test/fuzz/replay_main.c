/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replay_main.c - runs a fuzz target on each file of its corpus, as an ordinary test
 *
 * What a fuzzer has found once stays found, in builds without one too. A crash is the failure; the
 * input it happened on is the last that was named.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
replay_file(const char *directory, const char *name)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autofree char *content = NULL;
    g_autofree uint8_t *exact = NULL;
    g_autoptr(GError) error = NULL;
    gsize length;

    printf("%s\n", name);
    fflush(stdout); /* a crash must not lose the name */
    if (!g_file_get_contents(path, &content, &length, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return false;
    }
    /* Without the NUL that GLib adds: sanitizers see who reads beyond the end. */
    exact = g_memdup2(content, length);
    LLVMFuzzerTestOneInput(exact, length);
    return true;
}

int
main(int argc, char **argv)
{
    g_autoptr(GDir) directory = argc == 2 ? g_dir_open(argv[1], 0, NULL) : NULL;
    unsigned n_replayed = 0;
    const char *name;

    if (!directory) {
        fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
        return EXIT_FAILURE;
    }
    while ((name = g_dir_read_name(directory))) {
        if (!replay_file(argv[1], name))
            return EXIT_FAILURE;
        n_replayed++;
    }
    printf("%u inputs replayed\n", n_replayed);
    return n_replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
