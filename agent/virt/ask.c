/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ask.c - the kinds of question, as jobs for the worker */
#include "agent/virt/ask.h"
#include "agent/virt/stats.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    AskedStats done;
    gpointer user;
} StatsUser;

static void
question_free(gpointer data)
{
    virConnectClose(((VirtQuestion *)data)->conn);
    g_free(data);
}

static gpointer
stats_work(gpointer data, GError **error)
{
    return virt_stats_read(((VirtQuestion *)data)->conn, error);
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

static const WorkerJob stats_job = { stats_work, question_free, stats_free, stats_done };

bool
ask_stats(VirtConn *conn, AskedStats done, gpointer user)
{
    g_autofree VirtQuestion *question = g_new0(VirtQuestion, 1);
    g_autofree StatsUser *asked = g_new(StatsUser, 1);

    *asked = (StatsUser){ done, user };
    if (!virt_conn_push(conn, &stats_job, question, asked))
        return false;
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

static void
xml_free(gpointer data)
{
    domain_xml_clear(data);
    g_free(data);
}

static gpointer
xml_work(gpointer data, GError **error)
{
    const XmlQuestion *question = data;
    g_autoptr(VirDomainHandle) domain =
        virDomainLookupByUUIDString(question->base.conn, question->uuid);
    char *text = domain ? virDomainGetXMLDesc(domain, 0) : NULL;
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

static void
xml_done(gpointer output, const GError *error, gpointer data)
{
    g_autofree XmlUser *asked = data;

    asked->done(asked->uuid, output, error, asked->user);
}

static const WorkerJob xml_job = { xml_work, question_free, xml_free, xml_done };

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
