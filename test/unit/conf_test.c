/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conf_test.c - configuration files: what they set, and what is said of those that are wrong */
#define _GNU_SOURCE
#include "agent/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/error.h"
#include "agent/log.h"
#include "test/support/fakeroot.h"

#define MAIN    "etc/virtksmd.conf"
#define DROP_IN "etc/virtksmd.conf.d/"

static char *
path_of(const FakeRoot *root, const char *path)
{
    return g_build_filename(fakeroot_path(root), path, NULL);
}

static bool
load(const FakeRoot *root, Conf **ret_conf, GError **error)
{
    g_autofree char *path = path_of(root, MAIN);

    return conf_load(path, ret_conf, error);
}

/* The configuration is refused with @want, in which "%" stands for the path of the tree; nothing
 * is handed out. */
static void
assert_refused(const char *when, const FakeRoot *root, const char *want)
{
    g_auto(GStrv) parts = g_strsplit(want, "%", -1);
    g_autofree char *prefix = g_strconcat(fakeroot_path(root), "/etc", NULL);
    g_autofree char *text = g_strjoinv(prefix, parts);
    g_autoptr(GError) error = NULL;
    Conf untouched;
    Conf *conf = &untouched;

    if (load(root, &conf, &error))
        fail_msg("%s: taken", when);
    if (conf != &untouched)
        fail_msg("%s: something was handed out", when);
    if (!g_error_matches(error, AGENT_ERROR, AGENT_ERROR_CONF))
        fail_msg("%s: error of another kind", when);
    if (strcmp(error->message, text) != 0)
        fail_msg("%s:\n%s\nwant\n%s", when, error->message, text);
}

static void
defaults_are_those_of_the_rows(void **unused)
{
    g_autoptr(Conf) conf = conf_new();
    PolicyConf policy;
    (void)unused;

    policy_conf_default(&policy);
    assert_memory_equal(&conf->policy, &policy, sizeof(policy));
    assert_int_equal(conf->log_level, LOG_LEVEL_INFO);
    assert_true(conf->restore_at_stop);
    assert_int_equal(conf->on_foreign, FOREIGN_LEAVE);
    assert_string_equal(conf->uri, "qemu:///system");
    assert_int_equal(conf->stats_period_ms, 1000);
    assert_int_equal(conf->keepalive_s, 5);
    assert_int_equal(conf->keepalive_count, 3);
    assert_false(conf->take_over);
    assert_string_equal(conf->rpc_group, "virtksm");
    assert_true(conf->working_set);
    assert_string_equal(conf->working_bins, "1,10,60,300,1200,3600");
    assert_int_equal(conf->working_age_s, 300);
    assert_int_equal(conf->working_bp, 50);
    assert_int_equal(conf->working_every_s, 60);
}

static void
every_row_is_complete_and_alone(void **unused)
{
    const Knob *knob;
    (void)unused;

    for (size_t i = 0; (knob = conf_knob(i)) != NULL; i++) {
        const Knob *other;

        if ((unsigned)knob->kind >= KNOB_KIND_COUNT || !g_str_has_suffix(knob->help, ".") ||
            !knob->unit || !knob->fallback)
            fail_msg("[%s] %s: incomplete", knob->section, knob->key);
        if ((knob->kind == KNOB_ENUM) != (knob->words != NULL))
            fail_msg("[%s] %s: words", knob->section, knob->key);
        if ((knob->kind == KNOB_UINT || knob->kind == KNOB_TEXT) && knob->min >= knob->max)
            fail_msg("[%s] %s: range", knob->section, knob->key);
        for (size_t j = 0; j < i && (other = conf_knob(j)); j++)
            if (g_str_equal(knob->section, other->section) && g_str_equal(knob->key, other->key))
                fail_msg("[%s] %s: two rows", knob->section, knob->key);
    }
    assert_int_equal(g_strv_length((char **)(gsize)log_level_words), LOG_LEVEL_COUNT);
}

