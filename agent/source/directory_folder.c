/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * directory_folder.c - one watched folder, there or not
 *
 * A watch (inotify) is on the folder, or while there is none, on the nearest of its parents that
 * exists; any event of that one is a reason to look again from the top:
 *
 *          +--- something came up in the parent ---+
 *          v                                       |
 *   look: watch what there is --> folder? --no--> wait (all entries are gone)
 *          ^                        | yes
 *          |                        v
 *          |                  list its entries, then follow each event
 *          +--- it vanished, was replaced, or events were lost
 *
 * The watch is placed before the entries are listed, and a set keeps what was told, so nothing is
 * missed and nothing told twice. What inotify does not tell (a parent that is renamed, another file
 * system mounted over) is noticed by looking at the path every two seconds.
 *
 * Each folder has an inotify instance of its own: within one, two watches on the same parent would
 * be one.
 *
 * Of a folder with more entries than we have memory for, no more are read: a look must not take
 * long either. What was told and was not among those read is asked for by its name.
 *
 * Source: inotify(7)
 */
#define _GNU_SOURCE
#include "agent/source/directory_folder.h"
#include "agent/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY_EVENTS (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM)
#define LOST_EVENTS  (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW)
#define WATCH_MASK   (ENTRY_EVENTS | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

/* What makes and removes files all the time does not get more memory than this. */
#define ENTRIES_MAX 4096
/* How often the path is looked at. */
#define LOOK_MS 2000
/* A parent that changes under our hands is tried so often; the next look is soon. */
#define PLACE_TRIES  8

#define BUFFER_BYTES 16384

struct Folder {
    char *path;          /* owned */
    FolderChange change; /* who is told */
    gpointer user;       /* for change */
    GHashTable *entries; /* owned; what was told: id -> name */
    bool is_crowded;     /* it has more, which was told of */
    int fd;              /* owned; inotify; -1: there is none to be had */
    int wd;              /* watch; -1: none */
    bool is_there;       /* the watch is on the folder, not on a parent */
    dev_t dev;           /* of the folder, where it is there */
    ino_t ino;           /* likewise */
    int fault;           /* errno of what kept us from watching; 0: none */
    guint source;        /* GSource of fd; 0: none */
    guint soon;          /* GSource of the first look; 0: done */
    guint timer;         /* GSource of the looks; 0: none */
};

char *
directory_entry_id(const char *name)
{
    GString *id;
    const char *p = name;

    if (g_uuid_string_is_valid(name))
        return g_ascii_strdown(name, -1);
    id = g_string_new(NULL);
    while (*p != '\0') {
        gunichar c = g_utf8_get_char_validated(p, -1);

        /* What is no character comes as one of the two highest numbers, which do not print. */
        if (c != '\\' && g_unichar_validate(c) && g_unichar_isprint(c)) {
            g_string_append_unichar(id, c);
            p += g_unichar_to_utf8(c, NULL);
        } else {
            g_string_append_printf(id, "\\x%02x", (unsigned char)*p++);
        }
    }
    return g_string_free(id, FALSE);
}

/* --- entries ---------------------------------------------------------------------------- */

static void
note_crowd(Folder *folder, bool is_crowded)
{
    if (is_crowded && !folder->is_crowded)
        log_warning("directory: %s has more than %d entries: the others are not followed",
                    folder->path, ENTRIES_MAX);
    folder->is_crowded = is_crowded;
}

static void
note_entry(Folder *folder, const char *name, bool here, bool is_old)
{
    g_autofree char *id = directory_entry_id(name);

    if (g_hash_table_contains(folder->entries, id) == here)
        return;
    if (here && g_hash_table_size(folder->entries) >= ENTRIES_MAX) {
        note_crowd(folder, true);
        return;
    }
    if (here)
        g_hash_table_insert(folder->entries, g_strdup(id), g_strdup(name));
    else
        g_hash_table_remove(folder->entries, id);
    folder->change(folder, id, here, is_old, folder->user);
}

/* Those of a folder, id -> name, but no more than ENTRIES_MAX; none where there is no folder. */
static GHashTable *
read_entries(DIR *dir, bool *ret_more)
{
    GHashTable *entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    const struct dirent *entry;

    *ret_more = false;
    while (!*ret_more && dir && (entry = readdir(dir)) != NULL) {
        if (g_str_equal(entry->d_name, ".") || g_str_equal(entry->d_name, ".."))
            continue;
        if (g_hash_table_size(entries) >= ENTRIES_MAX)
            *ret_more = true;
        else
            g_hash_table_insert(entries, directory_entry_id(entry->d_name),
                                g_strdup(entry->d_name));
    }
    return entries;
}

