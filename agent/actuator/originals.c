/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * originals.c - what the host looked like before our first write, kept where a crash cannot reach
 *
 * The agent may be killed at any instruction. So the values it found are on disk before it writes
 * the first of its own, and they stay there until they have been put back. A start that finds the
 * file knows that the last run did not end cleanly, and that the file, not the kernel, has the
 * originals.
 *
 *     [originals]            version and boot
 *     version=1
 *     boot_id=...
 *
 *     [ksm]                  one group per actuator
 *     run=0
 *     ...
 *     # sha256 <64 digits>   over everything above, ends in a newline
 *
 * The file is replaced as a whole: written beside the old one, synced, renamed, and the directory
 * synced. Either the old file is there or the new one. Should a file system break that promise, or
 * a person edit the file, the checksum says so, and then we touch nothing: a wrong original would
 * be restored with the same confidence as a right one.
 *
 * A reboot resets the kernel's settings, so what a record of another boot says of them describes
 * nothing that exists. Domains end with it, but one that was saved before comes back with what was
 * set then: what the record says of domains is kept, for their actuators to judge.
 *
 * The state directory is locked (state_dir.c) while we may write, so that two agents, or an agent
 * and --restore, cannot take each other's settings for originals.
 */
/* needs: write /var/lib/virtksm */
#define _GNU_SOURCE
#include "agent/actuator/originals.h"

#include "agent/actuator/originals_file.h"
#include "agent/actuator/state_dir.h"
#include "agent/actuator/sysfile.h"
#include "agent/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Group of the file's own facts; no actuator may be called so. */
#define OWN_GROUP "originals"
/* Raise when an older program would misread the file. */
#define VERSION "1"

bool
originals_read_boot_id(int root_fd, char **ret_boot_id, GError **error)
{
    char text[SYSFILE_TEXT_BYTES];

    if (sysfile_get_text(root_fd, "proc/sys/kernel/random/boot_id", text, error) != APPLY_UNCHANGED)
        return false;
    if (!g_uuid_string_is_valid(text)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "/proc/sys/kernel/random/boot_id holds \"%.40s\", not a uuid", text);
        return false;
    }
    *ret_boot_id = g_strdup(text);
    return true;
}

void
originals_init(Originals *originals)
{
    *originals = (Originals){ .dir_fd = -1 };
}

void
originals_done(Originals *originals)
{
    if (originals->dir_fd >= 0)
        close(originals->dir_fd);
    g_clear_pointer(&originals->entries, g_key_file_unref);
    g_free(originals->fault);
    g_free(originals->dir);
    g_free(originals->path);
    g_free(originals->boot_id);
    originals_init(originals);
}

/* Says that the file at hand is not ours, and what to do about it. */
static OriginalsOutcome
report_damage(const Originals *originals, const char *what, GError **error)
{
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                "%s is damaged: %s. The settings to restore cannot be told from it, so nothing "
                "is written to the kernel. Look at /sys/kernel/mm/ksm, set by hand what you want "
                "to keep, then stop virtksmd and remove the file",
                originals->path, what);
    return ORIGINALS_DAMAGED;
}

static bool
has_entries(GKeyFile *entries)
{
    g_auto(GStrv) groups = g_key_file_get_groups(entries, NULL);

    return groups[0] != NULL;
}

/* Takes the entries from a file whose checksum is right. */
static OriginalsOutcome
parse(Originals *originals, const char *text, gsize len, GError **error)
{
    g_autoptr(GKeyFile) entries = g_key_file_new();
    g_autoptr(GError) fault = NULL;
    g_autofree char *version = NULL;
    g_autofree char *boot_id = NULL;
    bool is_old;

    /* GLib drops the last one of each line, so that a value would change from save to save. */
    if (memchr(text, '\r', len))
        return report_damage(originals,
                             "it has carriage returns, which this program does not write", error);
    if (!g_key_file_load_from_data(entries, text, len, G_KEY_FILE_NONE, &fault))
        return report_damage(originals, fault->message, error);
    version = g_key_file_get_string(entries, OWN_GROUP, "version", NULL);
    if (g_strcmp0(version, VERSION) != 0) {
        g_autofree char *what = g_strdup_printf("it has version %s and this program reads " VERSION,
                                                version ? version : "(none)");

        return report_damage(originals, what, error);
    }
    boot_id = g_key_file_get_string(entries, OWN_GROUP, "boot_id", NULL);
    if (!boot_id)
        return report_damage(originals, "it does not say of which boot it is", error);
    is_old = strcmp(boot_id, originals->boot_id) != 0;
    g_key_file_remove_group(entries, OWN_GROUP, NULL);
    if (is_old) {
        g_key_file_remove_group(entries, ORIGINALS_KERNEL, NULL);
        g_key_file_remove_group(entries, ORIGINALS_NODES, NULL);
    }
    if (is_old && !has_entries(entries))
        return ORIGINALS_OLD_BOOT;
    g_key_file_unref(originals->entries);
    originals->entries = g_steal_pointer(&entries); /* the record owns it from here */
    return is_old ? ORIGINALS_LASTING : ORIGINALS_LOADED;
}

