/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stall.c - how much of its time the host spends waiting: for memory, for a CPU, for its host
 *
 * Only the sums are read. The averages beside them are the kernel's own over 10 seconds and more,
 * too slow for a decision that is taken several times a second.
 */
#define _GNU_SOURCE

#include "agent/facts/stall.h"

#include <string.h>
#include <unistd.h>

#include "agent/facts/procfile.h"
#include "policy/arith.h"

/* Two lines of three averages and a sum of at most 20 digits each. */
#define PSI_BYTES 512
/* "cpu" and ten numbers of at most 20 digits; hundreds of lines may follow that are of no use. */
#define CPU_LINE_BYTES 256
/* Of the line "cpu": its name counts as the first field. */
#define STEAL_FIELD 9

#define PSI_LINE    "some "
#define PSI_TOTAL   " total="

/* Of the text of a pressure file, which is cut up. */
static uint64_t
parse_stall(char *text)
{
    uint64_t total_us;
    char *line_end;
    char *total;

    if (strncmp(text, PSI_LINE, strlen(PSI_LINE)) != 0)
        return VALUE_UNKNOWN;
    line_end = strchr(text, '\n');
    if (line_end)
        *line_end = '\0';
    total = strstr(text, PSI_TOTAL);
    if (!total || !procfile_parse_u64(total + strlen(PSI_TOTAL), &total_us))
        return VALUE_UNKNOWN;
    return total_us;
}

uint64_t
stall_us(int dir_fd, const char *path)
{
    char text[PSI_BYTES];

    if (procfile_read_text(dir_fd, path, text, sizeof(text)) != PROCFILE_READ)
        return VALUE_UNKNOWN;
    return parse_stall(text);
}

static uint64_t
held_stall_us(HeldFile *file, int root_fd, const char *path)
{
    char text[PSI_BYTES];

    if (heldfile_read_text(file, root_fd, path, text, sizeof(text)) != PROCFILE_READ)
        return VALUE_UNKNOWN;
    return parse_stall(text);
}

static uint64_t
steal_us(HeldFile *file, int root_fd)
{
    char line[CPU_LINE_BYTES];
    uint64_t ticks;
    size_t length;

    if (heldfile_read_bytes(file, root_fd, "proc/stat", line, sizeof(line) - 1, &length) !=
        PROCFILE_READ)
        return VALUE_UNKNOWN;
    line[length] = '\0';
    /* Without its end in the buffer the last number may be half of one. */
    if (strncmp(line, "cpu ", 4) != 0 || !strchr(line, '\n'))
        return VALUE_UNKNOWN;
    ticks = procfile_field(line, STEAL_FIELD);
    return is_known(ticks) ? mul_div(ticks, 1000000, (uint64_t)sysconf(_SC_CLK_TCK))
                           : VALUE_UNKNOWN;
}

void
stalls_read(StallFiles *files, int root_fd, Stalls *ret_stalls)
{
    *ret_stalls = (Stalls){
        .cpu_stall_us = held_stall_us(&files->cpu, root_fd, "proc/pressure/cpu"),
        .memory_stall_us = held_stall_us(&files->memory, root_fd, "proc/pressure/memory"),
        .steal_us = steal_us(&files->stat, root_fd),
    };
}

void
stall_files_close(StallFiles *files)
{
    heldfile_close(&files->cpu);
    heldfile_close(&files->memory);
    heldfile_close(&files->stat);
}
