/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_test.c - the table of running domains */
#include "agent/domain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
assert_order(const char *when, const DomainTable *table, const char *want)
{
    g_autoptr(GPtrArray) all = domain_table_sorted(table);
    g_autoptr(GString) have = g_string_new(NULL);

    for (guint i = 0; i < all->len; i++) {
        const Domain *domain = g_ptr_array_index(all, i);

        g_string_append_printf(have, "%s/%s ", domain->name, domain->uuid);
    }
    if (strcmp(have->str, want) != 0)
        fail_msg("%s: %s, want %s", when, have->str, want);
}

static void
a_new_domain_is_found_and_nothing_is_known_of_it(void **unused)
{
    char uuid[] = "u1";
    char name[] = "web";
    DomainTable table;
    Domain *domain;
    (void)unused;

    domain_table_init(&table);
    domain = domain_table_add(&table, uuid, name, 7, 1234);
    uuid[0] = name[0] = '?'; /* the table has copies */
    assert_ptr_equal(domain_table_get(&table, "u1"), domain);
    assert_string_equal(domain->name, "web");
    assert_int_equal(domain->id, 7);
    assert_int_equal(domain->seen_us, 1234);
    assert_int_equal(domain->state, DOMAIN_RUNNING);
    assert_true(domain->maximum_bytes == VALUE_UNKNOWN);
    assert_true(domain->balloon_bytes == VALUE_UNKNOWN);
    assert_true(domain->sample.resident_bytes == VALUE_UNKNOWN);
    assert_true(domain->sample.merging_pages == VALUE_UNKNOWN);
    assert_int_equal(domain->track.key, 0); /* policy has not seen it */
    assert_false(domain->has_process || domain->has_xml);
    domain_table_done(&table);
}

static void
every_start_has_a_key_of_its_own(void **unused)
{
    DomainTable table;
    uint64_t first;
    uint64_t second;
    (void)unused;

    domain_table_init(&table);
    first = domain_table_add(&table, "u1", "web", 1, 0)->key;
    second = domain_table_add(&table, "u1", "web", 2, 0)->key;
    assert_true(first != 0 && second != 0 && first != second);
    assert_int_equal(domain_table_size(&table), 1);
    assert_int_equal(domain_table_get(&table, "u1")->id, 2);
    assert_ptr_equal(domain_table_by_key(&table, second), domain_table_get(&table, "u1"));
    assert_null(domain_table_by_key(&table, first));
    assert_true(domain_table_remove(&table, "u1"));
    assert_true(domain_table_add(&table, "u1", "web", 3, 0)->key != second);
    domain_table_done(&table);
}

static void
what_was_removed_is_gone(void **unused)
{
    DomainTable table;
    (void)unused;

    domain_table_init(&table);
    domain_table_add(&table, "u1", "web", 1, 0);
    domain_table_add(&table, "u2", "db", 2, 0);
    assert_true(domain_table_remove(&table, "u1"));
    assert_false(domain_table_remove(&table, "u1"));
    assert_null(domain_table_get(&table, "u1"));
    assert_int_equal(domain_table_size(&table), 1);
    assert_order("one left", &table, "db/u2 ");
    domain_table_done(&table);
    domain_table_init(&table); /* reusable */
    assert_int_equal(domain_table_size(&table), 0);
    domain_table_done(&table);
}

static void
domains_are_listed_by_name_then_uuid(void **unused)
{
    DomainTable table;
    (void)unused;

    domain_table_init(&table);
    assert_order("none", &table, "");
    domain_table_add(&table, "u3", "web", 1, 0);
    domain_table_add(&table, "u2", "db", 2, 0);
    domain_table_add(&table, "u1", "web", 3, 0);
    assert_order("three", &table, "db/u2 web/u1 web/u3 ");
    domain_table_done(&table);
}

static void
a_person_finds_a_domain_by_name_or_uuid(void **unused)
{
    static const struct {
        const char *word;
        const char *uuid; /* NULL: none */
    } rows[] = {
        { "web", "u1" }, { "u1", "u1" }, { "u2", "u2" }, /* whoever else is called so */
        { "we", NULL },  { "", NULL },
    };
    DomainTable table;
    (void)unused;

    domain_table_init(&table);
    domain_table_add(&table, "u1", "web", 1, 0);
    domain_table_add(&table, "u2", "db", 2, 0);
    domain_table_add(&table, "u3", "u2", 3, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const Domain *found = domain_table_find(&table, rows[i].word);

        if (g_strcmp0(found ? found->uuid : NULL, rows[i].uuid) != 0)
            fail_msg("\"%s\": found %s", rows[i].word, found ? found->uuid : "none");
    }
    domain_table_done(&table);
}

static void
a_domain_without_a_definition_is_taken_for_one_that_merges(void **unused)
{
    DomainTable table;
    Domain *domain;
    (void)unused;

    domain_table_init(&table);
    domain = domain_table_add(&table, "u1", "web", 1, 0);
    assert_int_equal(domain_mergeable_bp(domain), BP_ONE);
    assert_string_equal(domain_merge_text(domain), "not known yet");
    assert_int_equal(domain_weight(domain), 100);
    assert_false(domain_is_latency_critical(domain));
    domain_table_done(&table);
}

