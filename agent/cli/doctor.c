/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor.c - "virtksm doctor": what keeps memory from being merged or reclaimed
 *
 * Its exit codes are its own, as monitoring wants them: 0 nothing is wrong, 1 warnings or errors
 * were found, 2 it could not ask. In the last case the findings are those that doctor_local.c has
 * about why.
 */
#include "agent/cli/call.h"
#include "agent/cli/command.h"
#include "agent/cli/csv.h"
#include "agent/cli/doctor_local.h"
#include "agent/cli/result.h"
#include "agent/cli/text.h"
#include "proto/virtksm.pb-c.h"

#include <inttypes.h>

/* So many domains of a group are named; a group is larger. */
#define NAMES_SHOWN 3

static const CallMethod doctor_method = { "/virtksm.v1.Agent/Doctor",
                                          &virtksm__v1__doctor_response__descriptor, true };

static void
append_part(GString *out, const char *key, const char *text)
{
    g_autofree char *escaped = text_escape(text);

    g_string_append_printf(out, "    %-7s %s\n", key, escaped);
}

/* "1 error", "2 errors" */
static char *
counted(uint64_t n, const char *what)
{
    return g_strdup_printf("%" PRIu64 " %s%s", n, what, n == 1 ? "" : "s");
}

/* What findings have in common if they say the same of several domains. */
static char *
make_kind(const Virtksm__V1__Finding *finding)
{
    return g_strjoin("\n", finding->severity ? finding->severity : "",
                     finding->id ? finding->id : "", finding->meaning ? finding->meaning : "",
                     finding->advice ? finding->advice : "", NULL);
}

/* Return: kind -> its findings in their order (borrowed); free with g_hash_table_unref(). */
static GHashTable *
group_findings(const Virtksm__V1__DoctorResponse *doctor)
{
    GHashTable *groups =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);

    for (size_t i = 0; i < doctor->n_findings; i++) {
        g_autofree char *kind = make_kind(doctor->findings[i]);
        GPtrArray *group = g_hash_table_lookup(groups, kind);

        if (!group) {
            group = g_ptr_array_new();
            g_hash_table_insert(groups, g_steal_pointer(&kind), group);
        }
        g_ptr_array_add(group, doctor->findings[i]);
    }
    return groups;
}

/* Whose a finding is: "host", "web", or of a group "40 domains (a, b, c, ...)". */
static char *
name_subject(const GPtrArray *group)
{
    const Virtksm__V1__Finding *first = g_ptr_array_index(group, 0);
    g_autoptr(GString) names = g_string_new(NULL);

    if (group->len == 1)
        return text_escape(first->name ? first->name : "host");
    for (guint i = 0; i < NAMES_SHOWN; i++) {
        const Virtksm__V1__Finding *finding = g_ptr_array_index(group, i);
        g_autofree char *name = text_escape(finding->name ? finding->name : "");

        g_string_append_printf(names, "%s, ", name);
    }
    return g_strdup_printf("%u domains (%s...)", group->len, names->str);
}

/* One finding, or several that say the same: then what was seen is that of the first. */
static void
append_group(GString *out, const GPtrArray *group)
{
    const Virtksm__V1__Finding *finding = g_ptr_array_index(group, 0);
    g_autofree char *subject = name_subject(group);
    g_autofree char *id = text_escape(finding->id);
    g_autofree char *meaning = text_escape(finding->meaning);
    g_autofree char *severity = text_escape(finding->severity);
    g_autofree char *evidence = g_strdup_printf("%s: %s%s", finding->source,
                                                finding->value ? finding->value : "there is none",
                                                group->len > 1 ? ", in the first" : "");

    g_string_append_printf(out, "%-7s  %s: %s [%s]\n", severity, subject, meaning, id);
    append_part(out, "seen:", evidence);
    append_part(out, "do:", finding->advice);
}

static void
append_finding(GString *out, GHashTable *groups, Virtksm__V1__Finding *finding)
{
    g_autofree char *kind = make_kind(finding);
    const GPtrArray *group = g_hash_table_lookup(groups, kind);
    g_autoptr(GPtrArray) alone = NULL;

    if (group->len > NAMES_SHOWN && g_strcmp0(finding->severity, "info") == 0) {
        if (g_ptr_array_index(group, 0) == finding)
            append_group(out, group);
        return;
    }
    alone = g_ptr_array_new();
    g_ptr_array_add(alone, finding);
    append_group(out, alone);
}

