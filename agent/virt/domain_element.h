/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_element.h - what the elements of a domain's definition mean
 *
 * The half of domain_xml.h that knows libvirt's format and no XML library: domain_xml.c walks
 * through the text and hands over every known element, opening and closing. What is known stands
 * in four tables, domain_basics.c, domain_devices.c, domain_policy.c and domain_owner.c; an element
 * that is in none of them is skipped.
 */
#ifndef AGENT_VIRT_DOMAIN_ELEMENT_H
#define AGENT_VIRT_DOMAIN_ELEMENT_H

#include "agent/virt/domain_memory.h"

typedef struct {
    char *name;  /* owned */
    char *value; /* owned */
} DomainAttribute;

/* What is collected while a definition is read. */
typedef struct {
    DomainXml xml;       /* owned; so far */
    DomainMemory memory; /* owned; pieces of its memory */
    GError *error;       /* owned; the first thing that was wrong; NULL so far */
    uint64_t seen;       /* bit per row of the tables: has appeared in its parent */
    char *unit;          /* owned; of the size that is being read; NULL: not said */
    char *argument;      /* owned; the QEMU argument before this one; NULL: none */

    /* private: to domain_policy.c */
    unsigned policy_seen; /* bit per element of ours: has appeared */
    bool policy_has_text; /* text in them was a fault already */
    bool balloon_faulty;  /* a mistake that may have been meant to restrain the balloon */
    bool high_faulty;     /* likewise, memory.high */
} DomainReading;

/* One known element: a row of a table. */
typedef struct DomainElement {
    const char *path; /* from the root: "domain/devices/disk" */
    /* When it begins; NULL: nothing to do. */
    void (*open)(DomainReading *reading, const struct DomainElement *element,
                 const GArray *attributes);
    /* When it ends, with its text, which may be modified; NULL: its text does not matter. */
    void (*close)(DomainReading *reading, const struct DomainElement *element, char *text);
    size_t field; /* offset in DomainXml of what it fills, if that is one field */
    bool repeats; /* may appear more than once in its parent */
} DomainElement;

typedef struct {
    const DomainElement *rows; /* static */
    size_t n;                  /* rows of the array beside it */
} DomainElementTable;

extern const DomainElementTable domain_basics;
extern const DomainElementTable domain_devices;

/**
 * domain_element_prefix() - how names of a namespace begin in the tables
 * @uri: of the namespace, @length bytes
 *
 * Return: static; NULL: no element of it matters.
 */
const char *domain_element_prefix(const char *uri, size_t length);

/** domain_element_init() - nothing read yet; domain_element_done() it */
void domain_element_init(DomainReading *reading);

/** domain_element_done() - free what was collected and not taken */
void domain_element_done(DomainReading *reading);

/**
 * domain_element_find() - is this element one that matters?
 * @parent: element around it; NULL: it is the root
 * @name:   local name, with "qemu:" in front for libvirt's QEMU namespace, "virtksm:" for ours
 *
 * Return: its row, static; NULL: no, skip it with all it holds.
 */
const DomainElement *domain_element_find(const DomainElement *parent, const char *name);

/**
 * domain_element_open() - a known element begins
 * @reading:    what it says is added here, or its error set
 * @element:    its row
 * @attributes: of DomainAttribute, those without namespace, and those of ours with "virtksm:" in
 *              front; borrowed
 */
void domain_element_open(DomainReading *reading, const DomainElement *element,
                         const GArray *attributes);

/**
 * domain_element_finish() - the definition is complete: work out what follows from the whole
 * @reading: its error is set if something is missing or makes no sense
 */
void domain_element_finish(DomainReading *reading);

/* --- for the rows ------------------------------------------------------------------------- */

/** domain_element_error() - where the first error goes; NULL when there is one already */
GError **domain_element_error(DomainReading *reading);

/** domain_element_fail() - "<path>: expected <expected>" */
void domain_element_fail(DomainReading *reading, const DomainElement *element,
                         const char *expected);

/** domain_element_field() - where in the definition the byte offset @offset is */
void *domain_element_field(DomainReading *reading, size_t offset);

/** domain_element_attribute() - value of an attribute, borrowed; NULL: absent */
const char *domain_element_attribute(const GArray *attributes, const char *name);

/** domain_element_choice() - index of @word in @names, whose gaps are NULL; @n: not in it */
size_t domain_element_choice(const char *word, const char *const names[], size_t n);

/**
 * domain_element_second() - of two words, is it the second?
 * @value: NULL counts as the first
 * @words: neither of them: the error says so
 *
 * Return: whether it is the second.
 */
bool domain_element_second(DomainReading *reading, const DomainElement *element, const char *value,
                           const char *const words[2]);

/** domain_element_access() - 'shared' or 'private'; NULL is DOMAIN_ACCESS_DEFAULT */
DomainAccess domain_element_access(DomainReading *reading, const DomainElement *element,
                                   const char *value);

/** domain_element_number() - as domain_value_number(); returns 0 when it has set the error */
uint64_t domain_element_number(DomainReading *reading, const DomainElement *element,
                               const char *text, uint64_t max);

/** domain_element_size() - as domain_value_size(); returns 0 when it has set the error */
uint64_t domain_element_size(DomainReading *reading, const DomainElement *element, const char *text,
                             const char *unit);

#endif
