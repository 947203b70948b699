/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merge_change_test.c - merging of a running domain is switched, on a QEMU that the test plays
 *
 * The domain is that of libvirt's test driver, which has no monitor: its answers are made here.
 */
#define _GNU_SOURCE
#include "agent/virt/change.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/virt/conn.h"
#include "agent/virt/merge.h"
#include "policy/arith.h"
#include "policy/sample.h"

#define UUID    "6695eb01-f6a4-8304-79aa-97f2502e193f" /* of the domain of test:///default */
#define URI     "test:///default"
#define WAIT_US 20000000
#define OFF     MERGE_VALUE_OFF
#define ON      MERGE_VALUE_ON
#define MIXED   MERGE_VALUE_MIXED

/* The machine: "name=1" for each backend, 1 where it may be merged. */
static struct {
    char names[4][16];
    bool merge[4];
    unsigned n;
    unsigned sets;         /* so far */
    unsigned refuse_after; /* sets that work; the next is an error */
    const char *says;      /* instead of any answer; NULL: it answers */
    bool is_hung;          /* libvirt gives no answer */
    bool is_gone;          /* QEMU has exited in the middle of it */
} qemu;

int __wrap_virDomainQemuMonitorCommand(virDomainPtr domain, const char *command, char **result,
                                       unsigned flags);

static char *
list(void)
{
    GString *text = g_string_new("{\"return\":[{\"name\":\"type\",\"type\":\"string\"}");

    for (unsigned i = 0; i < qemu.n; i++)
        g_string_append_printf(text, ",{\"name\":\"%s\",\"type\":\"child<memory-backend-ram>\"}",
                               qemu.names[i]);
    g_string_append(text, "],\"id\":\"libvirt-1\"}");
    return g_string_free(text, FALSE);
}

static unsigned
find(const char *command)
{
    for (unsigned i = 0; i < qemu.n; i++) {
        g_autofree char *path = g_strdup_printf("\"/objects/%s\"", qemu.names[i]);

        if (strstr(command, path))
            return i;
    }
    fail_msg("no such object: %s", command);
    return 0;
}

static char *
answer(const char *command)
{
    bool on = strstr(command, "\"value\":true") != NULL;

    if (strstr(command, "qom-list"))
        return list();
    if (strstr(command, "qom-get"))
        return g_strdup_printf("{\"return\":%s}", qemu.merge[find(command)] ? "true" : "false");
    if (qemu.sets++ >= qemu.refuse_after)
        return g_strdup("{\"error\":{\"class\":\"GenericError\",\"desc\":\"no luck\"}}");
    qemu.merge[find(command)] = on;
    return g_strdup("{\"return\":{}}");
}

int
__wrap_virDomainQemuMonitorCommand(virDomainPtr domain, const char *command, char **result,
                                   unsigned flags)
{
    g_autofree char *text = NULL;
    (void)flags;

    if (qemu.is_hung || (qemu.is_gone && qemu.sets > 0)) {
        virDomainSetMemoryFlags(domain, 0, 0); /* for an error of libvirt's own */
        return -1;
    }
    text = qemu.says ? g_strdup(qemu.says) : answer(command);
    *result = strdup(text);
    return 0;
}

static void
play(const char *machine)
{
    g_auto(GStrv) words = g_strsplit(machine, " ", -1);

    memset(&qemu, 0, sizeof(qemu));
    qemu.refuse_after = 100;
    for (; words[qemu.n] && *words[qemu.n]; qemu.n++) {
        char *equals = strchr(words[qemu.n], '=');

        *equals = '\0';
        g_strlcpy(qemu.names[qemu.n], words[qemu.n], sizeof(qemu.names[0]));
        qemu.merge[qemu.n] = equals[1] == '1';
    }
}

static char *
now(void)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < qemu.n; i++)
        g_string_append_printf(text, "%s%s=%d", i > 0 ? " " : "", qemu.names[i], qemu.merge[i]);
    return g_string_free(text, FALSE);
}

static void
note(const Change *change, const ChangeOutcome *outcome, gpointer user)
{
    ChangeOutcome *kept = user;

    (void)change;
    *kept = *outcome;
    kept->detail = g_strdup(outcome->detail);
}

static ChangeOutcome
change(const ChangeKnown *known, uint64_t want)
{
    Change one = { CHANGE_MERGE, UUID, 1, *known, want, NULL };
    g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(Change));
    const ChangeBatch batch = { URI, changes, WAIT_US };
    g_autoptr(GError) error = NULL;
    ChangeOutcome outcome = { CHANGE_RESULT_COUNT, 0, NULL };

    g_array_append_val(changes, one);
    if (!change_all_now(&batch, note, &outcome, &error))
        fail_msg("%s", error->message);
    return outcome;
}

