/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * set.c - a job for the worker that changes what libvirt keeps of a domain for us
 *
 * libvirt has no way to change a part of an element: it is read, changed and written as a whole.
 * Who writes it between the two loses; nobody but people and virtksm writes it.
 */
#include "agent/virt/set.h"
#include "agent/virt/domain_metadata.h"
#include "agent/virt/domain_policy.h"

#include <stdlib.h>

typedef struct {
    VirtQuestion base;
    char uuid[VIR_UUID_STRING_BUFLEN]; /* of the domain in question */
    char **settings;                   /* owned; accepted by domain_metadata_check() */
    bool persist;                      /* for its next start as well */
} SetQuestion;

typedef struct {
    AskedXml done;
    gpointer user;
    GDestroyNotify destroy;            /* of user */
    char uuid[VIR_UUID_STRING_BUFLEN]; /* of the domain in question */
} SetUser;

static void
question_free(gpointer data)
{
    SetQuestion *question = data;

    virt_question_done(&question->base);
    g_strfreev(question->settings);
    g_free(question);
}

/* Where metadata is kept: one at least, and both for a domain that is to stay as it is set. */
static const struct {
    unsigned flag;
    const char *what; /* for messages */
} places[] = {
    { VIR_DOMAIN_AFFECT_LIVE, "cannot change the running domain's metadata" },
    { VIR_DOMAIN_AFFECT_CONFIG, "cannot change the metadata for its next start" },
};

/* The element as it is; NULL with no error: there is none. */
static char *
read_element(virDomainPtr domain, size_t place, GError **error)
{
    char *text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, DOMAIN_POLICY_NAMESPACE,
                                      places[place].flag);

    if (!text && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN_METADATA)
        virt_set_error(error, places[place].what);
    return text;
}

static bool
make_element(virDomainPtr domain, size_t place, const SetQuestion *question, char **ret_text,
             GError **error)
{
    g_autoptr(GError) reason = NULL;
    char *before = read_element(domain, place, &reason);
    bool made = !reason && domain_metadata_edit(before, (const char *const *)question->settings,
                                                ret_text, &reason);

    free(before);
    if (!made)
        g_propagate_error(error, g_steal_pointer(&reason));
    return made;
}

static bool
write_element(virDomainPtr domain, size_t place, const char *text, GError **error)
{
    if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, text, DOMAIN_METADATA_KEY,
                             DOMAIN_POLICY_NAMESPACE, places[place].flag) == 0)
        return true;
    virt_set_error(error, places[place].what);
    return false;
}

static bool
change(virDomainPtr domain, const SetQuestion *question, GError **error)
{
    size_t n = question->persist ? G_N_ELEMENTS(places) : 1;
    char *texts[G_N_ELEMENTS(places)] = { NULL };
    bool changed = true;

    for (size_t i = 0; i < n && changed; i++)
        changed = make_element(domain, i, question, &texts[i], error);
    for (size_t i = 0; i < n && changed; i++)
        changed = write_element(domain, i, texts[i], error);
    for (size_t i = 0; i < n; i++)
        g_free(texts[i]);
    return changed;
}

static gpointer
set_work(gpointer data, GError **error)
{
    SetQuestion *question = data;
    virConnectPtr conn = virt_question_conn(&question->base, error);
    g_autoptr(VirDomainHandle) domain = NULL;
    DomainXml *xml;

    if (!conn)
        return NULL;
    domain = virDomainLookupByUUIDString(conn, question->uuid);
    if (!domain) {
        virt_set_error(error, "cannot find the domain");
        return NULL;
    }
    if (!change(domain, question, error))
        return NULL;
    xml = ask_definition(domain, error);
    if (!xml)
        g_prefix_error(error, "written, but it could not be read back: ");
    return xml;
}

static void
user_free(gpointer data)
{
    SetUser *asked = data;

    asked->destroy(asked->user);
    g_free(asked);
}

static void
set_done(gpointer output, const GError *error, gpointer data)
{
    g_autofree SetUser *asked = data;

    asked->done(asked->uuid, output, error, asked->user);
}

static const WorkerJob set_job = { set_work, question_free, ask_definition_free, user_free,
                                   set_done };

bool
virt_set(VirtConn *conn, const VirtSettings *order, AskedXml done, gpointer user,
         GDestroyNotify destroy)
{
    SetQuestion *question = g_new0(SetQuestion, 1);
    SetUser *asked = g_new0(SetUser, 1);

    *asked = (SetUser){ .done = done, .user = user, .destroy = destroy };
    g_strlcpy(asked->uuid, order->uuid, sizeof(asked->uuid));
    g_strlcpy(question->uuid, order->uuid, sizeof(question->uuid));
    question->settings = g_strdupv((char **)(gsize)order->settings);
    question->persist = order->persist;
    if (virt_conn_push(conn, &set_job, &question->base, asked))
        return true; /* the job owns both from here */
    g_strfreev(question->settings);
    g_free(question);
    g_free(asked);
    return false;
}