static void
bins_and_age_of_the_working_set_fit_each_other(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        const char *why; /* NULL: right */
    } rows[] = {
        { "the default", "enable = false\n", NULL },
        { "other bins", "bins = 5,300\nage = 300\n", NULL },
        { "not ascending", "bins = 5,5\n", ":2: [working_set] bins = 5,5: expected up to 15" },
        { "no number", "bins = 1 min\n", "expected up to 15 whole numbers" },
        { "an age beyond the bins", "bins = 5,60\n",
          ":2: [working_set] age = 300: expected at most the last of the bins, 60 seconds" },
        { "an age that is given", "bins = 5,60\nage = 61\n",
          ":3: [working_set] age = 61: expected at most the last of the bins, 60 seconds" },
        { "too large a budget", "budget = 10.01\n", "expected a number from 0.01 to 10" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakeroot_new();
        g_autoptr(GError) error = NULL;
        g_autoptr(Conf) conf = NULL;

        fakeroot_write(root, MAIN, "[working_set]\n%s", rows[i].text);
        if (load(root, &conf, &error) != (rows[i].why == NULL))
            fail_msg("%s: %s", rows[i].when, error ? error->message : "taken");
        if (rows[i].why && !strstr(error->message, rows[i].why))
            fail_msg("%s: %s", rows[i].when, error->message);
    }
}

static void
every_knob_can_be_set_in_a_file(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(Conf) conf = NULL;
    (void)unused;

    fakeroot_write(root, MAIN,
                   "# comment\n"
                   "\n"
                   "[agent]\n"
                   "log_level = debug\n"
                   "restore_at_stop=false\n"
                   "on_foreign_change = adopt\n"
                   "[libvirt]\n"
                   "uri = test:///default   \n"
                   "stats_period_ms = 250\n"
                   "keepalive_s = 1\n"
                   "keepalive_count = 100\n"
                   "[rpc]\n"
                   "  group = wheel\n"
                   "[ksm]\n"
                   "mode = classic\n"
                   "take_over = true\n"
                   "cpu_burst = 12.5\n"
                   "aggressive_s = 31\n"
                   "fixed_pages = 4294967295\n");
    if (!load(root, &conf, &error))
        fail_msg("%s", error->message);
    assert_int_equal(conf->log_level, LOG_LEVEL_DEBUG);
    assert_false(conf->restore_at_stop);
    assert_int_equal(conf->on_foreign, FOREIGN_ADOPT);
    assert_string_equal(conf->uri, "test:///default");
    assert_int_equal(conf->stats_period_ms, 250);
    assert_int_equal(conf->keepalive_s, 1);
    assert_int_equal(conf->keepalive_count, 100);
    assert_string_equal(conf->rpc_group, "wheel");
    assert_int_equal(conf->policy.mode, KSM_MODE_CLASSIC);
    assert_true(conf->take_over);
    assert_int_equal(conf->policy.cpu_burst_bp, 1250);
    assert_int_equal(conf->policy.aggressive_s, 31);
    assert_true(conf->policy.fixed_pages == 4294967295);
    assert_int_equal(conf->policy.standard_s, 120); /* not named: default */
}