static void
merging_is_switched_where_it_is_as_we_know_it(void **unused)
{
    static const struct {
        const char *when;
        const char *machine;
        ChangeKnown known;
        uint64_t want;
        ChangeResult result;
        const char *after;
    } rows[] = {
        { "off, the first time", "pc.ram=1", { ON, ON, ON, ON }, OFF, CHANGE_DONE, "pc.ram=0" },
        { "off, of all that it has",
          "ram-node0=1 ram-node1=1 memdimm0=1",
          { ON, ON, ON, ON },
          OFF,
          CHANGE_DONE,
          "ram-node0=0 ram-node1=0 memdimm0=0" },
        { "back on", "a=0 b=0", { ON, OFF, OFF, OFF }, ON, CHANGE_DONE, "a=1 b=1" },
        { "off by somebody else", "a=0", { ON, ON, ON, ON }, OFF, CHANGE_FOREIGN, "a=0" },
        { "off in parts by somebody else",
          "a=0 b=1",
          { ON, ON, ON, ON },
          OFF,
          CHANGE_FOREIGN,
          "a=0 b=1" },
        { "a DIMM was plugged in", "a=0 b=1", { ON, OFF, OFF, OFF }, OFF, CHANGE_DONE, "a=0 b=0" },
        { "the last way back stopped in the middle",
          "a=0 b=1",
          { ON, OFF, ON, ON },
          ON,
          CHANGE_DONE,
          "a=1 b=1" },
        { "an old machine type", "", { ON, ON, ON, ON }, OFF, CHANGE_REFUSED, "" },
    };
    (void)unused;

    virt_prepare();
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        ChangeOutcome outcome;
        g_autofree char *after = NULL;

        play(rows[i].machine);
        outcome = change(&rows[i].known, rows[i].want);
        after = now();
        if (outcome.result != rows[i].result || !g_str_equal(after, rows[i].after))
            fail_msg("%s: result %d (%s), %s", rows[i].when, (int)outcome.result,
                     outcome.detail ? outcome.detail : "", after);
        if (outcome.result == CHANGE_REFUSED && !strstr(outcome.detail, "machine type"))
            fail_msg("%s: %s", rows[i].when, outcome.detail);
        change_outcome_clear(&outcome);
    }
}

static void
what_stops_in_the_middle_may_have_happened(void **unused)
{
    static const ChangeKnown known = { ON, ON, ON, ON };
    ChangeOutcome outcome;
    (void)unused;

    virt_prepare();
    play("a=1 b=1");
    qemu.refuse_after = 1;
    outcome = change(&known, OFF);
    assert_int_equal(outcome.result, CHANGE_FAILED);
    assert_string_equal(outcome.detail, "QEMU: no luck");
    assert_false(qemu.merge[0]);
    assert_true(qemu.merge[1]);
    change_outcome_clear(&outcome);
    play("a=1 b=1");
    qemu.is_gone = true;
    outcome = change(&known, OFF);
    assert_int_equal(outcome.result, CHANGE_FAILED); /* and not refused: a part is done */
    assert_non_null(strstr(outcome.detail, "cannot set merging of b: "));
    change_outcome_clear(&outcome);
}

static void
a_monitor_that_does_not_answer_changes_nothing(void **unused)
{
    static const ChangeKnown known = { ON, ON, ON, ON };
    ChangeOutcome outcome;
    (void)unused;

    virt_prepare();
    play("a=1");
    qemu.is_hung = true;
    outcome = change(&known, OFF);
    assert_true(outcome.result != CHANGE_DONE && outcome.result != CHANGE_FOREIGN);
    assert_int_equal(outcome.found_bytes, VALUE_UNKNOWN);
    assert_true(qemu.merge[0]);
    change_outcome_clear(&outcome);
}

/* Only what the machine is made of is a reason not to ask again for long. */
static void
an_answer_that_is_none_is_asked_for_again(void **unused)
{
    static const ChangeKnown known = { ON, ON, ON, ON };
    static const char *const texts[] = {
        "{\"error\":{\"class\":\"GenericError\",\"desc\":\"not now\"}}",
        "{\"return\":7}",
        "",
        "nonsense",
    };
    (void)unused;

    virt_prepare();
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        ChangeOutcome outcome;

        play("a=1");
        qemu.says = texts[i];
        outcome = change(&known, OFF);
        if (outcome.result != CHANGE_BUSY || !outcome.detail || is_known(outcome.found_bytes))
            fail_msg("\"%s\": result %d", texts[i], (int)outcome.result);
        change_outcome_clear(&outcome);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merging_is_switched_where_it_is_as_we_know_it),
        cmocka_unit_test(what_stops_in_the_middle_may_have_happened),
        cmocka_unit_test(a_monitor_that_does_not_answer_changes_nothing),
        cmocka_unit_test(an_answer_that_is_none_is_asked_for_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
