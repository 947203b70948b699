/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_doctor_test.c - "virtksm doctor", by the real program */
#include "proto/virtksm.pb-c.h"
#include "test/support/fakedaemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define HEADER "id,severity,subject,name,uuid,meaning,source,value,advice\n"

/* An information about the host, and a warning about a domain. */
typedef struct {
    Virtksm__V1__DoctorResponse doctor;
    Virtksm__V1__Finding host;
    Virtksm__V1__Finding web;
    Virtksm__V1__Finding *findings[2];
    char words[16][32];
    size_t n_words;
} Answer;

static char *
word(Answer *answer, const char *text)
{
    char *copy = answer->words[answer->n_words++];

    g_strlcpy(copy, text, sizeof(answer->words[0]));
    return copy;
}

static void
fill_finding(Answer *answer, Virtksm__V1__Finding *finding, const char *id, const char *severity)
{
    virtksm__v1__finding__init(finding);
    finding->id = word(answer, id);
    finding->severity = word(answer, severity);
    finding->meaning = word(answer, "It is so.");
    finding->source = word(answer, "/proc/x");
    finding->advice = word(answer, "Mend it.");
}

static void
fill(Answer *answer, uint64_t errors, uint64_t warnings)
{
    Virtksm__V1__DoctorResponse *doctor = &answer->doctor;

    answer->n_words = 0;
    fill_finding(answer, &answer->host, "no-swap", "info");
    answer->host.subject = word(answer, "host");
    fill_finding(answer, &answer->web, "nosharepages", "warning");
    answer->web.subject = word(answer, "domain");
    answer->web.name = word(answer, "we\nb");
    answer->web.value = word(answer, "<nosharepages/>");
    answer->findings[0] = &answer->host;
    answer->findings[1] = &answer->web;
    virtksm__v1__doctor_response__init(doctor);
    doctor->findings = answer->findings;
    doctor->n_findings = 2;
    doctor->has_checks = doctor->has_errors = doctor->has_warnings = doctor->has_infos = true;
    doctor->checks = 41;
    doctor->errors = errors;
    doctor->warnings = warnings;
    doctor->infos = 1;
}

/* Runs the client on a line; it prints and ends as said. */
static void
expect(FakeDaemon *daemon, const char *line, int code, const char *want, const char *complaint)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    g_autoptr(Child) child = fakedaemon_client(daemon, (const char *const *)words);

    assert_int_equal(child_wait(child), code);
    assert_string_equal(child_out(child), want);
    if (!strstr(child_err(child), complaint))
        fail_msg("%s: %s", line, child_err(child));
}

static void
the_worst_comes_first_for_people(void **state)
{
    Answer answer;

    fill(&answer, 0, 1);
    fakedaemon_answer(*state, "Doctor", &answer.doctor.base);
    expect(*state, "doctor web", 1,
           "warning  we\\nb: It is so. [nosharepages]\n"
           "    seen:   /proc/x: <nosharepages/>\n"
           "    do:     Mend it.\n"
           "info     host: It is so. [no-swap]\n"
           "    seen:   /proc/x: there is none\n"
           "    do:     Mend it.\n"
           "\n"
           "41 checks: 0 errors, 1 warning, 1 to know\n",
           "virtksm: 0 errors and 1 warning found\n");
    assert_string_equal(fakedaemon_asked(*state), "Doctor web");
}

static void
programs_get_rows_in_the_daemons_order(void **state)
{
    Answer answer;

    fill(&answer, 1, 0);
    fakedaemon_answer(*state, "Doctor", &answer.doctor.base);
    expect(*state, "doctor --format csv", 1,
           HEADER "no-swap,info,host,,,It is so.,/proc/x,,Mend it.\n"
                  "nosharepages,warning,domain,\"we\nb\",,It is so.,/proc/x,<nosharepages/>,"
                  "Mend it.\n",
           "1 error and 0 warnings");
}

static void
what_is_merely_good_to_know_is_nothing_wrong(void **state)
{
    Answer answer;

    fill(&answer, 0, 0);
    answer.doctor.n_findings = 1;
    fakedaemon_answer(*state, "Doctor", &answer.doctor.base);
    expect(*state, "doctor", 0,
           "info     host: It is so. [no-swap]\n"
           "    seen:   /proc/x: there is none\n"
           "    do:     Mend it.\n"
           "\n"
           "41 checks: 0 errors, 0 warnings, 1 to know\n",
           "");
    answer.doctor.n_findings = 0;
    answer.doctor.infos = 0;
    fakedaemon_answer(*state, "Doctor", &answer.doctor.base);
    expect(*state, "doctor", 0, "41 checks: 0 errors, 0 warnings, 0 to know\n", "");
}