static OriginalsOutcome
load(Originals *originals, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) fault = NULL;
    const char *what;
    gsize len;

    if (!originals_file_read(originals->path, &text, &len, &fault)) {
        if (g_error_matches(fault, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return ORIGINALS_EMPTY;
        g_propagate_prefixed_error(error, g_steal_pointer(&fault), "settings to restore: ");
        return ORIGINALS_UNREADABLE;
    }
    what = originals_file_fault(text, len);
    if (what)
        return report_damage(originals, what, error);
    return parse(originals, text, len, error);
}

/* Makes outcome, fault and entries say what the file says. */
static void
reload(Originals *originals)
{
    g_autoptr(GError) fault = NULL;

    g_clear_pointer(&originals->entries, g_key_file_unref);
    g_clear_pointer(&originals->fault, g_free);
    originals->entries = g_key_file_new();
    originals->outcome = load(originals, &fault);
    if (fault)
        originals->fault = g_strdup(fault->message);
}

/* Return: false, with @error set, if the file forbids all writing. */
static bool
check_fault(const Originals *originals, GError **error)
{
    if (!originals->fault)
        return true;
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, originals->fault);
    return false;
}

OriginalsOutcome
originals_open(Originals *originals, const char *state_dir, const char *boot_id, GError **error)
{
    originals_done(originals);
    originals->dir = g_strdup(state_dir);
    originals->path = g_build_filename(state_dir, ORIGINALS_FILE, NULL);
    originals->boot_id = g_strdup(boot_id);
    reload(originals);
    check_fault(originals, error);
    return originals->outcome;
}

/* Makes the state directory ours, and reads what has been written there until then. */
static bool
take_dir(Originals *originals, GError **error)
{
    originals->dir_fd = state_dir_open(originals->dir, error);
    if (originals->dir_fd < 0)
        return false;
    originals_file_sweep(originals->dir, originals->dir_fd); /* nobody is writing one now */
    reload(originals);
    return true;
}

bool
originals_claim(Originals *originals, GError **error)
{
    g_autoptr(GError) fault = NULL;

    take_dir(originals, &fault);
    if (!g_error_matches(fault, G_FILE_ERROR, G_FILE_ERROR_AGAIN))
        return true;
    g_propagate_error(error, g_steal_pointer(&fault));
    return false;
}

bool
originals_prepare(Originals *originals, GError **error)
{
    /* What could not be read may be readable by now; what is damaged stays so. */
    if (originals->outcome != ORIGINALS_UNREADABLE && !check_fault(originals, error))
        return false;
    if (originals->dir_fd >= 0 && originals->outcome != ORIGINALS_UNREADABLE)
        return true;
    if (originals->dir_fd >= 0)
        close(originals->dir_fd);
    return take_dir(originals, error) && check_fault(originals, error);
}

char *
originals_get(const Originals *originals, const char *group, const char *key)
{
    return g_key_file_get_string(originals->entries, group, key, NULL);
}

char **
originals_keys(const Originals *originals, const char *group)
{
    char **keys = g_key_file_get_keys(originals->entries, group, NULL, NULL);

    return keys ? keys : g_new0(char *, 1);
}

/* Whether @group has no key left. */
static bool
is_bare(GKeyFile *entries, const char *group)
{
    g_auto(GStrv) keys = g_key_file_get_keys(entries, group, NULL, NULL);

    return !keys || !keys[0];
}

bool
originals_has_group(const Originals *originals, const char *group)
{
    return !is_bare(originals->entries, group);
}

void
originals_set(Originals *originals, const char *group, const char *key, const char *value)
{
    assert(originals->dir_fd >= 0 && strcmp(group, OWN_GROUP) != 0);

    if (g_key_file_has_key(originals->entries, group, key, NULL))
        return;
    g_key_file_set_string(originals->entries, group, key, value);
    originals->dirty = true;
}