static void
what_is_wrong_is_said_with_file_line_key_value_and_expectation(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        const char *want;
    } rows[] = {
        { "no number", "[ksm]\ncpu_burst = fast\n",
          "%/virtksmd.conf:2: [ksm] cpu_burst = fast: expected a number from 0 to 100 with at most "
          "two decimals, "
          "percent of one CPU" },
        { "too large", "[ksm]\n\n\ncpu_burst = 101\n",
          "%/virtksmd.conf:4: [ksm] cpu_burst = 101: expected a number from 0 to 100 with at most "
          "two decimals, "
          "percent of one CPU" },
        { "too small, no unit", "[ksm]\naggressive_divisor = 0\n",
          "%/virtksmd.conf:2: [ksm] aggressive_divisor = 0: expected a whole number from 1 to "
          "1000000" },
        { "negative", "[ksm]\nslow_ms = -1\n",
          "%/virtksmd.conf:2: [ksm] slow_ms = -1: expected a whole number from 0 to 3600000, "
          "milliseconds" },
        { "with a sign", "[ksm]\nslow_ms = +1\n",
          "%/virtksmd.conf:2: [ksm] slow_ms = +1: expected a whole number from 0 to 3600000, "
          "milliseconds" },
        { "hexadecimal", "[ksm]\nslow_ms = 0x10\n",
          "%/virtksmd.conf:2: [ksm] slow_ms = 0x10: expected a whole number from 0 to 3600000, "
          "milliseconds" },
        { "with a unit", "[ksm]\nslow_ms = 5 ms\n",
          "%/virtksmd.conf:2: [ksm] slow_ms = 5 ms: expected a whole number from 0 to 3600000, "
          "milliseconds" },
        { "beyond 64 bits", "[ksm]\nslow_ms = 99999999999999999999999\n",
          "%/virtksmd.conf:2: [ksm] slow_ms = 99999999999999999999999: expected a whole number "
          "from 0 to 3600000, milliseconds" },
        { "empty number", "[ksm]\nslow_ms =\n",
          "%/virtksmd.conf:2: [ksm] slow_ms = : expected a whole number from 0 to 3600000, "
          "milliseconds" },
        { "no truth", "[ksm]\ntake_over = yes\n",
          "%/virtksmd.conf:2: [ksm] take_over = yes: expected true or false" },
        { "unknown word", "[ksm]\nmode = turbo\n",
          "%/virtksmd.conf:2: [ksm] mode = turbo: expected one of auto, classic, fixed, observe, "
          "off" },
        { "word in capitals", "[agent]\nlog_level = Info\n",
          "%/virtksmd.conf:2: [agent] log_level = Info: expected one of error, warning, info, "
          "debug" },
        { "empty text", "[libvirt]\nuri =\n",
          "%/virtksmd.conf:2: [libvirt] uri = : expected 1 to 1024 characters" },
        { "unknown key", "[ksm]\nmode = auto\nspeed = 3\n",
          "%/virtksmd.conf:3: [ksm] speed: no such key in this section" },
        { "key of another section", "[agent]\nmode = auto\n",
          "%/virtksmd.conf:2: [agent] mode: no such key in this section" },
        { "unknown section", "[ksm]\nmode = auto\n\n[kms]\nmode = auto\n",
          "%/virtksmd.conf:4: [kms]: no such section" },
        { "unknown section without keys", "[kms]\n", "%/virtksmd.conf:1: [kms]: no such section" },
        { "given twice", "[ksm]\nmode = auto\nslow_ms = 5\nmode = auto\n",
          "%/virtksmd.conf:4: [ksm] mode: expected once, is given again" },
        { "given twice in two parts of a section", "[ksm]\nmode = auto\n[rpc]\n[ksm]\nmode=off\n",
          "%/virtksmd.conf:5: [ksm] mode: expected once, is given again" },
        { "the same key of another section is no double",
          "[agent]\nlog_level = info\n[ksm]\nlog_level = info\n",
          "%/virtksmd.conf:4: [ksm] log_level: no such key in this section" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakeroot_new();

        fakeroot_write(root, MAIN, "%s", rows[i].text);
        assert_refused(rows[i].when, root, rows[i].want);
    }
}

static void
what_is_no_ini_file_is_refused_at_its_line(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        unsigned line;
    } rows[] = {
        { "a key before any section", "mode = auto\n", 1 },
        { "a word alone", "[ksm]\nmode = auto\nnonsense\n", 3 },
        { "a section left open", "[agent]\n\n[ksm\nmode = auto\n", 3 },
        { "behind empty lines", "\n\n\nnonsense\n", 4 },
        { "without a line end", "[ksm]\nnonsense", 2 },
        { "no key before the sign", "[ksm]\n= 3\n", 2 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakeroot_new();
        g_autofree char *want = NULL;
        g_autoptr(GError) error = NULL;
        Conf *conf = NULL;

        fakeroot_write(root, MAIN, "%s", rows[i].text);
        want = g_strdup_printf("%s/" MAIN ":%u: expected [section], key = value or a # comment: ",
                               fakeroot_path(root), rows[i].line);
        if (load(root, &conf, &error))
            fail_msg("%s: taken", rows[i].when);
        if (!g_str_has_prefix(error->message, want))
            fail_msg("%s: %s\nwant %s", rows[i].when, error->message, want);
    }
}

