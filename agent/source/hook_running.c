/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook_running.c - domains that have been running since before the daemon
 *
 * A hook tells of what happens. What is there already stands in the files that libvirtd keeps for
 * its own restart, one for each domain that runs, in a folder that only root writes to:
 *
 *   <domstatus ...> ... <domain type='kvm' id='5'> <name> <uuid> ... </domain> </domstatus>
 *
 * Each is told as the "reconnect" that the hook would send if libvirtd were restarted now. A file
 * whose QEMU is gone is left over from a host on which libvirtd has not looked since.
 *
 * Source: libvirt src/qemu/qemu_driver.c, stateDir; the files seen with libvirt 9.0
 */
#define _GNU_SOURCE
#include "agent/source/hook_running.h"
#include "agent/agent.h"

#include <dirent.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#define STATUS_FOLDER "run/libvirt/qemu"
#define STATUS_SUFFIX ".xml"
/* They have some 10 KiB, and more with many devices. */
#define STATUS_MAX_BYTES ((size_t)1024 * 1024)

#define DOMAIN_BEGINS    "<domain "
#define DOMAIN_ENDS      "</domain>"
#define ID_NAME          " id='"

/* The number of the start, an attribute of the element that @tag begins. */
static int
find_id(const char *tag)
{
    const char *id = g_strstr_len(tag, strchr(tag, '>') - tag, ID_NAME);
    gint64 number;

    if (!id)
        return DOMAIN_ID_UNKNOWN;
    number = g_ascii_strtoll(id + strlen(ID_NAME), NULL, 10);
    return number >= 0 && number <= G_MAXINT ? (int)number : DOMAIN_ID_UNKNOWN;
}

/* Return: whether @text is a status file; @ret_message is filled then. */
static bool
read_status(const char *text, HookMessage *ret_message)
{
    const char *begin = strstr(text, DOMAIN_BEGINS);
    const char *end = begin ? g_strrstr(begin, DOMAIN_ENDS) : NULL;
    size_t length = end ? (size_t)(end - begin) + strlen(DOMAIN_ENDS) : 0;
    g_auto(DomainXml) xml = { 0 };

    if (!end || !domain_xml_parse(begin, length, &xml, NULL) || !xml.uuid)
        return false;
    *ret_message = (HookMessage){
        .operation = HOOK_RECONNECT,
        .name = g_strdup(xml.name),
        .uuid = g_strdup(xml.uuid),
        .extra = g_strdup("found running"),
        .id = find_id(begin),
        .xml = g_strndup(begin, length),
        .xml_length = length,
    };
    return true;
}

static void
tell_one(Agent *agent, HookStarts *starts, const char *text)
{
    g_auto(HookMessage) message = { 0 };
    g_auto(Process) process = { 0 };
    g_autoptr(GError) error = NULL;

    if (!read_status(text, &message))
        return;
    /* A search without end says nothing against libvirt's word. */
    if (process_find_in_time(agent->root_fd, &(ProcessWanted){ message.name, message.uuid, true },
                             &process, &error) ||
        g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
        hook_starts_tell(agent, starts, &message);
}

void
hook_running_tell(Agent *agent, HookStarts *starts)
{
    int fd = openat(agent->root_fd, STATUS_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    g_autofree char *text = g_malloc(STATUS_MAX_BYTES);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL)
        if (g_str_has_suffix(entry->d_name, STATUS_SUFFIX) &&
            procfile_read_text(fd, entry->d_name, text, STATUS_MAX_BYTES) == PROCFILE_READ)
            tell_one(agent, starts, text);
    if (dir)
        closedir(dir); /* and fd with it */
    else if (fd >= 0)
        close(fd);
}
