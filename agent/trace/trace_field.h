/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace_field.h - the values that go into and come out of a decision, by name
 *
 * Everything is a number of 1, 4 or 8 bytes at an offset of a plain struct. Writer and reader know
 * nothing else about the structs.
 */
#ifndef AGENT_TRACE_TRACE_FIELD_H
#define AGENT_TRACE_TRACE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The structs of a trace. */
typedef enum {
    TRACE_CONF,        /* PolicyConf */
    TRACE_HOST,        /* HostSample */
    TRACE_DOMAIN,      /* DomainSample */
    TRACE_STATE,       /* PolicyState, without its pointer */
    TRACE_TRACK,       /* DomainTrack */
    TRACE_PLAN,        /* Plan, without its pointer */
    TRACE_DOMAIN_PLAN, /* DomainPlan */
    TRACE_STRUCT_COUNT,
} TraceStruct;

/* One value. */
typedef struct {
    const char *name; /* "ksm.full_scans" */
    size_t offset;    /* in its struct */
    size_t size;      /* 1, 4 or 8 bytes */
    uint64_t least;   /* lowest that a reader takes */
    uint64_t most;    /* highest that a reader takes */
} TraceField;

typedef struct {
    const char *name;         /* "host" */
    size_t bytes;             /* size of the struct */
    const TraceField *fields; /* static */
    size_t n;                 /* fields */
} TraceTable;

/** trace_table() - the values of a struct; static, made at the first call */
const TraceTable *trace_table(TraceStruct which);

/** trace_get() - a value of a struct */
uint64_t trace_get(const TraceField *field, const void *from);

/**
 * trace_set() - give a struct a value
 *
 * Return: whether it is within the field's bounds; if not, nothing is changed.
 */
bool trace_set(const TraceField *field, void *to, uint64_t value);

#endif
