/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * directory_folder.h - one watched folder, there or not
 */
#ifndef AGENT_SOURCE_DIRECTORY_FOLDER_H
#define AGENT_SOURCE_DIRECTORY_FOLDER_H

#include <glib.h>
#include <stdbool.h>

typedef struct Folder Folder;

/*
 * An entry has come (@here) or gone. @id: what directory_entry_id() made of its name; @is_old: it
 * was there before anybody watched.
 */
typedef void (*FolderChange)(const Folder *folder, const char *id, bool here, bool is_old,
                             gpointer user);

/**
 * directory_entry_id() - the name of a file as the id of a domain
 * @name: any bytes, as a directory has them
 *
 * A uuid becomes lower case, so that it is the domain that other sources call so. In other names,
 * whatever is not printable UTF-8 becomes \xNN, byte by byte, and so does the backslash: two names
 * are never one id.
 *
 * Return: owned by the caller; at most four times as long as the name.
 */
char *directory_entry_id(const char *name);

/**
 * folder_new() - watch a folder from now on
 * @path:   absolute; what is not there yet is waited for
 * @change: told of entries, on the loop; first of those that are there, after this call
 * @user:   for @change; must outlive the folder
 *
 * Return: for folder_free().
 */
Folder *folder_new(const char *path, FolderChange change, gpointer user);

/** folder_free() - watch it no more; tells of nothing. Accepts NULL. */
void folder_free(Folder *folder);

/** folder_path() - of folder_new(), borrowed */
const char *folder_path(const Folder *folder);

/** folder_has() - whether an entry of this id is there, as far as was told */
bool folder_has(const Folder *folder, const char *id);

/** folder_fault() - why its entries are not known: static or borrowed; NULL: they are */
const char *folder_fault(const Folder *folder);

#endif