void
originals_drop(Originals *originals, const char *group, const char *key)
{
    assert(originals->dir_fd >= 0);

    if (!g_key_file_has_group(originals->entries, group))
        return;
    if (key ? !g_key_file_remove_key(originals->entries, group, key, NULL)
            : !g_key_file_remove_group(originals->entries, group, NULL))
        return;
    originals->dirty = true;
}

/* Text of the whole file, checksum included. */
static char *
compose(const Originals *originals)
{
    g_autoptr(GKeyFile) own = g_key_file_new();
    g_autofree char *head = NULL;
    g_autofree char *body = g_key_file_to_data(originals->entries, NULL, NULL);
    g_autofree char *all = NULL;

    g_key_file_set_string(own, OWN_GROUP, "version", VERSION);
    g_key_file_set_string(own, OWN_GROUP, "boot_id", originals->boot_id);
    head = g_key_file_to_data(own, NULL, NULL);
    all = g_strconcat("# Settings that virtksmd found and will put back. Do not edit.\n", head,
                      "\n", body, NULL);
    return originals_file_seal(all);
}

/* Removes the file. Return: whether there is none. */
static bool
remove_file(Originals *originals, GError **error)
{
    if (unlinkat(originals->dir_fd, ORIGINALS_FILE, 0) < 0 && errno != ENOENT)
        return state_dir_fail("remove", originals->path, error);
    return true;
}

static bool
replace_file(Originals *originals, GError **error)
{
    g_autofree char *text = compose(originals);

    if (g_file_set_contents_full(originals->path, text, -1,
                                 G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600,
                                 error))
        return true;
    g_prefix_error(error, "settings to restore cannot be saved: ");
    return false;
}

/* Whether the directory that we hold is where others look for the record. */
static bool
is_in_place(const Originals *originals)
{
    struct stat held;
    struct stat found;

    return fstat(originals->dir_fd, &held) == 0 && stat(originals->dir, &found) == 0 &&
           held.st_dev == found.st_dev && held.st_ino == found.st_ino;
}

/* The directory was removed, replaced or mounted over: what we know goes into the new one. What
 * may be there was found later than ours, so ours is what comes nearer to the beginning. */
static bool
move_in(Originals *originals, GError **error)
{
    int dir_fd = state_dir_open(originals->dir, error);

    if (dir_fd < 0)
        return false;
    log_warning("%s was removed or replaced while it was in use: the settings to restore are "
                "recorded anew, in the one that is there now",
                originals->dir);
    close(originals->dir_fd);
    originals->dir_fd = dir_fd; /* the record owns it from here */
    originals->dirty = true;
    return true;
}

/* Whether somebody has removed the file: entries that are not dirty have been written there. */
static bool
is_file_gone(const Originals *originals)
{
    struct stat st;

    return !originals->dirty &&
           fstatat(originals->dir_fd, ORIGINALS_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
           errno == ENOENT && has_entries(originals->entries);
}

bool
originals_is_dirty(const Originals *originals)
{
    return originals->dirty ||
           (originals->dir_fd >= 0 && (!is_in_place(originals) || is_file_gone(originals)));
}

/* Groups are not looked through whenever a key of theirs goes: there can be one for each domain. */
static void
drop_bare_groups(GKeyFile *entries)
{
    g_auto(GStrv) groups = g_key_file_get_groups(entries, NULL);

    for (size_t i = 0; groups[i]; i++)
        if (is_bare(entries, groups[i]))
            g_key_file_remove_group(entries, groups[i], NULL);
}

bool
originals_save(Originals *originals, GError **error)
{
    g_auto(GStrv) groups = NULL;

    assert(originals->dir_fd >= 0);

    if (!is_in_place(originals) && !move_in(originals, error))
        return false;
    if (is_file_gone(originals)) {
        log_warning("%s was removed while it was in use: the settings to restore are recorded anew",
                    originals->path);
        originals->dirty = true;
    }
    if (!originals->dirty)
        return true;
    drop_bare_groups(originals->entries);
    groups = g_key_file_get_groups(originals->entries, NULL);
    if (!(groups[0] ? replace_file(originals, error) : remove_file(originals, error)))
        return false;
    /* GLib syncs the directory too, but keeps a failure to itself. */
    if (fsync(originals->dir_fd) < 0)
        return state_dir_fail("sync", originals->dir, error);
    originals->dirty = false;
    return true;
}

bool
originals_discard(Originals *originals, GError **error)
{
    assert(originals->dir_fd >= 0 && !originals->fault);

    g_key_file_unref(originals->entries);
    originals->entries = g_key_file_new();
    originals->dirty = true;
    return originals_save(originals, error);
}
