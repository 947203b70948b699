/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doctor.c - findings, by running down the tables of checks */
#include "agent/report/doctor.h"
#include "agent/report/doctor_check.h"

static const char *const severity_names[] = {
    [DOCTOR_INFO] = "info",
    [DOCTOR_WARNING] = "warning",
    [DOCTOR_ERROR] = "error",
};
G_STATIC_ASSERT(G_N_ELEMENTS(severity_names) == DOCTOR_SEVERITY_COUNT);

const char *
doctor_severity_name(DoctorSeverity severity)
{
    return severity_names[severity];
}

static void
finding_clear(gpointer data)
{
    Finding *finding = data;

    g_free(finding->meaning);
    g_free(finding->source);
    g_free(finding->value);
}

GArray *
doctor_findings_new(void)
{
    GArray *findings = g_array_new(FALSE, FALSE, sizeof(Finding));

    g_array_set_clear_func(findings, finding_clear);
    return findings;
}

void
doctor_say(char **text, const char *format, ...)
{
    va_list arguments;

    g_free(*text);
    va_start(arguments, format);
    *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
}

static void
examine(const DoctorCheck *check, const DoctorHost *host, const Domain *domain, GArray *findings)
{
    Finding finding = { .id = check->text.id,
                        .severity = check->text.severity,
                        .domain = domain,
                        .meaning = g_strdup(check->text.meaning),
                        .source = g_strdup(check->text.source),
                        .advice = check->text.advice };

    if (check->find(host, domain, &finding))
        g_array_append_val(findings, finding); /* the list owns its texts from here */
    else
        finding_clear(&finding);
}

size_t
doctor_examine_host(const DoctorHost *host, GArray *findings)
{
    size_t n;
    const DoctorCheck *checks = doctor_host_checks(&n);

    for (size_t i = 0; i < n; i++)
        examine(&checks[i], host, NULL, findings);
    return n;
}

size_t
doctor_examine_domain(const DoctorHost *host, const Domain *domain, GArray *findings)
{
    size_t n;
    const DoctorCheck *checks = doctor_domain_checks(&n);

    for (size_t i = 0; i < n; i++)
        examine(&checks[i], host, domain, findings);
    return n;
}