static void
a_definition_says_whether_a_domain_merges_and_what_it_counts(void **unused)
{
    static const char text[] =
        "<domain type='kvm'><name>web</name><memory unit='KiB'>65536</memory>"
        "<memoryBacking><nosharepages/></memoryBacking>"
        "<metadata><v:policy xmlns:v='urn:virtksm:domain:1'>"
        "<v:ksm weight='50' latency_critical='yes'/></v:policy></metadata></domain>";
    g_autoptr(GError) error = NULL;
    DomainTable table;
    Domain *domain;
    (void)unused;

    domain_table_init(&table);
    domain = domain_table_add(&table, "u1", "web", 1, 0);
    domain->has_xml = domain_xml_parse(text, strlen(text), &domain->xml, &error);
    if (!domain->has_xml)
        fail_msg("%s", error->message);
    assert_int_equal(domain_mergeable_bp(domain), 0);
    assert_string_equal(domain_merge_text(domain), domain_merge_name(DOMAIN_MERGE_NOSHAREPAGES));
    assert_int_equal(domain_weight(domain), 50);
    assert_true(domain_is_latency_critical(domain));
    domain_table_done(&table); /* frees the definition too */
}

static void
every_state_has_its_word(void **unused)
{
    (void)unused;

    assert_string_equal(domain_state_name(DOMAIN_RUNNING), "running");
    assert_string_equal(domain_state_name(DOMAIN_PAUSED), "paused");
    assert_string_equal(domain_state_name(DOMAIN_STOPPING), "stopping");
    assert_string_equal(domain_state_name(DOMAIN_STATE_COUNT), "unknown");
}

static void
claims_are_a_set_and_the_last_one_counts_unless_libvirt_knows_the_domain(void **unused)
{
    static const struct {
        const char *when;
        bool is_libvirts;
        const char *claims;   /* a letter each */
        const char *unclaims; /* likewise */
        bool is_over;         /* as the last unclaim says */
    } rows[] = {
        { "one and the same", false, "a", "a", true },
        { "twice the same", false, "aa", "a", true },
        { "one of two", false, "ab", "a", false },
        { "both of two", false, "ab", "ba", true },
        { "somebody else", false, "a", "b", false },
        { "nobody has claimed it", false, "", "a", true },
        { "libvirt knows it", true, "a", "a", false },
        { "libvirt alone knows it", true, "", "a", false },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        DomainTable table;
        Domain *domain;
        bool is_over = false;

        domain_table_init(&table);
        domain = domain_table_add(&table, "u1", "web", 1, 0);
        domain->is_libvirts = rows[i].is_libvirts;
        for (const char *p = rows[i].claims; *p; p++)
            domain_claim(domain, (const char[]){ *p, '\0' });
        for (const char *p = rows[i].unclaims; *p; p++)
            is_over = domain_unclaim(domain, (const char[]){ *p, '\0' });
        if (is_over != rows[i].is_over)
            fail_msg("%s: %s", rows[i].when, is_over ? "over" : "not over");
        domain_table_done(&table);
    }
}

static void
what_a_guest_said_is_void_when_its_balloon_moves(void **unused)
{
    static const struct {
        const char *when;
        uint64_t before;
        uint64_t now;
        bool moved;
    } rows[] = {
        { "inflated", 900, 800, true },
        { "deflated", 900, 1000, true },
        { "unchanged", 900, 900, false },
        { "first told", VALUE_UNKNOWN, 900, false },
        { "not told any more", 900, VALUE_UNKNOWN, false },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        DomainTable table;
        Domain *domain;

        domain_table_init(&table);
        domain = domain_table_add(&table, "u1", "web", 7, 0);
        domain->balloon_bytes = rows[i].before;
        domain->unused_bytes = 55;
        domain_set_balloon(domain, rows[i].now);
        if (domain->balloon_bytes != rows[i].now ||
            (domain->unused_bytes == VALUE_UNKNOWN) != rows[i].moved ||
            (domain->balloon_moved_s != 0) != rows[i].moved ||
            (domain->balloon_us != 0) != (rows[i].now != rows[i].before))
            fail_msg("%s: moved at %" G_GUINT64_FORMAT, rows[i].when, domain->balloon_moved_s);
        domain_table_done(&table);
    }
}