static void
append_sums(GString *out, const Virtksm__V1__DoctorResponse *doctor)
{
    g_autofree char *checks = counted(doctor->checks, "check");
    g_autofree char *errors = counted(doctor->errors, "error");
    g_autofree char *warnings = counted(doctor->warnings, "warning");

    g_string_append_printf(out, "%s%s: %s, %s, %" PRIu64 " to know\n",
                           doctor->n_findings > 0 ? "\n" : "", checks, errors, warnings,
                           doctor->infos);
}

static void
append_table(const Cli *cli, const ProtobufCMessage *message, GString *out)
{
    static const char *const order[] = { "error", "warning", "info" };
    const Virtksm__V1__DoctorResponse *doctor = (const Virtksm__V1__DoctorResponse *)message;
    g_autoptr(GHashTable) groups = group_findings(doctor);

    (void)cli;
    for (size_t o = 0; o < G_N_ELEMENTS(order); o++)
        for (size_t i = 0; i < doctor->n_findings; i++)
            if (g_strcmp0(doctor->findings[i]->severity, order[o]) == 0)
                append_finding(out, groups, doctor->findings[i]);
    if (doctor->has_checks)
        append_sums(out, doctor);
}

static void
append_csv(const ProtobufCMessage *message, GString *out)
{
    const Virtksm__V1__DoctorResponse *doctor = (const Virtksm__V1__DoctorResponse *)message;

    csv_append_header(out, NULL, &virtksm__v1__finding__descriptor);
    for (size_t i = 0; i < doctor->n_findings; i++)
        csv_append_row(out, NULL, &doctor->findings[i]->base);
}

static const ResultPrinter printer = { append_table, append_csv };

/* What is seen from here goes to standard output; the failure itself stays the error. */
static void
tell_local(const Cli *cli, const char *socket, const GError *reason, GError *failure)
{
    Virtksm__V1__DoctorResponse *doctor = g_new(Virtksm__V1__DoctorResponse, 1);
    g_autoptr(ProtobufCMessage) message = &doctor->base;

    virtksm__v1__doctor_response__init(doctor);
    doctor->findings = g_new(Virtksm__V1__Finding *, 1);
    doctor->findings[0] = doctor_local_look(socket, reason, failure->message);
    doctor->n_findings = 1;
    failure->code = CLI_NOT_ASKED;
    result_print(cli, message, &printer, NULL); /* that asking failed is the worse news */
}

static ProtobufCMessage *
ask(const Cli *cli, GError **error)
{
    Virtksm__V1__DoctorRequest request = VIRTKSM__V1__DOCTOR_REQUEST__INIT;
    g_autofree char *socket = call_socket(cli, &doctor_method);
    g_autoptr(GError) reason = NULL;
    g_autoptr(GError) failure = NULL;
    ProtobufCMessage *response;

    request.domain = cli->argument;
    response = call_at(socket, &doctor_method, &request.base, &reason);
    if (response)
        return response;
    call_fail(&failure, socket, reason);
    if (failure->code == CLI_FAILED)
        tell_local(cli, socket, reason, failure);
    g_propagate_error(error, g_steal_pointer(&failure));
    return NULL;
}

bool
doctor_run(const Cli *cli, GError **error)
{
    g_autoptr(ProtobufCMessage) response = ask(cli, error);
    g_autofree char *errors = NULL;
    g_autofree char *warnings = NULL;
    const Virtksm__V1__DoctorResponse *doctor;

    if (!response || !result_print(cli, response, &printer, error))
        return false;
    doctor = (const Virtksm__V1__DoctorResponse *)response;
    if (doctor->errors + doctor->warnings == 0)
        return true;
    errors = counted(doctor->errors, "error");
    warnings = counted(doctor->warnings, "warning");
    g_set_error(error, CLI_ERROR, CLI_FOUND, "%s and %s found", errors, warnings);
    return false;
}
