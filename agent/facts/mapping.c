/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapping.c - what a QEMU process has mapped, and what each mapping is for
 *
 * The kernel does not tell what a mapping is for, but the shapes are telling:
 *
 *   device memory, ROMs   QEMU: starts at a multiple of 2 MiB, one guard page behind it
 *   stack                 glibc, QEMU's coroutines: one guard page in front
 *   translated code       may be written and executed, or the two views of memfd:tcg-jit
 *   malloc                all other private memory
 *
 * A guard page behind one and in front of the next belongs to the stack, if the next is one. The
 * flag "dc" (not copied on fork) in smaps is surer for the first kind, but smaps costs a walk over
 * all memory of the guest.
 *
 * Source: QEMU util/mmap-alloc.c, util/coroutine-*.c, tcg/region.c; glibc
 * nptl/allocatestack.c. Compared with the flags in smaps for QEMU 7.2 on Linux 6.18.
 */
#include "agent/facts/mapping.h"

#include <gio/gio.h>
#include <string.h>

#include "agent/facts/procfile.h"
#include "policy/arith.h"

#define DEVICE_ALIGN_BYTES (UINT64_C(2) << 20)
/* "start-end perms offset dev inode name": where the rights and the name stand. */
enum { FIELD_RANGE, FIELD_RIGHTS, FIELD_OFFSET, FIELD_DEVICE, FIELD_INODE, FIELD_NAME };
/* "rw-p" */
enum { RIGHT_READ, RIGHT_WRITE, RIGHT_EXECUTE, RIGHT_SHARE, RIGHT_COUNT };

/* Names that tell. A device's registers or a window onto its memory is no memory of the host. */
static const struct {
    const char *prefix;
    MappingUse use;
} names[] = {
    { "[heap]", MAPPING_HEAP },
    { "[stack", MAPPING_STACK },
    { "/memfd:tcg-jit", MAPPING_TRANSLATION },
    { "/dev/vfio", MAPPING_NONE },
    { "anon_inode:", MAPPING_NONE },
    { "[v", MAPPING_NONE },
};

static MappingUse
use_of_name(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_has_prefix(name, names[i].prefix))
            return names[i].use;
    return MAPPING_OTHER;
}

/* The field of a line, cut off behind; NULL: there are not so many. */
static char *
next_field(char **line)
{
    char *start = *line + strspn(*line, " ");
    char *end = start + strcspn(start, " ");

    if (*start == '\0')
        return NULL;
    *line = *end == '\0' ? end : end + 1;
    *end = '\0';
    return start;
}

static bool
parse_range(const char *text, Mapping *mapping)
{
    char *end = NULL;

    if (!g_ascii_isxdigit(text[0]))
        return false;
    mapping->start = g_ascii_strtoull(text, &end, 16);
    if (*end != '-' || !g_ascii_isxdigit(end[1]))
        return false;
    mapping->end = g_ascii_strtoull(end + 1, &end, 16);
    return *end == '\0' && mapping->start < mapping->end && mapping->end < UINT64_MAX;
}

/* Memory without a file may have a name all the same: "[anon:...]", given by prctl(2). */
static void
set_use(Mapping *mapping, const char *rights, const char *inode, const char *name)
{
    bool has_name = *name != '\0' && !g_str_has_prefix(name, "[anon:");

    mapping->is_writable = rights[RIGHT_WRITE] == 'w';
    mapping->is_anonymous = !has_name && g_str_equal(inode, "0") && rights[RIGHT_SHARE] == 'p';
    mapping->is_guard = mapping->is_anonymous && strncmp(rights, "---", 3) == 0;
    if (mapping->is_guard)
        mapping->use = MAPPING_NONE;
    else if (!mapping->is_anonymous)
        mapping->use = use_of_name(name);
    else
        mapping->use = rights[RIGHT_EXECUTE] == 'x' ? MAPPING_TRANSLATION : MAPPING_HEAP;
}

static bool
parse_line(char *line, Mapping *ret_mapping)
{
    char *fields[FIELD_NAME] = { NULL };
    Mapping mapping = { 0 };

    for (size_t i = 0; i < FIELD_NAME; i++) {
        fields[i] = next_field(&line);
        if (!fields[i])
            return false;
    }
    if (!parse_range(fields[FIELD_RANGE], &mapping) || strlen(fields[FIELD_RIGHTS]) != RIGHT_COUNT)
        return false;
    set_use(&mapping, fields[FIELD_RIGHTS], fields[FIELD_INODE], line + strspn(line, " "));
    *ret_mapping = mapping;
    return true;
}