static void
what_is_no_utf8_text_is_refused(void **unused)
{
    static const struct {
        const char *when;
        const char *bytes;
        size_t length;
    } rows[] = {
        { "latin 1", "[ksm]\n# \xfc\n", 9 },
        { "cut off character", "[ksm]\n# \xc3", 9 },
        { "a NUL in a value", "[ksm]\nmode = auto\0x\n", 20 },
        { "a NUL at the end", "[ksm]\nmode = auto\n\0", 19 },
        { "nothing but a NUL", "\0", 1 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakeroot_new();

        fakeroot_write_bytes(root, MAIN, rows[i].bytes, rows[i].length);
        assert_refused(rows[i].when, root,
                       "%/virtksmd.conf: expected UTF-8 text, found other bytes");
    }
}

static void
harmless_shapes_of_a_file_are_taken(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        KsmMode mode;
    } rows[] = {
        { "empty", "", KSM_MODE_AUTO },
        { "empty lines", "\n\n \n", KSM_MODE_AUTO },
        { "comments", "# nothing\n#[ksm]\n#mode = off\n", KSM_MODE_AUTO },
        { "a section without keys", "[ksm]\n", KSM_MODE_AUTO },
        { "no line end", "[ksm]\nmode = off", KSM_MODE_OFF },
        { "lines of another system", "[ksm]\r\nmode = off\r\n\r\n", KSM_MODE_OFF },
        { "no blanks", "[ksm]\nmode=off\n", KSM_MODE_OFF },
        { "many blanks", "  [ksm]  \n\t mode\t=\t off \t\n", KSM_MODE_OFF },
        { "a section in two parts", "[ksm]\nslow_s = 7\n[rpc]\n[ksm]\nmode = off\n", KSM_MODE_OFF },
        { "a comment that looks like a double", "[ksm]\n#mode = auto\nmode = off\n", KSM_MODE_OFF },
        { "UTF-8 in a comment", "[ksm]\n# m\xc3\xbc\xc3\x9fig\nmode = off\n", KSM_MODE_OFF },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakeroot_new();
        g_autoptr(GError) error = NULL;
        g_autoptr(Conf) conf = NULL;

        fakeroot_write(root, MAIN, "%s", rows[i].text);
        if (!load(root, &conf, &error))
            fail_msg("%s: %s", rows[i].when, error->message);
        if (conf->policy.mode != rows[i].mode)
            fail_msg("%s: mode %s", rows[i].when, ksm_mode_words[conf->policy.mode]);
    }
}

/* Desktop files have translations, settings have not: GLib's parser must not drop them unseen. */
static void
a_key_with_a_language_is_an_unknown_key(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    (void)unused;

    fakeroot_write(root, MAIN, "[ksm]\nmode[de] = classic\n");
    assert_refused("a language", root,
                   "%/virtksmd.conf:2: [ksm] mode[de]: no such key in this section");
}

static void
a_file_that_was_named_must_exist_and_be_one(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    g_autofree char *want = NULL;
    g_autoptr(GError) error = NULL;
    Conf *conf = NULL;
    (void)unused;

    want = g_strdup_printf("%s/" MAIN ": expected a readable file: ", fakeroot_path(root));
    assert_false(load(root, &conf, &error));
    assert_true(g_str_has_prefix(error->message, want));
    assert_true(g_str_has_suffix(error->message, "No such file or directory"));
    g_clear_error(&error);
    fakeroot_write(root, MAIN "/in-the-way", "\n");
    assert_false(load(root, &conf, &error));
    assert_true(g_str_has_prefix(error->message, want));
    assert_true(g_str_has_suffix(error->message, "Is a directory"));
    assert_null(conf);
}

static void
drop_ins_are_read_in_the_order_of_their_names_and_the_last_wins(void **unused)
{
    static const FakeFile files[] = {
        { MAIN, "[ksm]\nmode = fixed\nslow_s = 1\nslow_ms = 1\n" },
        { DROP_IN "20-late.conf", "[ksm]\nslow_s = 20\n" },
        { DROP_IN "10-early.conf", "[ksm]\nslow_s = 10\nmode = off\n" },
        { DROP_IN "9-latest.conf", "[ksm]\naggressive_s = 9\nslow_s = 9\n" },
        { DROP_IN "99-no.txt", "[ksm]\nslow_s = 99\n" },
        { DROP_IN "99-no.conf~", "nonsense" },
        { DROP_IN ".99-hidden.conf", "nonsense" },
    };
    g_autoptr(FakeRoot) root = fakeroot_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(Conf) conf = NULL;
    (void)unused;

    fakeroot_write_table(root, files, G_N_ELEMENTS(files));
    if (!load(root, &conf, &error))
        fail_msg("%s", error->message);
    assert_int_equal(conf->policy.slow_s, 9); /* "9" comes after "20", as text does */
    assert_int_equal(conf->policy.aggressive_s, 9);
    assert_int_equal(conf->policy.mode, KSM_MODE_OFF);
    assert_int_equal(conf->policy.slow_ms, 1);
}

