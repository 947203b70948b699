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

static const CallMethod doctor_method = { "/virtksm.v1.Agent/Doctor",
                                          &virtksm__v1__doctor_response__descriptor, true };

static void
append_part(GString *out, const char *key, const char *text)
{
    g_autofree char *escaped = text_escape(text);

    g_string_append_printf(out, "    %-7s %s\n", key, escaped);
}

static void
append_finding(GString *out, const Virtksm__V1__Finding *finding)
{
    g_autofree char *subject = text_escape(finding->name ? finding->name : "host");
    g_autofree char *id = text_escape(finding->id);
    g_autofree char *meaning = text_escape(finding->meaning);
    g_autofree char *severity = text_escape(finding->severity);
    g_autofree char *evidence = g_strdup_printf("%s: %s", finding->source,
                                                finding->value ? finding->value : "there is none");

    g_string_append_printf(out, "%-7s  %s: %s [%s]\n", severity, subject, meaning, id);
    append_part(out, "seen:", evidence);
    append_part(out, "do:", finding->advice);
}

static void
append_table(const Cli *cli, const ProtobufCMessage *message, GString *out)
{
    static const char *const order[] = { "error", "warning", "info" };
    const Virtksm__V1__DoctorResponse *doctor = (const Virtksm__V1__DoctorResponse *)message;

    (void)cli;
    for (size_t o = 0; o < G_N_ELEMENTS(order); o++)
        for (size_t i = 0; i < doctor->n_findings; i++)
            if (g_strcmp0(doctor->findings[i]->severity, order[o]) == 0)
                append_finding(out, doctor->findings[i]);
    if (doctor->has_checks)
        g_string_append_printf(out,
                               "%s%" PRIu64 " checks: %" PRIu64 " errors, %" PRIu64
                               " warnings, %" PRIu64 " to know\n",
                               doctor->n_findings > 0 ? "\n" : "", doctor->checks, doctor->errors,
                               doctor->warnings, doctor->infos);
}

static void
append_csv(const ProtobufCMessage *message, GString *out)
{
    static const char *const lead[] = { NULL };
    const Virtksm__V1__DoctorResponse *doctor = (const Virtksm__V1__DoctorResponse *)message;

    csv_append_header(out, lead, &virtksm__v1__finding__descriptor);
    for (size_t i = 0; i < doctor->n_findings; i++)
        csv_append_row(out, lead, &doctor->findings[i]->base);
}

static const ResultPrinter printer = { append_table, append_csv };

/* What is seen from here goes to standard output; the failure itself stays the error. */
static void
tell_local(const Cli *cli, GError *failure)
{
    Virtksm__V1__DoctorResponse *doctor = g_new(Virtksm__V1__DoctorResponse, 1);
    g_autoptr(ProtobufCMessage) message = &doctor->base;

    virtksm__v1__doctor_response__init(doctor);
    doctor->findings = g_new(Virtksm__V1__Finding *, 1);
    doctor->findings[0] = doctor_local_look(cli->socket, failure->message);
    doctor->n_findings = 1;
    failure->code = CLI_NOT_ASKED;
    result_print(cli, message, &printer, NULL); /* that asking failed is the worse news */
}

bool
doctor_run(const Cli *cli, GError **error)
{
    Virtksm__V1__DoctorRequest request = VIRTKSM__V1__DOCTOR_REQUEST__INIT;
    g_autoptr(ProtobufCMessage) response = NULL;
    g_autoptr(GError) failure = NULL;
    const Virtksm__V1__DoctorResponse *doctor;

    request.domain = cli->argument;
    response = call_unary(cli, &doctor_method, &request.base, &failure);
    if (!response) {
        if (failure->code == CLI_FAILED)
            tell_local(cli, failure);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (!result_print(cli, response, &printer, error))
        return false;
    doctor = (const Virtksm__V1__DoctorResponse *)response;
    if (doctor->errors + doctor->warnings == 0)
        return true;
    g_set_error(error, CLI_ERROR, CLI_FOUND, "%" PRIu64 " errors and %" PRIu64 " warnings found",
                doctor->errors, doctor->warnings);
    return false;
}
