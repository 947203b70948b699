/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_figures.h - libvirt's figures, asked for and put into the table of domains */
#ifndef AGENT_SOURCE_LIBVIRT_FIGURES_H
#define AGENT_SOURCE_LIBVIRT_FIGURES_H

#include "agent/domain.h"
#include "agent/virt/conn.h"

#include <glib.h>
#include <stdbool.h>

/* One may hang on a QEMU that does not answer; another one goes round it. */
#define LIBVIRT_QUESTIONS 2

typedef struct LibvirtFigures LibvirtFigures;

typedef struct {
    LibvirtFigures *figures; /* borrowed; whose question it is */
    uint64_t asked_us;       /* CLOCK_MONOTONIC when it was put; 0: it is answered, or was not */
} LibvirtQuestion;

struct LibvirtFigures {
    const DomainTable *domains;                   /* borrowed; whose figures are asked for */
    LibvirtQuestion questions[LIBVIRT_QUESTIONS]; /* the first in line, the second round it */
    bool is_stuck;               /* none was answered for long, and that was told */
    void (*done)(gpointer user); /* who waits for figures; NULL: nobody */
    gpointer user;               /* for done */
};

/**
 * libvirt_figures_ask() - have the figures of all domains put into the table
 * @figures: has to last until libvirt has answered
 * @conn:    borrowed
 * @done:    called on the loop, after each answer
 * @user:    for @done
 *
 * Return: whether it was asked; not while the way that it would take is taken.
 */
bool libvirt_figures_ask(LibvirtFigures *figures, VirtConn *conn, void (*done)(gpointer user),
                         gpointer user);

/**
 * libvirt_figures_take() - what libvirt knows of all running domains
 * @domains:  those that it has are brought up to date
 * @stats:    of VirtStats; domains that are not in the table are passed over
 * @asked_us: CLOCK_MONOTONIC of the question; a domain that a younger one has told of, or that
 *            has started since, is passed over
 */
void libvirt_figures_take(const DomainTable *domains, const GArray *stats, uint64_t asked_us);

#endif
