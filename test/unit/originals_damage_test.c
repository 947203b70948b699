/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* originals_damage_test.c - a record that is not as we wrote it is never believed */
#define _GNU_SOURCE
#include "agent/actuator/originals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/recordplace.h"

/* A run that recorded something and was killed. */
static int
setup(void **state)
{
    recordplace_setup(state);
    recordplace_leave(*state);
    return 0;
}

/* Opens what @text says. Return: the message, or NULL if the record was taken. */
static char *
damage_of(const RecordPlace *place, const char *text, gsize len)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) again = NULL;
    Originals originals;
    OriginalsOutcome outcome;

    assert_true(g_file_set_contents(place->path, text, (gssize)len, NULL));
    originals_init(&originals);
    outcome = originals_open(&originals, place->dir, RECORDPLACE_BOOT, &error);
    if (outcome == ORIGINALS_DAMAGED) {
        assert_non_null(error);
        assert_false(originals_prepare(&originals, &again));
        assert_string_equal(again->message, error->message);
        assert_false(originals_has_group(&originals, "ksm"));
    }
    originals_done(&originals);
    return error ? g_strdup(error->message) : NULL;
}

static void
a_record_cut_at_any_byte_is_damaged(void **state)
{
    const RecordPlace *place = *state;
    g_autofree char *text = NULL;
    gsize len;

    assert_true(g_file_get_contents(place->path, &text, &len, NULL));
    for (gsize cut = 0; cut < len; cut++) {
        g_autofree char *message = damage_of(place, text, cut);

        if (!message)
            fail_msg("taken although cut after %zu of %zu bytes", cut, len);
    }
    assert_null(damage_of(place, text, len));
}

static void
a_record_with_any_byte_changed_is_damaged(void **state)
{
    const RecordPlace *place = *state;
    g_autofree char *text = NULL;
    gsize len;

    assert_true(g_file_get_contents(place->path, &text, &len, NULL));
    for (gsize i = 0; i < len; i++) {
        g_autofree char *message = NULL;

        text[i] ^= 1;
        message = damage_of(place, text, len);
        if (!message)
            fail_msg("taken although byte %zu was changed", i);
        text[i] ^= 1;
    }
}

/* A whole file with a right checksum over @body. */
static char *
signed_text(const char *body)
{
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, body, -1);

    return g_strconcat(body, "# sha256 ", sum, "\n", NULL);
}

static void
damage_is_told_with_its_cause_and_what_to_do(void **state)
{
    static const struct {
        const char *when;
        const char *body; /* gets a right checksum */
        const char *raw;  /* is the file as it stands */
        const char *says;
    } rows[] = {
        { "empty", NULL, "", "the file is empty" },
        { "short", NULL, "[originals]\n", "the end is missing" },
        { "other text", NULL,
          "all work and no play makes jack a dull boy, all work and no play makes jack a dull "
          "boy\n",
          "not a checksum" },
        { "not a key file", "run=0\n", NULL, "Key file" },
        { "no version", "[originals]\nboot_id=" RECORDPLACE_BOOT "\n", NULL, "version (none)" },
        { "newer version", "[originals]\nversion=2\nboot_id=" RECORDPLACE_BOOT "\n", NULL,
          "version 2" },
        { "lines that end as on other systems",
          "[originals]\r\nversion=1\r\nboot_id=" RECORDPLACE_BOOT "\r\n[ksm]\r\nrun=0\r\n", NULL,
          "carriage returns" },
        { "no boot", "[originals]\nversion=1\n[ksm]\nrun=0\n", NULL, "which boot" },
    };
    const RecordPlace *place = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = rows[i].raw ? g_strdup(rows[i].raw) : signed_text(rows[i].body);
        g_autofree char *message = damage_of(place, text, strlen(text));

        if (!message || !strstr(message, rows[i].says) || !strstr(message, place->path) ||
            !strstr(message, "remove the file"))
            fail_msg("%s: \"%s\"", rows[i].when, message ? message : "taken");
    }
}

static void
a_right_checksum_of_our_own_making_is_taken(void **state)
{
    const RecordPlace *place = *state;
    g_autofree char *text =
        signed_text("[originals]\nversion=1\nboot_id=" RECORDPLACE_BOOT "\n[ksm]\nrun=0\n");

    assert_null(damage_of(place, text, strlen(text)));
}

#define ON_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, recordplace_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_PLACE(a_record_cut_at_any_byte_is_damaged),
        ON_PLACE(a_record_with_any_byte_changed_is_damaged),
        ON_PLACE(damage_is_told_with_its_cause_and_what_to_do),
        ON_PLACE(a_right_checksum_of_our_own_making_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
