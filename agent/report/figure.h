/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * figure.h - what each figure of a report means, told once for all who show it
 *
 * Depends on nothing, so that the command line client can use it too.
 */
#ifndef AGENT_REPORT_FIGURE_H
#define AGENT_REPORT_FIGURE_H

#include <stddef.h>

typedef enum {
    FIGURE_DOMAIN, /* a field of DomainReport in virtksm.proto */
    FIGURE_HOST,   /* a field of HostReport */
    FIGURE_SCOPE_COUNT,
} FigureScope;

/* One figure. */
typedef struct {
    const char *name; /* as in virtksm.proto; its end is the unit */
    const char *help; /* its definition, one or two sentences without a line break */
} Figure;

/**
 * figure_list() - every figure that a domain or the host has, in the order in which to read them
 * @scope: of whom
 * @ret_n: number of rows
 *
 * Return: static.
 */
const Figure *figure_list(FigureScope scope, size_t *ret_n);

/** figure_help() - definition of a figure of @scope; static; NULL: there is none of that name */
const char *figure_help(FigureScope scope, const char *name);

#endif
