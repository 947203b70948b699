/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ask.c - questions to libvirt: each kind is a job for the worker */
#include "agent/virt/ask.h"
#include "agent/virt/stats.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    VirtQuestion base;
    GHashTable *job_uuids; /* counted; not changed any more */
} StatsQuestion;

typedef struct {
    AskedStats done;
    gpointer user;
} StatsUser;

static void
question_free(gpointer data)
{
    virt_question_done(data);
    g_free(data);
}

static void
stats_question_free(gpointer data)
{
    StatsQuestion *question = data;

    g_hash_table_unref(question->job_uuids);
    question_free(data);
}

static gpointer
stats_work(gpointer data, GError **error)
{
    StatsQuestion *question = data;
    virConnectPtr conn = virt_question_conn(&question->base, error);

    return conn ? virt_stats_read(conn, question->job_uuids, error) : NULL;
}

/* The connection tells what is wrong with it; here the figures just stay as old as they are. */
static void
stats_done(gpointer output, const GError *error, gpointer data)
{
    g_autoptr(GArray) stats = output;
    g_autofree StatsUser *asked = data;

    (void)error;
    asked->done(stats, asked->user);
}

static void
stats_free(gpointer output)
{
    g_array_unref(output);
}

static const WorkerJob stats_job = { stats_work, stats_question_free, stats_free, g_free,
                                     stats_done };

bool
ask_stats(VirtConn *conn, GHashTable *job_uuids, AskedStats done, gpointer user)
{
    g_autofree StatsQuestion *question = g_new0(StatsQuestion, 1);
    g_autofree StatsUser *asked = g_new(StatsUser, 1);

    question->job_uuids = g_hash_table_ref(job_uuids);
    *asked = (StatsUser){ done, user };
    if (!virt_conn_push(conn, &stats_job, &question->base, asked)) {
        g_hash_table_unref(job_uuids);
        return false;
    }
    g_steal_pointer(&question); /* the job owns both from here */
    g_steal_pointer(&asked);
    return true;
}

typedef struct {
    VirtQuestion base;
    char uuid[VIR_UUID_STRING_BUFLEN]; /* of the domain in question */
} XmlQuestion;

typedef struct {
    AskedXml done;
    gpointer user;
    char uuid[VIR_UUID_STRING_BUFLEN]; /* of the domain in question */
} XmlUser;

void
ask_definition_free(gpointer xml)
{
    domain_xml_clear(xml);
    g_free(xml);
}

DomainXml *
ask_definition(virDomainPtr domain, GError **error)
{
    char *text = virDomainGetXMLDesc(domain, 0);
    g_autofree DomainXml *xml = g_new0(DomainXml, 1);
    bool valid;

    if (!text) {
        virt_set_error(error, "cannot read the definition");
        return NULL;
    }
    valid = domain_xml_parse(text, strlen(text), xml, error);
    free(text);
    return valid ? g_steal_pointer(&xml) : NULL;
}

static gpointer
xml_work(gpointer data, GError **error)
{
    XmlQuestion *question = data;
    virConnectPtr conn = virt_question_conn(&question->base, error);
    g_autoptr(VirDomainHandle) domain = NULL;

    if (!conn)
        return NULL;
    domain = virDomainLookupByUUIDString(conn, question->uuid);
    if (!domain)
        virt_set_error(error, "cannot read the definition");
    return domain ? ask_definition(domain, error) : NULL;
}

static void
xml_done(gpointer output, const GError *error, gpointer data)
{
    g_autofree XmlUser *asked = data;

    asked->done(asked->uuid, output, error, asked->user);
}

static const WorkerJob xml_job = { xml_work, question_free, ask_definition_free, g_free, xml_done };

bool
ask_xml(VirtConn *conn, const char *uuid, AskedXml done, gpointer user)
{
    g_autofree XmlQuestion *question = g_new0(XmlQuestion, 1);
    g_autofree XmlUser *asked = g_new0(XmlUser, 1);

    *asked = (XmlUser){ .done = done, .user = user };
    g_strlcpy(asked->uuid, uuid, sizeof(asked->uuid));
    g_strlcpy(question->uuid, uuid, sizeof(question->uuid));
    if (!virt_conn_push(conn, &xml_job, &question->base, asked))
        return false;
    g_steal_pointer(&question); /* the job owns both from here */
    g_steal_pointer(&asked);
    return true;
}
