/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * directory.c - events from folders in which each entry stands for a running domain
 *
 * Container runtimes that run each pod in a virtual machine keep a folder of sandboxes, such as
 * /run/vc/sbs of virtcontainers: an entry comes with the machine and goes with it. Nothing in the
 * entries is read. An entry whose name is a uuid is the domain of that uuid; any other name is
 * taken for the id.
 */
#include "agent/agent.h"
#include "agent/log.h"
#include "agent/source/directory_folder.h"
#include "agent/source/source.h"

#define SEPARATOR   ":"
#define FOLDERS_MAX 16

struct DirectorySource {
    Agent *agent;       /* borrowed */
    GPtrArray *folders; /* owned; of Folder */
    char *detail;       /* owned; why not all are watched; NULL: they are */
};

/* Entries of the same name in two folders are one domain: it ends with the last of them. */
static bool
is_elsewhere(const DirectorySource *self, const Folder *folder, const char *id)
{
    for (guint i = 0; i < self->folders->len; i++) {
        const Folder *other = g_ptr_array_index(self->folders, i);

        if (other != folder && folder_has(other, id))
            return true;
    }
    return false;
}

static void
post_change(const Folder *folder, const char *id, bool here, bool is_old, gpointer user)
{
    DirectorySource *self = user;
    const char *what = here ? "appeared" : "gone";
    g_autofree char *detail =
        g_strconcat(is_old ? "found" : what, " in ", folder_path(folder), NULL);
    Event event = { .kind = here ? EVENT_CREATED : EVENT_DESTROYED,
                    .source = directory_source.name,
                    .uuid = id,
                    .name = here ? id : NULL,
                    .detail = detail,
                    .id = DOMAIN_ID_UNKNOWN,
                    .claim = true };

    if (!is_elsewhere(self, folder, id))
        event_post(self->agent, &event);
}

static void
source_open(Agent *agent)
{
    const char *root = agent->options.root;
    g_auto(GStrv) paths = g_strsplit(agent->conf->directory_paths, SEPARATOR, -1);
    DirectorySource *self;

    if (*agent->conf->directory_paths == '\0')
        return;
    self = g_new0(DirectorySource, 1);
    self->agent = agent;
    self->folders = g_ptr_array_new_with_free_func((GDestroyNotify)folder_free);
    for (size_t i = 0; paths[i]; i++) {
        g_autofree char *path = g_build_filename(root ? root : "/", g_strstrip(paths[i]), NULL);

        if (*paths[i] == '\0')
            continue;
        if (self->folders->len < FOLDERS_MAX)
            g_ptr_array_add(self->folders, folder_new(path, post_change, self));
        else
            log_warning("directory: %s is not watched: %d folders are the most", path, FOLDERS_MAX);
    }
    agent->directory = self; /* the agent holds it until source_close() */
}

static void
source_close(Agent *agent)
{
    DirectorySource *self = g_steal_pointer(&agent->directory);

    if (!self)
        return;
    g_ptr_array_unref(self->folders);
    g_free(self->detail);
    g_free(self);
}

static SourceState
source_state(const Agent *agent, const char **ret_detail)
{
    DirectorySource *self = agent->directory;

    if (!self)
        return SOURCE_CLOSED;
    g_clear_pointer(&self->detail, g_free);
    for (guint i = 0; i < self->folders->len && !self->detail; i++) {
        const Folder *folder = g_ptr_array_index(self->folders, i);

        if (folder_fault(folder))
            self->detail = g_strconcat(folder_path(folder), ": ", folder_fault(folder), NULL);
    }
    *ret_detail = self->detail;
    return self->detail ? SOURCE_WAITING : SOURCE_OPEN;
}

const Source directory_source = { "directory", source_open, source_close, NULL, source_state };