/* @n times the same of d0, d1, ...: with values that differ, as those of domains do. */
static void
expect_alike(FakeDaemon *daemon, const char *severity, size_t n, const char *want)
{
    static const char *const words[] = { "doctor", NULL };
    g_autoptr(Child) child = NULL;
    Virtksm__V1__Finding findings[5];
    Virtksm__V1__Finding *pointers[5];
    char names[5][8];
    char values[5][8];
    Answer answer;

    fill(&answer, 0, 0);
    answer.web.severity = word(&answer, severity);
    for (size_t i = 0; i < n; i++) {
        g_snprintf(names[i], sizeof(names[i]), "d%zu", i);
        g_snprintf(values[i], sizeof(values[i]), "%zu", i * 10);
        findings[i] = answer.web;
        findings[i].name = names[i];
        findings[i].value = values[i];
        pointers[i] = &findings[i];
    }
    answer.doctor.findings = pointers;
    answer.doctor.n_findings = n;
    answer.doctor.has_checks = false;
    fakedaemon_answer(daemon, "Doctor", &answer.doctor.base);
    child = fakedaemon_client(daemon, words);
    assert_int_equal(child_wait(child), 0);
    if (strcmp(child_out(child), want) != 0)
        fail_msg("%zu of %s: %s", n, severity, child_out(child));
}

#define FINDING(severity, subject, seen)                                                           \
    severity subject ": It is so. [nosharepages]\n    seen:   /proc/x: " seen                      \
                     "\n    do:     Mend it.\n"

static void
an_information_about_many_domains_is_told_once(void **state)
{
    expect_alike(*state, "info", 5,
                 FINDING("info     ", "5 domains (d0, d1, d2, ...)", "0, in the first"));
    expect_alike(*state, "info", 3,
                 FINDING("info     ", "d0", "0") FINDING("info     ", "d1", "10")
                     FINDING("info     ", "d2", "20"));
    expect_alike(*state, "warning", 4,
                 FINDING("warning  ", "d0", "0") FINDING("warning  ", "d1", "10")
                     FINDING("warning  ", "d2", "20") FINDING("warning  ", "d3", "30"));
}

static void
a_tenants_name_is_no_formula_in_a_table(void **state)
{
    static const struct {
        const char *name;
        const char *cell;
    } rows[] = {
        { "=1+2", "'=1+2" }, { "+1", "'+1" },  { "-1", "'-1" }, { "@SUM(1,2)", "\"'@SUM(1,2)\"" },
        { "\t=1", "'\t=1" }, { "a=1", "a=1" },
    };
    Answer answer;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *want = g_strdup_printf(
            HEADER "no-swap,info,host,,,It is so.,/proc/x,,Mend it.\n"
                   "nosharepages,warning,domain,%s,,It is so.,/proc/x,<nosharepages/>,Mend it.\n",
            rows[i].cell);

        fill(&answer, 1, 0);
        answer.web.name = word(&answer, rows[i].name);
        fakedaemon_answer(*state, "Doctor", &answer.doctor.base);
        expect(*state, "doctor --format csv", 1, want, "1 error and 0 warnings");
    }
}

static void
an_unknown_domain_is_no_finding(void **state)
{
    fakedaemon_refuse(*state, "Doctor", GRPC_STATUS_NOT_FOUND, "no such domain");
    expect(*state, "doctor web", 3, "", "no such domain");
}

/* What is said of a daemon that cannot be asked: one row of CSV that begins with @id. */
static void
expect_local(FakeDaemon *daemon, const char *id, const char *value)
{
    static const char *const words[] = { "doctor", "--format", "csv", NULL };
    g_autofree char *prefix = g_strdup_printf(HEADER "%s,error,host,,,", id);
    g_autoptr(Child) child = fakedaemon_client(daemon, words);

    assert_int_equal(child_wait(child), 2);
    if (!g_str_has_prefix(child_out(child), prefix) || !strstr(child_out(child), value))
        fail_msg("%s: %s", id, child_out(child));
    assert_true(g_str_has_prefix(child_err(child), "virtksm: "));
}

static void
a_daemon_that_fails_is_told_from_one_that_refuses(void **state)
{
    fakedaemon_refuse(*state, "Doctor", GRPC_STATUS_INTERNAL, "it is Monday");
    expect_local(*state, "agent-not-answering", "it is Monday");
    fakedaemon_refuse(*state, "Doctor", GRPC_STATUS_PERMISSION_DENIED, "not on Tuesday");
    expect_local(*state, "agent-refused", ",not on Tuesday,");
}

static void
a_socket_that_is_not_there_is_told_from_one_that_is_left(void **state)
{
    const char *path = fakedaemon_socket(*state);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    fakedaemon_stop(*state);
    unlink(path);
    expect_local(*state, "agent-absent", "No such file or directory");

    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    expect_local(*state, "agent-not-listening", "Connection refused");
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FAKEDAEMON_TEST(the_worst_comes_first_for_people),
        FAKEDAEMON_TEST(programs_get_rows_in_the_daemons_order),
        FAKEDAEMON_TEST(what_is_merely_good_to_know_is_nothing_wrong),
        FAKEDAEMON_TEST(an_information_about_many_domains_is_told_once),
        FAKEDAEMON_TEST(a_tenants_name_is_no_formula_in_a_table),
        FAKEDAEMON_TEST(an_unknown_domain_is_no_finding),
        FAKEDAEMON_TEST(a_daemon_that_fails_is_told_from_one_that_refuses),
        FAKEDAEMON_TEST(a_socket_that_is_not_there_is_told_from_one_that_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