static void
a_drop_in_that_is_wrong_is_named(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    (void)unused;

    fakeroot_write(root, MAIN, "[ksm]\nmode = off\n");
    fakeroot_write(root, DROP_IN "10-good.conf", "[ksm]\nslow_s = 3\n");
    fakeroot_write(root, DROP_IN "20-bad.conf", "[ksm]\n\nmode = turbo\n");
    assert_refused("bad drop-in", root,
                   "%/virtksmd.conf.d/20-bad.conf:3: [ksm] mode = turbo: expected one of auto, "
                   "classic, fixed, observe, off");
}

static void
the_place_of_a_setting_is_where_it_was_made_last(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(Conf) conf = NULL;
    g_autofree char *main_place = g_strdup_printf("%s/" MAIN ":2: ", fakeroot_path(root));
    g_autofree char *late_place =
        g_strdup_printf("%s/" DROP_IN "20-late.conf:3: ", fakeroot_path(root));
    (void)unused;

    fakeroot_write(root, MAIN, "[ksm]\nmode = off\nslow_s = 1\n");
    fakeroot_write(root, DROP_IN "20-late.conf", "[ksm]\n\nslow_s = 3\n");
    if (!load(root, &conf, &error))
        fail_msg("%s", error->message);
    assert_string_equal(conf_place(conf, "ksm", "mode"), main_place);
    assert_string_equal(conf_place(conf, "ksm", "slow_s"), late_place);
    assert_string_equal(conf_place(conf, "ksm", "slow_ms"), "");
}

static void
one_knob_is_set_or_left_as_it_was(void **unused)
{
    static const struct {
        const char *when;
        const char *section;
        const char *key;
        const char *value;
        const char *want; /* NULL: taken */
    } rows[] = {
        { "a word", "ksm", "mode", "off", NULL },
        { "another word", "ksm", "mode", "turbo",
          "[ksm] mode = turbo: expected one of auto, classic, fixed, observe, off" },
        { "a text", "libvirt", "uri", "none", NULL },
        { "no text", "libvirt", "uri", "", "[libvirt] uri = : expected 1 to 1024 characters" },
        { "no key", "libvirt", "url", "x", "[libvirt] url: no such key in this section" },
        { "no section", "lib%svirt", "uri", "x", "[lib%svirt] uri: no such section" },
    };
    g_autoptr(Conf) conf = conf_new();
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        bool taken = conf_set(conf, rows[i].section, rows[i].key, rows[i].value, &error);

        if (taken != (rows[i].want == NULL))
            fail_msg("%s: %s", rows[i].when, taken ? "taken" : error->message);
        if (!taken && strcmp(error->message, rows[i].want) != 0)
            fail_msg("%s: %s, want %s", rows[i].when, error->message, rows[i].want);
    }
    assert_int_equal(conf->policy.mode, KSM_MODE_OFF);
    assert_string_equal(conf->uri, "none");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_rows),
        cmocka_unit_test(every_row_is_complete_and_alone),
        cmocka_unit_test(bins_and_age_of_the_working_set_fit_each_other),
        cmocka_unit_test(every_knob_can_be_set_in_a_file),
        cmocka_unit_test(what_is_wrong_is_said_with_file_line_key_value_and_expectation),
        cmocka_unit_test(what_is_no_ini_file_is_refused_at_its_line),
        cmocka_unit_test(what_is_no_utf8_text_is_refused),
        cmocka_unit_test(harmless_shapes_of_a_file_are_taken),
        cmocka_unit_test(a_key_with_a_language_is_an_unknown_key),
        cmocka_unit_test(a_file_that_was_named_must_exist_and_be_one),
        cmocka_unit_test(drop_ins_are_read_in_the_order_of_their_names_and_the_last_wins),
        cmocka_unit_test(a_drop_in_that_is_wrong_is_named),
        cmocka_unit_test(the_place_of_a_setting_is_where_it_was_made_last),
        cmocka_unit_test(one_knob_is_set_or_left_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