static void
the_floor_is_that_of_the_metadata_or_else_what_is_guaranteed(void **unused)
{
    static const struct {
        const char *when;
        bool has_xml;
        uint64_t floor_bytes;
        uint64_t min_guarantee_bytes;
        uint64_t want;
    } rows[] = {
        { "nothing is known", false, 0, 0, VALUE_UNKNOWN },
        { "neither says", true, 0, 0, VALUE_UNKNOWN },
        { "the metadata", true, 5, 0, 5 },
        { "guaranteed", true, 0, 7, 7 },
        { "both: the metadata", true, 5, 7, 5 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const Domain domain = { .has_xml = rows[i].has_xml,
                                .xml = { .min_guarantee_bytes = rows[i].min_guarantee_bytes,
                                         .policy.floor_bytes = rows[i].floor_bytes } };

        if (domain_floor_bytes(&domain) != rows[i].want)
            fail_msg("%s: %" G_GUINT64_FORMAT, rows[i].when, domain_floor_bytes(&domain));
    }
}

static void
policy_is_told_what_the_definition_asks_for(void **unused)
{
    Domain domain = { 0 };
    DomainSample sample = domain_sample_unknown();
    (void)unused;

    domain_tell_wishes(&domain, &sample);
    assert_int_equal(sample.balloon_mode, MECHANISM_OFF); /* it may have to be left alone */
    assert_int_equal(sample.high_mode, MECHANISM_OFF);
    assert_int_equal(sample.shares, SHARES_NORMAL);
    assert_int_equal(sample.ceiling_bytes, VALUE_UNKNOWN);
    domain.has_xml = true;
    domain.xml.policy = (DomainXmlPolicy){ .balloon_mode = MECHANISM_ON,
                                           .high_mode = MECHANISM_OBSERVE,
                                           .floor_bytes = 3,
                                           .ceiling_bytes = 4,
                                           .shares = 5 };
    domain_tell_wishes(&domain, &sample);
    assert_int_equal(sample.balloon_mode, MECHANISM_ON);
    assert_int_equal(sample.high_mode, MECHANISM_OBSERVE);
    assert_int_equal(sample.floor_bytes, 3);
    assert_int_equal(sample.ceiling_bytes, 4);
    assert_int_equal(sample.shares, 5);
}

static void
a_domain_gets_no_more_than_the_configuration_allows(void **unused)
{
    static const struct {
        const char *when;
        KsmMode ksm;
        Enable enable;
        const char *want[MECHANISM_COUNT]; /* by what the domain asks for */
    } rows[] = {
        { "not enabled", KSM_MODE_AUTO, ENABLE_NO, { "off", "off", "off", "off" } },
        { "observed", KSM_MODE_AUTO, ENABLE_OBSERVE, { "observe", "off", "observe", "observe" } },
        { "enabled", KSM_MODE_AUTO, ENABLE_YES, { "on", "off", "observe", "on" } },
        { "KSM is off", KSM_MODE_OFF, ENABLE_YES, { "on", "off", "observe", "on" } },
        { "all is observed",
          KSM_MODE_OBSERVE,
          ENABLE_YES,
          { "observe", "off", "observe", "observe" } },
        { "that, and not enabled", KSM_MODE_OBSERVE, ENABLE_NO, { "off", "off", "off", "off" } },
    };
    (void)unused;

    for (size_t n = 0; n < G_N_ELEMENTS(rows) * MECHANISM_COUNT; n++) {
        size_t i = n / MECHANISM_COUNT;
        MechanismMode mode = n % MECHANISM_COUNT;
        Domain domain = { .has_xml = true };
        PolicyConf balloon = { .mode = rows[i].ksm, .balloon_enable = rows[i].enable };
        PolicyConf high = { .mode = rows[i].ksm, .high_enable = rows[i].enable };
        const char *is;

        domain.xml.policy.balloon_mode = mode;
        is = domain_mode_word(&domain, RECLAIM_BALLOON, &balloon);
        if (strcmp(is, rows[i].want[mode]) != 0)
            fail_msg("%s, %d: balloon: %s", rows[i].when, mode, is);
        domain.xml.policy = (DomainXmlPolicy){ .high_mode = mode };
        is = domain_mode_word(&domain, RECLAIM_HIGH, &high);
        if (strcmp(is, rows[i].want[mode]) != 0)
            fail_msg("%s, %d: memory.high: %s", rows[i].when, mode, is);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_domain_is_found_and_nothing_is_known_of_it),
        cmocka_unit_test(every_start_has_a_key_of_its_own),
        cmocka_unit_test(what_was_removed_is_gone),
        cmocka_unit_test(domains_are_listed_by_name_then_uuid),
        cmocka_unit_test(a_person_finds_a_domain_by_name_or_uuid),
        cmocka_unit_test(a_domain_without_a_definition_is_taken_for_one_that_merges),
        cmocka_unit_test(a_definition_says_whether_a_domain_merges_and_what_it_counts),
        cmocka_unit_test(every_state_has_its_word),
        cmocka_unit_test(what_a_guest_said_is_void_when_its_balloon_moves),
        cmocka_unit_test(the_floor_is_that_of_the_metadata_or_else_what_is_guaranteed),
        cmocka_unit_test(policy_is_told_what_the_definition_asks_for),
        cmocka_unit_test(a_domain_gets_no_more_than_the_configuration_allows),
        cmocka_unit_test(claims_are_a_set_and_the_last_one_counts_unless_libvirt_knows_the_domain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