static bool
is_in(DIR *dir, const char *name)
{
    struct stat st;

    return fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Entries that are not there any more: neither read nor, if there are others, in @rest. */
static void
drop_missing(Folder *folder, GHashTable *present, DIR *rest)
{
    GHashTableIter iter;
    gpointer key;
    gpointer name;

    g_hash_table_iter_init(&iter, folder->entries);
    while (g_hash_table_iter_next(&iter, &key, &name)) {
        g_autofree char *id = g_strdup(key);

        if (g_hash_table_contains(present, id) || (rest && is_in(rest, name)))
            continue;
        g_hash_table_iter_remove(&iter);
        folder->change(folder, id, false, false, folder->user);
    }
}

/* --- watch ------------------------------------------------------------------------------ */

static void
drop_watch(Folder *folder)
{
    if (folder->wd >= 0)
        inotify_rm_watch(folder->fd, folder->wd);
    folder->wd = -1;
    folder->is_there = false;
}

/* The folder itself or, while there is none, its nearest parent. Return: the path watched. */
static char *
watch_nearest(Folder *folder)
{
    g_autofree char *path = g_strdup(folder->path);

    folder->wd = inotify_add_watch(folder->fd, path, WATCH_MASK);
    folder->fault = folder->wd < 0 && errno != ENOENT ? errno : 0;
    while (folder->wd < 0 && !g_str_equal(path, "/")) {
        char *parent = g_path_get_dirname(path);

        g_free(path);
        path = parent;
        folder->wd = inotify_add_watch(folder->fd, path, WATCH_MASK);
    }
    return g_steal_pointer(&path);
}

static bool
remember_inode(Folder *folder)
{
    struct stat st;

    if (stat(folder->path, &st) < 0)
        return false;
    folder->dev = st.st_dev;
    folder->ino = st.st_ino;
    return true;
}

/* Between a failed watch and the one on the parent, the folder may have come. */
static void
place_watch(Folder *folder)
{
    for (int i = 0; i < PLACE_TRIES; i++) {
        g_autofree char *watched = NULL;
        bool exists;

        drop_watch(folder);
        watched = watch_nearest(folder);
        exists = remember_inode(folder);
        folder->is_there = folder->wd >= 0 && exists && g_str_equal(watched, folder->path);
        if (folder->is_there || !exists || folder->fault != 0)
            return;
    }
}

static void
note_all(Folder *folder, DIR *dir, bool is_old)
{
    bool has_more;
    g_autoptr(GHashTable) present = read_entries(dir, &has_more);
    GHashTableIter iter;
    gpointer name;

    drop_missing(folder, present, has_more ? dir : NULL); /* first: those that came need the room */
    note_crowd(folder, has_more);
    g_hash_table_iter_init(&iter, present);
    while (g_hash_table_iter_next(&iter, NULL, &name))
        note_entry(folder, name, true, is_old);
}

/* Tell what is different from what was told; without a folder, nothing is there. */
static void
look(Folder *folder, bool is_old)
{
    DIR *dir;

    place_watch(folder);
    dir = folder->is_there ? opendir(folder->path) : NULL;
    if (folder->is_there && !dir && errno != ENOENT) {
        /* Not to be had right now, which does not mean that it is empty: the timer tries again. */
        folder->fault = errno;
        drop_watch(folder);
        return;
    }
    note_all(folder, dir, is_old);
    if (dir)
        closedir(dir);
}

static void
take_event(Folder *folder, const struct inotify_event *event, bool *lost)
{
    if (event->mask & IN_Q_OVERFLOW)
        *lost = true;
    if (event->wd != folder->wd)
        return;
    if (!folder->is_there || event->mask & LOST_EVENTS)
        *lost = true;
    else if (event->len > 0)
        note_entry(folder, event->name, (event->mask & (IN_CREATE | IN_MOVED_TO)) != 0, false);
}

static gboolean
on_readable(gint fd, GIOCondition condition, gpointer data)
{
    _Alignas(struct inotify_event) char buffer[BUFFER_BYTES];
    Folder *folder = data;
    ssize_t n = read(fd, buffer, sizeof(buffer));
    bool lost = false;

    (void)condition;
    for (ssize_t i = 0; i < n;) {
        const struct inotify_event *event = (const struct inotify_event *)(gpointer)(buffer + i);

        take_event(folder, event, &lost);
        i += (ssize_t)(sizeof(*event) + event->len);
    }
    if (lost)
        look(folder, false);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_timer(gpointer data)
{
    Folder *folder = data;
    struct stat st;
    bool exists = stat(folder->path, &st) == 0;

    if (exists != folder->is_there ||
        (exists && (st.st_dev != folder->dev || st.st_ino != folder->ino)))
        look(folder, false);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_first(gpointer data)
{
    Folder *folder = data;

    folder->soon = 0;
    look(folder, true);
    return G_SOURCE_REMOVE;
}

/* --- folder ----------------------------------------------------------------------------- */

Folder *
folder_new(const char *path, FolderChange change, gpointer user)
{
    Folder *folder = g_new0(Folder, 1);

    folder->path = g_canonicalize_filename(path, "/");
    folder->change = change;
    folder->user = user;
    folder->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    folder->wd = -1;
    folder->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    folder->fault = folder->fd < 0 ? errno : 0;
    if (folder->fd < 0)
        return folder;
    folder->source = g_unix_fd_add(folder->fd, G_IO_IN, on_readable, folder);
    folder->soon = g_idle_add(on_first, folder);
    folder->timer = g_timeout_add(LOOK_MS, on_timer, folder);
    return folder;
}

void
folder_free(Folder *folder)
{
    if (!folder)
        return;
    g_clear_handle_id(&folder->source, g_source_remove);
    g_clear_handle_id(&folder->soon, g_source_remove);
    g_clear_handle_id(&folder->timer, g_source_remove);
    if (folder->fd >= 0)
        close(folder->fd);
    g_hash_table_destroy(folder->entries);
    g_free(folder->path);
    g_free(folder);
}

const char *
folder_path(const Folder *folder)
{
    return folder->path;
}

bool
folder_has(const Folder *folder, const char *id)
{
    return g_hash_table_contains(folder->entries, id);
}

const char *
folder_fault(const Folder *folder)
{
    if (folder->is_there)
        return NULL;
    return folder->fault != 0 ? g_strerror(folder->fault) : "there is no such folder yet";
}