static Mapping *
at(const GArray *mappings, guint i)
{
    return &g_array_index(mappings, Mapping, i);
}

static bool
is_guard_page(const GArray *mappings, guint i, uint64_t page_bytes)
{
    return i < mappings->len && at(mappings, i)->is_guard &&
           at(mappings, i)->end - at(mappings, i)->start == page_bytes;
}

/* Private memory is malloc's until its neighbours say more. */
static void
look_at_neighbours(GArray *mappings, uint64_t page_bytes)
{
    uint64_t guard_end = 0; /* of a guard page that is in front of what comes; 0: none */

    for (guint i = 0; i < mappings->len; i++) {
        Mapping *mapping = at(mappings, i);
        bool is_malloc = mapping->is_anonymous && mapping->use == MAPPING_HEAP;
        bool is_followed = is_guard_page(mappings, i + 1, page_bytes) &&
                           at(mappings, i + 1)->start == mapping->end;

        if (is_malloc && guard_end == mapping->start) {
            mapping->use = MAPPING_STACK;
        } else if (is_malloc && is_followed && mapping->start % DEVICE_ALIGN_BYTES == 0) {
            mapping->use = MAPPING_DEVICE;
            i++; /* the guard page is its own */
            guard_end = 0;
            continue;
        }
        guard_end = is_guard_page(mappings, i, page_bytes) ? mapping->end : 0;
    }
}

char *
mappings_load(int dir_fd, const char *file, size_t most, GError **error)
{
    g_autofree char *text = NULL;
    ProcfileResult result = procfile_read_long(dir_fd, file, most, &text);

    if (result == PROCFILE_READ && *text != '\0')
        return g_steal_pointer(&text);
    if (result == PROCFILE_REFUSED)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED, "its %s may not be read",
                    file);
    else
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_CLOSED, "its %s cannot be read", file);
    return NULL;
}

GArray *
mappings_read(char *text, uint64_t page_bytes)
{
    GArray *mappings = g_array_new(FALSE, FALSE, sizeof(Mapping));
    uint64_t last_end = 0;
    char *next;

    for (char *line = text; line && *line != '\0'; line = next) {
        Mapping mapping;

        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (!parse_line(line, &mapping) || mapping.start < last_end)
            continue;
        last_end = mapping.end;
        g_array_append_val(mappings, mapping);
    }
    look_at_neighbours(mappings, page_bytes);
    return mappings;
}

static bool
may_be_guest(const Mapping *mapping)
{
    return mapping->is_writable && mapping->use != MAPPING_GUEST && mapping->use != MAPPING_NONE &&
           mapping->use != MAPPING_TRANSLATION;
}

static uint64_t
size_of(const GArray *mappings, guint first, guint last)
{
    return at(mappings, last)->end - at(mappings, first)->start;
}

/*
 * Marks the highest neighbours that have @bytes together. A window slides down over each run of
 * neighbours, so that a process with a million small mappings costs a million steps.
 */
static bool
find_backend(GArray *mappings, uint64_t bytes)
{
    bool is_run = false; /* the one above can be the guest's */
    guint last = 0;      /* of the window, which begins at i */

    for (guint i = mappings->len; i-- > 0;) {
        if (!may_be_guest(at(mappings, i))) {
            is_run = false;
            continue;
        }
        if (!is_run || at(mappings, i)->end != at(mappings, i + 1)->start)
            last = i;
        is_run = true;
        while (last > i && size_of(mappings, i, last) > bytes)
            last--;
        if (size_of(mappings, i, last) != bytes)
            continue;
        for (guint k = i; k <= last; k++)
            at(mappings, k)->use = MAPPING_GUEST;
        return true;
    }
    return false;
}

/* Whether all are there if the first @joined of them are one piece. */
static bool
find_joined(GArray *mappings, const uint64_t *backends, size_t n, size_t joined)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < joined; i++)
        bytes = sat_add(bytes, backends[i]);
    if (!find_backend(mappings, bytes))
        return false;
    for (size_t i = joined; i < n; i++)
        if (!find_backend(mappings, backends[i]))
            return false;
    return true;
}

bool
mappings_find_guest(GArray *mappings, const uint64_t *backends, size_t n)
{
    for (size_t joined = 1; joined <= n; joined++) {
        g_autoptr(GArray) attempt = g_array_copy(mappings);

        if (!find_joined(attempt, backends, n, joined))
            continue;
        memcpy(mappings->data, attempt->data, attempt->len * sizeof(Mapping));
        return true;
    }
    return false;
}
